/* SPDX-License-Identifier: MIT
 * decode.c - fuzz target: any bytes as the text of a bytea, of an array, and as JSON that is only looked at.
 * What is decoded stays within its bounds; written as PostgreSQL writes it, it is decoded to the same.
 */
#include "model/decode.h"

#include "base/text.h"
#include "fuzz.h"
#include "model/json.h"

static const char *entry_text(const struct decoded *decoded, const struct entry *entry) {
    return decoded->bytes.data + entry->offset;
}

/* {"a","b\"c",NULL}: each entry quoted. */
static void write_array(struct buffer *out, const struct decoded *decoded) {
    const struct entry *entry;
    buffer_add_char(out, '{');
    for (int32_t i = 0; (entry = decoded_entry(decoded, i)); i++) {
        if (i) buffer_add_char(out, ',');
        if (entry->null) {
            buffer_add_text(out, "NULL");
            continue;
        }
        buffer_add_char(out, '"');
        for (size_t at = 0; at < entry->size; at++) {
            char c = entry_text(decoded, entry)[at];
            if (c == '"' || c == '\\') buffer_add_char(out, '\\');
            buffer_add_char(out, c);
        }
        buffer_add_char(out, '"');
    }
    buffer_add_char(out, '}');
}

static void check_same(const struct decoded *one, const struct decoded *other) {
    require(decoded_count(one) == decoded_count(other));
    for (int32_t i = 0; i < decoded_count(one); i++) {
        const struct entry *left = decoded_entry(one, i), *right = decoded_entry(other, i);
        require(left->null == right->null && left->size == right->size);
        require(left->null || !memcmp(entry_text(one, left), entry_text(other, right), left->size));
    }
}

static void check_array(const char *text, size_t size) {
    struct decoded *decoded = decode_array(text, size);
    require(decoded != NULL && !decoded_entry(decoded, -1));
    size_t before = 0;
    for (int32_t i = 0; i < decoded_count(decoded); i++) {
        const struct entry *entry = decoded_entry(decoded, i);
        require(entry->offset == before && entry->size < decoded->bytes.size - before);
        require(entry_text(decoded, entry)[entry->size] == '\0');
        before += entry->size + 1;
    }
    require(!decoded_entry(decoded, decoded_count(decoded)));
    struct buffer written = {0};
    write_array(&written, decoded);
    struct decoded *again = decode_array(written.data, written.size);
    require(again != NULL);
    check_same(decoded, again);
    decoded_free(again);
    buffer_finish(&written);
    decoded_free(decoded);
}

static void check_bytes(const char *text, size_t size) {
    static const char digits[] = "0123456789abcdef";
    struct decoded *decoded = decode_bytes(text, size);
    require(decoded != NULL && decoded->bytes.size <= size);
    struct buffer hex = {0};
    buffer_add_text(&hex, "\\x");
    for (size_t i = 0; i < decoded->bytes.size; i++) {
        buffer_add_char(&hex, digits[(uint8_t)decoded->bytes.data[i] >> 4]);
        buffer_add_char(&hex, digits[(uint8_t)decoded->bytes.data[i] & 15]);
    }
    struct decoded *again = decode_bytes(hex.data, hex.size);
    require(again && again->bytes.size == decoded->bytes.size);
    require(!memcmp(again->bytes.data, decoded->bytes.data, decoded->bytes.size));
    decoded_free(again);
    buffer_finish(&hex);
    decoded_free(decoded);
}

/* Whatever jansson reads has the syntax. */
static void check_syntax(const char *text, size_t size) {
    if (!text_is_utf8(text, size)) return;
    bool has_syntax = json_has_syntax(text, size);
    require(has_syntax || !json_is(text, size, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    check_array(text, size);
    check_bytes(text, size);
    check_syntax(text, size);
    return 0;
}
