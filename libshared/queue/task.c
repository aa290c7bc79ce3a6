/* SPDX-License-Identifier: MIT
 * task.c - a claimed task as its user sees it: what it says, how it ended. Never talks to Redis itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "model/json.h"
#include "queue/queue.h"

enum { FAILURE_SIZE_MAX = 4096, RETURN_PAUSE_MS = 1000 };

#define RETRY_DELAY_MS_MAX INT64_C(31536000000) /* a year */

shared_task *shared_task_ref(shared_task *task) {
    if (task) task->references++;
    return task;
}

void shared_task_unref(shared_task *task) {
    if (!task || --task->references > 0) return;
    bool ours = task->queue && task->state == TASK_GIVEN && !task->lost;
    if (ours && !client_is_forked(task->queue->client)) {
        /* Unfinished: the queue takes it back, and this reference with it. */
        task->references = 1;
        if (task->consumer) consumer_pause(task->consumer, RETURN_PAUSE_MS);
        task_change(task, TASK_CLAIMED);
        finish_quietly(task, FINISH_HAND_BACK);
        return;
    }
    task_leave(task);
    celery_message_free(task->message);
    free(task);
}

const char *shared_task_id(const shared_task *task) {
    return task ? task->id : "";
}

const char *shared_task_name(const shared_task *task) {
    return task ? task->message->task : "";
}

const char *shared_task_args(const shared_task *task) {
    return task ? task->message->args : "";
}

const char *shared_task_kwargs(const shared_task *task) {
    return task ? task->message->kwargs : "";
}

const char *shared_task_argument(const shared_task *task, int32_t position, const char *field) {
    return task ? celery_argument(task->message, position, field) : NULL;
}

int32_t shared_task_attempt(const shared_task *task) {
    return task ? task->message->retries : 0;
}

int64_t shared_task_eta(const shared_task *task) {
    return task ? task->message->eta_us : 0;
}

int64_t shared_task_expires(const shared_task *task) {
    return task ? task->message->expires_us : 0;
}

int64_t shared_task_soft_limit_ms(const shared_task *task) {
    return task ? task->message->soft_ms : 0;
}

int64_t shared_task_hard_limit_ms(const shared_task *task) {
    return task ? task->message->hard_ms : 0;
}

int32_t shared_task_priority(const shared_task *task) {
    return task ? task->message->priority : 0;
}

int32_t shared_task_is_redelivered(const shared_task *task) {
    return task && (*task->lost_sha || task->message->redelivered);
}

static const char *property(const shared_task *task, const char *name) {
    const char *text = task ? celery_property(task->message, name) : NULL;
    return text ? text : "";
}

const char *shared_task_correlation_id(const shared_task *task) {
    return property(task, "correlation_id");
}

const char *shared_task_reply_to(const shared_task *task) {
    return property(task, "reply_to");
}

const char *shared_task_root_id(const shared_task *task) {
    return property(task, "root_id");
}

const char *shared_task_parent_id(const shared_task *task) {
    return property(task, "parent_id");
}

const char *shared_task_queue(const shared_task *task) {
    return task ? task->queue_name : "";
}

static int64_t retry_max(const shared_task *task) {
    return task->queue ? client_setting(task->queue->client, "RETRY_MAX") : 0;
}

int32_t shared_task_is_last(const shared_task *task) {
    return task && task->message->retries >= retry_max(task);
}

int32_t shared_task_is_held(const shared_task *task) {
    return task && task->queue && task->state == TASK_GIVEN && !task->lost;
}

/* --- ends ------------------------------------------------------------------------------------------- */

static shared_status check_task(const shared_task *task) {
    if (!task) return fail(SHARED_EINVALID, "task: NULL");
    if (task->state == TASK_ENDING || (task->state == TASK_ENDED && task->queue))
        return fail(SHARED_EINVALID, "task %s: is finished already", task->id);
    if (!task->queue)
        return fail(SHARED_ECLOSED, "task %s: its client is gone, or it is finished", task->id);
    return client_check(task->queue->client);
}
#define check_task(task) (operation_begin(), check_task(task))

static shared_status start(struct finish *finish, uint64_t tag) {
    return finish ? finish_start(finish, tag) : shared_error_code(shared_error_last());
}

shared_status shared_task_succeed(shared_task *task, const char *result_json, uint64_t tag) {
    shared_status status = check_task(task);
    if (status < 0) return status;
    if (!result_json) result_json = "null";
    status = celery_json_check(result_json, strlen(result_json), 0);
    if (status == SHARED_ENOMEM) return fail(SHARED_ENOMEM, "result_json: out of memory");
    if (status < 0) return fail(SHARED_EINVALID, "result_json of task %s: not JSON", task->id);
    struct finish *finish = finish_new(task, FINISH_ACK);
    if (finish && !task->message->ignore_result)
        meta_write_success(finish_meta(finish), task_owner(task), result_json);
    return start(finish, tag);
}

/* 60, 120, 240, 480 s with the settings' defaults. */
static int64_t retry_delay_ms(const shared_task *task) {
    int64_t delay_s = client_setting(task->queue->client, "RETRY_DELAY_S");
    int32_t doublings = task->message->retries < 16 ? task->message->retries : 16;
    return (delay_s << doublings) * 1000;
}

static struct finish *new_retry(shared_task *task, struct meta_exception exception,
                                int64_t delay_ms) {
    struct finish *finish = finish_new(task, FINISH_RETRY);
    if (!finish) return NULL;
    char tag[UUID_TEXT_SIZE];
    uuid_make_v4(tag);
    celery_write_retry(finish_message(finish), task->message, time_wall_us() + delay_ms * 1000, tag,
                       task->queue->origin);
    if (!task->message->ignore_result && !task->lost)
        meta_write_retry(finish_meta(finish), task_owner(task), exception);
    return finish;
}

static struct finish *new_failure(shared_task *task, struct meta_exception exception) {
    struct finish *finish = finish_new(task, FINISH_FAIL);
    /* Of a lost one another worker tells the end. */
    if (finish && !task->message->ignore_result && !task->lost)
        meta_write_failure(finish_meta(finish), task_owner(task), exception);
    return finish;
}

/* At most FAILURE_SIZE_MAX bytes, whole characters. false: not UTF-8. */
static bool cut_message(char out[FAILURE_SIZE_MAX + 1], const char *message) {
    size_t size = strlen(message);
    if (!text_is_utf8(message, size)) return false;
    if (size > FAILURE_SIZE_MAX) size = FAILURE_SIZE_MAX;
    while (size > 0 && !text_is_utf8(message, size)) size--;
    memcpy(out, message, size);
    out[size] = '\0';
    return true;
}

/* delay_ms below 0: the one that grows. */
static shared_status fail_task(shared_task *task, bool retryable, int64_t delay_ms,
                               const char *message, uint64_t tag) {
    char text[FAILURE_SIZE_MAX + 1];
    if (!cut_message(text, message ? message : ""))
        return fail(SHARED_EINVALID, "message of task %s: not UTF-8", task->id);
    struct meta_exception exception = {.type = retryable ? "RetryableError" : "PermanentError",
                                       .module = "shared.errors",
                                       .message = text};
    if (!retryable || shared_task_is_last(task)) return start(new_failure(task, exception), tag);
    if (delay_ms < 0) delay_ms = retry_delay_ms(task);
    return start(new_retry(task, exception, delay_ms), tag);
}

shared_status shared_task_fail(shared_task *task, int32_t error_class, const char *message,
                               uint64_t tag) {
    shared_status status = check_task(task);
    if (status < 0) return status;
    if (error_class != SHARED_PERMANENT && error_class != SHARED_RETRYABLE)
        return fail(SHARED_EINVALID, "error_class: %d, SHARED_PERMANENT or SHARED_RETRYABLE",
                    error_class);
    return fail_task(task, error_class == SHARED_RETRYABLE, -1, message, tag);
}

shared_status shared_task_retry(shared_task *task, int64_t delay_ms, const char *message,
                                uint64_t tag) {
    shared_status status = check_task(task);
    if (status < 0) return status;
    if (delay_ms < 0 || delay_ms > RETRY_DELAY_MS_MAX)
        return fail(SHARED_EINVALID, "delay_ms: %lld, from 0 to %lld", (long long)delay_ms,
                    (long long)RETRY_DELAY_MS_MAX);
    return fail_task(task, true, delay_ms, message, tag);
}

shared_status shared_task_hand_back(shared_task *task, uint64_t tag) {
    shared_status status = check_task(task);
    if (status < 0) return status;
    if (task->consumer) consumer_pause(task->consumer, RETURN_PAUSE_MS);
    return start(finish_new(task, FINISH_HAND_BACK), tag);
}
