/* SPDX-License-Identifier: MIT
 * test_text.c - numbers, UTF-8 and cuts, each by a table of texts.
 */
#include <string.h>

#include "base/text.h"
#include "unit.h"

START_TEST(a_whole_decimal_number_within_its_range_is_taken) {
    static const struct {
        const char *text;
        int64_t min, max;
        int64_t number;
    } rows[] = {
        {"0", 0, 0, 0},
        {"-0", 0, 0, 0},
        {"007", 0, 9, 7},
        {"-5", -5, 5, -5},
        {"9223372036854775807", 0, INT64_MAX, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, 0, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t number = 42;
        ck_assert_msg(
            text_to_int(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max, &number),
            "%s", rows[i].text);
        ck_assert_int_eq(number, rows[i].number);
    }
}
END_TEST

START_TEST(anything_else_is_no_number_and_leaves_the_result_alone) {
    static const char *const rows[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "1e3",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "101",
        "-1",
        "1a",
        "99999999999999999999999999",
        "\xd9\xa1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t number = 42;
        ck_assert_msg(!text_to_int(rows[i], strlen(rows[i]), 0, 100, &number), "\"%s\"", rows[i]);
        ck_assert_int_eq(number, 42);
    }
}
END_TEST

START_TEST(only_the_given_size_is_read) {
    int64_t number;
    ck_assert(text_to_int("123", 2, 0, 100, &number));
    ck_assert_int_eq(number, 12);
    ck_assert(text_is_utf8("ab\xff", 2));
}
END_TEST

/* Every boundary of table 3-7 of the Unicode standard, on both sides. */
START_TEST(utf8_is_judged_at_every_boundary) {
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"\x7f", true},
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2\x80", true},
        {"\xc2", false},
        {"\xc2\x7f", false},
        {"\xc2\xc0", false},
        {"\xdf\xbf", true},
        {"\xe0\x9f\xbf", false},
        {"\xe0\xa0\x80", true},
        {"\xe1\x80", false},
        {"\xed\x9f\xbf", true},
        {"\xed\xa0\x80", false},
        {"\xed\xbf\xbf", false},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xf0\x90\x80", false},
        {"\xfe", false},
        {"\xff", false},
        {"", true},
        {"\xe2\x82\xac", true},
        {"\xe2\x28\xa1", false},
        {"\xe2\x82\x28", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        /* Behind 0 to 16 plain bytes: the word-wise path must hand over at each place. */
        for (size_t before = 0; before <= 16; before++) {
            char text[32];
            memset(text, 'a', before);
            memcpy(text + before, rows[i].text, strlen(rows[i].text));
            ck_assert_msg(text_is_utf8(text, before + strlen(rows[i].text)) == rows[i].valid,
                          "row %zu behind %zu bytes", i, before);
        }
}
END_TEST

START_TEST(nul_is_no_text_wherever_it_stands) {
    for (size_t place = 0; place < 20; place++) {
        char text[20];
        memset(text, 'a', sizeof text);
        ck_assert(text_is_utf8(text, sizeof text));
        text[place] = '\0';
        ck_assert_msg(!text_is_utf8(text, sizeof text), "NUL at %zu", place);
    }
}
END_TEST

START_TEST(length_and_cut_count_code_points) {
    const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4 and 1 bytes */
    static const size_t cuts[] = {0, 1, 3, 6, 10, 11, 11};
    ck_assert_uint_eq(text_length(text, strlen(text)), 5);
    for (size_t length = 0; length < 7; length++)
        ck_assert_uint_eq(text_cut(text, strlen(text), length), cuts[length]);
}
END_TEST

START_TEST(foreign_bytes_become_one_clean_line) {
    char text[] = "a\nb\xff\xc3\xa4\xe2\x82\x7f\x01";
    text_tidy(text);
    ck_assert_str_eq(text, "a b?\xc3\xa4??  ");
}
END_TEST

START_TEST(equal_and_starts_take_null_and_empty) {
    ck_assert(text_equal(NULL, NULL));
    ck_assert(!text_equal(NULL, ""));
    ck_assert(!text_equal("", NULL));
    ck_assert(text_equal("a", "a"));
    ck_assert(!text_equal("a", "ab"));
    ck_assert(text_starts("abc", "ab"));
    ck_assert(text_starts("abc", ""));
    ck_assert(!text_starts("a", "ab"));
}
END_TEST

START_TEST(copies_are_whole) {
    ck_assert_ptr_null(text_copy(NULL));
    char *copy = text_copy("a will");
    ck_assert_str_eq(copy, "a will");
    free(copy);
    copy = text_copy_size("a will", 1);
    ck_assert_str_eq(copy, "a");
    free(copy);
    copy = text_copy_size(NULL, 0);
    ck_assert_str_eq(copy, "");
    free(copy);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_whole_decimal_number_within_its_range_is_taken,
        anything_else_is_no_number_and_leaves_the_result_alone,
        only_the_given_size_is_read,
        utf8_is_judged_at_every_boundary,
        nul_is_no_text_wherever_it_stands,
        length_and_cut_count_code_points,
        foreign_bytes_become_one_clean_line,
        equal_and_starts_take_null_and_empty,
        copies_are_whole,
    };
    return unit_run("text", tests, sizeof tests / sizeof *tests);
}
