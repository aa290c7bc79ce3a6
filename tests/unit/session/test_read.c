/* SPDX-License-Identifier: MIT
 * test_read.c - rows by many keys, records that are read anew, changes that are written before each read, and
 * a thousand requests in their order.
 */
#include "lab.h"

enum { MIXED = 1000 };

static void open_with(int count) {
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO documents (id, file_name) SELECT 'd' || i, i || '.pdf'"
                   " FROM generate_series(1, %d) i",
                   count);
    lab_open();
    test_run_aside(sql);
}

/* The ids that a get_many brings. */
static const char *get_many(const char *const *ids, size_t count) {
    static char text[512];
    uint64_t tag = tag_next++;
    OK(shared_session_get_many(session, SHARED_DOCUMENT, ids, count, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_ROWS);
    text[0] = '\0';
    for (int64_t i = 0; i < shared_event_count(event); i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                       shared_record_text(shared_event_record(event, i), SHARED_DOCUMENT_ID));
    return text;
}

static void refresh(shared_record *record) {
    uint64_t tag = tag_next++;
    OK(shared_session_refresh(session, record, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    ck_assert_int_eq(shared_event_count(event), 1);
}

static const char *file_name(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_FILE_NAME);
}

/* --- many ----------------------------------------------------------------------------------------- */

START_TEST(many_rows_come_in_the_order_of_their_ids) {
    static const char *const ids[] = {"d3", "nobody", "d1", "{d2}", "d3", "d2", ""};
    open_with(4);
    ck_assert_str_eq(get_many(ids, 7), "d3 d1 d3 d2");
    ck_assert_str_eq(get_many(ids, 1), "d3");
    ck_assert_str_eq(get_many(ids + 1, 1), "");
    ck_assert_str_eq(get_many(NULL, 0), "");
    lab_close();
}
END_TEST

START_TEST(ten_thousand_rows_are_the_most) {
    static char texts[10001][8];
    static const char *ids[10001];
    for (int i = 0; i < 10001; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "d%d", 10000 - i);
        ids[i] = texts[i];
    }
    open_with(10000);
    OK(shared_session_get_many(session, SHARED_DOCUMENT, ids, 10000, 1));
    const shared_event *event = lab_success(1);
    ck_assert_int_eq(shared_event_count(event), 10000);
    for (int i = 0; i < 10000; i++)
        ck_assert_str_eq(shared_record_text(shared_event_record(event, i), SHARED_DOCUMENT_ID),
                         ids[i]);
    ck_assert_int_eq(shared_session_get_many(session, SHARED_DOCUMENT, ids, 10001, 1),
                     SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "ids: 10001, at most 10000");
    lab_close();
}
END_TEST

START_TEST(what_cannot_be_read_is_refused_at_once) {
    static const char *const bad[] = {"a", NULL}, *const not_text[] = {"\xff"};
    lab_open();
    ck_assert_int_eq(shared_session_get_many(session, SHARED_DOCUMENT, bad, 2, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get_many(session, SHARED_DOCUMENT, not_text, 1, 1),
                     SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get_many(session, SHARED_DOCUMENT, NULL, 1, 1),
                     SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get_many(session, SHARED_DOCUMENT_PAGE, bad, 1, 1),
                     SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get_many(session, 0, bad, 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_get_many(NULL, SHARED_DOCUMENT, bad, 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_refresh(session, NULL, 1), SHARED_EINVALID);
    shared_record *record = NULL;
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    ck_assert_int_eq(shared_session_refresh(session, record, 1), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "document: the key id is null");
    shared_record_unref(record);
    OK(shared_record_new(SHARED_PROGRESS, &record));
    ck_assert_int_eq(shared_session_refresh(session, record, 1), SHARED_EINVALID);
    shared_record_unref(record);
    lab_query("SELECT 1", 1);
    record = shared_record_ref(shared_event_record(lab_success(1), 0));
    ck_assert_int_eq(shared_session_refresh(session, record, 1), SHARED_EINVALID);
    shared_record_unref(record);
    lab_close();
}
END_TEST

/* --- refresh -------------------------------------------------------------------------------------- */

START_TEST(a_refreshed_record_shows_what_is_stored_now) {
    open_with(1);
    shared_record *record = lab_stored("d1");
    test_run_aside("UPDATE documents SET file_name = 'theirs.pdf', byte_size = 7");
    lab_rename(record, "ours.pdf"); /* not updated: forgotten */
    refresh(record);
    ck_assert_str_eq(file_name(record), "theirs.pdf");
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_BYTE_SIZE), 7);
    sync_count = 0;
    OK(shared_session_update(session, record));
    ck_assert_int_eq(lab_commit(), 0);
    ck_assert_int_eq(sync_count, 0);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_record_made_by_hand_is_filled_by_a_refresh) {
    open_with(1);
    shared_record *record = lab_document("d1"), *page = NULL;
    refresh(record);
    ck_assert_str_eq(file_name(record), "1.pdf");
    test_run_aside("INSERT INTO document_pages (document_id, page, text, source)"
                   " VALUES ('d1', 2, 'words', 'text')");
    OK(shared_record_new(SHARED_DOCUMENT_PAGE, &page)); /* a key of two fields */
    OK(shared_record_set_text(page, SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "d1", 2));
    OK(shared_record_set_int(page, SHARED_DOCUMENT_PAGE_PAGE, 2));
    refresh(page);
    ck_assert_str_eq(shared_record_text(page, SHARED_DOCUMENT_PAGE_TEXT), "words");
    shared_record_unref(page);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_row_that_is_gone_is_not_found_and_the_record_stays) {
    open_with(1);
    shared_record *record = lab_stored("d1");
    test_run_aside("DELETE FROM documents");
    lab_rename(record, "ours.pdf");
    OK(shared_session_refresh(session, record, 1));
    ck_assert_str_eq(shared_error_message(lab_failure(1, SHARED_ENOTFOUND)),
                     "document: no row has id \"d1\"");
    ck_assert_str_eq(file_name(record), "ours.pdf");
    lab_query("SELECT 1", 2); /* also inside a transaction, which it does not fail */
    OK(shared_session_refresh(session, record, 3));
    lab_query("SELECT 1", 4);
    (void)lab_success(2);
    (void)lab_failure(3, SHARED_ENOTFOUND);
    (void)lab_success(4);
    (void)lab_commit();
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_refresh_is_newer_than_the_changes_before_it) {
    open_with(1);
    shared_record *record = lab_stored("d1");
    lab_rename(record, "ours.pdf");
    OK(shared_session_update(session, record));
    lab_query("UPDATE documents SET file_name = 'raw.pdf'", 1);
    (void)lab_success(1);
    refresh(record);
    ck_assert_str_eq(file_name(record), "raw.pdf");
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(file_name(record), "raw.pdf");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_refresh_that_was_cancelled_leaves_the_record_alone) {
    open_with(1);
    shared_record *record = lab_stored("d1");
    test_run_aside("UPDATE documents SET file_name = 'theirs.pdf'");
    OK(shared_session_refresh(session, record, 1));
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    OK(shared_session_get(session, SHARED_DOCUMENT, "d1", 2));
    (void)lab_success(2);
    ck_assert_str_eq(file_name(record), "1.pdf");
    OK(shared_session_refresh(session, record, 3));
    shared_session_free(session); /* under way */
    (void)lab_failure(3, SHARED_ECANCELLED);
    session = NULL;
    shared_record_unref(record);
    lab_close();
}
END_TEST

/* --- written first -------------------------------------------------------------------------------- */

START_TEST(changes_are_written_before_each_kind_of_read) {
    static const char *const ids[] = {"new-2", "new-1"};
    lab_open();
    lab_add("new-1");
    OK(shared_session_get(session, SHARED_DOCUMENT, "new-1", 1));
    ck_assert_int_eq(shared_event_count(lab_success(1)), 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0"); /* not committed */
    lab_add("new-2");
    ck_assert_str_eq(get_many(ids, 2), "new-2 new-1");
    shared_record *record = lab_stored("new-1");
    lab_rename(record, "renamed.pdf");
    OK(shared_session_update(session, record));
    refresh(record);
    ck_assert_str_eq(file_name(record), "renamed.pdf");
    OK(shared_session_delete(session, record));
    ck_assert_str_eq(get_many(ids, 2), "new-2");
    OK(shared_session_refresh(session, record, 2));
    (void)lab_failure(2, SHARED_ENOTFOUND);
    ck_assert_int_eq(lab_commit(), 4);
    shared_record_unref(record);
    lab_close();
}
END_TEST

/* --- rows touched --------------------------------------------------------------------------------- */

static void touches(const char *sql, int32_t kind, int64_t count) {
    uint64_t tag = tag_next++;
    lab_query(sql, tag);
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_kind(event), kind);
    ck_assert_int_eq(shared_event_count(event), count);
}

START_TEST(rows_touched_are_counted) {
    open_with(4);
    touches("UPDATE documents SET byte_size = 1", SHARED_EVENT_DONE, 4);
    touches("UPDATE documents SET byte_size = 1 WHERE id = 'nobody'", SHARED_EVENT_DONE, 0);
    touches("UPDATE documents SET byte_size = 2 WHERE id <> 'd1' RETURNING id", SHARED_EVENT_ROWS,
            3);
    touches("DELETE FROM documents WHERE id = 'd4'", SHARED_EVENT_DONE, 1);
    touches("DELETE FROM documents WHERE id = 'd3' RETURNING *", SHARED_EVENT_ROWS, 1);
    touches("INSERT INTO documents (id, file_name) SELECT 'e' || i, 'f' FROM generate_series(1, 9)"
            " i ON CONFLICT DO NOTHING",
            SHARED_EVENT_DONE, 9);
    touches("CREATE TEMPORARY TABLE unused (id int)", SHARED_EVENT_DONE, 0);
    shared_record *record = lab_stored("d1"), *other = lab_stored("d2");
    lab_rename(record, "x");
    OK(shared_session_update(session, record));
    OK(shared_session_delete(session, other));
    ck_assert_int_eq(lab_commit(), 2); /* the changes, not the statements */
    shared_record_unref(record);
    shared_record_unref(other);
    lab_close();
}
END_TEST

/* --- a thousand in one go ------------------------------------------------------------------------- */

static void ask_one(int i, shared_record *record, shared_query *query) {
    static const char *const ids[] = {"d1", "d2", "nobody"};
    uint64_t tag = 1000 + (uint64_t)i;
    switch (i % 10) {
    case 0: OK(shared_session_get(session, SHARED_DOCUMENT, "d1", tag)); break;
    case 1: OK(shared_session_get_many(session, SHARED_DOCUMENT, ids, 3, tag)); break;
    case 2: OK(shared_session_query(session, query, tag)); break;
    case 3: OK(shared_session_refresh(session, record, tag)); break;
    case 4:
        lab_add(NULL);
        OK(shared_session_flush(session, tag));
        break;
    case 5: lab_query("UPDATE documents SET attempt = 1 WHERE id = 'd3'", tag); break;
    case 6:
        OK(shared_session_savepoint(session, "s"));
        lab_query("SELECT 1 / 0", tag);
        break;
    case 7: OK(shared_session_rollback_to(session, "s", tag)); break;
    case 8:
        lab_add(NULL);
        OK(shared_session_commit(session, tag));
        break;
    default: OK(shared_session_rollback(session, tag)); break;
    }
}

/* Kind and count of the end of each; -1: it fails. */
static void check_one(int i, const shared_event *event) {
    static const struct {
        int32_t kind;
        int64_t count;
    } ends[] = {{SHARED_EVENT_ROWS, 1},
                {SHARED_EVENT_ROWS, 2},
                {SHARED_EVENT_ROWS, 3},
                {SHARED_EVENT_DONE, 1},
                {SHARED_EVENT_DONE, 1},
                {SHARED_EVENT_DONE, 1},
                {0, -1},
                {SHARED_EVENT_DONE, 0},
                {SHARED_EVENT_DONE, 2},
                {SHARED_EVENT_DONE, 0}};
    ck_assert_uint_eq(shared_event_tag(event), 1000 + (uint64_t)i);
    ck_assert_int_eq(shared_event_more(event), 0);
    if (ends[i % 10].count < 0) {
        ck_assert_str_eq(shared_error_sqlstate(shared_event_error(event)), "22012");
        return;
    }
    ck_assert_msg(!shared_event_error(event), "%d: %s", i,
                  shared_error_message(shared_event_error(event)));
    ck_assert_msg(shared_event_kind(event) == ends[i % 10].kind &&
                      shared_event_count(event) == ends[i % 10].count,
                  "%d: kind %d, count %lld", i, shared_event_kind(event),
                  (long long)shared_event_count(event));
}

START_TEST(a_thousand_requests_in_one_go_end_in_their_order_once_each) {
    open_with(3);
    shared_record *record = lab_stored("d1");
    shared_query *query = NULL;
    OK(shared_query_new(SHARED_DOCUMENT, "id LIKE 'd_'", &query));
    for (int i = 0; i < MIXED; i++) ask_one(i, record, query);
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    for (int ended = 0; ended < MIXED;) {
        const shared_event *event = shared_client_next(client);
        if (event)
            check_one(ended++, event);
        else
            test_turn(client, deadline_ms);
    }
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "203");
    shared_query_free(query);
    shared_record_unref(record);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        many_rows_come_in_the_order_of_their_ids,
        ten_thousand_rows_are_the_most,
        what_cannot_be_read_is_refused_at_once,
        a_refreshed_record_shows_what_is_stored_now,
        a_record_made_by_hand_is_filled_by_a_refresh,
        a_row_that_is_gone_is_not_found_and_the_record_stays,
        a_refresh_is_newer_than_the_changes_before_it,
        a_refresh_that_was_cancelled_leaves_the_record_alone,
        changes_are_written_before_each_kind_of_read,
        rows_touched_are_counted,
        a_thousand_requests_in_one_go_end_in_their_order_once_each,
    };
    return lab_run("read", tests, sizeof tests / sizeof *tests);
}
