/* SPDX-License-Identifier: MIT
 * number.h - decimal numbers with a fraction, as text and as double, whatever the process's locale is. Pure
 * functions.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* "-12", "1.5e-3", ".5": digits with a sign, a point and an exponent where wanted; no spaces. */
bool number_is_decimal(const char *text, size_t size);
/* "NaN", "Infinity", "-Infinity", as PostgreSQL writes them. */
bool number_is_special(const char *text, size_t size);
/* A text of as few digits as it takes (of at most 15 where fewer would do for a subnormal) that is read as
 * this very number. */
void number_from_double(double number, char out[NUMBER_TEXT_SIZE]);
/* text ends with a NUL behind size. false: neither decimal nor special. The nearest double; too large is
 * infinite. */
bool number_to_double(const char *text, size_t size, double *out);

#endif
