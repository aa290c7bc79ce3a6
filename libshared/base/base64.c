/* SPDX-License-Identifier: MIT
 * base64.c - the alphabet of RFC 4648 section 4, strictly: Celery's bodies travel in it.
 */
#include <string.h>

#include "base/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_to_base64(struct buffer *out, const void *data, size_t size) {
    const unsigned char *bytes = data;
    if (size > SIZE_MAX / 4 || !buffer_reserve(out, (size + 2) / 3 * 4)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        if (left > 1) bits |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2) bits |= bytes[i + 2];
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], '=', '='};
        if (left > 1) four[2] = alphabet[bits >> 6 & 63];
        if (left > 2) four[3] = alphabet[bits & 63];
        buffer_add(out, four, 4);
    }
}

/* 0-63, or -1 for what is not in the alphabet. */
static int digit_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Adds the bytes of four digits, the last `padding` of which are '='. */
static bool add_four(struct buffer *out, const char *four, size_t padding) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? digit_value(four[i]) : 0;
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
    }
    /* Bits that no byte takes must be zero, or two texts would mean the same. */
    if (padding && bits & (padding == 1 ? 0xffu : 0xffffu)) return false;
    unsigned char bytes[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                              (unsigned char)bits};
    buffer_add(out, bytes, 3 - padding);
    return true;
}

bool text_from_base64(struct buffer *out, const char *text, size_t size) {
    if (size % 4 || !buffer_reserve(out, size / 4 * 3)) return false;
    size_t before = out->size;
    size_t padding = 0;
    if (size && text[size - 1] == '=') padding = text[size - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < size; i += 4) {
        if (add_four(out, text + i, i + 4 == size ? padding : 0)) continue;
        out->size = before;
        out->data[before] = '\0';
        return false;
    }
    return true;
}
