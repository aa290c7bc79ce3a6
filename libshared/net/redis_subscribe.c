/* SPDX-License-Identifier: MIT
 * redis_subscribe.c - the channels a connection listens to: wanted by name and count, asked for in
 * batches, asked for again after a reconnect. Never keeps a message.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "net/redis_private.h"

enum { TABLE_MIN = 16, BATCH = 256 /* channels in one SUBSCRIBE */ };

/* --- the table of channels ------------------------------------------------------------------------ */
/* Names come from users: the seed keeps them from choosing ones that fall into one chain. */
static uint32_t channel_hash(const struct channels *channels, const char *name) {
    uint64_t hash = channels->seed;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> 16) & (channels->table_size - 1);
}

/* A pattern and a channel of the same text are two. */
static struct channel *channel_find(const struct channels *channels, const char *name,
                                    bool pattern) {
    if (channels->table_size == 0) return NULL;
    struct channel *channel = channels->table[channel_hash(channels, name)];
    while (channel && (channel->pattern != pattern || strcmp(channel->name, name) != 0))
        channel = channel->same_hash;
    return channel;
}

static void channel_insert(struct channels *channels, struct channel *channel) {
    struct channel **chain = &channels->table[channel_hash(channels, channel->name)];
    channel->same_hash = *chain;
    *chain = channel;
}

/* Without memory longer chains do too, except at first. */
static bool table_grow(struct channels *channels) {
    if ((uint32_t)channels->count < channels->table_size) return true;
    uint32_t old_size = channels->table_size;
    struct channel **old = channels->table;
    struct channel **table = calloc(old_size ? old_size * 2 : TABLE_MIN, sizeof *table);
    if (!table) return old_size > 0;
    if (!old_size) channels->seed = random_u64();
    channels->table = table;
    channels->table_size = old_size ? old_size * 2 : TABLE_MIN;
    for (uint32_t i = 0; i < old_size; i++) {
        for (struct channel *channel = old[i], *next; channel; channel = next) {
            next = channel->same_hash;
            channel_insert(channels, channel);
        }
    }
    free(old);
    return true;
}

static struct channel *channel_new(struct channels *channels, const char *name, bool pattern) {
    size_t size = strlen(name) + 1;
    struct channel *channel = table_grow(channels) ? calloc(1, sizeof *channel + size) : NULL;
    if (!channel) return NULL;
    memcpy(channel->name, name, size);
    channel->pattern = pattern;
    channel_insert(channels, channel);
    channels->count++;
    return channel;
}

/* Frees one that nobody wants and about which no answer is due. */
static void channel_settle(struct channels *channels, struct channel *channel) {
    if (channel->references > 0 || channel->pending > 0 || channel->asked || channel->changed)
        return;
    struct channel **link = &channels->table[channel_hash(channels, channel->name)];
    while (*link != channel) link = &(*link)->same_hash;
    *link = channel->same_hash;
    channels->count--;
    free(channel);
}

void channels_free(struct channels *channels) {
    for (uint32_t i = 0; i < channels->table_size; i++) {
        for (struct channel *channel = channels->table[i], *next; channel; channel = next) {
            next = channel->same_hash;
            free(channel);
        }
    }
    free(channels->table);
    *channels = (struct channels){0};
}

/* --- what is wanted ------------------------------------------------------------------------------- */
static void channel_change(struct redis *redis, struct channel *channel) {
    if (!channel->changed) {
        channel->changed = true;
        channel->next_changed = redis->channels.changed;
        redis->channels.changed = channel;
    }
    redis_work_later(redis);
}

void redis_listen(struct redis *redis, struct listener *listener) {
    SHARED_CHECK(redis->listens);
    redis->channels.listener = listener;
    redis_work_later(redis);
}

static shared_status want(struct redis *redis, const char *name, bool pattern) {
    SHARED_CHECK(redis->listens);
    struct channels *channels = &redis->channels;
    struct channel *channel = channel_find(channels, name, pattern);
    if (!channel) channel = channel_new(channels, name, pattern);
    if (!channel) return fail(SHARED_ENOMEM, "channel: out of memory");
    if (channel->references++ > 0) return SHARED_OK;
    channels->wanted++;
    channel->announce = true;
    channel_change(redis, channel);
    return SHARED_OK;
}

static void want_no_more(struct redis *redis, const char *name, bool pattern) {
    struct channel *channel = channel_find(&redis->channels, name, pattern);
    if (!channel || channel->references == 0 || --channel->references > 0) return;
    redis->channels.wanted--;
    channel_change(redis, channel);
}

shared_status redis_subscribe(struct redis *redis, const char *name) {
    return want(redis, name, false);
}

void redis_unsubscribe(struct redis *redis, const char *name) {
    want_no_more(redis, name, false);
}

shared_status redis_subscribe_pattern(struct redis *redis, const char *pattern) {
    return want(redis, pattern, true);
}

void redis_unsubscribe_pattern(struct redis *redis, const char *pattern) {
    want_no_more(redis, pattern, true);
}

bool redis_is_subscribed(const struct redis *redis, const char *name) {
    const struct channel *channel = channel_find(&redis->channels, name, false);
    return channel && channel->confirmed && channel->references > 0;
}

/* --- telling the server --------------------------------------------------------------------------- */
struct batch {
    const char *verb;
    int32_t count;
    const char *names[BATCH];
};

static bool batch_send(struct redis *redis, struct batch *batch) {
    if (batch->count == 0) return true;
    bool good = words_format(&redis->output, (struct words){.count = 1, .words = &batch->verb},
                             (struct words){.count = batch->count, .words = batch->names});
    batch->count = 0;
    return good;
}

static bool batch_add(struct redis *redis, struct batch *batch, struct channel *channel,
                      bool asked) {
    channel->asked = asked;
    channel->confirmed = false;
    channel->pending++; /* from now on it stays until the answer, and with it its name */
    batch->names[batch->count++] = channel->name;
    return batch->count < BATCH || batch_send(redis, batch);
}

static void announce_channel(struct channels *channels, struct channel *channel) {
    if (channels->listener && channel->references > 0 && !channel->pattern)
        channels->listener->subscribed(channels->listener, channel->name);
}

void channels_flush(struct redis *redis) {
    struct channels *channels = &redis->channels;
    struct batch batches[2][2] = {{{.verb = "UNSUBSCRIBE"}, {.verb = "SUBSCRIBE"}},
                                  {{.verb = "PUNSUBSCRIBE"}, {.verb = "PSUBSCRIBE"}}};
    bool good = true;
    while (good && channels->changed) {
        struct channel *channel = channels->changed;
        channels->changed = channel->next_changed;
        channel->changed = false;
        bool want = channel->references > 0, announce = want && channel->announce;
        channel->announce = false;
        if (want != channel->asked) {
            good = batch_add(redis, &batches[channel->pattern][want], channel, want);
        } else if (announce && channel->confirmed) {
            announce_channel(channels, channel);
        }
        channel_settle(channels, channel);
    }
    for (int i = 0; i < 4 && good; i++) good = batch_send(redis, &batches[i / 2][1 - i % 2]);
    if (good) return;
    struct shared_error error;
    error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "%s: out of memory", redis->what);
    redis_break(redis, &error);
}

/* Calls visit for every channel; it may free the one it is given. */
static void channels_walk(struct redis *redis, void (*visit)(struct redis *, struct channel *)) {
    struct channels *channels = &redis->channels;
    for (uint32_t i = 0; i < channels->table_size; i++) {
        for (struct channel *channel = channels->table[i], *next; channel; channel = next) {
            next = channel->same_hash;
            visit(redis, channel);
        }
    }
}

static void channel_want(struct redis *redis, struct channel *channel) {
    if (channel->references > 0) channel_change(redis, channel);
}

void channels_ready(struct redis *redis) {
    channels_walk(redis, channel_want);
    redis->read_ms = time_monotonic_ms();
    beat_start(redis);
}

static void channel_lose(struct redis *redis, struct channel *channel) {
    channel->asked = channel->confirmed = false;
    channel->pending = 0;
    channel_settle(&redis->channels, channel);
}

void channels_lost(struct redis *redis, const struct shared_error *error) {
    if (!redis->listens) return;
    channels_walk(redis, channel_lose);
    struct listener *listener = redis->channels.listener;
    if (listener && listener->lost && redis->channels.wanted > 0) listener->lost(listener, error);
}

/* --- what the server tells ------------------------------------------------------------------------ */
static void confirmed(struct redis *redis, struct channel *channel) {
    struct channels *channels = &redis->channels;
    redis->proven = true;
    redis->failures = 0;
    if (channel->pending > 0) channel->pending--;
    /* The answer to the last word on it: earlier ones were overtaken by a change of mind. */
    if (channel->pending == 0 && channel->asked) {
        channel->confirmed = true;
        channel->announce = false;
        announce_channel(channels, channel);
    }
    channel_settle(channels, channel);
}

static void message(struct redis *redis, struct channel *channel, const struct reply *payload) {
    struct listener *listener = redis->channels.listener;
    if (listener && channel->references > 0)
        listener->message(listener, channel->name, payload->text, payload->size);
}

/* ["pmessage", pattern, channel, payload] */
static void matched(struct redis *redis, struct channel *channel, const struct reply *reply) {
    struct listener *listener = redis->channels.listener;
    if (listener && listener->matched && channel->references > 0 && reply->count >= 4)
        listener->matched(listener, reply->items[2]->text, reply->items[3]->text,
                          reply->items[3]->size);
}

void channels_reply(struct redis *redis, const struct reply *reply) {
    if (reply->type == REPLY_ERROR) {
        struct shared_error error;
        error_set_redis(&error, reply->text);
        redis_break(redis, &error);
        return;
    }
    if (reply->count < 3 || reply->items[0]->size == 0) return; /* ["pong", ""] and +PONG */
    const char *kind = reply->items[0]->text;
    bool pattern = *kind == 'p';
    if (pattern) kind++; /* pmessage, psubscribe, punsubscribe */
    struct channel *channel = channel_find(&redis->channels, reply->items[1]->text, pattern);
    if (!channel) return;
    if (strcmp(kind, "message") == 0 && pattern)
        matched(redis, channel, reply);
    else if (strcmp(kind, "message") == 0)
        message(redis, channel, reply->items[2]);
    else if (strcmp(kind, "subscribe") == 0 || strcmp(kind, "unsubscribe") == 0)
        confirmed(redis, channel);
}

/* --- signs of life -------------------------------------------------------------------------------- */
/* A listener sends nothing, so only a PING finds out that the other end has vanished. One a beat of
 * REDIS_TIMEOUT_MS; silence for two beats ends the connection, so within three (15 s by default). */
static void beat(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, beat_timer));
    int64_t beat_ms = redis->timeout_ms;
    int64_t quiet_ms = time_monotonic_ms() - redis->read_ms;
    if (quiet_ms >= 2 * beat_ms) {
        struct shared_error error;
        error_set(&error, SHARED_REDIS, SHARED_ETIMEOUT, "%s: silent for %lld ms", redis->what,
                  (long long)quiet_ms);
        redis_break(redis, &error);
        return;
    }
    const char *ping = "PING";
    if (quiet_ms >= beat_ms / 2)
        (void)words_format(&redis->output, (struct words){.count = 1, .words = &ping},
                           (struct words){0});
    redis_work_later(redis);
    beat_start(redis);
}

void beat_start(struct redis *redis) {
    timer_start(redis->client, &redis->beat_timer, redis->timeout_ms, beat);
}
