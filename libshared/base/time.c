/* SPDX-License-Identifier: MIT
 * time.c - two clocks, and time as text. Knows UTC only: no time zone of the process matters.
 */
#include "base/time.h"

#include <string.h>
#include <time.h>

#include "base/text.h"

static const int64_t DAY_US = INT64_C(86400000000);
enum { YEAR_MAX = 9999 };

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t time_monotonic_ms(void) {
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t time_wall_us(void) {
    return clock_us(CLOCK_REALTIME);
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; years begin in March here, so that the
 * leap day is the last one. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* The inverse of days_from_date. */
static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static char *digits_write(char *at, int64_t number, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + digits;
}

/* By hand: it is done for each time of each answer. */
static void time_write(int64_t time_us, const char *zone, char out[TIME_TEXT_SIZE]) {
    if (time_us < TIME_MIN_US) time_us = TIME_MIN_US;
    if (time_us > TIME_MAX_US) time_us = TIME_MAX_US;
    int64_t in_day = time_us % DAY_US;
    if (in_day < 0) in_day += DAY_US;
    int64_t year, month, day;
    date_from_days((time_us - in_day) / DAY_US, &year, &month, &day);
    const struct {
        int64_t number;
        int digits;
        char after;
    } parts[] = {
        {year, 4, '-'},
        {month, 2, '-'},
        {day, 2, 'T'},
        {in_day / 3600000000, 2, ':'},
        {in_day / 60000000 % 60, 2, ':'},
        {in_day / 1000000 % 60, 2, '\0'},
    };
    char *at = out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        at = digits_write(at, parts[i].number, parts[i].digits);
        if (parts[i].after) *at++ = parts[i].after;
    }
    if (in_day % 1000000) {
        *at++ = '.';
        at = digits_write(at, in_day % 1000000, 6);
    }
    memcpy(at, zone, strlen(zone) + 1);
}

void time_to_rfc3339(int64_t time_us, char out[TIME_TEXT_SIZE]) {
    time_write(time_us, "Z", out);
}

void time_to_isoformat(int64_t time_us, char out[TIME_TEXT_SIZE]) {
    time_write(time_us, "+00:00", out);
}

/* --- reading: a cursor over the text ------------------------------------------------------------ */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char c) {
    if (cursor->at == cursor->end || *cursor->at != c) return false;
    cursor->at++;
    return true;
}

/* Exactly so many digits, a number within [min, max]. */
static bool take_number(struct cursor *cursor, size_t digits, int64_t min, int64_t max,
                        int64_t *out) {
    if ((size_t)(cursor->end - cursor->at) < digits || *cursor->at == '-') return false;
    if (!text_to_int(cursor->at, digits, min, max, out)) return false;
    cursor->at += digits;
    return true;
}

static bool take_date(struct cursor *cursor, int64_t *days) {
    static const int64_t month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!take_number(cursor, 4, 1, YEAR_MAX, &year) || !take(cursor, '-') ||
        !take_number(cursor, 2, 1, 12, &month) || !take(cursor, '-') ||
        !take_number(cursor, 2, 1, month_days[month - 1], &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *days = days_from_date(year, month, day);
    return leap || month != 2 || day != 29;
}

static bool take_clock(struct cursor *cursor, int64_t *seconds) {
    int64_t hour, minute, second;
    if (!take_number(cursor, 2, 0, 23, &hour) || !take(cursor, ':') ||
        !take_number(cursor, 2, 0, 59, &minute) || !take(cursor, ':') ||
        !take_number(cursor, 2, 0, 60, &second)) /* 60: a leap second counts as the next one */
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

/* ".123": microseconds; further digits are cut. */
static bool take_fraction(struct cursor *cursor, int64_t *us) {
    *us = 0;
    if (!take(cursor, '.')) return true;
    int64_t unit = 100000;
    int digits = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; digits++) {
        *us += (*cursor->at++ - '0') * unit;
        unit /= 10;
    }
    return digits <= 9;
}

/* Z, +HH, +HH:MM, +HHMM, +HH:MM:SS (local mean times of old dates), or nothing: UTC. */
static bool take_zone(struct cursor *cursor, int64_t *offset_s) {
    *offset_s = 0;
    if (cursor->at == cursor->end || take(cursor, 'Z') || take(cursor, 'z')) return true;
    int64_t sign = take(cursor, '-') ? -1 : 1;
    if (sign == 1 && !take(cursor, '+')) return false;
    int64_t hours, minutes = 0, seconds = 0;
    if (!take_number(cursor, 2, 0, 23, &hours)) return false;
    bool colon = take(cursor, ':');
    if ((colon || cursor->at < cursor->end) && !take_number(cursor, 2, 0, 59, &minutes))
        return false;
    if (colon && take(cursor, ':') && !take_number(cursor, 2, 0, 59, &seconds)) return false;
    *offset_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

bool time_from_text(const char *text, size_t size, int64_t *out_us) {
    struct cursor cursor = {.at = text, .end = text + size};
    int64_t days, seconds, us, offset_s;
    if (!take_date(&cursor, &days)) return false;
    if (!take(&cursor, 'T') && !take(&cursor, ' ') && !take(&cursor, 't')) return false;
    if (!take_clock(&cursor, &seconds) || !take_fraction(&cursor, &us) ||
        !take_zone(&cursor, &offset_s) || cursor.at != cursor.end)
        return false;
    *out_us = days * DAY_US + (seconds - offset_s) * 1000000 + us;
    return *out_us >= TIME_MIN_US && *out_us <= TIME_MAX_US;
}
