/* SPDX-License-Identifier: MIT
 * json.h - records from and to JSON by walking the table. The one user of jansson on this side.
 */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include "base/buffer.h"
#include "model/record.h"

/* A record's JSON: a document's whole text, with every letter escaped. */
enum { JSON_RECORD_SIZE_MAX = 1 << 30 };

/* Appends the record as a JSON object. */
void json_from_record(struct buffer *out, const shared_record *record);
/* One text member of a JSON object: "step" of a progress message. NULL when absent, not text, or text
 * is not JSON. malloc. */
char *json_member_text(const char *json, size_t size, const char *name);
/* One number, without its fraction, and at most as large as an int64_t holds; false when absent or none. */
bool json_member_int(const char *json, size_t size, const char *name, int64_t *out);
bool json_member_bool(const char *json, size_t size, const char *name);
/* Text is one JSON value of that kind: '[' list, '{' object, 0 any. */
bool json_is(const char *json, size_t size, char kind);
/* The same: SHARED_OK, SHARED_EINVALID, or SHARED_ENOMEM when memory ran out before that was known. */
shared_status json_check(const char *json, size_t size, char kind);
/* One JSON value, numbers of any size and names twice too; at most 4096 deep. text is UTF-8. */
bool json_has_syntax(const char *json, size_t size);

/* As json_loadb of jansson (json_t, json_error_t), but it lacks nothing for want of memory: then NULL, and errno
 * is ENOMEM. A NUL byte anywhere is refused. */
struct json_t;
struct json_error_t;
struct json_t *json_load_text(const char *text, size_t size, size_t flags,
                              struct json_error_t *error);

#endif
