/* SPDX-License-Identifier: MIT
 * wait.c - turns of the loop, and the promise that the client's descriptor is readable while there is
 * work or an event waits. Never stays longer than asked: a busy server gets TURNS_MAX turns.
 */
#include <inttypes.h>
#include <unistd.h>

#include "base/time.h"
#include "net/client_private.h"

enum { TURNS_MAX = 16 };

void client_signal(shared_client *client) {
    if (client->signalled || client->ending || client_is_forked(client)) return;
    uint64_t one = 1;
    client->signalled = write(client->signal_fd, &one, sizeof one) == sizeof one;
}

/* signal_fd is in the epoll edge-triggered: looking has taken the signal, and there is nothing to read. */
void client_signal_ready(struct source *source, uint32_t events) {
    (void)events;
    shared_client *client =
        (shared_client *)((char *)source - offsetof(shared_client, signal_source));
    client->signalled = false;
}

/* Must stay safe in a signal handler: an atomic store and a write. */
void shared_client_wake(shared_client *client) {
    if (!client || client_is_forked(client)) return;
    atomic_store(&client->woken, true);
    uint64_t one = 1;
    (void)!write(client->signal_fd, &one, sizeof one);
}

/* One look at everything. True: more is ready already. */
static bool turn(shared_client *client, int64_t wait_ms) {
    if (wait_ms != 0) {
        int64_t timer_ms = timers_wait_ms(client);
        if (timer_ms >= 0 && (wait_ms < 0 || timer_ms < wait_ms)) wait_ms = timer_ms;
    }
    bool more = sources_run(client, wait_ms) == BATCH_MAX;
    more |= timers_run(client);
    more |= deferred_run(client);
    return more;
}

/* Turns until done says so, the time is over or somebody woke us: then true. */
static bool turns_run(shared_client *client, int32_t timeout_ms,
                      bool (*done)(const shared_client *client, uint64_t tag), uint64_t tag) {
    int64_t end_ms = timeout_ms > 0 ? time_monotonic_ms() + timeout_ms : 0;
    client->turning = true;
    /* What was written since the last dispatch leaves before anything is waited for. */
    bool more = deferred_run(client);
    int64_t wait_ms = timeout_ms < 0 ? -1 : timeout_ms;
    if (more || atomic_load(&client->woken) || done(client, tag)) wait_ms = 0;
    bool woken = false;
    for (;;) {
        more = turn(client, wait_ms);
        for (int32_t i = 1; more && i < TURNS_MAX; i++) more = turn(client, 0);
        woken = atomic_exchange(&client->woken, false);
        if (woken || done(client, tag)) break;
        if (timeout_ms >= 0) {
            wait_ms = timeout_ms > 0 ? end_ms - time_monotonic_ms() : 0;
            if (wait_ms <= 0) break;
        }
        if (more) wait_ms = 0;
    }
    client->turning = false;
    timers_arm(client);
    return woken;
}

/* Before control goes back to the caller, who may poll: the descriptor is readable when there is work or
 * an event waits, and else not. A wake by another thread must not get lost with the read. */
static void signal_settle(shared_client *client) {
    if (client->event_count > 0 || client->deferred_first) {
        client_signal(client);
    } else if (client->signalled) {
        uint64_t count = 0;
        client->signalled = false;
        (void)!read(client->signal_fd, &count, sizeof count);
        if (atomic_load(&client->woken)) client_signal(client);
    }
}

static bool any_waits(const shared_client *client, uint64_t tag) {
    (void)tag;
    return client->event_count > 0;
}

static bool tag_waits(const shared_client *client, uint64_t tag) {
    return client_events_waiting(client, tag) > 0;
}

shared_status shared_client_dispatch(shared_client *client, int32_t timeout_ms) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    (void)turns_run(client, timeout_ms, any_waits, 0);
    signal_settle(client);
    return client->event_count;
}

/* The event that the caller got last. */
static void event_let_go(shared_client *client) {
    struct shared_event *held = client->taken;
    client->taken = NULL;
    if (held) event_recycle(client, held);
}

const shared_event *shared_client_next(shared_client *client) {
    if (client_check(client) < 0) return NULL;
    if (client->first_event) {
        event_take(client, NULL, client->first_event);
        return client->taken;
    }
    event_let_go(client);
    signal_settle(client);
    return NULL;
}

static const shared_event *take_tag(shared_client *client, uint64_t tag) {
    struct shared_event *previous = NULL, *event = client->first_event;
    while (event && event->tag != tag) {
        previous = event;
        event = event->next;
    }
    if (event) event_take(client, previous, event);
    return event;
}

shared_status shared_client_wait(shared_client *client, uint64_t tag, int32_t timeout_ms,
                                 const shared_event **out) {
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (!request_find(client, tag))
        return fail(SHARED_ENOTFOUND, "tag %" PRIu64 ": no request has it", tag);
    event_let_go(client); /* a task among it gives its place to the one that is waited for */
    bool woken = !tag_waits(client, tag) && turns_run(client, timeout_ms, tag_waits, tag);
    *out = take_tag(client, tag);
    signal_settle(client);
    if (!*out && woken)
        return fail(SHARED_ETIMEOUT, "tag %" PRIu64 ": woken by shared_client_wake", tag);
    if (!*out)
        return fail(SHARED_ETIMEOUT, "tag %" PRIu64 ": no event within %" PRId32 " ms", tag,
                    timeout_ms);
    const shared_error *error = shared_event_error(*out);
    return error ? fail_with(error) : SHARED_OK;
}
