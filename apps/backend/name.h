/* SPDX-License-Identifier: MIT
 * name.h - names of files: from what a client sent to one that is safe to show, and back into a
 * header. A name never becomes a path on disk. Pure.
 */
#ifndef BACKEND_NAME_H
#define BACKEND_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum { NAME_LENGTH_MAX = 255, NAME_SIZE_MAX = NAME_LENGTH_MAX * 4 };

/* Takes the last part of a path of either style, without control and direction characters. NULL: out
 * holds the name (NUL-terminated); else why not, a sentence. */
const char *name_clean(const char *raw, size_t size, char out[NAME_SIZE_MAX + 1]);
/* attachment; filename="..."; filename*=UTF-8''... (RFC 6266): always one line of ASCII. */
void name_disposition(struct text *out, const char *name);
/* Value of one parameter of a header like `form-data; name="file"; filename="a.pdf"`, unquoted into
 * out. Size, or -1: absent, or -2: it does not end, or does not fit. */
long name_parameter(const char *header, size_t header_size, const char *parameter, char *out,
                    size_t out_size);
/* RFC 8187: UTF-8'en'na%C3%AFve.pdf. Size, or -1: not that. */
long name_extended(const char *value, size_t size, char *out, size_t out_size);

#endif
