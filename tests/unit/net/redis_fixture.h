/* SPDX-License-Identifier: MIT
 * redis_fixture.h - a command that remembers how it ended, and a listener that remembers what it heard.
 */
#ifndef REDIS_FIXTURE_H
#define REDIS_FIXTURE_H

#include <string.h>

#include "client_fixture.h"
#include "net/redis.h"

struct asked {
    struct command command;
    int finished;
    struct shared_error error; /* code 0: it went well */
    enum reply_type type;
    int64_t integer;
    char text[256];
};

static int asked_count; /* finished so far */

static inline void asked_finish(struct command *command, const struct reply *reply,
                                const struct shared_error *error) {
    struct asked *asked = (struct asked *)((char *)command - offsetof(struct asked, command));
    asked->finished++;
    asked_count++;
    ck_assert((reply == NULL) == (error != NULL));
    if (error) {
        asked->error = *error;
        return;
    }
    ck_assert_int_ne(reply->type, REPLY_ERROR);
    asked->type = reply->type;
    asked->integer = reply->integer;
    (void)snprintf(asked->text, sizeof asked->text, "%s", reply->text);
}

static inline void ask(struct redis *redis, struct asked *asked, int32_t count,
                       const char *const *words) {
    *asked = (struct asked){.command.finish = asked_finish};
    redis_send(redis, &asked->command, count, words, NULL);
    ck_assert_int_eq(asked->finished, 0); /* never from inside of redis_send */
}

static inline void ask_ping(struct redis *redis, struct asked *asked) {
    ask(redis, asked, 1, (const char *[]){"PING"});
}

static inline struct redis *redis_of(shared_client *client, enum redis_role role) {
    struct redis *redis = client_redis(client, role);
    ck_assert_msg(redis != NULL, "%s", shared_error_message(shared_error_last()));
    return redis;
}

/* --- a listener ----------------------------------------------------------------------------------- */
static struct heard {
    int messages, matched, subscribed, lost;
    char channel[64], payload[256];
    struct shared_error error;
} heard;

static inline void heard_message(struct listener *listener, const char *channel,
                                 const char *payload, size_t size) {
    (void)listener;
    heard.messages++;
    ck_assert_uint_eq(strlen(payload), size);
    (void)snprintf(heard.channel, sizeof heard.channel, "%s", channel);
    (void)snprintf(heard.payload, sizeof heard.payload, "%s", payload);
}

/* Of a pattern: the channel is the one that was spoken to. */
static inline void heard_matched(struct listener *listener, const char *channel,
                                 const char *payload, size_t size) {
    heard_message(listener, channel, payload, size);
    heard.messages--;
    heard.matched++;
}

static inline void heard_subscribed(struct listener *listener, const char *channel) {
    (void)listener;
    (void)channel;
    heard.subscribed++;
}

static inline void heard_lost(struct listener *listener, const struct shared_error *error) {
    (void)listener;
    heard.lost++;
    heard.error = *error;
}

/* The one listener of a test; what one before it in this process heard is forgotten (CK_FORK=no). */
static inline struct listener *heard_by(void) {
    static struct listener listener = {.message = heard_message,
                                       .subscribed = heard_subscribed,
                                       .lost = heard_lost,
                                       .matched = heard_matched};
    heard = (struct heard){0};
    return &listener;
}

#endif
