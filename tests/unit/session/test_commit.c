/* SPDX-License-Identifier: MIT
 * test_commit.c - changes that wait in a session, and what a commit makes of them.
 */
#include "lab.h"

static struct outbox_row *told; /* by the hook, newest last */
static int told_count;

static void take_tasks(void *owner, struct outbox_row *rows) {
    ck_assert_ptr_eq(owner, client);
    struct outbox_row **tail = &told;
    while (*tail) tail = &(*tail)->next;
    *tail = rows;
    for (; rows; rows = rows->next) told_count++;
}

static void drop_tasks(void) {
    while (told) {
        struct outbox_row *row = told;
        told = row->next;
        outbox_row_free(row);
    }
}

/* --- adding --------------------------------------------------------------------------------------- */

START_TEST(a_commit_of_changes_is_one_round_trip) {
    lab_open();
    lab_add("warm-up"); /* connects */
    (void)lab_commit();
    sync_count = 0;
    for (int i = 0; i < 5; i++) lab_add(NULL);
    OK(shared_session_enqueue(session, "task", "[]", NULL));
    ck_assert_int_eq(lab_commit(), 5);
    ck_assert_int_eq(sync_count, 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "6");
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM task_outbox"), "1");
    lab_close();
}
END_TEST

START_TEST(an_added_record_shows_what_the_server_made) {
    lab_open();
    shared_record *record = lab_document("doc-1");
    OK(shared_session_add(session, record));
    ck_assert(shared_record_is_null(record, SHARED_DOCUMENT_CREATED_AT));
    ck_assert_int_eq(lab_commit(), 1);
    int64_t age_us = time_wall_us() - shared_record_time(record, SHARED_DOCUMENT_CREATED_AT);
    ck_assert_int_lt(age_us < 0 ? -age_us : age_us, INT64_C(3600000000));
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS), "pending");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "will.pdf");
    /* Nothing of it counts as changed: updating it is nothing to do. */
    sync_count = 0;
    OK(shared_session_update(session, record));
    ck_assert_int_eq(lab_commit(), 0);
    ck_assert_int_eq(sync_count, 0);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(an_id_is_made_when_there_is_none) {
    lab_open();
    shared_record *first = lab_document(NULL), *second = lab_document(NULL);
    OK(shared_session_add(session, first));
    OK(shared_session_add(session, second));
    const char *id = shared_record_text(first, SHARED_DOCUMENT_ID);
    ck_assert_uint_eq(strlen(id), 36);
    ck_assert_int_eq(id[14], '7');
    ck_assert_str_ne(id, shared_record_text(second, SHARED_DOCUMENT_ID));
    ck_assert_int_eq(lab_commit(), 2);
    shared_record_unref(first);
    shared_record_unref(second);
    lab_close();
}
END_TEST

START_TEST(what_breaks_a_rule_is_refused_now) {
    lab_open();
    shared_record *record = NULL, *progress = NULL;
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    ck_assert_int_eq(shared_session_add(session, record), SHARED_ESCHEMA);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "file_name"));
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_session_add");
    ck_assert_int_eq(shared_session_copy(session, record), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_session_copy");
    OK(shared_record_new(SHARED_PROGRESS, &progress));
    ck_assert_int_eq(shared_session_add(session, progress), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_copy(session, progress), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_update(session, progress), SHARED_EINVALID);
    ck_assert_int_eq(shared_session_delete(session, NULL), SHARED_EINVALID);
    ck_assert_int_eq(lab_commit(), 0);
    shared_record_unref(record);
    shared_record_unref(progress);
    lab_close();
}
END_TEST

START_TEST(changes_that_wait_are_bounded) {
    lab_open_with("SESSION_CHANGES_MAX", "3");
    for (int i = 0; i < 3; i++) lab_add(NULL);
    shared_record *record = lab_document(NULL);
    ck_assert_int_eq(shared_session_add(session, record), SHARED_EBUSY);
    ck_assert_int_eq(shared_session_enqueue(session, "task", "[]", NULL), SHARED_EBUSY);
    ck_assert_int_eq(lab_commit(), 3);
    OK(shared_session_add(session, record));
    ck_assert_int_eq(lab_commit(), 1);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_conflict_undoes_the_whole_commit) {
    lab_open();
    lab_add("doc-1");
    ck_assert_int_eq(lab_commit(), 1);
    lab_add("doc-2");
    lab_add("doc-1");
    lab_add("doc-3");
    OK(shared_session_commit(session, 1));
    const shared_error *error = lab_failure(1, SHARED_ECONFLICT);
    ck_assert_str_eq(shared_error_sqlstate(error), "23505");
    ck_assert_int_eq(shared_error_class(error), SHARED_PERMANENT);
    ck_assert_str_eq(lab_ask("SELECT string_agg(id, ' ') FROM documents"), "doc-1");
    lab_add("doc-4"); /* the session is as new */
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

START_TEST(a_missing_reference_is_a_conflict) {
    lab_open();
    shared_record *record = lab_document("doc-1");
    OK(shared_record_set_text(record, SHARED_DOCUMENT_CASE_ID, "no-case", 7));
    OK(shared_session_add(session, record));
    OK(shared_session_commit(session, 1));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_ECONFLICT)), "23503");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_rollback_forgets_what_waited) {
    lab_open();
    lab_add("doc-1");
    OK(shared_session_enqueue(session, "task", "[]", NULL));
    OK(shared_session_rollback(session, 1));
    (void)lab_success(1);
    ck_assert_int_eq(lab_commit(), 0);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    lab_close();
}
END_TEST

/* --- updating and deleting ------------------------------------------------------------------------ */

START_TEST(an_update_writes_what_was_set_and_reads_it_back) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    test_run_aside("UPDATE documents SET content_type = 'text/x', updated_at = '2020-01-01'");
    shared_record *record = lab_stored("doc-1");
    test_run_aside("UPDATE documents SET content_type = 'text/y'"); /* not ours: must stay */
    lab_rename(record, "new.pdf");
    OK(shared_session_update(session, record));
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask("SELECT file_name || ' ' || content_type FROM documents"),
                     "new.pdf text/y");
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_CONTENT_TYPE), "text/y");
    ck_assert_int_gt(shared_record_time(record, SHARED_DOCUMENT_UPDATED_AT),
                     shared_record_time(record, SHARED_DOCUMENT_CREATED_AT) - 1);
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(an_update_of_a_row_that_is_gone_undoes_the_commit_and_names_it) {
    lab_open();
    lab_add("doc-1");
    lab_add("doc-2");
    (void)lab_commit();
    shared_record *gone = lab_stored("doc-1"), *there = lab_stored("doc-2");
    test_run_aside("DELETE FROM documents WHERE id = 'doc-1'");
    lab_rename(there, "other.pdf");
    lab_rename(gone, "other.pdf");
    OK(shared_session_update(session, there));
    OK(shared_session_update(session, gone));
    OK(shared_session_commit(session, 1));
    const shared_error *error = lab_failure(1, SHARED_ENOTFOUND);
    ck_assert_str_eq(shared_error_message(error), "document: no row has id \"doc-1\"");
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    shared_record_unref(gone);
    shared_record_unref(there);
    lab_close();
}
END_TEST

START_TEST(a_record_made_by_hand_says_which_row_to_change) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    shared_record *record = NULL;
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_ID, "doc-1", 5));
    lab_rename(record, "by-hand.pdf");
    OK(shared_session_update(session, record));
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS), "pending");
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "by-hand.pdf");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_delete_deletes_once) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    shared_record *record = lab_stored("doc-1");
    OK(shared_session_delete(session, record));
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM documents"), "0");
    OK(shared_session_delete(session, record));
    OK(shared_session_commit(session, 1));
    ck_assert_ptr_nonnull(strstr(shared_error_message(lab_failure(1, SHARED_ENOTFOUND)), "doc-1"));
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_key_of_two_fields_is_named_whole) {
    lab_open();
    shared_record *page = NULL;
    OK(shared_record_new(SHARED_DOCUMENT_PAGE, &page));
    OK(shared_record_set_text(page, SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "doc-1", 5));
    OK(shared_record_set_int(page, SHARED_DOCUMENT_PAGE_PAGE, 7));
    OK(shared_session_delete(session, page));
    OK(shared_session_commit(session, 1));
    ck_assert_str_eq(shared_error_message(lab_failure(1, SHARED_ENOTFOUND)),
                     "document_page: no row has document_id \"doc-1\", page \"7\"");
    shared_record_unref(page);
    lab_close();
}
END_TEST

/* --- many rows ------------------------------------------------------------------------------------ */

static void copy_chunk(int32_t index, const char *text) {
    shared_record *record = NULL;
    OK(shared_record_new(SHARED_DOCUMENT_CHUNK, &record));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID, "doc-1", 5));
    OK(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, index));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_CONTENT, text, strlen(text)));
    if (index % 2) OK(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_PAGE_FROM, index));
    OK(shared_session_copy(session, record));
    shared_record_unref(record);
}

START_TEST(five_thousand_rows_go_in_one_commit) {
    enum { COUNT = 5000 };
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    sync_count = 0;
    for (int32_t i = 0; i < COUNT; i++)
        copy_chunk(i, "a \"piece\" of {text}, with \\ and \xc3\xa9");
    ck_assert_int_eq(lab_commit(), COUNT);
    ck_assert_int_eq(sync_count, 1);
    ck_assert_str_eq(lab_ask("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' ||"
                             " count(page_from) || ' ' || sum(chunk_index) FROM document_chunks"),
                     "5000 5000 2500 12497500");
    ck_assert_str_eq(lab_ask("SELECT DISTINCT content FROM document_chunks"),
                     "a \"piece\" of {text}, with \\ and \xc3\xa9");
    lab_close();
}
END_TEST

START_TEST(one_bad_row_of_many_undoes_all) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    for (int32_t i = 0; i < 1500; i++) copy_chunk(i == 1400 ? 3 : i, "text");
    OK(shared_session_commit(session, 1));
    (void)lab_failure(1, SHARED_ECONFLICT);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM document_chunks"), "0");
    lab_close();
}
END_TEST

START_TEST(changes_keep_their_order) {
    lab_open();
    lab_add("doc-1"); /* before the chunks that refer to it */
    copy_chunk(0, "text");
    ck_assert_int_eq(lab_commit(), 2);
    shared_record *record = lab_stored("doc-1");
    lab_rename(record, "first.pdf");
    OK(shared_session_update(session, record));
    OK(shared_session_delete(session, record));
    lab_add("doc-1");
    ck_assert_int_eq(lab_commit(), 3);
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    shared_record_unref(record);
    lab_close();
}
END_TEST

START_TEST(a_worker_publishes_in_one_round_trip) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    sync_count = 0;
    lab_query("SELECT document_fence('doc-1', 0)", 0);
    lab_query("DELETE FROM document_chunks WHERE document_id = 'doc-1'", 0);
    for (int32_t i = 0; i < 10; i++) copy_chunk(i, "text");
    lab_query("UPDATE documents SET extraction_status = 'completed' WHERE id = 'doc-1'", 0);
    ck_assert_int_eq(lab_commit(), 10);
    ck_assert_int_eq(sync_count, 1);
    ck_assert_str_eq(lab_ask("SELECT (SELECT extraction_status FROM documents) ||"
                             " (SELECT count(*) FROM document_chunks)"),
                     "completed10");
    lab_close();
}
END_TEST

START_TEST(a_fence_fails_all_behind_it_and_the_commit_says_why) {
    lab_open();
    lab_add("doc-1");
    (void)lab_commit();
    lab_query("SELECT document_fence('doc-1', 7)", 0);
    copy_chunk(0, "text");
    lab_query("UPDATE documents SET extraction_status = 'completed' WHERE id = 'doc-1'", 1);
    OK(shared_session_commit(session, 2));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_ECONFLICT)), "LX001");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_ECONFLICT)), "LX001");
    ck_assert_str_eq(lab_ask("SELECT extraction_status FROM documents"), "pending");
    lab_close();
}
END_TEST

/* --- tasks ---------------------------------------------------------------------------------------- */

START_TEST(tasks_are_told_after_the_commit_and_only_then) {
    lab_open();
    session_on_commit(client, take_tasks, client);
    OK(shared_session_enqueue(session, "first", "[{\"document_id\":\"doc-1\"}]", "doc-1"));
    OK(shared_session_enqueue(session, "second", "[]", NULL));
    ck_assert_int_eq(told_count, 0);
    ck_assert_int_eq(lab_commit(), 0); /* rows of the outbox are not the caller's */
    ck_assert_int_eq(told_count, 2);
    ck_assert_str_eq(told->task, "first");
    ck_assert_str_eq(told->queue, "celery");
    ck_assert_str_eq(told->args_json, "[{\"document_id\":\"doc-1\"}]");
    ck_assert_str_eq(told->key, "doc-1");
    ck_assert_uint_eq(strlen(told->id), 36);
    ck_assert_ptr_null(told->next->key);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT task || key FROM task_outbox WHERE id = '%s'",
                   told->id);
    ck_assert_str_eq(lab_ask(sql), "firstdoc-1");
    drop_tasks();
    lab_close();
}
END_TEST

START_TEST(tasks_of_a_failed_or_undone_transaction_are_never_told) {
    lab_open();
    session_on_commit(client, take_tasks, client);
    OK(shared_session_enqueue(session, "task", "[]", NULL));
    OK(shared_session_rollback(session, 1));
    (void)lab_success(1);
    OK(shared_session_enqueue(session, "task", "[]", NULL));
    lab_query("SELECT 1 / 0", 2); /* flushes it */
    OK(shared_session_commit(session, 3));
    (void)lab_failure(2, SHARED_EREMOTE);
    (void)lab_failure(3, SHARED_EREMOTE);
    ck_assert_int_eq(told_count, 0);
    ck_assert_str_eq(lab_ask("SELECT count(*) FROM task_outbox"), "0");
    lab_close();
}
END_TEST

START_TEST(a_task_that_cannot_be_sent_is_refused_now) {
    lab_open();
    static const struct {
        const char *task, *args, *key;
    } rows[] = {
        {NULL, "[]", NULL},   {"", "[]", NULL},      {"task", NULL, NULL},
        {"task", "{}", NULL}, {"task", "[", NULL},   {"task", "[] x", NULL},
        {"task", "", NULL},   {"t\xff", "[]", NULL}, {"task", "[]", "\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(shared_session_enqueue(session, rows[i].task, rows[i].args, rows[i].key) ==
                          SHARED_EINVALID,
                      "row %zu", i);
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_commit_of_changes_is_one_round_trip,
        an_added_record_shows_what_the_server_made,
        an_id_is_made_when_there_is_none,
        what_breaks_a_rule_is_refused_now,
        changes_that_wait_are_bounded,
        a_conflict_undoes_the_whole_commit,
        a_missing_reference_is_a_conflict,
        a_rollback_forgets_what_waited,
        an_update_writes_what_was_set_and_reads_it_back,
        an_update_of_a_row_that_is_gone_undoes_the_commit_and_names_it,
        a_record_made_by_hand_says_which_row_to_change,
        a_delete_deletes_once,
        a_key_of_two_fields_is_named_whole,
        five_thousand_rows_go_in_one_commit,
        one_bad_row_of_many_undoes_all,
        changes_keep_their_order,
        a_worker_publishes_in_one_round_trip,
        a_fence_fails_all_behind_it_and_the_commit_says_why,
        tasks_are_told_after_the_commit_and_only_then,
        tasks_of_a_failed_or_undone_transaction_are_never_told,
        a_task_that_cannot_be_sent_is_refused_now,
    };
    return lab_run("commit", tests, sizeof tests / sizeof *tests);
}
