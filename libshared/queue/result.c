/* SPDX-License-Identifier: MIT
 * result.c - waits for results: SUBSCRIBE, then GET, then what is published. All waits of a client share
 * one connection; a GET every few seconds finds what a publisher forgot to publish. Never writes one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"

enum { POLL_MS = 5000, AGAIN_MS = 50 };

/* A client's slot CLIENT_RESULT. */
struct results {
    shared_client *client;
    struct redis *listen;
    struct listener listener;
    struct names channels; /* struct channel */
};

/* celery-task-meta-<id>: a channel and a key of the same name. */
struct channel {
    struct name name;
    struct results *results;
    struct wait *waits;
    struct lookup_of_meta *lookup; /* under way, or NULL */
    struct timer poll;
    char text[META_KEY_SIZE];
};

struct wait {
    struct wait *next;
    struct channel *channel;
    struct request *request;
};

struct lookup_of_meta {
    struct command command;  /* first */
    struct channel *channel; /* NULL: gone */
};

static struct redis *result_redis(const struct results *results) {
    return client_redis(results->client, REDIS_RESULT);
}

static void channel_free(struct channel *channel) {
    struct results *results = channel->results;
    timer_stop(results->client, &channel->poll);
    if (channel->lookup) channel->lookup->channel = NULL;
    redis_unsubscribe(results->listen, channel->text);
    names_remove(&results->channels, &channel->name);
    free(channel);
}

static void wait_free(struct wait *wait) {
    struct channel *channel = wait->channel;
    for (struct wait **at = &channel->waits; *at; at = &(*at)->next) {
        if (*at != wait) continue;
        *at = wait->next;
        break;
    }
    free(wait);
    if (!channel->waits) channel_free(channel);
}

/* Ends every wait of the channel, and with the last one the channel. */
static void channel_tell(struct channel *channel, const char *json, size_t size) {
    struct wait *next;
    for (struct wait *wait = channel->waits; wait; wait = next) {
        next = wait->next;
        struct request *request = wait->request;
        request->event->kind = SHARED_EVENT_DONE;
        request->event->json = text_copy_size(json, size);
        if (request->event->json) {
            request_end(request);
        } else {
            struct shared_error error;
            error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "result: out of memory");
            request_fail(request, &error);
        }
        wait_free(wait);
    }
}

/* --- GET --------------------------------------------------------------------------------------------- */

static void channel_look(struct channel *channel);

static void poll_again(struct timer *timer) {
    channel_look((struct channel *)((char *)timer - offsetof(struct channel, poll)));
}

static void check_looked(struct command *command, const struct reply *reply,
                         const struct shared_error *error) {
    struct channel *channel = ((struct lookup_of_meta *)command)->channel;
    free(command);
    if (!channel) return;
    channel->lookup = NULL;
    /* What the network took is asked for again soon. */
    timer_start(channel->results->client, &channel->poll, error ? AGAIN_MS : POLL_MS, poll_again);
    if (!error && reply->type == REPLY_TEXT && meta_is_ready(reply->text, reply->size))
        channel_tell(channel, reply->text, reply->size);
}

static void channel_look(struct channel *channel) {
    struct redis *result = channel->lookup ? NULL : result_redis(channel->results);
    struct lookup_of_meta *lookup = result ? calloc(1, sizeof *lookup) : NULL;
    if (!lookup) {
        timer_start(channel->results->client, &channel->poll, AGAIN_MS, poll_again);
        return;
    }
    lookup->channel = channel;
    lookup->command.finish = check_looked;
    channel->lookup = lookup;
    redis_send(result, &lookup->command, 2, (const char *[]){"GET", channel->text}, NULL);
}

/* --- what is published --------------------------------------------------------------------------------- */

static struct channel *find_channel(struct listener *listener, const char *text) {
    struct results *results =
        (struct results *)((char *)listener - offsetof(struct results, listener));
    return (struct channel *)names_find(&results->channels, text);
}

static void on_message(struct listener *listener, const char *text, const char *payload,
                       size_t size) {
    struct channel *channel = find_channel(listener, text);
    if (channel && meta_is_ready(payload, size)) channel_tell(channel, payload, size);
}

/* Only now a GET leaves no gap; the same after a connection was mended. */
static void on_subscribed(struct listener *listener, const char *text) {
    struct channel *channel = find_channel(listener, text);
    if (channel) channel_look(channel);
}

static void on_lost(struct listener *listener, const struct shared_error *error) {
    (void)listener;
    (void)error;
}

/* --- the public side ------------------------------------------------------------------------------------- */

static void results_stop(void *state) {
    struct results *results = state;
    for (size_t i = 0; i < results->channels.slot_count; i++) {
        while (results->channels.slots[i]) {
            struct channel *channel = (struct channel *)results->channels.slots[i];
            while (channel->waits->next) wait_free(channel->waits);
            wait_free(channel->waits);
        }
    }
    names_finish(&results->channels);
    free(results);
}

static struct results *client_results(shared_client *client) {
    struct results *results = client_state(client, CLIENT_RESULT);
    if (results) return results;
    struct redis *listen = client_redis(client, REDIS_RESULT_LISTEN);
    if (!listen || !client_redis(client, REDIS_RESULT)) return NULL;
    results = calloc(1, sizeof *results);
    if (!results) {
        fail(SHARED_ENOMEM, "result: out of memory");
        return NULL;
    }
    results->client = client;
    results->listen = listen;
    results->listener =
        (struct listener){.message = on_message, .subscribed = on_subscribed, .lost = on_lost};
    redis_listen(listen, &results->listener);
    client_set_state(client, CLIENT_RESULT, results, results_stop);
    return results;
}

static void wait_cancel(struct request *request, const struct shared_error *why) {
    struct wait *wait = request->owner;
    wait_free(wait);
    request_fail(request, why);
}

/* The channel of a task, subscribed. */
static struct channel *channel_of(struct results *results, const char *task_id) {
    char text[META_KEY_SIZE];
    snprintf(text, sizeof text, PREFIX_META "%s", task_id);
    struct channel *channel = (struct channel *)names_find(&results->channels, text);
    if (channel) return channel;
    channel = calloc(1, sizeof *channel);
    if (!channel) return NULL;
    channel->results = results;
    memcpy(channel->text, text, sizeof text);
    if (!names_add(&results->channels, &channel->name, channel->text)) {
        free(channel);
        return NULL;
    }
    if (redis_subscribe(results->listen, channel->text) == SHARED_OK) return channel;
    names_remove(&results->channels, &channel->name);
    free(channel);
    return NULL;
}

shared_status shared_queue_result(shared_client *client, const char *task_id, int64_t timeout_ms,
                                  uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = queue_text_check("task_id", task_id, CELERY_NAME_SIZE_MAX);
    if (status < 0) return status;
    if (timeout_ms <= 0)
        return fail(SHARED_EINVALID, "timeout_ms: %lld, at least 1", (long long)timeout_ms);
    struct results *results = client_results(client);
    if (!results) return shared_error_code(shared_error_last());
    struct wait *wait = calloc(1, sizeof *wait);
    if (!wait) return fail(SHARED_ENOMEM, "result: out of memory");
    wait->request = request_new(client, tag, timeout_ms, wait_cancel, wait);
    if (!wait->request) {
        free(wait);
        return shared_error_code(shared_error_last());
    }
    wait->channel = channel_of(results, task_id);
    if (!wait->channel) {
        request_drop(wait->request);
        free(wait);
        return fail(SHARED_ENOMEM, "result: out of memory");
    }
    bool first = !wait->channel->waits;
    wait->next = wait->channel->waits;
    wait->channel->waits = wait;
    /* Another wait's GET may be over already; the first one's comes when the server confirms. */
    if (first)
        timer_start(client, &wait->channel->poll, POLL_MS, poll_again);
    else
        channel_look(wait->channel);
    return SHARED_OK;
}
