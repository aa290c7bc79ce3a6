/* SPDX-License-Identifier: MIT
 * log_capture.c - lines of the log as events of a client. Other threads leave them in a list that is
 * guarded by the lock of base/log.c; the client's own thread makes events of them. Never logs itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "net/client.h"

enum { LOST_SIZE = 40 }; /* ,"lost":9223372036854775807} */

struct entry {
    struct entry *next;
    size_t size;
    int64_t lost; /* lines before this one */
    char json[];
};

/* From `first` on under the lock of the log. */
struct capture {
    struct log_sink sink;
    struct source source;
    shared_client *client;
    struct request *request;
    struct capture *next;
    int32_t lines_max;
    struct entry *first, **last;
    int32_t count;
    int64_t lost; /* since the newest line in the list */
};

static struct capture *capture_of(struct source *source) {
    return (struct capture *)((char *)source - offsetof(struct capture, source));
}

/* --- the side of the threads that log ------------------------------------------------------------- */

static struct entry *entry_new(const char *json, size_t size, int64_t lost) {
    struct entry *entry = malloc(sizeof *entry + size + LOST_SIZE);
    if (!entry) return NULL;
    *entry = (struct entry){.size = size, .lost = lost};
    memcpy(entry->json, json, size);
    entry->json[size] = '\0';
    if (lost) /* in place of the last brace */
        (void)snprintf(entry->json + size - 1, LOST_SIZE, ",\"lost\":%lld}", (long long)lost);
    return entry;
}

static void capture_take(struct log_sink *sink, const char *json, size_t size) {
    struct capture *capture = (struct capture *)((char *)sink - offsetof(struct capture, sink));
    struct entry *entry =
        capture->count < capture->lines_max ? entry_new(json, size, capture->lost) : NULL;
    if (!entry) {
        capture->lost++;
        return;
    }
    capture->lost = 0;
    *capture->last = entry;
    capture->last = &entry->next;
    const uint64_t one = 1;
    if (capture->count++ == 0) (void)!write(capture->source.fd, &one, sizeof one);
}

/* --- the side of the client ----------------------------------------------------------------------- */

static struct entry *take_all(struct capture *capture) {
    log_sinks_lock();
    struct entry *first = capture->first;
    capture->first = NULL;
    capture->last = &capture->first;
    capture->count = 0;
    log_sinks_unlock();
    return first;
}

/* Lines that no event could be made of. */
static void add_lost(struct capture *capture, int64_t lost) {
    log_sinks_lock();
    capture->lost += lost;
    log_sinks_unlock();
}

static bool make_event(struct capture *capture, const struct entry *entry) {
    struct request *request = capture->request;
    if (client_events_waiting(capture->client, request->tag) >= capture->lines_max) return false;
    char *json = text_copy(entry->json);
    struct shared_event *event = json ? request_more(request, SHARED_EVENT_LOG) : NULL;
    if (!event) {
        free(json);
        return false;
    }
    event->json = json;
    event->count = 1;
    return true;
}

static void drain(struct capture *capture) {
    int64_t lost = 0;
    for (struct entry *entry = take_all(capture), *next; entry; entry = next) {
        next = entry->next;
        if (!make_event(capture, entry)) lost += entry->lost + 1;
        free(entry);
    }
    if (lost) add_lost(capture, lost);
}

static void lines_ready(struct source *source, uint32_t events) {
    (void)events;
    uint64_t count;
    (void)!read(source->fd, &count, sizeof count);
    drain(capture_of(source));
}

static void capture_free(struct capture *capture) {
    log_sink_remove(&capture->sink);
    int fd = capture->source.fd;
    source_remove(capture->client, &capture->source);
    if (fd >= 0) (void)close(fd);
    for (struct entry *entry = capture->first, *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
    free(capture);
}

static void captures_stop(void *state) {
    for (struct capture *capture = state, *next; capture; capture = next) {
        next = capture->next;
        request_drop(capture->request);
        capture_free(capture);
    }
}

static void capture_end(struct request *request, const struct shared_error *why) {
    struct capture *capture = request->owner;
    shared_client *client = capture->client;
    log_sink_remove(&capture->sink); /* first: nothing comes after the last event */
    drain(capture);
    struct capture *first = client_state(client, CLIENT_LOG), **place = &first;
    while (*place != capture) place = &(*place)->next;
    *place = capture->next;
    client_set_state(client, CLIENT_LOG, first, captures_stop);
    request->event->count = capture->lost;
    capture_free(capture);
    request_fail(request, why);
}

static shared_status capture_open(struct capture *capture) {
    struct shared_error error;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(&error, errno, "eventfd");
        return fail_with(&error);
    }
    shared_status status = source_add(capture->client, &capture->source, fd, EPOLLIN, lines_ready);
    if (status < 0) (void)close(fd);
    return status;
}

shared_status shared_log_capture(shared_client *client, int32_t level, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, and lines need one");
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture) return fail(SHARED_ENOMEM, "log: out of memory");
    capture->sink = (struct log_sink){.level = level, .take = capture_take};
    capture->client = client;
    capture->source.fd = -1;
    capture->lines_max = (int32_t)client_setting(client, "LOG_CAPTURE_LINES");
    capture->last = &capture->first;
    capture->request = request_new(client, tag, 0, capture_end, capture);
    status = capture->request ? capture_open(capture) : shared_error_code(shared_error_last());
    if (status >= 0) status = log_sink_add(&capture->sink);
    if (status < 0) {
        if (capture->request) request_drop(capture->request);
        capture_free(capture);
        return status;
    }
    capture->next = client_state(client, CLIENT_LOG);
    client_set_state(client, CLIENT_LOG, capture, captures_stop);
    return SHARED_OK;
}
