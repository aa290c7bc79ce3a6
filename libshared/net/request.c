/* SPDX-License-Identifier: MIT
 * request.c - what a tag stands for, from its acceptance until its last event was taken. Slots are
 * bounded by CLIENT_REQUESTS_MAX and used again, so that the steady state allocates nothing. Never
 * decides what a request does.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "net/client_private.h"

enum { TAGS_MIN = 64 };

static uint32_t tag_slot(uint64_t tag, uint32_t tag_count) {
    return (uint32_t)((tag * 0x9E3779B97F4A7C15u) >> 32) & (tag_count - 1);
}

struct request *request_find(const shared_client *client, uint64_t tag) {
    if (tag == 0 || client->tag_count == 0) return NULL;
    struct request *request = client->tags[tag_slot(tag, client->tag_count)];
    while (request && request->tag != tag) request = request->same_hash;
    return request;
}

static void tag_insert(struct request **tags, uint32_t tag_count, struct request *request) {
    struct request **chain = &tags[tag_slot(request->tag, tag_count)];
    request->same_hash = *chain;
    *chain = request;
}

static void tag_remove(shared_client *client, struct request *request) {
    struct request **link = &client->tags[tag_slot(request->tag, client->tag_count)];
    while (*link != request) link = &(*link)->same_hash;
    *link = request->same_hash;
}

/* Keeps chains short. Without memory a longer chain does too, except at first. */
static bool tags_grow(shared_client *client) {
    if ((uint32_t)client->request_count < client->tag_count) return true;
    uint32_t tag_count = client->tag_count ? client->tag_count * 2 : TAGS_MIN;
    struct request **tags = calloc(tag_count, sizeof *tags);
    if (!tags) return client->tag_count > 0;
    for (struct request *request = client->requests; request; request = request->next)
        if (request->tag) tag_insert(tags, tag_count, request);
    free(client->tags);
    client->tags = tags;
    client->tag_count = tag_count;
    return true;
}

static struct request *request_allocate(shared_client *client) {
    struct request *request = client->spare_requests;
    if (request)
        client->spare_requests = request->next;
    else
        request = malloc(sizeof *request);
    return request;
}

static void request_overdue(struct timer *timer) {
    struct request *request =
        (struct request *)((char *)timer - offsetof(struct request, deadline));
    struct shared_error error;
    error_set(&error, SHARED_SYSTEM, SHARED_ETIMEOUT, "request: its deadline passed");
    request->cancel(request, &error);
}

struct request *request_new(shared_client *client, uint64_t tag, int64_t timeout_ms,
                            void (*cancel)(struct request *, const struct shared_error *),
                            void *owner) {
    if (client->request_count >= client->request_max) {
        (void)fail(SHARED_EBUSY,
                   "client: %" PRId32 " requests in flight or not taken, at most %" PRId32,
                   client->request_count, client->request_max);
        return NULL;
    }
    if (request_find(client, tag)) {
        (void)fail(SHARED_EINVALID, "tag %" PRIu64 " is in use until its last event is taken", tag);
        return NULL;
    }
    struct shared_event *event = tags_grow(client) ? event_new(client) : NULL;
    struct request *request = event ? request_allocate(client) : NULL;
    if (!request) {
        if (event) event_recycle(client, event);
        (void)fail(SHARED_ENOMEM, "request: out of memory");
        return NULL;
    }
    *request = (struct request){.client = client,
                                .tag = tag,
                                .event = event,
                                .owner = owner,
                                .operation = operation_current(),
                                .cancel = cancel,
                                .next = client->requests};
    event->kind = SHARED_EVENT_DONE;
    event->tag = tag;
    event->request = request;
    if (request->next) request->next->previous = request;
    client->requests = request;
    client->request_count++;
    if (tag) tag_insert(client->tags, client->tag_count, request);
    if (timeout_ms > 0) timer_start(client, &request->deadline, timeout_ms, request_overdue);
    return request;
}

void request_end(struct request *request) {
    SHARED_CHECK(!request->ended);
    if (!request->tag || request->client->ending) {
        request_drop(request);
        return;
    }
    timer_stop(request->client, &request->deadline);
    request->ended = true;
    event_push(request->client, request->event);
}

void request_set_deadline(struct request *request, int64_t timeout_ms) {
    if (timeout_ms > 0)
        timer_start(request->client, &request->deadline, timeout_ms, request_overdue);
    else
        timer_stop(request->client, &request->deadline);
}

void request_drop(struct request *request) {
    timer_stop(request->client, &request->deadline);
    event_recycle(request->client, request->event);
    request_release(request);
}

void request_release(struct request *request) {
    shared_client *client = request->client;
    if (request->tag) tag_remove(client, request);
    if (request->previous)
        request->previous->next = request->next;
    else
        client->requests = request->next;
    if (request->next) request->next->previous = request->previous;
    client->request_count--;
    request->previous = NULL;
    request->next = client->spare_requests;
    client->spare_requests = request;
}

/* For when there is no memory to say what happened. That nobody knows is told all the same: what was
 * stored must not be believed to have failed. */
static struct shared_error out_of_memory = {.class = SHARED_RETRYABLE,
                                            .domain = SHARED_SYSTEM,
                                            .code = SHARED_ENOMEM,
                                            .message = "request: it failed, and there is no memory "
                                                       "to say why"};
static struct shared_error unknown_outcome = {
    .class = SHARED_RETRYABLE,
    .domain = SHARED_POSTGRES,
    .code = SHARED_EUNKNOWN,
    .message = "request: it may have happened or not, and there is no memory to say why"};

void request_fail(struct request *request, const struct shared_error *error) {
    struct shared_event *event = request->event;
    event->kind = SHARED_EVENT_DONE;
    if (request->tag) {
        event->error = malloc(sizeof *error);
        if (event->error) {
            *event->error = *error;
            event->error->operation = request->operation;
        } else {
            event->error = error->code == SHARED_EUNKNOWN ? &unknown_outcome : &out_of_memory;
        }
    }
    request_end(request);
}

void request_error_free(struct shared_error *error) {
    if (error != &out_of_memory && error != &unknown_outcome) free(error);
}

struct shared_event *request_more(struct request *request, int32_t kind) {
    shared_client *client = request->client;
    if (!request->tag || client->ending) return NULL;
    SHARED_CHECK(!request->ended);
    struct shared_event *event = event_new(client);
    if (!event) return NULL;
    event->kind = kind;
    event->more = 1;
    event->tag = request->tag;
    event->request = request;
    event_push(client, event);
    return event;
}

shared_status shared_client_cancel(shared_client *client, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    struct request *request = request_find(client, tag);
    if (!request) return fail(SHARED_ENOTFOUND, "tag %" PRIu64 ": no request has it", tag);
    if (request->ended || !request->cancel) return SHARED_OK; /* its last event tells */
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "request: cancelled");
    request->cancel(request, &error);
    return SHARED_OK;
}

/* --- a request that is nothing but its deadline ------------------------------------------------- */
static void wait_over(struct timer *timer) {
    request_end((struct request *)((char *)timer - offsetof(struct request, deadline)));
}

shared_status shared_client_timer(shared_client *client, int64_t delay_ms, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (delay_ms < 0) return fail(SHARED_EINVALID, "delay_ms: %" PRId64 ", at least 0", delay_ms);
    struct request *request = request_new(client, tag, 0, request_fail, NULL);
    if (!request) return shared_error_code(shared_error_last());
    timer_start(client, &request->deadline, delay_ms, wait_over);
    return SHARED_OK;
}

void requests_free(shared_client *client) {
    /* Their owners have gone: what is left has nobody to tell. */
    while (client->requests) {
        struct request *request = client->requests;
        timer_stop(client, &request->deadline);
        event_recycle(client, request->event);
        request_release(request);
    }
    while (client->spare_requests) {
        struct request *request = client->spare_requests;
        client->spare_requests = request->next;
        free(request);
    }
    free(client->tags);
    client->tags = NULL;
    client->tag_count = 0;
}
