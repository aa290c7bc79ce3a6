/* SPDX-License-Identifier: MIT
 * reconcile.c - PostgreSQL is the only truth: an unfinished document that the queue has forgotten (Redis
 * lost its data, a message was lost) is queued again. A message too many does no harm, a document too few
 * would.
 *
 * One sweep: rows that nobody touched for RECONCILE_AGE_S -> which of them have no task -> touch those
 * rows and enqueue, in one transaction. Several workers may sweep at once: the row lock lets one win.
 */
#include <stdlib.h>
#include <string.h>

#include "worker.h"

enum { ROWS_MAX = 200 };

static const char find_sql[] =
    "SELECT id FROM documents WHERE extraction_status IN ('pending', 'processing')"
    " AND updated_at < now() - $1::bigint * interval '1 second' ORDER BY updated_at LIMIT 200";

/* What has ended its worker time and again (a lost lease each time, until the queue set the message aside)
 * is not queued for ever. A person may still have it read again. */
static const char give_up_sql[] =
    "UPDATE documents SET extraction_status = 'failed', error_class = 'permanent',"
    " error_code = 'extractor_killed', updated_at = now(),"
    " error = 'Reading this document was begun ' || attempt || ' times and never ended.'"
    " WHERE id IN (SELECT json_array_elements_text($2::json)) AND extraction_status = 'processing'"
    " AND attempt >= 20 AND updated_at < now() - $1::bigint * interval '1 second'";

static const char claim_sql[] =
    "UPDATE documents SET updated_at = now() WHERE id IN ("
    " SELECT id FROM documents WHERE id IN (SELECT json_array_elements_text($2::json))"
    " AND extraction_status IN ('pending', 'processing')"
    " AND updated_at < now() - $1::bigint * interval '1 second' FOR UPDATE SKIP LOCKED)"
    " RETURNING id, json_build_array(json_build_object('document_id', id))::text";

static shared_status run_query(struct worker *worker, const char *sql, const char *ids, bool reads,
                               uint64_t tag) {
    shared_query *query = NULL;
    shared_status status = shared_query_new(0, sql, &query);
    if (status >= 0) status = shared_query_bind_int(query, 1, worker->limits.reconcile_age_s);
    if (status >= 0 && ids) status = shared_query_bind_text(query, 2, ids, strlen(ids));
    if (status >= 0 && reads) status = shared_query_read_only(query);
    if (status >= 0) status = shared_session_query(worker->reconcile_session, query, tag);
    shared_query_free(query);
    return status;
}

void reconcile_stop(struct worker *worker) {
    shared_session_free(worker->reconcile_session);
    worker->reconcile_session = NULL;
    worker->reconcile_due_ms = loop_now_ms() + worker->limits.reconcile_ms;
}

void reconcile_start(struct worker *worker) {
    if (worker->reconcile_session) return;
    if (shared_session_new(worker->client, &worker->reconcile_session) < 0 ||
        run_query(worker, find_sql, NULL, true, TAG_RECONCILE_FIND) < 0)
        reconcile_stop(worker);
}

static shared_status ask_queue(struct worker *worker, const shared_event *event) {
    const char *keys[ROWS_MAX];
    int64_t count = shared_event_count(event);
    if (count > ROWS_MAX) count = ROWS_MAX;
    for (int64_t i = 0; i < count; i++)
        keys[i] = shared_record_text(shared_event_record(event, i), 0);
    return shared_queue_missing(worker->client, NULL, keys, (size_t)count, TAG_RECONCILE_MISSING);
}

static shared_status queue_again(struct worker *worker, const char *ids) {
    shared_status status = run_query(worker, give_up_sql, ids, false, 0);
    return status < 0 ? status : run_query(worker, claim_sql, ids, false, TAG_RECONCILE_CLAIM);
}

static shared_status enqueue_claimed(struct worker *worker, const shared_event *event) {
    shared_status status = SHARED_OK;
    for (int64_t i = 0; status >= 0 && i < shared_event_count(event); i++) {
        shared_record *row = shared_event_record(event, i);
        const char *id = shared_record_text(row, 0);
        shared_log_with("reconcile", SHARED_WARNING, "the queue forgot a document: queued again",
                        "document_id", id);
        status = shared_session_enqueue(worker->reconcile_session, WORKER_TASK,
                                        shared_record_text(row, 1), id);
    }
    return status < 0 ? status
                      : shared_session_commit(worker->reconcile_session, TAG_RECONCILE_COMMIT);
}

void reconcile_handle(struct worker *worker, const shared_event *event) {
    shared_status status = SHARED_EINVALID; /* below zero: this sweep is over */
    bool failed = shared_event_error(event) != NULL;
    if (failed && shared_error_code(shared_event_error(event)) != SHARED_ECANCELLED)
        shared_log("reconcile", SHARED_WARNING, shared_error_message(shared_event_error(event)));
    if (!failed && worker->reconcile_session) switch (shared_event_tag(event)) {
        case TAG_RECONCILE_FIND:
            if (shared_event_count(event)) status = ask_queue(worker, event);
            break;
        case TAG_RECONCILE_MISSING:
            if (strcmp(shared_event_json(event), "[]") != 0)
                status = queue_again(worker, shared_event_json(event));
            break;
        case TAG_RECONCILE_CLAIM: status = enqueue_claimed(worker, event); break;
        default: break;
        }
    if (status < 0) reconcile_stop(worker);
}
