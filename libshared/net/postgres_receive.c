/* SPDX-License-Identifier: MIT
 * postgres_receive.c - answers on their way in: which operation each belongs to, and when one is finished.
 * Never sends a statement.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "net/postgres_private.h"

enum { REPEATS_MAX = 3 };

/* What the operation at the head waits for. */
enum phase {
    PHASE_RESULT,     /* of its Parse, or of its statement */
    PHASE_RESULT_END, /* the NULL behind it */
    PHASE_SYNC,       /* the answer to it, or an error of what is checked at commit */
    PHASE_SYNC_END    /* the NULL behind that error */
};

/* --- the end of an operation ---------------------------------------------------------------------- */

static void forget_current(struct postgres *postgres) {
    rows_unref(postgres->rows);
    postgres->rows = NULL;
    postgres->touched = 0;
    postgres->failed = postgres->skipped = postgres->stale = false;
}

/* A single read that never ran, or not to its end, and not for a reason of its own. */
static bool run_again(struct postgres *postgres, struct operation *operation) {
    bool cancelled = postgres->error.code == SHARED_ECANCELLED;
    if (!postgres->failed || !operation->repeatable) return false;
    if (!postgres->skipped && !postgres->stale && !cancelled) return false;
    /* A server that goes on refusing is not asked for ever. */
    if (postgres->stale ? operation->unprepared : operation->repeats == REPEATS_MAX) return false;
    operation->unprepared = operation->unprepared || postgres->stale;
    operation->repeats++;
    forget_current(postgres);
    postgres_send(postgres, operation);
    return true;
}

/* The head is through: hands over what it brought. May end in postgres_free. */
static void head_finish(struct postgres *postgres) {
    struct operation *operation = postgres_take_head(postgres);
    if (operation->ends || operation->script) postgres->batch_failed = false;
    postgres_cancel_next(postgres);
    if (run_again(postgres, operation)) return;
    struct rows *rows = postgres->rows;
    struct shared_error error = {0};
    const struct shared_error *failure = NULL;
    if (postgres->failed) {
        error = postgres->error;
        failure = &error;
    }
    int64_t touched = postgres->touched;
    postgres->rows = NULL;
    forget_current(postgres);
    operation->finish(operation, failure ? NULL : rows, touched, failure);
    rows_unref(rows);
}

/* --- one answer ----------------------------------------------------------------------------------- */

/* From now on no connection of the pool prepares anything. */
static void learn_of_pooler(const struct postgres *postgres) {
    if (!*postgres->statement_max) return;
    *postgres->statement_max = 0;
    log_format("postgres", SHARED_WARNING,
               "a pooler in transaction mode stands before PostgreSQL: statements are no longer "
               "prepared; set STATEMENT_CACHE=0");
}

/* The server says 57014 too when its own statement_timeout is over, or an administrator cancels. */
static bool is_our_cancel(const struct postgres *postgres) {
    const struct operation *head = postgres->first;
    return !strcmp(postgres->error.sqlstate, "57014") &&
           (head->hit || head->unwanted || postgres->cancel);
}

static void take_failure(struct postgres *postgres, const PGresult *result) {
    if (postgres->failed && postgres->first->copy) return; /* had no memory, and was cancelled */
    error_from_result(&postgres->error, result);
    if (postgres->first->copy) error_add_context(&postgres->error, result);
    postgres->failed = true;
    if (is_our_cancel(postgres)) error_set_ours(&postgres->error);
    if (result_is_stale(result)) {
        postgres->stale = postgres->cache.stale = true;
        postgres->error.class = SHARED_RETRYABLE; /* the next time it is prepared anew */
    }
    if (result_shows_pooler(result)) learn_of_pooler(postgres);
    if (!postgres->batch_failed) postgres->batch_error = postgres->error;
    postgres->batch_failed = true;
}

/* The server said why it hangs up. It does nothing of what comes behind. */
static void take_last_words(struct postgres *postgres, const PGresult *result) {
    error_from_result(&postgres->cause, result);
    postgres->has_cause = true;
    postgres->first->refused = postgres->first->phase < PHASE_SYNC;
    for (struct operation *other = postgres->first->next; other; other = other->next)
        other->sent = false;
    postgres->sent_count = 1;
    postgres_lost(postgres, "");
}

static void take_skipped(struct postgres *postgres) {
    if (postgres->failed) return; /* its own Parse was refused */
    postgres->failed = postgres->skipped = true;
    if (postgres->batch_failed)
        postgres->error = postgres->batch_error;
    else
        error_set(&postgres->error, SHARED_POSTGRES, SHARED_EREMOTE, "statement: not run");
}

static void take_rows(struct postgres *postgres, PGresult *result) {
    rows_unref(postgres->rows);
    postgres->touched = strtoll(PQcmdTuples(result), NULL, 10);
    postgres->rows = rows_from_result(result);
    if (postgres->rows || postgres->failed) return;
    error_set(&postgres->error, SHARED_SYSTEM, SHARED_ENOMEM, "rows: out of memory");
    postgres->failed = true;
}

static void refuse_copy(struct postgres *postgres) {
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_EINVALID,
              "COPY: not possible here; use shared_session_copy_in or shared_session_copy_out");
    postgres_break(postgres, &error);
}

/* true: the result was kept. */
static bool take_result(struct postgres *postgres, PGresult *result) {
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK: take_rows(postgres, result); return true;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: postgres->touched = strtoll(PQcmdTuples(result), NULL, 10); break;
    case PGRES_PIPELINE_ABORTED: take_skipped(postgres); break;
    case PGRES_COPY_IN:
        if (!postgres_copy_begin(postgres, true)) refuse_copy(postgres);
        break;
    case PGRES_COPY_OUT:
        if (!postgres_copy_begin(postgres, false)) refuse_copy(postgres);
        break;
    case PGRES_COPY_BOTH: refuse_copy(postgres); break;
    default:
        if (result_is_of_libpq(result))
            postgres_lost(postgres, "receive"); /* libpq would say so again, for ever */
        else if (result_is_fatal(result))
            take_last_words(postgres, result);
        else
            take_failure(postgres, result);
        break;
    }
    return false;
}

/* --- the operation at the head -------------------------------------------------------------------- */

/* Its Parse was answered: the statement's own answer comes next. */
static void prepared(struct postgres *postgres, struct operation *operation) {
    operation->prepares = false;
    if (postgres->failed)
        cache_remove(&postgres->cache, operation->cached);
    else
        cache_confirm(&postgres->cache, operation->cached);
    operation->phase = PHASE_RESULT;
}

static void script_end(struct postgres *postgres) {
    postgres->script_runs = false;
    bool back = PQenterPipelineMode(postgres->connection);
    head_finish(postgres);
    if (!back && postgres->connection) postgres_lost(postgres, "pipeline mode");
}

static bool awaits_null(const struct operation *operation) {
    return operation->phase == PHASE_RESULT_END || operation->phase == PHASE_SYNC_END;
}

static void take_one(struct postgres *postgres, PGresult *result) {
    struct operation *operation = postgres->first;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        head_finish(postgres);
        return;
    }
    if (!take_result(postgres, result)) PQclear(result);
    if (postgres->state == POSTGRES_READY && !awaits_null(operation)) operation->phase++;
}

/* The NULL behind a result. */
static void take_end(struct postgres *postgres) {
    struct operation *operation = postgres->first;
    if (operation->script && operation->prepares && !postgres->failed)
        postgres_give_parsed(postgres);
    else if (operation->script)
        script_end(postgres);
    else if (operation->prepares)
        prepared(postgres, operation);
    else if (operation->ends)
        operation->phase = PHASE_SYNC;
    else
        head_finish(postgres);
}

void postgres_receive(struct postgres *postgres) {
    while (postgres->state == POSTGRES_READY && postgres->first && postgres->first->sent &&
           !PQisBusy(postgres->connection)) {
        if (postgres->copying) {
            if (!postgres_copy_pump(postgres)) break;
            continue;
        }
        PGresult *result = PQgetResult(postgres->connection);
        postgres->words_size = strlen(PQerrorMessage(postgres->connection));
        if (result)
            take_one(postgres, result);
        else if (awaits_null(postgres->first))
            take_end(postgres);
        else
            break; /* nothing yet, or nothing ever: the connection is gone */
    }
}

/* Without memory for the answer to a Sync libpq (15) stays busy for ever. What it says of that, in whatever
 * language, belongs to no result: all that came were taken, and it still waits for one. */
static bool is_stuck(const struct postgres *postgres) {
    return postgres->first && postgres->first->sent && PQisBusy(postgres->connection) &&
           strlen(PQerrorMessage(postgres->connection)) != postgres->words_size;
}

static bool more_waits(const PGconn *connection) {
    int size = 0;
    return ioctl(PQsocket(connection), FIONREAD, &size) == 0 && size > 0;
}

/* libpq reads 16 KB at a time. What lies there of an answer that has begun is taken in one turn; so often and no
 * more, or a long answer would hold up the others. A COPY has its own way: looking here would take the notices
 * that postgres_copy_heard counts. */
static bool consume(const struct postgres *postgres) {
    enum { READS_MAX = 16 };
    PGconn *connection = postgres->connection;
    bool alive = PQconsumeInput(connection);
    for (int reads = 1; reads < READS_MAX; reads++) {
        bool is_awaited = alive && postgres->first && postgres->first->sent && !postgres->copying;
        if (!is_awaited || !PQisBusy(connection) || !more_waits(connection)) break;
        alive = PQconsumeInput(connection);
    }
    return alive;
}

void postgres_ready(struct source *source, uint32_t events) {
    struct postgres *postgres =
        (struct postgres *)((char *)source - offsetof(struct postgres, source));
    postgres->heard = true;
    postgres_enter(postgres);
    postgres->words_size = strlen(PQerrorMessage(postgres->connection));
    bool alive = consume(postgres);
    postgres_copy_heard(postgres, events, alive);
    postgres_receive(postgres);
    if (postgres->state == POSTGRES_READY && !postgres->load) (void)PQisBusy(postgres->connection);
    if (postgres->state == POSTGRES_READY) {
        /* Who said that it hangs up takes no more questions, though the line still stands. */
        bool is_over = (postgres->has_cause && !postgres->load) || is_stuck(postgres);
        if (!alive || is_over || PQstatus(postgres->connection) == CONNECTION_BAD)
            postgres_lost(postgres, "receive");
        else
            postgres_clean(postgres);
    }
    /* Answers make room for what waits, and a full socket may have become writable. */
    if (postgres->state == POSTGRES_READY &&
        (postgres->unsent || postgres_copy_wants_turn(postgres) ||
         postgres->source.events & EPOLLOUT))
        postgres_wake(postgres);
    postgres_leave(postgres);
}
