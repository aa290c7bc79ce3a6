/* SPDX-License-Identifier: MIT
 * loop.h - one epoll, and descriptors that may be removed while a turn is under way.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Embedded in whatever waits for a descriptor. */
struct watch {
    int fd; /* -1: not watched */
    void (*ready)(struct watch *watch, uint32_t events);
};

enum { LOOP_BATCH_MAX = 64 };

struct loop {
    int epoll;
    int batch_count;
    struct watch *batch[LOOP_BATCH_MAX];
    uint32_t events[LOOP_BATCH_MAX];
};

bool loop_start(struct loop *loop);
void loop_finish(struct loop *loop);
bool loop_add(struct loop *loop, struct watch *watch, int fd, uint32_t events,
              void (*ready)(struct watch *watch, uint32_t events));
bool loop_change(struct loop *loop, struct watch *watch, uint32_t events);
/* Afterwards the watch may be freed, also from within a turn. Does not close the descriptor. */
void loop_remove(struct loop *loop, struct watch *watch);
/* Waits once, at most timeout_ms. */
void loop_wait(struct loop *loop, int timeout_ms);
/* Calls what was ready. */
void loop_call(struct loop *loop);
int64_t loop_now_ms(void);

#endif
