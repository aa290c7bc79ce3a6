/* SPDX-License-Identifier: MIT
 * client.c - the life of a client: its descriptors, its settings, the state that other folders keep in
 * it, and what happens to it in the child of a fork. Never reads a socket and knows no server.
 */
#include "net/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/config.h"
#include "net/client_private.h"

/* A descriptor of an epoll is shared with the child of a fork, so the child must not touch it. */
static _Atomic uint32_t fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_status;

static void fork_child(void) {
    atomic_fetch_add(&fork_generation, 1);
}

static void fork_watch(void) {
    fork_status = pthread_atfork(NULL, NULL, fork_child);
}

static shared_status fail_errno(int number, const char *what) {
    struct shared_error error;
    error_set_errno(&error, number, what);
    return fail_with(&error);
}

static shared_status client_open(shared_client *client) {
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (client->epoll_fd < 0) return fail_errno(errno, "epoll_create1");
    client->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (client->timer_fd < 0) return fail_errno(errno, "timerfd_create");
    client->signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->signal_fd < 0) return fail_errno(errno, "eventfd");

    /* What a timer_fd that is ready asks for is done in each turn anyway: timers_run. */
    shared_status status =
        source_add(client, &client->timer_source, client->timer_fd, EPOLLIN, timers_ready);
    if (status < 0) return status;
    return source_add(client, &client->signal_source, client->signal_fd, EPOLLIN | EPOLLET,
                      client_signal_ready);
}

shared_status shared_client_new(const shared_config *config, shared_client **out) {
    operation_begin();
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    if (!config) return fail(SHARED_EINVALID, "config is NULL");
    shared_status status = config_check(config);
    if (status < 0) return status;
    (void)pthread_once(&fork_once, fork_watch);
    if (fork_status != 0) return fail_errno(fork_status, "pthread_atfork");

    shared_client *client = calloc(1, sizeof *client);
    if (!client) return fail(SHARED_ENOMEM, "client: out of memory");
    client->epoll_fd = client->timer_fd = client->signal_fd = -1;
    client->timer_source.fd = client->signal_source.fd = -1;
    client->armed_ms = INT64_MAX;
    client->generation = atomic_load(&fork_generation);
    client->config = config_copy(config);
    status = client->config ? client_open(client) : SHARED_ENOMEM;
    if (status < 0) {
        shared_client_free(client);
        return status;
    }
    client->request_max = (int32_t)client_setting(client, "CLIENT_REQUESTS_MAX");
    *out = client;
    return SHARED_OK;
}

static void close_open(int fd) {
    if (fd >= 0) (void)close(fd);
}

void shared_client_free(shared_client *client) {
    if (!client) return;
    client->ending = true;
    events_drop(client); /* first: tasks among them go back to the queue while that still works */
    for (int32_t i = CLIENT_SLOTS - 1; i >= 0; i--) {
        struct client_part part = client->parts[i];
        if (part.stop) part.stop(part.state);
        client->parts[i] = (struct client_part){0};
    }
    requests_free(client);
    events_free(client);
    close_open(client->signal_fd);
    close_open(client->timer_fd);
    close_open(client->epoll_fd);
    shared_config_free(client->config);
    free(client);
}

shared_status(client_check)(const shared_client *client) {
    if (!client) return fail(SHARED_EINVALID, "client is NULL");
    if (client_is_forked(client))
        return fail(SHARED_EFORKED, "client: made before fork, belongs to the parent process");
    return SHARED_OK;
}

const shared_config *client_config(const shared_client *client) {
    return client->config;
}

int64_t client_setting(const shared_client *client, const char *name) {
    return shared_config_int(client->config, name);
}

int32_t shared_client_fd(const shared_client *client) {
    shared_status status = client_check(client);
    return status < 0 ? status : client->epoll_fd;
}

void *client_state(const shared_client *client, enum client_slot slot) {
    return client->parts[slot].state;
}

void client_set_state(shared_client *client, enum client_slot slot, void *state,
                      void (*stop)(void *state)) {
    client->parts[slot] = (struct client_part){.state = state, .stop = stop};
}

bool client_is_ending(const shared_client *client) {
    return client->ending;
}

bool client_is_forked(const shared_client *client) {
    return client->generation != atomic_load_explicit(&fork_generation, memory_order_relaxed);
}
