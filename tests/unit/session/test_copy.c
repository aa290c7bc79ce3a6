/* SPDX-License-Identifier: MIT
 * test_copy.c - COPY of bytes to and from the user: the same bytes whichever way they are cut, no faster than
 * they are taken, and a session that works afterwards however it ended.
 */
#include "lab.h"
#include "session/session_private.h"

enum { MANY = 100000 };

static const shared_event *next(uint64_t tag) {
    const shared_event *event = NULL;
    (void)shared_client_wait(client, tag, LAB_WAIT_MS, &event);
    ck_assert_msg(event != NULL, "tag %llu: no event", (unsigned long long)tag);
    return event;
}

/* The rest of a COPY to us, and its last event. */
static const shared_event *drain(uint64_t tag, struct buffer *out) {
    const shared_event *event;
    while (shared_event_more(event = next(tag))) {
        size_t size = 0;
        ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DATA);
        const char *bytes = shared_event_data(event, &size);
        ck_assert_uint_gt(size, 0);
        ck_assert_int_eq((int64_t)size, shared_event_count(event));
        buffer_add(out, bytes, size);
    }
    ck_assert(!out->failed);
    return event;
}

static void copy_out_all(const char *sql, struct buffer *out, int64_t rows) {
    OK(shared_session_copy_out(session, sql, 1));
    const shared_event *event = drain(1, out);
    ck_assert_msg(!shared_event_error(event), "%s",
                  shared_error_message(shared_event_error(event)));
    ck_assert_int_eq(shared_event_count(event), rows);
    size_t size = 1;
    ck_assert_str_eq(shared_event_data(event, &size), "");
    ck_assert_uint_eq(size, 0);
}

static void write_all(const char *bytes, size_t size, size_t piece) {
    for (size_t at = 0; at < size; at += piece) {
        size_t left = size - at;
        OK(shared_session_copy_write(session, bytes + at, left < piece ? left : piece, 5));
        (void)lab_success(5);
    }
}

static void write_text(const char *text) {
    OK(shared_session_copy_write(session, text, strlen(text), 0));
}

static const char into_cases[] = "COPY cases (id, title) FROM STDIN";

static void make_all_types(void) {
    for (int i = 0; i < 2; i++) {
        char sql[400];
        const char *name = i ? "taken" : "given";
        (void)snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", name);
        test_run_aside(sql);
        (void)snprintf(sql, sizeof sql,
                       "CREATE TABLE %s (n int, t text, f float8, b bool, d numeric, w timestamptz,"
                       " u uuid, j jsonb, y bytea, ta text[], ia bigint[], e text)",
                       name);
        test_run_aside(sql);
    }
    test_run_aside("INSERT INTO given SELECT n, E'tab\\there \\\\ line\\n' || n || ' äöü', n / 7.0,"
                   " n % 2 = 0, n * 1.000000001, now() + n * interval '1 second',"
                   " gen_random_uuid(), jsonb_build_object('n', n), decode(md5(n::text), 'hex'),"
                   " ARRAY['a', NULL, 'c,\"' || n], ARRAY[n, NULL, -n], NULL"
                   " FROM generate_series(1, 100000) AS n");
}

/* --- there and back ------------------------------------------------------------------------------- */

static void check_round_trip(const char *format) {
    struct buffer first = {0}, second = {0};
    char sql[128];
    test_run_aside("TRUNCATE taken");
    (void)snprintf(sql, sizeof sql, "COPY given TO STDOUT %s", format);
    copy_out_all(sql, &first, MANY);
    (void)snprintf(sql, sizeof sql, "COPY taken FROM STDIN %s", format);
    OK(shared_session_copy_in(session, sql, 2));
    write_all(first.data, first.size, 777777);
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(2)), MANY);
    (void)lab_commit();
    (void)snprintf(sql, sizeof sql, "COPY taken TO STDOUT %s", format);
    copy_out_all(sql, &second, MANY);
    ck_assert_uint_eq(first.size, second.size);
    ck_assert(!memcmp(first.data, second.data, first.size));
    buffer_finish(&first);
    buffer_finish(&second);
}

START_TEST(many_rows_of_all_types_come_back_byte_for_byte) {
    lab_open();
    make_all_types();
    check_round_trip("");
    check_round_trip("(FORMAT csv)");
    check_round_trip("(FORMAT binary)");
    lab_close();
}
END_TEST

START_TEST(what_is_written_may_be_cut_anywhere) {
    static const char text[] = "a\tone\nb\ttwo \\\\ x\nc\tthree\n";
    lab_open();
    for (size_t at = 0; at < sizeof text; at++) {
        OK(shared_session_copy_in(session, into_cases, 1));
        OK(shared_session_copy_write(session, text, at, 2));
        OK(shared_session_copy_write(session, text + at, sizeof text - 1 - at, 3));
        OK(shared_session_copy_end(session, NULL));
        ck_assert_int_eq(shared_event_count(lab_success(1)), 3);
        ck_assert_int_eq(shared_event_count(lab_success(2)), (int64_t)at);
        (void)lab_success(3);
        lab_query("SELECT string_agg(title, '|' ORDER BY id) FROM cases", 4);
        ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(4), 0), 0),
                         "one|two \\ x|three");
        OK(shared_session_rollback(session, 6));
        (void)lab_success(6);
    }
    OK(shared_session_copy_in(session, into_cases, 1));
    write_all(text, sizeof text - 1, 1);
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 3);
    lab_close();
}
END_TEST

START_TEST(nothing_to_copy_is_fine) {
    struct buffer bytes = {0};
    lab_open();
    copy_out_all("COPY cases TO STDOUT", &bytes, 0);
    ck_assert_uint_eq(bytes.size, 0);
    OK(shared_session_copy_in(session, into_cases, 2));
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(2)), 0);
    OK(shared_session_copy_in(session, into_cases, 2));
    OK(shared_session_copy_write(session, NULL, 0, 3));
    (void)lab_success(3);
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(2)), 0);
    (void)lab_commit();
    lab_close();
}
END_TEST

/* --- in a transaction ----------------------------------------------------------------------------- */

START_TEST(it_is_one_transaction_with_the_changes_around_it) {
    lab_open();
    lab_add("doc-1"); /* is flushed before it */
    OK(shared_session_copy_in(session, into_cases, 1));
    write_text("a\tone\n");
    ck_assert_int_eq(shared_session_commit(session, 2), SHARED_EINVALID);
    OK(shared_session_copy_end(session, NULL));
    OK(shared_session_copy_in(session, into_cases,
                              3)); /* the next, before the first was answered */
    write_text("b\ttwo\n");
    OK(shared_session_copy_end(session, NULL));
    lab_query("UPDATE cases SET title = upper(title)", 4);
    struct buffer bytes = {0};
    OK(shared_session_copy_out(session, "COPY (SELECT title FROM cases ORDER BY id) TO STDOUT", 5));
    OK(shared_session_commit(session, 6));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 1);
    ck_assert_int_eq(shared_event_count(lab_success(3)), 1);
    ck_assert_int_eq(shared_event_count(lab_success(4)), 2);
    ck_assert_int_eq(shared_event_count(drain(5, &bytes)), 2);
    ck_assert_str_eq(bytes.data, "ONE\nTWO\n");
    (void)lab_success(6);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "2");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "1");
    buffer_finish(&bytes);
    lab_close();
}
END_TEST

START_TEST(a_rollback_ends_an_open_one_and_undoes_it) {
    lab_open();
    OK(shared_session_copy_in(session, into_cases, 1));
    write_text("a\tone\n");
    OK(shared_session_rollback(session, 2));
    const shared_error *error = lab_failure(1, SHARED_ECANCELLED);
    ck_assert_msg(strstr(shared_error_message(error), "rolled back") != NULL, "%s",
                  shared_error_message(error));
    (void)lab_success(2);
    ck_assert_int_eq(shared_session_copy_write(session, "x", 1, 0), SHARED_EINVALID);
    lab_query("SELECT count(*) FROM cases", 3);
    ck_assert_int_eq(shared_record_int(shared_event_record(lab_success(3), 0), 0), 0);
    lab_close();
}
END_TEST

START_TEST(a_freed_session_still_stores_what_it_was_told_to_commit) {
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    lab_open();
    OK(shared_session_copy_in(session, into_cases, 0));
    write_text("a\tone\n");
    OK(shared_session_copy_end(session, NULL));
    OK(shared_session_commit(session, 0));
    UNTIL(client, session->first->postgres != NULL && session->first->last->given);
    shared_session_free(session);
    session = NULL;
    while (strcmp(lab_ask("SELECT count(*) FROM cases"), "1") != 0) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
    lab_close();
}
END_TEST

/* --- no faster than it is taken ------------------------------------------------------------------- */

static const char big[] =
    "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT";

static const char out_is_blocked[] = "SELECT count(*) FROM pg_stat_activity"
                                     " WHERE wait_event = 'ClientWrite' AND query LIKE 'COPY%'";

START_TEST(who_does_not_take_bytes_stops_the_server) {
    struct buffer bytes = {0};
    lab_open_with("DATABASE_TIMEOUT_MS", "1500"); /* which is not for the user's time */
    OK(shared_session_copy_out(session, big, 1));
    UNTIL(client, client_events_waiting(client, 1) == 2);
    while (strcmp(lab_ask(out_is_blocked), "1") != 0)
        ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    OK(shared_client_timer(client, 3200, 2));
    (void)lab_success(2);
    ck_assert_int_eq(client_events_waiting(client, 1), 2);
    OK(shared_session_get(session, SHARED_DOCUMENT, "none", 3)); /* the session is free */
    (void)lab_success(3);
    ck_assert_int_eq(shared_event_count(drain(1, &bytes)), 20000);
    ck_assert_uint_eq(bytes.size, 20000 * 1001);
    buffer_finish(&bytes);
    lab_close();
}
END_TEST

static const char lock[] = "LOCK TABLE cases IN ACCESS EXCLUSIVE MODE";

START_TEST(bytes_that_the_server_does_not_take_are_bounded) {
    shared_session *other = NULL;
    shared_query *query = NULL;
    static char row[1024];
    memset(row, 'x', sizeof row); /* of a line that does not end */
    lab_open_with("COPY_BYTES_MAX", "4096");
    OK(shared_session_new(client, &other));
    OK(shared_query_new(0, lock, &query)); /* the copy has to wait for it */
    OK(shared_session_query(other, query, 1));
    (void)lab_success(1);
    OK(shared_session_copy_in(session, into_cases, 2));
    for (int i = 0; i < 4; i++) OK(shared_session_copy_write(session, row, sizeof row, 0));
    ck_assert_int_eq(shared_session_copy_write(session, row, 1, 3), SHARED_EBUSY);
    ck_assert_int_eq(shared_session_copy_write(session, row, 4097, 3), SHARED_EINVALID);
    OK(shared_session_copy_write(session, row, 0, 3));
    OK(shared_session_copy_end(session, "enough"));
    OK(shared_session_rollback(other, 4));
    (void)lab_success(4);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(lab_failure(2, SHARED_ECANCELLED)), "enough"));
    (void)lab_event(3); /* whether its bytes left before the end or not */
    shared_query_free(query);
    shared_session_free(other);
    lab_close();
}
END_TEST

START_TEST(an_open_copy_waits_for_its_user_as_long_as_it_takes) {
    lab_open_with("DATABASE_TIMEOUT_MS", "1000");
    OK(shared_session_copy_in(session, into_cases, 1));
    write_text("a\tone\n");
    OK(shared_client_timer(client, 2200, 2));
    (void)lab_success(2);
    write_text("b\ttwo\n");
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 2);
    (void)lab_commit();
    lab_close();
}
END_TEST

/* --- failures ------------------------------------------------------------------------------------- */

static void works_again(void) {
    struct buffer bytes = {0};
    OK(shared_session_rollback(session, 80));
    (void)lab_success(80);
    copy_out_all("COPY (SELECT 1) TO STDOUT", &bytes, 1);
    ck_assert_str_eq(bytes.data, "1\n");
    buffer_finish(&bytes);
    OK(shared_session_copy_in(session, into_cases, 81));
    write_text("again\tt\n");
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(81)), 1);
    (void)lab_commit();
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "1");
}

START_TEST(the_user_may_say_that_the_data_is_bad) {
    lab_open();
    OK(shared_session_copy_in(session, into_cases, 1));
    write_text("a\tone\n");
    OK(shared_session_copy_end(session, "the file is cut short"));
    const shared_error *error = lab_failure(1, SHARED_ECANCELLED);
    ck_assert_str_eq(shared_error_sqlstate(error), "57014");
    ck_assert_str_eq(shared_error_message(error), "COPY from stdin failed: the file is cut short");
    OK(shared_session_commit(session, 2));
    (void)lab_event(2);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
    works_again();
    lab_close();
}
END_TEST

START_TEST(a_bad_row_is_told_with_its_line_before_the_end) {
    lab_open();
    OK(shared_session_copy_in(session, into_cases, 1));
    write_text("a\tone\nb\ttwo\nc\tthree\tfour\nd\tfive\n");
    const shared_error *error = lab_failure(1, SHARED_EREMOTE); /* nothing was ended by us */
    ck_assert_str_eq(shared_error_sqlstate(error), "22P04");
    ck_assert_msg(strstr(shared_error_detail(error), "COPY cases, line 3") != NULL, "%s",
                  shared_error_detail(error));
    ck_assert_int_eq(shared_session_copy_write(session, "x", 1, 2), SHARED_EREMOTE);
    OK(shared_session_copy_end(session, NULL));
    works_again();
    lab_close();
}
END_TEST

START_TEST(notices_do_not_end_it) {
    lab_open();
    test_run_aside("CREATE OR REPLACE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN RAISE NOTICE ''%'', repeat(NEW.id, 3000); RETURN NEW; END'");
    test_run_aside("CREATE OR REPLACE TRIGGER speak BEFORE INSERT ON cases FOR EACH ROW"
                   " EXECUTE FUNCTION speak()");
    OK(shared_session_copy_in(session, into_cases, 1));
    for (int i = 0; i < 1000; i++) {
        char row[32];
        (void)snprintf(row, sizeof row, "%d\tt\n", i);
        OK(shared_session_copy_write(session, row, strlen(row), 2));
        (void)lab_success(2);
    }
    OK(shared_client_timer(client, 500, 3)); /* longer than a doubt lasts */
    (void)lab_success(3);
    write_text("last\tt\n");
    OK(shared_session_copy_end(session, NULL));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 1001);
    (void)lab_commit();
    test_run_aside("DROP TRIGGER speak ON cases");
    lab_close();
}
END_TEST

START_TEST(an_error_in_the_middle_of_what_comes_out) {
    struct buffer bytes = {0};
    lab_open();
    OK(shared_session_copy_out(
        session, "COPY (SELECT n + 0 / (500 - n) FROM generate_series(1, 1000) AS n) TO STDOUT",
        1));
    const shared_event *event = drain(1, &bytes);
    ck_assert_str_eq(shared_error_sqlstate(shared_event_error(event)), "22012");
    ck_assert_str_eq(shared_error_operation(shared_event_error(event)), "shared_session_copy_out");
    buffer_finish(&bytes);
    works_again();
    lab_close();
}
END_TEST

START_TEST(a_killed_connection_ends_both_ways) {
    struct buffer bytes = {0};
    lab_open();
    OK(shared_session_copy_out(session, big, 1));
    UNTIL(client, client_events_waiting(client, 1) == 2);
    test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE query LIKE 'COPY (SELECT repeat%'");
    ck_assert_int_eq(shared_error_code(shared_event_error(drain(1, &bytes))), SHARED_ECLOSED);
    buffer_finish(&bytes);
    OK(shared_session_copy_in(session, into_cases, 2));
    OK(shared_session_copy_write(session, "a\tone\n", 6, 3));
    (void)lab_success(3);
    test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE query LIKE 'COPY cases%'");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_ECLOSED)), "57P01");
    works_again();
    lab_close();
}
END_TEST

START_TEST(each_is_cancelled_at_any_time) {
    struct buffer bytes = {0};
    lab_open_with("POOL_SIZE", "1");
    for (int when = 0; when < 3; when++) {
        OK(shared_session_copy_out(session, big, 1));
        if (when) UNTIL(client, client_events_waiting(client, 1) >= when);
        OK(shared_client_cancel(client, 1));
        const shared_event *event = drain(1, &bytes);
        ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
        OK(shared_session_copy_in(session, into_cases, 2));
        OK(shared_session_copy_write(session, "a\tone\n", 6, 3));
        if (when) (void)lab_success(3);
        OK(shared_client_cancel(client, 2));
        (void)lab_failure(2, SHARED_ECANCELLED);
        if (!when) (void)lab_failure(3, SHARED_ECANCELLED);
        OK(shared_session_rollback(session, 4));
        (void)lab_success(4);
    }
    buffer_finish(&bytes);
    works_again();
    lab_close();
}
END_TEST

START_TEST(cancelled_in_a_transaction_it_fails_that) {
    struct buffer bytes = {0};
    lab_open();
    lab_query("INSERT INTO cases (id, title) VALUES ('c', 't')", 0);
    OK(shared_session_copy_out(session, big, 1));
    UNTIL(client, client_events_waiting(client, 1) == 2);
    lab_query("SELECT 1", 2); /* waits behind it */
    OK(shared_client_cancel(client, 1));
    const shared_event *event = drain(1, &bytes);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    (void)lab_failure(2, SHARED_ECANCELLED);
    OK(shared_session_commit(session, 3));
    (void)lab_failure(3, SHARED_ECANCELLED);
    buffer_finish(&bytes);
    works_again();
    lab_close();
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_not_waited_for) {
    shared_session *other = NULL;
    shared_query *query = NULL;
    lab_open_with("DATABASE_TIMEOUT_MS", "1000");
    OK(shared_session_new(client, &other));
    OK(shared_query_new(0, lock, &query));
    OK(shared_session_query(other, query, 1));
    (void)lab_success(1);
    OK(shared_session_copy_out(session, "COPY cases TO STDOUT", 2));
    (void)lab_failure(2, SHARED_ETIMEOUT);
    OK(shared_session_copy_in(session, into_cases, 3));
    OK(shared_session_copy_write(session, "a\tb\n", 4, 4));
    (void)lab_failure(3, SHARED_ETIMEOUT);
    (void)lab_failure(4, SHARED_ETIMEOUT);
    shared_session_free(other);
    shared_query_free(query);
    OK(shared_session_copy_end(session, NULL));
    works_again();
    lab_close();
}
END_TEST

START_TEST(a_write_may_be_cancelled_but_not_its_bytes) {
    lab_open();
    OK(shared_session_copy_in(session, into_cases, 1));
    OK(shared_session_copy_write(session, "a\to", 3, 2));
    OK(shared_session_copy_write(session, "ne\n", 3, 3));
    OK(shared_client_cancel(client, 2));
    (void)lab_failure(2, SHARED_ECANCELLED);
    OK(shared_session_copy_end(session, NULL));
    (void)lab_success(3);
    ck_assert_int_eq(shared_event_count(lab_success(1)), 1);
    (void)lab_commit();
    lab_close();
}
END_TEST

START_TEST(freeing_the_client_under_a_copy_is_allowed) {
    for (int in = 0; in < 2; in++) {
        lab_open();
        if (in) {
            OK(shared_session_copy_in(session, into_cases, 1));
            OK(shared_session_copy_write(session, "a\tone\n", 6, 2));
            (void)lab_success(2);
            OK(shared_session_copy_write(session, "b\ttwo\n", 6, 3));
        } else {
            OK(shared_session_copy_out(session, big, 1));
            UNTIL(client, client_events_waiting(client, 1) == 2);
        }
        shared_client_free(client);
        client = NULL;
        ck_assert_int_lt(shared_session_copy_write(session, "c\n", 2, 4), 0);
        lab_close();
    }
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM cases"), "0");
}
END_TEST

/* --- what is refused ------------------------------------------------------------------------------ */

START_TEST(what_is_no_copy_that_way_is_refused_and_harms_nothing) {
    static const struct {
        const char *sql;
        bool in;
    } bad[] = {
        {"COPY cases TO STDOUT", true},
        {"COPY cases FROM STDIN", false},
        {"SELECT 1", true},
        {"SELECT 1", false},
        {"", false},
        {NULL, true},
        {"COPY cases FROM '/etc/passwd'", true},
        {"COPY cases TO PROGRAM 'STDOUT'", false},
        {"COPY (SELECT 1 FROM STDIN) TO '/tmp/x'", true},
        {"COPY \"FROM\" \"STDIN\"", true},
        {"COPY cases -- FROM STDIN", true},
        {"COPYcases FROM STDIN", true},
        {"\xff", true},
    };
    lab_open();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        shared_status status = bad[i].in ? shared_session_copy_in(session, bad[i].sql, 1)
                                         : shared_session_copy_out(session, bad[i].sql, 1);
        ck_assert_msg(status == SHARED_EINVALID, "%s: %d", bad[i].sql, status);
    }
    ck_assert_int_eq(shared_session_copy_in(session, "COPY cases TO STDOUT", 1), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "sql: is a COPY TO STDOUT, which shared_session_copy_out runs");
    ck_assert_int_eq(shared_session_copy_out(session, "COPY cases TO STDOUT", 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_copy_end(session, NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_copy_write(session, "x", 1, 0), SHARED_EINVALID);
    OK(shared_session_copy_in(session, into_cases, 1));
    ck_assert_int_eq(shared_session_copy_in(session, into_cases, 2), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_copy_write(session, NULL, 1, 0), SHARED_EINVALID);
    OK(shared_session_copy_end(session, NULL));
    (void)lab_success(1);
    works_again();
    lab_close();
}
END_TEST

START_TEST(more_than_one_statement_is_the_servers_error) {
    lab_open();
    OK(shared_session_copy_in(session, "COPY cases (id, title) FROM STDIN; DROP TABLE cases", 1));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "42601");
    works_again();
    lab_close();
}
END_TEST

START_TEST(comments_quotes_and_lists_around_it_are_understood) {
    struct buffer bytes = {0};
    lab_open();
    copy_out_all("-- a comment\n/* FROM STDIN */ copy (SELECT 'to stdin', $$from$$) to Stdout"
                 " with (FORMAT csv, HEADER false)",
                 &bytes, 1);
    ck_assert_str_eq(bytes.data, "to stdin,from\n");
    buffer_finish(&bytes);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        many_rows_of_all_types_come_back_byte_for_byte,
        what_is_written_may_be_cut_anywhere,
        nothing_to_copy_is_fine,
        it_is_one_transaction_with_the_changes_around_it,
        a_rollback_ends_an_open_one_and_undoes_it,
        a_freed_session_still_stores_what_it_was_told_to_commit,
        who_does_not_take_bytes_stops_the_server,
        bytes_that_the_server_does_not_take_are_bounded,
        an_open_copy_waits_for_its_user_as_long_as_it_takes,
        the_user_may_say_that_the_data_is_bad,
        a_bad_row_is_told_with_its_line_before_the_end,
        notices_do_not_end_it,
        an_error_in_the_middle_of_what_comes_out,
        a_killed_connection_ends_both_ways,
        each_is_cancelled_at_any_time,
        cancelled_in_a_transaction_it_fails_that,
        a_server_that_does_not_answer_is_not_waited_for,
        a_write_may_be_cancelled_but_not_its_bytes,
        freeing_the_client_under_a_copy_is_allowed,
        what_is_no_copy_that_way_is_refused_and_harms_nothing,
        more_than_one_statement_is_the_servers_error,
        comments_quotes_and_lists_around_it_are_understood,
    };
    return lab_run("session_copy", tests, sizeof tests / sizeof *tests);
}
