/* SPDX-License-Identifier: MIT
 * pages.c - grows two arrays by doubling. Never looks into the text.
 */
#include "pages.h"

#include <stdlib.h>
#include <string.h>

static bool grow(void **items, size_t *capacity, size_t wanted, size_t item_size) {
    if (wanted <= *capacity) return true;
    size_t larger = *capacity ? *capacity * 2 : 256;
    if (larger < wanted) larger = wanted;
    void *grown = realloc(*items, larger * item_size);
    if (!grown) return false;
    *items = grown;
    *capacity = larger;
    return true;
}

bool pages_add(struct pages *pages, int32_t page, const char *text, size_t size) {
    void *bytes = pages->text, *marks = pages->marks;
    bool room = grow(&bytes, &pages->capacity, pages->size + size + 1, 1);
    pages->text = bytes;
    room = room && grow(&marks, &pages->mark_capacity, pages->count + 1, sizeof *pages->marks);
    pages->marks = marks;
    if (!room) return false;
    if (pages->count) pages->text[pages->size++] = '\f';
    pages->marks[pages->count++] = (struct page_mark){.start = pages->size, .page = page};
    if (size) memcpy(pages->text + pages->size, text, size);
    pages->size += size;
    return true;
}

void pages_finish(struct pages *pages) {
    free(pages->text);
    free(pages->marks);
    *pages = (struct pages){0};
}
