/* SPDX-License-Identifier: MIT
 * reminder.c - the process that runs notes: a plain user of consume and of a task's ends. Some notes take longer
 * than a lease.
 */
#include <string.h>

#include "world.h"

enum {
    HELD_MAX = 8,
    PREFETCH = 3,
    TAG_CONSUME = 1,
    TAG_WORK = 100, /* + place */
    TAG_END = 200,  /* + place */
    LONG_PERMILLE = 300,
    RETRY_PERMILLE = 40,
    BACK_PERMILLE = 40
};

struct reminder {
    shared_task *held[HELD_MAX];
    struct note *notes[HELD_MAX];
    bool succeeds[HELD_MAX];
};

static void start(struct process *process) {
    SIM_CHECK(shared_queue_register(process->client, "note") == SHARED_OK);
    SIM_CHECK(shared_queue_relay(process->client, 2) == SHARED_OK);
    SIM_CHECK(shared_queue_consume(process->client, NULL, PREFETCH, TAG_CONSUME) == SHARED_OK);
}

static void begin(struct process *process, shared_task *task) {
    struct reminder *reminder = process->state;
    int32_t place = 0;
    while (place < HELD_MAX && reminder->held[place]) place++;
    SIM_CHECK(place < HELD_MAX);
    struct note *note = note_find(shared_task_argument(task, 0, "document_id"));
    SIM_CHECK(note != NULL);
    note->runs++;
    note->running++;
    sim_trace(process->name, "runs %s, time %d", note->key, (int)note->runs);
    if (!world.disturbed && !note->returned && note->running > 1)
        sim_fail("%s: two run it, and nothing went wrong", note->key);
    reminder->held[place] = shared_task_ref(task);
    reminder->notes[place] = note;
    int64_t work_ms = sim_chance(LONG_PERMILLE) ? sim_between(1000, 25000) : sim_between(1, 200);
    SIM_CHECK(shared_client_timer(process->client, work_ms, TAG_WORK + (uint64_t)place) ==
              SHARED_OK);
}

static void let_go(struct reminder *reminder, int32_t place) {
    reminder->notes[place]->running--;
    shared_task_unref(reminder->held[place]);
    reminder->held[place] = NULL;
}

static void end(struct process *process, int32_t place) {
    struct reminder *reminder = process->state;
    shared_task *task = reminder->held[place];
    uint64_t tag = TAG_END + (uint64_t)place;
    shared_status status;
    reminder->succeeds[place] = false;
    if (sim_chance(RETRY_PERMILLE) && !shared_task_is_last(task)) {
        reminder->notes[place]->returned = true;
        status = shared_task_fail(task, SHARED_RETRYABLE, "later", tag);
    } else if (sim_chance(BACK_PERMILLE)) {
        reminder->notes[place]->returned = true;
        status = shared_task_hand_back(task, tag);
    } else {
        reminder->succeeds[place] = reminder->notes[place]->succeeded = true;
        status = shared_task_succeed(task, "true", tag);
    }
    if (status < 0) let_go(reminder, place); /* it was lost meanwhile */
}

static void ended(struct process *process, int32_t place, const shared_error *error) {
    struct reminder *reminder = process->state;
    struct note *note = reminder->notes[place];
    sim_trace(process->name, "%s ends: %s", note->key, error ? shared_error_message(error) : "ok");
    SIM_CHECK(!error || world.disturbed);
    if (!error && reminder->succeeds[place]) note->acknowledged++;
    let_go(reminder, place);
}

static void handle(struct process *process, const shared_event *event) {
    uint64_t tag = shared_event_tag(event);
    if (shared_event_kind(event) == SHARED_EVENT_TASK)
        begin(process, shared_event_task(event));
    else if (tag >= TAG_END)
        ended(process, (int32_t)(tag - TAG_END), shared_event_error(event));
    else if (tag >= TAG_WORK)
        end(process, (int32_t)(tag - TAG_WORK));
}

static void finish(struct process *process) {
    struct reminder *reminder = process->state;
    for (int32_t place = 0; place < HELD_MAX; place++)
        if (reminder->held[place]) let_go(reminder, place);
}

const struct process_kind process_reminder = {.name = "reminder",
                                              .queue = "notes",
                                              .start = start,
                                              .handle = handle,
                                              .finish = finish,
                                              .size = sizeof(struct reminder)};
