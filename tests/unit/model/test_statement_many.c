/* SPDX-License-Identifier: MIT
 * test_statement_many.c - many records as one statement: its columns, and how gaps are filled.
 */
#include <shared/record.h>
#include <string.h>

#include "model/statement.h"
#include "unit.h"

enum { MANY = 3 };

static void make(int32_t model, shared_record *records[MANY]) {
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(shared_record_new(model, &records[i]), SHARED_OK);
}

static void drop(shared_record *records[MANY]) {
    for (int i = 0; i < MANY; i++) shared_record_unref(records[i]);
}

static void assert_bytes(const struct parameters *parameters, int32_t index, const char *bytes,
                         size_t size) {
    ck_assert_int_eq(parameters->size[index], (int)size);
    ck_assert_mem_eq(parameters_value(parameters, index), bytes, size);
}

START_TEST(a_list_a_column_in_the_order_of_the_fields) {
    shared_record *records[MANY];
    struct statement statement = {0};
    make(SHARED_DOCUMENT_PAGE, records);
    for (int i = 0; i < MANY; i++) {
        shared_record_set_text(records[i], SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "d", 1);
        shared_record_set_int(records[i], SHARED_DOCUMENT_PAGE_PAGE, i + 1);
    }
    shared_record_set_text(records[1], SHARED_DOCUMENT_PAGE_ERROR, "x", 1);
    ck_assert_int_eq(statement_insert_many(&statement, records, MANY), SHARED_OK);
    ck_assert_str_eq(statement.sql.data,
                     "INSERT INTO document_pages (document_id,page,error) SELECT "
                     "document_id,page,error FROM unnest($1,$2,$3) AS new(document_id,page,error)");
    static const char head[] = "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\3\0\0\0\1";
    static const char errors[] = "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
                                 "\xff\xff\xff\xff\0\0\0\1x\xff\xff\xff\xff";
    ck_assert_mem_eq(parameters_value(&statement.parameters, 0), head, sizeof head - 1);
    assert_bytes(&statement.parameters, 2, errors, sizeof errors - 1);
    ck_assert_uint_eq(statement.parameters.type[0], OID_TEXT_ARRAY);
    ck_assert_uint_eq(statement.parameters.type[1], OID_INT8_ARRAY);
    statement_finish(&statement);
    drop(records);
}
END_TEST

START_TEST(a_default_and_a_time_of_the_server_stand_in_for_gaps) {
    shared_record *records[MANY];
    struct statement statement = {0};
    make(SHARED_DOCUMENT, records);
    shared_record_set_int(records[0], SHARED_DOCUMENT_ATTEMPT, 5);
    shared_record_set_text(records[1], SHARED_DOCUMENT_EXTRACTION_STATUS, "failed", 6);
    shared_record_set_time(records[2], SHARED_DOCUMENT_CREATED_AT, 0);
    ck_assert_int_eq(statement_insert_many(&statement, records, MANY), SHARED_OK);
    ck_assert_str_eq(statement.sql.data,
                     "INSERT INTO documents (extraction_status,attempt,created_at) SELECT "
                     "extraction_status,attempt,coalesce(created_at::timestamptz,now()) FROM "
                     "unnest($1,$2,$3) AS new(extraction_status,attempt,created_at)");
    static const char words[] = "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\3\0\0\0\1"
                                "\0\0\0\7pending\0\0\0\6failed\0\0\0\7pending";
    assert_bytes(&statement.parameters, 0, words, sizeof words - 1);
    statement_finish(&statement);
    drop(records);
}
END_TEST

START_TEST(the_text_does_not_depend_on_the_number_of_records) {
    shared_record *records[MANY];
    struct statement one = {0}, many = {0};
    make(SHARED_CASE, records);
    for (int i = 0; i < MANY; i++) shared_record_set_text(records[i], SHARED_CASE_TITLE, "t", 1);
    ck_assert_int_eq(statement_insert_many(&one, records, 1), SHARED_OK);
    ck_assert_int_eq(statement_insert_many(&many, records, MANY), SHARED_OK);
    ck_assert_str_eq(one.sql.data, many.sql.data);
    statement_finish(&one);
    statement_finish(&many);
    drop(records);
}
END_TEST

START_TEST(what_cannot_be_inserted_is_named) {
    shared_record *records[MANY], *other;
    struct statement statement = {0};
    make(SHARED_CASE, records);
    ck_assert_int_eq(statement_insert_many(&statement, records, 0), SHARED_EINVALID);
    ck_assert_int_eq(statement_insert_many(&statement, records, MANY), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "case: no field is set");
    ck_assert_int_eq(shared_record_new(SHARED_PROGRESS, &other), SHARED_OK);
    ck_assert_int_eq(statement_insert_many(&statement, &other, 1), SHARED_EINVALID);
    shared_record *mixed[] = {records[0], other};
    ck_assert_int_eq(statement_insert_many(&statement, mixed, 2), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "record 1 is not of case as the first one is");
    shared_record_unref(other);
    statement_finish(&statement);
    drop(records);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_list_a_column_in_the_order_of_the_fields,
        a_default_and_a_time_of_the_server_stand_in_for_gaps,
        the_text_does_not_depend_on_the_number_of_records,
        what_cannot_be_inserted_is_named,
    };
    return unit_run("statement_many", tests, sizeof tests / sizeof *tests);
}
