/* SPDX-License-Identifier: MIT
 * daemon.c - libmicrohttpd inside our loop. Lets in, or refuses, before any handler; a refusal while a
 * body is on its way takes the connection out, so that the client sees it (linger.h). Never waits.
 *
 * Taking out: the descriptor is duplicated and the handler answers MHD_NO; libmicrohttpd then closes its
 * own copy, and with MHD_USE_TURBO without a shutdown(), so the connection lives on in ours
 * (test_sse.py and test_http.py hold this).
 */
#include "daemon.h"

#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "linger.h"
#include "metrics.h"
#include "peer.h"
#include "request.h"
#include "route.h"
#include "stream.h"
#include "upload.h"

enum {
    CONNECTION_MEMORY = 32 * 1024, /* head, arguments and buffers of one connection */
    JSON_BODY_MAX = 1024 * 1024,
    DROPPED_BODY_MAX = 64 * 1024,
    RUNS_MAX = 4
};

/* --- what a request may not be --------------------------------------------------------------------- */

static enum MHD_Result guard_visit(void *owner, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    (void)kind;
    guard_header(owner, name, name_size, value ? value : "", value ? value_size : 0);
    return MHD_YES;
}

static int target_error(enum target_status status, const char **reason) {
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        [TARGET_OK] = {0, NULL},
        [TARGET_BAD_ESCAPE] = {400,
                               "The request target has a % without two hexadecimal digits, or a "
                               "byte that must be percent-encoded."},
        [TARGET_BAD_TEXT] = {400, "The request target is not UTF-8 without NUL."},
        [TARGET_TOO_LONG] = {404, "There is nothing at this path."},
        [TARGET_NO_MEMORY] = {503, "The server is out of memory just now."},
    };
    *reason = rows[status].reason;
    return rows[status].status;
}

/* 0, or the status to refuse with. */
static int request_guard(struct request *request, const char *path, const char *method,
                         const char *version) {
    struct guard *guard = &request->guard;
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, guard_visit, guard);
    int status = guard_check(guard, method, path, version);
    if (!status) status = guard_access(guard, &request->server->rules, method);
    return status ? status : target_error(request->target_status, &guard->reason);
}

/* A page of another origin that the settings name: its browser wants to be told. */
static bool origin_is_listed(const struct request *request) {
    return request->guard.origin && *request->server->rules.allowed_origins &&
           guard_origin_allowed(&request->guard, &request->server->rules);
}

static void find_route(struct request *request, const char *method) {
    const char *allow = "";
    request->route = route_find(method, &request->target, &request->id, &allow);
    if (request->route) return;
    if (!*allow) {
        reply_error(request, 404, "There is nothing at this path.");
        return;
    }
    reply_header(&request->reply, "Allow", allow);
    if (strcmp(method, "OPTIONS") != 0) {
        reply_error(request, 405, "%s is not possible here, but %s.", method, allow);
        return;
    }
    reply_empty(request, 204);
    if (!origin_is_listed(request)) return;
    reply_header(&request->reply, "Access-Control-Allow-Methods", allow);
    reply_header(&request->reply, "Access-Control-Allow-Headers", "Content-Type, Last-Event-ID");
}

/* So many bytes, announced or come: too many is known as early as can be. */
static void check_length(struct request *request, uint64_t size) {
    static const uint64_t limits[] = {[BODY_NONE] = DROPPED_BODY_MAX,
                                      [BODY_JSON] = JSON_BODY_MAX,
                                      [BODY_STREAM] = DROPPED_BODY_MAX};
    if (request->route->body == BODY_UPLOAD)
        upload_check_length(request, size);
    else if (size > limits[request->route->body])
        reply_error(request, 413, "The body is larger than %" PRIu64 " bytes.",
                    limits[request->route->body]);
}

/* --- taking out ------------------------------------------------------------------------------------ */

/* Our own copy of the connection. -1: no descriptor is to be had. */
static int duplicate(const struct request *request) {
    return fcntl(peer_fd(request->peer), F_DUPFD_CLOEXEC, 0);
}

/* libmicrohttpd's own copy goes. */
static enum MHD_Result give_up(struct request *request) {
    request->phase = REQUEST_OVER;
    peer_enter(request->server, request->peer, PEER_OVER);
    return MHD_NO;
}

static void tell_origin(struct request *request) {
    if (origin_is_listed(request)) reply_origin(&request->reply, request->guard.origin);
}

static enum MHD_Result refuse(struct request *request) {
    struct text bytes = {0};
    metrics_add(request->server, METRIC_REFUSED, 1);
    tell_origin(request);
    reply_write(&request->reply, &bytes);
    int fd = duplicate(request);
    if (fd >= 0) linger_start(request->server, fd, &bytes);
    text_finish(&bytes);
    return give_up(request);
}

static enum MHD_Result start_stream(struct request *request) {
    request->route->handle(request); /* answers, or prepares a stream */
    int fd = request->stream ? duplicate(request) : -1;
    if (fd >= 0) {
        stream_begin(request->stream, fd);
        request->stream = NULL;
        return give_up(request);
    }
    if (request->stream) reply_error(request, 503, "The server has no descriptors left just now.");
    request->phase = REQUEST_ANSWER;
    return MHD_YES;
}

/* --- libmicrohttpd's calls ------------------------------------------------------------------------- */

/* The guard let it in: what is to be done with its body? */
static enum MHD_Result expect_body(struct request *request, const struct route *route,
                                   bool has_body) {
    request->phase = REQUEST_BODY;
    if (route->body == BODY_STREAM && !has_body) return start_stream(request);
    if (route->body != BODY_UPLOAD || upload_begin(request)) return MHD_YES;
    if (has_body) return refuse(request);
    request->phase = REQUEST_ANSWER;
    return MHD_YES;
}

static enum MHD_Result on_head(struct request *request, const char *path, const char *method,
                               const char *version) {
    metrics_add(request->server, METRIC_REQUESTS, 1);
    int status = request_guard(request, path, method, version);
    if (status) {
        if (status == 405)
            reply_header(&request->reply, "Allow", "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        reply_error(request, status, "%s", request->guard.reason);
        return refuse(request); /* what follows on this connection is not to be trusted */
    }
    find_route(request, method);
    if (request->route) check_length(request, request->guard.content_length);
    bool has_body = request->guard.chunked || request->guard.content_length;
    if (request->reply.status && has_body) return refuse(request);
    peer_enter(request->server, request->peer, PEER_BODY);
    if (request->route && !request->reply.status)
        return expect_body(request, request->route, has_body);
    request->phase = REQUEST_ANSWER;
    return MHD_YES;
}

static enum MHD_Result on_body(struct request *request, const char *bytes, size_t size) {
    peer_received(request->peer, size);
    request->received += size;
    check_length(request, request->received);
    if (request->reply.status) return refuse(request);
    if (request->route->body == BODY_UPLOAD)
        upload_feed(request, bytes, size);
    else if (request->route->body == BODY_JSON)
        text_add(&request->body, bytes, size);
    return request->reply.status ? refuse(request) : MHD_YES;
}

static enum MHD_Result answer(struct request *request) {
    peer_enter(request->server, request->peer, PEER_ANSWER);
    if (request->server->stopping) reply_header(&request->reply, "Connection", "close");
    tell_origin(request);
    return reply_queue(&request->reply, request->connection) ? MHD_YES : MHD_NO;
}

/* The request is there as a whole; or it was woken. */
static enum MHD_Result on_whole(struct request *request) {
    if (request->phase == REQUEST_BODY) {
        request->phase = REQUEST_WORK;
        peer_enter(request->server, request->peer, PEER_WORK);
        if (request->body.failed)
            reply_error(request, 503, "The server is out of memory just now.");
        else
            request->route->handle(request);
        if (request->reply.status) request->phase = REQUEST_ANSWER;
    }
    if (request->phase == REQUEST_ANSWER) return answer(request);
    if (request->phase != REQUEST_WORK || request->suspended) return MHD_NO;
    request->suspended = true;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *size, void **state) {
    (void)owner;
    (void)connection;
    struct request *request = *state;
    if (!request || request->phase == REQUEST_OVER) return MHD_NO;
    if (request->phase == REQUEST_HEAD) return on_head(request, path, method, version);
    if (!*size) return on_whole(request);
    size_t given = *size;
    *size = 0;
    return on_body(request, bytes, given);
}

/* More arguments than libmicrohttpd 0.9.75 has memory for would leave it silent until a deadline. */
static bool target_is_too_long(const char *target) {
    size_t arguments = 0;
    size_t size = 0;
    for (; target[size]; size++) arguments += target[size] == '&' || target[size] == '?';
    return size > GUARD_TARGET_SIZE_MAX || arguments > GUARD_ARGUMENTS_MAX;
}

static void *on_target(void *owner, const char *target, struct MHD_Connection *connection) {
    struct server *server = owner;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info ? info->socket_context : NULL;
    if (!peer) return NULL;
    peer_enter(server, peer, PEER_HEAD);
    bool too_long = target && target_is_too_long(target);
    struct request *request = request_new(server, connection, target && !too_long ? target : "");
    if (!request) return NULL;
    request_free(*peer_request(peer));
    *peer_request(peer) = request;
    request->peer = peer;
    if (!too_long) return request;
    peer_end(peer, 414, "The request target is longer than 12288 bytes or 256 arguments.");
    request->phase = REQUEST_OVER;
    return request;
}

/* With LOG_LEVEL=debug: a line a request. */
static void log_request(const struct request *request) {
    char line[128];
    if (!request->server->settings.log_requests || !request->route) return;
    snprintf(line, sizeof line, "%s %s %d", request->route->method, request->route->path,
             request->reply.status);
    shared_log_with("backend", SHARED_DEBUG, line, "id", request->id ? request->id : "");
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)connection;
    (void)code;
    struct request *request = *state;
    if (!request) return;
    log_request(request);
    peer_enter(owner, request->peer, PEER_IDLE);
    *peer_request(request->peer) = NULL;
    request_free(request);
    *state = NULL;
}

static void on_connection(void *owner, struct MHD_Connection *connection, void **peer,
                          enum MHD_ConnectionNotificationCode code) {
    struct server *server = owner;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*peer) request_free(*peer_request(*peer));
        peer_free(server, *peer);
        *peer = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *peer = info ? peer_new(server, info->connect_fd) : NULL;
}

/* Paths are decoded by target.c, where %00 and %2F are told apart from what they stand for. */
static size_t keep_escapes(void *owner, struct MHD_Connection *connection, char *text) {
    (void)owner;
    (void)connection;
    return strlen(text);
}

/* Old versions check little more for strictness than Host, and answer that with two heads; the guard
 * checks it. New ones refuse what a handler cannot see. */
#if MHD_VERSION >= 0x01000000
#define DISCIPLINE MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1
#else
#define DISCIPLINE MHD_OPTION_STRICT_FOR_CLIENT, 0
#endif

/* --- the daemon ------------------------------------------------------------------------------------ */

bool daemon_start(struct server *server) {
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)server->settings.connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)server->settings.connections_per_address, DISCIPLINE, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_END);
    if (!server->daemon) shared_log("backend", SHARED_ERROR, "libmicrohttpd did not start");
    return server->daemon != NULL;
}

bool daemon_run(struct server *server) {
    MHD_UNSIGNED_LONG_LONG due_ms = 0;
    for (int i = 0; i < RUNS_MAX; i++) {
        MHD_run(server->daemon);
        if (MHD_get_timeout(server->daemon, &due_ms) != MHD_YES || due_ms > 0) return false;
    }
    return true;
}

void daemon_quiesce(struct server *server) {
    MHD_quiesce_daemon(server->daemon);
    close(server->listen_fd);
    server->listen_fd = -1;
}

void daemon_stop(struct server *server) {
    if (server->daemon) MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}
