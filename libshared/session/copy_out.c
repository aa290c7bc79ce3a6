/* SPDX-License-Identifier: MIT
 * copy_out.c - COPY ... TO STDOUT as a flow of bytes: while two events of it wait to be taken, nothing is read
 * from the server. Never looks into the bytes.
 */
#include <stdlib.h>

#include "session/flow.h"
#include "session/query.h"

struct copy_out {
    struct flow flow; /* first */
    struct copy copy;
    struct work *work; /* NULL: it was answered */
};

static bool has_room(const struct flow *flow) {
    return client_events_waiting(flow->session->client, flow->request->tag) < FLOW_EVENTS_MAX;
}

/* Only the server's time counts, not the user's. */
static void watch(const struct flow *flow, bool room) {
    request_set_deadline(flow->request, room ? flow->session->sessions->timeout_ms : 0);
}

static bool take(struct operation *operation, char *bytes, size_t size) {
    const struct work *work = (const struct work *)operation;
    struct flow *flow = work->owner;
    flow_opened(flow);
    struct shared_event *event =
        flow->request ? request_more(flow->request, SHARED_EVENT_DATA) : NULL;
    if (event) {
        event->data = bytes;
        event->count = (int64_t)size;
        bool room = has_room(flow);
        watch(flow, room);
        return room;
    }
    free(bytes);
    if (!flow->request) return true; /* nobody wants it any more */
    struct shared_error error;
    error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "copy: out of memory");
    flow_fail(flow, &error);
    if (flow_is_inside(flow)) unit_stop(flow->unit, &error, flow->serial);
    return true;
}

static void copy_turn(struct flow *flow) {
    const struct copy_out *out = (const struct copy_out *)flow;
    if (!out->work || !has_room(flow)) return;
    watch(flow, true);
    postgres_copy_resume(&out->work->operation);
}

static void copy_answered(struct flow *flow, struct work *work, struct rows *rows, int64_t count,
                          const struct shared_error *error) {
    struct copy_out *out = (struct copy_out *)flow;
    (void)work;
    (void)rows;
    out->work = NULL;
    flow_opened(flow);
    if (error)
        flow_fail(flow, error);
    else
        flow_end(flow, count);
}

static void copy_free(struct flow *flow) {
    free(flow);
}

static const struct flow_kind copy_kind = {
    .name = "copy",
    .is_alone = true,
    .turn = copy_turn,
    .answered = copy_answered,
    .free = copy_free,
};

static shared_status make_work(struct copy_out *out, const char *sql) {
    struct work *work = flow_work(&out->flow, WORK_QUERY);
    if (!work) return SHARED_ENOMEM;
    buffer_add_text(&work->statement.sql, sql);
    if (work->statement.sql.failed) {
        work_free(work);
        return fail(SHARED_ENOMEM, "copy: out of memory");
    }
    out->copy.take = take;
    work->operation.script = true;
    work->operation.copy = &out->copy;
    work_list_add(&out->flow.works, work);
    out->work = work;
    return SHARED_OK;
}

shared_status shared_session_copy_out(shared_session *session, const char *sql, uint64_t tag) {
    shared_status status = session_check(session);
    if (status >= 0) status = query_check_copy(sql, false);
    if (status >= 0 && !tag)
        status = fail(SHARED_EINVALID, "tag: 0, but the bytes need one to come with");
    if (status < 0) return status;
    struct copy_out *out = calloc(1, sizeof *out);
    if (!out) return fail(SHARED_ENOMEM, "copy: out of memory");
    out->flow.kind = &copy_kind;
    out->flow.session = session;
    status = make_work(out, sql);
    if (status >= 0) status = flow_open(&out->flow, session, tag);
    if (status < 0) free(out);
    return status;
}
