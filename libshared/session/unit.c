/* SPDX-License-Identifier: MIT
 * unit.c - one transaction: how its works reach the connection, what its commit means, and what a failure
 * does to the rest of it. Never writes to a socket and builds no SQL but BEGIN, COMMIT and ROLLBACK.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "session/flow.h"
#include "session/session_private.h"

#define BEGINS(level)                                                                              \
    {                                                                                              \
        "BEGIN" level, "BEGIN" level " READ ONLY", "BEGIN" level " DEFERRABLE",                    \
            "BEGIN" level " READ ONLY, DEFERRABLE"                                                 \
    }
static const char *const begin_sql[][SHARED_READ_ONLY + SHARED_DEFERRABLE + 1] = {
    [SHARED_READ_COMMITTED] = BEGINS(""),
    [SHARED_REPEATABLE_READ] = BEGINS(" ISOLATION LEVEL REPEATABLE READ"),
    [SHARED_SERIALIZABLE] = BEGINS(" ISOLATION LEVEL SERIALIZABLE"),
};

/* --- life ----------------------------------------------------------------------------------------- */

struct unit *unit_new(shared_session *session) {
    struct unit *unit = calloc(1, sizeof *unit);
    if (!unit) {
        (void)fail(SHARED_ENOMEM, "session: out of memory");
        return NULL;
    }
    unit->session = session;
    *(session->last ? &session->last->next : &session->first) = unit;
    session->last = unit;
    return unit;
}

struct unit *unit_open(const shared_session *session) {
    struct unit *unit = session->last;
    return unit && !unit->is_reads && !unit->is_closed ? unit : NULL;
}

void unit_add(struct unit *unit, struct work *work) {
    work->unit = unit;
    work->serial = ++unit->serial;
    work->next = NULL;
    *(unit->last ? &unit->last->next : &unit->first) = work;
    unit->last = work;
    if (!unit->waiting) unit->waiting = work;
}

void unit_add_before_end(struct unit *unit, struct work *work) {
    struct work *end = unit->is_closed ? unit->last : NULL;
    unit_add(unit, work);
    if (!end) return;
    struct work *before = unit->first;
    while (before->next != end && before != end) before = before->next;
    *(before == end ? &unit->first : &before->next) = work;
    work->next = end;
    end->next = NULL;
    unit->last = end;
    if (unit->waiting == end) unit->waiting = work;
}

static struct work *take_head(struct unit *unit) {
    struct work *work = unit->first;
    unit->first = work->next;
    if (!unit->first) unit->last = NULL;
    if (unit->waiting == work) unit->waiting = work->next;
    if (work->given) unit->given_count--;
    work->next = NULL;
    return work;
}

static void let_go_connection(struct unit *unit) {
    shared_session *session = unit->session;
    struct postgres *postgres = unit->postgres;
    unit->postgres = NULL;
    pool_forget(session->pool, &unit->claim);
    if (postgres && session->is_pinned && !session->kept && postgres_is_clean(postgres))
        session->kept = postgres;
    else if (postgres)
        pool_release(session->pool, postgres);
}

void unit_free(struct unit *unit) {
    shared_session *session = unit->session;
    struct unit *previous = NULL;
    for (struct unit *other = session->first; other != unit; other = other->next) previous = other;
    *(previous ? &previous->next : &session->first) = unit->next;
    if (session->last == unit) session->last = previous;
    while (unit->done) {
        struct work *work = unit->done;
        unit->done = work->next;
        work_free(work);
    }
    savepoints_free(unit);
    outbox_free(unit->outbox);
    flows_leave(unit);
    free(unit);
}

/* --- the end of a transaction --------------------------------------------------------------------- */

void unit_fail(struct unit *unit, const struct shared_error *error, int64_t serial) {
    if (!unit->failed || serial < unit->failed_first) unit->failed_first = serial;
    if (!unit->failed || serial > unit->failed_last) unit->failed_last = serial;
    if (unit->failed) return;
    unit->failed = true;
    unit->error = *error;
}

static void turn_round(struct work **list) {
    struct work *turned = NULL;
    while (*list) {
        struct work *work = *list;
        *list = work->next;
        work->next = turned;
        turned = work;
    }
    *list = turned;
}

/* The rows are stored: records show them, of one that was written twice the newest, and the relay hears of
 * the tasks. */
static void committed(struct unit *unit) {
    struct sessions *sessions = unit->session->sessions;
    turn_round(&unit->done);
    for (struct work *work = unit->done; work; work = work->next)
        if (work->change) change_apply(work->change, work->rows);
    if (unit->outbox && sessions->committed) {
        struct outbox_row *rows = unit->outbox;
        unit->outbox = NULL;
        sessions->committed(sessions->owner, rows);
    }
}

static void unknown_outcome(struct shared_error *error, const char *reason) {
    char kept[ERROR_MESSAGE_SIZE]; /* may be the error's own */
    memcpy(kept, reason, strnlen(reason, sizeof kept - 1) + 1);
    error_set(error, SHARED_POSTGRES, SHARED_EUNKNOWN,
              "commit: its answer was lost, so it may have happened or not: %.400s", kept);
}

/* What a commit answers; is_done: the server ran it and had refused nothing before it, so that it happened
 * even if a statement was cancelled too late. lost: the connection broke under the statement that commits. */
static void commit_answer(struct unit *unit, struct work *work, bool is_done) {
    if (!unit->failed || is_done) {
        committed(unit);
        work_answer(work, NULL, unit->touched, NULL);
        return;
    }
    struct shared_error error = unit->error;
    if (unit->lost) unknown_outcome(&error, unit->error.message);
    work_answer(work, NULL, 0, &error);
}

/* Commit and rollback end the unit whichever way they go. */
static void end_answer(struct unit *unit, struct work *work, bool is_done) {
    if (work->kind == WORK_COMMIT)
        commit_answer(unit, work, is_done);
    else
        work_answer(work, NULL, 0, NULL);
    work_free(work);
}

/* --- answers -------------------------------------------------------------------------------------- */

/* The statement that commits was sent and the connection broke before the answer: nobody knows. Of a batch
 * that waited for its last statement the server's refusal is enough, of a COMMIT it is not. */
static bool is_lost(const struct unit *unit, const struct work *work, bool commits,
                    const struct shared_error *error) {
    if (unit->is_refused || (unit->is_batch && work->operation.refused)) return false;
    return error && commits && work->operation.sent && !postgres_is_ready(unit->postgres);
}

/* A change is kept until the commit, with the row that it stored. */
static void keep_change(struct unit *unit, struct work *work, struct rows *rows, int64_t touched) {
    work->rows = rows ? rows_ref(rows) : NULL;
    work->touched = touched;
    unit->touched += touched;
    unit->flushed += touched;
    work->next = unit->done;
    unit->done = work;
}

static void answer_work(struct unit *unit, struct work *work, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    const struct shared_error *failure = unit->failed ? &unit->error : NULL;
    if (work->kind == WORK_COMMIT || work->kind == WORK_ROLLBACK) {
        end_answer(unit, work, !error && !unit->is_refused);
        return;
    }
    bool is_kept = !error && work->kind == WORK_CHANGE;
    if (is_kept) keep_change(unit, work, rows, touched);
    bool writes = work->kind == WORK_CHANGE || work->kind == WORK_OUTBOX;
    bool ends_flush = !writes || work->request;
    work_answer(work, writes ? NULL : rows, writes ? unit->flushed : touched, failure);
    if (ends_flush) unit->flushed = 0;
    if (!is_kept) work_free(work);
}

/* The server has done it; only the row that it returned found no memory, and the record can do without. */
static bool is_unread(const struct shared_error *error) {
    return error->code == SHARED_ENOMEM && error->domain == SHARED_SYSTEM;
}

static void work_finish(struct operation *operation, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    struct work *work = (struct work *)operation;
    struct unit *unit = work->unit;
    if (!unit) { /* the session is gone */
        work_free(work);
        return;
    }
    if (error && work->kind == WORK_CHANGE && is_unread(error)) error = NULL;
    bool ends_batch = unit->is_batch && work->next && work->next->kind == WORK_COMMIT;
    bool is_alone = unit->is_alone && !work->only_reads;
    bool commits = work->kind == WORK_COMMIT || ends_batch || is_alone;
    if (is_lost(unit, work, commits, error)) unit->lost = true;
    if (error) {
        struct shared_error named = *error;
        if (postgres_is_ready(unit->postgres) && !is_unread(error)) unit->is_refused = true;
        if (work->change) change_error(work->change, &named);
        if (unit->lost && is_alone) unknown_outcome(&named, error->message);
        unit_fail(unit, &named, work->serial);
    } else if (work->kind == WORK_ROLLBACK_TO) {
        savepoint_undo(unit, work);
    }
    (void)take_head(unit);
    if (operation->copy) unit->copying = NULL;
    answer_work(unit, work, rows, touched, error);
    if (ends_batch) /* the Sync was its commit */
        end_answer(unit, take_head(unit), !error && !unit->is_refused);
    session_pump(unit->session);
}

/* --- on its way ----------------------------------------------------------------------------------- */

static bool has_only_changes(const struct unit *unit) {
    for (const struct work *work = unit->first; work != unit->last; work = work->next)
        if (work->kind != WORK_CHANGE && work->kind != WORK_OUTBOX) return false;
    return unit->last->kind == WORK_COMMIT && unit->first != unit->last;
}

/* Its text may never come again, so that nothing is won by preparing it. */
static bool is_prepared(const struct work *work) {
    switch (work->kind) {
    case WORK_FLUSH:
    case WORK_SAVEPOINT:
    case WORK_RELEASE:
    case WORK_ROLLBACK_TO: return false;
    default: return true;
    }
}

static void give(struct unit *unit, struct work *work, bool last) {
    struct operation *operation = &work->operation;
    if (!operation->sql) operation->sql = work->statement.sql.data;
    if (unit->failed && work->kind == WORK_COMMIT && work == unit->first) { /* helps: see there */
        operation->sql = "ROLLBACK";
        unit->is_refused = true;
    }
    if (operation->copy) unit->copying = operation->copy;
    if (work->is_paced && work->request)
        request_set_deadline(work->request, work->sessions->timeout_ms);
    operation->parameters = &work->statement.parameters;
    operation->prepare = is_prepared(work);
    operation->sync = last;
    operation->finish = work_finish;
    work->given = true;
    unit->given_count++;
    unit->waiting = work->next;
    postgres_send(unit->postgres, operation);
}

static bool begin(struct unit *unit) {
    struct work *work = work_new(unit->session->sessions, WORK_BEGIN);
    if (!work) return false;
    work->operation.sql = begin_sql[unit->isolation][unit->flags];
    work->unit = unit;
    work->next = unit->first;
    unit->first = unit->waiting = work;
    if (!unit->last) unit->last = work;
    return true;
}

/* A commit waits until what flows in its transaction has flown (flow.h), and anything for the end of a COPY; a
 * rollback has ended one from the user itself. */
static bool is_held(const struct unit *unit, const struct work *work) {
    if (unit->copying) return !(unit->copying->in && work->kind == WORK_ROLLBACK);
    return work->kind == WORK_COMMIT && unit->flow_count && !unit->failed;
}

/* The Sync that goes behind it ends the batch. A rollback to a savepoint begins one: what failed before it
 * must not make the server pass over it. What runs alone comes when all else was answered. */
static bool is_last(const struct unit *unit, const struct work *work) {
    const struct work *next = work->next;
    if (!next || next->kind == WORK_ROLLBACK_TO) return true;
    if (next->operation.script || work->operation.copy) return true;
    if (is_held(unit, next)) return true;
    return unit->is_batch && next->kind == WORK_COMMIT;
}

/* All that has been asked by now, and a Sync behind it, which of a batch of changes is the commit. */
static void send_waiting(struct unit *unit) {
    if (!unit->begun) {
        unit->is_batch = unit->is_closed && !unit->is_explicit && has_only_changes(unit);
        if (!unit->is_batch && !unit->is_alone && !begin(unit)) {
            unit_fail(unit, shared_error_last(), 0);
            return;
        }
        unit->begun = true;
    }
    while (unit->waiting && !is_held(unit, unit->waiting)) {
        struct work *work = unit->waiting;
        bool last = is_last(unit, work);
        give(unit, work, last);
        if (unit->is_batch && last) unit->waiting = NULL;
    }
}

static void claim_ready(struct claim *claim, struct postgres *postgres,
                        const struct shared_error *error) {
    struct unit *unit = (struct unit *)((char *)claim - offsetof(struct unit, claim));
    unit->postgres = postgres;
    if (error) unit_fail(unit, error, 0);
    session_pump(unit->session);
}

/* A pinned session's connection waits for the user's end of the transaction, also after a failure. */
static bool is_held_failed(const struct unit *unit) {
    return unit->session->is_pinned && unit->begun && !unit->is_alone && unit->postgres &&
           postgres_is_ready(unit->postgres);
}

/* It ends the failure, or the transaction: then a commit is a ROLLBACK for the server, and still fails. */
static bool helps(const struct unit *unit, const struct work *work) {
    bool ends = work->kind == WORK_ROLLBACK || work->kind == WORK_COMMIT;
    return savepoint_helps(unit, work) || (ends && is_held_failed(unit));
}

/* Nothing of a failed unit is sent any more but a rollback to a savepoint, and without one its connection
 * is not held until the user notices. */
static void answer_locally(struct unit *unit) {
    bool held = savepoint_can_help(unit) || is_held_failed(unit);
    if (!held) let_go_connection(unit);
    while (unit->first && !helps(unit, unit->first)) {
        struct work *work = take_head(unit);
        bool ends = work->kind == WORK_COMMIT || work->kind == WORK_ROLLBACK;
        if (ends) {
            end_answer(unit, work, false);
        } else {
            unit_fail(unit, &unit->error, work->serial); /* what was not done is a failure too */
            work_answer(work, NULL, 0, &unit->error);
            work_free(work);
        }
    }
}

/* A commit or rollback of nothing asks nobody. */
static bool is_empty(const struct unit *unit) {
    return !unit->begun && !unit->is_explicit && unit->first && unit->first == unit->last &&
           (unit->first->kind == WORK_COMMIT || unit->first->kind == WORK_ROLLBACK);
}

static bool is_over(struct unit *unit) {
    if (!unit->is_closed || unit->first) return false;
    let_go_connection(unit);
    unit_free(unit);
    return true;
}

bool unit_advance(struct unit *unit) {
    if (unit->given_count == 0 && (unit->failed || is_empty(unit))) answer_locally(unit);
    if (is_over(unit)) return true;
    if (!unit->waiting || (unit->failed && !helps(unit, unit->waiting))) return false;
    if (!unit->postgres) unit->postgres = session_take_kept(unit->session);
    if (!unit->postgres && !unit->claim.waiting) {
        unit->claim = (struct claim){.ready = claim_ready};
        pool_claim(unit->session->pool, &unit->claim);
    }
    if (unit->postgres && (!unit->failed || unit->begun)) send_waiting(unit);
    return unit->failed && unit->given_count == 0 ? unit_advance(unit) : false;
}

/* --- before its time ------------------------------------------------------------------------------ */

static bool commit_is_sent(const struct unit *unit) {
    const struct work *last = unit->last;
    return last && last->kind == WORK_COMMIT && (last->given || (unit->is_batch && unit->begun));
}

void unit_stop(struct unit *unit, const struct shared_error *why, int64_t serial) {
    unit_fail(unit, why, serial);
    if (unit->postgres && unit->given_count) postgres_cancel(unit->postgres);
    session_wake(unit->session);
}

void unit_cancel(struct work *work, const struct shared_error *why) {
    struct unit *unit = work->unit;
    struct shared_error error = *why;
    bool in_doubt = work->kind == WORK_COMMIT && commit_is_sent(unit);
    if (in_doubt && why->code == SHARED_ETIMEOUT) unknown_outcome(&error, why->message);
    work_answer(work, NULL, 0, &error);
    unit_stop(unit, why, work->serial);
}

/* Its session goes. A commit that was sent is left to happen; anything else ends. */
void unit_abandon(struct unit *unit, const struct shared_error *error) {
    shared_session *session = unit->session;
    bool stop = unit->given_count && !commit_is_sent(unit) && !client_is_forked(session->client);
    while (unit->first) {
        struct work *work = take_head(unit);
        work_answer(work, NULL, 0, error);
        work->unit = NULL;
        if (!work->given) work_free(work);
    }
    if (stop && unit->postgres) postgres_cancel(unit->postgres);
    let_go_connection(unit);
    unit_free(unit);
}
