/* SPDX-License-Identifier: MIT
 * document.c - documents: listed, read, deleted, read again. Uploads are upload.c's, text and chunks
 * content.c's, the file file.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "list.h"
#include "release.h"
#include "stream.h"

/* --- read ------------------------------------------------------------------------------------------ */

static bool is_status(const char *word) {
    static const char *const words[] = {
        SHARED_EXTRACTION_STATUS_PENDING, SHARED_EXTRACTION_STATUS_PROCESSING,
        SHARED_EXTRACTION_STATUS_COMPLETED, SHARED_EXTRACTION_STATUS_FAILED};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) return true;
    return false;
}

void document_list(struct request *request) {
    struct list_query list = {.request = request, .model = SHARED_DOCUMENT};
    const char *case_id = target_argument(&request->target, "case_id");
    const char *status = target_argument(&request->target, "status");
    if (!list_limit(request)) return;
    if (status && *status && !is_status(status)) {
        reply_field(request, "query", "status", "enum",
                    "status: \"%s\" is not pending, processing, completed or failed", status);
        return;
    }
    if (case_id && *case_id)
        list_where(&list, "case_id", case_id);
    else if (case_id)
        list_where_plain(&list, "case_id IS NULL");
    if (status && *status) list_where(&list, "extraction_status", status);
    list_newest(&list);
}

static void document_show(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    if (shared_event_count(event))
        reply_record(request, 200, shared_event_record(event, 0));
    else
        reply_absent(request, "document", request->id);
}

static void document_read(struct request *request, request_step *step) {
    shared_session *session = request_session(request);
    uint64_t tag = session ? request_wait(request, step) : 0;
    if (tag) request_asked(request, shared_session_get(session, SHARED_DOCUMENT, request->id, tag));
}

void document_get(struct request *request) {
    document_read(request, document_show);
}

/* --- delete ---------------------------------------------------------------------------------------- */

static void document_deleted(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    files_release(request);
    stream_document_gone(request->server, request->id);
    reply_empty(request, 204);
}

static void document_gone(struct request *request, const shared_event *event) {
    if (request_failed(request, event) || !files_remember(request, event)) return;
    if (!shared_event_count(event)) {
        request->session_spoilt = true; /* freed, and so rolled back */
        reply_absent(request, "document", request->id);
        return;
    }
    uint64_t tag = request_wait(request, document_deleted);
    if (tag) request_asked(request, shared_session_commit(request->session, tag));
}

void document_delete(struct request *request) {
    request_query(request,
                  query_of_id(request, "DELETE FROM documents WHERE id = $1 RETURNING file_path"),
                  document_gone);
}

/* --- read again ------------------------------------------------------------------------------------ */

/* One that waits is left to wait: pressing twice is one run. One that is being read starts anew, and so does
 * one that waits only for its next try after a failure; the attempt fences off what the old run still
 * writes. Old chunks stay until new ones replace them. */
static const char again_sql[] =
    "UPDATE documents SET extraction_status = 'pending', attempt = attempt + 1, page_count = NULL,"
    " pages_failed = 0, error = NULL, error_class = NULL, error_code = NULL, updated_at = now()"
    " WHERE id = $1 AND (extraction_status <> 'pending' OR error_class = 'retryable')"
    " RETURNING case_id";
static const char drop_pages_sql[] = "DELETE FROM document_pages WHERE document_id = $1";

static void again_show(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    shared_record *document = shared_event_record(event, 0);
    if (!document) {
        reply_absent(request, "document", request->id);
        return;
    }
    reply_record(request, 202, document);
    stream_document_added(request->server, shared_record_text(document, SHARED_DOCUMENT_CASE_ID),
                          request->id);
}

static void again_stored(struct request *request, const shared_event *event) {
    if (!request_failed(request, event)) document_read(request, again_show);
}

static void again_pages_dropped(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    struct text arguments = {0};
    text_add_string(&arguments, "[{\"document_id\":");
    text_add_json(&arguments, request->id, strlen(request->id));
    text_add_string(&arguments, "}]");
    uint64_t tag = request_wait(request, again_stored);
    shared_status status = SHARED_ENOMEM;
    if (!arguments.failed)
        status = shared_session_enqueue(request->session, "extract_text_from_document",
                                        arguments.data, request->id);
    if (tag && status >= 0) status = shared_session_commit(request->session, tag);
    if (tag) request_asked(request, status);
    text_finish(&arguments);
}

static void again_rolled_back(struct request *request, const shared_event *event) {
    if (!request_failed(request, event)) document_read(request, again_show);
}

static void again_set(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    if (shared_event_count(event)) {
        request_query(request, query_of_id(request, drop_pages_sql), again_pages_dropped);
        return;
    }
    uint64_t tag = request_wait(request, again_rolled_back);
    if (tag) request_asked(request, shared_session_rollback(request->session, tag));
}

void document_extract(struct request *request) {
    request_query(request, query_of_id(request, again_sql), again_set);
}
