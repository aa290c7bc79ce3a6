/* SPDX-License-Identifier: MIT
 * stream.c - the rows of a query, some at a time, by a cursor at the server: who does not take them in
 * stops the server, and holds no more than two batches. Never holds a row itself.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "session/flow.h"
#include "session/query.h"

struct stream {
    struct flow flow; /* first */
    int32_t
        number; /* of its cursor; one name for many streams keeps the cache of statements small */
    int32_t rows_per_event;
    int32_t model;
    bool only_reads;
    int32_t asked; /* batches under way */
    bool is_through;
    bool committing;
    int64_t count;
    struct work *close; /* made in time, since there may be no memory for it later */
};

/* --- works ---------------------------------------------------------------------------------------- */

static bool fetch(struct stream *stream) {
    struct work *work = flow_work(&stream->flow, WORK_QUERY);
    if (!work) return false;
    buffer_format(&work->statement.sql, "FETCH FORWARD %" PRId32 " FROM shared_stream_%" PRId32,
                  stream->rows_per_event, stream->number);
    if (work->statement.sql.failed) {
        work_free(work);
        (void)fail(SHARED_ENOMEM, "stream: out of memory");
        return false;
    }
    work->operation.unprepared = true; /* the columns of a cursor's name differ from time to time */
    stream->asked++;
    flow_add(&stream->flow, work);
    return true;
}

static bool commit(struct stream *stream) {
    struct work *work = flow_work(&stream->flow, WORK_COMMIT);
    if (!work) return false;
    work->operation.sql = "COMMIT";
    stream->committing = true;
    flow_add(&stream->flow, work);
    stream->flow.unit->is_closed = true;
    return true;
}

static shared_status add_text(struct stream *stream, const char *sql) {
    struct work *work = flow_work(&stream->flow, WORK_QUERY);
    if (!work) return SHARED_ENOMEM;
    work->operation.sql = sql;
    work_list_add(&stream->flow.works, work);
    return SHARED_OK;
}

static shared_status add_declare(struct stream *stream, const shared_query *query) {
    struct work *work = flow_work(&stream->flow, WORK_QUERY);
    if (!work) return SHARED_ENOMEM;
    buffer_format(&work->statement.sql, "DECLARE shared_stream_%" PRId32 " NO SCROLL CURSOR FOR ",
                  stream->number);
    shared_status status = query_build(query, &work->statement);
    if (status < 0)
        work_free(work);
    else
        work_list_add(&stream->flow.works, work);
    return status;
}

static shared_status make_close(struct stream *stream) {
    struct work *work = work_new(stream->flow.session->sessions, WORK_QUERY);
    if (!work) return SHARED_ENOMEM;
    stream->close = work;
    buffer_format(&work->statement.sql, "CLOSE shared_stream_%" PRId32, stream->number);
    if (work->statement.sql.failed) return fail(SHARED_ENOMEM, "stream: out of memory");
    return SHARED_OK;
}

/* The plan is one for all rows, not for the first few as cursors have it. */
static shared_status make_works(struct stream *stream, const shared_query *query, bool inside) {
    shared_status status = SHARED_OK;
    if (!inside && stream->only_reads) status = add_text(stream, "SET TRANSACTION READ ONLY");
    if (status >= 0) status = add_text(stream, "SET LOCAL cursor_tuple_fraction = 1.0");
    if (status >= 0) status = add_declare(stream, query);
    if (status >= 0 && inside)
        status = add_text(stream, "SET LOCAL cursor_tuple_fraction TO DEFAULT");
    if (status >= 0 && inside) status = make_close(stream);
    return status;
}

/* --- as a flow ------------------------------------------------------------------------------------ */

static bool is_rolling_back(const struct unit *unit) {
    return unit->is_closed && unit->last && unit->last->kind == WORK_ROLLBACK;
}

static bool has_room(const struct stream *stream) {
    const struct flow *flow = &stream->flow;
    int32_t waiting = client_events_waiting(flow->session->client, flow->request->tag);
    return waiting + stream->asked < FLOW_EVENTS_MAX;
}

/* All rows were given out. */
static bool finish(struct stream *stream) {
    if (flow_is_inside(&stream->flow))
        flow_end(&stream->flow, stream->count);
    else if (!stream->committing)
        return commit(stream);
    return true;
}

/* Only the server's time counts, not the user's. */
static void watch(const struct stream *stream) {
    bool waits = stream->asked || stream->committing;
    int64_t timeout_ms = stream->flow.session->sessions->timeout_ms;
    if (stream->flow.request) request_set_deadline(stream->flow.request, waits ? timeout_ms : 0);
}

static void stream_turn(struct flow *flow) {
    struct stream *stream = (struct stream *)flow;
    if (is_rolling_back(flow->unit)) return; /* which ends it */
    bool done = true;
    if (stream->is_through) {
        if (!stream->asked) done = finish(stream);
    } else {
        while (done && has_room(stream)) done = fetch(stream);
    }
    if (!done) flow_fail(flow, shared_error_last());
    watch(stream);
}

static void take_batch(struct stream *stream, struct rows *rows) {
    int64_t count = rows->methods->count(rows);
    stream->asked--;
    stream->is_through = stream->is_through || count < stream->rows_per_event;
    if (!stream->flow.request || !count) return;
    struct shared_event *event = request_more(stream->flow.request, SHARED_EVENT_ROWS);
    if (!event) {
        struct shared_error error;
        error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "stream: out of memory");
        flow_fail(&stream->flow, &error);
        return;
    }
    event->rows = rows_ref(rows);
    event->count = count;
    event->model = stream->model;
    stream->count += count;
}

static void stream_answered(struct flow *flow, struct work *work, struct rows *rows, int64_t count,
                            const struct shared_error *error) {
    struct stream *stream = (struct stream *)flow;
    (void)count;
    bool committed = work->kind == WORK_COMMIT && (!error || stream->only_reads);
    if (committed)
        flow_end(flow, stream->count);
    else if (error)
        flow_fail(flow, error);
    else if (rows)
        take_batch(stream, rows);
    if (rows || error) flow_opened(flow);
}

/* The cursor would stay until the end of the transaction. */
static void stream_leave(struct flow *flow) {
    struct stream *stream = (struct stream *)flow;
    const struct unit *unit = flow->unit;
    if (!stream->close || flow->is_undone || unit->failed || is_rolling_back(unit)) return;
    unit_add_before_end(flow->unit, stream->close);
    stream->close = NULL;
}

static void stream_free(struct flow *flow) {
    struct stream *stream = (struct stream *)flow;
    if (stream->close) work_free(stream->close);
    free(stream);
}

static const struct flow_kind stream_kind = {
    .name = "stream",
    .is_gentle = true,
    .turn = stream_turn,
    .answered = stream_answered,
    .leave = stream_leave,
    .free = stream_free,
};

/* --- begin ---------------------------------------------------------------------------------------- */

static shared_status check(const shared_session *session, const shared_query *query,
                           int32_t rows_per_event, uint64_t tag) {
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, but rows need one to come with");
    int64_t rows_max = client_setting(session->client, "STREAM_ROWS_MAX");
    if (rows_per_event >= 1 && rows_per_event <= rows_max) return SHARED_OK;
    return fail(SHARED_EINVALID,
                "rows_per_event: %" PRId32 ", must be 1 to STREAM_ROWS_MAX = %" PRId64,
                rows_per_event, rows_max);
}

shared_status shared_session_stream(shared_session *session, const shared_query *query,
                                    int32_t rows_per_event, uint64_t tag) {
    shared_status status = session_check(session);
    if (status >= 0) status = check(session, query, rows_per_event, tag);
    if (status < 0) return status;
    const struct unit *unit = unit_open(session);
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) return fail(SHARED_ENOMEM, "stream: out of memory");
    *stream = (struct stream){.flow = {.kind = &stream_kind, .session = session},
                              .number = (unit ? unit->stream_count : 0) + 1,
                              .rows_per_event = rows_per_event,
                              .model = query_model(query),
                              .only_reads = query_only_reads(query)};
    status = make_works(stream, query, flow_begins_inside(session));
    if (status >= 0) status = flow_open(&stream->flow, session, tag);
    if (status >= 0 && flow_is_inside(&stream->flow))
        stream->flow.unit->stream_count = stream->number;
    if (status >= 0) return SHARED_OK;
    work_list_free(&stream->flow.works);
    stream_free(&stream->flow);
    return status;
}
