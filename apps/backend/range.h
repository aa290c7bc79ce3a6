/* SPDX-License-Identifier: MIT
 * range.h - which bytes of a file a Range header asks for (RFC 9110, 14). Pure.
 */
#ifndef BACKEND_RANGE_H
#define BACKEND_RANGE_H

#include <stdint.h>

struct range {
    int status; /* 200: all of it, 206: a part, 416: none of it exists */
    uint64_t offset;
    uint64_t size;
};

/* header NULL, not of bytes, malformed, or of several ranges: all of it, as the RFC allows. */
struct range range_parse(const char *header, uint64_t file_size);

#endif
