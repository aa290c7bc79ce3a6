/* SPDX-License-Identifier: MIT
 * work.c - one statement of a session under way, and its request; single reads on shared connections.
 * Never orders them: session.c and unit.c do.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "session/session_private.h"

enum {
    SPARE_MAX = 256,             /* works kept for the next statements */
    SPARE_BYTES_MAX = 64 * 1024, /* and what each may hold */
    SPARE_PLACES_MAX = 64
};

/* --- life ----------------------------------------------------------------------------------------- */

struct work *work_new(struct sessions *sessions, enum work_kind kind) {
    struct work *work = sessions->spare;
    if (work) {
        sessions->spare = work->next;
        sessions->spare_count--;
    } else if (!(work = calloc(1, sizeof *work))) {
        (void)fail(SHARED_ENOMEM, "session: out of memory");
        return NULL;
    }
    sessions->work_count++;
    work->next = work->previous = NULL;
    work->sessions = sessions;
    work->kind = kind;
    return work;
}

static bool is_small(const struct statement *statement) {
    return statement->sql.capacity + statement->parameters.bytes.capacity <= SPARE_BYTES_MAX &&
           statement->parameters.room <= SPARE_PLACES_MAX;
}

void work_free(struct work *work) {
    struct sessions *sessions = work->sessions;
    if (work->freed) work->freed(work);
    change_free(work->change);
    rows_unref(work->rows);
    shared_record_unref(work->record);
    sessions->work_count--;
    if (sessions->stopped || sessions->spare_count == SPARE_MAX || !is_small(&work->statement)) {
        statement_finish(&work->statement);
        free(work);
        if (sessions->stopped && !sessions->work_count) free(sessions);
        return;
    }
    buffer_clear(&work->statement.sql);
    parameters_clear(&work->statement.parameters);
    work->operation = (struct operation){0};
    work->session = NULL;
    work->unit = NULL;
    work->request = NULL;
    work->answered = NULL;
    work->freed = NULL;
    work->owner = NULL;
    work->given = work->is_paced = work->only_reads = false;
    work->model = 0;
    work->change = NULL;
    work->rows = NULL;
    work->record = NULL;
    work->touched = work->savepoint = 0;
    work->next = sessions->spare;
    sessions->spare = work;
    sessions->spare_count++;
}

/* --- its request ---------------------------------------------------------------------------------- */

static void read_cancel(struct work *work, const struct shared_error *why);

static void work_cancel(struct request *request, const struct shared_error *why) {
    struct work *work = request->owner;
    if (work->kind == WORK_READ)
        read_cancel(work, why);
    else
        unit_cancel(work, why);
}

bool work_request(struct work *work, uint64_t tag) {
    struct sessions *sessions = work->sessions;
    int64_t timeout_ms = work->is_paced ? 0 : sessions->timeout_ms;
    work->request = request_new(sessions->client, tag, timeout_ms, work_cancel, work);
    return work->request;
}

/* The record shows the row. What changes of this transaction would make it show at the commit is older. */
static shared_status refresh(struct work *work, struct rows *rows) {
    if (!rows || rows->methods->count(rows) != 1) return SHARED_ENOTFOUND;
    record_take_row(work->record, rows, 0);
    for (struct work *done = work->unit ? work->unit->done : NULL; done; done = done->next)
        if (done->change) change_forget(done->change, work->record);
    return SHARED_OK;
}

void work_answer(struct work *work, struct rows *rows, int64_t count,
                 const struct shared_error *error) {
    struct shared_error missing;
    if (work->record && work->request && !error && refresh(work, rows) < 0) {
        record_error(work->record, &missing);
        error = &missing;
    }
    struct request *request = work->request;
    void (*answered)(struct work *, struct rows *, int64_t, const struct shared_error *) =
        work->answered;
    work->request = NULL;
    work->answered = NULL;
    if (answered) answered(work, rows, count, error);
    if (!request) return;
    if (error) {
        request_fail(request, error);
        return;
    }
    struct shared_event *event = request->event;
    event->count = count;
    if (work->record) {
        event->count = 1;
    } else if (rows) {
        event->kind = SHARED_EVENT_ROWS;
        event->count = rows->methods->count(rows);
        event->rows = rows_ref(rows);
        event->model = work->model;
    }
    request_end(request);
}

/* --- single reads --------------------------------------------------------------------------------- */

static void read_remove(shared_session *session, struct work *work) {
    if (work->next) work->next->previous = work->previous;
    if (work->previous)
        work->previous->next = work->next;
    else
        session->reads = work->next;
    work->session = NULL;
}

static void read_finish(struct operation *operation, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    struct work *work = (struct work *)operation;
    shared_session *session = work->session;
    if (session) read_remove(session, work);
    work_answer(work, rows, touched, error);
    work_free(work);
    if (session && session->first) session_pump(session);
}

void work_start_read(shared_session *session, struct work *work) {
    const struct work *before = session->reads;
    work->session = session;
    work->previous = NULL;
    work->next = session->reads;
    if (work->next) work->next->previous = work;
    session->reads = work;
    work->operation.sync = work->operation.repeatable = true;
    work->operation.finish = read_finish;
    if (work->is_paced) request_set_deadline(work->request, work->sessions->timeout_ms);
    if (before)
        pool_read_behind(session->pool, &work->operation, &before->operation);
    else
        pool_read(session->pool, &work->operation);
}

static void read_abandon(shared_session *session, struct work *work) {
    read_remove(session, work);
    if (client_is_forked(session->client)) return;
    if (pool_abandon(session->pool, &work->operation)) work_free(work);
}

static void read_cancel(struct work *work, const struct shared_error *why) {
    shared_session *session = work->session;
    work_answer(work, NULL, 0, why);
    if (work->unit) return; /* waits in a unit, which will skip it */
    read_abandon(session, work);
    session_wake(session);
}

void reads_abandon(shared_session *session, const struct shared_error *error) {
    while (session->reads) {
        struct work *work = session->reads;
        work_answer(work, NULL, 0, error);
        SHARED_CHECK(!work->previous);
        read_abandon(session, work);
    }
}
