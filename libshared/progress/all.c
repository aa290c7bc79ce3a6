/* SPDX-License-Identifier: MIT
 * all.c - listens to every document at once, live only: for dashboards. One subscription by pattern for
 * all such listeners of a client. Never reads a log or a row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "progress/watch.h"

enum { SPECTATOR_WAITING_MAX = 1000 };

#define PATTERN_ALL PREFIX_CHANNEL "*"

struct spectator {
    struct spectator *next;
    struct progress *progress;
    struct request *request;
    bool behind; /* messages are being lost, and it was said */
};

static void spectator_free(struct spectator *spectator) {
    struct progress *progress = spectator->progress;
    for (struct spectator **at = &progress->spectators; *at; at = &(*at)->next) {
        if (*at != spectator) continue;
        *at = spectator->next;
        break;
    }
    redis_unsubscribe_pattern(progress->listen, PATTERN_ALL);
    free(spectator);
}

void spectators_free(struct progress *progress) {
    while (progress->spectators) spectator_free(progress->spectators); /* NOLINT: the next one */
}

/* Of a slow reader the newest of the document is replaced; when none of it waits, it is lost. */
static struct shared_event *next_event(struct spectator *spectator, const char *document_id) {
    struct request *request = spectator->request;
    if (client_events_waiting(request->client, request->tag) < SPECTATOR_WAITING_MAX) {
        spectator->behind = false;
        return event_of_document(request, SHARED_EVENT_PROGRESS, document_id);
    }
    struct shared_event *event =
        client_event_of_document(request->client, request->tag, document_id);
    if (event || spectator->behind) return event;
    spectator->behind = true;
    log_format("progress", SHARED_WARNING,
               "a listener to all documents has not taken %d messages: more are lost",
               SPECTATOR_WAITING_MAX);
    return NULL;
}

void spectators_hear(struct listener *listener, const char *channel, const char *payload,
                     size_t size) {
    struct progress *progress =
        (struct progress *)((char *)listener - offsetof(struct progress, listener));
    const char *document_id = channel + sizeof PREFIX_CHANNEL - 1;
    struct message *message = message_read(payload, size, NULL, true);
    if (!message && errno != ENOMEM) progress_dropped(progress, document_id, size);
    if (!message) return;
    for (struct spectator *spectator = progress->spectators; spectator;
         spectator = spectator->next) {
        struct shared_event *event = next_event(spectator, document_id);
        if (event) event_set_message(event, message);
    }
    message_unref(message);
}

static void spectator_cancel(struct request *request, const struct shared_error *why) {
    spectator_free(request->owner);
    request_fail(request, why);
}

shared_status shared_progress_subscribe_all(shared_client *client, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, and messages need one");
    struct progress *progress = client_progress(client);
    status = progress ? listen_start(progress) : shared_error_code(shared_error_last());
    if (!progress || status < 0) return status;
    struct spectator *spectator = calloc(1, sizeof *spectator);
    if (!spectator) return fail(SHARED_ENOMEM, "progress: out of memory");
    spectator->progress = progress;
    status = redis_subscribe_pattern(progress->listen, PATTERN_ALL);
    if (status < 0) {
        free(spectator);
        return status;
    }
    spectator->next = progress->spectators;
    progress->spectators = spectator;
    spectator->request = request_new(client, tag, 0, spectator_cancel, spectator);
    if (spectator->request) return SHARED_OK;
    spectator_free(spectator);
    return shared_error_code(shared_error_last());
}
