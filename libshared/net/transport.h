/* SPDX-License-Identifier: MIT
 * transport.h - a stream of bytes to one Redis: TCP or a Unix socket, bare or in TLS. Non-blocking.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "net/url.h"

struct tls; /* certificates and rules of one URL; tls.c */
struct ssl_st;

struct transport {
    int fd;             /* -1: closed */
    struct ssl_st *ssl; /* NULL: bare */
    bool wants_write;   /* TLS cannot go on until the socket takes bytes */
};

/* Begins to connect to url's path, or to address (numeric) at its port. 0: connected; EINPROGRESS: wait
 * until it can be written; another errno: failed. */
int transport_open(struct transport *transport, const struct redis_url *url, const char *address);
/* The errno of a connect that ended, 0: connected. */
int transport_status(const struct transport *transport);
void transport_close(struct transport *transport); /* writes nothing */

/* What read and write answer besides a number of bytes. */
enum { TRANSPORT_AGAIN = 0, TRANSPORT_FAILED = -1 };
/* FAILED fills error (its message begins with what); the end of the stream is a failure too. */
ssize_t transport_read(struct transport *transport, void *data, size_t size, const char *what,
                       struct shared_error *error);
ssize_t transport_write(struct transport *transport, const void *data, size_t size,
                        const char *what, struct shared_error *error);
/* Bytes were read from the socket and wait inside: it may never become readable for them. */
bool transport_holds(const struct transport *transport);

/* --- tls.c ------------------------------------------------------------------------------------------ */
/* NULL and error: a certificate file cannot be read. */
struct tls *tls_new(const struct redis_url *url, const char *what, struct shared_error *error);
void tls_free(struct tls *tls);
/* Makes transport a TLS stream; then handshake until it says 1. */
bool tls_start(struct tls *tls, struct transport *transport, const char *host);
/* 1: done; TRANSPORT_AGAIN; TRANSPORT_FAILED and error. */
int tls_handshake(struct transport *transport, const char *what, struct shared_error *error);
ssize_t tls_read(struct transport *transport, void *data, size_t size, const char *what,
                 struct shared_error *error);
ssize_t tls_write(struct transport *transport, const void *data, size_t size, const char *what,
                  struct shared_error *error);
bool tls_holds(const struct transport *transport);
void tls_finish(struct transport *transport);

#endif
