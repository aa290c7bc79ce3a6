/* SPDX-License-Identifier: MIT
 * test_number.c - decimal numbers as text and as double: what is one, the shortest text, and the way back.
 */
#include "base/number.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

static bool is_decimal(const char *text) {
    return number_is_decimal(text, strlen(text));
}

START_TEST(digits_with_sign_point_and_exponent_are_decimal) {
    static const char *const good[] = {"0",   "-1",    "+1",     "1.",    ".5", "-.5e3",
                                       "1e5", "1E-05", "1.5e+9", "00.10", "007"};
    static const char *const bad[] = {"",   ".",   "-",  "e5",  "1e",  "1e+", "1.2.3", "1,5", " 1",
                                      "1 ", "0x1", "1f", "NaN", "inf", "--1", "1e5.0", "١"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(is_decimal(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!is_decimal(bad[i]), "%s", bad[i]);
    ck_assert(number_is_decimal("12x", 2)); /* not beyond the size */
    ck_assert(!number_is_decimal("1\0", 2));
}
END_TEST

START_TEST(three_words_are_numbers_too) {
    double number = 0;
    ck_assert(number_to_double("NaN", 3, &number) && isnan(number));
    ck_assert(number_to_double("Infinity", 8, &number) && isinf(number) && number > 0);
    ck_assert(number_to_double("-Infinity", 9, &number) && isinf(number) && number < 0);
    static const char *const bad[] = {"nan", "NAN", "inf", "infinity", "+Infinity", "NaN "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!number_is_special(bad[i], strlen(bad[i])));
        ck_assert(!number_to_double(bad[i], strlen(bad[i]), &number));
    }
}
END_TEST

START_TEST(the_text_is_no_longer_than_it_must_be) {
    static const struct {
        double number;
        const char *text;
    } known[] = {{0.1, "0.1"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "4.94065645841247e-324"},
                 {1e22, "1e+22"},
                 {-0.0, "-0"},
                 {123456789.125, "123456789.125"},
                 {INFINITY, "Infinity"},
                 {-INFINITY, "-Infinity"},
                 {NAN, "NaN"}};
    char text[NUMBER_TEXT_SIZE];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        number_from_double(known[i].number, text);
        ck_assert_str_eq(text, known[i].text);
    }
}
END_TEST

START_TEST(every_double_comes_back) {
    uint64_t state = 1;
    char text[NUMBER_TEXT_SIZE];
    for (int i = 0; i < 200000; i++) {
        double number, back;
        state ^= state >> 12; /* xorshift64* */
        state ^= state << 25;
        state ^= state >> 27;
        uint64_t bits = state * 0x2545F4914F6CDD1Du;
        memcpy(&number, &bits, sizeof number);
        number_from_double(number, text);
        ck_assert_msg(number_to_double(text, strlen(text), &back), "%s", text);
        if (!isnan(number)) ck_assert_msg(!memcmp(&number, &back, sizeof back), "%s", text);
    }
}
END_TEST

START_TEST(what_is_too_large_is_infinite_and_too_small_zero) {
    double number = 1;
    ck_assert(number_to_double("1e400", 5, &number) && isinf(number));
    ck_assert(number_to_double("1e-400", 6, &number) && fpclassify(number) == FP_ZERO);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        digits_with_sign_point_and_exponent_are_decimal,
        three_words_are_numbers_too,
        the_text_is_no_longer_than_it_must_be,
        every_double_comes_back,
        what_is_too_large_is_infinite_and_too_small_zero,
    };
    return unit_run("number", tests, sizeof tests / sizeof *tests);
}
