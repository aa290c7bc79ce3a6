/* SPDX-License-Identifier: MIT
 * time.h - two clocks, and time as text. Pure functions.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t time_monotonic_ms(void);
int64_t time_wall_us(void); /* since 1970, UTC */
enum { TIME_TEXT_SIZE = 40 };
/* "2026-11-24T10:00:00.123456Z" (pydantic's form) and "...+00:00" (Python's isoformat, for Celery);
 * both leave the fraction out when it is zero. */
void time_to_rfc3339(int64_t time_us, char out[TIME_TEXT_SIZE]);
void time_to_isoformat(int64_t time_us, char out[TIME_TEXT_SIZE]);
/* The years 1 to 9999, which is what these texts can say. Other times are written as the nearest of
 * them, and refused where they come in. */
#define TIME_MIN_US INT64_C(-62135596800000000)
#define TIME_MAX_US INT64_C(253402300799999999)
/* Accepts 'T' or space, fraction of 0-9 digits (cut to 6), Z, +HH, +HH:MM, +HHMM or none (UTC):
 * PostgreSQL's timestamptz text, Celery's eta, RFC 3339. */
bool time_from_text(const char *text, size_t size, int64_t *out_us);

#endif
