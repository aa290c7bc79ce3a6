/* SPDX-License-Identifier: MIT
 * cursor.c - the place in a list, as base64url of "<microseconds> <id>". Never trusted: what comes back
 * is checked like any other value.
 */
#include "cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
enum { TIME_TEXT_SIZE = 24 };
/* Year 1 to 9999: what PostgreSQL and RFC 3339 both can say. */
static const int64_t TIME_MIN_US = -62135596800000000;
static const int64_t TIME_MAX_US = 253402300799999999;

static void base64_write(struct text *out, const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i += 3) {
        size_t count = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (count > 1) group |= (uint32_t)bytes[i + 1] << 8;
        if (count > 2) group |= bytes[i + 2];
        for (size_t k = 0; k <= count; k++)
            text_add(out, &alphabet[(group >> (18 - 6 * k)) & 63], 1);
    }
}

/* Bytes written, or -1. */
static int64_t base64_read(const char *text, unsigned char *out, size_t out_size) {
    size_t size = 0;
    uint32_t group = 0;
    int bits = 0;
    for (; *text; text++) {
        const char *place = strchr(alphabet, *text);
        if (!place) return -1;
        group = (group << 6 | (uint32_t)(place - alphabet)) & 0xffff;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        if (size == out_size) return -1;
        out[size++] = (unsigned char)(group >> bits);
    }
    bool padded_with_zero = !(group & ((1u << bits) - 1));
    return bits < 6 && padded_with_zero ? (int64_t)size : -1;
}

void cursor_write(struct text *out, int64_t time_us, const char *id) {
    char plain[TIME_TEXT_SIZE + CURSOR_ID_SIZE_MAX + 1];
    int size = snprintf(plain, sizeof plain, "%" PRId64 " %s", time_us, id);
    if (size < 0 || (size_t)size >= sizeof plain)
        out->failed = true;
    else
        base64_write(out, (const unsigned char *)plain, (size_t)size);
}

bool cursor_read(const char *text, struct cursor *out) {
    char plain[TIME_TEXT_SIZE + CURSOR_ID_SIZE_MAX + 1];
    int64_t size = base64_read(text, (unsigned char *)plain, sizeof plain - 1);
    if (size < 0) return false;
    plain[size] = '\0';
    const char *space = memchr(plain, ' ', (size_t)size);
    if (!space ||
        !number_parse(plain, (size_t)(space - plain), TIME_MIN_US, TIME_MAX_US, &out->time_us))
        return false;
    size_t id_size = (size_t)(plain + size - space) - 1;
    if (!id_size || id_size > CURSOR_ID_SIZE_MAX || !utf8_is_text(space + 1, id_size, NULL))
        return false;
    memcpy(out->id, space + 1, id_size + 1);
    return true;
}
