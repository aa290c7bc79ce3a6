/* SPDX-License-Identifier: MIT
 * sse.h - the text of an event stream: heads, events, comments. Pure.
 */
#ifndef BACKEND_SSE_H
#define BACKEND_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { SSE_MARKS_MAX = 200, SSE_MARKS_TEXT_SIZE = SSE_MARKS_MAX / 4 + 2 };

/* One event. id "" or NULL: none. document_id not NULL: put into the JSON object as its first member.
 * Line breaks, which JSON has only between its tokens, become spaces, so that it is one data line. */
void sse_event(struct text *out, const char *id, const char *json, const char *document_id);
/* What pages of other origins may read of an answer's head. */
extern const char sse_exposed[];
/* The 200 head of a stream, and the comment that makes it visible at once. origin: of the page that may
 * read it; NULL: none. */
void sse_head(struct text *out, const char *origin);
/* A whole answer by hand, for a connection that was taken out of libmicrohttpd. */
void sse_answer(struct text *out, int status, const char *content_type, const char *headers,
                const char *body, size_t size);
/* The same for an error: {"detail":"..."}. */
void sse_error(struct text *out, int status, const char *detail, const char *origin);

/* Which documents of a list are over, as text: "f" and hexadecimal digits, a bit a document. It is the
 * event id of a stream of several documents, so that a reconnect says what has been seen. */
struct sse_marks {
    uint8_t bits[SSE_MARKS_MAX / 8];
};
void sse_marks_set(struct sse_marks *marks, int32_t index);
bool sse_marks_has(const struct sse_marks *marks, int32_t index);
void sse_marks_write(const struct sse_marks *marks, int32_t count, char out[SSE_MARKS_TEXT_SIZE]);
/* What is not such a text marks nothing. */
void sse_marks_read(struct sse_marks *marks, const char *text);

#endif
