/* SPDX-License-Identifier: MIT
 * text.c - text that grows, JSON strings, UTF-8 and numbers of requests. Never knows what it is for.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void text_finish(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text) {
    text->size = 0;
    text->failed = false;
    if (text->data) text->data[0] = '\0';
}

static bool text_reserve(struct text *text, size_t more) {
    if (text->failed) return false;
    if (more < text->capacity - text->size) return true; /* with room for the NUL */
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->size <= more) {
        if (capacity > SIZE_MAX / 2) goto failed;
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (!data) goto failed;
    text->data = data;
    text->capacity = capacity;
    return true;
failed:
    text->failed = true;
    return false;
}

void text_add(struct text *text, const char *bytes, size_t size) {
    if (!text_reserve(text, size)) return;
    if (size) memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add_string(struct text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        text->failed = true;
    } else if (text_reserve(text, (size_t)size)) {
        vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}

static void json_add_escape(struct text *text, unsigned char c) {
    static const char short_form[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, letter */
    for (const char *pair = short_form; *pair; pair += 2) {
        if (c == (unsigned char)pair[0]) {
            text_add(text, (const char[]){'\\', pair[1]}, 2);
            return;
        }
    }
    text_format(text, "\\u%04x", c);
}

void text_add_json(struct text *text, const char *bytes, size_t size) {
    text_add(text, "\"", 1);
    size_t from = 0; /* start of what needs no escape and was not added yet */
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t step = utf8_size(bytes + i, size - i);
        if (step && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += step;
            continue;
        }
        text_add(text, bytes + from, i - from);
        if (step)
            json_add_escape(text, c);
        else
            text_add_string(text, "\xef\xbf\xbd");
        from = ++i;
    }
    text_add(text, bytes + from, size - from);
    text_add(text, "\"", 1);
}

char *text_take(struct text *text) {
    char *data = text->failed ? NULL : text->data;
    if (text->failed) free(text->data);
    *text = (struct text){0};
    return data;
}

size_t utf8_size(const char *bytes, size_t size) {
    /* First byte's range -> size, and the second byte's range, which excludes long forms, surrogates
     * and what lies past U+10FFFF. */
    static const struct {
        unsigned char first, last, size, second_min, second_max;
    } rows[] = {
        {0x00, 0x7f, 1, 0x00, 0x00}, {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
        {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
    };
    if (!size) return 0;
    unsigned char first = (unsigned char)bytes[0];
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        if (first < rows[row].first || first > rows[row].last) continue;
        if (rows[row].size > size) return 0;
        for (size_t i = 1; i < rows[row].size; i++) {
            unsigned char c = (unsigned char)bytes[i];
            unsigned char min = i == 1 ? rows[row].second_min : 0x80;
            unsigned char max = i == 1 ? rows[row].second_max : 0xbf;
            if (c < min || c > max) return 0;
        }
        return rows[row].size;
    }
    return 0;
}

bool utf8_is_text(const char *bytes, size_t size, size_t *length) {
    size_t count = 0;
    for (size_t i = 0; i < size; count++) {
        size_t step = utf8_size(bytes + i, size - i);
        if (!step || !bytes[i]) return false;
        i += step;
    }
    if (length) *length = count;
    return true;
}

bool number_parse(const char *bytes, size_t size, int64_t min, int64_t max, int64_t *out) {
    bool negative = size && bytes[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == size) return false;
    int64_t number = 0;
    for (; i < size; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') return false;
        /* Built below zero, where there is room for INT64_MIN. */
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_sub_overflow(number, bytes[i] - '0', &number)) return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, number, &number)) return false;
    if (number < min || number > max) return false;
    *out = number;
    return true;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool equal_fold(const char *bytes, size_t size, const char *word) {
    return strlen(word) == size && !strncasecmp(bytes, word, size);
}
