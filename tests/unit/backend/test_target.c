/* SPDX-License-Identifier: MIT
 * test_target.c - paths and queries taken apart.
 */
#include <string.h>

#include "target.h"
#include "unit.h"

static const struct {
    const char *raw;
    const char *segments; /* joined by | */
} paths[] = {
    {"/", ""},
    {"/api", ""},
    {"/api/", ""},
    {"/documents", "documents"},
    {"/api/documents", "documents"},
    {"/api/api", "api"},
    {"/documents/api", "documents|api"},
    {"/documents/", "documents|"},
    {"//", "|"},
    {"/documents/a%2Fb/text", "documents|a/b|text"},
    {"/documents/..", "documents|.."},
    {"/documents/a+b?x", "documents|a+b"},
    {"/documents/%C3%A9?", "documents|\xc3\xa9"},
    {"/a/b/c/d/e/f", "a|b|c|d|e|f"},
};

START_TEST(paths_become_segments) {
    struct target target;
    char joined[100] = "";
    ck_assert_int_eq(target_parse(&target, paths[_i].raw), TARGET_OK);
    for (int32_t i = 0; i < target.segment_count; i++) {
        if (i) strncat(joined, "|", 2);
        strncat(joined, target.segments[i], sizeof joined - strlen(joined) - 1);
    }
    ck_assert_str_eq(joined, paths[_i].segments);
    target_finish(&target);
}
END_TEST

static const struct {
    const char *raw;
    enum target_status status;
} bad[] = {
    {"/documents/%zz", TARGET_BAD_ESCAPE}, {"/documents/%", TARGET_BAD_ESCAPE},
    {"/documents/%4", TARGET_BAD_ESCAPE},  {"/documents/%4?x", TARGET_BAD_ESCAPE},
    {"/documents/%00", TARGET_BAD_TEXT},   {"/documents/%ff", TARGET_BAD_TEXT},
    {"/documents/\xc3", TARGET_BAD_TEXT},  {"/a/b/c/d/e/f/g", TARGET_TOO_LONG},
    {"/a?x=%0", TARGET_BAD_ESCAPE},        {"/a?x=%00", TARGET_BAD_TEXT},
    {"/a?%fe=1", TARGET_BAD_TEXT},         {"/a b", TARGET_BAD_ESCAPE},
    {"/a?b c", TARGET_BAD_ESCAPE},         {"/a?b#c", TARGET_BAD_ESCAPE},
    {"/a?\tb", TARGET_BAD_ESCAPE},
};

START_TEST(bad_targets_are_told) {
    struct target target;
    ck_assert_int_eq(target_parse(&target, bad[_i].raw), bad[_i].status);
    target_finish(&target);
}
END_TEST

START_TEST(arguments_are_decoded) {
    struct target target;
    ck_assert_int_eq(target_parse(&target, "/p?a=1&b=x+y%26z&&c&a=2&d=&e=f=g"), TARGET_OK);
    ck_assert_int_eq(target.argument_count, 6);
    ck_assert_str_eq(target_argument(&target, "a"), "1");
    ck_assert_str_eq(target_argument(&target, "b"), "x y&z");
    ck_assert_str_eq(target_argument(&target, "c"), "");
    ck_assert_str_eq(target_argument(&target, "d"), "");
    ck_assert_str_eq(target_argument(&target, "e"), "f=g");
    ck_assert_ptr_null(target_argument(&target, "f"));
    ck_assert_str_eq(target.arguments[3].value, "2");
    target_finish(&target);
}
END_TEST

START_TEST(arguments_are_counted) {
    char raw[4 * (TARGET_ARGUMENTS_MAX + 1) + 3] = "/?";
    for (int i = 0; i < TARGET_ARGUMENTS_MAX; i++) memcpy(raw + 2 + 2 * i, "a&", 2);
    struct target target;
    ck_assert_int_eq(target_parse(&target, raw), TARGET_OK);
    ck_assert_int_eq(target.argument_count, TARGET_ARGUMENTS_MAX);
    target_finish(&target);
    strncat(raw, "a", 2);
    ck_assert_int_eq(target_parse(&target, raw), TARGET_TOO_LONG);
    target_finish(&target);
}
END_TEST

static const struct {
    const char *raw, *pattern;
    bool fits;
    const char *value;
} patterns[] = {
    {"/", "/", true, NULL},
    {"/documents", "/", false, NULL},
    {"/", "/documents", false, NULL},
    {"/documents", "/documents", true, NULL},
    {"/document", "/documents", false, NULL},
    {"/documents2", "/documents", false, NULL},
    {"/documents/d1", "/documents/{id}", true, "d1"},
    {"/documents/", "/documents/{id}", false, NULL},
    {"/documents/d1/text", "/documents/{id}/text", true, "d1"},
    {"/documents/d1/text", "/documents/{id}", false, NULL},
    {"/documents/d1", "/documents/{id}/text", false, NULL},
};

START_TEST(patterns_fit_or_not) {
    struct target target;
    const char *value = NULL;
    ck_assert_int_eq(target_parse(&target, patterns[_i].raw), TARGET_OK);
    ck_assert_int_eq(target_match(&target, patterns[_i].pattern, &value), patterns[_i].fits);
    if (patterns[_i].value) ck_assert_str_eq(value, patterns[_i].value);
    target_finish(&target);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("target");
    tcase_add_loop_test(tests, paths_become_segments, 0, (int)(sizeof paths / sizeof *paths));
    tcase_add_loop_test(tests, bad_targets_are_told, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tests, arguments_are_decoded);
    tcase_add_test(tests, arguments_are_counted);
    tcase_add_loop_test(tests, patterns_fit_or_not, 0, (int)(sizeof patterns / sizeof *patterns));
    return unit_run_case("target", tests);
}
