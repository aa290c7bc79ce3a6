/* SPDX-License-Identifier: MIT
 * test_memory.c - whole flows of a session against a server, with the n-th allocation of the library
 * failing, for every n, once or from then on. Every accepted request ends in one event, in time; nothing
 * is half stored; nothing leaks (ASan); and the same client works once there is memory again.
 */
#include "lab.h"
#include "scarce.h"

static bool ends(shared_status accepted, uint64_t tag) {
    return scarce_ends(client, accepted, tag);
}

static bool stored; /* the commit went well */

/* As ends, but the server's word on a COPY that was given up is allowed too. */
static bool copy_ends(shared_status accepted, uint64_t tag) {
    const shared_event *event = NULL;
    if (!scarce_accepted(accepted)) return false;
    shared_status status = shared_client_wait(client, tag, SCARCE_WAIT_MS, &event);
    scarce_expect(event && !shared_event_more(event), "a request without an end");
    scarce_expect(status >= 0 || scarce_fired, "a failure with memory enough");
    return !shared_event_error(event);
}

static shared_status add_one(void) {
    shared_record *record = NULL;
    shared_status status = shared_record_new(SHARED_DOCUMENT, &record);
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_ID, "doc-1", 5);
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "a.pdf", 5);
    if (status >= 0) status = shared_session_add(session, record);
    shared_record_unref(record);
    return status;
}

static void change_and_commit(void) {
    if (!scarce_accepted(add_one())) return;
    if (!scarce_accepted(shared_session_enqueue(session, "task", "[]", "doc-1"))) return;
    stored = ends(shared_session_commit(session, 1), 1);
}

static void read_and_query(void) {
    shared_query *query = NULL;
    (void)ends(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 2), 2);
    if (!scarce_accepted(shared_query_new(SHARED_DOCUMENT, "id = $1", &query))) return;
    if (scarce_accepted(shared_query_bind_text(query, 1, "doc-1", 5)) &&
        scarce_accepted(shared_query_order(query, "id DESC")))
        (void)ends(shared_session_query(session, query, 3), 3);
    shared_query_free(query);
}

static void read_many_and_refresh(void) {
    static const char *const ids[] = {"doc-1", "doc-2"};
    shared_record *record = NULL;
    (void)ends(shared_session_get_many(session, SHARED_DOCUMENT, ids, 2, 2), 2);
    if (!scarce_accepted(shared_record_new(SHARED_CASE, &record))) return;
    if (scarce_accepted(shared_record_set_text(record, SHARED_CASE_ID, "case", 4)))
        (void)ends(shared_session_refresh(session, record, 3), 3);
    shared_record_unref(record);
}

/* Values of the kinds that are decoded or take memory of their own; the last row is a page's end. */
static void ask_for_values(void) {
    shared_query *query = NULL;
    const shared_event *event = NULL;
    static const char *const texts[] = {"a", NULL};
    if (!scarce_accepted(shared_query_new(0, "SELECT $1, $2::text[], $3::jsonb", &query))) return;
    if (scarce_accepted(shared_query_bind_bytes(query, 1, "\0", 1)) &&
        scarce_accepted(shared_query_bind_text_array(query, 2, texts, 2)) &&
        scarce_accepted(shared_query_bind_json(query, 3, "[1]", 3)) &&
        scarce_accepted(shared_query_read_only(query)) &&
        scarce_accepted(shared_session_query(session, query, 2))) {
        shared_status status = shared_client_wait(client, 2, SCARCE_WAIT_MS, &event);
        scarce_expect(event != NULL, "a request without an end");
        shared_record *row = status >= 0 ? shared_event_record(event, 0) : NULL;
        if (row) {
            const char *bytes = shared_record_bytes(row, 0, NULL);
            int32_t count = shared_record_array_count(row, 1);
            const char *json = shared_record_json(row);
            scarce_expect(scarce_fired || (bytes && !*bytes), "bytes");
            scarce_expect(scarce_fired || count == 2, "entries");
            scarce_expect(scarce_fired || strstr(json ? json : "", "[\"a\",null]"), "json");
        }
    }
    shared_query_free(query);
}

static void read_pages(void) {
    shared_query *query = NULL;
    shared_record *record = NULL;
    if (scarce_accepted(shared_query_new(SHARED_CASE, "", &query)) &&
        scarce_accepted(shared_record_new(SHARED_CASE, &record)) &&
        scarce_accepted(shared_record_set_text(record, SHARED_CASE_ID, "a", 1)) &&
        scarce_accepted(shared_query_order(query, "description, id")) &&
        scarce_accepted(shared_query_lock(query, SHARED_FOR_SHARE, SHARED_SKIP_LOCKED)) &&
        scarce_accepted(shared_query_after(query, record)))
        (void)ends(shared_session_query(session, query, 2), 2);
    shared_record_unref(record);
    shared_query_free(query);
}

/* Whatever fails, the commit tells what became of the part that is not undone. */
static void save_and_undo(void) {
    shared_query *query = NULL;
    if (!scarce_accepted(add_one())) return;
    if (!scarce_accepted(shared_session_enqueue(session, "task", "[]", "doc-1"))) return;
    (void)ends(shared_session_flush(session, 1), 1); /* if not, the savepoint writes it */
    bool saved = scarce_accepted(shared_session_savepoint(session, "s"));
    if (saved && scarce_accepted(shared_session_enqueue(session, "task", "[]", NULL)) &&
        scarce_accepted(shared_query_new(0, "UPDATE documents SET error = 'x'", &query)))
        (void)scarce_accepted(shared_session_query(session, query, 0));
    shared_query_free(query);
    if (!saved || !ends(shared_session_rollback_to(session, "s", 3), 3)) return;
    (void)scarce_accepted(shared_session_release(session, "s"));
    stored = ends(shared_session_commit(session, 4), 4);
}

static void transact(void) {
    shared_query *query = NULL;
    if (!scarce_accepted(
            shared_query_new(0, "UPDATE documents SET error = 'x' RETURNING id", &query)))
        return;
    shared_status accepted = shared_session_query(session, query, 4);
    shared_query_free(query);
    shared_status ended = shared_session_commit(session, 5);
    (void)ends(accepted, 4);
    (void)ends(ended, 5);
}

static void roll_back(void) {
    (void)ends(shared_session_rollback(session, 6), 6);
}

/* A transaction of its own on a connection that is kept; an answer without rows has its columns. */
static void run_pinned(void) {
    shared_query *query = NULL;
    const shared_event *event = NULL;
    if (!scarce_accepted(shared_session_pin(session))) return;
    if (!scarce_accepted(shared_query_new(0, "SELECT 1 AS one WHERE false", &query))) return;
    if (scarce_accepted(shared_query_autocommit(query)) &&
        scarce_accepted(shared_session_query(session, query, 30))) {
        shared_status status = shared_client_wait(client, 30, LAB_WAIT_MS, &event);
        scarce_expect(event && !shared_event_more(event), "a request without an end");
        scarce_expect(status >= 0 || scarce_fired, "a failure with memory enough");
        if (!shared_event_error(event))
            scarce_expect(shared_event_columns(event) == 1 &&
                              !strcmp(shared_event_column_name(event, 0), "one") &&
                              shared_event_column_type(event, 0) == 23,
                          "an answer without its column");
    }
    shared_query_free(query);
}

/* By itself, and in a transaction; more rows than wait. */
static void stream(void) {
    shared_query *query = NULL;
    if (!scarce_accepted(shared_query_new(0, "SELECT n FROM generate_series(1, 9) AS n", &query)))
        return;
    (void)ends(shared_session_stream(session, query, 2, 20), 20);
    (void)scarce_accepted(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    (void)ends(shared_session_stream(session, query, 2, 21), 21);
    (void)ends(shared_session_rollback(session, 22), 22);
    shared_query_free(query);
}

static void copy_out(void) {
    static const char sql[] =
        "COPY (SELECT repeat('x', 40000) FROM generate_series(1, 9)) TO STDOUT";
    (void)ends(shared_session_copy_out(session, sql, 23), 23);
    (void)scarce_accepted(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    (void)ends(shared_session_copy_out(session, sql, 24), 24);
    (void)ends(shared_session_rollback(session, 25), 25);
}

/* A write that is refused must not be left out: the whole is given up. */
static void copy_in(void) {
    static const char first[] = "doc-1\ta.p", second[] = "df\n";
    shared_status accepted =
        shared_session_copy_in(session, "COPY documents (id, file_name) FROM STDIN", 26);
    if (!scarce_accepted(accepted)) return;
    shared_status writes[] = {
        shared_session_copy_write(session, first, sizeof first - 1, 27),
        shared_session_copy_write(session, second, sizeof second - 1, 28),
    };
    bool whole = writes[0] >= 0 && writes[1] >= 0;
    (void)shared_session_copy_end(session, whole ? NULL : "out of memory");
    if (writes[0] >= 0) (void)copy_ends(writes[0], 27);
    if (writes[1] >= 0) (void)copy_ends(writes[1], 28);
    bool copied = copy_ends(accepted, 26);
    scarce_expect(whole || !copied, "half a copy went well");
    if (copied && scarce_accepted(shared_session_enqueue(session, "task", "[]", "doc-1")))
        stored = ends(shared_session_commit(session, 29), 29);
}

/* Row and task are there together, and only if the commit said so. */
static void check_stored(void) {
    const shared_event *event = NULL;
    lab_query("SELECT (SELECT count(*) FROM documents WHERE id = 'doc-1'),"
              " (SELECT count(*) FROM task_outbox)",
              9);
    lab_query("DELETE FROM documents", 10);
    lab_query("DELETE FROM task_outbox", 11);
    OK(shared_session_commit(session, 12));
    OK(shared_client_wait(client, 9, LAB_WAIT_MS, &event));
    shared_record *row = shared_event_record(event, 0);
    ck_assert_int_eq(shared_record_int(row, 0), stored);
    ck_assert_int_eq(shared_record_int(row, 1), stored);
    for (uint64_t tag = 10; tag <= 12; tag++)
        OK(shared_client_wait(client, tag, LAB_WAIT_MS, &event));
}

/* No pause after a failed attempt: what fails here is memory. */
static shared_config *make_config(void) {
    shared_config *config = test_config();
    OK(shared_config_set(config, "RECONNECT_MS_MAX", "10"));
    return config;
}

static const shared_config *scarce_config;
static void (*steps)(void);

static void start_and_step(void) {
    stored = false;
    client = NULL;
    session = NULL;
    if (scarce_accepted(shared_client_new(scarce_config, &client)) &&
        scarce_accepted(shared_session_new(client, &session)))
        steps();
}

/* The same client, with memory again, stores and reads. */
static void work_again(void) {
    if (!session && client) OK(shared_session_new(client, &session));
    if (session) {
        scarce_expect(ends(shared_session_rollback(session, 7), 7), "no rollback afterwards");
        scarce_expect(ends(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 8), 8),
                      "no read afterwards");
        check_stored();
    }
    shared_session_free(session);
    shared_client_free(client);
}

static void torture(void (*flow)(void)) {
    shared_config *config = make_config();
    scarce_config = config;
    steps = flow;
    scarce_torture(start_and_step, work_again);
    shared_config_free(config);
}

START_TEST(a_commit_survives_every_failed_allocation) {
    torture(change_and_commit);
}
END_TEST

START_TEST(reads_survive_every_failed_allocation) {
    torture(read_and_query);
}
END_TEST

START_TEST(reads_of_many_and_refreshes_survive_every_failed_allocation) {
    test_run_aside("INSERT INTO cases (id, title) VALUES ('case', 't') ON CONFLICT DO NOTHING");
    torture(read_many_and_refresh);
}
END_TEST

START_TEST(values_survive_every_failed_allocation) {
    torture(ask_for_values);
}
END_TEST

START_TEST(pages_survive_every_failed_allocation) {
    torture(read_pages);
}
END_TEST

START_TEST(a_transaction_survives_every_failed_allocation) {
    torture(transact);
}
END_TEST

START_TEST(a_savepoint_survives_every_failed_allocation) {
    torture(save_and_undo);
}
END_TEST

START_TEST(a_rollback_survives_every_failed_allocation) {
    torture(roll_back);
}
END_TEST

START_TEST(a_pinned_session_survives_every_failed_allocation) {
    torture(run_pinned);
}
END_TEST

START_TEST(streams_survive_every_failed_allocation) {
    torture(stream);
}
END_TEST

START_TEST(copies_out_survive_every_failed_allocation) {
    torture(copy_out);
}
END_TEST

START_TEST(copies_in_survive_every_failed_allocation) {
    torture(copy_in);
}
END_TEST

/* --- how many a request needs --------------------------------------------------------------------- */

static shared_query *budget_query;
static shared_record *budget_record;

static shared_status ask_get(uint64_t tag) {
    return shared_session_get(session, SHARED_CASE, "case", tag);
}

static shared_status ask_many(uint64_t tag) {
    static const char *const ids[] = {"case", "other"};
    return shared_session_get_many(session, SHARED_CASE, ids, 2, tag);
}

static shared_status ask_refresh(uint64_t tag) {
    return shared_session_refresh(session, budget_record, tag);
}

static shared_status ask_query(uint64_t tag) {
    return shared_session_query(session, budget_query, tag);
}

enum { REQUEST_ALLOCATIONS = 1 }; /* the answer of the server, that records point into */

/* Of the library, without libpq, from the request to its event; all that can be warm is. */
static long allocations_of(shared_status (*ask)(uint64_t tag)) {
    const shared_event *event = NULL;
    long before = 0;
    for (int i = 0; i < 4; i++) {
        before = scarce_count;
        shared_status status = ask(1);
        if (status >= 0) status = shared_client_wait(client, 1, LAB_WAIT_MS, &event);
        scarce_expect(status >= 0, "a request that failed"); /* check allocates */
    }
    return scarce_count - before;
}

/* A change here is a change of every request: make it knowingly. */
START_TEST(a_request_allocates_as_little_as_it_can) {
    test_run_aside("INSERT INTO cases (id, title) VALUES ('case', 't') ON CONFLICT DO NOTHING");
    client = test_client(NULL, NULL);
    OK(shared_session_new(client, &session));
    OK(shared_record_new(SHARED_CASE, &budget_record));
    OK(shared_record_set_text(budget_record, SHARED_CASE_ID, "case", 4));
    OK(shared_query_new(SHARED_CASE, "title = $1", &budget_query));
    OK(shared_query_bind_text(budget_query, 1, "t", 1));
    OK(shared_query_order(budget_query, "created_at DESC"));
    OK(shared_query_after(budget_query, NULL));
    ck_assert_int_eq(allocations_of(ask_get), REQUEST_ALLOCATIONS);
    ck_assert_int_eq(allocations_of(ask_many), REQUEST_ALLOCATIONS);
    ck_assert_int_eq(allocations_of(ask_refresh), REQUEST_ALLOCATIONS);
    ck_assert_int_eq(allocations_of(ask_query), REQUEST_ALLOCATIONS);
    shared_query_free(budget_query);
    shared_record_unref(budget_record);
    shared_session_free(session);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_commit_survives_every_failed_allocation,
        reads_survive_every_failed_allocation,
        a_transaction_survives_every_failed_allocation,
        values_survive_every_failed_allocation,
        pages_survive_every_failed_allocation,
        a_savepoint_survives_every_failed_allocation,
        reads_of_many_and_refreshes_survive_every_failed_allocation,
        a_rollback_survives_every_failed_allocation,
        a_pinned_session_survives_every_failed_allocation,
        streams_survive_every_failed_allocation,
        copies_out_survive_every_failed_allocation,
        copies_in_survive_every_failed_allocation,
        a_request_allocates_as_little_as_it_can,
    };
    return lab_run("session_memory", tests, sizeof tests / sizeof *tests);
}
