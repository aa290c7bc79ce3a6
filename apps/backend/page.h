/* SPDX-License-Identifier: MIT
 * page.h - the page's files, compiled into the program (embed.py writes page_files.c from web/).
 */
#ifndef BACKEND_PAGE_H
#define BACKEND_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "target.h"

struct page_file {
    const char *name; /* "index.html" */
    const char *content_type;
    const char *etag; /* with its quotes: the digest of the content */
    const unsigned char *content;
    size_t size;
};

extern const struct page_file page_files[];
extern const size_t page_file_count;
/* components of /openapi.json, as models.py made them. */
extern const char page_components[];
extern const size_t page_components_size;

/* Whether a file of the page stands at this path. */
bool page_exists(const struct target *target);

#endif
