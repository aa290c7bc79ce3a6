/* SPDX-License-Identifier: MIT
 * redis_fake.h - a server that says what a test tells it to: a thread that serves one connection after the
 * other on a port of its own.
 */
#ifndef REDIS_FAKE_H
#define REDIS_FAKE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

struct fake {
    int listen_fd;
    int port;
    /* Serves connection number index (from 0) on fd; its return closes it. */
    void (*serve)(struct fake *fake, int fd, int index);
    pthread_t thread;
    _Atomic int served; /* connections accepted */
    char seen[4096];    /* what the present connection has sent */
    char url[64];
};

static inline void *fake_run(void *argument) {
    struct fake *fake = argument;
    for (int index = 0;; index++) {
        int fd = accept(fake->listen_fd, NULL, NULL);
        if (fd < 0) return NULL;
        atomic_fetch_add(&fake->served, 1);
        fake->seen[0] = '\0';
        fake->serve(fake, fd, index);
        (void)close(fd);
    }
}

static inline void fake_start_at(struct fake *fake, in_addr_t where, int port,
                                 void (*serve)(struct fake *, int, int)) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(where), .sin_port = htons((in_port_t)port)};
    socklen_t size = sizeof address;
    atomic_store(&fake->served, 0);
    fake->serve = serve;
    fake->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fake->listen_fd, 0);
    ck_assert_int_eq(bind(fake->listen_fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fake->listen_fd, 16), 0);
    ck_assert_int_eq(getsockname(fake->listen_fd, (struct sockaddr *)&address, &size), 0);
    fake->port = ntohs(address.sin_port);
    (void)snprintf(fake->url, sizeof fake->url, "redis://127.0.0.1:%d", fake->port);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

static inline void fake_start(struct fake *fake, void (*serve)(struct fake *, int, int)) {
    fake_start_at(fake, INADDR_LOOPBACK, 0, serve);
}

static inline void fake_stop(struct fake *fake) {
    (void)shutdown(fake->listen_fd, SHUT_RDWR);
    (void)pthread_join(fake->thread, NULL);
    (void)close(fake->listen_fd);
}

/* Reads until text was seen (it and all before is forgotten then); false: the client went away. */
static inline bool fake_await(struct fake *fake, int fd, const char *text) {
    for (;;) {
        char *found = strstr(fake->seen, text);
        if (found) {
            found += strlen(text);
            memmove(fake->seen, found, strlen(found) + 1);
            return true;
        }
        size_t used = strlen(fake->seen);
        ssize_t size = recv(fd, fake->seen + used, sizeof fake->seen - 1 - used, 0);
        if (size <= 0) return false;
        fake->seen[used + (size_t)size] = '\0';
    }
}

static inline void fake_say(int fd, const char *text) {
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        text += sent;
        size -= (size_t)sent;
    }
}

/* The greeting of a client without password and database. */
static inline bool fake_greet(struct fake *fake, int fd) {
    if (!fake_await(fake, fd, "lex-intel\r\n")) return false;
    fake_say(fd, "+OK\r\n");
    return true;
}

#endif
