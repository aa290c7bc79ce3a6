/* SPDX-License-Identifier: MIT
 * net_redis.c - net/redis.h over the model: the same promises (order, deadlines, pauses, what `sent` means) with
 * links in the place of sockets. Which command does what: commands.c and scripts.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyspace.h"
#include "link.h"
#include "world.h"

enum { PAUSE_MS_MIN = 50, PAUSE_MS_MAX = 2000 };

struct channel_wish {
    struct channel_wish *next;
    int32_t references;
    bool confirmed;
    char *name;
};

struct redis {
    shared_client *client;
    struct process *process;
    const char *what;
    struct link *link; /* NULL: none */
    struct command *first, *last;
    struct timer deadline, pause;
    struct deferred refusing;
    struct command *refused_first, *refused_last;
    struct shared_error error;
    int32_t failures;
    int64_t timeout_ms;
    struct listener *listener;
    struct channel_wish *wishes;
};

/* What travels, and what comes back. */
struct flight {
    struct message message;
    struct command *command; /* NULL: a subscription's */
    const char *script;
    struct text *words;
    int32_t key_count, count;
    struct reply *reply;
    struct event block_over;
    bool blocked, block_done;
};

/* --- the server ---------------------------------------------------------------------------------------- */

static bool execute(struct message *message);
static void closed(struct link *link);
struct server redis_server = {.name = "redis", .execute = execute, .closed = closed};
static struct store store;
struct store *redis_store(void) {
    return &store;
}

static const char *flight_name(const struct flight *flight) {
    return flight->script ? flight->script : flight->words[0].data;
}

static void block_over(struct event *event) {
    struct flight *flight = (struct flight *)((char *)event - offsetof(struct flight, block_over));
    flight->block_done = true;
    if (flight->blocked) link_resume(flight->message.link);
}

static bool execute_blocking(struct flight *flight) {
    flight->reply = command_run(&store, flight->words, flight->count);
    if (!flight->reply && flight->block_done) flight->reply = reply_null();
    if (!flight->reply && !flight->blocked) {
        int64_t block_us =
            (int64_t)(strtod(flight->words[flight->count - 1].data, NULL) * (double)US_PER_S);
        sim_at(&flight->block_over, sim_now_us() + block_us, block_over);
    }
    flight->blocked = !flight->reply;
    return flight->reply != NULL;
}

static bool execute(struct message *message) {
    struct flight *flight = (struct flight *)message;
    store.now_us = sim_wall_us() + world.redis_off_us;
    if (!flight->command) return true; /* a subscription: confirmed by being answered */
    if (flight->script)
        flight->reply =
            script_run(&store, flight->script, flight->words, flight->key_count,
                       flight->words + flight->key_count, flight->count - flight->key_count);
    else if (text_is(flight->words[0], "BLMOVE"))
        return execute_blocking(flight);
    else
        flight->reply = command_run(&store, flight->words, flight->count);
    sim_trace("redis", "%s of %s: %d %lld", flight_name(flight), message->link->name,
              (int)flight->reply->type, (long long)flight->reply->integer);
    world_saw_command(message->link->process, flight->script, flight->words, flight->count,
                      flight->reply);
    return true;
}

static void closed(struct link *link) {
    (void)link; /* nothing of a connection's outlives it */
}

/* A list has got something: those that wait for it, in the order of their connections. */
static void resume_blocked(struct event *event) {
    (void)event;
    struct link *next;
    for (struct link *link = redis_server.links; link; link = next) {
        next = link->next;
        const struct flight *flight = (const struct flight *)link->first;
        if (flight && flight->blocked) link_resume(link);
    }
}

static struct event pushing;
static void pushed(struct text key) {
    (void)key;
    if (!pushing.waits) sim_at(&pushing, sim_now_us(), resume_blocked);
}

/* --- what is published ------------------------------------------------------------------------------------- */

struct telling {
    struct event event;
    struct mail mail;
    struct link *link;
    struct text channel, payload;
};

static struct channel_wish *wish_find(const struct redis *redis, const char *channel) {
    struct channel_wish *wish = redis->wishes;
    while (wish && strcmp(wish->name, channel) != 0) wish = wish->next;
    return wish;
}

static void open_telling(struct mail *mail) {
    struct telling *telling = (struct telling *)((char *)mail - offsetof(struct telling, mail));
    struct redis *redis = telling->link->owner;
    struct channel_wish *wish = redis ? wish_find(redis, telling->channel.data) : NULL;
    if (wish && wish->references > 0 && wish->confirmed)
        redis->listener->message(redis->listener, wish->name, telling->payload.data,
                                 telling->payload.size);
}

static void telling_arrives(struct event *event) {
    struct telling *telling = (struct telling *)((char *)event - offsetof(struct telling, event));
    if (!telling->link->broken && telling->link->owner)
        process_post(telling->link->process, &telling->mail);
}

static int64_t publish(struct text channel, struct text payload) {
    int64_t count = 0;
    for (struct link *link = redis_server.links; link; link = link->next) {
        const struct redis *redis = link->owner;
        struct channel_wish *wish =
            redis && redis->listener && !link->broken ? wish_find(redis, channel.data) : NULL;
        if (!wish || !wish->confirmed) continue;
        struct telling *telling = sim_alloc(sizeof *telling);
        *telling =
            (struct telling){.link = link,
                             .channel = {sim_copy(channel.data, channel.size), channel.size},
                             .payload = {sim_copy(payload.data, payload.size), payload.size}};
        telling->mail.open = open_telling;
        int64_t at_us = sim_now_us() + sim_between(50, 1500);
        link->return_us = at_us > link->return_us ? at_us : link->return_us + 1;
        sim_at(&telling->event, link->return_us, telling_arrives);
        count++;
    }
    return count;
}

void redis_begin(void) {
    store = (struct store){.publish = publish, .pushed = pushed};
    pushing = (struct event){0};
    redis_server.up = true;
    redis_server.slow = 1;
    redis_server.links = NULL;
}

/* --- the client's side --------------------------------------------------------------------------------------- */

static void missed(struct timer *timer);

static void watch(struct redis *redis) {
    if (redis->deadline.running || !redis->first) return;
    int64_t now_ms = sim_now_us() / US_PER_MS;
    timer_start(redis->client, &redis->deadline, redis->first->due_ms - now_ms, missed);
}

static void refuse_later(struct redis *redis, struct command *command);

static void refuse(struct deferred *deferred) {
    struct redis *redis = (struct redis *)((char *)deferred - offsetof(struct redis, refusing));
    struct command *command = redis->refused_first;
    redis->refused_first = redis->refused_last = NULL;
    while (command) {
        struct command *next = command->next;
        struct shared_error error = redis->error;
        command->finish(command, NULL, &error);
        command = next;
    }
}

static void refuse_later(struct redis *redis, struct command *command) {
    command->next = NULL;
    command->sent = false;
    *(redis->refused_last ? &redis->refused_last->next : &redis->refused_first) = command;
    redis->refused_last = command;
    client_defer(redis->client, &redis->refusing, refuse);
}

static void all_end(struct redis *redis, const struct shared_error *error) {
    struct command *command = redis->first;
    redis->first = redis->last = NULL;
    timer_stop(redis->client, &redis->deadline);
    while (command) {
        struct command *next = command->next;
        command->sent = true;
        command->finish(command, NULL, error);
        command = next;
    }
}

static void wishes_send(struct redis *redis);

static void pause_over(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, pause));
    if (redis->listener) wishes_send(redis);
}

static void give_up(struct redis *redis, int32_t code, const char *why) {
    struct link *link = redis->link;
    redis->link = NULL;
    if (link) link_let_go(link);
    struct shared_error error;
    error_set(&error, SHARED_REDIS, code, "%s: %s", redis->what, why);
    redis->error = error;
    int64_t pause_ms = (int64_t)PAUSE_MS_MIN << (redis->failures < 6 ? redis->failures : 6);
    redis->failures++;
    timer_start(redis->client, &redis->pause,
                sim_between(1, pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX), pause_over);
    for (struct channel_wish *wish = redis->wishes; wish; wish = wish->next)
        wish->confirmed = false;
    if (redis->listener && redis->listener->lost) redis->listener->lost(redis->listener, &error);
    all_end(redis, &error);
}

static void missed(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, deadline));
    if (redis->first && redis->first->due_ms <= sim_now_us() / US_PER_MS)
        give_up(redis, SHARED_ETIMEOUT, "no answer in time");
    else
        watch(redis);
}

static void on_broken(struct link *link, const char *why) {
    struct redis *redis = link->owner;
    if (redis->link == link) give_up(redis, SHARED_ECLOSED, why);
}

static void on_answered(struct message *message) {
    struct flight *flight = (struct flight *)message;
    struct redis *redis = message->link->owner;
    redis->failures = 0;
    if (!flight->command) {
        struct channel_wish *wish = wish_find(redis, flight->words[0].data);
        if (!wish || !wish->references) return;
        wish->confirmed = true;
        redis->listener->subscribed(redis->listener, wish->name);
        return;
    }
    struct command *command = redis->first;
    SIM_CHECK(command == flight->command);
    redis->first = command->next;
    if (!redis->first) redis->last = NULL;
    command->sent = true;
    command->finish(command, flight->reply, NULL);
}

static const struct link_owner methods = {.answered = on_answered, .broken = on_broken};

static struct link *link_of(struct redis *redis) {
    if (!redis->link)
        redis->link = link_new(&redis_server, redis->process, &methods, redis, redis->what);
    return redis->link;
}

static void send_words(struct redis *redis, struct command *command, const char *script,
                       int64_t timeout_ms, int32_t keys, int32_t count, const char *const *words,
                       const size_t *sizes) {
    if (redis->pause.running && !redis->process->dying) {
        refuse_later(redis, command);
        return;
    }
    struct flight *flight = sim_alloc(sizeof *flight);
    *flight =
        (struct flight){.command = command, .script = script, .key_count = keys, .count = count};
    flight->words = sim_alloc((size_t)count * sizeof *flight->words);
    for (int32_t i = 0; i < count; i++) {
        size_t size = sizes ? sizes[i] : strlen(words[i]);
        flight->words[i] = (struct text){sim_copy(words[i], size), size};
    }
    command->next = NULL;
    command->due_ms = sim_now_us() / US_PER_MS + timeout_ms;
    if (redis->last && redis->last->due_ms > command->due_ms)
        command->due_ms = redis->last->due_ms; /* answers come in order */
    *(redis->last ? &redis->last->next : &redis->first) = command;
    redis->last = command;
    if (!redis->process->dying) watch(redis);
    link_send(link_of(redis), &flight->message);
}

void redis_send(struct redis *redis, struct command *command, int32_t count,
                const char *const *words, const size_t *sizes) {
    send_words(redis, command, NULL, redis->timeout_ms, 0, count, words, sizes);
}

void redis_send_blocking(struct redis *redis, struct command *command, int64_t block_ms,
                         int32_t count, const char *const *words, const size_t *sizes) {
    send_words(redis, command, NULL, redis->timeout_ms + block_ms, 0, count, words, sizes);
}

void redis_run(struct redis *redis, const struct script *script, struct command *command,
               int32_t keys, int32_t count, const char *const *words, const size_t *sizes) {
    world_saw_script(script);
    send_words(redis, command, script->name, redis->timeout_ms, keys, count, words, sizes);
}

/* --- subscriptions ------------------------------------------------------------------------------------------------ */

static void wish_send(struct redis *redis, const struct channel_wish *wish) {
    if (redis->pause.running) return;
    struct flight *flight = sim_alloc(sizeof *flight);
    flight->words = sim_alloc(sizeof *flight->words);
    flight->words[0] = text_of(sim_copy(wish->name, strlen(wish->name)));
    link_send(link_of(redis), &flight->message);
}

static void wishes_send(struct redis *redis) {
    for (struct channel_wish *wish = redis->wishes; wish; wish = wish->next)
        if (wish->references > 0) wish_send(redis, wish);
}

void redis_listen(struct redis *redis, struct listener *listener) {
    redis->listener = listener;
}

shared_status redis_subscribe(struct redis *redis, const char *channel) {
    struct channel_wish *wish = wish_find(redis, channel);
    if (!wish) {
        wish = sim_alloc(sizeof *wish);
        *wish = (struct channel_wish){.next = redis->wishes,
                                      .name = sim_copy(channel, strlen(channel))};
        redis->wishes = wish;
    }
    if (wish->references++ == 0) wish_send(redis, wish);
    return SHARED_OK;
}

void redis_unsubscribe(struct redis *redis, const char *channel) {
    struct channel_wish *wish = wish_find(redis, channel);
    if (wish && wish->references > 0 && --wish->references == 0) wish->confirmed = false;
}

/* Nobody here listens by pattern. */
shared_status redis_subscribe_pattern(struct redis *redis, const char *pattern) {
    (void)redis;
    sim_fail("a pattern: %s", pattern);
    return SHARED_EINVALID;
}

void redis_unsubscribe_pattern(struct redis *redis, const char *pattern) {
    (void)redis;
    sim_fail("a pattern: %s", pattern);
}

bool redis_is_subscribed(const struct redis *redis, const char *channel) {
    const struct channel_wish *wish = wish_find(redis, channel);
    return wish && wish->references > 0 && wish->confirmed;
}

bool redis_is_connected(const struct redis *redis) {
    return redis->link != NULL;
}

/* --- roles --------------------------------------------------------------------------------------------------------- */

/* Broker and progress name the same database, as by default; results have their own. */
static const struct {
    enum redis_role uses;
    const char *what;
} roles[REDIS_ROLES] = {
    [REDIS_PROGRESS] = {REDIS_BROKER, ""},
    [REDIS_BROKER] = {REDIS_BROKER, "broker"},
    [REDIS_BLOCK] = {REDIS_BLOCK, "block"},
    [REDIS_RESULT] = {REDIS_RESULT, "result"},
    [REDIS_LISTEN] = {REDIS_LISTEN, "listen"},
    [REDIS_RESULT_LISTEN] = {REDIS_RESULT_LISTEN, "result-listen"},
};

struct connections {
    struct redis *by_role[REDIS_ROLES];
};

static void connections_stop(void *state) {
    struct connections *connections = state;
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "client: it is being freed");
    for (int32_t i = 0; i < REDIS_ROLES; i++) {
        struct redis *redis = connections->by_role[i];
        if (!redis) continue;
        if (redis->link) link_let_go(redis->link);
        timer_stop(redis->client, &redis->pause);
        client_defer_stop(redis->client, &redis->refusing);
        redis->error = error;
        refuse(&redis->refusing);
        all_end(redis, &error);
    }
}

struct redis *client_redis(shared_client *client, enum redis_role role) {
    struct connections *connections = client_state(client, CLIENT_REDIS);
    if (!connections) {
        connections = sim_alloc(sizeof *connections);
        client_set_state(client, CLIENT_REDIS, connections, connections_stop);
    }
    struct redis **redis = &connections->by_role[roles[role].uses];
    if (*redis) return *redis;
    *redis = sim_alloc(sizeof **redis);
    **redis = (struct redis){.client = client,
                             .process = sim_running,
                             .what = roles[roles[role].uses].what,
                             .timeout_ms = client_setting(client, "REDIS_TIMEOUT_MS")};
    return *redis;
}
