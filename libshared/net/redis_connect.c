/* SPDX-License-Identifier: MIT
 * redis_connect.c - how a connection to Redis comes about, and what follows when it breaks: name,
 * address after address, TLS, greeting; then growing pauses. Never sends a command before the greeting
 * was answered: it could run in another database.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "base/time.h"
#include "net/redis_private.h"

enum { PAUSE_MS_MIN = 50 };

static void address_next(struct redis *redis);
static void secure_start(struct redis *redis);

static struct redis *redis_of_source(struct source *source) {
    return (struct redis *)((char *)source - offsetof(struct redis, source));
}

/* --- the end of a connection ---------------------------------------------------------------------- */
void redis_close(struct redis *redis) {
    redis->generation++;
    source_remove(redis->client, &redis->source);
    transport_close(&redis->transport);
    timer_stop(redis->client, &redis->connect_timer);
    timer_stop(redis->client, &redis->beat_timer);
    if (redis->lookup) redis->lookup->owner = NULL; /* its finish frees it */
    redis->lookup = NULL;
    reader_stop(redis);
    scripts_forget(redis);
    redis->hello_left = 0;
    redis->output_from = 0;
    buffer_clear(&redis->output);
    redis->state = REDIS_IDLE;
}

static void pause_over(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, pause_timer));
    redis->state = REDIS_IDLE;
    redis_work_later(redis);
}

/* 50 ms, then twice as long each time; half of it is chance, so that many clients come one by one. */
static void pause_start(struct redis *redis) {
    int64_t pause_ms = client_setting(redis->client, "RECONNECT_MS_MAX");
    int32_t doublings = redis->failures > 0 ? redis->failures - 1 : 0;
    if (doublings < 16 && (int64_t)PAUSE_MS_MIN << doublings < pause_ms)
        pause_ms = (int64_t)PAUSE_MS_MIN << doublings;
    int64_t chance_ms = (int64_t)(random_u64() % (uint64_t)(pause_ms / 2 + 1));
    redis->state = REDIS_PAUSED;
    timer_start(redis->client, &redis->pause_timer, pause_ms - chance_ms, pause_over);
}

/* Until the connection stands another address may do better, in what is left of the time; not where the server
 * itself, or its certificate, says no for good. */
static bool may_try_another(const struct redis *redis, const struct shared_error *error) {
    bool is_making = redis->state > REDIS_RESOLVING && redis->state < REDIS_READY;
    bool for_good = redis->state != REDIS_CONNECTING && error->class == SHARED_PERMANENT;
    return is_making && !for_good && redis->address_index + 1 < redis->address_count;
}

void redis_break(struct redis *redis, const struct shared_error *error) {
    struct shared_error why = *error;
    if (may_try_another(redis, error)) {
        redis->address_index++;
        address_next(redis);
        return;
    }
    bool proven = redis->proven;
    redis_close(redis);
    redis->proven = false;
    redis->error = why;
    if (!proven) redis->failures++;
    /* One that worked until now may be made again at once, for whoever asks; who only listens takes his
     * time, as all the other listeners were cut off too. */
    if (!proven || redis->channels.wanted > 0) pause_start(redis);
    commands_break(redis, &why);
    channels_lost(redis, &why);
}

static void break_errno(struct redis *redis, int number) {
    struct shared_error error;
    error_set_errno(&error, number, redis->what);
    error.domain = SHARED_REDIS;
    redis_break(redis, &error);
}

/* What it waited for in vain. */
static const char *const overdue_texts[] = {
    [REDIS_RESOLVING] = "its name was not resolved in time",
    [REDIS_CONNECTING] = "no connection in time",
    [REDIS_SECURING] = "no TLS handshake in time; does that port speak TLS?",
    [REDIS_GREETING] =
        "no answer to the greeting in time; does that port speak Redis, without TLS?",
};

static void connect_overdue(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, connect_timer));
    struct shared_error error;
    bool secure = redis->state == REDIS_GREETING && redis->url.tls;
    error_set(&error, SHARED_REDIS, SHARED_ETIMEOUT, "%s: %s", redis->what,
              secure ? "no answer to the greeting in time" : overdue_texts[redis->state]);
    redis_break(redis, &error);
}

/* --- greeting ------------------------------------------------------------------------------------- */
static bool hello_add(struct redis *redis, int32_t count, const char *const *words) {
    redis->hello_left++;
    return words_format(&redis->hello, (struct words){.count = count, .words = words},
                        (struct words){0});
}

static bool hello_make(struct redis *redis) {
    const struct redis_url *url = &redis->url;
    char database[16];
    (void)snprintf(database, sizeof database, "%d", (int)url->database);
    buffer_clear(&redis->hello);
    redis->hello_left = 0;
    bool good = true;
    if (url->password[0] && url->user[0])
        good &= hello_add(redis, 3, (const char *[]){"AUTH", url->user, url->password});
    else if (url->password[0])
        good &= hello_add(redis, 2, (const char *[]){"AUTH", url->password});
    if (url->database != 0) good &= hello_add(redis, 2, (const char *[]){"SELECT", database});
    return good && hello_add(redis, 3, (const char *[]){"CLIENT", "SETNAME", "lex-intel"});
}

static void hello_send(struct redis *redis) {
    struct shared_error error;
    while (redis->hello.size > 0) {
        ssize_t size = transport_write(&redis->transport, redis->hello.data, redis->hello.size,
                                       redis->what, &error);
        if (size == TRANSPORT_FAILED) {
            redis_break(redis, &error);
            return;
        }
        if (size == TRANSPORT_AGAIN) break;
        buffer_consume(&redis->hello, (size_t)size);
    }
    redis_interest(redis);
}

static void hello_start(struct redis *redis) {
    redis->state = REDIS_GREETING;
    if (!reader_start(redis) || !hello_make(redis))
        break_errno(redis, ENOMEM);
    else
        hello_send(redis);
}

static void ready(struct redis *redis) {
    redis->state = REDIS_READY;
    timer_stop(redis->client, &redis->connect_timer);
    buffer_finish(&redis->hello); /* it may hold a password */
    if (redis->listens) channels_ready(redis);
    redis_work_later(redis);
}

void hello_reply(struct redis *redis, const struct reply *reply) {
    redis->hello_left--;
    /* The last one only gives the connection a name: a server may not know or not allow that. Other
     * errors (NOAUTH, DENIED, too many clients) are about the connection itself. */
    bool harmless = redis->hello_left == 0 && (strncmp(reply->text, "NOPERM", 6) == 0 ||
                                               strncmp(reply->text, "ERR unknown", 11) == 0);
    if (reply->type == REPLY_ERROR && !harmless) {
        struct shared_error error, plain;
        error_set_redis(&plain, reply->text);
        error = plain;
        (void)snprintf(error.message, sizeof error.message, "%s: %.180s", redis->what,
                       plain.message);
        redis_break(redis, &error);
        return;
    }
    if (redis->hello_left == 0) ready(redis);
}

/* --- events of the socket ------------------------------------------------------------------------- */
void redis_interest(struct redis *redis) {
    if (redis->source.fd < 0) return;
    bool blocked = redis->state == REDIS_CONNECTING || redis->transport.wants_write ||
                   (redis->state == REDIS_GREETING && redis->hello.size > 0) ||
                   (redis->state == REDIS_READY && redis->output_from < redis->output.size);
    uint32_t events = redis->state == REDIS_CONNECTING ? 0 : EPOLLIN;
    shared_status status =
        source_change(redis->client, &redis->source, blocked ? events | EPOLLOUT : events);
    if (status < 0) redis_break(redis, shared_error_last());
}

static void secure_go(struct redis *redis) {
    struct shared_error error;
    int status = tls_handshake(&redis->transport, redis->what, &error);
    if (status == TRANSPORT_FAILED)
        redis_break(redis, &error);
    else if (status == TRANSPORT_AGAIN)
        redis_interest(redis);
    else
        hello_start(redis);
}

static void connected(struct redis *redis) {
    int status = transport_status(&redis->transport);
    if (status == 0 && redis->url.tls) {
        secure_start(redis);
    } else if (status == 0) {
        hello_start(redis);
    } else {
        break_errno(redis, status);
    }
}

static void redis_ready(struct source *source, uint32_t events) {
    struct redis *redis = redis_of_source(source);
    if (redis->state == REDIS_CONNECTING) {
        connected(redis);
    } else if (redis->state == REDIS_SECURING) {
        secure_go(redis);
    } else {
        uint32_t generation = redis->generation;
        if (events & EPOLLOUT && redis->state == REDIS_GREETING)
            hello_send(redis);
        else if (events & EPOLLOUT)
            (void)redis_flush(redis);
        if (redis->generation == generation) redis_read(redis);
    }
}

/* --- making a connection -------------------------------------------------------------------------- */
static void secure_start(struct redis *redis) {
    struct shared_error error;
    if (!redis->tls) redis->tls = tls_new(&redis->url, redis->what, &error);
    if (!redis->tls) {
        redis_break(redis, &error);
        return;
    }
    redis->state = REDIS_SECURING;
    if (!tls_start(redis->tls, &redis->transport, redis->url.host))
        break_errno(redis, ENOMEM);
    else
        secure_go(redis);
}

/* Tries from address_index on; what is left of the time is shared by the addresses left. */
static void address_next(struct redis *redis) {
    int status = 0;
    redis->generation++;
    source_remove(redis->client, &redis->source);
    transport_close(&redis->transport);
    reader_stop(redis);
    redis->hello_left = 0;
    redis->state = REDIS_CONNECTING;
    for (; redis->address_index < redis->address_count; redis->address_index++) {
        status =
            transport_open(&redis->transport, &redis->url, redis->addresses[redis->address_index]);
        if (status == 0 || status == EINPROGRESS) break;
    }
    if (redis->address_index == redis->address_count) {
        break_errno(redis, status);
        return;
    }
    int64_t left_ms = redis->connect_due_ms - time_monotonic_ms();
    int32_t addresses_left = redis->address_count - redis->address_index;
    timer_start(redis->client, &redis->connect_timer, left_ms / addresses_left, connect_overdue);
    if (source_add(redis->client, &redis->source, redis->transport.fd, EPOLLOUT, redis_ready) < 0)
        redis_break(redis, shared_error_last());
    else if (status == 0)
        connected(redis);
}

static void lookup_done(struct lookup *lookup) {
    struct redis *redis = lookup->owner;
    if (redis) {
        redis->lookup = NULL;
        redis->address_count = lookup->count;
        memcpy(redis->addresses, lookup->addresses, sizeof redis->addresses);
        struct shared_error error;
        lookup_error(lookup, redis->variable, &error);
        if (lookup->count > 0)
            address_next(redis);
        else
            redis_break(redis, &error);
    }
    free(lookup);
}

static void lookup_begin(struct redis *redis) {
    struct lookup *lookup = malloc(sizeof *lookup);
    if (!lookup) {
        break_errno(redis, ENOMEM);
        return;
    }
    lookup->finish = lookup_done;
    lookup->owner = redis;
    redis->state = REDIS_RESOLVING;
    if (lookup_start(redis->client, lookup, redis->url.host) < 0) {
        free(lookup);
        redis_break(redis, shared_error_last());
        return;
    }
    redis->lookup = lookup;
}

void redis_connect(struct redis *redis) {
    int64_t timeout_ms = client_setting(redis->client, "CONNECT_TIMEOUT_MS");
    redis->connect_due_ms = time_monotonic_ms() + timeout_ms;
    redis->address_index = 0;
    redis->proven = false;
    timer_start(redis->client, &redis->connect_timer, timeout_ms, connect_overdue);
    if (!redis->url.path[0] && !lookup_is_numeric(redis->url.host)) {
        lookup_begin(redis);
        return;
    }
    (void)snprintf(redis->addresses[0], sizeof redis->addresses[0], "%.47s", redis->url.host);
    redis->address_count = 1;
    address_next(redis);
}
