/* SPDX-License-Identifier: MIT
 * examine.c - what becomes of a message that was claimed: run now, later, never, or set aside. Never
 * touches a message's text: celery.c does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "queue/queue.h"

enum {
    ETA_CHECK_MS = 60000,
    TAIL_PAUSE_MS = 1000,
    TURN_MAX = 500 /* messages passed over before a pause, when no first one comes round */
};

/* --- the life of a task -------------------------------------------------------------------------------- */

shared_task *task_new(struct consumer *consumer, const char *claim, const char *lost_sha) {
    struct queue *queue = consumer->queue;
    shared_task *task = calloc(1, sizeof *task);
    if (!task || strlen(claim) >= sizeof task->claim || strlen(lost_sha) >= sizeof task->lost_sha) {
        free(task);
        return NULL;
    }
    memcpy(task->claim, claim, strlen(claim) + 1);
    memcpy(task->lost_sha, lost_sha, strlen(lost_sha) + 1);
    if (!names_add(&queue->claims, &task->by_claim, task->claim)) {
        free(task);
        return NULL;
    }
    memcpy(task->queue_name, consumer->name, sizeof task->queue_name);
    task->references = 1;
    task->queue = queue;
    task->consumer = consumer;
    task->state = TASK_CLAIMED;
    consumer->taken++;
    task->next = queue->tasks;
    if (task->next) task->next->previous = task;
    queue->tasks = task;
    queue->task_count++;
    return task;
}

static int32_t *state_count(struct consumer *consumer, enum task_state state) {
    switch (state) {
    case TASK_CLAIMED:
    case TASK_GIVEN:
    case TASK_ENDING: return &consumer->taken;
    case TASK_LATER: return &consumer->later;
    case TASK_READY: return &consumer->ready;
    case TASK_ENDED: break;
    }
    return NULL;
}

void task_change(shared_task *task, enum task_state state) {
    if (task->consumer) {
        int32_t *from = state_count(task->consumer, task->state);
        int32_t *to = state_count(task->consumer, state);
        if (from) --*from;
        if (to) ++*to;
    }
    task->state = state;
}

void task_leave(shared_task *task) {
    struct queue *queue = task->queue;
    if (!queue) return;
    task_change(task, TASK_ENDED);
    timer_stop(queue->client, &task->eta_timer);
    names_remove(&queue->claims, &task->by_claim);
    if (task->next) task->next->previous = task->previous;
    *(task->previous ? &task->previous->next : &queue->tasks) = task->next;
    queue->task_count--;
    task->queue = NULL;
    struct consumer *consumer = task->consumer;
    task->consumer = NULL;
    if (consumer) consumer_pump(consumer);
}

/* --- decisions -------------------------------------------------------------------------------------------- */

static void begin_turn(struct consumer *consumer) {
    *consumer->turn_id = '\0';
    consumer->turn_count = 0;
}

static void give(shared_task *task) {
    struct consumer *consumer = task->consumer;
    struct shared_event *event = request_more(consumer->request, SHARED_EVENT_TASK);
    if (!event) {
        finish_quietly(task, FINISH_HAND_BACK);
        consumer_pause(consumer, TAIL_PAUSE_MS);
        return;
    }
    begin_turn(consumer);
    task_change(task, TASK_GIVEN);
    event->task = task; /* and our reference with it */
    event->task_unref = shared_task_unref;
    memcpy(event->id, task->id, strnlen(task->id, sizeof event->id - 1));
}

static bool is_expired(const shared_task *task) {
    return task->message->expires_us && time_wall_us() > task->message->expires_us;
}

void task_give_next_ready(struct consumer *consumer) {
    shared_task *first = NULL;
    for (shared_task *task = consumer->queue->tasks; task; task = task->next) {
        if (task->consumer != consumer || task->state != TASK_READY) continue;
        if (!first || task->message->eta_us < first->message->eta_us) first = task;
    }
    SHARED_CHECK(first != NULL);
    if (is_expired(first)) /* while it waited for a free place */
        finish_expired(first);
    else
        give(first);
}

static void eta_start(shared_task *task);

static void eta_over(struct timer *timer) {
    shared_task *task = (shared_task *)((char *)timer - offsetof(shared_task, eta_timer));
    if (time_wall_us() < task->message->eta_us) {
        eta_start(task); /* it was a long wait, or the clock was set */
    } else if (is_expired(task)) {
        finish_expired(task);
    } else {
        task_change(task, TASK_READY);
        consumer_pump(task->consumer);
    }
}

static void eta_start(shared_task *task) {
    int64_t delay_ms = (task->message->eta_us - time_wall_us() + 999) / 1000;
    if (delay_ms > ETA_CHECK_MS) delay_ms = ETA_CHECK_MS;
    timer_start(task->queue->client, &task->eta_timer, delay_ms > 0 ? delay_ms : 0, eta_over);
}

/* What can run may be behind it: only when all were looked at, and none was given, there is a pause. Other
 * workers take from the same queue, so the first one may not come back to this one. */
static void pass_over(shared_task *task) {
    struct consumer *consumer = task->consumer;
    bool is_round = strcmp(consumer->turn_id, task->id) == 0 || ++consumer->turn_count > TURN_MAX;
    if (!*consumer->turn_id) memcpy(consumer->turn_id, task->id, sizeof task->id);
    finish_quietly(task, FINISH_TO_TAIL);
    if (!is_round) return;
    begin_turn(consumer);
    consumer_pause(consumer, TAIL_PAUSE_MS);
}

/* Kept with its lease until its time comes, outside of the prefetch. Of too many the rest waits in the
 * queue, behind the others. */
static void keep_for_later(shared_task *task) {
    struct consumer *consumer = task->consumer;
    if (consumer->later >= client_setting(consumer->queue->client, "ETA_TASKS_MAX")) {
        pass_over(task);
        return;
    }
    task_change(task, TASK_LATER);
    eta_start(task);
}

static void decide(shared_task *task) {
    if (is_expired(task))
        finish_expired(task);
    else if (task->consumer->cancelled)
        finish_quietly(task, FINISH_HAND_BACK);
    else if (task->message->eta_us > time_wall_us())
        keep_for_later(task);
    else
        give(task);
}

/* --- a message that was delivered before: is it done already? ----------------------------------------------- */

struct looking {
    struct errand errand;
    shared_task *task;
};

static void looking_drop(struct errand *errand) {
    shared_task_unref(((struct looking *)errand)->task);
}

static void check_result(struct errand *errand, const struct reply *reply,
                         const struct shared_error *error) {
    shared_task *task = shared_task_ref(((struct looking *)errand)->task);
    bool done = !error && reply->type == REPLY_TEXT && meta_is_success(reply->text, reply->size);
    errand_free(errand);
    if (!task->queue || task->state != TASK_CLAIMED) {
        shared_task_unref(task);
        return;
    }
    shared_task_unref(task); /* the queue's own reference is left */
    if (!task->consumer || done)
        finish_quietly(task, done ? FINISH_ACK : FINISH_HAND_BACK);
    else
        decide(task);
}

static void look_for_result(shared_task *task) {
    struct redis *result = client_redis(task->queue->client, REDIS_RESULT);
    struct looking *looking =
        result ? errand_new(&task->queue->errands, sizeof *looking, check_result) : NULL;
    if (!looking) {
        decide(task);
        return;
    }
    looking->task = shared_task_ref(task);
    looking->errand.drop = looking_drop;
    char key[META_KEY_SIZE];
    snprintf(key, sizeof key, PREFIX_META "%s", task->id);
    errand_send(&looking->errand, result, 2, (const char *[]){"GET", key}, NULL);
}

/* --- the message --------------------------------------------------------------------------------------------- */

static bool is_registered(const struct queue *queue, const char *name) {
    for (int32_t i = 0; i < queue->registered_count; i++)
        if (text_equal(queue->registered[i], name)) return true;
    return queue->registered_count == 0;
}

void task_examine(shared_task *task, const char *raw, size_t size) {
    struct celery_refusal refusal;
    task->message = celery_read(raw, size, &refusal);
    const char *id = task->message ? task->message->id : refusal.id;
    memcpy(task->id, id, strlen(id) + 1);
    if (!task->message && !refusal.exc_type) {
        consumer_pause(task->consumer, TAIL_PAUSE_MS);
        finish_quietly(task, FINISH_HAND_BACK);
    } else if (!task->message) {
        finish_refused(task, &refusal);
    } else if (!is_registered(task->queue, task->message->task)) {
        refusal.exc_type = "NotRegistered";
        refusal.exc_module = "celery.exceptions";
        snprintf(refusal.message, sizeof refusal.message, "%s", task->message->task);
        finish_refused(task, &refusal);
    } else if (*task->lost_sha || task->message->redelivered) {
        look_for_result(task);
    } else {
        decide(task);
    }
}
