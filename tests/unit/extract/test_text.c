/* SPDX-License-Identifier: MIT
 * test_text.c - the normal form of a page's text: each rule, and that what has it already stays as
 * it is.
 */
#include "text.h"

#include <string.h>

#include "frame.h"
#include "unit.h"

static const struct rule {
    const char *name, *expected;
    uint32_t points[12]; /* ends with 0 unless NUL is what is tested: then count says */
    size_t count;
} rules[] = {
    {"plain", "Ab1 ~", {'A', 'b', '1', ' ', '~'}, 5},
    {"NUL goes", "ab", {'a', 0, 'b'}, 3},
    {"controls go", "ab", {'a', 1, 7, 8, 0x0C, 0x1B, 0x1F, 0x7F, 'b'}, 9},
    {"tab and line feed stay", "a\tb\nc", {'a', '\t', 'b', '\n', 'c'}, 5},
    {"CR LF is one line end", "a\nb", {'a', '\r', '\n', 'b'}, 4},
    {"CR alone is one", "a\nb", {'a', '\r', 'b'}, 3},
    {"CR CR LF are two", "a\n\nb", {'a', '\r', '\r', '\n', 'b'}, 5},
    {"LF CR are two", "a\n\nb", {'a', '\n', '\r', 'b'}, 4},
    {"CR at the end", "a\n", {'a', '\r'}, 2},
    {"VT is a line end", "a\nb", {'a', 0x0B, 'b'}, 3},
    {"NEL is a line end", "a\nb", {'a', 0x85, 'b'}, 3},
    {"C1 controls go", "ab", {'a', 0x80, 0x9F, 'b'}, 4},
    {"no-break space stays",
     "a\xC2\xA0"
     "b",
     {'a', 0xA0, 'b'},
     3},
    {"byte order mark goes", "ab", {0xFEFF, 'a', 0xFEFF, 'b'}, 4},
    {"soft hyphen goes", "coop", {'c', 'o', 0xAD, 'o', 'p'}, 5},
    {"bidi embeddings go", "ab", {'a', 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 'b'}, 7},
    {"bidi isolates go", "ab", {'a', 0x2066, 0x2067, 0x2068, 0x2069, 'b'}, 6},
    {"bidi marks go", "ab", {'a', 0x200E, 0x200F, 0x061C, 'b'}, 5},
    {"zero width joiner stays",
     "a\xE2\x80\x8D"
     "b",
     {'a', 0x200D, 'b'},
     3},
    {"ligatures are spelled",
     "fffiflffifflstst",
     {0xFB00, 0xFB01, 0xFB02, 0xFB03, 0xFB04, 0xFB05, 0xFB06},
     7},
    {"Armenian ligature stays", "\xEF\xAC\x93", {0xFB13}, 1},
    {"superscript and fraction stay", "x\xC2\xB2 \xC2\xBD", {'x', 0xB2, ' ', 0xBD}, 4},
    {"surrogate is no character",
     "a\xEF\xBF\xBD"
     "b",
     {'a', 0xD800, 'b'},
     3},
    {"low surrogate neither", "\xEF\xBF\xBD", {0xDFFF}, 1},
    {"above U+10FFFF neither", "\xEF\xBF\xBD", {0x110000}, 1},
    {"the noncharacter U+FFFE neither", "\xEF\xBF\xBD", {0xFFFE}, 1},
    {"the highest plane stays", "\xF4\x8F\xBF\xBD", {0x10FFFD}, 1},
    {"e and acute compose", "\xC3\xA9", {'e', 0x0301}, 2},
    {"two marks compose in order", "\xE1\xBA\xAD", {'a', 0x0302, 0x0323}, 3},
    {"Hangul composes", "\xED\x95\x9C", {0x1112, 0x1161, 0x11AB}, 3},
    {"angstrom sign is the letter", "\xC3\x85", {0x212B}, 1},
    {"en quad is en space", "\xE2\x80\x82", {0x2000}, 1},
    {"quotes and dashes stay", "\xE2\x80\x9C\xE2\x80\x93\xE2\x80\x99", {0x201C, 0x2013, 0x2019}, 3},
    {"a mark over a dropped hyphen", "\xC3\xA9", {'e', 0xAD, 0x0301}, 3},
    {"fullwidth stays", "\xEF\xBC\xA1", {0xFF21}, 1},
    {"nothing", "", {0}, 0},
};

START_TEST(each_rule_holds) {
    struct text text;
    text_init(&text, 1000);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        text_clear(&text);
        for (size_t k = 0; k < rule->count; k++) text_add(&text, rule->points[k]);
        ck_assert_int_eq(text_close(&text), TEXT_OK);
        ck_assert_msg(text.size == strlen(rule->expected) &&
                          (!text.size || memcmp(text.bytes, rule->expected, text.size) == 0),
                      "%s: \"%.*s\", expected \"%s\"", rule->name, (int)text.size, text.bytes,
                      rule->expected);
        ck_assert(frame_text_is_valid(text.bytes, text.size));
    }
    text_finish(&text);
}
END_TEST

START_TEST(every_code_point_gives_text_that_the_worker_takes) {
    struct text text;
    text_init(&text, 64);
    for (uint32_t c = 0; c <= 0x110010; c++) {
        text_clear(&text);
        text_add(&text, c);
        text_add(&text, 'x');
        ck_assert_int_eq(text_close(&text), TEXT_OK);
        ck_assert_msg(text.size > 0 && frame_text_is_valid(text.bytes, text.size), "U+%04X", c);
    }
    text_finish(&text);
}
END_TEST

START_TEST(utf16_pairs_are_joined_and_halves_replaced) {
    static const struct {
        uint16_t units[5];
        size_t count;
        const char *expected;
    } rows[] = {
        {{'a', 0xD83D, 0xDE00, 'b'},
         4,
         "a\xF0\x9F\x98\x80"
         "b"},
        {{0xD83D, 'b'},
         2,
         "\xEF\xBF\xBD"
         "b"},
        {{0xDE00, 'b'},
         2,
         "\xEF\xBF\xBD"
         "b"},
        {{'a', 0xD83D}, 2, "a\xEF\xBF\xBD"},
        {{0xD83D, 0xD83D, 0xDE00}, 3, "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
    };
    struct text text;
    text_init(&text, 64);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text_clear(&text);
        text_add_utf16(&text, rows[i].units, rows[i].count);
        ck_assert_int_eq(text_close(&text), TEXT_OK);
        ck_assert_uint_eq(text.size, strlen(rows[i].expected));
        ck_assert_mem_eq(text.bytes, rows[i].expected, text.size);
    }
    text_finish(&text);
}
END_TEST

START_TEST(a_page_may_have_exactly_its_limit) {
    struct text text;
    text_init(&text, 40000);
    for (int i = 0; i < 40000; i++) text_add(&text, 'x');
    ck_assert_int_eq(text_close(&text), TEXT_OK);
    ck_assert_uint_eq(text.size, 40000);
    text_add(&text, 'x');
    ck_assert_int_eq(text_close(&text), TEXT_TOO_LONG);
    ck_assert_uint_eq(text.size, 40000);
    text_clear(&text);
    text_add(&text, 'y');
    ck_assert_int_eq(text_close(&text), TEXT_OK);
    ck_assert_uint_eq(text.size, 1);
    text_finish(&text);
}
END_TEST

START_TEST(composing_may_not_pass_the_limit_either) {
    /* U+0958 is excluded from composition: 3 bytes become 6. */
    struct text text;
    text_init(&text, 5);
    text_add(&text, 0x0958);
    ck_assert_int_eq(text_close(&text), TEXT_TOO_LONG);
    text_finish(&text);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_rule_holds,
        every_code_point_gives_text_that_the_worker_takes,
        utf16_pairs_are_joined_and_halves_replaced,
        a_page_may_have_exactly_its_limit,
        composing_may_not_pass_the_limit_either,
    };
    return unit_run("extract-text", tests, sizeof tests / sizeof *tests);
}
