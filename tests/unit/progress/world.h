/* SPDX-License-Identifier: MIT
 * world.h - what tests of the queue and of progress need: a client of the private servers that
 * with-servers started, events with a deadline, and redis-cli as a function.
 */
#ifndef WORLD_H
#define WORLD_H

#include <hiredis/hiredis.h>
#include <shared.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "unit.h"

enum { PATIENCE_MS = 10000 };

static redisContext *world_redis;

/* Sets a test's settings: pairs of name and value, then NULL. Each test starts with empty servers. */
__attribute__((unused)) static shared_client *world_client(const char *name, ...) {
    shared_config *config;
    shared_client *client;
    const char *url = getenv("TEST_REDIS_URL");
    ck_assert_msg(url != NULL, "run by tests/unit/with-servers");
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    const char *const presets[][2] = {{"REDIS_URL", url},
                                      {"DATABASE_URL", getenv("TEST_DATABASE_URL")},
                                      {"LEASE_S", "2"},
                                      {"LEASE_RENEW_S", "1"}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (presets[i][1])
            ck_assert_int_eq(shared_config_set(config, presets[i][0], presets[i][1]), SHARED_OK);
    va_list list;
    va_start(list, name);
    for (; name; name = va_arg(list, const char *)) {
        const char *value = va_arg(list, const char *);
        ck_assert_msg(shared_config_set(config, name, value) == SHARED_OK, "%s",
                      shared_error_message(shared_error_last()));
    }
    va_end(list);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    return client;
}

/* --- redis-cli ----------------------------------------------------------------------------------------- */

static void world_connect(void) {
    /* redis://:PASSWORD@127.0.0.1:PORT, and perhaps /NUMBER */
    char password[64] = "", host[64] = "";
    int port = 0, number = 0;
    const char *url = getenv("TEST_REDIS_URL");
    ck_assert_ptr_nonnull(url);
    if (sscanf(url, "redis://:%63[^@]@%63[^:]:%d/%d", password, host, &port, &number) < 3)
        ck_assert_int_ge(sscanf(url, "redis://%63[^:]:%d/%d", host, &port, &number), 2);
    world_redis = redisConnect(host, port);
    ck_assert(world_redis && !world_redis->err);
    if (*password) freeReplyObject(redisCommand(world_redis, "AUTH %s", password));
    if (number) freeReplyObject(redisCommand(world_redis, "SELECT %d", number));
}

/* The answer as text: "(nil)", a number, a text, or the items of a list with spaces between. */
__attribute__((format(printf, 1, 2), unused)) static const char *redis_say(const char *format,
                                                                           ...) {
    static char texts[8][1 << 17];
    static int turn;
    char *text = texts[turn++ % 8];
    if (!world_redis) world_connect();
    va_list list;
    va_start(list, format);
    redisReply *reply = redisvCommand(world_redis, format, list);
    va_end(list);
    ck_assert_msg(reply != NULL, "%s", world_redis->errstr);
    size_t size = 0, room = sizeof texts[0];
    *text = '\0';
    switch (reply->type) {
    case REDIS_REPLY_NIL: snprintf(text, room, "(nil)"); break;
    case REDIS_REPLY_INTEGER: snprintf(text, room, "%lld", reply->integer); break;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements && size < room; i++) {
            const redisReply *item = reply->element[i];
            int more =
                item->type == REDIS_REPLY_INTEGER
                    ? snprintf(text + size, room - size, "%s%lld", i ? " " : "", item->integer)
                    : snprintf(text + size, room - size, "%s%s", i ? " " : "",
                               item->str ? item->str : "(nil)");
            size += (size_t)more;
        }
        break;
    default: snprintf(text, room, "%s", reply->str); break;
    }
    freeReplyObject(reply);
    return text;
}

/* With a database of its own a test shares the server: the others are somebody else's. */
__attribute__((unused)) static void world_begin(void) {
    bool shares = strchr(getenv("TEST_REDIS_URL") + strlen("redis://"), '/') != NULL;
    redis_say(shares ? "FLUSHDB" : "FLUSHALL");
}

/* --- events ------------------------------------------------------------------------------------------ */

/* The next event of the tag. It lives until the next call. */
__attribute__((unused)) static const shared_event *world_wait(shared_client *client, uint64_t tag) {
    const shared_event *event = NULL;
    shared_status status = shared_client_wait(client, tag, PATIENCE_MS, &event);
    ck_assert_msg(event != NULL, "tag %d: %s", (int)tag,
                  status < 0 ? shared_error_message(shared_error_last()) : "no event");
    return event;
}

/* The tag's event tells no error. */
__attribute__((unused)) static const shared_event *world_done(shared_client *client, uint64_t tag) {
    const shared_event *event = world_wait(client, tag);
    ck_assert_msg(shared_event_error(event) == NULL, "tag %d: %s", (int)tag,
                  shared_error_message(shared_event_error(event)));
    return event;
}

/* Turns until the condition holds. */
#define world_until(client, condition)                                                             \
    do {                                                                                           \
        int64_t world_end_ms = time_monotonic_ms() + PATIENCE_MS;                                  \
        while (!(condition)) {                                                                     \
            ck_assert_msg(time_monotonic_ms() < world_end_ms, "never: %s", #condition);            \
            ck_assert_int_ge(shared_client_dispatch(client, 5), 0);                                \
        }                                                                                          \
    } while (0)

/* What a client said last before it was freed may still be on its way to the server. */
#define world_soon(condition)                                                                      \
    do {                                                                                           \
        int64_t world_end_ms = time_monotonic_ms() + PATIENCE_MS;                                  \
        while (!(condition))                                                                       \
            ck_assert_msg(time_monotonic_ms() < world_end_ms, "never: %s", #condition);            \
    } while (0)

/* Turns for a while; the tag must stay silent. */
__attribute__((unused)) static void world_silence(shared_client *client, uint64_t tag, int64_t ms) {
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_wait(client, tag, (int32_t)ms, &event), SHARED_ETIMEOUT);
}

#endif
