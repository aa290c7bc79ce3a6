/* SPDX-License-Identifier: MIT
 * lab.h - for tests of sessions: a migrated database that each test finds empty, requests that are waited
 * for, and a count of the Syncs that were sent.
 */
#ifndef TEST_LAB_H
#define TEST_LAB_H

#include <libpq-fe.h>
#include <shared.h>

#include "database.h"
#include "session/session.h"

enum { LAB_WAIT_MS = 20000 };

static shared_client *client;
static shared_session *session;
static uint64_t tag_next = 100;
static int sync_count;

#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
#define LAB_SYNC PQsendPipelineSync
#else
#define LAB_SYNC PQpipelineSync
#endif
#define LAB_JOIN(a, b)  LAB_JOIN_(a, b)
#define LAB_JOIN_(a, b) a##b
int LAB_JOIN(__real_, LAB_SYNC)(PGconn *connection);
int LAB_JOIN(__wrap_, LAB_SYNC)(PGconn *connection);
int LAB_JOIN(__wrap_, LAB_SYNC)(PGconn *connection) {
    sync_count++;
    return LAB_JOIN(__real_, LAB_SYNC)(connection);
}

/* Once, before the tests; check's own words work only within one. */
static inline void lab_migrate(void) {
    shared_config *config = NULL;
    shared_client *migrator = NULL;
    const shared_event *event = NULL;
    const char *url = getenv("TEST_DATABASE_URL");
    shared_status status = shared_config_from_env(&config);
    if (status >= 0) status = shared_config_set(config, "DATABASE_URL", url ? url : "");
    if (status >= 0) status = shared_client_new(config, &migrator);
    if (status >= 0) status = shared_migrate_upgrade(migrator, NULL, "head", 1);
    if (status >= 0) status = shared_client_wait(migrator, 1, LAB_WAIT_MS, &event);
    shared_client_free(migrator);
    shared_config_free(config);
    if (status >= 0) return;
    (void)fprintf(stderr, "migrate: %s\n", shared_error_message(shared_error_last()));
    exit(EXIT_FAILURE);
}

static inline void lab_open_with(const char *name, const char *value) {
    test_run_aside("TRUNCATE cases, documents, document_pages, document_chunks, task_outbox");
    client = test_client(name, value);
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
}

static inline void lab_open(void) {
    lab_open_with(NULL, NULL);
}

static inline void lab_close(void) {
    shared_session_free(session);
    shared_client_free(client);
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        shared_status status_ = (call);                                                            \
        ck_assert_msg(status_ >= 0, "%s: %s", #call, shared_error_message(shared_error_last()));   \
    } while (0)

/* The event of a tag, which must come; valid until the next. */
static inline const shared_event *lab_event(uint64_t tag) {
    const shared_event *event = NULL;
    shared_status status = shared_client_wait(client, tag, LAB_WAIT_MS, &event);
    ck_assert_msg(event != NULL, "tag %llu: no event (%d)", (unsigned long long)tag, status);
    ck_assert_int_eq(shared_event_more(event), 0);
    return event;
}

static inline const shared_event *lab_success(uint64_t tag) {
    const shared_event *event = lab_event(tag);
    const shared_error *error = shared_event_error(event);
    ck_assert_msg(!error, "%s %s", shared_error_sqlstate(error), shared_error_message(error));
    return event;
}

/* The error that the request of a tag must end with. */
static inline const shared_error *lab_failure(uint64_t tag, int32_t code) {
    const shared_error *error = shared_event_error(lab_event(tag));
    ck_assert_msg(error != NULL, "tag %llu went well", (unsigned long long)tag);
    ck_assert_msg(shared_error_code(error) == code, "code %d: %s", shared_error_code(error),
                  shared_error_message(error));
    return error;
}

static inline int64_t lab_commit(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_commit(session, tag));
    return shared_event_count(lab_success(tag));
}

static inline void lab_query(const char *sql, uint64_t tag) {
    shared_query *query = NULL;
    OK(shared_query_new(0, sql, &query));
    OK(shared_session_query(session, query, tag));
    shared_query_free(query);
}

/* The first value that a statement by the side brings. */
static inline const char *lab_ask(const char *sql) {
    static struct probe probe;
    shared_client *other = test_client(NULL, NULL);
    probe_init(&probe, sql);
    pool_read(client_pool(other), &probe.operation);
    UNTIL(other, probe.done);
    probe_succeeded(&probe);
    shared_client_free(other);
    return probe.text;
}

static inline shared_record *lab_document(const char *id) {
    shared_record *record = NULL;
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    if (id) OK(shared_record_set_text(record, SHARED_DOCUMENT_ID, id, strlen(id)));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "will.pdf", 8));
    return record;
}

static inline void lab_add(const char *id) {
    shared_record *record = lab_document(id);
    OK(shared_session_add(session, record));
    shared_record_unref(record);
}

static inline void lab_rename(shared_record *record, const char *name) {
    OK(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, name, strlen(name)));
}

/* A stored document, as it was read; the caller unrefs it. */
static inline shared_record *lab_stored(const char *id) {
    uint64_t tag = tag_next++;
    OK(shared_session_get(session, SHARED_DOCUMENT, id, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_count(event), 1);
    return shared_record_ref(shared_event_record(event, 0));
}

static inline int lab_run(const char *name, const TTest *const *tests, size_t count) {
    lab_migrate();
    return unit_run(name, tests, count);
}

#endif
