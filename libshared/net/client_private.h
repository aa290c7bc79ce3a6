/* SPDX-License-Identifier: MIT
 * client_private.h - the parts of struct shared_client, for client.c, source.c, timer.c, defer.c,
 * request.c, event.c and wait.c. Nobody else includes it.
 */
#ifndef NET_CLIENT_PRIVATE_H
#define NET_CLIENT_PRIVATE_H

#include <stdatomic.h>
#include <sys/epoll.h>

#include "net/client.h"

/* Descriptors looked at in one turn: enough to share the system call, few enough for the stack of a
 * turn to stay short. */
enum { BATCH_MAX = 64 };

struct client_part {
    void *state;
    void (*stop)(void *state);
};

struct shared_client {
    shared_config *config;
    uint32_t generation; /* of forks, when it was made */
    bool ending;
    bool turning; /* inside turn: the end of dispatch arms and signals */

    int epoll_fd, timer_fd, signal_fd;
    struct source timer_source, signal_source;
    struct epoll_event batch[BATCH_MAX];
    int32_t batch_index, batch_count;
    bool signalled;     /* signal_fd was written by this thread and not seen since */
    _Atomic bool woken; /* by shared_client_wake */

    struct timer *timers; /* root of the heap */
    int64_t armed_ms;     /* what timer_fd is set to; INT64_MAX: nothing */
    struct deferred *deferred_first, *deferred_last;
    struct deferred deferred_mark; /* of the turn under way: what is behind it is the next one's */

    struct request *requests, *spare_requests;
    struct request **tags; /* chains; tag_count is a power of two */
    uint32_t tag_count;
    int32_t request_count, request_max;

    struct shared_event *first_event, *last_event, *taken;
    int32_t event_count;
    struct shared_event *spare_events;
    int32_t spare_count;
    struct remains *remains; /* event.c: records of long answers that are being let go */

    struct client_part parts[CLIENT_SLOTS];
};

/* source.c: waits up to wait_ms, calls what is ready; returns how many were. */
int32_t sources_run(shared_client *client, int64_t wait_ms);
/* timer.c: fires what is due; true when more is due than one turn does. */
bool timers_run(shared_client *client);
/* Milliseconds until the earliest, 0 when due, -1 without any. */
int64_t timers_wait_ms(const shared_client *client);
/* Sets timer_fd when the earliest is due before it would fire. */
void timers_arm(shared_client *client);
void timers_ready(struct source *source, uint32_t events);
/* defer.c: what was deferred until now, once each; true when more came meanwhile. */
bool deferred_run(shared_client *client);
/* request.c */
struct request *request_find(const shared_client *client, uint64_t tag);
void request_release(struct request *request);
void requests_free(shared_client *client);
void request_error_free(struct shared_error *error);
/* event.c */
struct shared_event *event_new(shared_client *client);
void event_push(shared_client *client, struct shared_event *event);
/* Takes it out of the queue and makes it the one the caller holds; the one before is recycled. */
void event_take(shared_client *client, struct shared_event *previous, struct shared_event *event);
void event_recycle(shared_client *client, struct shared_event *event);
void events_drop(shared_client *client);
void events_free(shared_client *client);
/* wait.c: makes the descriptor readable; at most one write until it was seen. */
void client_signal(shared_client *client);
/* After a wake-up by signal_fd. */
void client_signal_ready(struct source *source, uint32_t events);

#endif
