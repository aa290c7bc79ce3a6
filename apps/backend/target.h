/* SPDX-License-Identifier: MIT
 * target.h - the request target taken apart: path segments and query arguments, percent-decoded.
 * Pure functions; a segment may hold %2F, since a document's id may be any text.
 */
#ifndef BACKEND_TARGET_H
#define BACKEND_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { TARGET_SEGMENTS_MAX = 6, TARGET_ARGUMENTS_MAX = 256 };

struct target_argument {
    const char *name;
    const char *value; /* "" without one */
};

struct target {
    char *bytes; /* what all pointers go into; free with target_finish */
    bool below_api;
    int32_t segment_count;
    const char *segments[TARGET_SEGMENTS_MAX];
    int32_t argument_count;
    int32_t argument_capacity;
    struct target_argument *arguments;
};

enum target_status {
    TARGET_OK,
    TARGET_BAD_ESCAPE, /* % without two hexadecimal digits, or a byte that must be escaped */
    TARGET_BAD_TEXT,   /* decoded it is not UTF-8, or holds a NUL */
    TARGET_TOO_LONG,   /* more segments or arguments than there are routes for */
    TARGET_NO_MEMORY
};

/* Takes "/path?query" apart; a first segment "api" is left out. */
enum target_status target_parse(struct target *target, const char *raw);
void target_finish(struct target *target);
/* Value of the first argument of that name, NULL: absent. */
const char *target_argument(const struct target *target, const char *name);
/* Whether the segments fit a pattern like "/documents/{id}/text"; *value gets what stood at {...}. */
bool target_match(const struct target *target, const char *pattern, const char **value);
/* A segment as it stands in a path: what is not unreserved is percent-encoded. */
void target_escape(struct text *out, const char *segment);

#endif
