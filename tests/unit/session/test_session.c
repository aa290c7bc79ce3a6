/* SPDX-License-Identifier: MIT
 * test_session.c - reads of an idle session, transactions, order, and the ways a request ends early.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

/* --- reads ---------------------------------------------------------------------------------------- */

START_TEST(a_thousand_gets_go_out_together_and_come_back_in_order) {
    enum { COUNT = 1000 };
    lab_open();
    lab_query("INSERT INTO documents (id, file_name)"
              " SELECT 'doc-' || i, i || '.pdf' FROM generate_series(0, 999) i",
              0);
    ck_assert_int_eq(lab_commit(), 0);
    char id[32];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(id, sizeof id, "doc-%d", i);
        OK(shared_session_get(session, SHARED_DOCUMENT, id, 1000 + (uint64_t)i));
    }
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    uint64_t next = 1000;
    while (next < 1000 + COUNT) {
        const shared_event *event = shared_client_next(client);
        if (!event) {
            test_turn(client, deadline_ms);
            continue;
        }
        ck_assert_uint_eq(shared_event_tag(event), next);
        ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
        ck_assert_int_eq(shared_event_count(event), 1);
        (void)snprintf(id, sizeof id, "doc-%d", (int)(next++ - 1000));
        ck_assert_str_eq(shared_record_text(shared_event_record(event, 0), SHARED_DOCUMENT_ID), id);
    }
    lab_close();
}
END_TEST

START_TEST(a_missing_row_is_count_zero_and_no_error) {
    lab_open();
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 1));
    const shared_event *event = lab_success(1);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
    ck_assert_int_eq(shared_event_count(event), 0);
    ck_assert_ptr_null(shared_event_record(event, 0));
    lab_close();
}
END_TEST

START_TEST(a_record_outlives_its_event_session_and_client) {
    lab_open();
    lab_add("doc-1");
    ck_assert_int_eq(lab_commit(), 1);
    shared_record *record = lab_stored("doc-1");
    lab_close();
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "will.pdf");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS), "pending");
    shared_record_unref(record);
}
END_TEST

START_TEST(what_cannot_be_got_by_one_key_is_refused) {
    lab_open();
    ck_assert_int_eq(shared_session_get(session, SHARED_DOCUMENT_PAGE, "doc-1", 1),
                     SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get(session, SHARED_PROGRESS, "doc-1", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get(session, 99, "doc-1", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get(session, SHARED_DOCUMENT, NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get(session, SHARED_DOCUMENT, "\xff", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get(NULL, SHARED_DOCUMENT, "doc-1", 1), SHARED_EINVALID);
    lab_close();
}
END_TEST

START_TEST(one_failing_read_touches_no_other) {
    lab_open();
    static const char *const sql[] = {"SELECT 'a'", "SELECT 1 / 0", "SELECT 'b'"};
    for (uint64_t i = 0; i < 3; i++) {
        shared_query *query = NULL;
        OK(shared_query_new(0, sql[i], &query));
        OK(shared_query_read_only(query));
        OK(shared_session_query(session, query, 1 + i));
        shared_query_free(query);
    }
    ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(1), 0), 0), "a");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_EREMOTE)), "22012");
    ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(3), 0), 0), "b");
    lab_close();
}
END_TEST

/* --- order and transactions ----------------------------------------------------------------------- */

START_TEST(requests_run_in_the_order_they_were_made) {
    lab_open();
    lab_add("doc-1");
    OK(shared_session_commit(session, 1));
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1",
                          2)); /* sees what was committed before it */
    lab_query("UPDATE documents SET file_name = 'second.pdf'", 3);
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 4));
    OK(shared_session_rollback(session, 5));
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 6));
    static const char *const names[] = {[2] = "will.pdf", [4] = "second.pdf", [6] = "will.pdf"};
    for (uint64_t tag = 1; tag <= 6; tag++) {
        const shared_event *event = lab_success(tag);
        if (!names[tag]) continue;
        ck_assert_int_eq(shared_event_count(event), 1);
        ck_assert_str_eq(
            shared_record_text(shared_event_record(event, 0), SHARED_DOCUMENT_FILE_NAME),
            names[tag]);
    }
    lab_close();
}
END_TEST

START_TEST(a_query_sees_the_changes_that_waited) {
    lab_open();
    lab_add("doc-1");
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 1));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0"); /* nobody else does */
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    lab_close();
}
END_TEST

START_TEST(raw_sql_begins_a_transaction_in_the_flush_of_its_first_statement) {
    lab_open();
    lab_query("SELECT 1", 1);
    (void)lab_success(1);
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    sync_count = 0;
    lab_query("SELECT now() = transaction_timestamp(), pg_backend_pid()", 3);
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 4);
    OK(shared_session_commit(session, 5));
    (void)lab_success(3);
    ck_assert_int_eq(shared_event_count(lab_success(4)), 1);
    (void)lab_success(5);
    ck_assert_int_eq(sync_count, 1); /* BEGIN, both statements and COMMIT in one batch */
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "1");
    lab_close();
}
END_TEST

START_TEST(begin_sets_the_isolation) {
    lab_open();
    static const char *const names[] = {"read committed", "repeatable read", "serializable"};
    for (int32_t isolation = 0; isolation < 3; isolation++) {
        OK(shared_session_begin(session, isolation, 0));
        ck_assert_int_eq(shared_session_begin(session, isolation, 0), SHARED_EINVALID);
        lab_query("SHOW transaction_isolation", 1);
        ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(1), 0), 0),
                         names[isolation]);
        (void)lab_commit();
    }
    ck_assert_int_eq(shared_session_begin(session, 3, 0), SHARED_EINVALID);
    lab_close();
}
END_TEST

START_TEST(a_serialization_failure_is_retryable_and_told_by_the_commit) {
    lab_open();
    test_run_aside("INSERT INTO cases (id, title) VALUES ('c', 't')");
    OK(shared_session_begin(session, SHARED_REPEATABLE_READ, 0));
    lab_query("SELECT title FROM cases", 1);
    (void)lab_success(1);
    test_run_aside("UPDATE cases SET title = 'other'");
    lab_query("UPDATE cases SET title = 'mine'", 0);
    OK(shared_session_commit(session, 2));
    const shared_error *error = lab_failure(2, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "40001");
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    lab_close();
}
END_TEST

START_TEST(commit_and_rollback_of_nothing_ask_nobody) {
    lab_open();
    sync_count = 0;
    OK(shared_session_commit(session, 1));
    OK(shared_session_rollback(session, 2));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 0);
    (void)lab_success(2);
    ck_assert_int_eq(sync_count, 0);
    lab_close();
}
END_TEST

START_TEST(two_sessions_do_not_see_each_others_transaction) {
    lab_open();
    shared_session *other = NULL;
    OK(shared_session_new(client, &other));
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    OK(shared_session_get(other, SHARED_CASE, "c", 2));
    ck_assert_int_eq(shared_event_count(lab_success(2)), 0);
    (void)lab_commit();
    OK(shared_session_get(other, SHARED_CASE, "c", 3));
    ck_assert_int_eq(shared_event_count(lab_success(3)), 1);
    shared_session_free(other);
    lab_close();
}
END_TEST

/* --- early ends ----------------------------------------------------------------------------------- */

/* How many backends run this statement now. */
static bool runs_nowhere(const char *pattern) {
    char sql[200];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%s'"
        " AND pid <> pg_backend_pid()",
        pattern);
    return !strcmp(lab_ask(sql), "0");
}

static void sleep_on_server(bool reads, uint64_t tag) {
    shared_query *query = NULL;
    OK(shared_query_new(0, "SELECT pg_sleep(60)", &query));
    if (reads) OK(shared_query_read_only(query));
    OK(shared_session_query(session, query, tag));
    shared_query_free(query);
}

static void wait_until_it_runs(void) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (runs_nowhere("SELECT pg_sleep(60)%")) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
}

static void wait_until_it_stopped(void) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (!runs_nowhere("SELECT pg_sleep(60)%")) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
}

START_TEST(a_cancelled_statement_ends_at_once_and_stops_on_the_server) {
    lab_open();
    for (int reads = 0; reads < 2; reads++) {
        sleep_on_server(reads, 1);
        wait_until_it_runs();
        OK(shared_client_cancel(client, 1));
        (void)lab_failure(1, SHARED_ECANCELLED);
        wait_until_it_stopped();
        OK(shared_session_rollback(session, 2));
        (void)lab_success(2);
        lab_query("SELECT 'works'", 3);
        (void)lab_success(3);
        (void)lab_commit();
    }
    ck_assert_int_eq(shared_client_cancel(client, 1), SHARED_ENOTFOUND);
    lab_close();
}
END_TEST

START_TEST(a_cancelled_read_does_not_harm_its_neighbours) {
    lab_open_with("POOL_SHARED", "1");
    sleep_on_server(true, 1);
    for (uint64_t tag = 2; tag < 10; tag++)
        OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", tag));
    wait_until_it_runs();
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    for (uint64_t tag = 2; tag < 10; tag++) (void)lab_success(tag);
    lab_close();
}
END_TEST

START_TEST(a_statement_past_its_deadline_ends_and_the_transaction_with_it) {
    lab_open_with("DATABASE_TIMEOUT_MS", "300");
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    sleep_on_server(false, 2);
    const shared_error *error = lab_failure(2, SHARED_ETIMEOUT);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    OK(shared_session_commit(session, 3));
    (void)lab_failure(3, SHARED_ETIMEOUT);
    wait_until_it_stopped();
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_query("SELECT 'works'", 4);
    (void)lab_success(4);
    lab_close();
}
END_TEST

START_TEST(a_request_in_the_queue_can_be_cancelled) {
    lab_open();
    lab_query("SELECT 1", 1);
    OK(shared_session_commit(session, 2));
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 3)); /* waits for the commit */
    OK(shared_client_cancel(client, 3));
    (void)lab_failure(3, SHARED_ECANCELLED);
    (void)lab_success(1);
    (void)lab_success(2);
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 4));
    (void)lab_success(4);
    lab_close();
}
END_TEST

START_TEST(freeing_a_session_cancels_and_rolls_back) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    sleep_on_server(false, 2);
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 3));
    wait_until_it_runs();
    shared_session_free(session);
    (void)lab_failure(2, SHARED_ECANCELLED);
    (void)lab_failure(3, SHARED_ECANCELLED);
    wait_until_it_stopped();
    OK(shared_session_new(client, &session));
    lab_query("LOCK TABLE cases", 4); /* nobody holds its row any more */
    (void)lab_success(4);
    lab_query("SELECT count(*) FROM cases", 5);
    ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(5), 0), 0), "0");
    lab_close();
}
END_TEST

START_TEST(freeing_everything_in_the_middle_leaks_nothing) {
    lab_open();
    lab_add("doc-1");
    sleep_on_server(false, 1);
    OK(shared_session_commit(session, 2));
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 3));
    OK(shared_session_enqueue(session, "task", "[]", NULL));
    ck_assert_int_ge(shared_client_dispatch(client, 50), 0);
    lab_close();
}
END_TEST

START_TEST(a_session_may_outlive_its_client) {
    lab_open();
    lab_add("doc-1");
    sleep_on_server(true, 1);
    ck_assert_int_ge(shared_client_dispatch(client, 50), 0);
    shared_client_free(client);
    ck_assert_int_eq(shared_session_commit(session, 2), SHARED_EINVALID);
    shared_session_free(session);
}
END_TEST

START_TEST(a_child_of_fork_is_told_and_leaves_the_parents_transaction_alone) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool told = shared_session_get(session, SHARED_CASE, "c", 2) == SHARED_EFORKED &&
                    shared_session_commit(session, 2) == SHARED_EFORKED;
        shared_session_free(session);
        shared_client_free(client);
        _exit(told ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)lab_commit();
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "1");
    lab_close();
}
END_TEST

START_TEST(a_full_client_refuses_and_accepts_nothing) {
    lab_open_with("CLIENT_REQUESTS_MAX", "3");
    for (uint64_t tag = 1; tag <= 3; tag++) sleep_on_server(true, tag);
    lab_add("doc-1");
    ck_assert_int_eq(shared_session_commit(session, 4), SHARED_EBUSY);
    ck_assert_int_eq(shared_session_get(session, SHARED_DOCUMENT, "x", 5), SHARED_EBUSY);
    ck_assert_int_eq(shared_session_rollback(session, 6), SHARED_EBUSY);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        OK(shared_client_cancel(client, tag));
        (void)lab_failure(tag, SHARED_ECANCELLED);
    }
    (void)shared_client_next(client);
    ck_assert_int_eq(lab_commit(), 1); /* the change still waited */
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_thousand_gets_go_out_together_and_come_back_in_order,
        a_missing_row_is_count_zero_and_no_error,
        a_record_outlives_its_event_session_and_client,
        what_cannot_be_got_by_one_key_is_refused,
        one_failing_read_touches_no_other,
        requests_run_in_the_order_they_were_made,
        a_query_sees_the_changes_that_waited,
        raw_sql_begins_a_transaction_in_the_flush_of_its_first_statement,
        begin_sets_the_isolation,
        a_serialization_failure_is_retryable_and_told_by_the_commit,
        commit_and_rollback_of_nothing_ask_nobody,
        two_sessions_do_not_see_each_others_transaction,
        a_cancelled_statement_ends_at_once_and_stops_on_the_server,
        a_cancelled_read_does_not_harm_its_neighbours,
        a_statement_past_its_deadline_ends_and_the_transaction_with_it,
        a_request_in_the_queue_can_be_cancelled,
        freeing_a_session_cancels_and_rolls_back,
        freeing_everything_in_the_middle_leaks_nothing,
        a_session_may_outlive_its_client,
        a_child_of_fork_is_told_and_leaves_the_parents_transaction_alone,
        a_full_client_refuses_and_accepts_nothing,
    };
    return lab_run("session", tests, sizeof tests / sizeof *tests);
}
