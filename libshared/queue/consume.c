/* SPDX-License-Identifier: MIT
 * consume.c - claims tasks: as many as there is room for, in one step each time, so that no message is
 * ever in a socket only. While the queue is empty a BLMOVE of its head onto itself waits for the next
 * one: it pops nothing, so it can be given up at any moment. Other priorities are looked at each second.
 * Never decides how a task ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "queue/queue.h"

enum {
    PREFETCH_MAX = 1000,
    BLOCK_MS = 1000,    /* also how often the lists of other priorities are looked at */
    POLL_MS = 100,      /* without BLMOVE (Redis before 6.2) */
    PAUSE_MS_MIN = 100, /* after a failed claim, doubled each time */
    PAUSE_MS_MAX = 2000
};

/* --- claim ------------------------------------------------------------------------------------------ */

struct waiting {
    struct errand errand;
    struct consumer *consumer;
};

static void consumer_end(struct consumer *consumer) {
    struct queue *queue = consumer->queue;
    for (struct consumer **at = &queue->consumers; *at; at = &(*at)->next) {
        if (*at != consumer) continue;
        *at = consumer->next;
        break;
    }
    queue->consumer_count--;
    for (shared_task *task = queue->tasks; task; task = task->next)
        if (task->consumer == consumer) task->consumer = NULL;
    timer_stop(queue->client, &consumer->pause);
    if (consumer->blocking) errand_free(consumer->blocking);
    lease_schedule(queue);
    request_fail(consumer->request, &consumer->why);
    free(consumer);
}

/* One claimed message; `items` are its name, its text, and its SHA-1 when a lease was lost before. */
static void take(struct consumer *consumer, struct reply *const *items) {
    if (!items[0]->size) {
        log_format("queue", SHARED_WARNING, "message in %s is set aside: %s bytes, at most %d",
                   consumer->name, items[1]->text, MESSAGE_SIZE_MAX);
        return;
    }
    shared_task *task = task_new(consumer, items[0]->text, items[2]->text);
    if (!task) return; /* nobody renews its lease: it comes again */
    task->lease_until_ms =
        consumer->sent_ms + client_setting(consumer->queue->client, "LEASE_S") * 1000;
    task_examine(task, items[1]->text, items[1]->size);
}

/* The way of a failed claim: a pause, longer each time. */
static void claim_failed(struct consumer *consumer, const struct shared_error *error) {
    if (!consumer->cancelled)
        log_format("queue", SHARED_WARNING, "claim from %s: %s", consumer->name, error->message);
    produce_forget(consumer->queue);
    consumer_pause(consumer, consumer->pause_ms);
    consumer->pause_ms =
        consumer->pause_ms * 2 > PAUSE_MS_MAX ? PAUSE_MS_MAX : consumer->pause_ms * 2;
}

static void check_claimed(struct errand *errand, const struct reply *reply,
                          const struct shared_error *error) {
    struct consumer *consumer = ((struct waiting *)errand)->consumer;
    consumer->claiming = NULL;
    size_t count = reply && reply->type == REPLY_ARRAY ? reply->count / 3 : 0;
    for (size_t i = 0; i < count; i++) take(consumer, reply->items + i * 3);
    bool all = count >= (size_t)consumer->wanted;
    consumer->doubtful = error && errand->command.sent;
    errand_free(errand);
    if (error) {
        claim_failed(consumer, error);
    } else {
        consumer->pause_ms = PAUSE_MS_MIN;
    }
    lease_schedule(consumer->queue);
    if (all || consumer->cancelled)
        consumer_pump(consumer);
    else if (!error)
        consumer_wait(consumer);
}

static void claim(struct consumer *consumer, int32_t wanted) {
    struct queue *queue = consumer->queue;
    struct waiting *claiming = errand_new(&queue->errands, sizeof *claiming, check_claimed);
    if (!claiming) {
        consumer_pause(consumer, PAUSE_MS_MAX);
        return;
    }
    produce_declare(queue, consumer->name);
    claiming->consumer = consumer;
    consumer->wanted = wanted;
    consumer->sent_ms = time_monotonic_ms();
    consumer->claiming = &claiming->errand;
    char lists[PRIORITY_STEPS][QUEUE_KEY_SIZE], dead[QUEUE_KEY_SIZE];
    char lease_ms[24], size_max[24], dead_max[24];
    const char *words[PRIORITY_STEPS + 9 + CLAIMS_AT_ONCE];
    int32_t count = 0;
    for (int32_t step = 0; step < PRIORITY_STEPS; step++) {
        queue_list_name(lists[step], consumer->name, step);
        words[count++] = lists[step];
    }
    queue_key(dead, PREFIX_DEAD, consumer->name);
    snprintf(lease_ms, sizeof lease_ms, "%lld000",
             (long long)client_setting(queue->client, "LEASE_S"));
    snprintf(size_max, sizeof size_max, "%d", MESSAGE_SIZE_MAX);
    snprintf(dead_max, sizeof dead_max, "%lld",
             (long long)client_setting(queue->client, "DEAD_LIST_LENGTH"));
    const char *const rest[] = {KEY_LEASE, KEY_INDEX, KEY_UNACKED, KEY_LOST,      dead,
                                lease_ms,  size_max,  dead_max,    consumer->tail};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) words[count++] = rest[i];
    for (int32_t i = 0; i < wanted; i++) {
        uuid_make_v4(consumer->uuids[i]);
        words[count++] = consumer->uuids[i];
    }
    errand_run(&claiming->errand, queue->broker, &script_claim, PRIORITY_STEPS + 5, count, words,
               NULL);
}

/* What the last claim took, or will take, goes back, without a word of a lost lease: its names are known. */
static void hand_claim_back(struct consumer *consumer, struct errand *errand) {
    char names[CLAIMS_AT_ONCE * PRIORITY_STEPS][CLAIM_NAME_SIZE];
    const char *words[5 + CLAIMS_AT_ONCE * PRIORITY_STEPS] = {KEY_LEASE, KEY_INDEX, KEY_UNACKED,
                                                              consumer->name, "RPUSH"};
    int32_t count = 0;
    for (int32_t i = consumer->wanted - 1; i >= 0; i--) { /* the first one comes to the head */
        for (int32_t step = 0; step < PRIORITY_STEPS; step++, count++) {
            snprintf(names[count], CLAIM_NAME_SIZE, "%s/%d", consumer->uuids[i], (int)step * 3);
            words[5 + count] = names[count];
        }
    }
    errand_run(errand, consumer->queue->broker, &script_hand_back, 3, 5 + count, words, NULL);
}

void consumer_give_up_claim(struct consumer *consumer) {
    if (!consumer->claiming && !consumer->doubtful) return;
    struct errand *errand = errand_new(&consumer->queue->errands, sizeof *errand, errand_over);
    if (errand) hand_claim_back(consumer, errand);
}

static void check_settled(struct errand *errand, const struct reply *reply,
                          const struct shared_error *error) {
    struct consumer *consumer = ((struct waiting *)errand)->consumer;
    (void)reply;
    consumer->claiming = NULL;
    errand_free(errand);
    consumer->doubtful = error && error->class == SHARED_RETRYABLE; /* else the leases end it */
    if (error) claim_failed(consumer, error);
    consumer_pump(consumer);
}

/* Until then its messages are nobody's, and would come again as those of a dead worker. */
static void settle(struct consumer *consumer) {
    struct waiting *settling =
        errand_new(&consumer->queue->errands, sizeof *settling, check_settled);
    if (!settling) {
        consumer_pause(consumer, PAUSE_MS_MAX);
        return;
    }
    settling->consumer = consumer;
    consumer->claiming = &settling->errand;
    hand_claim_back(consumer, &settling->errand);
}

/* --- wait ------------------------------------------------------------------------------------------- */

static void check_waited(struct errand *errand, const struct reply *reply,
                         const struct shared_error *error) {
    (void)reply;
    struct consumer *consumer = ((struct waiting *)errand)->consumer;
    consumer->blocking = NULL;
    errand_free(errand);
    if (error && error->class == SHARED_PERMANENT)
        consumer->cannot_block = true; /* an old server, or one that forbids it */
    else if (error)
        consumer_pause(consumer, PAUSE_MS_MIN);
    consumer_pump(consumer);
}

/* The queue is empty: until a message comes, or a second has passed. */
void consumer_wait(struct consumer *consumer) {
    if (consumer->blocking || consumer->pause.running) return;
    struct queue *queue = consumer->queue;
    struct redis *block = consumer->cannot_block ? NULL : client_redis(queue->client, REDIS_BLOCK);
    struct waiting *waiting =
        block ? errand_new(&queue->errands, sizeof *waiting, check_waited) : NULL;
    if (!waiting) {
        consumer_pause(consumer, POLL_MS);
        return;
    }
    waiting->consumer = consumer;
    consumer->blocking = &waiting->errand;
    /* Consumers of one client wait one after the other on one connection. */
    char seconds[24];
    int64_t block_ms = BLOCK_MS / queue->consumer_count;
    snprintf(seconds, sizeof seconds, "%d.%03d", (int)(block_ms / 1000), (int)(block_ms % 1000));
    const char *words[] = {"BLMOVE", consumer->name, consumer->name, "RIGHT", "RIGHT", seconds};
    errand_send_blocking(&waiting->errand, block, BLOCK_MS, 6, words);
}

static void pause_over(struct timer *timer) {
    consumer_pump((struct consumer *)((char *)timer - offsetof(struct consumer, pause)));
}

void consumer_pause(struct consumer *consumer, int64_t delay_ms) {
    if (!consumer->cancelled)
        timer_start(consumer->queue->client, &consumer->pause, delay_ms, pause_over);
}

void consumer_pump(struct consumer *consumer) {
    if (client_is_ending(consumer->queue->client)) return;
    if (consumer->cancelled) {
        if (consumer->claiming) return;
        consumer_give_up_claim(consumer); /* a doubtful one */
        consumer_end(consumer);
        return;
    }
    while (consumer->ready > 0 && consumer->taken < consumer->prefetch)
        task_give_next_ready(consumer);
    int32_t room = consumer->prefetch - consumer->taken;
    if (consumer->claiming || consumer->pause.running) return;
    if (consumer->doubtful)
        settle(consumer);
    else if (room > 0)
        claim(consumer, room < CLAIMS_AT_ONCE ? room : CLAIMS_AT_ONCE);
}

/* --- the public side ---------------------------------------------------------------------------------- */

/* Tasks that the user has not seen go back; a claim under way is waited for, then goes back too. */
static void consumer_cancel(struct request *request, const struct shared_error *why) {
    struct consumer *consumer = request->owner;
    struct queue *queue = consumer->queue;
    consumer->cancelled = true;
    consumer->why = *why;
    for (shared_task *task = queue->tasks, *next; task; task = next) {
        next = task->next;
        bool unseen = task->state == TASK_LATER || task->state == TASK_READY;
        if (task->consumer == consumer && unseen) finish_quietly(task, FINISH_HAND_BACK);
    }
    consumer_pump(consumer);
}

shared_status shared_queue_consume(shared_client *client, const char *queue_name, int32_t prefetch,
                                   uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (prefetch < 1 || prefetch > PREFETCH_MAX)
        return fail(SHARED_EINVALID, "prefetch: %d, from 1 to %d", prefetch, PREFETCH_MAX);
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, and tasks need one");
    struct queue *queue = client_queue(client);
    const char *name = queue ? queue_name_check(queue, queue_name) : NULL;
    if (!name) return shared_error_code(shared_error_last());
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) return fail(SHARED_ENOMEM, "queue: out of memory");
    consumer->request = request_new(client, tag, 0, consumer_cancel, consumer);
    if (!consumer->request) {
        free(consumer);
        return shared_error_code(shared_error_last());
    }
    consumer->queue = queue;
    consumer->prefetch = prefetch;
    consumer->pause_ms = PAUSE_MS_MIN;
    memcpy(consumer->name, name, strlen(name) + 1);
    queue_wrapper_tail(consumer->tail, name);
    consumer->next = queue->consumers;
    queue->consumers = consumer;
    queue->consumer_count++;
    lease_schedule(queue);
    consumer_pump(consumer);
    return SHARED_OK;
}

shared_status shared_queue_register(shared_client *client, const char *task) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = queue_text_check("task", task, CELERY_NAME_SIZE_MAX);
    if (status < 0) return status;
    struct queue *queue = client_queue(client);
    if (!queue) return shared_error_code(shared_error_last());
    if (queue->registered_count == REGISTERED_MAX)
        return fail(SHARED_EBUSY, "task: %d names are registered, at most %d", REGISTERED_MAX,
                    REGISTERED_MAX);
    char *name = text_copy(task);
    if (!name) return fail(SHARED_ENOMEM, "queue: out of memory");
    queue->registered[queue->registered_count++] = name;
    return SHARED_OK;
}
