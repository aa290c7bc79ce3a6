/* SPDX-License-Identifier: MIT
 * test_change.c - what a record that is written more than once shows and writes: between a flush and the commit,
 * while a commit is under way, and after what was sent is undone.
 */
#include "lab.h"

static shared_record *stored(const char *id) {
    lab_add(id);
    (void)lab_commit();
    return lab_stored(id);
}

static void set(shared_record *record, int32_t field, const char *text) {
    OK(shared_record_set_text(record, field, text, strlen(text)));
}

static void update(shared_record *record) {
    OK(shared_session_update(session, record));
}

static void flush(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_flush(session, tag));
    (void)lab_success(tag);
}

static void rollback(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_rollback(session, tag));
    (void)lab_success(tag);
}

static const char row_sql[] =
    "SELECT file_name || ' ' || coalesce(error, '-') || ' ' || attempt FROM documents";

START_TEST(one_written_three_times_shows_the_newest_row) {
    lab_open();
    shared_record *record = lab_document("doc-1");
    OK(shared_session_add(session, record));
    flush();
    set(record, SHARED_DOCUMENT_FILE_NAME, "two.pdf");
    update(record);
    flush();
    set(record, SHARED_DOCUMENT_ERROR, "three");
    update(record);
    ck_assert_int_eq(lab_commit(), 3);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "two.pdf");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ERROR), "three");
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf three 0");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(what_is_set_while_a_commit_is_under_way_is_not_lost) {
    lab_open();
    shared_record *record = stored("doc-1");
    lab_rename(record, "two.pdf");
    update(record);
    OK(shared_session_commit(session, 1));
    set(record, SHARED_DOCUMENT_ERROR, "later");
    (void)lab_success(1);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "two.pdf");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ERROR), "later");
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf - 0");
    update(record);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf later 0");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(what_was_flushed_is_not_written_again) {
    lab_open();
    shared_record *record = stored("doc-1");
    OK(shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, 3));
    update(record);
    flush();
    lab_query("UPDATE documents SET attempt = attempt + 1", 1);
    (void)lab_success(1);
    set(record, SHARED_DOCUMENT_ERROR, "e");
    update(record);
    (void)lab_commit();
    ck_assert_str_eq(lab_ask(row_sql), "will.pdf e 4");
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_ATTEMPT), 4);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(what_was_undone_is_written_by_the_next_update) {
    lab_open();
    shared_record *record = stored("doc-1");
    lab_rename(record, "two.pdf");
    update(record);
    flush();
    set(record, SHARED_DOCUMENT_ERROR, "e");
    rollback();
    ck_assert_str_eq(lab_ask(row_sql), "will.pdf - 0");
    update(record);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf e 0");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(what_a_savepoint_undoes_is_written_by_the_next_update) {
    lab_open();
    shared_record *record = stored("doc-1");
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    OK(shared_session_enqueue(session, "task", "[]", NULL)); /* so that there is a transaction */
    OK(shared_session_savepoint(session, "here"));
    lab_rename(record, "two.pdf");
    update(record);
    flush();
    OK(shared_session_rollback_to(session, "here", 1));
    (void)lab_success(1);
    update(record);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf - 0");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(after_a_failed_commit_an_update_writes_what_was_set) {
    lab_open();
    shared_record *record = stored("doc-1");
    lab_rename(record, "two.pdf");
    update(record);
    lab_add("doc-1"); /* is there already */
    OK(shared_session_commit(session, 1));
    (void)lab_failure(1, SHARED_ECONFLICT);
    update(record);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf - 0");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_key_may_be_named_and_not_changed) {
    static const char same[] = "{\"id\":\"doc-1\",\"file_name\":\"two.pdf\"}";
    static const char other[] = "{\"id\":\"doc-2\"}";
    lab_open();
    shared_record *record = stored("doc-1");
    OK(shared_record_merge_json(record, same, sizeof same - 1));
    update(record);
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask(row_sql), "two.pdf - 0");
    OK(shared_record_merge_json(record, other, sizeof other - 1));
    ck_assert_int_eq(shared_session_update(session, record), SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "id is a key"));
    lab_add("doc-3"); /* and nothing of it stays in the session */
    ck_assert_int_eq(lab_commit(), 1);
    shared_record_unref(record);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        one_written_three_times_shows_the_newest_row,
        what_is_set_while_a_commit_is_under_way_is_not_lost,
        what_was_flushed_is_not_written_again,
        what_was_undone_is_written_by_the_next_update,
        what_a_savepoint_undoes_is_written_by_the_next_update,
        after_a_failed_commit_an_update_writes_what_was_set,
        a_key_may_be_named_and_not_changed,
    };
    return lab_run("change", tests, sizeof tests / sizeof *tests);
}
