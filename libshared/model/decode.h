/* SPDX-License-Identifier: MIT
 * decode.h - values of raw rows that are not read as one text: bytea and arrays. Never talks to a server.
 */
#ifndef MODEL_DECODE_H
#define MODEL_DECODE_H

#include "base/buffer.h"

#include <stdint.h>

struct entry {
    size_t offset; /* in bytes */
    size_t size;
    bool null;
};

/* What a value was decoded to, kept by its record. */
struct decoded {
    struct decoded *next;
    int32_t column;
    struct buffer bytes;   /* of bytea, or each entry with a NUL behind it */
    struct buffer entries; /* struct entry each, those of all dimensions in order */
};

void decoded_free(struct decoded *list);
/* NULL without memory. What PostgreSQL would not write decodes to as much as could be read. */
struct decoded *decode_bytes(const char *text, size_t size);
struct decoded *decode_array(const char *text, size_t size);
int32_t decoded_count(const struct decoded *decoded);
/* NULL past the end. */
const struct entry *decoded_entry(const struct decoded *decoded, int32_t index);

#endif
