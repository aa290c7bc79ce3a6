/* SPDX-License-Identifier: MIT
 * page.c - serves the page's files, and what is made once: /openapi.json. Never reads a file from disk.
 */
#include "page.h"

#include <string.h>

#include "handlers.h"
#include "route.h"

/* Files of our own and nothing else: no inline script or style, no other origin, no frame around it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct page_file *page_find(const struct target *target) {
    if (target->segment_count > 1) return NULL;
    const char *name = target->segment_count ? target->segments[0] : "index.html";
    for (size_t i = 0; i < page_file_count; i++)
        if (!strcmp(page_files[i].name, name)) return &page_files[i];
    return NULL;
}

bool page_exists(const struct target *target) {
    return page_find(target) != NULL;
}

static void reply_fixed(struct request *request, const char *content_type, const void *content,
                        size_t size) {
    request->reply.status = 200;
    request->reply.content_type = content_type;
    request->reply.fixed = content;
    request->reply.fixed_size = size;
}

void page_show(struct request *request) {
    const struct page_file *file = page_find(&request->target);
    const char *known = request_header(request, "If-None-Match");
    reply_header(&request->reply, "ETag", file->etag);
    reply_header(&request->reply, "Cache-Control", "no-cache");
    reply_header(&request->reply, "Content-Security-Policy", policy);
    reply_header(&request->reply, "Referrer-Policy", "no-referrer");
    if (known && strstr(known, file->etag))
        reply_empty(request, 304);
    else
        reply_fixed(request, file->content_type, file->content, file->size);
}

void openapi_show(struct request *request) {
    size_t size = 0;
    const char *text = route_openapi(&size);
    if (text)
        reply_fixed(request, "application/json", text, size);
    else
        reply_error(request, 503, "The server is out of memory just now.");
}
