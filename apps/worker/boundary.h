/* SPDX-License-Identifier: MIT
 * boundary.h - how good a place is to cut a text, for legal prose. Pure.
 */
#ifndef WORKER_BOUNDARY_H
#define WORKER_BOUNDARY_H

#include <stdbool.h>
#include <stddef.h>

/* Better is greater. */
enum boundary {
    BOUNDARY_NONE, /* inside a word, between two code points */
    BOUNDARY_WORD, /* behind white space */
    BOUNDARY_LINE,
    BOUNDARY_SENTENCE,
    BOUNDARY_PARAGRAPH, /* behind a blank line, or at a page's first character */
    BOUNDARY_HEADING,   /* before an article, section, numbered clause or title in capitals */
    BOUNDARY_LEVELS
};

/* Level of the place before text[position]; position is at a code point, 0 < position < size. */
enum boundary boundary_at(const char *text, size_t size, size_t position);

bool boundary_is_blank(char c);

#endif
