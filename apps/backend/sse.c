/* SPDX-License-Identifier: MIT
 * sse.c - the text of an event stream. Never writes to a socket.
 */
#include "sse.h"

#include <string.h>

static void add_line(struct text *out, const char *bytes, size_t size) {
    for (size_t i = 0; i < size;) {
        size_t plain = 0;
        while (i + plain < size && bytes[i + plain] != '\r' && bytes[i + plain] != '\n') plain++;
        text_add(out, bytes + i, plain);
        i += plain;
        if (i < size) text_add(out, " ", 1);
        i++;
    }
}

void sse_event(struct text *out, const char *id, const char *json, const char *document_id) {
    if (id && *id) {
        text_add_string(out, "id: ");
        add_line(out, id, strlen(id));
        text_add_string(out, "\n");
    }
    text_add_string(out, "data: ");
    if (document_id && *json == '{') {
        text_add_string(out, "{\"document_id\":");
        text_add_json(out, document_id, strlen(document_id));
        json += 1 + strspn(json + 1, " \t\r\n");
        if (*json != '}') text_add_string(out, ",");
    }
    add_line(out, json, strlen(json));
    text_add_string(out, "\n\n");
}

const char sse_exposed[] =
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, Retry-After";

static void add_origin(struct text *out, const char *origin) {
    if (!origin) return;
    text_format(out, "Access-Control-Allow-Origin: %s\r\n", origin);
    text_format(out, "Access-Control-Expose-Headers: %s\r\nVary: Origin\r\n", sse_exposed);
}

void sse_head(struct text *out, const char *origin) {
    text_add_string(out, "HTTP/1.1 200 OK\r\n"
                         "Content-Type: text/event-stream; charset=utf-8\r\n"
                         "Cache-Control: no-cache, no-transform\r\n"
                         "X-Accel-Buffering: no\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: close\r\n");
    add_origin(out, origin);
    text_add_string(out, "\r\n:\n\n");
}

static const char *reason_phrase(int status) {
    static const struct {
        int status;
        const char *phrase;
    } rows[] = {
        {204, "No Content"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {422, "Unprocessable Content"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status) return rows[i].phrase;
    return "Error";
}

void sse_answer(struct text *out, int status, const char *content_type, const char *headers,
                const char *body, size_t size) {
    text_format(out, "HTTP/1.1 %d %s\r\n", status, reason_phrase(status));
    if (status != 204)
        text_format(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", content_type, size);
    text_add_string(out, headers);
    text_add_string(out, "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: close\r\n\r\n");
    if (status != 204) text_add(out, body, size);
}

void sse_error(struct text *out, int status, const char *detail, const char *origin) {
    struct text body = {0};
    struct text headers = {0};
    text_add_string(&headers, status == 503 ? "Retry-After: 2\r\n" : "");
    add_origin(&headers, origin);
    text_add_string(&body, "{\"detail\":");
    text_add_json(&body, detail, strlen(detail));
    text_add_string(&body, "}");
    if (body.failed || headers.failed)
        out->failed = true;
    else
        sse_answer(out, status, "application/json", headers.data, body.data, body.size);
    text_finish(&headers);
    text_finish(&body);
}

void sse_marks_set(struct sse_marks *marks, int32_t index) {
    marks->bits[index / 8] |= (uint8_t)(1u << (index % 8));
}

bool sse_marks_has(const struct sse_marks *marks, int32_t index) {
    return marks->bits[index / 8] & 1u << (index % 8);
}

void sse_marks_write(const struct sse_marks *marks, int32_t count, char out[SSE_MARKS_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    *out++ = 'f';
    for (int32_t i = 0; i < (count + 3) / 4; i++)
        *out++ = digits[marks->bits[i / 2] >> (i % 2 * 4) & 15];
    *out = '\0';
}

void sse_marks_read(struct sse_marks *marks, const char *text) {
    *marks = (struct sse_marks){0};
    if (!text || *text++ != 'f' || strlen(text) > SSE_MARKS_MAX / 4) return;
    for (int32_t i = 0; text[i]; i++) {
        int value = hex_value(text[i]);
        if (value < 0) {
            *marks = (struct sse_marks){0};
            return;
        }
        marks->bits[i / 2] |= (uint8_t)(value << (i % 2 * 4));
    }
}
