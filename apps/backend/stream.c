/* SPDX-License-Identifier: MIT
 * stream.c - the connections of viewers: sending, slow readers, pings, ages, ends. What is said on them
 * is follow.c's. Never buffers a backlog: a slow reader gets the newest state.
 */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "follow.h"
#include "handlers.h"
#include "linger.h"
#include "metrics.h"

enum {
    FIRST_EVENT_MS = 5000, /* the state of a document comes from a server: not longer than this */
    BLOCKED_MS_MAX = 60000,
    GONE_MS = 45000, /* with a ping each 15 s: a vanished viewer is noticed within a minute */
    KEPT_SIZE_MAX = 16 * 1024,
    KEPT_SIZE_A_DOCUMENT = 1024, /* and so much more for each document of a stream of several */
};

struct streams {
    struct stream *first;
    struct stream *gone; /* freed at the end of the turn: somebody up the stack may hold one */
    int count;           /* of those that are not gone */
};

struct streams *streams_new(void) {
    return calloc(1, sizeof(struct streams));
}

int streams_open(const struct streams *streams) {
    return streams->count;
}

static uint64_t random_below(uint64_t bound) {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0) return 0;
    return number % bound;
}

/* --- making and freeing ---------------------------------------------------------------------------- */

/* Out of everything; only its memory stays until the turn ends. The descriptor is somebody else's now. */
static int stream_leave(struct stream *stream) {
    struct streams *streams = stream->server->streams;
    int fd = stream->fd;
    follow_stop(stream);
    if (stream->begun) {
        loop_remove(&stream->server->loop, &stream->watch);
        if (stream->next) stream->next->previous = stream->previous;
        if (stream->previous)
            stream->previous->next = stream->next;
        else
            streams->first = stream->next;
    }
    stream->gone = true;
    stream->fd = -1;
    stream->next = streams->gone;
    streams->gone = stream;
    streams->count--;
    return fd;
}

static void stream_close(struct stream *stream) {
    char rest[512];
    int fd = stream_leave(stream);
    /* Unread bytes would make the kernel reset the connection, and the last event might be lost. */
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0) continue;
    close(fd);
}

void stream_abandon(struct stream *stream) {
    stream_leave(stream);
}

void streams_bury(struct server *server) {
    for (struct stream *stream; (stream = server->streams->gone);) {
        server->streams->gone = stream->next;
        follow_finish(stream);
        free(stream->pending);
        free(stream->last_id);
        free(stream->origin);
        free(stream);
    }
}

void streams_free(struct server *server) {
    if (!server->streams) return;
    while (server->streams->first) stream_close(server->streams->first);
    streams_bury(server);
    free(server->streams);
    server->streams = NULL;
}

/* --- sending --------------------------------------------------------------------------------------- */

/* Bytes taken, or -1: the connection broke. */
static ssize_t send_some(struct stream *stream, const char *bytes, size_t size) {
    for (;;) {
        ssize_t sent = send(stream->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) return -1;
    }
}

/* What was not taken waits for the reader. */
static void stream_keep(struct stream *stream, const char *bytes, size_t size) {
    stream->pending = malloc(size);
    if (!stream->pending || size > UINT32_MAX) {
        stream_close(stream);
        return;
    }
    memcpy(stream->pending, bytes, size);
    stream->pending_size = (uint32_t)size;
    stream->pending_sent = 0;
    stream->blocked_ms = stream->server->now_ms;
    loop_change(&stream->server->loop, &stream->watch, EPOLLRDHUP | EPOLLOUT);
}

/* Only while nothing is pending. */
static void stream_put(struct stream *stream, const char *bytes, size_t size) {
    ssize_t sent = send_some(stream, bytes, size);
    stream->ping_ms = stream->server->now_ms + stream->server->settings.ping_ms;
    if (sent < 0)
        stream_close(stream);
    else if ((size_t)sent < size)
        stream_keep(stream, bytes + sent, size - (size_t)sent);
}

void stream_send(struct stream *stream, const char *bytes, size_t size) {
    if (!stream->gone && !stream->pending) stream_put(stream, bytes, size);
}

/* Instead of what waited of this document. */
static void stream_keep_newest(struct stream *stream, struct follow *follow, struct text *event) {
    if (follow->newest) stream->kept_size -= (uint32_t)strlen(follow->newest);
    free(follow->newest);
    stream->kept_size += (uint32_t)event->size;
    follow->newest = text_take(event);
    uint32_t extra = stream->count > 1 ? (uint32_t)stream->count * KEPT_SIZE_A_DOCUMENT : 0;
    if (stream->kept_size > KEPT_SIZE_MAX + extra)
        stream_close(stream); /* it comes back for the states */
}

void stream_send_event(struct stream *stream, struct follow *follow, struct text *event) {
    metrics_add(stream->server, METRIC_EVENTS, 1);
    if (event->failed)
        stream_end(stream, true);
    else if (!stream->pending)
        stream_send(stream, event->data, event->size);
    else
        stream_keep_newest(stream, follow, event);
    text_finish(event);
}

/* The newest states, once the reader has taken what was before them. */
static void stream_put_kept(struct stream *stream) {
    for (int32_t i = 0; i < stream->count && !stream->pending && !stream->gone; i++) {
        char *newest = stream->follows[i]->newest;
        if (!newest) continue;
        stream->follows[i]->newest = NULL;
        stream->kept_size -= (uint32_t)strlen(newest);
        stream_put(stream, newest, strlen(newest));
        free(newest);
    }
}

static void stream_take_on(struct stream *stream) {
    while (stream->pending) {
        uint32_t left = stream->pending_size - stream->pending_sent;
        ssize_t sent = send_some(stream, stream->pending + stream->pending_sent, left);
        if (sent < 0) {
            stream_close(stream);
            return;
        }
        if (sent > 0) stream->blocked_ms = stream->server->now_ms;
        stream->pending_sent += (uint32_t)sent;
        if (stream->pending_sent < stream->pending_size) return;
        free(stream->pending);
        stream->pending = NULL;
        stream_put_kept(stream);
        if (stream->gone) return;
    }
    stream->blocked_ms = 0;
    if (stream->ending)
        stream_close(stream);
    else
        loop_change(&stream->server->loop, &stream->watch, EPOLLRDHUP);
}

static void stream_ready(struct watch *watch, uint32_t events) {
    struct stream *stream = (struct stream *)watch;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        stream_close(stream);
    else if (events & EPOLLOUT)
        stream_take_on(stream);
}

/* --- begin and end --------------------------------------------------------------------------------- */

void stream_begin(struct stream *stream, int fd) {
    struct server *server = stream->server;
    const int on = 1;
    const int off = 0;
    const unsigned gone_ms = GONE_MS;
    stream->fd = fd;
    stream->begun = true;
    stream->due_ms = server->now_ms + FIRST_EVENT_MS;
    stream->next = server->streams->first;
    if (stream->next) stream->next->previous = stream;
    server->streams->first = stream;
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof gone_ms);
    if (loop_add(&server->loop, &stream->watch, fd, EPOLLRDHUP, stream_ready))
        follow_begin(stream);
    else
        stream_close(stream);
}

void stream_go_live(struct stream *stream) {
    if (stream->live) return;
    struct text head = {0};
    int64_t age_ms = stream->server->settings.stream_age_ms;
    stream->live = true;
    /* Up to a tenth earlier, so that viewers of one moment do not come back in one moment. */
    stream->due_ms =
        stream->server->now_ms + age_ms - (int64_t)random_below((uint64_t)age_ms / 10 + 1);
    sse_head(&head, stream->origin);
    if (!head.failed) stream_send(stream, head.data, head.size);
    text_finish(&head);
}

void stream_answer(struct stream *stream, int status, const char *format, ...) {
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    struct text bytes = {0};
    sse_error(&bytes, status, detail, stream->origin);
    linger_start(stream->server, stream_leave(stream), &bytes);
}

void stream_end(struct stream *stream, bool retry) {
    char line[32];
    int size = snprintf(line, sizeof line, "retry: %d\n\n", 1000 + (int)random_below(4001));
    if (retry) stream_send(stream, line, (size_t)size);
    if (stream->gone) return;
    if (stream->pending)
        stream->ending = true;
    else
        stream_close(stream);
}

void streams_stop(struct server *server) {
    for (struct stream *stream = server->streams->first, *next; stream; stream = next) {
        next = stream->next;
        if (!stream->live)
            stream_answer(stream, 503, "The server is being stopped.");
        else
            stream_end(stream, true);
    }
}

static void stream_sweep(struct stream *stream) {
    int64_t now = stream->server->now_ms;
    if (!stream->live) {
        if (now > stream->due_ms)
            stream_answer(stream, 503, "The servers that know the progress do not answer.");
    } else if (stream->blocked_ms) {
        if (now - stream->blocked_ms > BLOCKED_MS_MAX) stream_close(stream);
    } else if (now > stream->due_ms) {
        stream_end(stream, true);
    } else if (now >= stream->ping_ms) {
        stream_send(stream, ": ping\n\n", 8);
    }
}

void streams_sweep(struct server *server) {
    for (struct stream *stream = server->streams->first, *next; stream; stream = next) {
        next = stream->next;
        if (stream->kind == STREAM_CASE) follow_poll(stream);
        if (!stream->gone) stream_sweep(stream);
    }
}

void stream_document_added(struct server *server, const char *case_id, const char *document_id) {
    for (struct stream *stream = server->streams->first, *next; case_id && stream; stream = next) {
        next = stream->next;
        if (follow_is_case(stream, case_id)) follow_add(stream, document_id);
    }
}

/* Should it be lost: the library looks at the row of what was silent for half a minute. */
void stream_document_gone(struct server *server, const char *document_id) {
    shared_progress_publish(server->client, document_id, 100, "failed", "The document was deleted",
                            0);
    server->asked = true;
}

/* --- what daemon.c's routes call ------------------------------------------------------------------- */

static struct stream *stream_new(struct request *request, enum stream_kind kind) {
    struct server *server = request->server;
    if (server->stopping || server->streams->count >= server->settings.streams_max) {
        reply_error(request, 503, "There are %d viewers already; no more are served just now.",
                    server->streams->count);
        return NULL;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        reply_error(request, 503, "The server is out of memory just now.");
        return NULL;
    }
    *stream = (struct stream){.server = server, .fd = -1, .kind = kind};
    server->streams->count++;
    const char *last_id = request_header(request, "Last-Event-ID");
    if (!last_id) last_id = target_argument(&request->target, "last_event_id");
    if (last_id && *last_id) stream->last_id = strdup(last_id);
    if (request->guard.origin && guard_origin_allowed(&request->guard, &server->rules))
        stream->origin = strdup(request->guard.origin);
    request->stream = stream;
    return stream;
}

void stream_document(struct request *request) {
    struct stream *stream = stream_new(request, STREAM_ONE);
    if (stream) follow_prepare(stream, request->id);
}

void stream_case(struct request *request) {
    struct stream *stream = stream_new(request, STREAM_CASE);
    if (stream) follow_prepare_case(stream, request->id);
}

void stream_documents(struct request *request) {
    struct stream *stream = stream_new(request, STREAM_MANY);
    const struct target *target = &request->target;
    for (int32_t i = 0; stream && i < target->argument_count; i++)
        if (!strcmp(target->arguments[i].name, "document_id"))
            follow_prepare(stream, target->arguments[i].value);
    if (!stream) return;
    if (stream->count && stream->count <= SSE_MARKS_MAX) return;
    if (!stream->count)
        reply_field(request, "query", "document_id", "missing", "Field required");
    else
        reply_field(request, "query", "document_id", "too_long",
                    "document_id: %d documents, at most %d", stream->count, SSE_MARKS_MAX);
    request->stream = NULL;
    stream_abandon(stream);
}
