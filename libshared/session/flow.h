/* SPDX-License-Identifier: MIT
 * flow.h - what a stream and a COPY to the user have in common: one request with many events, of which the
 * next is asked for when the user has taken those before.
 *
 * In an open transaction a flow runs in that one, and its COMMIT waits for it. Else it has a connection of
 * its own, so that the session may do other things between two events: by a session of its own, `inner`,
 * which is in no list but here. It begins behind the transactions that were asked for before it, and those
 * asked for after it wait until it has begun, which fixes what it sees.
 */
#ifndef SESSION_FLOW_H
#define SESSION_FLOW_H

#include "session/session_private.h"

enum { FLOW_EVENTS_MAX = 2 }; /* that wait to be taken, or were asked for */

struct flow;

struct flow_kind {
    const char *name; /* for messages */
    bool is_alone;    /* its one statement is a transaction, without BEGIN and COMMIT */
    bool is_gentle;   /* cancelled in the user's transaction, it lets that go on */
    void (*turn)(struct flow *flow); /* there may be room for more */
    void (*answered)(struct flow *flow, struct work *work, struct rows *rows, int64_t count,
                     const struct shared_error *error);
    void (*leave)(struct flow *flow); /* it ended in the user's transaction; NULL: nothing to do */
    void (*free)(struct flow *flow);
};

struct flow {
    const struct flow_kind *kind;
    shared_session *session; /* whose it is */
    struct flow *next, *previous;
    struct request *request; /* NULL: it ended */
    shared_session *host;    /* &inner, session, or NULL: its turn has not come, or is over */
    struct unit *unit;       /* of host; in session NULL once that is gone */
    struct work *marker;     /* waits for its turn */
    struct work_list works;  /* to begin with */
    int32_t work_count;      /* in the unit, not answered */
    int64_t serial;          /* of its last work to begin with */
    bool is_undone;          /* by a rollback to a savepoint before it */
    bool opening;
    struct deferred turn;
    shared_session inner;
};

/* A work that its flow hears of. NULL and fail(ENOMEM). */
struct work *flow_work(struct flow *flow, enum work_kind kind);
/* Begins, or waits for its turn. Below zero: nothing was accepted, and flow->works are freed. */
shared_status flow_open(struct flow *flow, shared_session *session, uint64_t tag);
/* Behind its others. */
void flow_add(struct flow *flow, struct work *work);
/* It has begun for the server too. */
void flow_opened(struct flow *flow);
bool flow_is_inside(const struct flow *flow); /* in the user's transaction */
/* Whether one that is asked for now will be; a pinned session has no other connection. */
bool flow_begins_inside(const shared_session *session);
/* Its last event; what is left of it goes by itself. */
void flow_end(struct flow *flow, int64_t count);
void flow_fail(struct flow *flow, const struct shared_error *error);
/* Runs its turn soon. */
void flow_wake(struct flow *flow);

/* For session.c: the turn of a work of kind WORK_FLOW has come. */
void flow_reached(struct work *work);
void flows_abandon(shared_session *session, const struct shared_error *error);
/* For unit.c: it goes, and with it the flows in it. */
void flows_leave(const struct unit *unit);
/* What began behind that serial is rolled back. */
void flows_undo(const struct unit *unit, int64_t serial);

#endif
