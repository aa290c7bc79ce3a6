/* SPDX-License-Identifier: MIT
 * chunk.h - cuts a document's text into chunks for search. Pure and deterministic; never changes a
 * byte: each chunk is an exact substring.
 *
 * The text is the pages in order, joined by one form feed (U+000C). A chunk has no blank at its ends
 * and at most `size` code points. It ends at the best boundary of its second half: heading, paragraph,
 * sentence, line, word, and only then inside a word. The next one begins up to `overlap` code points
 * before that end, at a sentence or word, except behind a heading's boundary, and ends behind it. All
 * text that is not blank is in some chunk.
 */
#ifndef WORKER_CHUNK_H
#define WORKER_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
    size_t start, size;           /* bytes */
    int64_t char_start, char_end; /* code points: [start, end) */
    int32_t page_from, page_to;
};

struct chunk_list {
    struct chunk *items;
    size_t count, capacity;
};

/* Where a page begins. */
struct page_mark {
    size_t start;
    int32_t page;
};

struct chunk_rules {
    int64_t size;    /* code points, at least 2 */
    int64_t overlap; /* code points; more than a third of size counts as a third */
};

/* Appends to list. text is valid UTF-8; marks ascend and the first is at 0. false: no memory. */
bool chunk_cut(const char *text, size_t size, const struct page_mark *marks, size_t mark_count,
               const struct chunk_rules *rules, struct chunk_list *list);
void chunk_list_finish(struct chunk_list *list);

#endif
