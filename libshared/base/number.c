/* SPDX-License-Identifier: MIT
 * number.c - decimal numbers with a fraction. Always the C locale's point: a program that called setlocale
 * gets the same texts.
 */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    double number;
} specials[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
enum { SPECIAL_COUNT = sizeof specials / sizeof *specials, DIGITS_SURE = 15, DIGITS_EXACT = 17 };

static int find_special(const char *text, size_t size) {
    for (int i = 0; i < SPECIAL_COUNT; i++)
        if (size == strlen(specials[i].text) && !memcmp(text, specials[i].text, size)) return i;
    return -1;
}

bool number_is_special(const char *text, size_t size) {
    return find_special(text, size) >= 0;
}

/* Behind the digits; *count grows by them. */
static const char *skip_digits(const char *at, const char *end, size_t *count) {
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    *count += (size_t)(at - start);
    return at;
}

static const char *skip_sign(const char *at, const char *end) {
    return at < end && (*at == '-' || *at == '+') ? at + 1 : at;
}

bool number_is_decimal(const char *text, size_t size) {
    const char *end = text + size;
    size_t digits = 0, exponent_digits = 0;
    const char *at = skip_digits(skip_sign(text, end), end, &digits);
    if (at < end && *at == '.') at = skip_digits(at + 1, end, &digits);
    if (!digits) return false;
    if (at == end) return true;
    if (*at != 'e' && *at != 'E') return false;
    at = skip_digits(skip_sign(at + 1, end), end, &exponent_digits);
    return exponent_digits && at == end;
}

/* The C locale for this thread; newlocale makes nothing for it. */
struct plain {
    locale_t locale, before;
};

static struct plain plain_begin(void) {
    struct plain plain = {.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    if (plain.locale) plain.before = uselocale(plain.locale);
    return plain;
}

static void plain_end(struct plain plain) {
    if (!plain.locale) return;
    (void)uselocale(plain.before);
    freelocale(plain.locale);
}

void number_from_double(double number, char out[NUMBER_TEXT_SIZE]) {
    if (isnan(number) || isinf(number)) {
        const char *text = specials[isnan(number) ? 0 : number > 0 ? 1 : 2].text;
        memcpy(out, text, strlen(text) + 1);
        return;
    }
    struct plain plain = plain_begin();
    for (int digits = DIGITS_SURE; digits <= DIGITS_EXACT; digits++) {
        (void)snprintf(out, NUMBER_TEXT_SIZE, "%.*g", digits, number);
        double again = strtod(out, NULL);
        if (!(again < number) && !(again > number)) break;
    }
    plain_end(plain);
}

bool number_to_double(const char *text, size_t size, double *out) {
    int special = find_special(text, size);
    if (special >= 0) {
        *out = specials[special].number;
        return true;
    }
    if (!number_is_decimal(text, size)) return false;
    struct plain plain = plain_begin();
    *out = strtod(text, NULL);
    plain_end(plain);
    return true;
}
