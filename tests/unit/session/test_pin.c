/* SPDX-License-Identifier: MIT
 * test_pin.c - a session that keeps its connection, statements that are a transaction of their own, more values
 * than fit one's stack, and what an answer says of its columns.
 */
#include <stdio.h>

#include "lab.h"

static shared_query *query_of(const char *sql) {
    shared_query *query = NULL;
    OK(shared_query_new(0, sql, &query));
    return query;
}

static uint64_t ask(shared_query *query) {
    uint64_t tag = tag_next++;
    OK(shared_session_query(session, query, tag));
    shared_query_free(query);
    return tag;
}

static int64_t number(const char *sql) {
    const shared_event *event = lab_success(ask(query_of(sql)));
    ck_assert_int_eq(shared_event_count(event), 1);
    return shared_record_int(shared_event_record(event, 0), 0);
}

static uint64_t alone(const char *sql) {
    shared_query *query = query_of(sql);
    OK(shared_query_autocommit(query));
    return ask(query);
}

static void end(shared_status (*how)(shared_session *, uint64_t)) {
    uint64_t tag = tag_next++;
    OK(how(session, tag));
    (void)lab_success(tag);
}

START_TEST(a_pinned_session_keeps_its_connection_between_transactions) {
    lab_open();
    OK(shared_session_pin(session));
    int64_t pid = number("SELECT pg_backend_pid()");
    (void)lab_success(ask(query_of("CREATE TEMP TABLE mine (x int)")));
    end(shared_session_commit);
    ck_assert_int_eq(number("SELECT count(*) FROM mine"), 0);
    ck_assert_int_eq(number("SELECT pg_backend_pid()"), pid);
    end(shared_session_rollback);
    ck_assert_int_eq(number("SELECT pg_backend_pid()"), pid);
    (void)lab_success(ask(query_of("DROP TABLE mine")));
    end(shared_session_commit);
    lab_close();
}
END_TEST

START_TEST(it_keeps_it_through_a_failure_that_is_rolled_back) {
    lab_open();
    OK(shared_session_pin(session));
    int64_t pid = number("SELECT pg_backend_pid()");
    (void)lab_failure(ask(query_of("SELECT 1/0")), SHARED_EREMOTE);
    (void)lab_failure(ask(query_of("SELECT 1")), SHARED_EREMOTE);
    end(shared_session_rollback);
    ck_assert_int_eq(number("SELECT pg_backend_pid()"), pid);
    end(shared_session_commit);
    lab_close();
}
END_TEST

START_TEST(it_keeps_it_through_a_commit_that_fails) {
    lab_open();
    OK(shared_session_pin(session));
    int64_t pid = number("SELECT pg_backend_pid()");
    (void)lab_success(ask(query_of("CREATE TEMP TABLE mine (x int)")));
    end(shared_session_commit);
    lab_add("doc-1");
    (void)lab_failure(ask(query_of("SELECT 1/0")), SHARED_EREMOTE);
    OK(shared_session_commit(session, 1));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "22012");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    ck_assert_int_eq(number("SELECT pg_backend_pid()"), pid);
    ck_assert_int_eq(number("SELECT count(*) FROM mine"), 0);
    (void)lab_success(ask(query_of("DROP TABLE mine")));
    end(shared_session_commit);
    lab_close();
}
END_TEST

/* What was only cancelled here is not committed by it. */
START_TEST(a_commit_of_what_was_cancelled_stores_nothing) {
    lab_open();
    OK(shared_session_pin(session));
    lab_add("doc-1");
    OK(shared_session_flush(session, 1));
    (void)lab_success(1);
    uint64_t slow = ask(query_of("SELECT pg_sleep(20)"));
    OK(shared_client_cancel(client, slow));
    OK(shared_session_commit(session, 2));
    (void)lab_failure(slow, SHARED_ECANCELLED);
    (void)lab_failure(2, SHARED_ECANCELLED);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    lab_close();
}
END_TEST

static const char *const tenant[] = {
    "DROP SCHEMA IF EXISTS tenant CASCADE",
    "CREATE SCHEMA tenant",
    "CREATE TABLE tenant.documents (LIKE public.documents INCLUDING ALL)",
    "INSERT INTO tenant.documents (id, file_name) VALUES ('doc-1', 'theirs')",
};

static const char *name_of_first(const shared_event *event) {
    ck_assert_int_eq(shared_event_count(event), 1);
    return shared_record_text(shared_event_record(event, 0), SHARED_DOCUMENT_FILE_NAME);
}

START_TEST(its_reads_go_by_its_own_connection) {
    shared_query *query = NULL;
    lab_open();
    for (size_t i = 0; i < sizeof tenant / sizeof *tenant; i++) test_run_aside(tenant[i]);
    lab_add("doc-1");
    (void)lab_commit();
    OK(shared_session_pin(session));
    (void)lab_success(ask(query_of("SET search_path = tenant")));
    end(shared_session_commit);
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 1));
    ck_assert_str_eq(name_of_first(lab_success(1)), "theirs");
    OK(shared_query_new(SHARED_DOCUMENT, NULL, &query));
    ck_assert_str_eq(name_of_first(lab_success(ask(query))), "theirs");
    OK(shared_session_begin(session, SHARED_SERIALIZABLE, 0)); /* they left no transaction open */
    end(shared_session_rollback);
    OK(shared_query_new(SHARED_DOCUMENT, NULL, &query));
    OK(shared_session_stream(session, query, 10, 2));
    shared_query_free(query);
    const shared_event *event = NULL;
    OK(shared_client_wait(client, 2, LAB_WAIT_MS, &event));
    ck_assert_str_eq(name_of_first(event), "theirs");
    ck_assert_int_eq(shared_event_count(lab_success(2)), 1);
    end(shared_session_commit);
    (void)lab_success(ask(query_of("RESET search_path")));
    end(shared_session_commit);
    test_run_aside(tenant[0]);
    lab_close();
}
END_TEST

START_TEST(a_read_whose_answer_was_lost_has_no_unknown_outcome) {
    lab_open();
    OK(shared_session_pin(session));
    shared_query *query = query_of("SELECT pg_terminate_backend(pg_backend_pid())");
    OK(shared_query_read_only(query));
    (void)lab_failure(ask(query), SHARED_ECLOSED);
    lab_close();
}
END_TEST

START_TEST(one_that_broke_is_replaced) {
    lab_open();
    OK(shared_session_pin(session));
    int64_t pid = number("SELECT pg_backend_pid()");
    end(shared_session_commit);
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld, 5000)::text",
                   (long long)pid);
    ck_assert_str_eq(lab_ask(sql), "true");
    (void)lab_event(alone("SELECT 1")); /* which may come before the end was seen, and then fails */
    ck_assert_int_ne(number("SELECT pg_backend_pid()"), pid);
    end(shared_session_rollback);
    lab_close();
}
END_TEST

START_TEST(a_statement_with_autocommit_is_stored_at_once) {
    lab_open();
    const shared_event *event =
        lab_success(alone("INSERT INTO documents (id, file_name) VALUES ('a', 'x'), ('b', 'x')"));
    ck_assert_int_eq(shared_event_count(event), 2);
    ck_assert_str_eq(lab_ask("SELECT count(*)::text FROM documents"), "2");
    (void)lab_success(alone("VACUUM documents"));
    const shared_error *error = lab_failure(
        alone("INSERT INTO documents (id, file_name) VALUES ('a', 'x')"), SHARED_ECONFLICT);
    ck_assert_str_eq(shared_error_sqlstate(error), "23505");
    (void)lab_success(alone("DELETE FROM documents"));
    lab_close();
}
END_TEST

START_TEST(autocommit_is_refused_in_a_transaction_and_for_a_model) {
    lab_open();
    shared_query *query = NULL;
    OK(shared_query_new(SHARED_DOCUMENT, NULL, &query));
    ck_assert_int_eq(shared_query_autocommit(query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_autocommit(NULL), SHARED_EINVALID);
    shared_query_free(query);
    query = query_of("SELECT 1");
    OK(shared_query_autocommit(query));
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    ck_assert_int_eq(shared_session_query(session, query, tag_next++), SHARED_EINVALID);
    end(shared_session_rollback);
    (void)lab_success(ask(query));
    lab_close();
}
END_TEST

START_TEST(nobody_knows_of_one_whose_answer_was_lost) {
    lab_open();
    const shared_error *error =
        lab_failure(alone("SELECT pg_terminate_backend(pg_backend_pid())"), SHARED_EUNKNOWN);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    (void)lab_success(alone("SELECT 1"));
    lab_close();
}
END_TEST

START_TEST(thousands_of_values_may_be_bound) {
    enum { COUNT = 3000 };
    static char sql[COUNT * 16];
    size_t size = (size_t)snprintf(sql, sizeof sql, "SELECT count(*) FROM (VALUES ($1::int)");
    for (int i = 2; i <= COUNT; i++)
        size += (size_t)snprintf(sql + size, sizeof sql - size, ",($%d)", i);
    (void)snprintf(sql + size, sizeof sql - size, ") v (x) WHERE x > 1500");
    lab_open();
    for (int round = 0; round < 3; round++) { /* prepared, and prepared before */
        shared_query *query = query_of(sql);
        for (int32_t i = 1; i <= COUNT; i++) OK(shared_query_bind_int(query, i, i));
        const shared_event *event = lab_success(ask(query));
        ck_assert_int_eq(shared_record_int(shared_event_record(event, 0), 0), 1500);
    }
    end(shared_session_commit);
    lab_close();
}
END_TEST

START_TEST(an_answer_without_rows_still_has_columns) {
    lab_open();
    const shared_event *event =
        lab_success(ask(query_of("SELECT 1 AS one, 'x'::text AS \"Two\" WHERE false")));
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
    ck_assert_int_eq(shared_event_count(event), 0);
    ck_assert_int_eq(shared_event_columns(event), 2);
    ck_assert_str_eq(shared_event_column_name(event, 1), "Two");
    ck_assert_str_eq(shared_event_column_name(event, 2), "");
    ck_assert_int_eq(shared_event_column_type(event, 0), 23);
    ck_assert_int_eq(shared_event_column_type(event, 1), 25);
    ck_assert_int_eq(shared_event_column_type(event, -1), 0);
    ck_assert_int_eq(shared_event_columns(NULL), 0);
    end(shared_session_commit);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_pinned_session_keeps_its_connection_between_transactions,
        it_keeps_it_through_a_failure_that_is_rolled_back,
        it_keeps_it_through_a_commit_that_fails,
        a_commit_of_what_was_cancelled_stores_nothing,
        its_reads_go_by_its_own_connection,
        a_read_whose_answer_was_lost_has_no_unknown_outcome,
        one_that_broke_is_replaced,
        a_statement_with_autocommit_is_stored_at_once,
        autocommit_is_refused_in_a_transaction_and_for_a_model,
        nobody_knows_of_one_whose_answer_was_lost,
        thousands_of_values_may_be_bound,
        an_answer_without_rows_still_has_columns,
    };
    return lab_run("pin", tests, sizeof tests / sizeof *tests);
}
