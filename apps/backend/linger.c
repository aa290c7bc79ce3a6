/* SPDX-License-Identifier: MIT
 * linger.c - the last words on a connection. Never looks at what it drops.
 */
#include "linger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DRAIN_BYTES_MAX = 8 * 1024 * 1024, DRAIN_MS_MAX = 2000, LINGERS_MAX = 1024 };

struct linger_one {
    struct watch watch; /* first: the loop gives it back to us */
    struct server *server;
    struct linger_one *next, *previous;
    struct text bytes;
    size_t sent;
    size_t drained;
    int64_t due_ms;
    int fd;
    bool closed; /* our side is */
};

struct lingers {
    struct linger_one *first;
    int count;
};

struct lingers *lingers_new(void) {
    return calloc(1, sizeof(struct lingers));
}

int lingers_open(const struct lingers *lingers) {
    return lingers->count;
}

static void linger_end(struct linger_one *linger) {
    struct lingers *lingers = linger->server->lingers;
    loop_remove(&linger->server->loop, &linger->watch);
    close(linger->fd);
    if (linger->next) linger->next->previous = linger->previous;
    if (linger->previous)
        linger->previous->next = linger->next;
    else
        lingers->first = linger->next;
    lingers->count--;
    text_finish(&linger->bytes);
    free(linger);
}

void lingers_free(struct lingers *lingers) {
    if (!lingers) return;
    for (struct linger_one *linger = lingers->first, *next; linger; linger = next) {
        next = linger->next;
        linger_end(linger);
    }
    free(lingers);
}

/* false: the connection broke. */
static bool linger_send(struct linger_one *linger) {
    while (linger->sent < linger->bytes.size) {
        ssize_t size = send(linger->fd, linger->bytes.data + linger->sent,
                            linger->bytes.size - linger->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno == EAGAIN;
        linger->sent += (size_t)size;
    }
    if (linger->closed) return true;
    linger->closed = true;
    shutdown(linger->fd, SHUT_WR);
    return loop_change(&linger->server->loop, &linger->watch, EPOLLIN);
}

/* false: the client has closed too, or sent more than we care to read. */
static bool linger_drain(struct linger_one *linger) {
    static char sink[64 * 1024]; /* written, never read */
    while (linger->drained < DRAIN_BYTES_MAX) {
        ssize_t size = recv(linger->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno == EAGAIN;
        if (size == 0) return false;
        linger->drained += (size_t)size;
    }
    return false;
}

static void linger_ready(struct watch *watch, uint32_t events) {
    struct linger_one *linger = (struct linger_one *)watch;
    (void)events;
    if (!linger_send(linger) || !linger_drain(linger)) linger_end(linger);
}

void linger_start(struct server *server, int fd, struct text *bytes) {
    struct linger_one *linger = NULL;
    bool room = server->lingers->count < LINGERS_MAX && !bytes->failed;
    if (room) linger = calloc(1, sizeof *linger);
    if (!linger) {
        if (!bytes->failed) (void)!send(fd, bytes->data, bytes->size, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
        text_finish(bytes);
        return;
    }
    *linger = (struct linger_one){.server = server,
                                  .bytes = *bytes,
                                  .fd = fd,
                                  .due_ms = server->now_ms + DRAIN_MS_MAX,
                                  .next = server->lingers->first};
    *bytes = (struct text){0};
    if (linger->next) linger->next->previous = linger;
    server->lingers->first = linger;
    server->lingers->count++;
    bool watched = loop_add(&server->loop, &linger->watch, fd, EPOLLIN | EPOLLOUT, linger_ready);
    if (!watched || !linger_send(linger)) linger_end(linger);
}

void lingers_sweep(struct server *server) {
    for (struct linger_one *linger = server->lingers->first, *next; linger; linger = next) {
        next = linger->next;
        if (server->now_ms > linger->due_ms) linger_end(linger);
    }
}
