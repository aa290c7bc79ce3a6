/* SPDX-License-Identifier: MIT
 * test_pace.c - what is asked for behind a stream or a COPY waits for its user as long as it takes; the
 * deadline of a request counts the server's time.
 */
#include "lab.h"

enum { STREAM = 1, COPY, COMMIT, QUERY, READ, PAUSE };
static const char numbers[] = "SELECT n FROM generate_series(1, 100) AS n";

/* In the transaction of a change. */
static void begin_stream(void) {
    shared_query *query = NULL;
    lab_add("doc-1");
    OK(shared_query_new(0, numbers, &query));
    OK(shared_session_stream(session, query, 10, STREAM));
    shared_query_free(query);
}

/* Longer than a request may last. */
static void pause_long(void) {
    OK(shared_client_timer(client, 2600, PAUSE));
    (void)lab_success(PAUSE);
}

/* The rest of what comes piece by piece; its last event. */
static const shared_event *drain(uint64_t tag) {
    const shared_event *event = NULL;
    do {
        (void)shared_client_wait(client, tag, LAB_WAIT_MS, &event);
        ck_assert_ptr_nonnull(event);
    } while (shared_event_more(event));
    const shared_error *error = shared_event_error(event);
    ck_assert_msg(!error, "%s", shared_error_message(error));
    return event;
}

START_TEST(a_commit_waits_for_the_reader_of_a_stream) {
    lab_open_with("DATABASE_TIMEOUT_MS", "2000");
    begin_stream();
    OK(shared_session_commit(session, COMMIT));
    OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", READ)); /* behind the commit */
    pause_long();
    ck_assert_int_eq(shared_event_count(drain(STREAM)), 100);
    ck_assert_int_eq(shared_event_count(lab_success(COMMIT)), 1);
    ck_assert_int_eq(shared_event_count(lab_success(READ)), 1);
    lab_close();
}
END_TEST

START_TEST(a_query_waits_for_the_writer_of_a_copy) {
    lab_open_with("DATABASE_TIMEOUT_MS", "2000");
    OK(shared_session_copy_in(session, "COPY cases (id, title) FROM STDIN", COPY));
    lab_query("SELECT count(*) FROM cases", QUERY);
    OK(shared_session_copy_write(session, "a\tone\n", 6, 0));
    pause_long();
    OK(shared_session_copy_write(session, "b\ttwo\n", 6, 0));
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(COPY)), 2);
    ck_assert_int_eq(shared_record_int(shared_event_record(lab_success(QUERY), 0), 0), 2);
    ck_assert_int_eq(lab_commit(), 0);
    lab_close();
}
END_TEST

START_TEST(a_query_waits_for_the_reader_of_a_copy) {
    static const char big[] =
        "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 5000)) TO STDOUT";
    lab_open_with("DATABASE_TIMEOUT_MS", "2000");
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    OK(shared_session_copy_out(session, big, COPY));
    lab_query("SELECT 1", QUERY);
    pause_long();
    ck_assert_int_eq(shared_event_count(drain(COPY)), 5000);
    (void)lab_success(QUERY);
    (void)lab_commit();
    lab_close();
}
END_TEST

START_TEST(what_waited_has_its_deadline_from_when_it_is_sent) {
    lab_open_with("DATABASE_TIMEOUT_MS", "2000");
    OK(shared_session_copy_in(session, "COPY cases (id, title) FROM STDIN", COPY));
    lab_query("SELECT pg_sleep(20)", QUERY);
    OK(shared_session_copy_end(session, NULL));
    (void)lab_success(COPY);
    (void)lab_failure(QUERY, SHARED_ETIMEOUT);
    lab_close();
}
END_TEST

START_TEST(a_rollback_ends_a_copy_and_does_not_wait) {
    lab_open_with("DATABASE_TIMEOUT_MS", "2000");
    OK(shared_session_copy_in(session, "COPY cases (id, title) FROM STDIN", COPY));
    OK(shared_session_copy_write(session, "a\tone\n", 6, 0));
    OK(shared_session_rollback(session, QUERY));
    (void)lab_failure(COPY, SHARED_ECANCELLED);
    (void)lab_success(QUERY);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_commit_waits_for_the_reader_of_a_stream,
        a_query_waits_for_the_writer_of_a_copy,
        a_query_waits_for_the_reader_of_a_copy,
        what_waited_has_its_deadline_from_when_it_is_sent,
        a_rollback_ends_a_copy_and_does_not_wait,
    };
    return lab_run("pace", tests, sizeof tests / sizeof *tests);
}
