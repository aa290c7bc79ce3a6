/* SPDX-License-Identifier: MIT
 * test_json_syntax.c - what counts as JSON: judged alike by jansson, but for what it cannot hold.
 */
#include <string.h>

#include "model/json.h"
#include "unit.h"

static bool judged(const char *json) {
    return json_has_syntax(json, strlen(json));
}

START_TEST(values_of_each_kind_are_json) {
    static const char *const texts[] = {
        "0",
        "-0",
        "12",
        "-1.5E-10",
        "1e400",
        "123456789012345678901234567890",
        "true",
        " false ",
        "null",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1,[2,{\"a\":[]}],{}]",
        "{\"a\":1,\"a\":2}",
        "\r\n\t[\n1\t]\r",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(judged(texts[i]), "%s", texts[i]);
}
END_TEST

START_TEST(everything_else_is_not) {
    static const char *const texts[] = {
        "",          " ",          "-",         "01",        "1.",       ".1",
        "1e",        "1e+",        "+1",        "tru",       "truex",    "NaN",
        "\"",        "\"\\",       "\"\\u12\"", "\"\\x\"",   "\"a\nb\"", "[",
        "]",         "[1",         "[1,",       "[1,]",      "[,1]",     "[1 2]",
        "[}",        "{",          "{]",        "{\"a\"",    "{\"a\":",  "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}", "{1:1}",     "{\"a\" 1}", "1 1",      "[] []",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!judged(texts[i]), "%s", texts[i]);
    ck_assert(!json_has_syntax("1\0", 2));
    ck_assert(!json_has_syntax("[1]", 2));
}
END_TEST

START_TEST(depth_is_bounded_and_needs_no_stack) {
    static char text[2 * 4097 + 1];
    for (int depth = 4096; depth <= 4097; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        ck_assert_int_eq(json_has_syntax(text, 2 * (size_t)depth), depth == 4096);
    }
}
END_TEST

static uint64_t state = 1;
static uint32_t draw(uint32_t below) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1Du) >> 32) % below;
}

/* Texts of few letters, so that many are JSON; without numbers and names in which jansson differs. */
START_TEST(random_texts_are_judged_as_jansson_judges_them) {
    static const char letters[] = "[]{}\",:1e-.0 n";
    char text[12];
    int accepted = 0;
    for (int i = 0; i < 500000; i++) {
        size_t size = 1 + draw(9);
        for (size_t j = 0; j < size; j++) text[j] = letters[draw(sizeof letters - 1)];
        bool is_big = memchr(text, 'e', size) != NULL; /* 1e999 */
        bool ours = json_has_syntax(text, size);
        accepted += ours;
        if (!is_big)
            ck_assert_msg(ours == json_is(text, size, 0), "%.*s: %d", (int)size, text, ours);
    }
    ck_assert_int_gt(accepted, 1000);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        values_of_each_kind_are_json,
        everything_else_is_not,
        depth_is_bounded_and_needs_no_stack,
        random_texts_are_judged_as_jansson_judges_them,
    };
    return unit_run("json_syntax", tests, sizeof tests / sizeof *tests);
}
