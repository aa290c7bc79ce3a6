/* SPDX-License-Identifier: MIT
 * test_range.c - Range headers by table (RFC 9110, 14.1.2).
 */
#include "range.h"
#include "unit.h"

static const struct {
    const char *header;
    uint64_t file_size;
    int status;
    uint64_t offset, size;
} rows[] = {
    {NULL, 10, 200, 0, 10},
    {"bytes=0-0", 10, 206, 0, 1},
    {"bytes=0-9", 10, 206, 0, 10},
    {"BYTES=2-", 10, 206, 2, 8},
    {"bytes= 2-3 ", 10, 206, 2, 2},
    {"bytes=-3", 10, 206, 7, 3},
    {"bytes=-99", 10, 206, 0, 10},
    {"bytes=9-99", 10, 206, 9, 1},
    {"bytes=10-", 10, 416, 0, 0},
    {"bytes=10-12", 10, 416, 0, 0},
    {"bytes=-0", 10, 416, 0, 0},
    {"bytes=0-", 0, 416, 0, 0},
    {"bytes=-1", 0, 416, 0, 0},
    {"bytes=3-2", 10, 200, 0, 10},
    {"bytes=0-1,3-4", 10, 200, 0, 10},
    {"bytes=", 10, 200, 0, 10},
    {"bytes=-", 10, 200, 0, 10},
    {"bytes=a-b", 10, 200, 0, 10},
    {"lines=0-1", 10, 200, 0, 10},
    {"bytes=18446744073709551615-", 10, 416, 0, 0},
    {"bytes=18446744073709551616-", 10, 416, 0, 0},
    {"bytes=0-18446744073709551616", 10, 206, 0, 10},
    {"bytes=-99999999999999999999999", 10, 206, 0, 10},
};

START_TEST(ranges_are_read) {
    struct range range = range_parse(rows[_i].header, rows[_i].file_size);
    ck_assert_int_eq(range.status, rows[_i].status);
    ck_assert_uint_eq(range.offset, rows[_i].offset);
    ck_assert_uint_eq(range.size, rows[_i].size);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("range");
    tcase_add_loop_test(tests, ranges_are_read, 0, (int)(sizeof rows / sizeof *rows));
    return unit_run_case("range", tests);
}
