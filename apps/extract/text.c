/* SPDX-License-Identifier: MIT
 * text.c - the normal form of text.h. Never knows where the text comes from.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

enum { CAPACITY_MIN = 16 << 10, REPLACEMENT = 0xFFFD };

void text_init(struct text *text, size_t size_max) {
    *text = (struct text){.size_max = size_max};
}

void text_finish(struct text *text) {
    free(text->bytes);
    text->bytes = NULL;
}

void text_clear(struct text *text) {
    text->size = 0;
    text->state = TEXT_OK;
    text->after_return = text->may_compose = false;
}

static bool make_room(struct text *text, size_t more) {
    if (text->size + more > text->size_max) {
        text->state = TEXT_TOO_LONG;
        return false;
    }
    if (text->size + more <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity * 2 : CAPACITY_MIN;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) {
        text->state = TEXT_NO_MEMORY;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

static void put(struct text *text, uint32_t code_point) {
    uint8_t bytes[4];
    size_t count = (size_t)utf8proc_encode_char((utf8proc_int32_t)code_point, bytes);
    if (text->state != TEXT_OK || !make_room(text, count)) return;
    memcpy(text->bytes + text->size, bytes, count);
    text->size += count;
}

static bool is_bidi_control(uint32_t c) {
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static bool is_dropped(uint32_t c) {
    bool control = (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c < 0xA0);
    return control || c == 0x00AD || c == 0xFEFF || is_bidi_control(c);
}

static const char *ligature_of(uint32_t c) {
    static const char *const spelled[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
    return c >= 0xFB00 && c <= 0xFB06 ? spelled[c - 0xFB00] : NULL;
}

/* Below U+0300 nothing composes or combines, nor do the spaces, dashes and quotes of U+2002-20CF,
 * which most pages have: those pages need no second pass. */
static bool may_compose(uint32_t c) {
    return c >= 0x0300 && !(c >= 0x2002 && c <= 0x20CF);
}

static void add_rare(struct text *text, uint32_t c) {
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || (c & 0xFFFE) == 0xFFFE) c = REPLACEMENT;
    if (c == 0x0085 || c == '\v') c = '\n'; /* NEL; VT, a line's end within a paragraph */
    if (is_dropped(c)) return;
    const char *ligature = ligature_of(c);
    if (ligature) {
        for (; *ligature; ligature++) put(text, (uint8_t)*ligature);
        return;
    }
    text->may_compose |= may_compose(c);
    put(text, c);
}

void text_add(struct text *text, uint32_t code_point) {
    bool second_half = text->after_return && code_point == '\n';
    text->after_return = code_point == '\r';
    if (second_half) return;
    if (code_point == '\r') code_point = '\n';
    if (code_point >= 0x20 && code_point < 0x7F && text->state == TEXT_OK &&
        text->size < text->capacity && text->size < text->size_max)
        text->bytes[text->size++] = (char)code_point;
    else
        add_rare(text, code_point);
}

void text_add_utf16(struct text *text, const uint16_t *units, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t c = units[i];
        bool paired = c >= 0xD800 && c <= 0xDBFF && i + 1 < count && units[i + 1] >= 0xDC00 &&
                      units[i + 1] <= 0xDFFF;
        if (paired) c = 0x10000 + ((c - 0xD800) << 10) + (units[++i] - 0xDC00u);
        text_add(text, c);
    }
}

enum text_state text_close(struct text *text) {
    if (text->state != TEXT_OK || !text->may_compose) return text->state;
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t size =
        utf8proc_map((const utf8proc_uint8_t *)text->bytes, (utf8proc_ssize_t)text->size, &composed,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (size < 0) return text->state = TEXT_NO_MEMORY;
    text->size = 0;
    if (make_room(text, (size_t)size)) {
        memcpy(text->bytes, composed, (size_t)size);
        text->size = (size_t)size;
    }
    free(composed);
    return text->state;
}
