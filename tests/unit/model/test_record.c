/* SPDX-License-Identifier: MIT
 * test_record.c - values lent and owned, who frees what, what counts as changed.
 */
#include <pthread.h>
#include <shared/typed.h>

#include "base/time.h"
#include "fake_rows.h"
#include "unit.h"

static shared_record *document(void) {
    shared_record *record;
    ck_assert_int_eq(shared_record_new(SHARED_DOCUMENT, &record), SHARED_OK);
    return record;
}

static void assert_last(int32_t code, const char *message) {
    ck_assert_int_eq(shared_error_code(shared_error_last()), code);
    ck_assert_str_eq(shared_error_message(shared_error_last()), message);
}

START_TEST(a_new_record_is_all_null) {
    shared_record *record = document();
    ck_assert_int_eq(shared_record_model(record), SHARED_DOCUMENT);
    ck_assert_int_eq(shared_record_count(record), 16);
    for (int32_t i = 0; i < 16; i++) {
        int32_t field = shared_record_field(record, i);
        ck_assert_int_eq(field, SHARED_DOCUMENT << 8 | (i + 1));
        ck_assert_int_eq(shared_record_is_null(record, field), 1);
        ck_assert_ptr_null(shared_record_text(record, field));
        ck_assert_uint_eq(shared_record_text_size(record, field), 0);
        ck_assert_int_eq(shared_record_int(record, field), 0);
        ck_assert(!record_is_changed(record, i));
    }
    ck_assert_int_eq(shared_record_field(record, 16), -1);
    ck_assert_int_eq(shared_record_field(record, -1), -1);
    ck_assert_str_eq(shared_record_name(record, SHARED_DOCUMENT_SHA256), "sha256");
    shared_record_unref(record);
}
END_TEST

START_TEST(values_of_every_type_read_back) {
    shared_record *record = document();
    char name[200];
    memset(name, 'n', sizeof name);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ID, "d", 1), SHARED_OK);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, name, 200), 0);
    ck_assert_int_eq(shared_record_set_int(record, SHARED_DOCUMENT_BYTE_SIZE, INT64_MAX), 0);
    ck_assert_int_eq(shared_record_set_int(record, SHARED_DOCUMENT_PAGE_COUNT, INT32_MAX), 0);
    ck_assert_int_eq(shared_record_set_time(record, SHARED_DOCUMENT_CREATED_AT, 1), 0);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ID), "d");
    ck_assert_uint_eq(shared_record_text_size(record, SHARED_DOCUMENT_FILE_NAME), 200);
    ck_assert_mem_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), name, 200);
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_BYTE_SIZE), INT64_MAX);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_BYTE_SIZE), "9223372036854775807");
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_PAGE_COUNT), INT32_MAX);
    ck_assert_int_eq(shared_record_time(record, SHARED_DOCUMENT_CREATED_AT), 1);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_CREATED_AT),
                     "1970-01-01T00:00:00.000001Z");
    ck_assert_int_eq(shared_record_time(record, SHARED_DOCUMENT_ID), 0);
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_ID), 0);
    shared_record_unref(record);
}
END_TEST

START_TEST(typed_getters_read_the_same) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    ck_assert_str_eq(shared_document_file_name(record), "will \"final\".pdf");
    ck_assert_int_eq(shared_document_byte_size(record), 12345);
    ck_assert_int_eq(shared_document_created_at(record), INT64_C(1795514400000000));
    ck_assert_ptr_null(shared_document_case_id(record));
    shared_record_unref(record);
}
END_TEST

START_TEST(text_of_the_right_form_sets_numbers_and_times) {
    shared_record *record = document();
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ATTEMPT, "007", 3), SHARED_OK);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ATTEMPT), "7");
    ck_assert_int_eq(
        shared_record_set_text(record, SHARED_DOCUMENT_CREATED_AT, "2026-11-24 12:00:00+02", 22),
        0);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_CREATED_AT),
                     "2026-11-24T10:00:00Z");
    shared_record_unref(record);
}
END_TEST

START_TEST(a_value_that_its_type_cannot_hold_is_refused_and_changes_nothing) {
    shared_record *record = document();
    const int32_t schema = SHARED_ESCHEMA;
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "a\0b", 3), schema);
    assert_last(schema, "document: file_name: String should not contain NUL");
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ERROR, "\xff", 1), schema);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ATTEMPT, "2147483648", 10),
                     schema);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_record_set_text");
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ATTEMPT, "1x", 2), schema);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_CREATED_AT, "now", 3), schema);
    ck_assert_int_eq(shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, INT64_C(1) << 31),
                     schema);
    ck_assert_int_eq(shared_record_set_int(record, SHARED_DOCUMENT_FILE_NAME, 1), schema);
    ck_assert_int_eq(shared_record_set_int(record, SHARED_DOCUMENT_CREATED_AT, 1), schema);
    ck_assert_int_eq(shared_record_set_time(record, SHARED_DOCUMENT_ATTEMPT, 1), schema);
    ck_assert_int_eq(shared_record_set_time(record, SHARED_DOCUMENT_CREATED_AT, INT64_MAX), schema);
    assert_last(schema, "document: created_at: Input should be a valid datetime, as RFC 3339 has "
                        "them, of the years 1 to 9999");
    ck_assert_str_eq(shared_failure_value(0), "9223372036854775807");
    for (int32_t i = 0; i < shared_record_count(record); i++)
        ck_assert(!record_is_changed(record, i));
    shared_record_unref(record);
}
END_TEST

START_TEST(wrong_calls_are_answered) {
    shared_record *record;
    ck_assert_int_eq(shared_record_new(0, &record), SHARED_EINVALID);
    ck_assert_ptr_null(record);
    ck_assert_int_eq(shared_record_new(99, &record), SHARED_EINVALID);
    assert_last(SHARED_EINVALID, "model: 99, must be 1 to 9");
    ck_assert_int_eq(shared_record_new(SHARED_CASE, NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_set_int(NULL, SHARED_DOCUMENT_ATTEMPT, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_check(NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_model(NULL), 0);
    ck_assert_int_eq(shared_record_count(NULL), 0);
    ck_assert_int_eq(shared_record_is_null(NULL, SHARED_DOCUMENT_ID), 1);
    ck_assert_ptr_null(shared_record_text(NULL, SHARED_DOCUMENT_ID));
    ck_assert_ptr_null(shared_record_json(NULL));
    ck_assert_ptr_null(shared_record_ref(NULL));
    shared_record_unref(NULL);
}
END_TEST

START_TEST(a_field_of_another_model_is_null_and_cannot_be_set) {
    shared_record *record = document();
    shared_record_set_text(record, SHARED_DOCUMENT_ID, "d", 1);
    ck_assert_ptr_null(shared_record_text(record, SHARED_CASE_ID));
    ck_assert_str_eq(shared_record_name(record, SHARED_CASE_ID), "");
    ck_assert_int_eq(shared_record_set_text(record, SHARED_CASE_ID, "x", 1), SHARED_EINVALID);
    assert_last(SHARED_EINVALID, "field 0x101: not one of document");
    ck_assert_int_eq(shared_record_set_null(record, SHARED_CASE_ID), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_ID, NULL, 0), SHARED_EINVALID);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_value_may_be_set_from_the_record_itself) {
    shared_record *record = document();
    const char *longer = "a name that is longer than the room for small values, by some";
    shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, longer, strlen(longer));
    const char *own = shared_record_text(record, SHARED_DOCUMENT_FILE_NAME);
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, own + 2, 50), 0);
    own = shared_record_text(record, SHARED_DOCUMENT_FILE_NAME);
    ck_assert_str_eq(own, "name that is longer than the room for small values");
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, own + 5, 4), 0);
    own = shared_record_text(record, SHARED_DOCUMENT_FILE_NAME);
    ck_assert_str_eq(own, "that");
    ck_assert_int_eq(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, own + 1, 2), 0);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_FILE_NAME), "ha");
    shared_record_unref(record);
}
END_TEST

START_TEST(a_row_lends_its_values_and_lives_as_long_as_its_records) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    shared_record *again = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    rows_unref(&fake.rows);
    ck_assert_ptr_eq(shared_record_text(record, SHARED_DOCUMENT_ID), document_values[0]);
    ck_assert_int_eq(shared_record_is_null(record, SHARED_DOCUMENT_CASE_ID), 1);
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_BYTE_SIZE), 12345);
    ck_assert_int_eq(shared_record_time(record, SHARED_DOCUMENT_UPDATED_AT),
                     INT64_C(1795514400500000));
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_UPDATED_AT),
                     "2026-11-24T10:00:00.500000Z");
    ck_assert_uint_eq(shared_record_text_size(record, SHARED_DOCUMENT_UPDATED_AT), 27);
    shared_record_unref(record);
    ck_assert_int_eq(fake.frees, 0);
    shared_record_unref(again);
    ck_assert_int_eq(fake.frees, 1);
    rows_unref(NULL);
}
END_TEST

START_TEST(a_changed_field_hides_what_the_row_lends) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    shared_record_set_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS, "failed", 6);
    shared_record_set_null(record, SHARED_DOCUMENT_PAGE_COUNT);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS), "failed");
    ck_assert_int_eq(shared_record_is_null(record, SHARED_DOCUMENT_PAGE_COUNT), 1);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ID), "doc-123");
    for (int32_t i = 0; i < 16; i++) ck_assert(record_is_changed(record, i) == (i == 7 || i == 8));
    record_send(record);
    for (int32_t i = 0; i < 16; i++) ck_assert(!record_is_changed(record, i));
    shared_record_unref(record);
}
END_TEST

START_TEST(a_row_with_too_few_columns_reads_as_null) {
    static const char *const values[] = {"doc-1", "case-1"};
    struct fake_rows fake = fake_rows(2, 1, values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_CASE_ID), "case-1");
    ck_assert_int_eq(shared_record_is_null(record, SHARED_DOCUMENT_FILE_NAME), 1);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_raw_row_has_its_columns_as_fields) {
    enum { COLUMNS = 40 }; /* more than any model */
    const char *values[2 * COLUMNS] = {NULL}, *names[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) names[i] = "column";
    names[39] = "last";
    values[COLUMNS + 38] = "42";
    values[COLUMNS + 39] = "2026-11-24 10:00:00+00";
    struct fake_rows fake = fake_rows(COLUMNS, 2, values);
    fake.names = names;
    shared_record *record = record_from_row(0, &fake.rows, 1);
    ck_assert_int_eq(shared_record_model(record), 0);
    ck_assert_int_eq(shared_record_count(record), COLUMNS);
    ck_assert_int_eq(shared_record_field(record, 39), 39);
    ck_assert_str_eq(shared_record_name(record, 39), "last");
    ck_assert_str_eq(shared_record_name(record, COLUMNS), "");
    ck_assert_int_eq(shared_record_int(record, 38), 42);
    ck_assert_int_eq(shared_record_time(record, 39), INT64_C(1795514400000000));
    ck_assert_str_eq(shared_record_text(record, 39), "2026-11-24 10:00:00+00");
    ck_assert_int_eq(shared_record_is_null(record, 0), 1);
    ck_assert_int_eq(shared_record_is_null(record, COLUMNS), 1);
    ck_assert_int_eq(shared_record_set_text(record, 0, "x", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_check(record), SHARED_EINVALID);
    shared_record_unref(record);
}
END_TEST

START_TEST(taking_over_changes_leaves_the_rest) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    shared_record *source = document();
    char error[100];
    memset(error, 'e', sizeof error);
    shared_record_set_text(record, SHARED_DOCUMENT_ERROR, error, 99);
    shared_record_set_text(source, SHARED_DOCUMENT_ERROR, error, 100);
    shared_record_set_null(source, SHARED_DOCUMENT_PAGE_COUNT);
    record_take_changed(record, source);
    shared_record_unref(source);
    ck_assert_uint_eq(shared_record_text_size(record, SHARED_DOCUMENT_ERROR), 100);
    ck_assert_int_eq(shared_record_is_null(record, SHARED_DOCUMENT_PAGE_COUNT), 1);
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_ID), "doc-123");
    for (int32_t i = 0; i < 16; i++) ck_assert(record_is_changed(record, i) == (i == 8 || i == 10));
    shared_record_unref(record);
}
END_TEST

START_TEST(a_stored_record_reads_its_row) {
    struct fake_rows before = fake_rows(16, 1, document_values);
    struct fake_rows after = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &before.rows, 0);
    rows_unref(&before.rows);
    char error[100];
    memset(error, 'e', sizeof error);
    shared_record_set_text(record, SHARED_DOCUMENT_ERROR, error, sizeof error);
    shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, 9);
    record_take_row(record, &after.rows, 0);
    ck_assert_int_eq(before.frees, 1);
    ck_assert_int_eq(shared_record_is_null(record, SHARED_DOCUMENT_ERROR), 1);
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_ATTEMPT), 3);
    ck_assert_str_eq(shared_record_json(record), document_json);
    for (int32_t i = 0; i < 16; i++) ck_assert(!record_is_changed(record, i));
    record_take_row(record, &after.rows, 0);
    rows_unref(&after.rows);
    shared_record_unref(record);
    ck_assert_int_eq(after.frees, 1);
    shared_record *made = document();
    struct fake_rows stored = fake_rows(16, 1, document_values);
    shared_record_set_text(made, SHARED_DOCUMENT_ID, "x", 1);
    record_take_row(made, &stored.rows, 0);
    ck_assert_str_eq(shared_record_text(made, SHARED_DOCUMENT_ID), "doc-123");
    shared_record_unref(made);
}
END_TEST

enum { THREADS = 4, TURNS = 20000 };

static void *ref_and_unref(void *record) {
    for (int i = 0; i < TURNS; i++) shared_record_unref(shared_record_ref(record));
    shared_record_unref(record);
    return NULL;
}

START_TEST(references_are_counted_among_threads) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    rows_unref(&fake.rows);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, ref_and_unref, shared_record_ref(record)), 0);
    shared_record_unref(record);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(fake.frees, 1);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_new_record_is_all_null,
        values_of_every_type_read_back,
        typed_getters_read_the_same,
        text_of_the_right_form_sets_numbers_and_times,
        a_value_that_its_type_cannot_hold_is_refused_and_changes_nothing,
        wrong_calls_are_answered,
        a_field_of_another_model_is_null_and_cannot_be_set,
        a_value_may_be_set_from_the_record_itself,
        a_row_lends_its_values_and_lives_as_long_as_its_records,
        a_changed_field_hides_what_the_row_lends,
        a_row_with_too_few_columns_reads_as_null,
        a_raw_row_has_its_columns_as_fields,
        taking_over_changes_leaves_the_rest,
        a_stored_record_reads_its_row,
        references_are_counted_among_threads,
    };
    return unit_run("record", tests, sizeof tests / sizeof *tests);
}
