/* SPDX-License-Identifier: MIT
 * test_time.c - time as text, both ways: the forms of PostgreSQL, Celery and RFC 3339, and days of
 * the years 1 to 9999 against the C library.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "unit.h"

static const int64_t TEN_O_CLOCK = INT64_C(1795514400000000); /* 2026-11-24 10:00 UTC */

START_TEST(forms_that_are_read) {
    static const struct {
        const char *text;
        int64_t us; /* beyond TEN_O_CLOCK */
    } rows[] = {
        {"2026-11-24T10:00:00Z", 0},
        {"2026-11-24t10:00:00z", 0},
        {"2026-11-24 10:00:00", 0},
        {"2026-11-24 10:00:00+00", 0},
        {"2026-11-24 11:00:00+01", 0},
        {"2026-11-24 15:30:00+05:30", 0},
        {"2026-11-24T15:30:00+0530", 0},
        {"2026-11-24T04:30:00-05:30", 0},
        {"2026-11-24 10:53:28+00:53:28", 0},
        {"2026-11-25T00:00:00+14:00", 0},
        {"2026-11-24T10:00:00.123456Z", 123456},
        {"2026-11-24T10:00:00.123456789Z", 123456},
        {"2026-11-24 10:00:00.5+00", 500000},
        {"2026-11-24T10:00:00.000001+00:00", 1},
        {"2026-11-24T09:59:60Z", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = 0;
        ck_assert_msg(time_from_text(rows[i].text, strlen(rows[i].text), &us), "%s", rows[i].text);
        ck_assert_msg(us == TEN_O_CLOCK + rows[i].us, "%s: %lld", rows[i].text, (long long)us);
    }
}
END_TEST

START_TEST(what_is_no_time_is_refused) {
    static const char *const rows[] = {
        "",
        "2026-11-24",
        "2026-11-24T10:00",
        "2026-11-24T10:00:00X",
        "2026-11-24T10:00:00 Z",
        "2026-11-24T10:00:00+",
        "2026-11-24T10:00:00+1",
        "2026-11-24T10:00:00+24",
        "2026-11-24T10:00:00+01:",
        "2026-11-24T10:00:00+01:60",
        "2026-11-24T10:00:00+01:00:",
        "2026-11-24T10:00:00.1234567891Z",
        "2026-11-24X10:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:60:00Z",
        "2026-11-24T10:00:61Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "0000-01-01T10:00:00Z",
        "0001-01-01T00:00:00+01",
        "9999-12-31T23:59:59-01",
        "-026-11-24T10:00:00Z",
        "2026-1-24T10:00:00Z",
        "infinity",
        "0044-03-15 12:00:00+00 BC",
        "2026-11-24T10:00:00Zz",
        "2026-11-24T1-:00:00Z",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;
        ck_assert_msg(!time_from_text(rows[i], strlen(rows[i]), &us), "%s", rows[i]);
    }
}
END_TEST

START_TEST(a_cut_text_is_never_read_past_its_end) {
    const char *text = "2026-11-24T10:00:00.123456+05:30";
    for (size_t size = 0; size < strlen(text); size++) {
        char *cut =
            malloc(size ? size : 1); /* of its very size, so that ASan sees a byte too many */
        int64_t us;
        memcpy(cut, text, size);
        bool whole = size == 19 || size == 20 || (size > 20 && size <= 26) || size == 29;
        ck_assert_msg(time_from_text(cut, size, &us) == whole, "%.*s", (int)size, text);
        free(cut);
    }
}
END_TEST

START_TEST(forms_that_are_written) {
    char text[TIME_TEXT_SIZE];
    time_to_rfc3339(TEN_O_CLOCK + 123456, text);
    ck_assert_str_eq(text, "2026-11-24T10:00:00.123456Z");
    time_to_isoformat(TEN_O_CLOCK, text);
    ck_assert_str_eq(text, "2026-11-24T10:00:00+00:00");
    time_to_rfc3339(-1, text);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999999Z");
    time_to_rfc3339(INT64_MIN, text);
    ck_assert_str_eq(text, "0001-01-01T00:00:00Z");
    time_to_rfc3339(INT64_MAX, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(days_of_all_years_agree_with_the_c_library) {
    for (int64_t us = TIME_MIN_US + 12345678; us < TIME_MAX_US; us += 11 * INT64_C(86400000000)) {
        char text[TIME_TEXT_SIZE], expected[64];
        struct tm date;
        time_t seconds = (time_t)((us - 345678) / 1000000);
        int64_t again;
        time_to_rfc3339(us, text);
        ck_assert_ptr_nonnull(gmtime_r(&seconds, &date));
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT00:00:12.345678Z", date.tm_year + 1900,
                 date.tm_mon + 1, date.tm_mday);
        if (strcmp(text, expected) != 0) ck_abort_msg("%s, expected %s", text, expected);
        if (!time_from_text(text, strlen(text), &again) || again != us) ck_abort_msg("%s", text);
    }
}
END_TEST

START_TEST(the_monotonic_clock_does_not_go_back) {
    int64_t last = time_monotonic_ms();
    for (int i = 0; i < 10000; i++) {
        int64_t now = time_monotonic_ms();
        ck_assert_int_ge(now, last);
        last = now;
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        forms_that_are_read,
        what_is_no_time_is_refused,
        a_cut_text_is_never_read_past_its_end,
        forms_that_are_written,
        days_of_all_years_agree_with_the_c_library,
        the_monotonic_clock_does_not_go_back,
    };
    return unit_run("time", tests, sizeof tests / sizeof *tests);
}
