/* SPDX-License-Identifier: MIT
 * subscribe.c - who listens to which document, over one Redis connection. What a listener is told first
 * is replay.c's matter; here is what happens from then on, also when connections break. Never publishes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "progress/watch.h"

static void quiet_over(struct timer *timer);

/* --- topics ------------------------------------------------------------------------------------------------ */

static void topic_free_if_unused(struct topic *topic) {
    if (topic->watches || topic->busy > 0) return;
    struct progress *progress = topic->progress;
    timer_stop(progress->client, &topic->quiet);
    row_forget(topic);
    redis_unsubscribe(progress->listen, topic->channel);
    names_remove(&progress->topics, &topic->name);
    free(topic);
}

static struct topic *topic_new(struct progress *progress, const char *channel) {
    size_t size = strlen(channel) + 1;
    struct topic *topic = calloc(1, sizeof *topic + size);
    if (!topic) return NULL;
    memcpy(topic->channel, channel, size);
    topic->progress = progress;
    topic->document_id = topic->channel + sizeof PREFIX_CHANNEL - 1;
    if (!names_add(&progress->topics, &topic->name, topic->channel)) {
        free(topic);
        return NULL;
    }
    if (redis_subscribe(progress->listen, topic->channel) < 0) {
        names_remove(&progress->topics, &topic->name);
        free(topic);
        return NULL;
    }
    timer_start(progress->client, &topic->quiet, QUIET_MS, quiet_over);
    return topic;
}

static struct topic *topic_of(struct progress *progress, const char *document_id) {
    char channel[sizeof PREFIX_CHANNEL + DOCUMENT_ID_SIZE_MAX];
    snprintf(channel, sizeof channel, PREFIX_CHANNEL "%s", document_id);
    struct name *name = names_find(&progress->topics, channel);
    return name ? (struct topic *)name : topic_new(progress, channel);
}

static struct topic *find_topic(struct listener *listener, const char *channel) {
    struct progress *progress =
        (struct progress *)((char *)listener - offsetof(struct progress, listener));
    return (struct topic *)names_find(&progress->topics, channel);
}

/* --- watches ------------------------------------------------------------------------------------------------ */

void watch_free(struct watch *watch) {
    struct topic *topic = watch->topic;
    if (watch->group) group_leave(watch);
    timer_stop(topic->progress->client, &watch->patience);
    watch_drop_reading(watch);
    for (int32_t i = 0; i < watch->early_count; i++) message_unref(watch->early[i]);
    if (watch->next) watch->next->previous = watch->previous;
    *(watch->previous ? &watch->previous->next : &topic->watches) = watch->next;
    free(watch);
    topic_free_if_unused(topic);
}

void watch_end(struct watch *watch, const struct shared_error *error) {
    if (watch->group) {
        group_end_watch(watch, error);
        return;
    }
    struct request *request = watch->request;
    watch_free(watch);
    if (error)
        request_fail(request, error);
    else
        request_end(request);
}

struct shared_event *event_of_document(struct request *request, int32_t kind,
                                       const char *document_id) {
    char *document = text_copy(document_id);
    struct shared_event *event = document ? request_more(request, kind) : NULL;
    if (event)
        event->document = document;
    else
        free(document);
    return event;
}

/* The event to put a message into: a new one, or of a slow reader the newest that it has not taken. */
static struct shared_event *next_event(struct watch *watch, bool replay) {
    if (watch->group) return group_event(watch, replay);
    struct request *request = watch->request;
    int32_t waiting = client_events_waiting(request->client, request->tag);
    if (waiting == 0) watch->allowance = 0;
    if (replay) watch->allowance++;
    if (replay || waiting <= WAITING_MAX + watch->allowance)
        return request_more(request, SHARED_EVENT_PROGRESS);
    struct shared_event *event = client_event_last(request->client, request->tag);
    return event ? event : request_more(request, SHARED_EVENT_PROGRESS);
}

void event_set_message(struct shared_event *event, struct message *message) {
    free(event->json);
    event->json = text_copy_size(message->json, message->size);
    rows_ref(&message->rows);
    rows_unref(event->rows);
    event->rows = &message->rows;
    event->model = SHARED_PROGRESS;
    event->count = 1;
    memcpy(event->id, message->id_text, sizeof message->id_text);
}

bool watch_tell(struct watch *watch, struct message *message, bool replay) {
    struct shared_event *event = next_event(watch, replay);
    if (event) event_set_message(event, message);
    if (message->has_id && message->id.ms > 0) watch->told = message->id;
    if (!message->final) return true;
    watch_end(watch, NULL);
    return false;
}

/* A live message. It comes over another connection than the log, so for a while it may be one that the log
 * has told already; not for ever, or a clock that was set back would make listeners deaf. */
static bool watch_hear(struct watch *watch, struct message *message) {
    bool known = message->has_id && stream_id_compare(message->id, watch->told) <= 0 &&
                 time_monotonic_ms() < watch->echo_until_ms;
    return known || watch_tell(watch, message, false);
}

/* Reads again what it may have missed while the connection was broken. */
static void watch_resume(struct watch *watch) {
    watch->from = watch->told;
    watch->has_from = watch->told.ms > 0;
    watch->row_is_read = watch->row_is_fresh = false;
    watch_read_log(watch);
}

void watch_go_live(struct watch *watch) {
    struct message *early[EARLY_MAX];
    int32_t count = watch->early_count;
    memcpy(early, watch->early, sizeof early);
    watch->early_count = 0;
    watch->state = WATCH_LIVE;
    watch->resumes = true;
    timer_stop(watch->topic->progress->client, &watch->patience);
    watch->echo_until_ms = time_monotonic_ms() + ECHO_MS;
    bool goes_on = true;
    for (int32_t i = 0; i < count; i++) {
        if (goes_on) goes_on = watch_hear(watch, early[i]);
        message_unref(early[i]);
    }
    if (!goes_on || !watch->read_again) return;
    watch->read_again = false;
    watch_resume(watch);
    row_read(watch->topic);
}

/* Until the log has been read, messages are kept; of too many the newest. */
static void keep_early(struct watch *watch, struct message *message) {
    if (watch->early_count == EARLY_MAX) {
        message_unref(watch->early[0]);
        memmove(watch->early, watch->early + 1, sizeof watch->early - sizeof *watch->early);
        watch->early_count--;
    }
    rows_ref(&message->rows);
    watch->early[watch->early_count++] = message;
}

/* --- the connection ------------------------------------------------------------------------------------------ */

static void on_message(struct listener *listener, const char *channel, const char *payload,
                       size_t size) {
    struct topic *topic = find_topic(listener, channel);
    struct message *message = topic ? message_read(payload, size, NULL, true) : NULL;
    if (topic && (message || errno == ENOMEM))
        timer_start(topic->progress->client, &topic->quiet, message ? QUIET_MS : SCARCE_MS,
                    quiet_over);
    if (topic && !message && errno != ENOMEM)
        progress_dropped(topic->progress, topic->document_id, size);
    if (!message) return;
    topic->busy++;
    for (struct watch *watch = topic->watches, *next; watch; watch = next) {
        next = watch->next;
        if (watch->state == WATCH_LIVE)
            watch_hear(watch, message);
        else if (watch->state == WATCH_READING)
            keep_early(watch, message);
    }
    topic->busy--;
    message_unref(message);
    topic_free_if_unused(topic);
}

static void on_subscribed(struct listener *listener, const char *channel) {
    struct topic *topic = find_topic(listener, channel);
    if (!topic) return;
    topic->confirmed = true;
    topic->busy++;
    bool resumed = false;
    for (struct watch *watch = topic->watches, *next; watch; watch = next) {
        next = watch->next;
        resumed |= watch->state == WATCH_LIVE;
        if (watch->state == WATCH_LIVE)
            watch_resume(watch);
        else if (watch->state == WATCH_WAITING)
            watch_read_log(watch);
        else
            watch->read_again = true;
    }
    if (resumed) row_read(topic);
    topic->busy--;
    topic_free_if_unused(topic);
}

static void on_lost(struct listener *listener, const struct shared_error *error) {
    (void)error;
    struct progress *progress =
        (struct progress *)((char *)listener - offsetof(struct progress, listener));
    for (size_t i = 0; i < progress->topics.slot_count; i++)
        for (struct name *name = progress->topics.slots[i]; name; name = name->next)
            ((struct topic *)name)->confirmed = false;
}

/* --- the row -------------------------------------------------------------------------------------------------- */

/* Nothing was heard for long: has the last message got lost? May end the watch. */
static void check_quiet(struct watch *watch) {
    const struct row *row = &watch->topic->row;
    struct message *message = row_is_final(row) ? row_message(row, true) : NULL;
    if (message) watch_tell(watch, message, false);
    message_unref(message);
}

static void watch_row_read(struct watch *watch, bool quiet_check,
                           const struct shared_error *error) {
    bool absent = !error && watch->topic->row.status == ROW_ABSENT;
    if (watch->state == WATCH_LIVE) {
        if (absent)
            watch_decide(watch);
        else if (quiet_check && !error)
            check_quiet(watch);
        return;
    }
    if (watch->row_is_read) return;
    if (error && !watch->resumes) {
        watch_end(watch, error);
        return;
    }
    watch->row_is_read = true; /* of one that resumes: as it was last seen */
    if (absent || (watch->state == WATCH_READING && watch->log_read)) watch_decide(watch);
}

void topic_row_read(struct topic *topic, const struct shared_error *error) {
    bool quiet_check = topic->quiet_check;
    topic->quiet_check = false;
    topic->busy++;
    for (struct watch *watch = topic->watches, *next; watch; watch = next) {
        next = watch->next;
        watch_row_read(watch, quiet_check, error);
    }
    topic->busy--;
    topic_free_if_unused(topic);
}

static void quiet_over(struct timer *timer) {
    struct topic *topic = (struct topic *)((char *)timer - offsetof(struct topic, quiet));
    timer_start(topic->progress->client, &topic->quiet, QUIET_MS, quiet_over);
    topic->quiet_check = true;
    row_read(topic);
}

/* Redis does not confirm: the row speaks alone; when Redis is back, the log is read after all. */
static void patience_over(struct timer *timer) {
    struct watch *watch = (struct watch *)((char *)timer - offsetof(struct watch, patience));
    if (watch->state != WATCH_WAITING) return;
    watch->state = WATCH_READING;
    watch->log_read = true;
    if (watch->row_is_read) watch_decide(watch);
}

/* --- the public side ------------------------------------------------------------------------------------------- */

void topics_free(struct progress *progress) {
    for (size_t i = 0; i < progress->topics.slot_count; i++) {
        while (progress->topics.slots[i]) {
            struct topic *topic = (struct topic *)progress->topics.slots[i];
            while (topic->watches->next) watch_free(topic->watches);
            watch_free(topic->watches);
        }
    }
    names_finish(&progress->topics);
}

static void watch_cancel(struct request *request, const struct shared_error *why) {
    watch_end(request->owner, why);
}

shared_status listen_start(struct progress *progress) {
    if (progress->listen) return SHARED_OK;
    struct redis *listen = client_redis(progress->client, REDIS_LISTEN);
    if (!listen) return shared_error_code(shared_error_last());
    progress->listen = listen;
    progress->listener = (struct listener){.message = on_message,
                                           .subscribed = on_subscribed,
                                           .lost = on_lost,
                                           .matched = spectators_hear};
    redis_listen(listen, &progress->listener);
    return SHARED_OK;
}

static struct watch *watch_new(struct topic *topic, const char *last_event_id) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) return NULL;
    watch->has_from = last_event_id != NULL;
    if (last_event_id && !stream_id_read(last_event_id, &watch->from))
        watch->from = (struct stream_id){0};
    watch->topic = topic;
    watch->next = topic->watches;
    if (watch->next) watch->next->previous = watch;
    topic->watches = watch;
    return watch;
}

struct watch *watch_make(struct progress *progress, const char *document_id,
                         const char *last_event_id) {
    struct topic *topic = topic_of(progress, document_id);
    struct watch *watch = topic ? watch_new(topic, last_event_id) : NULL;
    if (watch) return watch;
    if (topic) topic_free_if_unused(topic);
    fail(SHARED_ENOMEM, "progress: out of memory");
    return NULL;
}

void watch_start(struct watch *watch) {
    struct topic *topic = watch->topic;
    timer_start(topic->progress->client, &watch->patience, PATIENCE_MS, patience_over);
    if (topic->confirmed) watch_read_log(watch);
    row_read(topic); /* last: without a pool it ends the watch at once */
}

shared_status shared_progress_subscribe(shared_client *client, const char *document_id,
                                        const char *last_event_id, uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = document_id_check(document_id);
    if (status < 0) return status;
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, and messages need one");
    struct progress *progress = client_progress(client);
    status = progress ? listen_start(progress) : shared_error_code(shared_error_last());
    if (!progress || status < 0) return status;
    struct watch *watch = watch_make(progress, document_id, last_event_id);
    if (!watch) return SHARED_ENOMEM;
    watch->request = request_new(client, tag, 0, watch_cancel, watch);
    if (!watch->request) {
        watch_free(watch);
        return shared_error_code(shared_error_last());
    }
    watch_start(watch);
    return SHARED_OK;
}
