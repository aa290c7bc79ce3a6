/* SPDX-License-Identifier: MIT
 * inflate.c - the bodies of compressed messages. The limit is kept while unpacking, so a bomb costs no
 * more than the limit.
 */
#include "queue/inflate.h"

#include <limits.h>
#include <zlib.h>

enum { STEP_SIZE = 16384, WINDOW_ZLIB_OR_GZIP = 15 + 32 };

bool inflate_text(struct buffer *out, const char *data, size_t size, size_t size_max) {
    if (size > INT_MAX) return false;
    z_stream stream = {.avail_in = (uInt)size};
    union {
        const char *given;
        Bytef *wanted; /* zlib never writes there: its type is older than const */
    } input = {.given = data};
    stream.next_in = input.wanted;
    if (inflateInit2(&stream, WINDOW_ZLIB_OR_GZIP) != Z_OK) return false;
    int status = Z_OK;
    while (status == Z_OK && out->size <= size_max && buffer_reserve(out, STEP_SIZE)) {
        stream.next_out = (Bytef *)out->data + out->size;
        stream.avail_out = STEP_SIZE;
        status = inflate(&stream, Z_NO_FLUSH);
        out->size += STEP_SIZE - stream.avail_out;
        if (status == Z_BUF_ERROR || (status == Z_OK && !stream.avail_in && stream.avail_out))
            break;
    }
    inflateEnd(&stream);
    return status == Z_STREAM_END && out->size <= size_max;
}
