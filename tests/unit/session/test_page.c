/* SPDX-License-Identifier: MIT
 * test_page.c - pages by key: of whatever size, put together they are the whole in its order, with equal and
 * null values, whatever the directions; and rows that a query locks.
 */
#include "lab.h"

static shared_query *query;

static void ask_for(const char *condition, const char *order) {
    shared_query_free(query);
    OK(shared_query_new(SHARED_DOCUMENT, condition, &query));
    if (order) OK(shared_query_order(query, order));
}

static const shared_event *run(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_query(session, query, tag));
    return lab_success(tag);
}

static void close_all(void) {
    shared_query_free(query);
    query = NULL;
    lab_close();
}

/* Few different values, many of them null, so that rows tie. */
static void open_with_ties(int count) {
    char sql[600];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO documents (id, file_name, byte_size, error, page_count, attempt,"
                   " created_at) SELECT 'd' || lpad((i * 7919 %% 1000)::text, 3, '0'),"
                   " chr(97 + i %% 3) || '.pdf', nullif(i %% 4, 0) * 10,"
                   " CASE i %% 3 WHEN 0 THEN 'x' WHEN 1 THEN 'y' END, nullif(i %% 2, 0), i %% 2,"
                   " '2026-01-01'::timestamptz + (i %% 5) * interval '1 microsecond'"
                   " FROM generate_series(1, %d) i",
                   count);
    lab_open();
    test_run_aside(sql);
}

enum { ROWS = 40, IDS_SIZE = ROWS * 6 };

static int add_ids(char *text, const shared_event *event) {
    for (int64_t i = 0; i < shared_event_count(event); i++)
        (void)snprintf(text + strlen(text), IDS_SIZE - strlen(text), "%s ",
                       shared_record_text(shared_event_record(event, i), SHARED_DOCUMENT_ID));
    return (int)shared_event_count(event);
}

/* All pages of that size, put together. */
static void read_pages(char *text, int64_t size) {
    shared_record *last = NULL;
    int count;
    text[0] = '\0';
    OK(shared_query_limit(query, size));
    do {
        OK(shared_query_after(query, last));
        const shared_event *event = run();
        count = add_ids(text, event);
        shared_record_unref(last);
        last = count ? shared_record_ref(shared_event_record(event, count - 1)) : NULL;
    } while (count == size);
    shared_record_unref(last);
}

START_TEST(pages_put_together_are_the_whole_in_its_order) {
    static const char *const orders[] = {
        NULL,
        "id",
        "id DESC",
        "byte_size",
        "byte_size DESC",
        "error ASC, byte_size DESC",
        "error DESC, page_count ASC, file_name DESC",
        "created_at DESC",
        "created_at DESC, id DESC",
        "created_at, file_name, attempt",
        "created_at, file_name DESC",
        "attempt DESC, error, page_count DESC, byte_size, created_at DESC",
        "page_count, error DESC, id DESC",
    };
    char whole[IDS_SIZE], pages[IDS_SIZE];
    open_with_ties(ROWS);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        ask_for(i % 2 ? "id <> $1 -- and a comment" : "", orders[i]);
        if (i % 2) OK(shared_query_bind_text(query, 1, "nobody", 6));
        whole[0] = '\0';
        OK(shared_query_after(query, NULL)); /* the key orders what is equal */
        ck_assert_int_eq(add_ids(whole, run()), ROWS);
        for (int64_t size = 1; size <= ROWS + 1; size += size < 8 ? 1 : 11) {
            read_pages(pages, size);
            ck_assert_msg(!strcmp(whole, pages), "order %s, pages of %lld:\n%s\n%s", orders[i],
                          (long long)size, whole, pages);
        }
    }
    ck_assert_int_eq(shared_query_order(query, "sha256, sha256 DESC"), SHARED_EINVALID);
    close_all();
}
END_TEST

START_TEST(a_page_neither_skips_nor_repeats_while_others_write) {
    char text[IDS_SIZE] = "";
    open_with_ties(4); /* d919 d838 d757 d676 */
    ask_for("", "id");
    OK(shared_query_limit(query, 2));
    const shared_event *event = run();
    (void)add_ids(text, event);
    OK(shared_query_after(query, shared_event_record(event, 1)));
    test_run_aside("INSERT INTO documents (id, file_name) VALUES ('a', 'f'), ('d800', 'f')");
    test_run_aside("DELETE FROM documents WHERE id = 'd757'"); /* the row of the page's end */
    (void)add_ids(text, run());
    ck_assert_str_eq(text, "d676 d757 d800 d838 ");
    close_all();
}
END_TEST

START_TEST(an_order_that_is_set_anew_forgets_the_page) {
    char text[IDS_SIZE] = "";
    open_with_ties(4);
    ask_for("", "id");
    OK(shared_query_limit(query, 1));
    OK(shared_query_after(query, shared_event_record(run(), 0)));
    OK(shared_query_order(query, "id DESC"));
    (void)add_ids(text, run());
    ck_assert_str_eq(text, "d919 ");
    close_all();
}
END_TEST

START_TEST(what_no_page_can_follow_is_refused) {
    shared_record *record = NULL, *other = NULL;
    char sql[400] = "id = $1";
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    OK(shared_record_new(SHARED_CASE, &other));
    OK(shared_query_new(SHARED_DOCUMENT, sql, &query));
    ck_assert_int_eq(shared_query_after(query, other), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "after: the record is not a document");
    ck_assert_int_eq(shared_query_after(query, record), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "after: the key id of the record is null");
    ck_assert_int_eq(shared_query_after(NULL, NULL), SHARED_EINVALID);
    shared_query_free(query);
    OK(shared_query_new(SHARED_DOCUMENT, "id = $65533", &query));
    OK(shared_query_after(query, NULL));
    OK(shared_query_order(query, "created_at"));
    ck_assert_int_eq(shared_query_after(query, NULL), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "after: $65533 and 2 values of the order, at most 65534 in all");
    shared_query_free(query);
    OK(shared_query_new(0, "SELECT 1", &query));
    ck_assert_int_eq(shared_query_after(query, NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_lock(query, SHARED_FOR_UPDATE, SHARED_WAIT), SHARED_EINVALID);
    shared_query_free(query);
    OK(shared_query_new(SHARED_DOCUMENT, "", &query));
    ck_assert_int_eq(shared_query_lock(query, 5, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_lock(query, -1, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_lock(query, 1, 3), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_lock(query, 1, -1), SHARED_EINVALID);
    ck_assert_int_eq(shared_query_lock(NULL, 1, 0), SHARED_EINVALID);
    shared_query_free(query);
    query = NULL;
    shared_record_unref(record);
    shared_record_unref(other);
}
END_TEST

/* --- locks ---------------------------------------------------------------------------------------- */

START_TEST(locked_rows_are_waited_for_left_out_or_refused) {
    char text[IDS_SIZE] = "";
    open_with_ties(4);
    ask_for("id = 'd838'", NULL);
    OK(shared_query_lock(query, SHARED_FOR_UPDATE, SHARED_WAIT));
    ck_assert_int_eq(shared_event_count(run()), 1); /* in our transaction now */
    shared_session *first = session, *second = NULL;
    OK(shared_session_new(client, &second));
    session = second;
    ask_for("", "id");
    OK(shared_query_lock(query, SHARED_FOR_NO_KEY_UPDATE, SHARED_SKIP_LOCKED));
    OK(shared_query_limit(query, 3));
    (void)add_ids(text, run());
    ck_assert_str_eq(text, "d676 d757 d919 ");
    OK(shared_query_lock(query, SHARED_FOR_KEY_SHARE, SHARED_NOWAIT));
    OK(shared_session_query(session, query, 1));
    const shared_error *error = lab_failure(1, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "55P03");
    ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    OK(shared_session_rollback(session, 2));
    (void)lab_success(2);
    OK(shared_query_lock(query, SHARED_FOR_SHARE, SHARED_WAIT));
    OK(shared_session_query(session, query, 3));
    while (strcmp(lab_ask("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type ="
                          " 'Lock'"),
                  "t") != 0)
        ck_assert_int_ge(shared_client_dispatch(client, 1), 0);
    OK(shared_session_commit(first, 4));
    (void)lab_success(4);
    ck_assert_int_eq(shared_event_count(lab_success(3)), 3);
    shared_session_free(first);
    close_all();
}
END_TEST

START_TEST(a_lock_that_is_taken_off_leaves_a_read_by_itself) {
    open_with_ties(4);
    ask_for("", NULL);
    OK(shared_query_lock(query, SHARED_FOR_SHARE, SHARED_WAIT));
    OK(shared_query_lock(query, 0, SHARED_WAIT));
    ck_assert_int_eq(shared_event_count(run()), 4);
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0)); /* none is open */
    (void)lab_commit();
    close_all();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        pages_put_together_are_the_whole_in_its_order,
        a_page_neither_skips_nor_repeats_while_others_write,
        an_order_that_is_set_anew_forgets_the_page,
        what_no_page_can_follow_is_refused,
        locked_rows_are_waited_for_left_out_or_refused,
        a_lock_that_is_taken_off_leaves_a_read_by_itself,
    };
    return lab_run("page", tests, sizeof tests / sizeof *tests);
}
