/* SPDX-License-Identifier: MIT
 * content.c - what was read from a document: its chunks, its pages, its text as one.
 */
#include <inttypes.h>
#include <string.h>

#include "handlers.h"
#include "list.h"

enum {
    PLAIN_TEXT_MAX = 16 * 1024 * 1024
}; /* held in memory as a whole; longer ones are read by page */

static const char plain_sql[] =
    "SELECT (SELECT coalesce(sum(octet_length(text)), 0) FROM document_pages WHERE document_id = "
    "d.id),"
    " CASE WHEN (SELECT coalesce(sum(octet_length(text)), 0) FROM document_pages WHERE document_id "
    "= d.id)"
    "  <= 16777216 THEN (SELECT string_agg(text, E'\\f' ORDER BY page) FROM document_pages"
    "  WHERE document_id = d.id) END FROM documents d WHERE d.id = $1";
_Static_assert(PLAIN_TEXT_MAX == 16777216, "plain_sql says it too");

/* Nothing was found: because there is no such document, or because it has nothing yet? */
static void existence_known(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    struct text body = {0};
    text_add_string(&body, "{\"items\":[],\"next\":null}");
    if (shared_event_count(event))
        reply_json(request, 200, &body);
    else
        reply_absent(request, "document", request->id);
    text_finish(&body);
}

static void show_rows(struct request *request, const shared_event *event, int32_t cursor_field) {
    if (shared_event_error(event) || shared_event_count(event)) {
        list_show(request, event, cursor_field);
        return;
    }
    uint64_t tag = request_wait(request, existence_known);
    if (tag)
        request_asked(request,
                      shared_session_get(request->session, SHARED_DOCUMENT, request->id, tag));
}

static void chunks_show(struct request *request, const shared_event *event) {
    show_rows(request, event, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX);
}

void document_chunks(struct request *request) {
    struct list_query list = {.request = request, .model = SHARED_DOCUMENT_CHUNK};
    list_where(&list, "document_id", request->id);
    list_numbered(&list, "chunk_index", 0, chunks_show);
}

static void pages_show(struct request *request, const shared_event *event) {
    show_rows(request, event, SHARED_DOCUMENT_PAGE_PAGE);
}

static void plain_show(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    const shared_record *row = shared_event_record(event, 0);
    if (!row) {
        reply_absent(request, "document", request->id);
    } else if (shared_record_int(row, 0) > PLAIN_TEXT_MAX) {
        reply_error(request, 422,
                    "The text has %" PRId64 " bytes, as one at most %d; read it by page.",
                    shared_record_int(row, 0), PLAIN_TEXT_MAX);
    } else {
        struct text body = {0};
        text_add(&body, shared_record_text(row, 1) ? shared_record_text(row, 1) : "",
                 shared_record_text_size(row, 1));
        reply_json(request, 200, &body);
        if (request->reply.status == 200) request->reply.content_type = "text/plain; charset=utf-8";
    }
}

static bool wants_plain_text(const struct request *request) {
    const char *accept = request_header(request, "Accept");
    const char *plain = accept ? strstr(accept, "text/plain") : NULL;
    const char *json = accept ? strstr(accept, "application/json") : NULL;
    return plain && (!json || plain < json);
}

void document_text(struct request *request) {
    if (wants_plain_text(request)) {
        shared_query *query = query_of_id(request, plain_sql);
        if (query) shared_query_read_only(query);
        request_query(request, query, plain_show);
        return;
    }
    struct list_query list = {.request = request, .model = SHARED_DOCUMENT_PAGE};
    list_where(&list, "document_id", request->id);
    list_numbered(&list, "page", 1, pages_show);
}
