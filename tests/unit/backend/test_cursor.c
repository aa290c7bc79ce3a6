/* SPDX-License-Identifier: MIT
 * test_cursor.c - cursors come back as they went out; what was never one is told.
 */
#include <string.h>

#include "cursor.h"
#include "unit.h"

static const struct {
    int64_t time_us;
    const char *id;
} rows[] = {
    {0, "a"},
    {1, "ab"},
    {12, "abc"},
    {-62135596800000000, "doc-123"},
    {253402300799999999, "\xc3\xa9 with spaces"},
};

START_TEST(cursors_come_back) {
    struct text text = {0};
    struct cursor cursor;
    cursor_write(&text, rows[_i].time_us, rows[_i].id);
    ck_assert(!text.failed);
    ck_assert_ptr_null(strpbrk(text.data, "+/=& "));
    ck_assert(cursor_read(text.data, &cursor));
    ck_assert_int_eq(cursor.time_us, rows[_i].time_us);
    ck_assert_str_eq(cursor.id, rows[_i].id);
    text_finish(&text);
}
END_TEST

START_TEST(longest_id_fits_and_no_longer) {
    char id[CURSOR_ID_SIZE_MAX + 2];
    memset(id, 'x', sizeof id);
    id[CURSOR_ID_SIZE_MAX] = '\0';
    struct text text = {0};
    struct cursor cursor;
    cursor_write(&text, 1, id);
    ck_assert(cursor_read(text.data, &cursor));
    text_finish(&text);
    id[CURSOR_ID_SIZE_MAX] = 'x';
    id[CURSOR_ID_SIZE_MAX + 1] = '\0';
    cursor_write(&text, 1, id);
    ck_assert(text.failed || !cursor_read(text.data, &cursor));
    text_finish(&text);
}
END_TEST

static const char *const foreign[] = {
    "",      "x",
    "!!!!",  "MCBh=",
    "MCBhA", "bm8tc3BhY2U",
    "MCA",   "IGE",
    "eCBh",  "OTk5OTk5OTk5OTk5OTk5OTk5OSBh",
    "MCD_",  "MABhIGI",
};

START_TEST(what_is_no_cursor_is_told) {
    struct cursor cursor;
    ck_assert(!cursor_read(foreign[_i], &cursor));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("cursor");
    tcase_add_loop_test(tests, cursors_come_back, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(tests, longest_id_fits_and_no_longer);
    tcase_add_loop_test(tests, what_is_no_cursor_is_told, 0,
                        (int)(sizeof foreign / sizeof *foreign));
    return unit_run_case("cursor", tests);
}
