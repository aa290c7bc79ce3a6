/* SPDX-License-Identifier: MIT
 * test_text.c - JSON strings, UTF-8 and numbers.
 */
#include <string.h>

#include "text.h"
#include "unit.h"

static const struct {
    const char *bytes;
    size_t size;
    const char *json;
} strings[] = {
    {"plain", 5, "\"plain\""},
    {"\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
    {"\x01\x1f\x7f\0", 4, "\"\\u0001\\u001f\\u007f\\u0000\""},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"a\xff"
     "b\xc3",
     4,
     "\"a\xef\xbf\xbd"
     "b\xef\xbf\xbd\""},
    {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(json_strings_are_escaped) {
    struct text text = {0};
    text_add_json(&text, strings[_i].bytes, strings[_i].size);
    ck_assert_str_eq(text.data, strings[_i].json);
    text_finish(&text);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
} not_utf8[] = {
    {"\x80", 1},         {"\xc0\x80", 2},         {"\xc1\xbf", 2},
    {"\xe0\x80\x80", 3}, {"\xed\xa0\x80", 3},     {"\xf5", 1},
    {"\xe2\x82", 2},     {"\xf0\x80\x80\x80", 4}, {"\xf4\x90\x80\x80", 4},
    {"a\0b", 3},
};

START_TEST(what_is_not_text_is_told) {
    ck_assert(!utf8_is_text(not_utf8[_i].bytes, not_utf8[_i].size, NULL));
}
END_TEST

START_TEST(characters_are_counted) {
    size_t length = 0;
    ck_assert(utf8_is_text("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10, &length));
    ck_assert_uint_eq(length, 4);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    int64_t number;
} numbers[] = {
    {"0", true, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775807", true, INT64_MAX},
    {"", false, 0},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"-", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1e3", false, 0},
    {"0007", true, 7},
};

START_TEST(numbers_are_read) {
    int64_t number = -1;
    const char *text = numbers[_i].text;
    ck_assert_int_eq(number_parse(text, strlen(text), INT64_MIN, INT64_MAX, &number),
                     numbers[_i].good);
    if (numbers[_i].good) ck_assert_int_eq(number, numbers[_i].number);
}
END_TEST

START_TEST(numbers_have_limits) {
    int64_t number = 5;
    ck_assert(!number_parse("0", 1, 1, 200, &number));
    ck_assert(!number_parse("201", 3, 1, 200, &number));
    ck_assert_int_eq(number, 5);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("text");
    tcase_add_loop_test(tests, json_strings_are_escaped, 0,
                        (int)(sizeof strings / sizeof *strings));
    tcase_add_loop_test(tests, what_is_not_text_is_told, 0,
                        (int)(sizeof not_utf8 / sizeof *not_utf8));
    tcase_add_test(tests, characters_are_counted);
    tcase_add_loop_test(tests, numbers_are_read, 0, (int)(sizeof numbers / sizeof *numbers));
    tcase_add_test(tests, numbers_have_limits);
    return unit_run_case("text", tests);
}
