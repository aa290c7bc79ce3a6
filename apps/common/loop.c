/* SPDX-License-Identifier: MIT
 * loop.c - one epoll, and descriptors that may be removed while a turn is under way. Never knows what
 * a descriptor is.
 */
#include "loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

bool loop_start(struct loop *loop) {
    *loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll >= 0;
}

void loop_finish(struct loop *loop) {
    if (loop->epoll >= 0) close(loop->epoll);
    loop->epoll = -1;
}

bool loop_add(struct loop *loop, struct watch *watch, int fd, uint32_t events,
              void (*ready)(struct watch *watch, uint32_t events)) {
    *watch = (struct watch){.fd = fd, .ready = ready};
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (!epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) return true;
    watch->fd = -1;
    return false;
}

bool loop_change(struct loop *loop, struct watch *watch, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return !epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(struct loop *loop, struct watch *watch) {
    if (watch->fd < 0) return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    for (int i = 0; i < loop->batch_count; i++)
        if (loop->batch[i] == watch) loop->batch[i] = NULL;
}

void loop_wait(struct loop *loop, int timeout_ms) {
    struct epoll_event events[LOOP_BATCH_MAX];
    int count = epoll_wait(loop->epoll, events, LOOP_BATCH_MAX, timeout_ms);
    loop->batch_count = count > 0 ? count : 0; /* a signal, or the time: nothing is ready */
    for (int i = 0; i < count; i++) {
        loop->batch[i] = events[i].data.ptr;
        loop->events[i] = events[i].events;
    }
}

void loop_call(struct loop *loop) {
    for (int i = 0; i < loop->batch_count; i++)
        if (loop->batch[i]) loop->batch[i]->ready(loop->batch[i], loop->events[i]);
    loop->batch_count = 0;
}

int64_t loop_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
