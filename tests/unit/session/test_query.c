/* SPDX-License-Identifier: MIT
 * test_query.c - conditions, order and limit, values of every kind, and what is refused.
 */
#include <poll.h>

#include "lab.h"
#include "net/client_private.h"

static shared_query *query;

static void ask_for(int32_t model, const char *sql) {
    shared_query_free(query);
    OK(shared_query_new(model, sql, &query));
}

static const shared_event *run(void) {
    static uint64_t tag = 1;
    OK(shared_session_query(session, query, ++tag));
    return lab_success(tag);
}

/* The ids of the rows, set apart by spaces. */
static const char *ids(void) {
    static char text[512];
    const shared_event *event = run();
    text[0] = '\0';
    for (int64_t i = 0; i < shared_event_count(event); i++) {
        shared_record *record = shared_event_record(event, i);
        ck_assert_int_eq(shared_record_model(record), SHARED_DOCUMENT);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                       shared_record_text(record, SHARED_DOCUMENT_ID));
    }
    return text;
}

static void open_with_documents(void) {
    lab_open();
    test_run_aside("INSERT INTO documents (id, file_name, byte_size, error)"
                   " SELECT 'd' || i, chr(105 - i) || '.pdf', i * 100,"
                   " CASE WHEN i = 2 THEN 'bad' END FROM generate_series(1, 4) i");
}

static void close_all(void) {
    shared_query_free(query);
    query = NULL;
    lab_close();
}

START_TEST(without_a_condition_all_rows_come) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, NULL);
    ck_assert_int_eq(shared_event_count(run()), 4);
    ask_for(SHARED_DOCUMENT, "");
    ck_assert_int_eq(shared_event_count(run()), 4);
    close_all();
}
END_TEST

START_TEST(a_condition_has_its_values_by_position) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "id = $2 OR byte_size = $1 -- a comment");
    OK(shared_query_bind_int(query, 1, 300));
    OK(shared_query_bind_text(query, 2, "d1 and more", 2));
    OK(shared_query_order(query, "id"));
    ck_assert_str_eq(ids(), "d1 d3");
    OK(shared_query_bind_text(query, 2, "x'; DROP TABLE documents --", 27));
    ck_assert_str_eq(ids(), "d3");
    close_all();
}
END_TEST

START_TEST(what_is_not_bound_is_null) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "($1::text IS NULL OR id = $1) AND ($2::text IS NULL OR error = $2)");
    ck_assert_int_eq(shared_event_count(run()), 4);
    OK(shared_query_bind_text(query, 2, "bad", 3));
    ck_assert_str_eq(ids(), "d2");
    OK(shared_query_bind_null(query, 2));
    ck_assert_int_eq(shared_event_count(run()), 4);
    close_all();
}
END_TEST

START_TEST(order_and_limit_shape_the_answer) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "byte_size > $1");
    OK(shared_query_bind_int(query, 1, 100));
    OK(shared_query_order(query, " file_name , id desc "));
    ck_assert_str_eq(ids(), "d4 d3 d2");
    OK(shared_query_limit(query, 2));
    ck_assert_str_eq(ids(), "d4 d3");
    OK(shared_query_order(query, "byte_size DESC,id ASC"));
    OK(shared_query_limit(query, 1));
    ck_assert_str_eq(ids(), "d4");
    close_all();
}
END_TEST

START_TEST(lists_are_values_too) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "id = ANY($1) OR byte_size = ANY($2)");
    static const char *const names[] = {"d1", NULL, "{\"quoted\"}"};
    static const int64_t sizes[] = {400, -1};
    OK(shared_query_bind_text_array(query, 1, names, 3));
    OK(shared_query_bind_int_array(query, 2, sizes, 2));
    OK(shared_query_order(query, "id"));
    ck_assert_str_eq(ids(), "d1 d4");
    OK(shared_query_bind_text_array(query, 1, NULL, 0));
    OK(shared_query_bind_int_array(query, 2, NULL, 0));
    ck_assert_str_eq(ids(), "");
    close_all();
}
END_TEST

START_TEST(raw_rows_have_their_columns_by_number) {
    open_with_documents();
    ask_for(0, "SELECT id AS name, byte_size, NULL FROM documents WHERE id = $1");
    OK(shared_query_bind_text(query, 1, "d3", 2));
    OK(shared_query_read_only(query));
    const shared_event *event = run();
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
    shared_record *row = shared_event_record(event, 0);
    ck_assert_int_eq(shared_record_model(row), 0);
    ck_assert_int_eq(shared_record_count(row), 3);
    ck_assert_str_eq(shared_record_name(row, 0), "name");
    ck_assert_str_eq(shared_record_text(row, 0), "d3");
    ck_assert_int_eq(shared_record_int(row, 1), 300);
    ck_assert(shared_record_is_null(row, 2));
    close_all();
}
END_TEST

START_TEST(a_statement_without_rows_tells_how_many_it_touched) {
    open_with_documents();
    ask_for(0, "UPDATE documents SET error = NULL WHERE byte_size >= $1");
    OK(shared_query_bind_int(query, 1, 200));
    const shared_event *event = run();
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    ck_assert_int_eq(shared_event_count(event), 3);
    (void)lab_commit();
    close_all();
}
END_TEST

START_TEST(a_query_may_be_changed_and_freed_once_it_was_asked) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "id = $1");
    OK(shared_query_bind_text(query, 1, "d1", 2));
    OK(shared_session_query(session, query, 1000));
    OK(shared_query_bind_text(query, 1, "d2", 2));
    OK(shared_session_query(session, query, 1001));
    shared_query_free(query);
    query = NULL;
    static const char *const expected[] = {"d1", "d2"};
    for (uint64_t i = 0; i < 2; i++)
        ck_assert_str_eq(
            shared_record_text(shared_event_record(lab_success(1000 + i), 0), SHARED_DOCUMENT_ID),
            expected[i]);
    close_all();
}
END_TEST

START_TEST(sql_that_the_server_refuses_is_its_error) {
    open_with_documents();
    ask_for(SHARED_DOCUMENT, "no_such_column = 1");
    OK(shared_session_query(session, query, 1000));
    const shared_error *error = lab_failure(1000, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "42703");
    ck_assert_int_eq(shared_error_class(error), SHARED_PERMANENT);
    close_all();
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused_at_once) {
    static const char *const orders[] = {
        "",         "id,",           ",id",     "nobody", "id DOWN", "id asc x",
        "id; DROP", "id DESC NULLS", "id -- x", "1",      NULL,
    };
    ck_assert_int_eq(shared_query_new(0, "", &query), SHARED_EINVALID);
    ck_assert_ptr_null(query);
    ck_assert_int_eq(shared_query_new(0, NULL, &query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(SHARED_PROGRESS, "", &query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(99, "", &query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(0, "SELECT '\xff'", &query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(0, "SELECT $65536", &query), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(0, "SELECT 1", NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_new(0, "commit", &query), SHARED_EINVALID);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "shared_session_commit"));
    OK(shared_query_new(SHARED_DOCUMENT, "id = $1", &query));
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        ck_assert_msg(shared_query_order(query, orders[i]) == SHARED_EINVALID, "order %zu", i);
    ck_assert_int_eq(shared_query_limit(query, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_limit(query, -1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_int(query, 0, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_int(query, 2, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_text(query, 1, "a\0b", 3), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_text(query, 1, NULL, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_text_array(query, 1, NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_bind_null(NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_read_only(NULL), SHARED_EINVALID);
    shared_query_free(query);
    shared_query_free(NULL);
    OK(shared_query_new(0, "SELECT 1", &query));
    ck_assert_int_eq(shared_query_order(query, "id"), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_limit(query, 1), SHARED_EINVALID);
    shared_query_free(query);
    query = NULL;
}
END_TEST

static bool is_readable(void) {
    return poll(&(struct pollfd){.fd = shared_client_fd(client), .events = POLLIN}, 1, 0) == 1;
}

/* The loop is asked to come again until all have left; one that the caller kept stays. */
START_TEST(records_of_a_long_answer_leave_turn_by_turn) {
    enum { ROWS = 50000, DISPATCHES_MAX = 8 };
    int32_t dispatches = 0;
    lab_open();
    lab_query("SELECT n FROM generate_series(1, 50000) n", 2);
    const shared_event *event = lab_success(2);
    ck_assert_int_eq(shared_event_count(event), ROWS);
    for (int64_t i = 0; i < ROWS; i++)
        ck_assert_int_eq(shared_record_int(shared_event_record(event, i), 0), i + 1);
    shared_record *kept = shared_record_ref(shared_event_record(event, ROWS - 1));
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert_ptr_nonnull(client->remains);
    for (; client->remains; dispatches++) {
        ck_assert(is_readable());
        OK(shared_client_dispatch(client, 0));
    }
    ck_assert_int_gt(dispatches, 1);
    ck_assert_int_le(dispatches, DISPATCHES_MAX);
    ck_assert_int_eq(shared_record_int(kept, 0), ROWS);
    shared_record_unref(kept);
    lab_query("SELECT n FROM generate_series(1, 50000) n", 3);
    event = lab_success(3);
    for (int64_t i = 0; i < ROWS; i++) ck_assert_ptr_nonnull(shared_event_record(event, i));
    lab_query("SELECT 1", 4);
    lab_success(4);
    lab_close(); /* while they leave */
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        without_a_condition_all_rows_come,
        a_condition_has_its_values_by_position,
        what_is_not_bound_is_null,
        order_and_limit_shape_the_answer,
        lists_are_values_too,
        raw_rows_have_their_columns_by_number,
        a_statement_without_rows_tells_how_many_it_touched,
        a_query_may_be_changed_and_freed_once_it_was_asked,
        sql_that_the_server_refuses_is_its_error,
        what_cannot_be_asked_is_refused_at_once,
        records_of_a_long_answer_leave_turn_by_turn,
    };
    return lab_run("query", tests, sizeof tests / sizeof *tests);
}
