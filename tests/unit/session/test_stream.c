/* SPDX-License-Identifier: MIT
 * test_stream.c - rows of a query that come some at a time: all of them and in order, no more of them than
 * are taken, and nothing left behind however a stream ends.
 */
#include "lab.h"

enum { ROWS = 1000 };

static void stream(shared_session *from, const char *sql, int32_t rows_per_event, uint64_t tag) {
    shared_query *query = NULL;
    OK(shared_query_new(0, sql, &query));
    OK(shared_session_stream(from, query, rows_per_event, tag));
    shared_query_free(query);
}

/* The next event of a stream, of whatever kind. */
static const shared_event *next(uint64_t tag) {
    const shared_event *event = NULL;
    (void)shared_client_wait(client, tag, LAB_WAIT_MS, &event);
    ck_assert_msg(event != NULL, "tag %llu: no event", (unsigned long long)tag);
    return event;
}

/* The rest of a stream of numbers that goes on with number first; how many there were, or the code that it
 * ended with. */
static int64_t drain(uint64_t tag, int64_t first) {
    int64_t number = first;
    const shared_event *event;
    while (shared_event_more(event = next(tag))) {
        ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
        ck_assert_int_gt(shared_event_count(event), 0);
        for (int64_t i = 0; i < shared_event_count(event); i++)
            ck_assert_int_eq(shared_record_int(shared_event_record(event, i), 0), number++);
    }
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    const shared_error *error = shared_event_error(event);
    if (error) return shared_error_code(error);
    ck_assert_int_eq(shared_event_count(event), number - 1);
    return number - 1;
}

static const char numbers[] = "SELECT n FROM generate_series(1, 1000) AS n";

/* What sessions of ours other than the asking one are at, in transactions. */
static const char busy_count[] =
    "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    " AND backend_type = 'client backend'";

static void wait_until_idle(void) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (strcmp(lab_ask(busy_count), "0") != 0) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
}

START_TEST(all_rows_come_in_order_in_batches_of_any_size) {
    static const int32_t sizes[] = {1, 7, 100, ROWS - 1, ROWS, ROWS + 1};
    lab_open();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        stream(session, numbers, sizes[i], 1);
        ck_assert_int_eq(drain(1, 1), ROWS);
    }
    stream(session, "SELECT 1 WHERE false", 10, 2);
    ck_assert_int_eq(drain(2, 1), 0);
    wait_until_idle();
    lab_close();
}
END_TEST

START_TEST(a_query_of_a_model_streams_records_and_has_its_values) {
    shared_query *query = NULL;
    int64_t count = 0;
    const shared_event *event;
    lab_open();
    test_run_aside("INSERT INTO documents (id, file_name) SELECT 'doc-' || n, 'f' || n || '.pdf'"
                   " FROM generate_series(100, 199) AS n");
    OK(shared_query_new(SHARED_DOCUMENT, "id >= $1", &query));
    OK(shared_query_bind_text(query, 1, "doc-150", 7));
    OK(shared_query_order(query, "id"));
    OK(shared_query_limit(query, 40));
    OK(shared_session_stream(session, query, 16, 1));
    shared_query_free(query);
    while (shared_event_more(event = next(1)))
        for (int64_t i = 0; i < shared_event_count(event); i++, count++) {
            char id[16];
            (void)snprintf(id, sizeof id, "doc-%d", (int)(150 + count));
            shared_record *record = shared_event_record(event, i);
            ck_assert_int_eq(shared_record_model(record), SHARED_DOCUMENT);
            ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ID), id);
        }
    ck_assert_ptr_null(shared_event_error(event));
    ck_assert_int_eq(count, 40);
    ck_assert_int_eq(shared_event_count(event), 40);
    lab_close();
}
END_TEST

/* --- back-pressure -------------------------------------------------------------------------------- */

/* How far the server has come: rows it has made. */
static void make_counted(void) {
    test_run_aside("DROP SEQUENCE IF EXISTS made");
    test_run_aside("CREATE SEQUENCE made");
}

START_TEST(the_server_reads_no_further_than_two_batches_ahead) {
    lab_open();
    make_counted();
    stream(session, "SELECT nextval('made') FROM generate_series(1, 1000)", 10, 1);
    UNTIL(client, client_events_waiting(client, 1) == 2);
    for (uint64_t tag = 10; tag < 20; tag++) { /* what could bring more had its chance */
        OK(shared_session_get(session, SHARED_DOCUMENT, "none", tag));
        (void)lab_success(tag);
        ck_assert_int_eq(client_events_waiting(client, 1), 2);
    }
    ck_assert_str_eq(lab_ask("SELECT last_value FROM made"), "20");
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    UNTIL(client, client_events_waiting(client, 1) == 2);
    ck_assert_str_eq(lab_ask("SELECT last_value FROM made"), "30");
    ck_assert_int_eq(drain(1, 11), ROWS);
    lab_close();
}
END_TEST

START_TEST(a_reader_who_polls_is_woken_for_each_batch) {
    const shared_event *event;
    int64_t count = 0, deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    bool over = false;
    lab_open();
    stream(session, numbers, 3, 1);
    while (!over) {
        test_turn(client, deadline_ms);
        while ((event = shared_client_next(client))) {
            if (shared_event_more(event)) count += shared_event_count(event);
            over = !shared_event_more(event);
        }
    }
    ck_assert_int_eq(count, ROWS);
    lab_close();
}
END_TEST

START_TEST(a_slow_reader_may_take_longer_than_a_statement_may) {
    lab_open_with("DATABASE_TIMEOUT_MS", "1000");
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    OK(shared_client_timer(client, 2200, 2));
    (void)lab_success(2);
    ck_assert_int_eq(drain(1, 11), ROWS);
    lab_close();
}
END_TEST

/* --- beside others -------------------------------------------------------------------------------- */

START_TEST(the_session_does_other_things_between_two_batches) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    stream(session, numbers, 100, 1);
    int64_t seen = 0;
    const shared_event *event;
    for (uint64_t tag = 10; shared_event_more(event = next(1)); tag++) {
        seen += shared_event_count(event);
        OK(shared_session_get(session, SHARED_DOCUMENT, "doc-1", tag));
        ck_assert_int_eq(shared_event_count(lab_success(tag)), 1);
        lab_add(NULL);
        ck_assert_int_eq(lab_commit(), 1);
    }
    ck_assert_int_eq(shared_event_count(event), ROWS);
    ck_assert_int_eq(seen, ROWS);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "11");
    lab_close();
}
END_TEST

START_TEST(two_streams_of_one_session_and_one_of_another_run_at_once) {
    shared_session *other = NULL;
    lab_open();
    OK(shared_session_new(client, &other));
    stream(session, numbers, 10, 1);
    stream(session, numbers, 13, 2);
    stream(other, numbers, 17, 3);
    int64_t counts[4] = {0};
    for (int open = 3; open;) {
        for (uint64_t tag = 1; tag <= 3; tag++) {
            if (counts[tag] < 0) continue;
            const shared_event *event = next(tag);
            if (shared_event_more(event)) {
                counts[tag] += shared_event_count(event);
                continue;
            }
            ck_assert_int_eq(shared_event_count(event), ROWS);
            ck_assert_int_eq(counts[tag], ROWS);
            counts[tag] = -1;
            open--;
        }
    }
    shared_session_free(other);
    lab_close();
}
END_TEST

START_TEST(a_stream_comes_behind_what_was_asked_for_before_and_before_what_comes_after) {
    lab_open();
    lab_add("doc-1");
    lab_add("doc-2");
    OK(shared_session_commit(session, 1));
    stream(session, "SELECT count(*) FROM documents", 10, 2);
    lab_add("doc-3");
    OK(shared_session_commit(session, 3));
    const shared_event *event = next(2);
    ck_assert_int_eq(shared_record_int(shared_event_record(event, 0), 0), 2);
    ck_assert_int_eq(shared_event_more(next(2)), 0);
    (void)lab_success(1);
    (void)lab_success(3);
    lab_close();
}
END_TEST

/* --- in an open transaction ----------------------------------------------------------------------- */

START_TEST(in_a_transaction_it_sees_what_that_one_changed_and_the_commit_waits) {
    lab_open();
    lab_query("INSERT INTO cases (id, title) SELECT n::text, 't' FROM generate_series(1, 50) AS n",
              0);
    lab_add("doc-1"); /* is flushed before it */
    stream(session, "SELECT id::int FROM cases ORDER BY id::int", 4, 1);
    stream(session, "SELECT row_number() OVER () FROM documents", 4, 2);
    OK(shared_session_commit(session, 3));
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    ck_assert_int_eq(drain(2, 1), 1);
    ck_assert_int_eq(drain(1, 1), 50);
    (void)lab_success(3);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "50");
    lab_close();
}
END_TEST

START_TEST(statements_of_the_transaction_run_between_two_batches) {
    lab_open();
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, numbers, 100, 1);
    for (uint64_t tag = 10; tag < 15; tag++) {
        ck_assert_int_eq(shared_event_count(next(1)), 100);
        lab_query("INSERT INTO cases (id, title) SELECT gen_random_uuid()::text, 't'", tag);
        ck_assert_int_eq(shared_event_count(lab_success(tag)), 1);
    }
    OK(shared_client_cancel(client, 1)); /* and the transaction goes on */
    ck_assert_int_eq(drain(1, 501), SHARED_ECANCELLED);
    stream(session, numbers, 300, 2);
    ck_assert_int_eq(drain(2, 1), ROWS);
    lab_query("SELECT count(*) FROM pg_cursors WHERE name LIKE 'shared%'", 3);
    ck_assert_int_eq(shared_record_int(shared_event_record(lab_success(3), 0), 0), 0);
    (void)lab_commit();
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "5");
    lab_close();
}
END_TEST

START_TEST(a_rollback_ends_it) {
    lab_open();
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    ck_assert_int_eq(drain(1, 11), SHARED_ECANCELLED);
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(drain(1, 1), ROWS);
    lab_close();
}
END_TEST

START_TEST(a_rollback_to_a_savepoint_ends_those_behind_it) {
    lab_open();
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, numbers, 10, 1);
    OK(shared_session_savepoint(session, "here"));
    stream(session, numbers, 10, 2);
    ck_assert_int_eq(shared_event_count(next(2)), 10);
    OK(shared_session_rollback_to(session, "here", 3));
    ck_assert_int_eq(drain(2, 11), SHARED_ECANCELLED);
    (void)lab_success(3);
    ck_assert_int_eq(drain(1, 1), ROWS);
    stream(session, numbers, 100, 4);
    ck_assert_int_eq(drain(4, 1), ROWS);
    (void)lab_commit();
    lab_close();
}
END_TEST

START_TEST(another_statements_failure_in_the_transaction_ends_it) {
    lab_open();
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    lab_query("SELECT 1 / 0", 2);
    (void)lab_failure(2, SHARED_EREMOTE);
    ck_assert_int_eq(drain(1, 11), SHARED_EREMOTE);
    OK(shared_session_rollback(session, 3));
    (void)lab_success(3);
    lab_close();
}
END_TEST

/* --- ends before its time ------------------------------------------------------------------------- */

START_TEST(a_cancelled_stream_gives_its_connection_back_clean) {
    lab_open_with("POOL_SIZE", "1");
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    OK(shared_client_cancel(client, 1));
    ck_assert_int_eq(drain(1, 11), SHARED_ECANCELLED);
    lab_query("SELECT count(*) FROM pg_cursors WHERE name LIKE 'shared%'",
              2); /* on the only connection */
    ck_assert_int_eq(shared_record_int(shared_event_record(lab_success(2), 0), 0), 0);
    OK(shared_session_rollback(session, 3));
    (void)lab_success(3);
    wait_until_idle();
    lab_close();
}
END_TEST

START_TEST(a_stream_is_cancelled_while_the_server_is_at_work_and_while_it_waits) {
    lab_open_with("POOL_SIZE", "1");
    stream(session, "SELECT pg_sleep(60)", 10, 1);
    stream(session, numbers, 10, 2); /* waits for the connection */
    OK(shared_client_cancel(client, 2));
    (void)lab_failure(2, SHARED_ECANCELLED);
    lab_query("SELECT 1", 3); /* opens a transaction, for which the next one waits */
    OK(shared_session_commit(session, 4));
    stream(session, numbers, 10, 5);
    OK(shared_client_cancel(client, 5));
    (void)lab_failure(5, SHARED_ECANCELLED);
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    (void)lab_success(3);
    (void)lab_success(4);
    wait_until_idle();
    lab_close();
}
END_TEST

START_TEST(a_statement_that_takes_too_long_ends_it_and_its_transaction) {
    lab_open_with("DATABASE_TIMEOUT_MS", "300");
    stream(session, "SELECT pg_sleep(60)", 10, 1);
    (void)lab_failure(1, SHARED_ETIMEOUT);
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, "SELECT pg_sleep(60)", 10, 2);
    (void)lab_failure(2, SHARED_ETIMEOUT);
    OK(shared_session_commit(session, 3));
    (void)lab_failure(3, SHARED_ETIMEOUT);
    lab_close();
}
END_TEST

START_TEST(an_error_in_the_middle_comes_behind_the_rows_before_it) {
    lab_open();
    stream(session, "SELECT n + 0 / (500 - n) FROM generate_series(1, 1000) AS n", 10, 1);
    int64_t count = 0;
    const shared_event *event;
    while (shared_event_more(event = next(1))) count += shared_event_count(event);
    ck_assert_int_eq(count, 490);
    ck_assert_str_eq(shared_error_sqlstate(shared_event_error(event)), "22012");
    ck_assert_str_eq(shared_error_operation(shared_event_error(event)), "shared_session_stream");
    stream(session, numbers, 100, 1);
    ck_assert_int_eq(drain(1, 1), ROWS);
    wait_until_idle();
    lab_close();
}
END_TEST

START_TEST(a_killed_connection_ends_it_with_a_retryable_error) {
    lab_open();
    stream(session, "SELECT n, pg_backend_pid() FROM generate_series(1, 1000) AS n", 10, 1);
    test_terminate((int)shared_record_int(shared_event_record(next(1), 0), 1));
    const shared_event *event;
    while (shared_event_more(event = next(1))) ck_assert_int_eq(shared_event_count(event), 10);
    const shared_error *error = shared_event_error(event);
    ck_assert_int_eq(shared_error_code(error), SHARED_ECLOSED);
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    stream(session, numbers, 100, 1);
    ck_assert_int_eq(drain(1, 1), ROWS);
    lab_close();
}
END_TEST

START_TEST(freeing_the_session_ends_it) {
    lab_open();
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    stream(session, numbers, 10, 2);
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    stream(session, numbers, 10, 3);
    shared_session_free(session);
    ck_assert_int_eq(drain(1, 11), SHARED_ECANCELLED);
    ck_assert_int_eq(drain(2, 1), SHARED_ECANCELLED);
    ck_assert_int_eq(drain(3, 1), SHARED_ECANCELLED);
    session = NULL;
    wait_until_idle();
    lab_close();
}
END_TEST

START_TEST(freeing_the_client_first_is_allowed) {
    lab_open();
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(shared_event_count(next(1)), 10);
    UNTIL(client, client_events_waiting(client, 1) == 2);
    stream(session, numbers, 10, 2);
    shared_client_free(client);
    client = NULL;
    ck_assert_int_lt(shared_session_commit(session, 3), 0);
    lab_close();
}
END_TEST

/* --- what is refused ------------------------------------------------------------------------------ */

START_TEST(what_cannot_be_streamed_is_refused_with_a_reason) {
    shared_query *query = NULL;
    lab_open();
    OK(shared_query_new(0, numbers, &query));
    ck_assert_int_eq(shared_session_stream(session, query, 0, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_stream(session, query, 10001, 1), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "rows_per_event: 10001, must be 1 to STREAM_ROWS_MAX = 10000");
    ck_assert_int_eq(shared_session_stream(session, query, 1, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_stream(session, NULL, 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_stream(NULL, query, 1, 1), SHARED_EINVALID);
    shared_query_free(query);
    stream(session, "DELETE FROM cases RETURNING 1", 10, 1);
    (void)lab_failure(1, SHARED_EREMOTE);
    stream(session, numbers, 10, 1);
    ck_assert_int_eq(drain(1, 1), ROWS);
    lab_close();
}
END_TEST

START_TEST(a_query_said_to_read_only_cannot_write) {
    shared_query *query = NULL;
    lab_open();
    make_counted();
    OK(shared_query_new(0, "SELECT nextval('made')", &query));
    OK(shared_query_read_only(query));
    OK(shared_session_stream(session, query, 10, 1));
    shared_query_free(query);
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "25006");
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        all_rows_come_in_order_in_batches_of_any_size,
        a_query_of_a_model_streams_records_and_has_its_values,
        the_server_reads_no_further_than_two_batches_ahead,
        a_reader_who_polls_is_woken_for_each_batch,
        a_slow_reader_may_take_longer_than_a_statement_may,
        the_session_does_other_things_between_two_batches,
        two_streams_of_one_session_and_one_of_another_run_at_once,
        a_stream_comes_behind_what_was_asked_for_before_and_before_what_comes_after,
        in_a_transaction_it_sees_what_that_one_changed_and_the_commit_waits,
        statements_of_the_transaction_run_between_two_batches,
        a_rollback_ends_it,
        a_rollback_to_a_savepoint_ends_those_behind_it,
        another_statements_failure_in_the_transaction_ends_it,
        a_cancelled_stream_gives_its_connection_back_clean,
        a_stream_is_cancelled_while_the_server_is_at_work_and_while_it_waits,
        a_statement_that_takes_too_long_ends_it_and_its_transaction,
        an_error_in_the_middle_comes_behind_the_rows_before_it,
        a_killed_connection_ends_it_with_a_retryable_error,
        freeing_the_session_ends_it,
        freeing_the_client_first_is_allowed,
        what_cannot_be_streamed_is_refused_with_a_reason,
        a_query_said_to_read_only_cannot_write,
    };
    return lab_run("session_stream", tests, sizeof tests / sizeof *tests);
}
