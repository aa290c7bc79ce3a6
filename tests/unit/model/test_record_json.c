/* SPDX-License-Identifier: MIT
 * test_record_json.c - a record as JSON, lent, owned and raw; and that what is written can be read.
 */
#include "fake_rows.h"
#include "model/json.h"
#include "unit.h"

START_TEST(a_row_of_a_model_becomes_an_object_of_all_fields) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    ck_assert_str_eq(shared_record_json(record), document_json);
    shared_record_unref(record);
}
END_TEST

START_TEST(the_text_is_kept_until_the_record_changes) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    const char *json = shared_record_json(record);
    ck_assert_ptr_eq(shared_record_json(record), json);
    shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, 4);
    ck_assert_ptr_nonnull(strstr(shared_record_json(record), "\"attempt\":4,"));
    shared_record_unref(record);
}
END_TEST

START_TEST(what_is_written_can_be_read_again) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0), *again;
    const char *json = shared_record_json(record);
    ck_assert_int_eq(shared_record_from_json(SHARED_DOCUMENT, json, strlen(json), &again), 0);
    ck_assert_str_eq(shared_record_json(again), json);
    shared_record_unref(again);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_raw_row_is_all_text) {
    static const char *const names[] = {"count", "a \"name\"", "none"};
    static const char *const values[] = {"42", "tab\there", NULL};
    struct fake_rows fake = fake_rows(3, 1, values);
    fake.names = names;
    shared_record *record = record_from_row(0, &fake.rows, 0);
    ck_assert_str_eq(shared_record_json(record),
                     "{\"count\":\"42\",\"a \\\"name\\\"\":\"tab\\there\",\"none\":null}");
    shared_record_unref(record);
}
END_TEST

START_TEST(a_time_without_a_date_stays_the_text_it_is) {
    const char *values[16];
    memcpy(values, document_values, sizeof values);
    values[14] = "infinity";
    struct fake_rows fake = fake_rows(16, 1, values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    ck_assert_ptr_nonnull(strstr(shared_record_json(record), "\"created_at\":\"infinity\""));
    ck_assert_str_eq(shared_record_text(record, SHARED_DOCUMENT_CREATED_AT), "infinity");
    ck_assert_int_eq(shared_record_time(record, SHARED_DOCUMENT_CREATED_AT), INT64_MAX);
    shared_record_unref(record);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_row_of_a_model_becomes_an_object_of_all_fields,
        the_text_is_kept_until_the_record_changes,
        what_is_written_can_be_read_again,
        a_raw_row_is_all_text,
        a_time_without_a_date_stays_the_text_it_is,
    };
    return unit_run("record_json", tests, sizeof tests / sizeof *tests);
}
