/* SPDX-License-Identifier: MIT
 * request.c - requests and their sessions, both kept for the next one. Never knows what a handler does.
 */
#include "request.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "release.h"
#include "stream.h"
#include "upload.h"

enum { IDLE_MAX = 64 }; /* requests and sessions kept; more are made and freed as needed */

struct requests {
    struct request *idle;
    int idle_count;
    struct request *first; /* of the open ones */
    int open;
    shared_session *sessions[IDLE_MAX];
    int session_count;
};

struct requests *requests_new(void) {
    return calloc(1, sizeof(struct requests));
}

void requests_free(struct requests *requests) {
    if (!requests) return;
    for (struct request *request = requests->idle, *next; request; request = next) {
        next = request->next;
        free(request);
    }
    for (int i = 0; i < requests->session_count; i++) shared_session_free(requests->sessions[i]);
    free(requests);
}

int requests_open(const struct requests *requests) {
    return requests->open;
}

struct request *request_new(struct server *server, struct MHD_Connection *connection,
                            const char *target) {
    struct requests *requests = server->requests;
    struct request *request = requests->idle;
    if (request) {
        requests->idle = request->next;
        requests->idle_count--;
    } else if (!(request = malloc(sizeof *request))) {
        return NULL;
    }
    requests->open++;
    *request = (struct request){
        .server = server, .connection = connection, .reply.fd = -1, .next = requests->first};
    if (request->next) request->next->previous = request;
    requests->first = request;
    request->target_status = target_parse(&request->target, target);
    return request;
}

static void session_give_back(struct request *request) {
    struct requests *requests = request->server->requests;
    if (!request->session) return;
    if (!request->session_spoilt && requests->session_count < IDLE_MAX)
        requests->sessions[requests->session_count++] = request->session;
    else
        shared_session_free(request->session);
    request->session = NULL;
}

void request_free(struct request *request) {
    if (!request) return;
    struct requests *requests = request->server->requests;
    /* What is still under way belongs to the session: it goes with it. */
    if (request->tag) request->session_spoilt = true;
    call_forget(request->server, request->tag);
    session_give_back(request);
    upload_free(request->upload);
    if (request->stream) stream_abandon(request->stream);
    target_finish(&request->target);
    text_finish(&request->body);
    reply_finish(&request->reply);
    shared_record_unref(request->record);
    files_forget(request);
    if (request->next) request->next->previous = request->previous;
    if (request->previous)
        request->previous->next = request->next;
    else
        requests->first = request->next;
    requests->open--;
    if (requests->idle_count < IDLE_MAX) {
        request->next = requests->idle;
        requests->idle = request;
        requests->idle_count++;
    } else {
        free(request);
    }
}

void requests_abandon(struct server *server) {
    for (struct request *request = server->requests->first; request; request = request->next) {
        if (!request->suspended) continue;
        call_forget(server, request->tag);
        request->tag = 0;
        request->session_spoilt = true;
        reply_error(request, 503, "The server is being stopped.");
        request_resume(request);
    }
}

shared_session *request_session(struct request *request) {
    struct requests *requests = request->server->requests;
    if (request->session) return request->session;
    if (requests->session_count) {
        request->session = requests->sessions[--requests->session_count];
    } else if (shared_session_new(request->server->client, &request->session) < 0) {
        reply_library(request, shared_error_last());
    }
    return request->session;
}

void request_resume(struct request *request) {
    if (request->reply.status) request->phase = REQUEST_ANSWER;
    if (!request->suspended || request->phase != REQUEST_ANSWER) return;
    request->suspended = false;
    request->server->daemon_due = true;
    MHD_resume_connection(request->connection);
}

static void request_answered(void *owner, const shared_event *event) {
    struct request *request = owner;
    request->tag = 0;
    request->step(request, event);
    request_resume(request);
}

uint64_t request_wait(struct request *request, request_step *step) {
    request->step = step;
    request->tag = call_start(request->server, request_answered, request);
    if (!request->tag) reply_error(request, 503, "The server is out of memory just now.");
    return request->tag;
}

bool request_asked(struct request *request, shared_status status) {
    if (status >= 0) return true;
    call_drop(request->server, request->tag);
    request->tag = 0;
    request->session_spoilt = true;
    reply_library(request, shared_error_last());
    return false;
}

bool request_failed(struct request *request, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    if (!error) return false;
    request->session_spoilt = true;
    reply_library(request, error);
    return true;
}

void request_query(struct request *request, shared_query *query, request_step *step) {
    shared_session *session = query ? request_session(request) : NULL;
    if (!query) reply_library(request, shared_error_last());
    uint64_t tag = session ? request_wait(request, step) : 0;
    if (tag) request_asked(request, shared_session_query(session, query, tag));
    shared_query_free(query);
}

shared_query *query_of_id(struct request *request, const char *sql) {
    shared_query *query = NULL;
    if (shared_query_new(0, sql, &query) >= 0 &&
        shared_query_bind_text(query, 1, request->id, strlen(request->id)) >= 0)
        return query;
    shared_query_free(query);
    return NULL;
}

const char *request_header(const struct request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* pydantic's word for what is wrong with a number; one of too many digits is on its sign's side. */
static const char *number_fault(const char *text, int64_t min) {
    size_t sign = *text == '-';
    int64_t number = 0;
    if (!text[sign] || text[sign + strspn(text + sign, "0123456789")]) return "int_parsing";
    bool fits = number_parse(text, strlen(text), INT64_MIN, INT64_MAX, &number);
    return (fits ? number < min : sign) ? "greater_than_equal" : "less_than_equal";
}

bool request_number(struct request *request, const char *name, int64_t min, int64_t max,
                    int64_t *out) {
    const char *text = target_argument(&request->target, name);
    if (!text || number_parse(text, strlen(text), min, max, out)) return true;
    reply_field(request, "query", name, number_fault(text, min),
                "%s: \"%s\" is not a whole number from %" PRId64 " to %" PRId64, name, text, min,
                max);
    return false;
}

bool request_flag(struct request *request, const char *name, bool *out) {
    static const char *const words[][6] = {{"0", "f", "n", "no", "off", "false"},
                                           {"1", "t", "y", "yes", "on", "true"}};
    const char *text = target_argument(&request->target, name);
    if (!text) return true;
    for (size_t i = 0; i < 12; i++) {
        if (!equal_fold(text, strlen(text), words[i / 6][i % 6])) continue;
        *out = i >= 6;
        return true;
    }
    reply_field(request, "query", name, "bool_parsing", "%s: \"%s\" is not true or false", name,
                text);
    return false;
}
