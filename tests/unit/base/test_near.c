/* SPDX-License-Identifier: MIT
 * test_near.c - how far words are from each other, and which one was most likely meant.
 */
#include <string.h>

#include "base/near.h"
#include "base/text.h"
#include "unit.h"

static int32_t distance(const char *a, const char *b) {
    return near_distance(a, strlen(a), b, strlen(b));
}

START_TEST(distances_count_letters_to_change) {
    static const struct {
        const char *a, *b;
        int32_t distance;
    } rows[] = {{"", "", 0},         {"", "abc", 3},           {"abc", "", 3},
                {"abc", "abc", 0},   {"abc", "ABC", 0},        {"abc", "abd", 1},
                {"abc", "abcd", 1},  {"abc", "bc", 1},         {"abcd", "abdc", 1},
                {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"ca", "abc", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(distance(rows[i].a, rows[i].b) == rows[i].distance, "%s %s: %d", rows[i].a,
                      rows[i].b, distance(rows[i].a, rows[i].b));
        ck_assert_int_eq(distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}
END_TEST

START_TEST(long_words_are_far_from_all) {
    char word[NEAR_SIZE_MAX + 2];
    memset(word, 'a', sizeof word - 1);
    word[NEAR_SIZE_MAX + 1] = '\0';
    ck_assert_int_eq(distance(word, word), NEAR_FAR);
    word[NEAR_SIZE_MAX] = '\0';
    ck_assert_int_eq(distance(word, word), 0);
    ck_assert_int_eq(distance(word, ""), NEAR_SIZE_MAX);
}
END_TEST

START_TEST(the_nearest_word_is_told_or_none) {
    static const char words[] = "debug info warning error";
    static const char *const rows[][2] = {{"warn", "warning"}, {"WARNIGN", "warning"},
                                          {"inf", "info"},     {"eror", "error"},
                                          {"trace", NULL},     {"", NULL},
                                          {"loud", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        const char *word = near_word(words, rows[i][0], &size);
        ck_assert_msg(!word == !rows[i][1], "%s", rows[i][0]);
        if (word) ck_assert(strlen(rows[i][1]) == size && !memcmp(word, rows[i][1], size));
    }
}
END_TEST

START_TEST(the_nearest_setting_is_told_or_none) {
    static const struct {
        const char *name, *nearest;
        int32_t distance_max;
    } rows[] = {{"LEX_SANBOX", "LEX_SANDBOX", 3}, {"LEX_REDIS_URL", "REDIS_URL", 4},
                {"REDIS_URL", "REDIS_URL", 0},    {"HOME", NULL, 1},
                {"REDIS_URLX", NULL, 0},          {"lex_sandbox", "LEX_SANDBOX", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(text_equal(near_setting(rows[i].name, rows[i].distance_max), rows[i].nearest),
                      "%s", rows[i].name);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        distances_count_letters_to_change,
        long_words_are_far_from_all,
        the_nearest_word_is_told_or_none,
        the_nearest_setting_is_told_or_none,
    };
    return unit_run("near", tests, sizeof tests / sizeof *tests);
}
