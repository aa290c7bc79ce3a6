/* SPDX-License-Identifier: MIT
 * loop.h - the worker's one epoll: the client's descriptor, signals, the reader's sockets, and a tick
 * for deadlines while jobs run. No threads.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd;                                              /* -1: not watched */
    void (*ready)(struct watch *watch, uint32_t events); /* may remove this or any other watch */
};

struct loop {
    int epoll;
    struct watch *batch[32]; /* of the turn under way; removed ones are NULL */
    int batch_count;
};

bool loop_init(struct loop *loop);
void loop_finish(struct loop *loop);
/* events: EPOLLIN, EPOLLOUT. false: errno says why. */
bool loop_add(struct loop *loop, struct watch *watch, int fd, uint32_t events,
              void (*ready)(struct watch *watch, uint32_t events));
bool loop_change(struct loop *loop, struct watch *watch, uint32_t events);
void loop_remove(struct loop *loop, struct watch *watch); /* does not close */
/* One turn: waits up to timeout_ms (-1: for ever) and calls what is ready. */
void loop_turn(struct loop *loop, int timeout_ms);

int64_t loop_now_ms(void); /* monotonic */

#endif
