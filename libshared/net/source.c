/* SPDX-License-Identifier: MIT
 * source.c - descriptors in the client's epoll, and one look at which of them are ready. Never closes a
 * descriptor of others.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/client_private.h"

static shared_status source_control(shared_client *client, int operation, struct source *source) {
    struct epoll_event event = {.events = source->events, .data.ptr = source};
    if (epoll_ctl(client->epoll_fd, operation, source->fd, &event) == 0) return SHARED_OK;
    struct shared_error error;
    error_set_errno(&error, errno, "epoll_ctl");
    return fail_with(&error);
}

shared_status source_add(shared_client *client, struct source *source, int fd, uint32_t events,
                         void (*ready)(struct source *source, uint32_t events)) {
    *source = (struct source){.fd = fd, .events = events, .ready = ready};
    shared_status status = source_control(client, EPOLL_CTL_ADD, source);
    if (status < 0) source->fd = -1;
    return status;
}

shared_status source_add_lent(shared_client *client, struct source *source, int fd, uint32_t events,
                              void (*ready)(struct source *source, uint32_t events)) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        struct shared_error error;
        error_set_errno(&error, errno, "fcntl");
        return fail_with(&error);
    }
    shared_status status = source_add(client, source, copy, events, ready);
    source->is_copy = status >= 0;
    if (status < 0) (void)close(copy);
    return status;
}

shared_status source_change(shared_client *client, struct source *source, uint32_t events) {
    if (source->events == events) return SHARED_OK;
    source->events = events;
    return source_control(client, EPOLL_CTL_MOD, source);
}

void source_remove(shared_client *client, struct source *source) {
    if (source->fd < 0) return;
    /* In the child of a fork the epoll is still the parent's. */
    if (!client_is_forked(client)) (void)source_control(client, EPOLL_CTL_DEL, source);
    if (source->is_copy) (void)close(source->fd);
    source->fd = -1;
    for (int32_t i = client->batch_index; i < client->batch_count; i++)
        if (client->batch[i].data.ptr == source) client->batch[i].data.ptr = NULL;
}

int32_t sources_run(shared_client *client, int64_t wait_ms) {
    int wait = wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
    int count = epoll_wait(client->epoll_fd, client->batch, BATCH_MAX, wait);
    if (count <= 0) return 0; /* EINTR too: the caller looks at its clock and comes again */
    client->batch_count = count;
    client->batch_index = 0;
    while (client->batch_index < client->batch_count) {
        struct epoll_event event = client->batch[client->batch_index++];
        struct source *source = event.data.ptr;
        if (source) source->ready(source, event.events);
    }
    client->batch_count = client->batch_index = 0;
    return count;
}
