/* SPDX-License-Identifier: MIT
 * check.h - rules of the table against values; each that fails goes to the list of failures.h.
 */
#ifndef MODEL_CHECK_H
#define MODEL_CHECK_H

#include "model/failures.h"

/* Checks one value given as text. */
void check_text(const struct field *field, const char *text, size_t size);
void check_int(const struct field *field, int64_t number);
/* The value is none of the field's type: its rule, or what a text does not parse as. */
void check_type(const struct field *field, const char *value, size_t size, bool is_json);
/* Text that may become a time: one of the years 1 to 9999. */
void check_time(const struct field *field, const char *text, size_t size);
/* A field without a value. whole: the JSON it is missing from, NULL: a record. */
void check_missing(const struct field *field, const char *whole, size_t size);

#endif
