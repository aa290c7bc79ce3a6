/* SPDX-License-Identifier: MIT
 * pages.h - a document's text in memory while its job runs: the pages in order, joined by one form
 * feed, and where each begins. Bounded by the caller.
 */
#ifndef WORKER_PAGES_H
#define WORKER_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"

struct pages {
    char *text;
    size_t size, capacity;
    struct page_mark *marks;
    size_t count, mark_capacity;
};

/* Appends a page; numbers ascend. false: no memory, and pages are as before. */
bool pages_add(struct pages *pages, int32_t page, const char *text, size_t size);
void pages_finish(struct pages *pages);

#endif
