/* SPDX-License-Identifier: MIT
 * redis.h - one connection to Redis: pipelined commands, scripts, subscriptions. Uses only the
 * protocol half of hiredis and owns its socket (and TLS). Connects when first needed and again by
 * itself. Commands sent while it connects wait; while it is known to be down (within the pause between
 * attempts) they fail at once with the last error.
 */
#ifndef NET_REDIS_H
#define NET_REDIS_H

#include "net/client.h"

enum reply_type {
    REPLY_TEXT = 1,
    REPLY_INTEGER,
    REPLY_NULL,
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_ARRAY
};
/* An answer; lives during finish or message only. */
struct reply {
    enum reply_type type;
    int64_t integer;
    const char *text; /* TEXT, STATUS, ERROR: NUL-terminated */
    size_t size;
    size_t count; /* ARRAY */
    struct reply **items;
};

struct redis;
/* One command under way; embed it. finish is called exactly once, from dispatch (or from
 * shared_client_free, then with SHARED_ECANCELLED and nothing else alive): with a reply (never a
 * REPLY_ERROR: that comes as error), or with an error. A command whose connection broke is
 * SHARED_ECLOSED; `sent` says whether it may have run. Deadline: REDIS_TIMEOUT_MS, or what
 * redis_send_blocking says; a missed one breaks the connection, since answers come in order.
 * There is no way to forget a command: an owner that goes away marks its own struct as orphaned and
 * frees it in finish. */
struct command {
    void (*finish)(struct command *command, const struct reply *reply,
                   const struct shared_error *error);
    bool sent;            /* in finish: bytes may have left, the server may have run it */
    struct command *next; /* private from here */
    int64_t due_ms;
    uint64_t position;   /* of its first byte in the connection's output */
    int32_t refused;     /* code of what redis_send could not accept */
    int32_t again_count; /* words of again */
    const struct script *script;
    struct buffer again; /* the script's keys and arguments, for NOSCRIPT */
};

/* Roles: each a connection of its own, made when first asked for. */
enum redis_role {
    REDIS_PROGRESS,      /* REDIS_URL: commands */
    REDIS_LISTEN,        /* REDIS_URL: subscriptions */
    REDIS_BROKER,        /* CELERY_BROKER_URL: commands; shares REDIS_PROGRESS's when alike */
    REDIS_BLOCK,         /* CELERY_BROKER_URL: commands that block */
    REDIS_RESULT,        /* CELERY_RESULT_BACKEND: commands */
    REDIS_RESULT_LISTEN, /* CELERY_RESULT_BACKEND: subscriptions */
    REDIS_ROLES
};
/* NULL and fail() when its URL is not valid. */
struct redis *client_redis(shared_client *client, enum redis_role role);

/* Formats and queues a command; never fails at once: errors come by finish. sizes NULL: strlen. Of the
 * command only finish need be set; words are copied. Bounded: SHARED_EBUSY when 64 MiB wait to leave. */
void redis_send(struct redis *redis, struct command *command, int32_t count,
                const char *const *words, const size_t *sizes);
/* For commands that block on the server up to block_ms. */
void redis_send_blocking(struct redis *redis, struct command *command, int64_t block_ms,
                         int32_t count, const char *const *words, const size_t *sizes);
/* A Lua script, static and constant: each connection works out and keeps its SHA-1, sends EVAL the
 * first time and EVALSHA from then on, and EVAL again when the server has lost it (such a command is
 * behind the ones that followed it). */
struct script {
    const char *name; /* for messages */
    const char *text;
};
void redis_run(struct redis *redis, const struct script *script, struct command *command,
               int32_t keys, int32_t count, const char *const *words, const size_t *sizes);

/* Subscriptions (REDIS_LISTEN, REDIS_RESULT_LISTEN). */
struct listener {
    /* A message; payload lives during the call. */
    void (*message)(struct listener *listener, const char *channel, const char *payload,
                    size_t size);
    /* The server confirmed a subscription: from now on nothing is missed. Once for each channel that
     * becomes wanted, and again after a reconnect: then what was published meanwhile has been missed.
     * A further redis_subscribe of a wanted channel is not told: ask redis_is_subscribed. */
    void (*subscribed)(struct listener *listener, const char *channel);
    /* The connection broke, or could not be made; channels stay wanted and are subscribed again after a
     * pause. May be NULL. */
    void (*lost)(struct listener *listener, const struct shared_error *error);
    /* A message of a channel that a pattern matches; beside `message` when the channel is wanted too.
     * Patterns are not told to `subscribed`. May be NULL. */
    void (*matched)(struct listener *listener, const char *channel, const char *payload,
                    size_t size);
};
void redis_listen(struct redis *redis,
                  struct listener *listener); /* one a connection; NULL: none */
/* Wanted until redis_unsubscribe was called as often; kept by name here. SHARED_ENOMEM. */
shared_status redis_subscribe(struct redis *redis, const char *channel);
void redis_unsubscribe(struct redis *redis, const char *channel);
/* The same for channels of a pattern, as "progress:*". */
shared_status redis_subscribe_pattern(struct redis *redis, const char *pattern);
void redis_unsubscribe_pattern(struct redis *redis, const char *pattern);
/* Confirmed by the server on the present connection. */
bool redis_is_subscribed(const struct redis *redis, const char *channel);

bool redis_is_connected(const struct redis *redis);

#endif
