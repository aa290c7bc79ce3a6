/* SPDX-License-Identifier: MIT
 * text.h - numbers from text, UTF-8 checks, base64, identifiers. Pure functions.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* The whole text is one decimal number within [min, max]; no spaces, no plus. */
bool text_to_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *out);
/* Valid UTF-8 without NUL. */
bool text_is_utf8(const char *text, size_t size);
/* Bytes of the character at text, 0 when it is NUL or not valid UTF-8. */
size_t text_character_size(const char *text, size_t size);
/* Number of code points of valid UTF-8. */
size_t text_length(const char *text, size_t size);
/* Bytes of the first so many code points of valid UTF-8; size when there are not more. */
size_t text_cut(const char *text, size_t size, size_t length_max);
/* Makes foreign text fit for one line of a message: each byte that is no UTF-8 becomes '?', each
 * control character a space. */
void text_tidy(char *text);
bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);
char *text_copy(const char *text);                   /* malloc; NULL for NULL or without memory */
char *text_copy_size(const char *text, size_t size); /* adds the NUL */
void text_to_base64(struct buffer *out, const void *data, size_t size);
/* Strict: padding is needed, nothing else is allowed. false: not base64, and nothing was added. */
bool text_from_base64(struct buffer *out, const char *text, size_t size);

enum { UUID_TEXT_SIZE = 37 }; /* with the NUL */
void uuid_make_v4(char out[UUID_TEXT_SIZE]);
void uuid_make_v7(char out[UUID_TEXT_SIZE]); /* monotonic within the process */
uint64_t random_u64(void);                   /* getrandom */

#endif
