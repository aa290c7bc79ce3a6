/* SPDX-License-Identifier: MIT
 * text.c - numbers from text, UTF-8, copies. Knows no locale.
 */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

bool text_to_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *out) {
    bool negative = size && text[0] == '-';
    size_t start = negative ? 1 : 0;
    if (start == size) return false;
    /* Counted downwards, since the lowest number has no positive twin. */
    int64_t number = 0;
    for (size_t i = start; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_sub_overflow(number, text[i] - '0', &number)) return false;
    }
    if (!negative && __builtin_sub_overflow(0, number, &number)) return false;
    if (number < min || number > max) return false;
    *out = number;
    return true;
}

/* Bytes of the character at text, 0 when it is not valid UTF-8 or NUL. The ranges are those of the
 * Unicode standard, table 3-7: no overlong form, no surrogate, nothing above U+10FFFF. */
size_t text_character_size(const char *text, size_t size) {
    const unsigned char *c = (const unsigned char *)text;
    if (!size) return 0;
    if (*c < 0x80) return *c ? 1 : 0;
    size_t length = *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
    if (*c < 0xc2 || *c > 0xf4 || size < length) return 0;
    unsigned char low = *c == 0xe0 ? 0xa0 : *c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = *c == 0xed ? 0x9f : *c == 0xf4 ? 0x8f : 0xbf;
    if (c[1] < low || c[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    return length;
}

/* Number of bytes at the start that are plain ASCII without NUL, eight at a time. */
static size_t ascii_size(const char *text, size_t size) {
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        uint64_t zeros = (word - 0x0101010101010101u) & ~word;
        if ((word | zeros) & 0x8080808080808080u) break;
    }
    return i;
}

bool text_is_utf8(const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        size_t plain = ascii_size(text + i, size - i);
        i += plain;
        if (i == size) break;
        size_t step = text_character_size(text + i, size - i);
        if (!step) return false;
        i += step;
    }
    return true;
}

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_length(const char *text, size_t size) {
    size_t length = 0;
    for (size_t i = 0; i < size; i++) length += !is_continuation(text[i]);
    return length;
}

size_t text_cut(const char *text, size_t size, size_t length_max) {
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        if (!is_continuation(text[i]) && length++ == length_max) return i;
    return size;
}

void text_tidy(char *text) {
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        size_t step = text_character_size(text + i, size - i);
        if (!step)
            text[i] = '?';
        else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
        i += step ? step : 1;
    }
}

bool text_equal(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

bool text_starts(const char *text, const char *prefix) {
    return !strncmp(text, prefix, strlen(prefix));
}

char *text_copy(const char *text) {
    return text ? text_copy_size(text, strlen(text)) : NULL;
}

char *text_copy_size(const char *text, size_t size) {
    char *copy = malloc(size + 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}
