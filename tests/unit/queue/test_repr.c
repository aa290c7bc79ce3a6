/* SPDX-License-Identifier: MIT
 * test_repr.c - argsrepr as Celery 5.7's saferepr makes it: every row is its own answer.
 */
#include <string.h>

#include "queue/repr.h"
#include "unit.h"

static void check_repr(const char *json, int32_t size_max, const char *wanted) {
    struct buffer text = {.data = NULL};
    repr_from_json(&text, json, strlen(json), size_max);
    ck_assert_str_eq(text.data, wanted);
    buffer_finish(&text);
}

START_TEST(values_read_as_python_prints_them) {
    static const struct {
        const char *json, *python;
    } rows[] = {
        {"[]", "[]"},
        {"[2, 3]", "[2, 3]"},
        {"[{\"document_id\": \"doc-123\"}]", "[{'document_id': 'doc-123'}]"},
        {"[null, true, false, 1.5, -7]", "[None, True, False, 1.5, -7]"},
        {"[\"it's\"]", "['it\\'s']"},
        {"[\"a\\nb\", \"tab\\t\"]", "['a\nb', 'tab\t']"},
        {"[\"\\u00e4\\ud83d\\ude00\"]", "['\303\244\360\237\230\200']"},
        {"{\"a\": {\"b\": {\"c\": {\"d\": 1}}}}", "{'a': {'b': {'c': {...}}}}"},
        {"[[[[1, 2], 3], 4]]", "[[[[...], 3], 4]]"},
        {"{}", "{}"},
        {"{\"k\": []}", "{'k': []}"},
        {"[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]",
         "['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']"},
        {"[123456789012345678901234567890]", "[123456789012345678901234567890]"},
        {"[\"\", {\"\": \"\"}]", "['', {'': ''}]"},
        {"[{\"a\": \"b cb cb c\"}]", "[{'a': 'b cb cb c'}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_repr(rows[i].json, REPR_SIZE_MAX, rows[i].python);
}
END_TEST

START_TEST(long_ones_are_cut_where_celery_cuts) {
    static const struct {
        const char *json, *python;
        int32_t size_max;
    } rows[] = {
        {"[\"word word word word word word word word word word \", \"more\"]", "['word...', ...]",
         5},
        {"[\"word word word word word word word word word word \", \"more\"]", "['word...', ...]",
         10},
        {"[\"word word word word word word word word word word \", \"more\"]",
         "['word word word...', ...]", 20},
        {"[\"word word word word word word word word word word \", \"more\"]",
         "['word word word word word...', ...]", 30},
        {"[\"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\"]",
         "['abcd...', ...]", 5},
        {"[\"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\"]",
         "['abcdefghi...', ...]", 10},
        {"[\"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\"]",
         "['abcdefghij', 'abcde...', ...]", 20},
        {"[\"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\", \"abcdefghij\"]",
         "['abcdefghij', 'abcdefghij', 'a...', ...]", 30},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "[1, 2..., ...]", 5},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "[1, 2, 3, , ...]", 10},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "[1, 2, 3, 4, 5, 6, 7..., ...]", 20},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10..., ...]", 30},
        {"{\"key\": [\"a\", \"b\", {\"c\": \"dd dd dd dd dd\"}], \"z\": 1}", "{'key', ...}", 5},
        {"{\"key\": [\"a\", \"b\", {\"c\": \"dd dd dd dd dd\"}], \"z\": 1}",
         "{'key': ['a...', ...]}", 10},
        {"{\"key\": [\"a\", \"b\", {\"c\": \"dd dd dd dd dd\"}], \"z\": 1}",
         "{'key': ['a', 'b', {, ...}]}", 20},
        {"{\"key\": [\"a\", \"b\", {\"c\": \"dd dd dd dd dd\"}], \"z\": 1}",
         "{'key': ['a', 'b', {'c': 'dd...'}], ...}", 30},
        {"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[[1, , ...]]", 5},
        {"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[[1, 2, 3], ...]", 10},
        {"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[[1, 2, 3], [4, 5, 6...], ...]", 20},
        {"[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[[1, 2, 3], [4, 5, 6], [7, 8, , ...]]", 30},
        {"[\"aaa\", [1, 2]]", "['aaa', ...]", 5},
        {"[\"aaa\", [1, 2]]", "['aaa', [1..., ...]]", 10},
        {"[\"aaa\", [1, 2]]", "['aaa', [1, 2]]", 20},
        {"[\"aaa\", [1, 2]]", "['aaa', [1, 2]]", 30},
        {"[\"abcdefghijklmnopqrstuvwxyz\"]", "['abcd...']", 5},
        {"[\"abcdefghijklmnopqrstuvwxyz\"]", "['abcdefghi...']", 10},
        {"[\"abcdefghijklmnopqrstuvwxyz\"]", "['abcdefghijklmnopqrs...']", 20},
        {"[\"abcdefghijklmnopqrstuvwxyz\"]", "['abcdefghijklmnopqrstuvwxyz']", 30},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_repr(rows[i].json, rows[i].size_max, rows[i].python);
}
END_TEST

START_TEST(what_no_text_can_hold_is_replaced) {
    check_repr("[\"a\\u0000b\", \"\\ud800\"]", REPR_SIZE_MAX,
               "['a\xef\xbf\xbd"
               "b', '\xef\xbf\xbd']");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {values_read_as_python_prints_them,
                                  long_ones_are_cut_where_celery_cuts,
                                  what_no_text_can_hold_is_replaced};
    return unit_run("repr", tests, sizeof tests / sizeof *tests);
}
