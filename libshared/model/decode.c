/* SPDX-License-Identifier: MIT
 * decode.c - the texts that PostgreSQL writes for bytea and for arrays. Trusts no size and no quote.
 */
#include "model/decode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct decoded *decoded_new(void) {
    return calloc(1, sizeof(struct decoded));
}

void decoded_free(struct decoded *list) {
    while (list) {
        struct decoded *decoded = list;
        list = decoded->next;
        buffer_finish(&decoded->bytes);
        buffer_finish(&decoded->entries);
        free(decoded);
    }
}

int32_t decoded_count(const struct decoded *decoded) {
    return (int32_t)(decoded->entries.size / sizeof(struct entry));
}

const struct entry *decoded_entry(const struct decoded *decoded, int32_t index) {
    if (index < 0 || index >= decoded_count(decoded)) return NULL;
    return (const struct entry *)(const void *)decoded->entries.data + index;
}

static struct decoded *complete(struct decoded *decoded) {
    if (!decoded->bytes.failed && !decoded->entries.failed) return decoded;
    decoded_free(decoded);
    return NULL;
}

/* --- bytea ---------------------------------------------------------------------------------------- */

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* "\x00ff" */
static void add_hex(struct buffer *out, const char *text, size_t size) {
    if (!buffer_reserve(out, size / 2 + 1)) return;
    for (size_t i = 0; i + 1 < size; i += 2) {
        int high = digit_of(text[i]), low = digit_of(text[i + 1]);
        if (high < 0 || low < 0) return;
        buffer_add_char(out, (char)(high * 16 + low));
    }
}

static bool is_octal(const char *text, size_t size) {
    return size >= 4 && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
           text[3] >= '0' && text[3] <= '7';
}

/* What a server with bytea_output = escape writes: "a\\\000". */
static void add_escaped(struct buffer *out, const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        if (text[i] == '\\' && is_octal(text + i, size - i)) {
            buffer_add_char(out, (char)((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                        (text[i + 3] - '0')));
            i += 4;
        } else {
            if (text[i] == '\\' && i + 1 < size) i++;
            buffer_add_char(out, text[i++]);
        }
    }
}

struct decoded *decode_bytes(const char *text, size_t size) {
    struct decoded *decoded = decoded_new();
    if (!decoded) return NULL;
    if (size >= 2 && text[0] == '\\' && text[1] == 'x')
        add_hex(&decoded->bytes, text + 2, size - 2);
    else
        add_escaped(&decoded->bytes, text, size);
    buffer_add_char(&decoded->bytes, '\0');
    if (!decoded->bytes.failed) decoded->bytes.size--; /* the NUL stays behind it */
    return complete(decoded);
}

/* --- arrays --------------------------------------------------------------------------------------- */

/* Behind "..." with \ before what would end it. */
static const char *add_quoted(struct buffer *out, const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end) at++;
        buffer_add_char(out, *at);
    }
    return at < end ? at + 1 : at;
}

static const char *add_plain(struct buffer *out, const char *at, const char *end) {
    const char *start = at;
    while (at < end && *at != ',' && *at != '}') at++;
    buffer_add(out, start, (size_t)(at - start));
    return at;
}

static const char *add_entry(struct decoded *decoded, const char *at, const char *end) {
    struct entry entry = {.offset = decoded->bytes.size};
    bool is_quoted = *at == '"';
    const char *behind =
        is_quoted ? add_quoted(&decoded->bytes, at, end) : add_plain(&decoded->bytes, at, end);
    entry.size = decoded->bytes.size - entry.offset;
    entry.null = !is_quoted && behind - at == 4 && !strncasecmp(at, "NULL", 4);
    buffer_add_char(&decoded->bytes, '\0');
    buffer_add(&decoded->entries, &entry, sizeof entry);
    return behind;
}

struct decoded *decode_array(const char *text, size_t size) {
    struct decoded *decoded = decoded_new();
    if (!decoded) return NULL;
    const char *end = text + size;
    const char *at = memchr(text, '{', size); /* behind "[2:3]=", where indexes begin elsewhere */
    while (at && at < end) {
        if (*at == '{' || *at == '}' || *at == ',')
            at++;
        else
            at = add_entry(decoded, at, end);
    }
    return complete(decoded);
}
