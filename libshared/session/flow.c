/* SPDX-License-Identifier: MIT
 * flow.c - where a flow runs, when it begins, how it ends, and that nothing of it stays. Never knows what
 * flows: stream.c and copy_out.c do.
 */
#include "session/flow.h"

static void answered(struct work *work, struct rows *rows, int64_t count,
                     const struct shared_error *error);
static void turn(struct deferred *deferred);

/* --- its works ------------------------------------------------------------------------------------ */

struct work *flow_work(struct flow *flow, enum work_kind kind) {
    struct work *work = work_new(flow->session->sessions, kind);
    if (!work) return NULL;
    work->owner = flow;
    work->answered = answered;
    return work;
}

void flow_add(struct flow *flow, struct work *work) {
    flow->work_count++;
    unit_add_before_end(flow->unit, work);
    session_wake(flow->host);
}

static void answered(struct work *work, struct rows *rows, int64_t count,
                     const struct shared_error *error) {
    struct flow *flow = work->owner;
    flow->work_count--;
    flow->kind->answered(flow, work, rows, count, error);
    flow_wake(flow);
}

void flow_wake(struct flow *flow) {
    client_defer(flow->session->client, &flow->turn, turn);
}

/* --- its end -------------------------------------------------------------------------------------- */

void flow_opened(struct flow *flow) {
    if (!flow->opening) return;
    flow->opening = false;
    flow->session->opening--;
    session_wake(flow->session);
}

bool flow_is_inside(const struct flow *flow) {
    return flow->host == flow->session;
}

bool flow_begins_inside(const shared_session *session) {
    return session_needs_transaction(session) || session->is_pinned;
}

static struct request *take_request(struct flow *flow) {
    struct request *request = flow->request;
    flow->request = NULL;
    flow_wake(flow);
    return request;
}

void flow_end(struct flow *flow, int64_t count) {
    struct request *request = take_request(flow);
    if (!request) return;
    request->event->count = count;
    request_end(request);
}

void flow_fail(struct flow *flow, const struct shared_error *error) {
    struct request *request = take_request(flow);
    if (request) request_fail(request, error);
}

/* Out of wherever it runs. */
static void let_go(struct flow *flow) {
    struct unit *unit = flow->unit;
    shared_session *host = flow->host;
    flow_opened(flow);
    if (flow->marker) flow->marker->answered = NULL;
    if (flow->marker) flow->marker->owner = NULL;
    flow->marker = NULL;
    flow->host = NULL;
    flow->unit = NULL;
    if (host == &flow->inner) {
        session_detach(host);
    } else if (unit) {
        flow->host = host;
        flow->unit = unit;
        if (flow->kind->leave) flow->kind->leave(flow);
        flow->host = NULL;
        flow->unit = NULL;
        unit->flow_count--;
        session_wake(host);
    }
}

static void flow_free(struct flow *flow) {
    shared_session *session = flow->session;
    client_defer_stop(session->client, &flow->turn);
    if (flow->next) flow->next->previous = flow->previous;
    *(flow->previous ? &flow->previous->next : &session->flows) = flow->next;
    work_list_free(&flow->works);
    flow->kind->free(flow);
}

static void turn(struct deferred *deferred) {
    struct flow *flow = (struct flow *)((char *)deferred - offsetof(struct flow, turn));
    if (flow_is_inside(flow) && flow->unit && flow->unit->failed)
        flow_fail(flow, &flow->unit->error);
    if (flow->request && flow->unit) flow->kind->turn(flow);
    if (flow->request) return;
    let_go(flow);
    if (!flow->work_count) flow_free(flow);
}

static void cancel(struct request *request, const struct shared_error *why) {
    struct flow *flow = request->owner;
    flow_fail(flow, why);
    bool spares = flow->kind->is_gentle && why->code != SHARED_ETIMEOUT;
    if (flow_is_inside(flow) && flow->unit && !spares) unit_stop(flow->unit, why, flow->serial);
}

static void taken(struct request *request) {
    flow_wake(request->owner);
}

/* --- its begin ------------------------------------------------------------------------------------ */

static void add_works(struct flow *flow) {
    while (flow->works.first) {
        struct work *work = flow->works.first;
        flow->works.first = work->next;
        flow_add(flow, work);
    }
    flow->works.last = NULL;
}

static void start_alone(struct flow *flow) {
    shared_session *session = flow->session;
    flow->inner = (shared_session){
        .sessions = session->sessions, .client = session->client, .pool = session->pool};
    struct unit *unit = unit_new(&flow->inner);
    if (!unit) {
        flow_fail(flow, shared_error_last());
        return;
    }
    flow->host = &flow->inner;
    flow->unit = unit;
    unit->is_explicit = true;
    flow->opening = true;
    session->opening++;
    add_works(flow);
    unit->begun = unit->is_closed = flow->kind->is_alone;
    flow_wake(flow);
}

static void waited(struct work *work, struct rows *rows, int64_t count,
                   const struct shared_error *error) {
    struct flow *flow = work->owner;
    (void)rows;
    (void)count;
    flow->marker = NULL;
    if (error) flow_fail(flow, error);
}

void flow_reached(struct work *work) {
    struct flow *flow = work->owner;
    work->answered = NULL;
    work_free(work);
    if (!flow) return; /* it was cancelled */
    flow->marker = NULL;
    start_alone(flow);
}

/* Behind what was asked for before. */
static shared_status start_behind(struct flow *flow) {
    shared_session *session = flow->session;
    struct unit *unit = session->last;
    struct work *work = work_new(session->sessions, WORK_FLOW);
    if (work && !unit->is_reads) unit = unit_new(session);
    if (!work || !unit) {
        if (work) work_free(work);
        return SHARED_ENOMEM;
    }
    unit->is_reads = true;
    work->owner = flow;
    work->answered = waited;
    flow->marker = work;
    unit_add(unit, work);
    return SHARED_OK;
}

/* In the open transaction, or in a new one behind the changes that wait. */
static shared_status start_inside(struct flow *flow) {
    shared_session *session = flow->session;
    struct work *work = flow->works.first;
    flow->works.first = work->next;
    if (!work->next) flow->works.last = NULL;
    flow->work_count++;
    shared_status status = session_submit(session, work, 0);
    if (status < 0) return status;
    request_set_deadline(work->request, 0); /* the flow has one of its own */
    flow->host = session;
    flow->unit = session->last;
    flow->unit->flow_count++;
    add_works(flow);
    flow->serial = flow->unit->serial;
    flow_wake(flow);
    return SHARED_OK;
}

static shared_status start(struct flow *flow) {
    shared_session *session = flow->session;
    if (flow_begins_inside(session)) return start_inside(flow);
    if (session->last) return start_behind(flow);
    start_alone(flow);
    return SHARED_OK;
}

shared_status flow_open(struct flow *flow, shared_session *session, uint64_t tag) {
    shared_client *client = session->client;
    flow->request = request_new(client, tag, session->sessions->timeout_ms, cancel, flow);
    shared_status status = flow->request ? start(flow) : shared_error_code(shared_error_last());
    if (status < 0) {
        if (flow->request) request_drop(flow->request);
        work_list_free(&flow->works);
        return status;
    }
    if (flow->request) flow->request->taken = taken;
    flow->next = session->flows;
    if (flow->next) flow->next->previous = flow;
    session->flows = flow;
    return SHARED_OK;
}

/* --- the end of what it runs in ------------------------------------------------------------------- */

void flows_leave(const struct unit *unit) {
    struct shared_error error;
    for (struct flow *flow = unit->session->flows; flow; flow = flow->next) {
        if (flow->unit != unit || !flow_is_inside(flow)) continue;
        flow->unit = NULL;
        error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "%s: its transaction ended",
                  flow->kind->name);
        flow_fail(flow, unit->failed ? &unit->error : &error);
    }
}

void flows_undo(const struct unit *unit, int64_t serial) {
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "rolled back to a savepoint before it");
    for (struct flow *flow = unit->session->flows; flow; flow = flow->next) {
        if (flow->unit != unit || !flow_is_inside(flow) || flow->serial <= serial) continue;
        flow->is_undone = true;
        flow_fail(flow, &error);
    }
}

void flows_abandon(shared_session *session, const struct shared_error *error) {
    while (session->flows) {
        struct flow *flow = session->flows;
        flow_fail(flow, error);
        let_go(flow);
        SHARED_CHECK(!flow->work_count);
        flow_free(flow);
    }
}
