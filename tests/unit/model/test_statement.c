/* SPDX-License-Identifier: MIT
 * test_statement.c - the SQL of one record, and that its text depends on the fields alone.
 */
#include "base/error.h"
#include "fake_rows.h"
#include "model/statement.h"
#include "unit.h"

static shared_record *record_of(int32_t model) {
    shared_record *record;
    ck_assert_int_eq(shared_record_new(model, &record), SHARED_OK);
    return record;
}

static void set(shared_record *record, int32_t field, const char *text) {
    ck_assert_int_eq(shared_record_set_text(record, field, text, strlen(text)), SHARED_OK);
}

static void assert_statement(struct statement *statement, const char *sql, int32_t count,
                             const char *const *values) {
    ck_assert_str_eq(statement->sql.data, sql);
    ck_assert_int_eq(statement->parameters.count, count);
    for (int32_t i = 0; i < count; i++) {
        const char *value = parameters_value(&statement->parameters, i);
        if (values[i])
            ck_assert_str_eq(value, values[i]);
        else
            ck_assert_ptr_null(value);
    }
    statement_finish(statement);
}

START_TEST(selects_name_every_column_in_the_order_of_the_fields) {
    ck_assert_str_eq(statement_select(model_find(SHARED_CASE)),
                     "SELECT id, title, description, created_at, updated_at FROM cases");
    ck_assert_str_eq(statement_select_by_key(model_find(SHARED_DOCUMENT_PAGE)),
                     "SELECT document_id, page, text, source, error FROM document_pages WHERE "
                     "document_id = $1 AND page = $2");
    ck_assert_ptr_null(statement_select(model_find(SHARED_PROGRESS)));
}
END_TEST

START_TEST(an_insert_names_what_has_a_value) {
    struct statement statement = {0};
    shared_record *record = record_of(SHARED_CASE);
    set(record, SHARED_CASE_ID, "c-1");
    set(record, SHARED_CASE_TITLE, "O'Neil; DROP TABLE cases");
    shared_record_set_null(record, SHARED_CASE_DESCRIPTION);
    ck_assert_int_eq(statement_insert(&statement, record), SHARED_OK);
    assert_statement(&statement, "INSERT INTO cases (id,title) VALUES ($1,$2)", 2,
                     (const char *const[]){"c-1", "O'Neil; DROP TABLE cases"});
    shared_record_unref(record);
}
END_TEST

START_TEST(an_update_writes_what_changed_and_touches_the_row) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    struct statement statement = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    set(record, SHARED_DOCUMENT_EXTRACTION_STATUS, "failed");
    shared_record_set_null(record, SHARED_DOCUMENT_PAGE_COUNT);
    ck_assert_int_eq(statement_update(&statement, record), SHARED_OK);
    assert_statement(&statement,
                     "UPDATE documents SET extraction_status = $1, page_count = $2, updated_at = "
                     "now() WHERE id = $3",
                     3, (const char *const[]){"failed", NULL, "doc-123"});
    shared_record_unref(record);
}
END_TEST

START_TEST(a_time_that_the_caller_set_is_kept) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    struct statement statement = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    shared_record_set_time(record, SHARED_DOCUMENT_UPDATED_AT, 0);
    ck_assert_int_eq(statement_update(&statement, record), SHARED_OK);
    assert_statement(&statement, "UPDATE documents SET updated_at = $1 WHERE id = $2", 2,
                     (const char *const[]){"1970-01-01T00:00:00Z", "doc-123"});
    shared_record_unref(record);
}
END_TEST

START_TEST(an_update_without_a_change_sends_nothing) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    struct statement statement = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    ck_assert_int_eq(statement_update(&statement, record), SHARED_OK);
    ck_assert_uint_eq(statement.sql.size, 0);
    statement_finish(&statement);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_record_made_by_hand_updates_the_row_of_its_key) {
    struct statement statement = {0};
    shared_record *record = record_of(SHARED_DOCUMENT_PAGE);
    set(record, SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "d");
    set(record, SHARED_DOCUMENT_PAGE_PAGE, "7");
    set(record, SHARED_DOCUMENT_PAGE_TEXT, "new");
    ck_assert_int_eq(statement_update(&statement, record), SHARED_OK);
    assert_statement(&statement,
                     "UPDATE document_pages SET text = $1 WHERE document_id = $2 AND page = $3", 3,
                     (const char *const[]){"new", "d", "7"});
    shared_record_unref(record);
}
END_TEST

START_TEST(an_update_checks_what_changed_and_nothing_else) {
    const char *values[16];
    memcpy(values, document_values, sizeof values);
    values[2] = ""; /* an old row that breaks today's rule */
    struct fake_rows fake = fake_rows(16, 1, values);
    struct statement statement = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, 4);
    ck_assert_int_eq(statement_update(&statement, record), SHARED_OK);
    statement_finish(&statement);
    shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, -1);
    ck_assert_int_eq(statement_update(&statement, record), SHARED_ESCHEMA);
    ck_assert_uint_eq(statement.sql.size, 0);
    statement_finish(&statement);
    shared_record_unref(record);
}
END_TEST

START_TEST(the_key_of_a_row_that_was_read_cannot_change) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    struct statement statement = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    set(record, SHARED_DOCUMENT_ID, "other");
    ck_assert_int_eq(statement_update(&statement, record), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "document: id is a key and cannot be changed");
    statement_finish(&statement);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_delete_names_the_whole_key) {
    struct statement statement = {0};
    shared_record *record = record_of(SHARED_DOCUMENT_PAGE);
    set(record, SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "d");
    ck_assert_int_eq(statement_delete(&statement, record), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "document_page: the key page is null");
    statement_finish(&statement);
    set(record, SHARED_DOCUMENT_PAGE_PAGE, "7");
    ck_assert_int_eq(statement_delete(&statement, record), SHARED_OK);
    assert_statement(&statement, "DELETE FROM document_pages WHERE document_id = $1 AND page = $2",
                     2, (const char *const[]){"d", "7"});
    shared_record_unref(record);
}
END_TEST

START_TEST(what_has_no_table_or_no_value_has_no_statement) {
    struct statement statement = {0};
    shared_record *shape = record_of(SHARED_PROGRESS), *empty = record_of(SHARED_CASE);
    static const char *const values[] = {"x"};
    struct fake_rows fake = fake_rows(1, 1, values);
    shared_record *raw = record_from_row(0, &fake.rows, 0);
    ck_assert_int_eq(statement_insert(&statement, shape), SHARED_EINVALID);
    ck_assert_int_eq(statement_update(&statement, shape), SHARED_EINVALID);
    ck_assert_int_eq(statement_delete(&statement, raw), SHARED_EINVALID);
    ck_assert_int_eq(statement_insert(&statement, empty), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "case: no field is set");
    statement_finish(&statement);
    shared_record_unref(shape);
    shared_record_unref(empty);
    shared_record_unref(raw);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        selects_name_every_column_in_the_order_of_the_fields,
        an_insert_names_what_has_a_value,
        an_update_writes_what_changed_and_touches_the_row,
        a_time_that_the_caller_set_is_kept,
        an_update_without_a_change_sends_nothing,
        a_record_made_by_hand_updates_the_row_of_its_key,
        an_update_checks_what_changed_and_nothing_else,
        the_key_of_a_row_that_was_read_cannot_change,
        a_delete_names_the_whole_key,
        what_has_no_table_or_no_value_has_no_statement,
    };
    return unit_run("statement", tests, sizeof tests / sizeof *tests);
}
