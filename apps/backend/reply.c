/* SPDX-License-Identifier: MIT
 * reply.c - answers, and errors in the shape that users of FastAPI know. Never decides when one is sent.
 */
#include "reply.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request.h"
#include "sse.h"

enum { DETAIL_SIZE = 1024 };
static const char retry_after_s[] = "2"; /* what is away comes back at our next attempt or later */

void reply_finish(struct reply *reply) {
    text_finish(&reply->body);
    for (int i = 0; i < reply->header_count; i++) free(reply->headers[i].value);
    if (reply->fd >= 0) close(reply->fd);
    *reply = (struct reply){.fd = -1};
}

void reply_header(struct reply *reply, const char *name, const char *value) {
    char *copy = reply->header_count < REPLY_HEADERS_MAX ? strdup(value) : NULL;
    if (!copy) {
        reply->memory_out = true;
        return;
    }
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].value = copy;
}

void reply_location(struct request *request, const char *folder, const char *id) {
    struct text location = {0};
    if (request->target.below_api) text_add_string(&location, "/api");
    text_add_string(&location, folder);
    target_escape(&location, id);
    if (location.failed)
        request->reply.memory_out = true;
    else
        reply_header(&request->reply, "Location", location.data);
    text_finish(&location);
}

void reply_origin(struct reply *reply, const char *origin) {
    reply_header(reply, "Access-Control-Allow-Origin", origin);
    reply_header(reply, "Access-Control-Expose-Headers", sse_exposed);
    reply_header(reply, "Vary", "Origin");
}

void reply_json(struct request *request, int status, struct text *body) {
    struct reply *reply = &request->reply;
    reply->memory_out = reply->memory_out || body->failed;
    reply->status = reply->memory_out ? 503 : status;
    reply->content_type = "application/json";
    reply->body = *body;
    *body = (struct text){0};
}

void reply_record(struct request *request, int status, shared_record *record) {
    struct text body = {0};
    const char *json = shared_record_json(record);
    if (json)
        text_add_string(&body, json);
    else
        body.failed = true;
    reply_json(request, status, &body);
}

void reply_empty(struct request *request, int status) {
    request->reply.status = status;
}

void reply_error(struct request *request, int status, const char *format, ...) {
    char detail[DETAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    struct text body = {0};
    text_add_string(&body, "{\"detail\":");
    text_add_json(&body, detail, strlen(detail));
    text_add_string(&body, "}");
    if (status == 503) reply_header(&request->reply, "Retry-After", retry_after_s);
    reply_json(request, status, &body);
}

void reply_field(struct request *request, const char *place, const char *field, const char *type,
                 const char *format, ...) {
    char message[DETAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct text body = {0};
    text_format(&body, "{\"detail\":[{\"loc\":[\"%s\",\"%s\"],\"msg\":", place, field);
    text_add_json(&body, message, strlen(message));
    text_format(&body, ",\"type\":\"%s\"}]}", type);
    reply_json(request, 422, &body);
}

void reply_absent(struct request *request, const char *what, const char *id) {
    reply_error(request, 404, "There is no %s with the id \"%s\".", what, id);
}

/* The schema's own list, as pydantic writes it. */
static void reply_schema(struct request *request) {
    struct text body = {0};
    text_format(&body, "{\"detail\":%s}", shared_record_failures());
    reply_json(request, 422, &body);
}

void reply_library(struct request *request, const shared_error *error) {
    /* First row that fits. sqlstate "": any; 23505 unique, 23503 foreign key, 42P01 no such table. */
    static const struct {
        int32_t code; /* 0: any */
        int status;
        const char *sqlstate;
        const char *sentence; /* NULL: the error's own */
    } rows[] = {
        {0, 503, "42P01", "The database has no tables yet: run `lex-intel migrate upgrade head`."},
        {0, 409, "23505", "The id is taken."},
        {0, 409, "23503", "Something else refers to it, or what it refers to is not there."},
        {SHARED_ENOTFOUND, 404, "", "It is not there any more."},
        {SHARED_ECONFLICT, 409, "", NULL},
        {SHARED_EUNKNOWN, 503, "",
         "The database broke off while it stored this; look whether it did."},
    };
    const char *sqlstate = shared_error_sqlstate(error);
    int32_t code = shared_error_code(error);
    if (code == SHARED_ESCHEMA) {
        reply_schema(request);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].code && rows[i].code != code) continue;
        if (*rows[i].sqlstate && strcmp(rows[i].sqlstate, sqlstate) != 0) continue;
        const char *sentence = rows[i].sentence ? rows[i].sentence : shared_error_message(error);
        reply_error(request, rows[i].status, "%s", sentence);
        return;
    }
    bool passing = shared_error_class(error) == SHARED_RETRYABLE;
    shared_log_with("backend", passing ? SHARED_WARNING : SHARED_ERROR, "a request failed", "error",
                    shared_error_message(error));
    if (passing)
        reply_error(request, 503, "Not just now: %s", shared_error_message(error));
    else
        reply_error(request, 500, "The server failed; its log says why.");
}

static struct MHD_Response *response_new(struct reply *reply) {
    if (reply->memory_out) return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (reply->fd >= 0) {
        int fd = reply->fd;
        reply->fd = -1; /* the response closes it */
        return MHD_create_response_from_fd_at_offset64(reply->size, fd, reply->offset);
    }
    if (reply->fixed) {
        /* Only read: libmicrohttpd copies from it. Its signature is older than const. */
        union {
            const void *from;
            void *to;
        } fixed = {.from = reply->fixed};
        return MHD_create_response_from_buffer(reply->fixed_size, fixed.to, MHD_RESPMEM_PERSISTENT);
    }
    size_t size = reply->body.size;
    return MHD_create_response_from_buffer(size, text_take(&reply->body), MHD_RESPMEM_MUST_FREE);
}

bool reply_queue(struct reply *reply, struct MHD_Connection *connection) {
    struct MHD_Response *response = response_new(reply);
    if (!response) return false;
    if (reply->content_type) MHD_add_response_header(response, "Content-Type", reply->content_type);
    bool cached = false;
    for (int i = 0; i < reply->header_count; i++) {
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
        cached = cached || !strcmp(reply->headers[i].name, "Cache-Control");
    }
    if (!cached) MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result == MHD_YES;
}

void reply_write(const struct reply *reply, struct text *out) {
    struct text headers = {0};
    text_add_string(&headers, "");
    for (int i = 0; i < reply->header_count; i++)
        text_format(&headers, "%s: %s\r\n", reply->headers[i].name, reply->headers[i].value);
    if (headers.failed)
        out->failed = true;
    else
        sse_answer(out, reply->status,
                   reply->content_type ? reply->content_type : "application/json", headers.data,
                   reply->body.data ? reply->body.data : "", reply->body.size);
    text_finish(&headers);
}
