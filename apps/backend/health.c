/* SPDX-License-Identifier: MIT
 * health.c - whether the servers answer. Never restarts anything.
 */
#include "health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "handlers.h"
#include "main.h"

enum { ASK_MS = 2000, ASK_START_MS = 100, SILENT_MS = 3000, TELL_MS = 5000, RELAY_PAUSE_MS = 1000 };

struct probe {
    struct server *server;
    const char *name;
    int32_t domain;
    uint64_t tag; /* 0: not asking */
    int64_t asked_ms;
    int64_t told_ms;
    bool good;
    bool hopeless; /* the error is none that time mends */
    char error[256];
};

struct health {
    struct probe probes[HEALTH_RELAY];
    bool started;
    int64_t start_ms;
    uint64_t relay_tag; /* 0: it does not run */
    int64_t relay_due_ms;
};

struct health *health_new(void) {
    struct health *health = calloc(1, sizeof *health);
    if (!health) return NULL;
    health->probes[HEALTH_POSTGRES] =
        (struct probe){.name = "postgres", .domain = SHARED_POSTGRES, .error = "not asked yet"};
    health->probes[HEALTH_REDIS] =
        (struct probe){.name = "redis", .domain = SHARED_REDIS, .error = "not asked yet"};
    health->start_ms = loop_now_ms();
    return health;
}

void health_free(struct server *server) {
    free(server->health);
    server->health = NULL;
}

/* --- asking ---------------------------------------------------------------------------------------- */

static void probe_set(struct probe *probe, const char *error, int32_t error_class) {
    bool changed = probe->good != !error;
    probe->hopeless = error_class == SHARED_PERMANENT;
    probe->good = !error;
    snprintf(probe->error, sizeof probe->error, "%s", error ? error : "");
    bool waiting =
        !probe->server->health->started && probe->server->now_ms - probe->told_ms > TELL_MS;
    if (!changed && (!error || !waiting)) return;
    probe->told_ms = probe->server->now_ms;
    if (!error)
        shared_log_with("backend", SHARED_INFO, "answers", "server", probe->name);
    else if (waiting)
        shared_log_with("backend", SHARED_WARNING, error, "waiting_for", probe->name);
    else
        shared_log_with("backend", SHARED_WARNING, error, "server", probe->name);
}

static void probe_answer(void *owner, const shared_event *event) {
    struct probe *probe = owner;
    const shared_error *error = shared_event_error(event);
    probe->tag = 0;
    probe_set(probe, error ? shared_error_message(error) : NULL, shared_error_class(error));
}

static void probe_tick(struct server *server, struct probe *probe) {
    int64_t age_ms = server->now_ms - probe->asked_ms;
    probe->server = server;
    if (probe->tag && age_ms > SILENT_MS && probe->good)
        probe_set(probe, "does not answer", SHARED_RETRYABLE);
    if (probe->tag || age_ms < (server->health->started ? ASK_MS : ASK_START_MS)) return;
    probe->asked_ms = server->now_ms;
    probe->tag = call_start(server, probe_answer, probe);
    if (probe->tag && shared_client_ping(server->client, probe->domain, probe->tag) >= 0) return;
    call_drop(server, probe->tag);
    probe->tag = 0;
    probe_set(probe, shared_error_message(shared_error_last()),
              shared_error_class(shared_error_last()));
}

static void relay_answer(void *owner, const shared_event *event) {
    struct server *server = owner;
    if (shared_event_more(event)) return;
    const shared_error *error = shared_event_error(event);
    if (error)
        shared_log_with("backend", SHARED_WARNING, "the relay ended", "error",
                        shared_error_message(error));
    server->health->relay_tag = 0;
    server->health->relay_due_ms = server->now_ms + RELAY_PAUSE_MS;
}

static void relay_tick(struct server *server) {
    struct health *health = server->health;
    if (!health->started || health->relay_tag || server->stopping ||
        server->now_ms < health->relay_due_ms)
        return;
    health->relay_tag = call_start(server, relay_answer, server);
    if (health->relay_tag && shared_queue_relay(server->client, health->relay_tag) >= 0) return;
    call_drop(server, health->relay_tag);
    health->relay_tag = 0;
    health->relay_due_ms = server->now_ms + RELAY_PAUSE_MS;
}

static bool all_good(const struct health *health) {
    return health->probes[0].good && health->probes[1].good;
}

void health_tick(struct server *server) {
    struct health *health = server->health;
    for (int i = 0; i < HEALTH_RELAY; i++) probe_tick(server, &health->probes[i]);
    if (!health->started && all_good(health)) {
        health->started = true;
        shared_log("backend", SHARED_INFO, "ready");
    }
    relay_tick(server);
}

bool health_has(const struct server *server, enum health_part part) {
    const struct health *health = server->health;
    return part == HEALTH_RELAY ? health->relay_tag != 0 : health->probes[part].good;
}

bool health_is_started(const struct server *server) {
    return server->health->started;
}

int health_verdict(const struct server *server) {
    const struct health *health = server->health;
    bool hopeless = health->probes[0].hopeless || health->probes[1].hopeless;
    bool too_long = server->now_ms - health->start_ms >= server->settings.startup_ms;
    if (health->started || (!hopeless && !too_long)) return 0;
    for (int i = 0; i < HEALTH_RELAY; i++)
        if (!health->probes[i].good)
            shared_log_with("backend", SHARED_ERROR, health->probes[i].error, "gave_up_waiting_for",
                            health->probes[i].name);
    return hopeless ? EXIT_SETTINGS : EXIT_UNAVAILABLE;
}

/* --- telling --------------------------------------------------------------------------------------- */

static void add_probe(struct text *body, const struct probe *probe) {
    text_format(body, ",\"%s\":{\"status\":\"%s\"", probe->name, probe->good ? "ok" : "down");
    if (!probe->good) {
        text_add_string(body, ",\"error\":");
        text_add_json(body, probe->error, strlen(probe->error));
    }
    text_add_string(body, "}");
}

static void answer_state(struct request *request, bool good, const char *bad) {
    const struct health *health = request->server->health;
    struct text body = {0};
    text_format(&body, "{\"status\":\"%s\"", good ? "ok" : bad);
    for (int i = 0; i < HEALTH_RELAY; i++) add_probe(&body, &health->probes[i]);
    text_format(&body, ",\"version\":\"%s\"}", shared_version_text());
    if (!good) reply_header(&request->reply, "Retry-After", "2");
    reply_json(request, good ? 200 : 503, &body);
}

void health_show(struct request *request) {
    answer_state(request, all_good(request->server->health), "degraded");
}

void health_ready(struct request *request) {
    const struct server *server = request->server;
    bool ready = server->health->started && all_good(server->health) && !server->stopping;
    answer_state(request, ready, server->stopping ? "stopping" : "not ready");
}

/* That this is answered shows that the loop turns. The servers may be down: a restart mends nothing
 * then. The relay comes back by itself; that it runs is in /metrics. */
void health_live(struct request *request) {
    struct text body = {0};
    text_add_string(&body, "{\"status\":\"ok\"}");
    reply_json(request, 200, &body);
}
