/* SPDX-License-Identifier: MIT
 * client.h - one connection to everything: PostgreSQL, Redis, the queue; one descriptor, one queue of
 * events.
 *
 * Requests go out with a tag of your choice; each accepted one ends in exactly one event of that tag
 * with shared_event_more() == 0, also when it is cancelled, times out, or its server dies. Tag 0 asks
 * for no event. A tag is in use, and counts for CLIENT_REQUESTS_MAX, until that event is taken.
 *
 *     poll(&(struct pollfd){.fd = shared_client_fd(client), .events = POLLIN}, 1, -1);
 *     shared_client_dispatch(client, 0);
 *     for (const shared_event *event; (event = shared_client_next(client));) handle(event);
 *
 * Connections are opened when first needed, mended with growing pauses, and never shared with
 * another client.
 */
#ifndef SHARED_CLIENT_H
#define SHARED_CLIENT_H

#include <shared/api.h>
#include <shared/config.h>
#include <shared/error.h>

SHARED_BEGIN

/** A connection to everything. Belongs to one thread at a time. */
typedef struct shared_client shared_client;
/** What became of a request; event.h. */
typedef struct shared_event shared_event;

/** Makes a client; copies config; opens no connection yet. SHARED_EINVALID names two settings that cannot
 *  stand together: a LEASE_RENEW_S that is not less than LEASE_S. Added in 0.1.0. */
SHARED_API shared_status shared_client_new(const shared_config *config, shared_client **out);
/** Descriptor to poll for reading, the same number for life. Level-triggered: readable while there
 *  is work or an event waits. Do not read it. Added in 0.1.0. */
SHARED_API int32_t shared_client_fd(const shared_client *client);
/** Moves bytes and timers; waits up to timeout_ms for the first event (0: not at all, -1: for ever).
 *  Returns the number of events that wait to be taken. Added in 0.1.0. */
SHARED_API shared_status shared_client_dispatch(shared_client *client, int32_t timeout_ms);
/** Next event, or NULL. It and all it points to live until the next call of this function or of
 *  shared_client_wait. Added in 0.1.0. */
SHARED_API const shared_event *shared_client_next(shared_client *client);
/** Waits for the next event of one tag; events of other tags stay queued. SHARED_OK and the event;
 *  the code of shared_event_error() where it has one (the event is given too); SHARED_ETIMEOUT when
 *  the time ran out or shared_client_wake was called (the request goes on); SHARED_ENOTFOUND when no
 *  request has the tag. Added in 0.1.0. */
SHARED_API shared_status shared_client_wait(shared_client *client, uint64_t tag, int32_t timeout_ms,
                                            const shared_event **out);
/** Asks for an early end: its last event follows, with SHARED_ECANCELLED unless it was done before.
 *  SHARED_ENOTFOUND when no request has the tag. A cancelled statement may have run.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_client_cancel(shared_client *client, uint64_t tag);
/** A DONE event of the tag after delay_ms. Added in 0.1.0. */
SHARED_API shared_status shared_client_timer(shared_client *client, int64_t delay_ms, uint64_t tag);
/** Asks one server for a sign of life: domain is SHARED_POSTGRES, SHARED_REDIS (that of REDIS_URL) or
 *  SHARED_TASK (that of CELERY_RESULT_BACKEND). DONE, or the error that names the server.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_client_ping(shared_client *client, int32_t domain, uint64_t tag);
/** Makes the descriptor readable, so that a waiting thread returns. Any thread, any signal handler.
 *  Added in 0.1.0. */
SHARED_API void shared_client_wake(shared_client *client);
/** Ends what is open: requests get no event any more, tasks go back to the queue, transactions roll
 *  back. Accepts NULL. Added in 0.1.0. */
SHARED_API void shared_client_free(shared_client *client);

SHARED_END

#endif
