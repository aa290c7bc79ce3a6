/* SPDX-License-Identifier: MIT
 * client.h - the inside of a client: one epoll, its timers, request slots and the queue of events.
 *
 * Everything here runs in the client's one thread, except shared_client_wake and the resolver's own side.
 * Nothing here knows PostgreSQL, Redis or a queue: those folders register sources, timers, deferred
 * work, and per-client state by slot.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include <shared/client.h>
#include <shared/event.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "model/record.h"

/* SHARED_OK, or SHARED_EINVALID for NULL, or SHARED_EFORKED in a child of fork. Every public function
 * begins with it, and so names the operation that failures belong to. */
shared_status client_check(const shared_client *client);
#define client_check(client) (operation_begin(), client_check(client))
const shared_config *client_config(const shared_client *client);
int64_t client_setting(const shared_client *client, const char *name); /* a number */

/* --- sources: descriptors in the epoll ------------------------------------------------------- */
struct source {
    int fd;                                                /* -1: not watched */
    bool is_copy;                                          /* of source_add_lent */
    uint32_t events;                                       /* EPOLLIN | EPOLLOUT */
    void (*ready)(struct source *source, uint32_t events); /* may remove this or any other source */
};
shared_status source_add(shared_client *client, struct source *source, int fd, uint32_t events,
                         void (*ready)(struct source *source, uint32_t events));
/* The same for a descriptor that its owner, a library, may close at any time. While a child of fork has it open
 * too, the epoll would keep it, and source, for ever: so a copy is watched, which source_remove closes. */
shared_status source_add_lent(shared_client *client, struct source *source, int fd, uint32_t events,
                              void (*ready)(struct source *source, uint32_t events));
shared_status source_change(shared_client *client, struct source *source, uint32_t events);
void source_remove(shared_client *client, struct source *source); /* closes nothing of others */

/* --- timers: intrusive, so that starting one cannot fail --------------------------------------- */
struct timer {
    int64_t due_ms;
    void (*fire)(struct timer *timer);
    struct timer *child, *next, *previous; /* pairing heap */
    bool running;
};
void timer_start(shared_client *client, struct timer *timer, int64_t delay_ms,
                 void (*fire)(struct timer *timer));         /* restarts a running one */
void timer_stop(shared_client *client, struct timer *timer); /* idle ones too */

/* --- deferred work: runs once at the end of this turn, or at the next dispatch; used to flush what
 * was written since, so that many requests share one system call -------------------------------- */
struct deferred {
    void (*run)(struct deferred *deferred);
    struct deferred *next, *previous;
    bool queued;
};
void client_defer(shared_client *client, struct deferred *deferred, void (*run)(struct deferred *));
void client_defer_stop(shared_client *client, struct deferred *deferred);

/* --- requests: what a tag stands for ------------------------------------------------------------ */
/* An accepted request. Its last event is reserved with it, so that an end can always be told. */
struct request {
    shared_client *client;
    uint64_t tag;
    struct shared_event *event; /* fill in kind, count, json, ... before request_end */
    void *owner;
    const char *operation; /* the public function that made it */
    /* Asked by shared_client_cancel or by the deadline: let go of the work (it may still happen) and
     * call request_fail(request, why), now or soon. */
    void (*cancel)(struct request *request, const struct shared_error *why);
    /* An event of it with more == 1 was taken, so another may be made; from any call of the user, so it only
     * defers. NULL: does not want to know. */
    void (*taken)(struct request *request);
    struct timer deadline;
    int32_t waiting;             /* private from here: its events not taken yet */
    struct shared_event *newest; /* of those */
    bool ended;                  /* the slot and the tag are free once the last event is taken */
    struct request *next, *previous; /* all of the client */
    struct request *same_hash;
};
/* NULL and fail(): SHARED_EBUSY at CLIENT_REQUESTS_MAX, SHARED_EINVALID for a tag in use, ENOMEM.
 * timeout_ms 0: no deadline. */
struct request *request_new(shared_client *client, uint64_t tag, int64_t timeout_ms,
                            void (*cancel)(struct request *, const struct shared_error *),
                            void *owner);
/* Its deadline is that far from now; 0: none until told again. */
void request_set_deadline(struct request *request, int64_t timeout_ms);
/* Queues the last event (tag 0: drops it). request is gone for its owner. */
void request_end(struct request *request);
void request_fail(struct request *request, const struct shared_error *error);
/* Takes a request back: it was not accepted after all, and the call says so itself. No event. */
void request_drop(struct request *request);
/* A further event with more == 1, to be filled in before this turn ends. NULL without memory, and for
 * tag 0. How many may wait is the caller's to bound: client_events_waiting. */
struct shared_event *request_more(struct request *request, int32_t kind);

/* --- events --------------------------------------------------------------------------------------- */
struct shared_event {
    struct shared_event *next;
    int32_t kind;
    int32_t more;
    uint64_t tag;
    int64_t count;
    struct rows *rows;       /* owned reference, or NULL */
    int32_t model;           /* of the rows */
    shared_record **records; /* made when asked for; event.c */
    char *json;              /* owned */
    char *data;              /* owned: count bytes */
    char *document;          /* owned: id of the document it tells of, or NULL */
    char id[64];
    shared_task *task; /* owned reference */
    void (*task_unref)(shared_task *task);
    struct shared_error *error; /* owned, or the static out-of-memory error */
    struct request *request;    /* whose event it is; private */
};
/* Number of events of one tag that wait to be taken: how a publisher sees that its reader is slow. */
int32_t client_events_waiting(const shared_client *client, uint64_t tag);
/* Newest waiting event of a tag, to replace its text by a newer state; NULL: none waits. */
struct shared_event *client_event_last(const shared_client *client, uint64_t tag);
/* The same of those that tell of a document. Walks over all that wait: for a reader that is slow. */
struct shared_event *client_event_of_document(const shared_client *client, uint64_t tag,
                                              const char *document);

/* --- per-client state of other folders ------------------------------------------------------------ */
enum client_slot {
    CLIENT_RESOLVER, /* the helper threads: resolver.h */
    CLIENT_CANCELLER,
    CLIENT_POOL,
    CLIENT_REDIS,
    CLIENT_SESSION,
    CLIENT_PROGRESS,
    CLIENT_QUEUE,
    CLIENT_RELAY,
    CLIENT_RESULT,
    CLIENT_LOG, /* last, so that it stops first: what the others say then goes to stderr */
    CLIENT_SLOTS
};
void *client_state(const shared_client *client, enum client_slot slot);
/* stop is called by shared_client_free from the last slot to the first: end own requests quietly,
 * remove sources and timers, free. Events that wait were dropped before (their tasks unreffed). */
void client_set_state(shared_client *client, enum client_slot slot, void *state,
                      void (*stop)(void *state));
/* 1 while shared_client_free runs: start nothing new. */
bool client_is_ending(const shared_client *client);
/* 1 in a child of fork: free memory and descriptors only, write nothing. */
bool client_is_forked(const shared_client *client);

#endif
