/* SPDX-License-Identifier: MIT
 * metrics.c - the numbers of /metrics, added up over the processes. Never waits for another process.
 */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "handlers.h"
#include "health.h"
#include "linger.h"
#include "peer.h"
#include "release.h"
#include "stream.h"

enum { CACHE_LINE = 64 };

struct slot {
    _Alignas(CACHE_LINE) _Atomic uint64_t values[METRICS];
};

struct metrics {
    int64_t slot_count;
    size_t size;
    struct slot slots[];
};

/* Lock-free, or a process that dies could leave others waiting. */
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit counters need no lock");

struct metrics *metrics_new(int64_t processes) {
    size_t size = sizeof(struct metrics) + (size_t)processes * sizeof(struct slot);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct metrics *metrics = memory;
    metrics->slot_count = processes;
    metrics->size = size;
    return metrics;
}

void metrics_free(struct metrics *metrics) {
    if (metrics) munmap(metrics, metrics->size);
}

static _Atomic uint64_t *own(struct server *server, enum metric metric) {
    return &server->metrics->slots[server->slot].values[metric];
}

void metrics_add(struct server *server, enum metric metric, uint64_t count) {
    atomic_fetch_add_explicit(own(server, metric), count, memory_order_relaxed);
}

void metrics_note(struct server *server) {
    const uint64_t values[METRICS] = {
        [METRIC_CONNECTIONS] = (uint64_t)peers_open(server->peers),
        [METRIC_REQUESTS_OPEN] = (uint64_t)requests_open(server->requests),
        [METRIC_LINGERING] = (uint64_t)lingers_open(server->lingers),
        [METRIC_STREAMS] = (uint64_t)streams_open(server->streams),
        [METRIC_RELEASES] = (uint64_t)releases_open(),
        [METRIC_POSTGRES_UP] = health_has(server, HEALTH_POSTGRES),
        [METRIC_REDIS_UP] = health_has(server, HEALTH_REDIS),
        [METRIC_RELAY_UP] = health_has(server, HEALTH_RELAY),
    };
    for (int i = METRIC_CONNECTIONS; i < METRICS; i++)
        atomic_store_explicit(own(server, (enum metric)i), values[i], memory_order_relaxed);
}

void metrics_forget(struct server *server, int64_t slot) {
    for (int i = METRIC_CONNECTIONS; i < METRICS; i++)
        atomic_store_explicit(&server->metrics->slots[slot].values[i], 0, memory_order_relaxed);
}

/* The sum; or, of what is up or not, whether it is so in each process. */
static uint64_t total(const struct metrics *metrics, enum metric metric) {
    uint64_t sum = 0;
    uint64_t least = UINT64_MAX;
    for (int64_t i = 0; i < metrics->slot_count; i++) {
        uint64_t value =
            atomic_load_explicit(&metrics->slots[i].values[metric], memory_order_relaxed);
        sum += value;
        if (value < least) least = value;
    }
    return metric >= METRIC_POSTGRES_UP ? least : sum;
}

void metrics_show(struct request *request) {
    static const struct {
        const char *name, *help;
    } rows[METRICS] = {
        [METRIC_REQUESTS] = {"http_requests_total", "Requests"},
        [METRIC_REFUSED] = {"http_refused_total",
                            "Requests refused before a handler saw them whole"},
        [METRIC_UPLOADS] = {"uploads_total", "Documents uploaded"},
        [METRIC_UPLOAD_BYTES] = {"upload_bytes_total", "Bytes of them"},
        [METRIC_EVENTS] = {"progress_events_total", "Events told to viewers"},
        [METRIC_CONNECTIONS] = {"http_connections", "Open connections"},
        [METRIC_REQUESTS_OPEN] = {"http_requests_open", "Requests under way"},
        [METRIC_LINGERING] = {"http_lingering", "Refused connections that are drained"},
        [METRIC_STREAMS] = {"progress_streams", "Viewers of progress"},
        [METRIC_RELEASES] = {"releases", "Files whose removal is under way"},
        [METRIC_POSTGRES_UP] = {"postgres_up", "PostgreSQL answers"},
        [METRIC_REDIS_UP] = {"redis_up", "Redis answers"},
        [METRIC_RELAY_UP] = {"relay_up", "The relay of the outbox runs"},
    };
    struct text body = {0};
    metrics_note(request->server);
    for (int i = 0; i < METRICS; i++)
        text_format(
            &body,
            "# HELP lex_backend_%s %s.\n# TYPE lex_backend_%s %s\nlex_backend_%s %" PRIu64 "\n",
            rows[i].name, rows[i].help, rows[i].name, i < METRIC_CONNECTIONS ? "counter" : "gauge",
            rows[i].name, total(request->server->metrics, (enum metric)i));
    reply_json(request, 200, &body);
    if (request->reply.status == 200)
        request->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
}
