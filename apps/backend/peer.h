/* SPDX-License-Identifier: MIT
 * peer.h - deadlines of connections. libmicrohttpd's own timeout counts only silence, so that a byte a
 * second holds a connection for ever; these are absolute for heads and a lowest rate for the rest.
 */
#ifndef BACKEND_PEER_H
#define BACKEND_PEER_H

#include "server.h"

enum peer_phase {
    PEER_IDLE,   /* between requests, or before the first */
    PEER_HEAD,   /* a head is coming */
    PEER_BODY,   /* a body is coming */
    PEER_WORK,   /* the library has it: its own deadlines count */
    PEER_ANSWER, /* an answer goes out */
    PEER_OVER    /* taken out of libmicrohttpd */
};

struct peer;
struct request;

struct peers *peers_new(void);
void peers_free(struct peers *peers);
struct peer *peer_new(struct server *server, int fd);
void peer_free(struct server *server, struct peer *peer);
void peer_enter(struct server *server, struct peer *peer, enum peer_phase phase);
/* So many bytes of a body came. */
void peer_received(struct peer *peer, size_t size);
int peer_fd(const struct peer *peer);
/* The connection's open request, for daemon.c to keep: libmicrohttpd 0.9.75 forgets to tell the end of
 * some that it refuses itself. */
struct request **peer_request(struct peer *peer);
/* Ends the connection, with a last word unless status is 0. */
void peer_end(struct peer *peer, int status, const char *detail);
/* Ends the connections whose time is up. Once a second. */
void peers_sweep(struct server *server);
int peers_open(const struct peers *peers);

#endif
