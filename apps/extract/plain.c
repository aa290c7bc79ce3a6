/* SPDX-License-Identifier: MIT
 * plain.c - plain text as pages: where they begin, and their characters.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "document.h"

/* From PAGE_BYTES on, the next end of line ends the page; at PAGE_BYTES_MAX any character does. */
enum { PAGE_BYTES = 64 << 10, PAGE_BYTES_MAX = 96 << 10, STARTS_MIN = 64 };

struct starts {
    size_t *offsets; /* of each page, then that of the end */
    size_t count, capacity;
};

bool fault_set(struct fault *fault, enum extract_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->sentence, sizeof fault->sentence, format, arguments);
    va_end(arguments);
    fault->code = code;
    return false;
}

static bool add_start(struct starts *starts, size_t offset) {
    if (starts->count == starts->capacity) {
        size_t capacity = starts->capacity ? starts->capacity * 2 : STARTS_MIN;
        size_t *offsets = realloc(starts->offsets, capacity * sizeof *offsets);
        if (!offsets) return false;
        starts->offsets = offsets;
        starts->capacity = capacity;
    }
    starts->offsets[starts->count++] = offset;
    return true;
}

/* Where the page that begins at offset ends: behind its form feed, line or character. */
static size_t find_end(const struct document *document, size_t offset) {
    size_t begin = offset;
    while (offset < document->size) {
        uint32_t c = charset_next(document->charset, document->bytes, document->size, &offset);
        if (c == '\f') break;
        if (c == '\n' && offset - begin >= PAGE_BYTES) break;
        if (c != '\r' && offset - begin >= PAGE_BYTES_MAX) break;
    }
    return offset;
}

static bool open_plain(struct document *document, struct fault *fault) {
    static struct starts starts;
    starts.count = 0;
    bool added = add_start(&starts, 0);
    for (size_t offset = 0; added && offset < document->size;) {
        if (starts.count > document->pages_max)
            return fault_set(fault, EXTRACT_TOO_MANY_PAGES,
                             "This text has more than %u pages, the most that is allowed.",
                             document->pages_max);
        offset = find_end(document, offset);
        added = add_start(&starts, offset);
    }
    if (!added) return fault_set(fault, EXTRACT_INTERNAL, "There is no memory for this text.");
    document->handle = &starts;
    document->page_count = (uint32_t)starts.count - 1;
    return true;
}

static bool read_plain(struct document *document, uint32_t page, struct text *text,
                       struct fault *fault) {
    (void)fault;
    const struct starts *starts = document->handle;
    size_t offset = starts->offsets[page - 1], end = starts->offsets[page];
    while (offset < end && text->state == TEXT_OK)
        text_add(text, charset_next(document->charset, document->bytes, document->size, &offset));
    return true;
}

const struct format plain_format = {
    .kind = FRAME_KIND_TEXT,
    .open = open_plain,
    .read_page = read_plain,
};
