/* SPDX-License-Identifier: MIT
 * case.c - cases: made, listed, read, changed, deleted. Never touches a document but to delete it with
 * its case.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handlers.h"
#include "list.h"
#include "release.h"

/* --- read ------------------------------------------------------------------------------------------ */

void case_list(struct request *request) {
    struct list_query list = {.request = request, .model = SHARED_CASE};
    if (list_limit(request)) list_newest(&list);
}

static void case_show(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    if (shared_event_count(event))
        reply_record(request, 200, shared_event_record(event, 0));
    else
        reply_absent(request, "case", request->id);
}

/* Reads the case of the path, or the one just stored. */
static void case_read(struct request *request, const char *id, request_step *step) {
    shared_session *session = request_session(request);
    uint64_t tag = session ? request_wait(request, step) : 0;
    if (tag) request_asked(request, shared_session_get(session, SHARED_CASE, id, tag));
}

void case_get(struct request *request) {
    case_read(request, request->id, case_show);
}

/* --- make ------------------------------------------------------------------------------------------ */

static const int32_t server_fields[] = {SHARED_CASE_CREATED_AT, SHARED_CASE_UPDATED_AT};

static void case_created(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    shared_record *record = shared_event_record(event, 0);
    if (!record) { /* deleted again since our commit */
        reply_error(request, 404, "It is not there any more.");
        return;
    }
    reply_location(request, "/cases/", shared_record_text(record, SHARED_CASE_ID));
    reply_record(request, 201, record);
}

static void case_stored(struct request *request, const shared_event *event) {
    const char *id = shared_record_text(request->record, SHARED_CASE_ID);
    if (!strcmp(shared_error_sqlstate(shared_event_error(event)), "23505")) {
        request->session_spoilt = true;
        reply_error(request, 409, "There is already a case with the id \"%s\".", id);
    } else if (!request_failed(request, event)) {
        case_read(request, id, case_created);
    }
}

static bool body_is_json(struct request *request) {
    const char *type = request_header(request, "Content-Type");
    size_t size = type ? strcspn(type, "; \t") : 0;
    bool json = type && (equal_fold(type, size, "application/json") ||
                         (size > 5 && equal_fold(type + size - 5, 5, "+json")));
    if (!json)
        reply_field(request, "body", "Content-Type", "model_attributes_type",
                    "The body is not application/json.");
    return json;
}

static const char *body_text(const struct request *request) {
    return request->body.data ? request->body.data : "";
}

void case_create(struct request *request) {
    if (!body_is_json(request)) return;
    shared_status status = shared_record_from_json(SHARED_CASE, body_text(request),
                                                   request->body.size, &request->record);
    if (status < 0) {
        reply_library(request, shared_error_last());
        return;
    }
    for (size_t i = 0; i < sizeof server_fields / sizeof *server_fields; i++) {
        if (shared_record_is_null(request->record, server_fields[i])) continue;
        const char *name = shared_record_name(request->record, server_fields[i]);
        reply_field(request, "body", name, "extra_forbidden", "%s: made by the server", name);
        return;
    }
    shared_session *session = request_session(request);
    if (!session) return;
    status = shared_session_add(session, request->record);
    uint64_t tag = request_wait(request, case_stored);
    if (tag && status >= 0) status = shared_session_commit(session, tag);
    if (tag) request_asked(request, status);
}

/* --- change ---------------------------------------------------------------------------------------- */

static void case_changed(struct request *request, const shared_event *event) {
    if (!request_failed(request, event)) reply_record(request, 200, request->record);
}

/* A field that is not the client's to change. NULL: none was. */
static const char *changed_field(const shared_record *record, const char *id,
                                 const int64_t times[2]) {
    const char *now = shared_record_text(record, SHARED_CASE_ID);
    if (!now || strcmp(now, id) != 0) return "id";
    for (size_t i = 0; i < 2; i++)
        if (shared_record_time(record, server_fields[i]) != times[i])
            return shared_record_name(record, server_fields[i]);
    return NULL;
}

static bool case_merge(struct request *request) {
    shared_record *record = request->record;
    const int64_t times[2] = {shared_record_time(record, server_fields[0]),
                              shared_record_time(record, server_fields[1])};
    if (shared_record_merge_json(record, body_text(request), request->body.size) < 0) {
        reply_library(request, shared_error_last());
        return false;
    }
    const char *field = changed_field(record, request->id, times);
    if (field)
        reply_field(request, "body", field, "extra_forbidden", "%s: cannot be changed", field);
    return !field;
}

static void case_merge_and_store(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    if (!shared_event_count(event)) {
        reply_absent(request, "case", request->id);
        return;
    }
    request->record = shared_record_ref(shared_event_record(event, 0));
    if (!case_merge(request)) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    shared_status status = shared_record_set_time(request->record, SHARED_CASE_UPDATED_AT, now_us);
    if (status >= 0) status = shared_session_update(request->session, request->record);
    uint64_t tag = request_wait(request, case_changed);
    if (tag && status >= 0) status = shared_session_commit(request->session, tag);
    if (tag) request_asked(request, status);
}

void case_change(struct request *request) {
    if (body_is_json(request)) case_read(request, request->id, case_merge_and_store);
}

/* --- delete ---------------------------------------------------------------------------------------- */

static void case_deleted(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    files_release(request);
    reply_empty(request, 204);
}

static void case_gone(struct request *request, const shared_event *event) {
    if (!strcmp(shared_error_sqlstate(shared_event_error(event)), "23503")) {
        request->session_spoilt = true;
        reply_error(request, 409, "The case has documents; ?cascade=true deletes them too.");
    } else if (request_failed(request, event)) {
        return;
    } else if (!shared_event_count(event)) {
        request->session_spoilt = true; /* freed, and so rolled back */
        reply_absent(request, "case", request->id);
    } else {
        uint64_t tag = request_wait(request, case_deleted);
        if (tag) request_asked(request, shared_session_commit(request->session, tag));
    }
}

static void case_remove(struct request *request) {
    request_query(request, query_of_id(request, "DELETE FROM cases WHERE id = $1 RETURNING id"),
                  case_gone);
}

static void documents_gone(struct request *request, const shared_event *event) {
    if (request_failed(request, event) || !files_remember(request, event)) return;
    case_remove(request);
}

static void case_locked(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    if (shared_event_count(event)) {
        request_query(
            request,
            query_of_id(request, "DELETE FROM documents WHERE case_id = $1 RETURNING file_path"),
            documents_gone);
        return;
    }
    request->session_spoilt = true; /* freed, and so rolled back */
    reply_absent(request, "case", request->id);
}

/* With its documents: under a lock that each upload into it waits for, so that none comes in between. */
void case_delete(struct request *request) {
    bool cascade = false;
    if (!request_flag(request, "cascade", &cascade)) return;
    if (cascade)
        request_query(request,
                      query_of_id(request, "SELECT id FROM cases WHERE id = $1 FOR UPDATE"),
                      case_locked);
    else
        case_remove(request);
}
