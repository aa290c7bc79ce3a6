/* SPDX-License-Identifier: MIT
 * charset.h - which encoding a text file has, by its bytes alone, and its characters one by one.
 * Guesses only what can be told apart for certain; what it does not know it does not read, since a
 * wrong guess would become the text of a document.
 */
#ifndef EXTRACT_CHARSET_H
#define EXTRACT_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum charset {
    CHARSET_BINARY,  /* no text */
    CHARSET_UNKNOWN, /* text, in an encoding that is not told apart here */
    CHARSET_UTF8,
    CHARSET_UTF16LE,
    CHARSET_UTF16BE,
    CHARSET_UTF32LE,
    CHARSET_UTF32BE,
    CHARSET_WINDOWS1252,
    CHARSET_COUNT
};

enum charset charset_guess(const uint8_t *bytes, size_t size);
const char *charset_name(enum charset charset);

/* The code point at *offset, which moves behind it; *offset < size. What is none gives U+FFFD and
 * moves on by at least a byte. */
uint32_t charset_next(enum charset charset, const uint8_t *bytes, size_t size, size_t *offset);

#endif
