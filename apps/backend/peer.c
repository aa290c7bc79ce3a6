/* SPDX-License-Identifier: MIT
 * peer.c - deadlines of connections. Ends a connection by shutdown(), so that libmicrohttpd, which owns
 * the descriptor, sees its end and cleans up. Never closes one.
 */
#include "peer.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sse.h"

enum {
    BODY_WINDOW_MS = 10000,
    ANSWER_WINDOW_MS = 60000, /* a reader may pause so long: a viewer of progress may, too */
    LEFT_MS_MAX = 3000        /* an end that was missed lies no further back than the last bytes */
};

struct peer {
    struct peer *next, *previous;
    int fd;
    enum peer_phase phase;
    int64_t since_ms;
    int64_t window_ms;     /* start of the window in which bytes are counted */
    uint64_t window_bytes; /* received in it; or, in PEER_ANSWER, acknowledged before it */
    uint64_t requests;
    struct request *request;
};

struct peers {
    struct peer *first;
    int count;
};

struct peers *peers_new(void) {
    return calloc(1, sizeof(struct peers));
}

void peers_free(struct peers *peers) {
    free(peers);
}

int peers_open(const struct peers *peers) {
    return peers->count;
}

struct peer *peer_new(struct server *server, int fd) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) return NULL;
    *peer = (struct peer){.fd = fd, .since_ms = server->now_ms, .next = server->peers->first};
    if (peer->next) peer->next->previous = peer;
    server->peers->first = peer;
    server->peers->count++;
    return peer;
}

void peer_free(struct server *server, struct peer *peer) {
    if (!peer) return;
    if (peer->next) peer->next->previous = peer->previous;
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->peers->first = peer->next;
    server->peers->count--;
    free(peer);
}

/* Bytes the other side has acknowledged so far. */
static uint64_t peer_acknowledged(const struct peer *peer) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &size)) return 0;
    return info.tcpi_bytes_acked;
}

void peer_enter(struct server *server, struct peer *peer, enum peer_phase phase) {
    if (!peer || peer->phase == PEER_OVER) return;
    /* The head of the first request is timed from the connect: nothing came before it. */
    bool first_head = phase == PEER_HEAD && !peer->requests;
    if (!first_head) peer->since_ms = server->now_ms;
    if (phase == PEER_HEAD) peer->requests++;
    peer->phase = phase;
    peer->window_ms = server->now_ms;
    peer->window_bytes = 0;
}

void peer_received(struct peer *peer, size_t size) {
    if (peer) peer->window_bytes += size;
}

int peer_fd(const struct peer *peer) {
    return peer->fd;
}

struct request **peer_request(struct peer *peer) {
    return &peer->request;
}

/* Whether fewer bytes moved in the window than must; starts the next window. */
static bool peer_is_slow(const struct server *server, struct peer *peer) {
    int64_t window_ms = peer->phase == PEER_ANSWER ? ANSWER_WINDOW_MS : BODY_WINDOW_MS;
    if (server->now_ms - peer->window_ms < window_ms) return false;
    uint64_t least = (uint64_t)(server->settings.body_rate_min * window_ms / 1000);
    uint64_t moved = peer->window_bytes;
    if (peer->phase == PEER_ANSWER) {
        uint64_t acknowledged = peer_acknowledged(peer);
        moved = acknowledged - peer->window_bytes;
        peer->window_bytes = acknowledged;
    } else {
        peer->window_bytes = 0;
    }
    peer->window_ms = server->now_ms;
    return moved < least;
}

static bool peer_is_late(const struct server *server, struct peer *peer) {
    int64_t age_ms = server->now_ms - peer->since_ms;
    switch (peer->phase) {
    case PEER_IDLE:
        return age_ms > (peer->requests ? server->settings.keepalive_ms
                                        : server->settings.header_timeout_ms);
    case PEER_HEAD: return age_ms > server->settings.header_timeout_ms;
    case PEER_BODY:
    case PEER_ANSWER: return peer_is_slow(server, peer);
    case PEER_WORK:
    case PEER_OVER: break;
    }
    return false;
}

void peer_end(struct peer *peer, int status, const char *detail) {
    struct text answer = {0};
    if (status) sse_error(&answer, status, detail, NULL);
    /* Its client may still listen; if not, nothing is lost. */
    if (status && !answer.failed)
        (void)!send(peer->fd, answer.data, answer.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    text_finish(&answer);
    shutdown(peer->fd, SHUT_RDWR);
    peer->phase = PEER_OVER;
}

/* Only a client that has asked for something and was not answered yet is told. */
static void peer_end_late(struct peer *peer) {
    if (peer->phase == PEER_ANSWER)
        shared_log("backend", SHARED_INFO,
                   "an answer was cut: its reader took next to nothing of it");
    bool asked = peer->phase == PEER_HEAD || peer->phase == PEER_BODY;
    peer_end(peer, asked ? 408 : 0, "The request came too slowly.");
}

/* The other side closed, and libmicrohttpd does not know: its epoll is edge-triggered, and it takes a
 * short read for the end of what there is, so an end that came together with bytes is never told. */
static bool peer_has_left(const struct server *server, const struct peer *peer) {
    char byte;
    int64_t age_ms = server->now_ms - peer->since_ms;
    bool reading = peer->phase == PEER_HEAD || peer->phase == PEER_BODY;
    bool fresh = peer->phase == PEER_IDLE && age_ms < LEFT_MS_MAX;
    return (reading || fresh) && recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void peers_sweep(struct server *server) {
    for (struct peer *peer = server->peers->first; peer; peer = peer->next) {
        if (peer_has_left(server, peer))
            peer_end(peer, 0, NULL);
        else if (peer_is_late(server, peer))
            peer_end_late(peer);
    }
}
