/* SPDX-License-Identifier: MIT
 * relay.h - what the two halves of the relay share: sending one row of task_outbox.
 */
#ifndef QUEUE_RELAY_H
#define QUEUE_RELAY_H

#include "net/pool.h"
#include "queue/queue.h"

enum { DELETE_AT_ONCE = 200 };

struct sweeping;

/* A client's slot CLIENT_RELAY. */
struct relay {
    shared_client *client;
    struct queue *queue;
    struct request *request;  /* NULL: not asked for, or cancelled */
    struct posting *postings; /* rows being sent */
    int32_t posting_count;
    char *sent[DELETE_AT_ONCE]; /* ids whose rows may go */
    size_t sent_count;
    struct deferred deletion;
    struct timer sweep_timer;
    struct sweeping *sweeping; /* under way, or NULL */
};

/* One row on its way to Redis. */
struct posting {
    struct errand errand;
    struct relay *relay;             /* NULL: gone */
    struct posting *next, *previous; /* of the relay */
    struct sweeping *sweeping;       /* whose transaction deletes the row; NULL: the relay does */
    char id[UUID_TEXT_SIZE + 4];
};
struct posting_row {
    const char *id, *queue, *task, *args_json, *key;
    bool redelivered; /* it may have been sent before */
};
/* SHARED_EINVALID: it can never be sent (and it was logged); SHARED_ENOMEM: not now. */
shared_status relay_check(const struct posting_row *row);
/* Sends one that was checked. SHARED_ENOMEM: not now. */
shared_status relay_post(struct relay *relay, const struct posting_row *row,
                         struct sweeping *sweeping);

/* Takes rows out of all later sweeps, not out of the outbox: who mends them has lost no task. */
void relay_set_aside(struct relay *relay, const char *const *ids, size_t count);

/* --- relay_sweep.c ------------------------------------------------------------------------------------ */
/* Starts the timer of the next sweep. */
void relay_sweep_later(struct relay *relay, int64_t delay_ms);
/* A row of this sweep was sent, or not. */
void sweeping_posted(struct sweeping *sweeping, const struct shared_error *error);
/* Ends it; what it locked is free again. */
void sweeping_end(struct sweeping *sweeping);

#endif
