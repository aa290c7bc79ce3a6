/* SPDX-License-Identifier: MIT
 * route.h - the one table of what is served: method, path, handler, and what /openapi.json says of it.
 */
#ifndef BACKEND_ROUTE_H
#define BACKEND_ROUTE_H

#include "request.h"

enum route_body {
    BODY_NONE,   /* a small one is read and dropped */
    BODY_JSON,   /* collected, at most 1 MB */
    BODY_UPLOAD, /* upload.c takes it as it comes */
    BODY_STREAM  /* no body either; the connection leaves libmicrohttpd for stream.c */
};

struct route {
    const char *method;
    const char *path;
    enum route_body body;
    int status; /* of success */
    void (*handle)(struct request *request);
    const char *summary;
    const char *query;           /* names of arguments, a colon and a type each, spaces between */
    const char *request_schema;  /* component; NULL: no JSON comes in */
    const char *response_schema; /* component; NULL: no JSON of ours goes out, see response_type */
    const char *response_type;   /* of what has no schema */
};

/* The route of a method and a target. NULL: none; then *allow gets the methods there are for this
 * path, joined by ", " ("" for none); *allow lives until the next call. */
const struct route *route_find(const char *method, const struct target *target, const char **id,
                               const char **allow);
/* /openapi.json. NULL without memory. */
const char *route_openapi(size_t *size);
void route_openapi_free(void);

#endif
