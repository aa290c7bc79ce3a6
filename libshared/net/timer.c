/* SPDX-License-Identifier: MIT
 * timer.c - deadlines in a pairing heap: starting one is O(1) and needs no memory, so it cannot fail.
 * The earliest is told to the timerfd, late and seldom. Never reads the wall clock.
 */
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"
#include "net/client_private.h"

/* Timers fired in one turn: what starts another one for now must not hold up the sockets. */
enum { FIRE_MAX = 256 };

/* Both are roots or NULL: without previous and next. previous of a first child is its parent. */
static struct timer *heap_meld(struct timer *a, struct timer *b) {
    if (!a) return b;
    if (!b) return a;
    if (b->due_ms < a->due_ms) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->previous = a;
    b->next = a->child;
    if (b->next) b->next->previous = b;
    a->child = b;
    return a;
}

/* Melds a list of siblings in two passes, which is what makes removal O(log n) on average. */
static struct timer *heap_meld_all(struct timer *first) {
    struct timer *pairs = NULL; /* last pair first */
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b) b->next = b->previous = NULL;
        a = heap_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct timer *root = NULL;
    while (pairs) {
        struct timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = heap_meld(root, pair);
    }
    return root;
}

static struct timer *heap_remove(struct timer *root, struct timer *timer) {
    struct timer *rest = heap_meld_all(timer->child);
    if (timer != root) {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next) timer->next->previous = timer->previous;
        rest = heap_meld(root, rest);
    }
    timer->child = timer->next = timer->previous = NULL;
    return rest;
}

void timer_start(shared_client *client, struct timer *timer, int64_t delay_ms,
                 void (*fire)(struct timer *timer)) {
    timer_stop(client, timer);
    int64_t now_ms = time_monotonic_ms();
    if (delay_ms < 0) delay_ms = 0;
    int64_t due_ms = delay_ms < INT64_MAX - now_ms ? now_ms + delay_ms : INT64_MAX;
    *timer = (struct timer){.due_ms = due_ms, .fire = fire, .running = true};
    client->timers = heap_meld(client->timers, timer);
    if (!client->turning) timers_arm(client);
}

void timer_stop(shared_client *client, struct timer *timer) {
    if (!timer->running) return;
    client->timers = heap_remove(client->timers, timer);
    timer->running = false;
}

bool timers_run(shared_client *client) {
    if (!client->timers) return false;
    int64_t now_ms = time_monotonic_ms();
    for (int32_t i = 0; i < FIRE_MAX; i++) {
        struct timer *timer = client->timers;
        if (!timer || timer->due_ms > now_ms) return false;
        timer_stop(client, timer);
        timer->fire(timer);
    }
    return client->timers && client->timers->due_ms <= now_ms;
}

int64_t timers_wait_ms(const shared_client *client) {
    if (!client->timers) return -1;
    int64_t wait_ms = client->timers->due_ms - time_monotonic_ms();
    return wait_ms > 0 ? wait_ms : 0;
}

void timers_arm(shared_client *client) {
    int64_t due_ms = client->timers ? client->timers->due_ms : INT64_MAX;
    /* One that is set too early costs a turn that finds nothing; deadlines nearly always end unused. */
    if (due_ms >= client->armed_ms || client_is_forked(client)) return;
    int64_t at_ms = due_ms > 0 ? due_ms : 1; /* zero would switch it off */
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}};
    SHARED_CHECK(timerfd_settime(client->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
    client->armed_ms = due_ms;
}

void timers_ready(struct source *source, uint32_t events) {
    (void)events;
    shared_client *client =
        (shared_client *)((char *)source - offsetof(shared_client, timer_source));
    uint64_t expired = 0;
    if (read(source->fd, &expired, sizeof expired) == sizeof expired) client->armed_ms = INT64_MAX;
}
