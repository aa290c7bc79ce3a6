/* SPDX-License-Identifier: MIT
 * test_lost.c - the table of docs/DATABASE.md, row by row: what a session says when its connection is lost in
 * each state, and what is then true in the database. Each row twice: ended by the server, which says why, and
 * cut without a word.
 */
#include <sys/socket.h>

#include "lab.h"

enum { ENDED, CUT, WAYS };

/* All sockets of this process: the client's connections to the server. */
static void cut_all_lines(void) {
    for (int fd = 3; fd < 64; fd++) (void)shutdown(fd, SHUT_RDWR);
}

static void lose(int way, int backend) {
    if (way == CUT)
        cut_all_lines();
    else
        test_terminate(backend);
}

static void wait_until(const char *sql) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (strcmp(lab_ask(sql), "t") != 0) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
}

static void wait_until_asleep(void) {
    wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
}

/* One connection of each kind, so that it is known which one is lost. */
static void open_small(void) {
    shared_config *config = test_config();
    test_run_aside("TRUNCATE cases, documents, document_pages, document_chunks, task_outbox");
    OK(shared_config_set(config, "POOL_SHARED", "1"));
    OK(shared_config_set(config, "POOL_SIZE", "1"));
    OK(shared_config_set(config, "RECONNECT_MS_MAX", "10"));
    OK(shared_client_new(config, &client));
    OK(shared_session_new(client, &session));
    shared_config_free(config);
    /* What a test before this one left asleep or waiting behind its cut line. */
    test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE wait_event = 'PgSleep' OR wait_event_type = 'Lock'");
    wait_until("SELECT count(*) = 0 FROM pg_stat_activity"
               " WHERE wait_event = 'PgSleep' OR wait_event_type = 'Lock'");
}

static int backend_of(bool alone) {
    shared_query *query = NULL;
    uint64_t tag = tag_next++;
    OK(shared_query_new(0, "SELECT pg_backend_pid()", &query));
    if (alone) OK(shared_query_read_only(query));
    OK(shared_session_query(session, query, tag));
    shared_query_free(query);
    return (int)shared_record_int(shared_event_record(lab_success(tag), 0), 0);
}

static void begin_with_row(void) {
    lab_add("lost");
    OK(shared_session_enqueue(session, "lost", "[]", NULL));
    lab_query("SELECT 1", tag_next);
    (void)lab_success(tag_next++);
}

/* SHARED_ECLOSED, which another try may help; the server's reason if it gave one. */
static void lost(uint64_t tag, int way) {
    const shared_error *error = lab_failure(tag, SHARED_ECLOSED);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    ck_assert_int_eq(shared_error_domain(error), SHARED_POSTGRES);
    ck_assert_str_eq(shared_error_sqlstate(error), way == ENDED ? "57P01" : "");
}

/* Of what was begun nothing is stored, it cannot be gone on with, and a new transaction can. */
static void check_nothing_is_left(void) {
    lab_query("SELECT 1", 900);
    (void)lab_failure(900, SHARED_ECLOSED);
    OK(shared_session_commit(session, 901));
    (void)lab_failure(901, SHARED_ECLOSED);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM task_outbox"), "0");
    lab_add("new");
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask("SELECT string_agg(id, ' ') FROM documents"), "new");
}

/* --- no transaction ------------------------------------------------------------------------------- */

START_TEST(idle_the_next_request_does_not_notice) {
    open_small();
    int backend = backend_of(true);
    char gone[100];
    (void)snprintf(gone, sizeof gone, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %d",
                   backend);
    lose(_i, backend);
    if (_i == ENDED) wait_until(gone);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 1));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 0);
    ck_assert_int_ne(backend_of(true), backend);
    lab_close();
}
END_TEST

START_TEST(changes_that_wait_are_not_lost_with_an_idle_connection) {
    open_small();
    lab_add("first");
    (void)lab_commit();
    lab_add("second"); /* not sent yet */
    if (_i == CUT) {
        cut_all_lines();
    } else {
        test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
        wait_until("SELECT count(*) = 1 FROM pg_stat_activity"
                   " WHERE backend_type = 'client backend'");
    }
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "2");
    lab_close();
}
END_TEST

START_TEST(a_read_under_way_is_closed_and_may_be_asked_again) {
    open_small();
    shared_query *query = NULL;
    int backend = backend_of(true);
    OK(shared_query_new(0, "SELECT pg_sleep(60)", &query));
    OK(shared_query_read_only(query));
    OK(shared_session_query(session, query, 1));
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 2)); /* behind it */
    wait_until_asleep();
    lose(_i, backend);
    lost(1, _i);
    lost(2, _i);
    OK(shared_session_get(session, SHARED_DOCUMENT, "nobody", 3));
    (void)lab_success(3);
    shared_query_free(query);
    lab_close();
}
END_TEST

/* --- a transaction -------------------------------------------------------------------------------- */

START_TEST(an_open_transaction_is_closed_at_the_next_request) {
    open_small();
    int backend = backend_of(false);
    begin_with_row();
    lose(_i, backend);
    lab_query("SELECT 1", 1);
    lost(1, _i);
    check_nothing_is_left();
    lab_close();
}
END_TEST

START_TEST(a_statement_under_way_is_closed_with_its_transaction) {
    open_small();
    int backend = backend_of(false);
    begin_with_row();
    lab_query("SELECT pg_sleep(60)", 1);
    lab_query("SELECT 2", 2);
    wait_until_asleep();
    lose(_i, backend);
    lost(1, _i);
    lost(2, _i);
    check_nothing_is_left();
    lab_close();
}
END_TEST

/* The row that it writes is locked by somebody else, so that it is under way for long. */
static shared_session *lock_row(shared_client **other_client) {
    shared_query *query = NULL;
    shared_session *other = NULL;
    const shared_event *event = NULL;
    *other_client = test_client(NULL, NULL);
    OK(shared_session_new(*other_client, &other));
    OK(shared_query_new(0, "SELECT 1 FROM documents FOR UPDATE", &query));
    OK(shared_session_query(other, query, 1));
    OK(shared_client_wait(*other_client, 1, LAB_WAIT_MS, &event));
    shared_query_free(query);
    return other;
}

START_TEST(a_flush_under_way_is_closed_and_records_keep_what_was_set) {
    open_small();
    lab_add("old");
    (void)lab_commit();
    shared_record *record = lab_stored("old");
    shared_client *other_client = NULL;
    shared_session *other = lock_row(&other_client);
    int backend = backend_of(false);
    lab_rename(record, "new.pdf");
    OK(shared_session_update(session, record));
    OK(shared_session_flush(session, 1));
    wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    lose(_i, backend);
    lost(1, _i);
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    shared_session_free(other);
    shared_client_free(other_client);
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "new.pdf");
    OK(shared_session_update(session, record)); /* it still counts as changed */
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "new.pdf");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_savepoint_does_not_outlive_the_connection) {
    open_small();
    int backend = backend_of(false);
    begin_with_row();
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT 1", 1);
    (void)lab_success(1);
    lose(_i, backend);
    OK(shared_session_rollback_to(session, "s", 2));
    lost(2, _i);
    OK(shared_session_rollback_to(session, "s", 3)); /* nothing heals it but its end */
    lost(3, _i);
    check_nothing_is_left();
    lab_close();
}
END_TEST

/* --- its end -------------------------------------------------------------------------------------- */

START_TEST(a_rollback_goes_well_whatever_became_of_the_connection) {
    open_small();
    int backend = backend_of(false);
    begin_with_row();
    lose(_i, backend);
    OK(shared_session_rollback(session, 1));
    (void)lab_success(1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    lab_add("new");
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

static void make_slow_commit(void) {
    test_run_aside("CREATE TABLE IF NOT EXISTS slow (id int)");
    test_run_aside("CREATE OR REPLACE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'");
    test_run_aside("DROP TRIGGER IF EXISTS slow_down ON slow");
    test_run_aside("CREATE CONSTRAINT TRIGGER slow_down AFTER INSERT ON slow"
                   " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow_down()");
}

START_TEST(a_commit_under_way_is_unknown_and_all_or_nothing) {
    open_small();
    make_slow_commit();
    int backend = backend_of(false);
    begin_with_row();
    lab_query("INSERT INTO slow VALUES (1)", 0);
    OK(shared_session_commit(session, 1));
    wait_until_asleep();
    lose(_i, backend);
    ck_assert_int_eq(shared_error_class(lab_failure(1, SHARED_EUNKNOWN)), SHARED_RETRYABLE);
    ck_assert_str_eq(lab_ask("SELECT (SELECT count(*) FROM documents) ="
                             " (SELECT count(*) FROM task_outbox)"),
                     "t");
    lab_add("new"); /* the way to learn is to read; the session is as new */
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

/* Changes alone go in one batch that commits itself. A server that says why it ends has not done it. */
START_TEST(a_commit_of_changes_alone_is_told_by_what_the_server_said) {
    open_small();
    lab_add("old");
    (void)lab_commit();
    shared_record *record = lab_stored("old");
    shared_client *other_client = NULL;
    shared_session *other = lock_row(&other_client);
    lab_rename(record, "new.pdf");
    OK(shared_session_update(session, record));
    OK(shared_session_commit(session, 1));
    wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    if (_i == CUT) {
        cut_all_lines();
        ck_assert_int_eq(shared_error_class(lab_failure(1, SHARED_EUNKNOWN)), SHARED_RETRYABLE);
    } else {
        test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE wait_event_type = 'Lock'");
        lost(1, _i);
        ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    }
    shared_session_free(other);
    shared_client_free(other_client);
    shared_record_unref(record);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        idle_the_next_request_does_not_notice,
        changes_that_wait_are_not_lost_with_an_idle_connection,
        a_read_under_way_is_closed_and_may_be_asked_again,
        an_open_transaction_is_closed_at_the_next_request,
        a_statement_under_way_is_closed_with_its_transaction,
        a_flush_under_way_is_closed_and_records_keep_what_was_set,
        a_savepoint_does_not_outlive_the_connection,
        a_rollback_goes_well_whatever_became_of_the_connection,
        a_commit_under_way_is_unknown_and_all_or_nothing,
        a_commit_of_changes_alone_is_told_by_what_the_server_said,
    };
    lab_migrate();
    TCase *tcase = tcase_create("lost");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_loop_test(tcase, tests[i], 0, WAYS);
    return unit_run_case("lost", tcase);
}
