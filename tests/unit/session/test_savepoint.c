/* SPDX-License-Identifier: MIT
 * test_savepoint.c - flushes, and parts of a transaction that are undone alone: what is stored, what records
 * show, what the relay is told, and how a failed transaction is used again.
 */
#include "lab.h"

static int told_count; /* tasks that the hook was told of */

static void take_tasks(void *owner, struct outbox_row *rows) {
    ck_assert_ptr_eq(owner, client);
    while (rows) {
        struct outbox_row *row = rows;
        rows = row->next;
        told_count++;
        ck_assert_str_eq(row->task, "kept");
        outbox_row_free(row);
    }
}

static int64_t flush(void) {
    uint64_t tag = tag_next++;
    OK(shared_session_flush(session, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    return shared_event_count(event);
}

static void undo(const char *name) {
    uint64_t tag = tag_next++;
    OK(shared_session_rollback_to(session, name, tag));
    const shared_event *event = lab_success(tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    ck_assert_int_eq(shared_event_count(event), 0);
}

static void begin(void) {
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
}

/* The ids that a look from aside finds. */
static const char *stored(void) {
    return lab_ask("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM documents");
}

static void refused(shared_status status, const char *message) {
    ck_assert_int_eq(status, SHARED_EINVALID);
    ck_assert_msg(strstr(shared_error_message(shared_error_last()), message) != NULL, "%s",
                  shared_error_message(shared_error_last()));
}

/* --- flush ---------------------------------------------------------------------------------------- */

START_TEST(a_flush_writes_what_waits_and_counts_its_rows) {
    lab_open();
    lab_add("a");
    lab_add("b");
    OK(shared_session_enqueue(session, "kept", "[]", NULL));
    ck_assert_int_eq(flush(), 2);
    ck_assert_str_eq(stored(), ""); /* not committed */
    lab_add("c");
    ck_assert_int_eq(flush(), 1);
    lab_add("d");
    lab_query("SELECT 1", 1); /* writes d by itself */
    (void)lab_success(1);
    lab_add("e");
    ck_assert_int_eq(flush(), 1);
    ck_assert_int_eq(lab_commit(), 5);
    ck_assert_str_eq(stored(), "a b c d e");
    lab_close();
}
END_TEST

START_TEST(a_flush_of_nothing_opens_no_transaction) {
    lab_open();
    sync_count = 0;
    ck_assert_int_eq(flush(), 0);
    ck_assert_int_eq(sync_count, 0);
    refused(shared_session_savepoint(session, "a"), "no transaction is open");
    begin(); /* none was open */
    ck_assert_int_eq(flush(), 0);
    ck_assert_int_eq(lab_commit(), 0);
    lab_close();
}
END_TEST

START_TEST(a_flush_of_nothing_waits_for_what_was_asked_before) {
    lab_open();
    lab_query("SELECT 1 / 0", 1);
    OK(shared_session_flush(session, 2));
    (void)lab_failure(1, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_EREMOTE)), "22012");
    OK(shared_session_rollback(session, 3));
    (void)lab_success(3);
    lab_close();
}
END_TEST

START_TEST(a_flush_that_the_server_refuses_tells_which_row) {
    lab_open();
    shared_record *gone = lab_document("gone");
    OK(shared_session_update(session, gone));
    lab_add("a");
    OK(shared_session_flush(session, 1));
    const shared_error *error = lab_failure(1, SHARED_ENOTFOUND);
    ck_assert_str_eq(shared_error_message(error), "document: no row has id \"gone\"");
    OK(shared_session_commit(session, 2));
    (void)lab_failure(2, SHARED_ENOTFOUND);
    ck_assert_str_eq(stored(), "");
    shared_record_unref(gone);
    lab_close();
}
END_TEST

/* --- undone parts --------------------------------------------------------------------------------- */

START_TEST(what_was_done_since_a_savepoint_is_undone) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    lab_add("b");
    ck_assert_int_eq(flush(), 1);
    lab_add("pending");
    undo("s");
    lab_add("c");
    ck_assert_int_eq(lab_commit(), 2);
    ck_assert_str_eq(stored(), "a c");
    lab_close();
}
END_TEST

START_TEST(savepoints_nest_and_names_come_again) {
    lab_open();
    begin();
    OK(shared_session_savepoint(session, "same"));
    lab_add("a");
    OK(shared_session_savepoint(session, "same"));
    lab_add("b");
    OK(shared_session_savepoint(session, "inner \"; --"));
    lab_add("c");
    undo("inner \"; --");
    undo("same"); /* the second */
    refused(shared_session_rollback_to(session, "inner \"; --", 1), "none of that name");
    lab_add("d");
    OK(shared_session_release(session, "same"));
    lab_add("e");
    ck_assert_int_eq(flush(), 2);
    undo("same"); /* the first */
    lab_add("f");
    OK(shared_session_release(session, "same"));
    refused(shared_session_release(session, "same"), "none of that name");
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(stored(), "f");
    lab_close();
}
END_TEST

START_TEST(tasks_of_an_undone_part_are_not_told_to_the_relay) {
    lab_open();
    session_on_commit(client, take_tasks, client);
    told_count = 0;
    OK(shared_session_enqueue(session, "kept", "[1]", NULL));
    OK(shared_session_savepoint(session, "s"));
    OK(shared_session_enqueue(session, "undone", "[2]", NULL));
    ck_assert_int_eq(flush(), 0);
    OK(shared_session_enqueue(session, "undone", "[3]", NULL));
    undo("s");
    OK(shared_session_enqueue(session, "kept", "[4]", NULL));
    (void)lab_commit();
    ck_assert_int_eq(told_count, 2);
    ck_assert_str_eq(lab_ask("SELECT string_agg(task, ' ') FROM task_outbox"), "kept kept");
    lab_close();
}
END_TEST

START_TEST(all_tasks_go_when_none_was_made_before_the_savepoint) {
    lab_open();
    session_on_commit(client, take_tasks, client);
    told_count = 0;
    begin();
    OK(shared_session_savepoint(session, "s"));
    OK(shared_session_enqueue(session, "undone", "[]", NULL));
    ck_assert_int_eq(flush(), 0);
    undo("s");
    (void)lab_commit();
    ck_assert_int_eq(told_count, 0);
    lab_close();
}
END_TEST

START_TEST(records_keep_what_was_set_when_their_change_is_undone) {
    lab_open();
    lab_add("old");
    (void)lab_commit();
    shared_record *added = lab_document("new"), *updated = lab_stored("old");
    begin();
    OK(shared_session_savepoint(session, "s"));
    OK(shared_session_add(session, added));
    lab_rename(updated, "new.pdf");
    OK(shared_session_update(session, updated));
    ck_assert_int_eq(flush(), 2);
    undo("s");
    ck_assert_int_eq(lab_commit(), 0);
    ck_assert(shared_record_is_null(added, SHARED_DOCUMENT_CREATED_AT));
    ck_assert_str_eq(shared_record_text(updated, SHARED_DOCUMENT_FILE_NAME), "new.pdf");
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents"), "will.pdf");
    OK(shared_session_add(session, added)); /* both may be stored yet */
    OK(shared_session_update(session, updated));
    ck_assert_int_eq(lab_commit(), 2);
    ck_assert(!shared_record_is_null(added, SHARED_DOCUMENT_CREATED_AT));
    ck_assert_str_eq(lab_ask("SELECT file_name FROM documents WHERE id = 'old'"), "new.pdf");
    shared_record_unref(added);
    shared_record_unref(updated);
    lab_close();
}
END_TEST

/* --- failures ------------------------------------------------------------------------------------- */

START_TEST(a_failed_transaction_is_usable_again_after_a_rollback_to) {
    lab_open();
    lab_add("a");
    (void)lab_commit();
    lab_add("b");
    OK(shared_session_savepoint(session, "s"));
    lab_add("a"); /* is there */
    OK(shared_session_flush(session, 1));
    (void)lab_failure(1, SHARED_ECONFLICT);
    lab_query("SELECT 1", 2);
    (void)lab_failure(2, SHARED_ECONFLICT); /* until then */
    ck_assert_int_eq(shared_session_savepoint(session, "t"), SHARED_ECONFLICT);
    ck_assert_int_eq(shared_session_release(session, "s"), SHARED_ECONFLICT);
    undo("s");
    lab_query("SELECT 1", 3);
    (void)lab_success(3);
    lab_add("c");
    ck_assert_int_eq(lab_commit(), 2);
    ck_assert_str_eq(stored(), "a b c");
    lab_close();
}
END_TEST

/* The commit is not one of a failed transaction, though it is sent while that has failed. */
START_TEST(a_commit_asked_together_with_the_rollback_to_stores) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT 1 / 0", 1);
    (void)lab_failure(1, SHARED_EREMOTE);
    OK(shared_session_rollback_to(session, "s", 2));
    OK(shared_session_commit(session, 3));
    (void)lab_success(2);
    ck_assert_int_eq(shared_event_count(lab_success(3)), 1);
    ck_assert_str_eq(stored(), "a");
    lab_close();
}
END_TEST

START_TEST(all_of_it_may_be_asked_in_one_go) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT 1 / 0", 1);
    lab_query("SELECT 2", 2);
    OK(shared_session_rollback_to(session, "s", 3));
    lab_query("SELECT 3", 4);
    OK(shared_session_savepoint(session, "t"));
    lab_query("SELEKT", 5);
    OK(shared_session_rollback_to(session, "t", 6));
    lab_add("b");
    OK(shared_session_release(session, "s"));
    OK(shared_session_commit(session, 7));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(1, SHARED_EREMOTE)), "22012");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_EREMOTE)), "22012");
    (void)lab_success(3);
    ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(4), 0), 0), "3");
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(5, SHARED_EREMOTE)), "42601");
    (void)lab_success(6);
    ck_assert_int_eq(shared_event_count(lab_success(7)), 2);
    ck_assert_str_eq(stored(), "a b");
    lab_close();
}
END_TEST

START_TEST(a_savepoint_behind_the_failure_does_not_help) {
    lab_open();
    lab_query("SELECT 1 / 0", 1);
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT 2", 2);
    OK(shared_session_rollback_to(session, "s", 3));
    lab_query("SELECT 3", 4);
    OK(shared_session_commit(session, 5));
    for (uint64_t tag = 1; tag <= 5; tag++)
        ck_assert_str_eq(shared_error_sqlstate(lab_failure(tag, SHARED_EREMOTE)), "22012");
    lab_add("a");
    ck_assert_int_eq(lab_commit(), 1);
    lab_close();
}
END_TEST

/* The name came again behind the failure: the older one of that name must not be taken for it. */
START_TEST(a_name_that_hides_behind_the_failure_does_not_help) {
    lab_open();
    begin();
    OK(shared_session_savepoint(session, "s"));
    lab_add("a");
    lab_query("SELECT 1 / 0", 1);
    OK(shared_session_savepoint(session, "s"));
    OK(shared_session_rollback_to(session, "s", 2));
    OK(shared_session_commit(session, 3));
    for (uint64_t tag = 1; tag <= 3; tag++) (void)lab_failure(tag, SHARED_EREMOTE);
    ck_assert_str_eq(stored(), "");
    lab_close();
}
END_TEST

START_TEST(a_cancelled_statement_is_healed_too) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT pg_sleep(60)", 1);
    while (strcmp(lab_ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
                  "1") != 0)
        ck_assert_int_ge(shared_client_dispatch(client, 1), 0);
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    undo("s");
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(stored(), "a");
    lab_close();
}
END_TEST

START_TEST(what_is_cancelled_before_it_is_sent_fails_until_the_rollback_to) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    ck_assert_int_eq(flush(), 0); /* the savepoint stands */
    lab_add("b");
    OK(shared_session_savepoint(session, "t"));
    lab_query("SELECT 1", 1);
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    OK(shared_session_rollback_to(session, "t", 2)); /* t was never made */
    (void)lab_failure(2, SHARED_ECANCELLED);
    undo("s");
    ck_assert_int_eq(lab_commit(), 1);
    ck_assert_str_eq(stored(), "a");
    lab_close();
}
END_TEST

START_TEST(a_lost_connection_is_not_healed) {
    lab_open();
    lab_add("a");
    OK(shared_session_savepoint(session, "s"));
    lab_query("SELECT pg_backend_pid()", 1);
    test_terminate((int)shared_record_int(shared_event_record(lab_success(1), 0), 0));
    OK(shared_session_rollback_to(session, "s", 2));
    ck_assert_int_eq(shared_error_class(lab_failure(2, SHARED_ECLOSED)), SHARED_RETRYABLE);
    OK(shared_session_rollback_to(session, "s", 3));
    (void)lab_failure(3, SHARED_ECLOSED);
    OK(shared_session_commit(session, 4));
    (void)lab_failure(4, SHARED_ECLOSED);
    ck_assert_str_eq(stored(), "");
    lab_close();
}
END_TEST

/* --- misuse --------------------------------------------------------------------------------------- */

START_TEST(misuse_is_refused_and_the_session_stays_usable) {
    char long_name[65];
    memset(long_name, 'x', 64);
    long_name[64] = '\0';
    lab_open();
    refused(shared_session_savepoint(session, "s"), "no transaction is open");
    refused(shared_session_rollback_to(session, "s", 1), "no transaction is open");
    refused(shared_session_release(session, "s"), "no transaction is open");
    refused(shared_session_savepoint(NULL, "s"), "session is NULL");
    refused(shared_session_flush(NULL, 1), "session is NULL");
    begin();
    refused(shared_session_savepoint(session, NULL), "name must be");
    refused(shared_session_savepoint(session, ""), "name must be");
    refused(shared_session_savepoint(session, long_name), "name must be");
    refused(shared_session_savepoint(session, "\xff"), "name must be");
    refused(shared_session_rollback_to(session, "s", 1), "\"s\": the transaction has none");
    refused(shared_session_release(session, "s"), "\"s\": the transaction has none");
    for (int i = 0; i < 64; i++) OK(shared_session_savepoint(session, long_name + 1));
    ck_assert_int_eq(shared_session_savepoint(session, "s"), SHARED_EBUSY);
    OK(shared_session_release(session, long_name + 1));
    OK(shared_session_savepoint(session, "s"));
    lab_add("a");
    ck_assert_int_eq(lab_commit(), 1);
    refused(shared_session_rollback_to(session, "s", 1), "no transaction is open");
    ck_assert_str_eq(stored(), "a");
    lab_close();
}
END_TEST

START_TEST(a_transaction_may_only_read) {
    static const char *const shown[] = {"off off", "on off", "off on", "on on"};
    lab_open();
    for (int32_t flags = 0; flags <= 3; flags++) {
        OK(shared_session_begin(session, SHARED_SERIALIZABLE, flags));
        lab_query("SELECT current_setting('transaction_read_only') || ' '"
                  " || current_setting('transaction_deferrable')",
                  1);
        ck_assert_str_eq(shared_record_text(shared_event_record(lab_success(1), 0), 0),
                         shown[flags]);
        (void)lab_commit();
    }
    OK(shared_session_begin(session, SHARED_READ_COMMITTED, SHARED_READ_ONLY));
    lab_add("a");
    OK(shared_session_commit(session, 2));
    ck_assert_str_eq(shared_error_sqlstate(lab_failure(2, SHARED_EREMOTE)), "25006");
    refused(shared_session_begin(session, SHARED_SERIALIZABLE, 4), "flags: 4");
    refused(shared_session_begin(session, SHARED_SERIALIZABLE, -1), "flags: -1");
    lab_close();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_flush_writes_what_waits_and_counts_its_rows,
        a_flush_of_nothing_opens_no_transaction,
        a_flush_of_nothing_waits_for_what_was_asked_before,
        a_flush_that_the_server_refuses_tells_which_row,
        what_was_done_since_a_savepoint_is_undone,
        savepoints_nest_and_names_come_again,
        tasks_of_an_undone_part_are_not_told_to_the_relay,
        all_tasks_go_when_none_was_made_before_the_savepoint,
        records_keep_what_was_set_when_their_change_is_undone,
        a_failed_transaction_is_usable_again_after_a_rollback_to,
        a_commit_asked_together_with_the_rollback_to_stores,
        all_of_it_may_be_asked_in_one_go,
        a_savepoint_behind_the_failure_does_not_help,
        a_name_that_hides_behind_the_failure_does_not_help,
        a_cancelled_statement_is_healed_too,
        what_is_cancelled_before_it_is_sent_fails_until_the_rollback_to,
        a_lost_connection_is_not_healed,
        misuse_is_refused_and_the_session_stays_usable,
        a_transaction_may_only_read,
    };
    return lab_run("savepoint", tests, sizeof tests / sizeof *tests);
}
