/* SPDX-License-Identifier: MIT
 * test_buffer.c - bytes that grow, JSON escapes, and what a failed allocation leaves.
 */
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "unit.h"

START_TEST(additions_of_every_kind_join_and_stay_terminated) {
    struct buffer buffer = {0};
    buffer_add(&buffer, "ab\0c", 4);
    buffer_add_text(&buffer, "de");
    buffer_add_char(&buffer, 'f');
    buffer_format(&buffer, "%d-%s", 42, "g");
    ck_assert_uint_eq(buffer.size, 11);
    ck_assert_mem_eq(buffer.data, "ab\0cdef42-g", 12);
    buffer_finish(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(it_grows_over_every_boundary) {
    struct buffer buffer = {0};
    for (size_t i = 0; i < 5000; i++) {
        buffer_add_char(&buffer, (char)('a' + i % 26));
        ck_assert_uint_eq(buffer.size, i + 1);
        ck_assert_int_eq(buffer.data[i + 1], '\0');
    }
    for (size_t i = 0; i < 5000; i++) ck_assert_int_eq(buffer.data[i], 'a' + (int)(i % 26));
    buffer_finish(&buffer);
}
END_TEST

START_TEST(a_long_format_is_whole) {
    struct buffer buffer = {0};
    buffer_format(&buffer, "<%1000d>", 7);
    ck_assert_uint_eq(buffer.size, 1002);
    ck_assert_str_eq(buffer.data + 998, "  7>");
    buffer_finish(&buffer);
}
END_TEST

START_TEST(json_escapes_what_must_be_and_nothing_else) {
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {"a\nb", 3, "\"a\\nb\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer buffer = {0};
        buffer_add_json(&buffer, rows[i].text, rows[i].size);
        ck_assert_str_eq(buffer.data, rows[i].json);
        buffer_finish(&buffer);
    }
}
END_TEST

START_TEST(consume_drops_the_first_bytes) {
    struct buffer buffer = {0};
    buffer_consume(&buffer, 3); /* of nothing */
    buffer_add_text(&buffer, "abcdef");
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 2);
    ck_assert_str_eq(buffer.data, "cdef");
    buffer_consume(&buffer, 100);
    ck_assert_str_eq(buffer.data, "");
    ck_assert_uint_eq(buffer.size, 0);
    buffer_finish(&buffer);
}
END_TEST

START_TEST(take_gives_the_text_away_also_an_empty_one) {
    struct buffer buffer = {0};
    char *text = buffer_take(&buffer);
    ck_assert_str_eq(text, "");
    free(text);
    buffer_add_text(&buffer, "kept");
    text = buffer_take(&buffer);
    ck_assert_str_eq(text, "kept");
    ck_assert_ptr_null(buffer.data);
    free(text);
}
END_TEST

START_TEST(a_failed_buffer_takes_no_more_until_it_is_cleared) {
    struct buffer buffer = {0};
    buffer_add_text(&buffer, "whole");
    ck_assert(!buffer_reserve(&buffer, SIZE_MAX));
    ck_assert(buffer.failed);
    buffer_add_text(&buffer, "more");
    buffer_format(&buffer, "%d", 1);
    ck_assert_str_eq(buffer.data, "whole");
    buffer_clear(&buffer);
    buffer_add_text(&buffer, "new");
    ck_assert_str_eq(buffer.data, "new");
    ck_assert(!buffer_reserve(&buffer, SIZE_MAX / 2));
    ck_assert_ptr_null(buffer_take(&buffer));
    ck_assert_ptr_null(buffer.data); /* and nothing leaks */
}
END_TEST

START_TEST(reserve_makes_room_behind_the_size) {
    struct buffer buffer = {0};
    ck_assert(buffer_reserve(&buffer, 1000));
    char *data = buffer.data;
    for (int i = 0; i < 1000; i++) buffer_add_char(&buffer, 'x');
    ck_assert_ptr_eq(buffer.data, data);
    buffer_finish(&buffer);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        additions_of_every_kind_join_and_stay_terminated,
        it_grows_over_every_boundary,
        a_long_format_is_whole,
        json_escapes_what_must_be_and_nothing_else,
        consume_drops_the_first_bytes,
        take_gives_the_text_away_also_an_empty_one,
        a_failed_buffer_takes_no_more_until_it_is_cleared,
        reserve_makes_room_behind_the_size,
    };
    return unit_run("buffer", tests, sizeof tests / sizeof *tests);
}
