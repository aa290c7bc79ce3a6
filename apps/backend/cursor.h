/* SPDX-License-Identifier: MIT
 * cursor.h - the place in a list where the next page begins, as opaque text: the moment and the id of
 * the last row shown. Pure.
 */
#ifndef BACKEND_CURSOR_H
#define BACKEND_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { CURSOR_ID_SIZE_MAX = 255 * 4 }; /* 255 characters of UTF-8 */

struct cursor {
    int64_t time_us;
    char id[CURSOR_ID_SIZE_MAX + 1];
};

void cursor_write(struct text *out, int64_t time_us, const char *id);
/* false: this is none of ours. */
bool cursor_read(const char *text, struct cursor *out);

#endif
