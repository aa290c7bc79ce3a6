/* SPDX-License-Identifier: MIT
 * test_failure.c - connections that break while a session is idle, in a query, in a commit; failures inside
 * a transaction; a COPY that fails at once; a pool without a free connection.
 */
#include <sys/socket.h>

#include "lab.h"

/* All sockets of this process: the client's connections to the server. */
static void cut_all_lines(void) {
    for (int fd = 3; fd < 64; fd++) (void)shutdown(fd, SHUT_RDWR);
}

static void wait_until(const char *sql) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (strcmp(lab_ask(sql), "t") != 0) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
}

/* Backend of the session's open transaction. */
static int backend(void) {
    lab_query("SELECT pg_backend_pid()", 90);
    return atoi(shared_record_text(shared_event_record(lab_success(90), 0), 0));
}

/* Rows of it make a commit take long: what the trigger does is done at the end of the transaction. */
static void make_slow_table(void) {
    test_run_aside("CREATE TABLE IF NOT EXISTS slow (id int)");
    test_run_aside("CREATE OR REPLACE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'");
    test_run_aside("DROP TRIGGER IF EXISTS slow_down ON slow");
    test_run_aside("CREATE CONSTRAINT TRIGGER slow_down AFTER INSERT ON slow"
                   " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow_down()");
}

static const char is_asleep[] =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

static const char is_blocked[] =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

/* --- broken connections --------------------------------------------------------------------------- */

START_TEST(a_connection_killed_between_requests_fails_the_transaction_and_no_more) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    test_terminate(backend());
    lab_query("SELECT 1", 2);
    const shared_error *error = lab_failure(2, SHARED_ECLOSED);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    OK(shared_session_commit(session, 3));
    (void)lab_failure(3, SHARED_ECLOSED);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_add("doc-1"); /* on a new connection */
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

START_TEST(a_connection_killed_in_a_query_tells_the_servers_reason) {
    lab_open();
    int pid = backend();
    lab_query("SELECT pg_sleep(60)", 1);
    wait_until(is_asleep);
    test_terminate(pid);
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_ECLOSED)), "57P01");
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    lab_close();
}
END_TEST

START_TEST(a_commit_whose_answer_is_lost_is_unknown) {
    lab_open();
    make_slow_table();
    lab_query("INSERT INTO slow VALUES (1)", 0);
    OK(shared_session_commit(session, 1));
    wait_until(is_asleep);
    cut_all_lines();
    const shared_error *error = lab_failure(1, SHARED_EUNKNOWN);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    ck_assert_int_eq(shared_error_domain(error), SHARED_POSTGRES);
    OK(shared_session_get(session, SHARED_CASE, "c", 2)); /* the way to learn: read again */
    (void)lab_success(2);
    lab_close();
}
END_TEST

START_TEST(a_batch_whose_answer_is_lost_is_unknown) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    shared_record *record = lab_stored("doc-1");
    shared_client *other_client = test_client(NULL, NULL);
    shared_session *other = NULL;
    OK(shared_session_new(other_client, &other));
    shared_query *lock = NULL;
    const shared_event *event = NULL;
    OK(shared_query_new(0, "SELECT 1 FROM documents FOR UPDATE", &lock));
    OK(shared_session_query(other, lock, 1));
    OK(shared_client_wait(other_client, 1, LAB_WAIT_MS, &event));
    lab_rename(record, "new.pdf");
    OK(shared_session_update(session, record));
    OK(shared_session_commit(session, 2));
    wait_until(is_blocked);
    cut_all_lines();
    (void)lab_failure(2, SHARED_EUNKNOWN);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "new.pdf");
    shared_query_free(lock);
    shared_session_free(other);
    shared_client_free(other_client);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_batch_that_the_server_refused_to_end_was_not_done) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    shared_record *record = lab_stored("doc-1");
    shared_session *other = NULL;
    OK(shared_session_new(client, &other));
    shared_query *lock = NULL;
    OK(shared_query_new(0, "SELECT 1 FROM documents FOR UPDATE", &lock));
    OK(shared_session_query(other, lock, 1));
    (void)lab_success(1);
    lab_rename(record, "new.pdf");
    OK(shared_session_update(session, record));
    OK(shared_session_commit(session, 2));
    wait_until(is_blocked);
    test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE wait_event_type = 'Lock'");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_ECLOSED)), "57P01");
    shared_session_free(other);
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    shared_query_free(lock);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_backend_killed_in_a_commit_leaves_it_unknown) {
    lab_open();
    make_slow_table();
    int pid = backend();
    lab_query("INSERT INTO slow VALUES (1)", 0);
    OK(shared_session_commit(session, 1));
    wait_until(is_asleep);
    test_terminate(pid);
    (void)lab_failure(1, SHARED_EUNKNOWN);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM slow"), "0");
    lab_close();
}
END_TEST

START_TEST(a_commit_past_its_deadline_is_unknown) {
    lab_open_with("DATABASE_TIMEOUT_MS", "300");
    make_slow_table();
    lab_query("INSERT INTO slow VALUES (1)", 0);
    OK(shared_session_commit(session, 1));
    (void)lab_failure(1, SHARED_EUNKNOWN);
    lab_query("SELECT 'works'", 2);
    (void)lab_success(2);
    lab_close();
}
END_TEST

/* --- failures inside a transaction ---------------------------------------------------------------- */

START_TEST(after_a_failure_everything_fails_with_it_until_the_end) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    (void)lab_success(1);
    lab_query("SELECT 1 / 0", 2);
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_EREMOTE)), "22012");
    lab_query("SELECT 1", 3);
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(3, SHARED_EREMOTE)), "22012");
    OK(shared_session_get(session, SHARED_CASE, "c", 4));
    (void)lab_failure(4, SHARED_EREMOTE);
    OK(shared_session_commit(session, 5));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(5, SHARED_EREMOTE)), "22012");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_add("doc-1");
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

START_TEST(a_failure_without_a_tag_is_told_by_the_commit) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 0);
    lab_query("SELECT 1 / 0", 0);
    OK(shared_session_commit(session, 1));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "22012");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_close();
}
END_TEST

START_TEST(a_rollback_after_a_failure_goes_well) {
    lab_open();
    lab_query("SELECT 1 / 0", 1);
    OK(shared_session_rollback(session, 2));
    (void)lab_failure(1, SHARED_EREMOTE);
    (void)lab_success(2);
    ck_assert_int_eq(lab_commit(), 0);
    lab_close();
}
END_TEST

START_TEST(a_failed_transaction_holds_no_lock_and_no_connection) {
    lab_open_with("POOL_SIZE", "1");
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 0);
    lab_query("SELECT 1 / 0", 1);
    (void)lab_failure(1, SHARED_EREMOTE);
    shared_session *other = NULL;
    OK(shared_session_new(client, &other)); /* gets the one connection, and the key */
    shared_query *query = NULL;
    OK(shared_query_new(0, "INSERT INTO cases (id, title) VALUES ('c', 'other')", &query));
    OK(shared_session_query(other, query, 2));
    (void)lab_success(2);
    shared_query_free(query);
    OK(shared_session_commit(other, 3));
    (void)lab_success(3);
    OK(shared_session_commit(session, 4));
    (void)lab_failure(4, SHARED_EREMOTE);
    shared_session_free(other);
    lab_close();
}
END_TEST

START_TEST(a_transaction_after_a_failed_one_is_not_touched) {
    lab_open();
    lab_query("SELECT 1 / 0", 1);
    OK(shared_session_commit(session, 2));
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 3);
    OK(shared_session_commit(session, 4)); /* asked for before the first one failed */
    (void)lab_failure(1, SHARED_EREMOTE);
    (void)lab_failure(2, SHARED_EREMOTE);
    (void)lab_success(3);
    (void)lab_success(4);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "1");
    lab_close();
}
END_TEST

/* Sends what was asked for, and does not look at the answers: somebody's lock keeps them back meanwhile. */
static void have_done_unseen(const char *lock, const char *is_done) {
    shared_client *other_client = test_client(NULL, NULL);
    shared_session *other = NULL;
    shared_query *query = NULL;
    const shared_event *event = NULL;
    OK(shared_session_new(other_client, &other));
    OK(shared_query_new(0, lock, &query));
    OK(shared_session_query(other, query, 1));
    OK(shared_client_wait(other_client, 1, LAB_WAIT_MS, &event));
    wait_until(is_blocked);
    OK(shared_session_rollback(other, 2));
    OK(shared_client_wait(other_client, 2, LAB_WAIT_MS, &event));
    shared_query_free(query);
    shared_session_free(other);
    shared_client_free(other_client);
    while (strcmp(lab_ask(is_done), "t") != 0) continue; /* check's own clock bounds it */
}

/* Cancelled too late: the server had done all of it. What the commit says must be true. */
START_TEST(a_commit_that_happened_says_so_whatever_was_cancelled_before_it) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 1);
    OK(shared_session_commit(session, 2));
    have_done_unseen("LOCK TABLE cases IN SHARE MODE", "SELECT count(*) = 1 FROM cases");
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    (void)lab_success(2);
    lab_close();
}
END_TEST

START_TEST(a_record_shows_its_row_though_its_commit_was_cancelled_too_late) {
    lab_open();
    shared_record *record = lab_document("doc-1");
    OK(shared_session_add(session, record));
    OK(shared_session_commit(session, 1));
    have_done_unseen("LOCK TABLE documents IN SHARE MODE", "SELECT count(*) = 1 FROM documents");
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 2));
    ck_assert_int_eq(shared_event_count(lab_success(2)), 1);
    ck_assert(!shared_record_is_null(record, SHARED_DOCUMENT_CREATED_AT));
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_commit_behind_what_the_server_cancelled_fails) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 0);
    lab_query("SELECT pg_sleep(60)", 1);
    OK(shared_session_commit(session, 2));
    wait_until(is_asleep);
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    (void)lab_failure(2, SHARED_ECANCELLED);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_close();
}
END_TEST

/* --- no connection -------------------------------------------------------------------------------- */

START_TEST(sessions_beyond_the_pool_wait_for_their_turn) {
    enum { COUNT = 8 };
    lab_open_with("POOL_SIZE", "2");
    shared_session *sessions[COUNT];
    shared_query *query = NULL;
    OK(shared_query_new(0, "SELECT pg_sleep(0.02)", &query));
    for (uint64_t i = 0; i < COUNT; i++) {
        OK(shared_session_new(client, &sessions[i]));
        OK(shared_session_query(sessions[i], query, 10 + i));
        OK(shared_session_commit(sessions[i], 30 + i));
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        (void)lab_success(10 + i);
        (void)lab_success(30 + i);
        shared_session_free(sessions[i]);
    }
    shared_query_free(query);
    lab_close();
}
END_TEST

START_TEST(no_free_connection_is_busy_and_another_try_may_work) {
    shared_config *config = test_config();
    ck_assert_int_eq(shared_config_set(config, "POOL_SIZE", "1"), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "POOL_WAIT_MS", "300"), SHARED_OK);
    OK(shared_client_new(config, &client));
    shared_config_free(config);
    OK(shared_session_new(client, &session));
    lab_query("SELECT 1", 1);
    (void)lab_success(1); /* holds the one connection */
    shared_session *other = NULL;
    OK(shared_session_new(client, &other));
    OK(shared_session_begin(other, SHARED_READ_COMMITTED, 0));
    OK(shared_session_commit(other, 2));
    const shared_error *error = lab_failure(2, SHARED_EBUSY);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    OK(shared_session_rollback(session, 3));
    (void)lab_success(3);
    OK(shared_session_begin(other, SHARED_READ_COMMITTED, 0));
    OK(shared_session_commit(other, 4));
    (void)lab_success(4);
    shared_session_free(other);
    lab_close();
}
END_TEST

START_TEST(without_a_server_every_request_says_so) {
    client = test_client("DATABASE_URL", "postgresql://u@127.0.0.1:1/d");
    OK(shared_session_new(client, &session));
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", 1));
    lab_query("SELECT 1", 2);
    OK(shared_session_commit(session, 3));
    for (uint64_t tag = 1; tag <= 3; tag++) {
        const shared_error *error = lab_failure(tag, SHARED_ECLOSED);
        ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
        ck_assert_ptr_nonnull(strstr(shared_error_message(error), "127.0.0.1"));
    }
    lab_close();
}
END_TEST

/* The server says that it is ready, and fails before it reads a byte: each later answer must still be that of its
 * own statement. */
START_TEST(a_copy_that_fails_before_its_first_byte_shifts_no_answer) {
    lab_open_with("POOL_SIZE", "1");
    test_run_aside("CREATE OR REPLACE VIEW titles AS SELECT id, title FROM cases ORDER BY id");
    for (int i = 0; i < 3; i++) {
        OK(shared_session_copy_in(session, "COPY titles (id, title) FROM STDIN", 1));
        OK(shared_session_copy_write(session, "a\tone\n", 6, 0));
        OK(shared_session_copy_end(session, NULL));
        ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "42809");
        OK(shared_session_rollback(session, 2));
        (void)lab_success(2);
        lab_query("SELECT 'one'", 0);
        lab_query("SELECT 'two'", 3);
        ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(3), 0), 0), "two");
        OK(shared_session_rollback(session, 4));
        (void)lab_success(4);
    }
    test_run_aside("DROP VIEW titles");
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_connection_killed_between_requests_fails_the_transaction_and_no_more,
        a_connection_killed_in_a_query_tells_the_servers_reason,
        a_commit_whose_answer_is_lost_is_unknown,
        a_batch_whose_answer_is_lost_is_unknown,
        a_batch_that_the_server_refused_to_end_was_not_done,
        a_backend_killed_in_a_commit_leaves_it_unknown,
        a_commit_past_its_deadline_is_unknown,
        after_a_failure_everything_fails_with_it_until_the_end,
        a_failure_without_a_tag_is_told_by_the_commit,
        a_rollback_after_a_failure_goes_well,
        a_failed_transaction_holds_no_lock_and_no_connection,
        a_transaction_after_a_failed_one_is_not_touched,
        a_commit_that_happened_says_so_whatever_was_cancelled_before_it,
        a_record_shows_its_row_though_its_commit_was_cancelled_too_late,
        a_commit_behind_what_the_server_cancelled_fails,
        a_copy_that_fails_before_its_first_byte_shifts_no_answer,
        sessions_beyond_the_pool_wait_for_their_turn,
        no_free_connection_is_busy_and_another_try_may_work,
        without_a_server_every_request_says_so,
    };
    return lab_run("failure", tests, sizeof tests / sizeof *tests);
}
