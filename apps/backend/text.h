/* SPDX-License-Identifier: MIT
 * text.h - text that grows, JSON strings, UTF-8 and numbers of requests. Pure functions.
 * After a failed allocation a text is `failed` and takes no more: build it whole, then look once.
 */
#ifndef BACKEND_TEXT_H
#define BACKEND_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NUL-terminated once something was added */
    size_t size;
    size_t capacity;
    bool failed;
};

void text_finish(struct text *text);
void text_clear(struct text *text); /* keeps its memory */
void text_add(struct text *text, const char *bytes, size_t size);
void text_add_string(struct text *text, const char *string);
__attribute__((format(printf, 2, 3))) void text_format(struct text *text, const char *format, ...);
/* "..." with JSON escapes; bytes that are not UTF-8 become U+FFFD. */
void text_add_json(struct text *text, const char *bytes, size_t size);
/* The bytes are the caller's (free); NULL when memory ran out. */
char *text_take(struct text *text);

/* Size of the UTF-8 character at the start, 0: not valid UTF-8. NUL is a character. */
size_t utf8_size(const char *bytes, size_t size);
/* Valid and without NUL. *length: its code points; may be NULL. */
bool utf8_is_text(const char *bytes, size_t size, size_t *length);
/* The whole text is one decimal number within [min, max]: no plus, no spaces. */
bool number_parse(const char *bytes, size_t size, int64_t min, int64_t max, int64_t *out);
/* 0-15, -1: not a hexadecimal digit. */
int hex_value(char digit);
/* Without regard to the case of ASCII letters. */
bool equal_fold(const char *bytes, size_t size, const char *word);

#endif
