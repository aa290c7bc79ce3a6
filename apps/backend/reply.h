/* SPDX-License-Identifier: MIT
 * reply.h - an answer before it is anybody's: status, headers, body. It becomes a response of
 * libmicrohttpd, or bytes for a connection that was taken out of it.
 */
#ifndef BACKEND_REPLY_H
#define BACKEND_REPLY_H

#include <shared.h>

#include "text.h"

struct request;
struct MHD_Connection;

enum { REPLY_HEADERS_MAX = 12 };

struct reply {
    int status;      /* 0: there is none yet */
    bool memory_out; /* no memory for a body: nothing but the status goes out */
    const char *content_type;
    struct text body;
    const void *fixed; /* instead of body: memory that lives as long as the program */
    size_t fixed_size;
    int fd; /* instead of both, when >= 0: a file, from offset, size bytes */
    uint64_t offset, size;
    int header_count;
    struct {
        const char *name;
        char *value;
    } headers[REPLY_HEADERS_MAX];
};

void reply_finish(struct reply *reply);
/* One more header; value is copied. */
void reply_header(struct reply *reply, const char *name, const char *value);
/* Where the thing that was made is: folder and id, below /api when the request was. */
void reply_location(struct request *request, const char *folder, const char *id);
/* A page of this origin may read the answer. */
void reply_origin(struct reply *reply, const char *origin);

/* --- the ways to answer a request; each at most once a request ----------------------------------- */
/* body is taken over. */
void reply_json(struct request *request, int status, struct text *body);
/* A record as it stands. */
void reply_record(struct request *request, int status, shared_record *record);
void reply_empty(struct request *request, int status);
/* {"detail":"..."} */
__attribute__((format(printf, 3, 4))) void reply_error(struct request *request, int status,
                                                       const char *format, ...);
/* 422: one field of "body", "query" or "path" is not right. type is pydantic's word. */
__attribute__((format(printf, 5, 6))) void reply_field(struct request *request, const char *place,
                                                       const char *field, const char *type,
                                                       const char *format, ...);
/* What a call or an event of the library failed with: 503 with Retry-After, 409, 422 or 500. */
void reply_library(struct request *request, const shared_error *error);
/* 404: no `what` has this id. */
void reply_absent(struct request *request, const char *what, const char *id);

/* Hands it to libmicrohttpd. false: nothing could be sent, the connection must be closed. */
bool reply_queue(struct reply *reply, struct MHD_Connection *connection);
/* The bytes of it, for a connection that ends with them. Not for files. */
void reply_write(const struct reply *reply, struct text *out);

#endif
