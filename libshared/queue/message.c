/* SPDX-License-Identifier: MIT
 * message.c - a task on its way out: its name, arguments and options, each checked when it is set. Knows
 * no client and sends nothing.
 */
#include "queue/message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "queue/queue.h"

enum { PRIORITY_MAX = 9 };

#define DELAY_MS_MAX INT64_C(315360000000) /* ten years */
#define LIMIT_MS_MAX INT64_C(31536000000)  /* a year */

/* At a time, or so long after it is sent; one of them at most; 0: none. */
struct moment {
    int64_t time_us, delay_ms;
};

struct shared_message {
    char *task, *args, *kwargs, *key; /* kwargs, key: or NULL */
    struct moment eta, expires;
    int64_t soft_ms, hard_ms;
    int32_t priority;
    bool ignore_result;
    char id[CELERY_NAME_SIZE_MAX + 1];
};

shared_status shared_message_new(const char *task, const char *args_json, shared_message **out) {
    operation_begin();
    if (!out) return fail(SHARED_EINVALID, "out: NULL");
    *out = NULL;
    shared_status status = queue_text_check("task", task, CELERY_NAME_SIZE_MAX);
    if (status == SHARED_OK) status = queue_json_check("args_json", args_json, '[');
    if (status < 0) return status;
    shared_message *message = calloc(1, sizeof *message);
    if (message) message->task = text_copy(task);
    if (message) message->args = text_copy(args_json);
    if (!message || !message->task || !message->args) {
        shared_message_free(message);
        return fail(SHARED_ENOMEM, "message: out of memory");
    }
    uuid_make_v4(message->id);
    *out = message;
    return SHARED_OK;
}

void shared_message_free(shared_message *message) {
    if (!message) return;
    free(message->task);
    free(message->args);
    free(message->kwargs);
    free(message->key);
    free(message);
}

const char *shared_message_id(const shared_message *message) {
    return message ? message->id : "";
}

static shared_status check_message(const shared_message *message) {
    return message ? SHARED_OK : fail(SHARED_EINVALID, "message: NULL");
}
#define check_message(message) (operation_begin(), check_message(message))

static shared_status replace_text(char **place, const char *text) {
    char *copy = text_copy(text);
    if (!copy) return fail(SHARED_ENOMEM, "message: out of memory");
    free(*place);
    *place = copy;
    return SHARED_OK;
}

static shared_status check_number(const char *what, int64_t number, int64_t least, int64_t most) {
    if (number >= least && number <= most) return SHARED_OK;
    return fail(SHARED_EINVALID, "%s: %" PRId64 ", from %" PRId64 " to %" PRId64, what, number,
                least, most);
}

/* --- options ---------------------------------------------------------------------------------------- */

shared_status shared_message_set_id(shared_message *message, const char *id) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) status = queue_text_check("id", id, CELERY_NAME_SIZE_MAX);
    if (status == SHARED_OK && message && id) memcpy(message->id, id, strlen(id) + 1);
    return status;
}

shared_status shared_message_set_kwargs(shared_message *message, const char *kwargs_json) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) status = queue_json_check("kwargs_json", kwargs_json, '{');
    return status < 0 ? status : replace_text(&message->kwargs, kwargs_json);
}

shared_status shared_message_set_key(shared_message *message, const char *key) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) status = queue_text_check("key", key, CELERY_KEY_SIZE_MAX);
    return status < 0 ? status : replace_text(&message->key, key);
}

static shared_status set_time(struct moment *moment, int64_t time_us) {
    shared_status status = check_number("time_us", time_us, 0, TIME_MAX_US);
    if (status == SHARED_OK) *moment = (struct moment){.time_us = time_us};
    return status;
}

static shared_status set_delay(struct moment *moment, int64_t delay_ms) {
    shared_status status = check_number("delay_ms", delay_ms, 0, DELAY_MS_MAX);
    if (status == SHARED_OK) *moment = (struct moment){.delay_ms = delay_ms};
    return status;
}

static int64_t moment_us(const struct moment *moment, int64_t now_us) {
    return moment->delay_ms ? now_us + moment->delay_ms * 1000 : moment->time_us;
}

shared_status shared_message_set_eta(shared_message *message, int64_t time_us) {
    shared_status status = check_message(message);
    return status < 0 ? status : set_time(&message->eta, time_us);
}

shared_status shared_message_set_countdown(shared_message *message, int64_t delay_ms) {
    shared_status status = check_message(message);
    return status < 0 ? status : set_delay(&message->eta, delay_ms);
}

shared_status shared_message_set_expires(shared_message *message, int64_t time_us) {
    shared_status status = check_message(message);
    return status < 0 ? status : set_time(&message->expires, time_us);
}

shared_status shared_message_set_expires_in(shared_message *message, int64_t delay_ms) {
    shared_status status = check_message(message);
    return status < 0 ? status : set_delay(&message->expires, delay_ms);
}

shared_status shared_message_set_priority(shared_message *message, int32_t priority) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) status = check_number("priority", priority, 0, PRIORITY_MAX);
    if (status == SHARED_OK) message->priority = priority;
    return status;
}

shared_status shared_message_set_time_limits(shared_message *message, int64_t soft_ms,
                                             int64_t hard_ms) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) status = check_number("soft_ms", soft_ms, 0, LIMIT_MS_MAX);
    if (status == SHARED_OK) status = check_number("hard_ms", hard_ms, 0, LIMIT_MS_MAX);
    if (status == SHARED_OK && hard_ms > 0) /* as Celery's client has it */
        status = check_number("soft_ms", soft_ms, 0, hard_ms);
    if (status < 0) return status;
    message->soft_ms = soft_ms;
    message->hard_ms = hard_ms;
    return SHARED_OK;
}

shared_status shared_message_set_ignore_result(shared_message *message, int32_t ignore) {
    shared_status status = check_message(message);
    if (status == SHARED_OK) message->ignore_result = ignore != 0;
    return status;
}

/* --- on its way ----------------------------------------------------------------------------------- */

struct envelope message_envelope(const shared_message *message) {
    int64_t now_us = time_wall_us();
    struct envelope envelope = {.task = message->task,
                                .id = message->id,
                                .args_json = message->args,
                                .kwargs_json = message->kwargs,
                                .key = message->key,
                                .eta_us = moment_us(&message->eta, now_us),
                                .expires_us = moment_us(&message->expires, now_us),
                                .soft_ms = message->soft_ms,
                                .hard_ms = message->hard_ms,
                                .priority = message->priority,
                                .ignore_result = message->ignore_result};
    if (envelope.expires_us > now_us)
        envelope.expires_in_ms = (envelope.expires_us - now_us) / 1000;
    return envelope;
}
