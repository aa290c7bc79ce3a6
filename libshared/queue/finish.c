/* SPDX-License-Identifier: MIT
 * finish.c - how a claim ends: first its result is stored, then the claim is given up, by a script that
 * finds the claim or is too late. Both are tried again while Redis is away, as long as the lease lasts;
 * afterwards another worker has the message, and finds the result. Where no result can be stored the claim is
 * given up all the same, and the end says so. A failure is only stored once it is known
 * that the claim stands: who took the task over may still succeed. Never runs a task.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "queue/queue.h"

enum { AGAIN_MS_MIN = 50, AGAIN_MS_MAX = 1000 };

enum step { CHECK, STORE, RELEASE };

struct finish {
    struct errand errand;
    shared_task *task;
    enum finish_kind kind;
    struct buffer meta, message;
    char reason[400]; /* of FINISH_REFUSE */
    enum step step;
    bool may_have_run;            /* an answer was lost: a claim that is gone may have gone by us */
    struct shared_error unstored; /* code 0: the result is stored, or there is none */
    int64_t store_until_ms;
    int64_t again_ms;
    struct timer again;
};

static void finish_step(struct finish *finish);

static void finish_drop(struct errand *errand) {
    struct finish *finish = (struct finish *)errand;
    timer_stop(queue_of(errand)->client, &finish->again);
    buffer_finish(&finish->meta);
    buffer_finish(&finish->message);
    shared_task_unref(finish->task);
}

static void finish_end(struct finish *finish, const struct shared_error *error) {
    task_leave(finish->task);
    errand_answer(&finish->errand, 1, error);
    errand_free(&finish->errand);
}

static void try_again(struct timer *timer) {
    finish_step((struct finish *)((char *)timer - offsetof(struct finish, again)));
}

static bool is_worth_waiting(const struct finish *finish, const struct shared_error *error) {
    int64_t until_ms =
        finish->step == STORE ? finish->store_until_ms : finish->task->lease_until_ms;
    return error->class == SHARED_RETRYABLE && time_monotonic_ms() < until_ms;
}

static void finish_later(struct finish *finish) {
    timer_start(queue_of(&finish->errand)->client, &finish->again, finish->again_ms, try_again);
    finish->again_ms = finish->again_ms * 2 > AGAIN_MS_MAX ? AGAIN_MS_MAX : finish->again_ms * 2;
}

static void finish_lost(struct finish *finish) {
    struct shared_error lost;
    error_set(&lost, SHARED_TASK, SHARED_ECONFLICT, "task %s: another worker has taken it over",
              finish->task->id);
    finish_end(finish, &lost);
}

static void check_held(struct finish *finish, const struct reply *reply,
                       const struct shared_error *error) {
    if (error && is_worth_waiting(finish, error)) {
        finish_later(finish);
    } else if (error) {
        finish_end(finish, error);
    } else if (reply->count) {
        finish_lost(finish);
    } else {
        finish->step = finish->meta.size ? STORE : RELEASE;
        finish_step(finish);
    }
}

/* The end will say so; where nobody hears it the log does. */
static void finish_unstored(struct finish *finish, const struct shared_error *error) {
    finish->unstored = *error;
    (void)snprintf(finish->unstored.message, sizeof finish->unstored.message,
                   "task %.64s has ended, but its result is not stored: %.380s", finish->task->id,
                   error->message);
    text_tidy(finish->unstored.message); /* the cut may be within a character */
    if (!finish->errand.request)
        log_format("queue", SHARED_WARNING, "%s", finish->unstored.message);
}

static void check_stored(struct finish *finish, const struct shared_error *error) {
    if (error && is_worth_waiting(finish, error)) {
        if (finish->kind == FINISH_FAIL) finish->step = CHECK; /* time passes */
        finish_later(finish);
        return;
    }
    /* The work is done and must not be done again for want of a place to say so. */
    if (error) finish_unstored(finish, error);
    finish->step = RELEASE;
    finish_step(finish);
}

static void check_released(struct finish *finish, const struct reply *reply,
                           const struct shared_error *error) {
    if (error) {
        finish->may_have_run |= finish->errand.command.sent;
        if (is_worth_waiting(finish, error))
            finish_later(finish);
        else
            finish_end(finish, error);
        return;
    }
    /* Within the lease nobody else could take it: then an earlier try of ours has run. */
    bool ours = finish->may_have_run && time_monotonic_ms() < finish->task->lease_until_ms;
    if (reply->integer > 0 || ours)
        finish_end(finish, finish->unstored.code ? &finish->unstored : NULL);
    else
        finish_lost(finish);
}

static void check_step(struct errand *errand, const struct reply *reply,
                       const struct shared_error *error) {
    struct finish *finish = (struct finish *)errand;
    switch (finish->step) {
    case CHECK: check_held(finish, reply, error); break;
    case STORE: check_stored(finish, error); break;
    case RELEASE: check_released(finish, reply, error); break;
    }
}

static void store(struct finish *finish) {
    struct errand *errand = &finish->errand;
    struct redis *result = client_redis(queue_of(errand)->client, REDIS_RESULT);
    if (!result) {
        check_stored(finish, shared_error_last());
        return;
    }
    char key[META_KEY_SIZE], ttl_s[24];
    snprintf(key, sizeof key, PREFIX_META "%s", finish->task->id);
    snprintf(ttl_s, sizeof ttl_s, "%lld",
             (long long)client_setting(queue_of(errand)->client, "RESULT_TTL_S"));
    const char *weak = finish->kind == FINISH_RETRY ? "1" : "0";
    const char *words[] = {key, ttl_s, finish->meta.data, weak};
    const size_t sizes[] = {strlen(key), strlen(ttl_s), finish->meta.size, 1};
    errand_run(errand, result, &script_store, 1, 4, words, sizes);
}

static void release(struct finish *finish) {
    shared_task *task = finish->task;
    struct errand *errand = &finish->errand;
    char live[QUEUE_KEY_SIZE], dead[QUEUE_KEY_SIZE], list[QUEUE_KEY_SIZE], dead_max[24];
    queue_key(live, PREFIX_LIVE, task->queue_name);
    queue_key(dead, PREFIX_DEAD, task->queue_name);
    queue_list_name(list, task->queue_name, (task->claim[CLAIM_NAME_SIZE - 2] - '0') / 3);
    snprintf(dead_max, sizeof dead_max, "%lld",
             (long long)client_setting(queue_of(errand)->client, "DEAD_LIST_LENGTH"));
    const char *key = task->message && task->message->key ? task->message->key : "";
    const struct form {
        const struct script *script;
        const char *words[10];
        int32_t keys, count;
    } forms[] = {
        [FINISH_ACK] = {&script_finish,
                        {KEY_LEASE, KEY_INDEX, KEY_UNACKED, live, KEY_LOST, task->claim, key,
                         task->id, task->lost_sha},
                        5,
                        9},
        [FINISH_RETRY] = {&script_retry,
                          {KEY_LEASE, KEY_INDEX, KEY_UNACKED, live, list, task->claim, key,
                           task->id, finish->message.data},
                          5,
                          9},
        [FINISH_REFUSE] = {&script_refuse,
                           {KEY_LEASE, KEY_INDEX, KEY_UNACKED, live, dead, task->claim, key,
                            task->id, dead_max, finish->reason},
                           5,
                           10},
        [FINISH_HAND_BACK] = {&script_hand_back,
                              {KEY_LEASE, KEY_INDEX, KEY_UNACKED, task->queue_name, "RPUSH",
                               task->claim},
                              3,
                              6},
        [FINISH_TO_TAIL] = {&script_hand_back,
                            {KEY_LEASE, KEY_INDEX, KEY_UNACKED, task->queue_name, "LPUSH",
                             task->claim},
                            3,
                            6},
    };
    const struct form *form = &forms[finish->kind == FINISH_FAIL ? FINISH_ACK : finish->kind];
    errand_run(errand, queue_of(errand)->broker, form->script, form->keys, form->count, form->words,
               NULL);
}

static void finish_step(struct finish *finish) {
    switch (finish->step) {
    case CHECK: lease_check(&finish->errand, finish->task); break;
    case STORE: store(finish); break;
    case RELEASE: release(finish); break;
    }
}

/* --- making one ------------------------------------------------------------------------------------- */

struct finish *finish_new(shared_task *task, enum finish_kind kind) {
    struct finish *finish = errand_new(&task->queue->errands, sizeof *finish, check_step);
    if (!finish) return NULL;
    finish->task = shared_task_ref(task);
    finish->kind = kind;
    finish->again_ms = AGAIN_MS_MIN;
    finish->errand.drop = finish_drop;
    return finish;
}

struct buffer *finish_meta(struct finish *finish) {
    return &finish->meta;
}

struct buffer *finish_message(struct finish *finish) {
    return &finish->message;
}

shared_status finish_start(struct finish *finish, uint64_t tag) {
    shared_task *task = finish->task;
    shared_status status = SHARED_OK;
    if (finish->meta.failed || finish->message.failed)
        status = fail(SHARED_ENOMEM, "task %s: out of memory", task->id);
    if (status == SHARED_OK) status = errand_request(&finish->errand, tag);
    if (status < 0) {
        errand_free(&finish->errand);
        return status;
    }
    task_change(task, TASK_ENDING);
    finish->step = finish->kind == FINISH_FAIL ? CHECK : finish->meta.size ? STORE : RELEASE;
    finish->store_until_ms =
        time_monotonic_ms() + client_setting(queue_of(&finish->errand)->client, "LEASE_S") * 1000;
    finish_step(finish);
    return SHARED_OK;
}

struct meta_owner task_owner(const shared_task *task) {
    const struct celery_message *message = task->message;
    return (struct meta_owner){.id = task->id,
                               .parent_id = message ? message->parent_id : NULL,
                               .group_id = message ? message->group_id : NULL};
}

/* --- what the queue decides by itself ----------------------------------------------------------------- */

/* Gives up the queue's own reference. Without memory the lease ends the claim. */
static void start_quietly(shared_task *task, struct finish *finish) {
    if (!finish || finish_start(finish, 0) < 0) task_leave(task);
    shared_task_unref(task);
}

void finish_quietly(shared_task *task, enum finish_kind kind) {
    start_quietly(task, finish_new(task, kind));
}

void finish_refused(shared_task *task, const struct celery_refusal *refusal) {
    log_format("queue", SHARED_WARNING, "message in %s is set aside: %s (task %s)",
               task->queue_name, refusal->message, *task->id ? task->id : "without id");
    struct finish *finish = finish_new(task, FINISH_REFUSE);
    if (finish)
        snprintf(finish->reason, sizeof finish->reason, "%s: %s", refusal->exc_type,
                 refusal->message);
    bool wanted = *task->id && !(task->message && task->message->ignore_result);
    if (finish && wanted)
        meta_write_failure(&finish->meta, task_owner(task),
                           (struct meta_exception){.type = refusal->exc_type,
                                                   .module = refusal->exc_module,
                                                   .message = refusal->message});
    start_quietly(task, finish);
}

void finish_expired(shared_task *task) {
    struct finish *finish = finish_new(task, FINISH_ACK);
    if (finish && !task->message->ignore_result)
        meta_write_revoked(&finish->meta, task_owner(task), "expired");
    start_quietly(task, finish);
}
