/* SPDX-License-Identifier: MIT
 * process.h - the programs of the simulated world: each has a client of the real library, and does what its
 * kind does. They run one at a time, when mail has come or a timer is due.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <shared.h>

#include "net/client.h"
#include "sim.h"

/* Something that has arrived, opened in the process' next dispatch. */
struct mail {
    struct mail *next;
    void (*open)(struct mail *mail);
};
struct mailbox {
    struct mail *first, *last;
};

struct process;
struct process_kind {
    const char *name;
    const char *queue; /* QUEUE_NAME */
    void (*start)(struct process *process);
    void (*handle)(struct process *process, const shared_event *event);
    /* From here on NULL: it has nothing to do there. Its own timers and, after an event, what it goes on
     * with; the time of the next such tick, or INT64_MAX. */
    void (*tick)(struct process *process);
    int64_t (*next_us)(const struct process *process);
    void (*stop)(struct process *process); /* asked to end */
    bool (*is_stopped)(const struct process *process);
    void (*finish)(struct process *process); /* frees what it holds, before its client goes */
    size_t size;
};

struct process {
    const struct process_kind *kind;
    char name[16];
    int32_t number; /* of all there ever were: one that is started again has a new one */
    bool alive;
    bool dying;    /* killed: nothing leaves it any more */
    bool stopping; /* asked to end */
    bool deaf;     /* what has arrived waits; its own clocks go on */
    int32_t steps; /* turns.h: what it did that others can see */
    int32_t renewals;
    int64_t wall_off_us;
    int64_t frozen_until_us;
    struct event restart;
    shared_client *client;
    struct source network, *source;
    struct mailbox mails; /* opened within the client's dispatch */
    struct mailbox calls; /* opened by the process itself */
    void *state;          /* of its kind, malloc */
};

void process_post(struct process *process, struct mail *mail);
void process_call(struct process *process, struct mail *mail);
bool process_has_mail(const struct process *process);
void process_start(struct process *process);
void process_kill(struct process *process);
/* Whoever looks after it starts it again before long. */
void process_start_later(struct process *process);
/* When it next has something to do. */
int64_t process_next_us(const struct process *process);
void process_run(struct process *process);

extern const struct process_kind process_worker, process_producer, process_noter, process_reminder,
    process_viewer, process_clerk;

#endif
