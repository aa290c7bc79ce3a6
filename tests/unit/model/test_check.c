/* SPDX-License-Identifier: MIT
 * test_check.c - the rules at their limits, and the list of failures itself.
 */
#include <pthread.h>
#include <shared/record.h>
#include <string.h>

#include "base/text.h"
#include "model/check.h"
#include "model/json.h"
#include "unit.h"

static const struct model shape = {.number = 1, .name = "shape"};

START_TEST(numbers_are_held_to_their_own_range_and_their_types) {
    static const struct {
        struct field field;
        int64_t number;
        bool good;
    } rows[] = {
        {{.name = "n", .type = FIELD_INT32}, INT32_MAX, true},
        {{.name = "n", .type = FIELD_INT32}, INT64_C(1) << 31, false},
        {{.name = "n", .type = FIELD_INT32}, INT32_MIN, true},
        {{.name = "n", .type = FIELD_INT32}, INT32_MIN - INT64_C(1), false},
        {{.name = "n", .type = FIELD_INT64}, INT64_MAX, true},
        {{.name = "n", .type = FIELD_INT64}, INT64_MIN, true},
        {{.name = "n", .type = FIELD_INT64, .has_min = true}, 0, true},
        {{.name = "n", .type = FIELD_INT64, .has_min = true}, -1, false},
        {{.name = "n", .type = FIELD_INT64, .has_max = true, .max = 5}, 5, true},
        {{.name = "n", .type = FIELD_INT64, .has_max = true, .max = 5}, 6, false},
        {{.name = "n", .type = FIELD_INT32, .has_max = true, .max = INT64_MAX},
         INT64_C(1) << 31,
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        failures_start();
        check_int(&rows[i].field, rows[i].number);
        ck_assert_msg((failures_end(&shape) == SHARED_OK) == rows[i].good, "row %zu", i);
    }
}
END_TEST

START_TEST(text_is_held_to_its_length_and_to_utf8) {
    const struct field field = {
        .name = "t", .type = FIELD_TEXT, .has_min = true, .min = 2, .has_max = true, .max = 3};
    static const struct {
        const char *text;
        size_t size;
        const char *type; /* NULL: good */
    } rows[] = {
        {"a", 1, "string_too_short"},
        {"ab", 2, NULL},
        {"abc", 3, NULL},
        {"abcd", 4, "string_too_long"},
        {"\xc3\xa4\xc3\xa4", 4, NULL},
        {"\xc3\xa4", 2, "string_too_short"},
        {"a\0b", 3, "string_nul"},
        {"\xff\xff", 2, "string_unicode"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        failures_start();
        check_text(&field, rows[i].text, rows[i].size);
        ck_assert((failures_end(&shape) == SHARED_OK) == !rows[i].type);
        if (rows[i].type) ck_assert_ptr_nonnull(strstr(shared_record_failures(), rows[i].type));
    }
}
END_TEST

START_TEST(a_word_must_be_one_of_the_list_to_its_last_letter) {
    static const char *const words[] = {"text", "ocr", NULL};
    const struct field field = {.name = "source", .type = FIELD_ENUM, .words = words};
    static const char *const wrong[] = {"", "tex", "texts", "OCR", "text "};
    failures_start();
    check_text(&field, "text", 4);
    check_text(&field, "ocr", 3);
    ck_assert_int_eq(failures_end(&shape), SHARED_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        failures_start();
        check_text(&field, wrong[i], strlen(wrong[i]));
        ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    }
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "shape: source: Input should be 'text' or 'ocr', not 'text '");
    failures_start();
    check_text(&field, "ocr\0\xff", 5);
    ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_failure_rule(0), "enum"); /* as pydantic has it */
    ck_assert_str_eq(shared_failure_value(0), "ocr??");
}
END_TEST

START_TEST(a_long_foreign_value_is_cut_between_characters) {
    static const char *const words[] = {"text", NULL};
    const struct field field = {.name = "source", .type = FIELD_ENUM, .words = words};
    char value[300];
    for (size_t i = 0; i < sizeof value; i += 3) memcpy(value + i, "\xe2\x82\xac", 3);
    failures_start();
    check_text(&field, value, sizeof value);
    ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    const char *message = shared_error_message(shared_error_last());
    ck_assert_ptr_null(strchr(message, '?'));
    ck_assert_uint_lt(strlen(message), 200);
}
END_TEST

START_TEST(a_full_list_stays_json) {
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    failures_start();
    for (int i = 0; i < 1000; i++)
        failures_add(&(struct failure){
            .rule = RULE_EXTRA, .path = name, .value = "\" \xff\n", .value_size = 4});
    ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    const char *failures = shared_record_failures();
    ck_assert(json_is(failures, strlen(failures), '['));
    ck_assert_uint_gt(strlen(failures), 4000);
    ck_assert_int_eq(shared_failure_count(), 64);
    failures_start(); /* the room for texts ends before the list does */
    for (int i = 0; i < 1000; i++)
        failures_add(&(struct failure){
            .rule = RULE_EXTRA, .path = name, .value = name, .value_size = strlen(name)});
    ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    ck_assert_int_gt(shared_failure_count(), 32);
    ck_assert_int_lt(shared_failure_count(), 64);
    failures = shared_record_failures();
    ck_assert(json_is(failures, strlen(failures), '['));
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "1000 failures, of "));
    const char *message = shared_error_message(shared_error_last());
    ck_assert(text_is_utf8(message, strlen(message)));
}
END_TEST

START_TEST(a_new_list_forgets_the_last_one) {
    const struct field field = {.name = "n", .type = FIELD_TEXT};
    failures_start();
    check_missing(&field, NULL, 0);
    ck_assert_int_eq(failures_end(&shape), SHARED_ESCHEMA);
    failures_start();
    ck_assert_int_eq(failures_end(&shape), SHARED_OK);
    ck_assert_str_eq(shared_record_failures(), "[]");
}
END_TEST

static void *fail_elsewhere(void *unused) {
    const struct field field = {.name = "elsewhere", .type = FIELD_TEXT};
    failures_start();
    check_missing(&field, NULL, 0);
    return unused;
}

START_TEST(each_thread_has_its_own_list) {
    pthread_t thread;
    failures_start();
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(shared_record_failures(), "[]");
}
END_TEST

START_TEST(a_record_is_checked_whole) {
    shared_record *record;
    ck_assert_int_eq(shared_record_new(SHARED_DOCUMENT_PAGE, &record), SHARED_OK);
    shared_record_set_int(record, SHARED_DOCUMENT_PAGE_PAGE, 0);
    ck_assert_int_eq(shared_record_check(record), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "document_page: document_id: Field required; page: Input should be greater "
                     "than or equal to 1, not 0; text: Field required; source: Field required");
    shared_record_set_text(record, SHARED_DOCUMENT_PAGE_DOCUMENT_ID, "d", 1);
    shared_record_set_int(record, SHARED_DOCUMENT_PAGE_PAGE, 1);
    shared_record_set_text(record, SHARED_DOCUMENT_PAGE_TEXT, "", 0);
    shared_record_set_text(record, SHARED_DOCUMENT_PAGE_SOURCE, "ocr", 3);
    ck_assert_int_eq(shared_record_check(record), SHARED_OK);
    shared_record_unref(record);
}
END_TEST

START_TEST(what_somebody_makes_may_be_absent) {
    shared_record *record;
    ck_assert_int_eq(shared_record_new(SHARED_DOCUMENT, &record), SHARED_OK);
    shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1);
    ck_assert_int_eq(shared_record_check(record), SHARED_OK); /* no id, status, attempt, times */
    shared_record_set_null(record, SHARED_DOCUMENT_ATTEMPT);
    ck_assert_int_eq(record_check_changed(record), SHARED_ESCHEMA); /* but not taken away */
    shared_record_unref(record);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        numbers_are_held_to_their_own_range_and_their_types,
        text_is_held_to_its_length_and_to_utf8,
        a_word_must_be_one_of_the_list_to_its_last_letter,
        a_long_foreign_value_is_cut_between_characters,
        a_full_list_stays_json,
        a_new_list_forgets_the_last_one,
        each_thread_has_its_own_list,
        a_record_is_checked_whole,
        what_somebody_makes_may_be_absent,
    };
    return unit_run("check", tests, sizeof tests / sizeof *tests);
}
