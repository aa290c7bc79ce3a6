/* SPDX-License-Identifier: MIT
 * text.h - texts, numbers and failures between JavaScript and C. What is not acceptable is a JavaScript exception that
 * is pending when a function here has returned false; the caller only goes back.
 */
#ifndef NODE_TEXT_H
#define NODE_TEXT_H

#include <node_api.h>
#include <shared.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A text of JavaScript as UTF-8 with a NUL behind it; short ones need no memory of their own. */
struct text {
    char *data; /* NULL for null and undefined */
    size_t size;
    char brief[192];
};

struct texts {
    struct text *items;
    const char **pointers;
    size_t count;
};

/* One environment's makers of errors: setup() of rows.h gives them. */
bool errors_setup(napi_env env, napi_value make);
/* The exception that the error stands for, as make() has it; NULL when even that failed. */
napi_value error_new(napi_env env, const shared_error *error);
void error_throw(napi_env env, const shared_error *error);
/* An InvalidError; format as printf's. */
void invalid_throw(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* true: status is no failure. */
bool good(napi_env env, shared_status status);

/* A text that PostgreSQL and C can have: no NUL inside, no half of a surrogate pair. `what` names it in the error. */
bool text_read(napi_env env, napi_value value, const char *what, struct text *out);
void text_finish(struct text *text);
/* An array of texts; entries may be null. */
bool texts_read(napi_env env, napi_value value, const char *what, struct texts *out);
void texts_finish(struct texts *texts);
/* A BigInt of 64 bits, or a Number that is a whole one and exact. */
bool integer_read(napi_env env, napi_value value, const char *what, int64_t *out);
/* Microseconds: as above, and a Number may have a fraction of one. */
bool microseconds_read(napi_env env, napi_value value, const char *what, int64_t *out);
/* The bytes of a Buffer, typed array, DataView or ArrayBuffer, where they lie; not of what other threads can change. */
bool bytes_read(napi_env env, napi_value value, const char *what, const void **out, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
