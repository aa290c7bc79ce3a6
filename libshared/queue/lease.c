/* SPDX-License-Identifier: MIT
 * lease.c - keeps our claims alive and takes over those whose holders died: two timers of the client's
 * loop, so that no job can hold them up. Never touches a task that is not lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "queue/queue.h"

enum {
    RENEW_AT_ONCE = 256,
    RENEW_WORDS = 4,      /* before the claims: three keys, the time */
    RENEW_AGAIN_MS = 500, /* after a failure: the lease goes on ageing */
    SWEEP_AT_ONCE = 100,
    SWEEP_MS_MAX = 5000
};

static int64_t lease_ms(const struct queue *queue) {
    return client_setting(queue->client, "LEASE_S") * 1000;
}

static int64_t renew_ms(const struct queue *queue) {
    return client_setting(queue->client, "LEASE_RENEW_S") * 1000;
}

/* --- renewal ------------------------------------------------------------------------------------- */

struct renewal {
    struct errand errand;
    int64_t sent_ms;
    size_t count;
    bool last; /* of the round */
    char claims[RENEW_AT_ONCE][CLAIM_NAME_SIZE];
};

static shared_task *find_claim(const struct queue *queue, const char *claim) {
    struct name *name = names_find(&queue->claims, claim);
    return name ? (shared_task *)((char *)name - offsetof(shared_task, by_claim)) : NULL;
}

/* What the user holds tells it when asked; what waits here is simply gone. */
static void lose(shared_task *task) {
    if (task->state == TASK_ENDING) return; /* its own end may be the reason */
    task->lost = true;
    log_format("queue", SHARED_WARNING, "task %s: another worker has taken it over", task->id);
    if (task->state == TASK_GIVEN) return;
    task_leave(task);
    shared_task_unref(task);
}

/* A task that takes long, or that had waited for long: whoever looks for missing ones must not think that its
 * mark is a leftover. At the end it goes, and must not come back. */
static void mark_again(shared_task *task) {
    struct queue *queue = task->queue;
    int64_t now_ms = time_monotonic_ms();
    int64_t age_ms_max = queue_visibility_s(queue) * 1000 / 4;
    if (task->lost || task->state == TASK_ENDING || !task->message || !task->message->key) return;
    if (task->marked_ms && now_ms - task->marked_ms < age_ms_max) return;
    struct errand *errand = errand_new(&queue->errands, sizeof *errand, errand_over);
    if (!errand) return;
    task->marked_ms = now_ms;
    char live[QUEUE_KEY_SIZE];
    queue_key(live, PREFIX_LIVE, task->queue_name);
    const char *words[] = {live, task->message->key, task->id};
    errand_run(errand, queue->broker, &script_mark, 1, 3, words, NULL);
}

static void check_renewed(struct errand *errand, const struct reply *reply,
                          const struct shared_error *error) {
    struct renewal *renewal = (struct renewal *)errand;
    struct queue *queue = queue_of(errand);
    for (size_t i = 0; !error && i < reply->count; i++) {
        int64_t index = reply->items[i]->integer;
        shared_task *task = index >= 0 && index < (int64_t)renewal->count
                                ? find_claim(queue, renewal->claims[index])
                                : NULL;
        if (task) lose(task);
    }
    for (size_t i = 0; i < renewal->count && !error; i++) {
        shared_task *task = find_claim(queue, renewal->claims[i]);
        if (!task || task->lost) continue;
        task->lease_until_ms = renewal->sent_ms + lease_ms(queue);
        mark_again(task);
    }
    if (renewal->last) queue->renewing = false;
    if (error) log_format("queue", SHARED_WARNING, "renewal of leases: %s", error->message);
    errand_free(errand);
    lease_schedule_after(queue, error ? RENEW_AGAIN_MS : renew_ms(queue));
}

static void renew(struct errand *errand, int32_t count, const char **words) {
    char duration_ms[24];
    const char *const keys[] = {KEY_LEASE, KEY_INDEX, KEY_UNACKED, duration_ms};
    snprintf(duration_ms, sizeof duration_ms, "%lld", (long long)lease_ms(queue_of(errand)));
    memcpy(words, keys, sizeof keys);
    errand_run(errand, queue_of(errand)->broker, &script_renew, 3, count + RENEW_WORDS, words,
               NULL);
}

static void renewal_send(struct renewal *renewal) {
    const char *words[RENEW_WORDS + RENEW_AT_ONCE];
    for (size_t i = 0; i < renewal->count; i++) words[RENEW_WORDS + i] = renewal->claims[i];
    renew(&renewal->errand, (int32_t)renewal->count, words);
}

void lease_check(struct errand *errand, const shared_task *task) {
    const char *words[RENEW_WORDS + 1] = {[RENEW_WORDS] = task->claim};
    renew(errand, 1, words);
}

static void renew_all(struct timer *timer) {
    struct queue *queue = (struct queue *)((char *)timer - offsetof(struct queue, renew_timer));
    struct renewal *renewal = NULL;
    for (shared_task *task = queue->tasks; task; task = task->next) {
        if (task->lost) continue;
        if (renewal && renewal->count == RENEW_AT_ONCE) {
            renewal_send(renewal);
            renewal = NULL;
        }
        if (!renewal) renewal = errand_new(&queue->errands, sizeof *renewal, check_renewed);
        if (!renewal) break;
        renewal->sent_ms = time_monotonic_ms();
        memcpy(renewal->claims[renewal->count++], task->claim, CLAIM_NAME_SIZE);
    }
    if (!renewal) {
        lease_schedule_after(queue, RENEW_AGAIN_MS);
        return;
    }
    queue->renewing = true;
    renewal->last = true;
    renewal_send(renewal);
}

/* --- sweep ------------------------------------------------------------------------------------------- */

/* Three looks fit into the time that a lease has left when a renewal is due. */
static int64_t sweep_ms(const struct queue *queue) {
    int64_t slack_ms = (lease_ms(queue) - renew_ms(queue)) / 3;
    return slack_ms < SWEEP_MS_MAX ? slack_ms : SWEEP_MS_MAX;
}

static void store_lost(struct queue *queue, const struct celery_message *message) {
    struct redis *result = client_redis(queue->client, REDIS_RESULT);
    struct errand *errand =
        result ? errand_new(&queue->errands, sizeof *errand, errand_over) : NULL;
    if (!errand) return;
    struct buffer meta = {.data = NULL};
    char key[META_KEY_SIZE], ttl_s[24], text[100];
    snprintf(text, sizeof text, "Worker died %d times while it had this task", LEASES_LOST_MAX);
    meta_write_failure(
        &meta,
        (struct meta_owner){
            .id = message->id, .parent_id = message->parent_id, .group_id = message->group_id},
        (struct meta_exception){
            .type = "WorkerLostError", .module = "billiard.exceptions", .message = text});
    snprintf(key, sizeof key, PREFIX_META "%s", message->id);
    snprintf(ttl_s, sizeof ttl_s, "%lld", (long long)client_setting(queue->client, "RESULT_TTL_S"));
    if (meta.failed)
        errand_free(errand);
    else
        errand_run(errand, result, &script_store, 1, 4,
                   (const char *[]){key, ttl_s, meta.data, "0"}, NULL);
    buffer_finish(&meta);
}

static void forget_key(struct queue *queue, const char *queue_name,
                       const struct celery_message *message) {
    struct errand *errand =
        message->key ? errand_new(&queue->errands, sizeof *errand, errand_over) : NULL;
    if (!errand) return;
    char live[QUEUE_KEY_SIZE];
    queue_key(live, PREFIX_LIVE, queue_name);
    errand_send(errand, queue->broker, 3, (const char *[]){"HDEL", live, message->key}, NULL);
}

/* A message that was set aside because its workers die of it. */
static void tell_dead(struct queue *queue, const struct reply *name, const struct reply *text) {
    struct celery_refusal refusal;
    struct celery_message *message = celery_read(text->text, text->size, &refusal);
    log_format("queue", SHARED_ERROR,
               "message in %s is set aside: %d workers died while they had it (task %s)",
               name->text, LEASES_LOST_MAX, message ? message->id : refusal.id);
    if (!message) return;
    if (!message->ignore_result) store_lost(queue, message);
    if (strlen(name->text) < QUEUE_NAME_SIZE) forget_key(queue, name->text, message);
    celery_message_free(message);
}

static void sweep(struct timer *timer);

struct sweeping {
    struct errand errand;
    bool more; /* there was more than one step takes */
};

enum { SWEEP_KEYS = 5, SWEEP_NUMBERS_MAX = 5 };

/* The keys are the first ones of a list that both scripts share. */
static void sweeping_run(struct sweeping *sweeping, const struct script *script, int32_t keys,
                         const int64_t numbers[], int32_t count) {
    char texts[SWEEP_NUMBERS_MAX][24];
    const char *words[SWEEP_KEYS + 1 + SWEEP_NUMBERS_MAX] = {KEY_LEASE, KEY_INDEX, KEY_UNACKED,
                                                             KEY_LOST,  KEY_SWEEP, KEY_MUTEX};
    for (int32_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%lld", (long long)numbers[i]);
        words[keys + i] = texts[i];
    }
    errand_run(&sweeping->errand, queue_of(&sweeping->errand)->broker, script, keys, keys + count,
               words, NULL);
}

static void sweeping_over(struct sweeping *sweeping, const struct shared_error *error) {
    struct queue *queue = queue_of(&sweeping->errand);
    bool more = sweeping->more && !error;
    if (error) log_format("queue", SHARED_WARNING, "sweep: %s", error->message);
    queue->sweeping = false;
    errand_free(&sweeping->errand);
    lease_schedule(queue);
    if (more && queue->sweep_timer.running)
        timer_start(queue->client, &queue->sweep_timer, 0, sweep);
}

static void tell_taken_over(int64_t count, const char *whose) {
    if (count > 0)
        log_format("queue", SHARED_WARNING, "took over %lld tasks of dead %s", (long long)count,
                   whose);
}

static void check_restored(struct errand *errand, const struct reply *reply,
                           const struct shared_error *error) {
    struct sweeping *sweeping = (struct sweeping *)errand;
    int64_t restored = error ? 0 : reply->integer;
    tell_taken_over(restored, "Celery workers");
    sweeping->more |= restored >= SWEEP_AT_ONCE;
    sweeping_over(sweeping, error);
}

static void restore(struct sweeping *sweeping) {
    const struct queue *queue = queue_of(&sweeping->errand);
    const int64_t numbers[] = {SWEEP_AT_ONCE, client_setting(queue->client, "DEAD_LIST_LENGTH"),
                               queue_visibility_s(queue)};
    sweeping->errand.done = check_restored;
    sweeping_run(sweeping, &script_restore, SWEEP_KEYS + 1, numbers,
                 sizeof numbers / sizeof *numbers);
}

static void check_swept(struct errand *errand, const struct reply *reply,
                        const struct shared_error *error) {
    struct sweeping *sweeping = (struct sweeping *)errand;
    if (error || reply->count == 0) {
        sweeping_over(sweeping, error);
        return;
    }
    int64_t ended = reply->items[0]->integer;
    tell_taken_over(ended, "workers");
    sweeping->more = ended >= SWEEP_AT_ONCE;
    for (size_t i = 1; i + 1 < reply->count; i += 2)
        tell_dead(queue_of(errand), reply->items[i], reply->items[i + 1]);
    restore(sweeping);
}

static void sweep(struct timer *timer) {
    struct queue *queue = (struct queue *)((char *)timer - offsetof(struct queue, sweep_timer));
    struct sweeping *sweeping = errand_new(&queue->errands, sizeof *sweeping, check_swept);
    if (!sweeping) {
        lease_schedule(queue);
        return;
    }
    const int64_t numbers[] = {SWEEP_AT_ONCE, LEASES_LOST_MAX,
                               client_setting(queue->client, "DEAD_LIST_LENGTH"),
                               2 * sweep_ms(queue), lease_ms(queue) / 2};
    queue->sweeping = true;
    sweeping_run(sweeping, &script_sweep, SWEEP_KEYS, numbers, sizeof numbers / sizeof *numbers);
}

/* --- timers ---------------------------------------------------------------------------------------- */

void lease_schedule_after(struct queue *queue, int64_t delay_ms) {
    if (client_is_ending(queue->client)) return;
    if (queue->task_count > 0 && !queue->renew_timer.running && !queue->renewing)
        timer_start(queue->client, &queue->renew_timer, delay_ms, renew_all);
    if (queue->consumer_count == 0) {
        timer_stop(queue->client, &queue->sweep_timer);
    } else if (!queue->sweep_timer.running && !queue->sweeping) {
        int64_t most_ms = sweep_ms(queue); /* jitter: not all workers at the same time */
        int64_t least_ms = most_ms * 7 / 10;
        int64_t jitter_ms = (int64_t)(random_u64() % (uint64_t)(most_ms - least_ms + 1));
        timer_start(queue->client, &queue->sweep_timer, least_ms + jitter_ms, sweep);
    }
}

void lease_schedule(struct queue *queue) {
    lease_schedule_after(queue, renew_ms(queue));
}
