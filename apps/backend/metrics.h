/* SPDX-License-Identifier: MIT
 * metrics.h - the numbers of /metrics, of all processes together: each process has a slot in memory that
 * all share, made before the first fork, writes there alone and without a lock, and any of them adds up.
 * A process that takes the place of one that died goes on with its counters.
 *
 *     server->metrics = metrics_new(processes);         in the parent
 *     metrics_add(server, METRIC_REQUESTS, 1);          in process server->slot
 */
#ifndef BACKEND_METRICS_H
#define BACKEND_METRICS_H

#include <stdint.h>

struct server;

enum metric {
    METRIC_REQUESTS,
    METRIC_REFUSED,
    METRIC_UPLOADS,
    METRIC_UPLOAD_BYTES,
    METRIC_EVENTS,
    METRIC_CONNECTIONS, /* from here on: as it is now */
    METRIC_REQUESTS_OPEN,
    METRIC_LINGERING,
    METRIC_STREAMS,
    METRIC_RELEASES,
    METRIC_POSTGRES_UP,
    METRIC_REDIS_UP,
    METRIC_RELAY_UP,
    METRICS
};

/* NULL: no memory. */
struct metrics *metrics_new(int64_t processes);
void metrics_free(struct metrics *metrics);
void metrics_add(struct server *server, enum metric metric, uint64_t count);
/* Notes how many there are now of what comes and goes. Each turn. */
void metrics_note(struct server *server);
/* A process died: what it had open is gone. */
void metrics_forget(struct server *server, int64_t slot);

#endif
