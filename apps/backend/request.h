/* SPDX-License-Identifier: MIT
 * request.h - one HTTP request from its first line to its answer. A handler answers (reply.h), or asks
 * the library and names the step that goes on with the event; in between the connection sleeps.
 *
 *     void document_get(struct request *request) {
 *         shared_session *session = request_session(request);
 *         uint64_t tag = session ? request_wait(request, document_show) : 0;
 *         if (tag) request_asked(request, shared_session_get(session, SHARED_DOCUMENT, request->id, tag));
 *     }
 */
#ifndef BACKEND_REQUEST_H
#define BACKEND_REQUEST_H

#include "reply.h"
#include "server.h"
#include "target.h"

struct request;
typedef void request_step(struct request *request, const shared_event *event);

enum request_phase {
    REQUEST_HEAD,   /* its first line is known */
    REQUEST_BODY,   /* the guard let it in; the body is coming */
    REQUEST_WORK,   /* a handler has it; the connection sleeps */
    REQUEST_ANSWER, /* the reply is ready */
    REQUEST_OVER    /* refused or taken out: the connection is given up */
};

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    enum request_phase phase;
    bool suspended; /* the connection sleeps */
    enum target_status target_status;
    struct target target;
    struct guard guard;
    const struct route *route;
    const char *id; /* what stood at {id}; NULL: none */
    struct text body;
    uint64_t received; /* bytes of the body so far */
    struct reply reply;

    shared_session *session;
    bool session_spoilt; /* not to be used again by others */
    uint64_t tag;        /* of what is under way in the library; 0: nothing */
    request_step *step;

    /* Of single handlers, freed with the request. */
    struct upload *upload;
    struct stream *stream; /* prepared, and not begun yet */
    shared_record *record; /* kept from one step to the next */
    int64_t limit;         /* rows of a list */
    char **paths;          /* files that may have lost their last document (release.h) */
    size_t path_count;

    struct request *next, *previous;
};

struct requests *requests_new(void);
void requests_free(struct requests *requests);
struct request *request_new(struct server *server, struct MHD_Connection *connection,
                            const char *target);
/* Nobody needs it any more. */
void request_free(struct request *request);
int requests_open(const struct requests *requests);
/* Those that still sleep are answered with 503: the process ends. */
void requests_abandon(struct server *server);

/* A session of its own, or NULL: then it was answered. Given back when the request ends. */
shared_session *request_session(struct request *request);
/* A tag for one question to the library, whose event goes to step. 0: it was answered (no memory). */
uint64_t request_wait(struct request *request, request_step *step);
/* What the question returned: a failure is answered, and no event comes. */
bool request_asked(struct request *request, shared_status status);
/* The event is a failure: it was answered. */
bool request_failed(struct request *request, const shared_event *event);
/* Runs the query and frees it; query NULL: it could not be made. To be followed by nothing. */
void request_query(struct request *request, shared_query *query, request_step *step);
/* A statement with one value, the {id} of the path. NULL: it could not be made (request_query tells). */
shared_query *query_of_id(struct request *request, const char *sql);
/* Value of a header, NULL without it. */
const char *request_header(const struct request *request, const char *name);
/* A whole number from the query; absent: *out keeps its value. false: it was answered with 422. */
bool request_number(struct request *request, const char *name, int64_t min, int64_t max,
                    int64_t *out);
/* Yes or no from the query, in any of pydantic's words; absent: *out keeps its value. false: answered. */
bool request_flag(struct request *request, const char *name, bool *out);
/* Goes on after something that is not the library's (disk.c). */
void request_resume(struct request *request);

#endif
