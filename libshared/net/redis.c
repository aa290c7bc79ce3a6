/* SPDX-License-Identifier: MIT
 * redis.c - commands and answers of one connection: formatting, order, deadlines. The only user of
 * hiredis, and of it only the reader. Never decides when to connect: redis_connect.c does.
 */
#include "net/redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/redis_private.h"

/* --- hiredis' reader, building our replies -------------------------------------------------------- */
#if HIREDIS_MAJOR >= 1
typedef size_t array_size;
#else
typedef int array_size;
#endif

static void *place(const redisReadTask *task, struct reply *reply) {
    if (reply && task->parent) {
        struct reply *array = task->parent->obj;
        array->items[task->idx] = reply;
    }
    return reply;
}

static struct arena *task_arena(const redisReadTask *task) {
    return task->privdata;
}

/* RESP2 has three kinds of text and one list; what a later hiredis also reads was never asked for. */
static void *create_string(const redisReadTask *task, char *text, size_t size) {
    enum reply_type type;
    switch (task->type) {
    case REDIS_REPLY_ERROR: type = REPLY_ERROR; break;
    case REDIS_REPLY_STATUS: type = REPLY_STATUS; break;
    case REDIS_REPLY_STRING: type = REPLY_TEXT; break;
    default: return NULL;
    }
    return place(task, arena_text(task_arena(task), type, text, size));
}

/* hiredis has a limit of its own up to 0.14 alone. */
static bool is_too_deep(const redisReadTask *task) {
    int depth = 0;
    for (; task; task = task->parent) depth++;
    return depth > DEPTH_MAX;
}

static void *create_array(const redisReadTask *task, array_size count) {
    if (task->type != REDIS_REPLY_ARRAY || is_too_deep(task)) return NULL;
    return place(task, arena_array(task_arena(task), (size_t)count));
}

static void *create_integer(const redisReadTask *task, long long number) {
    struct reply *reply = arena_reply(task_arena(task), REPLY_INTEGER);
    if (reply) reply->integer = number;
    return place(task, reply);
}

static void *create_null(const redisReadTask *task) {
    return place(task, arena_reply(task_arena(task), REPLY_NULL));
}

#if HIREDIS_MAJOR >= 1
static void *refuse_double(const redisReadTask *task, double number, char *text, size_t size) {
    (void)task, (void)number, (void)text, (void)size;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int number) {
    (void)task, (void)number;
    return NULL;
}
#endif

static void leave(void *object) {
    (void)object; /* the arena lets go of all together */
}

bool reader_start(struct redis *redis) {
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_null,
#if HIREDIS_MAJOR >= 1
        .createDouble = refuse_double,
        .createBool = refuse_bool,
#endif
        .freeObject = leave
    };
    redis->reader = redisReaderCreateWithFunctions(&functions);
    if (redis->reader) redis->reader->privdata = &redis->arena;
    return redis->reader != NULL;
}

void reader_stop(struct redis *redis) {
    if (redis->reader) redisReaderFree(redis->reader);
    redis->reader = NULL;
    arena_reset(&redis->arena);
}

/* --- formatting ----------------------------------------------------------------------------------- */
enum { NUMBER_SIZE = 24 }; /* mark, 20 digits, CR LF */

static size_t word_size(struct words words, int32_t index) {
    return words.sizes ? words.sizes[index] : strlen(words.words[index]);
}

static size_t words_size(struct words words) {
    size_t size = 0;
    if (words.raw) return words.raw->size;
    for (int32_t i = 0; i < words.count; i++) size += word_size(words, i) + NUMBER_SIZE + 2;
    return size;
}

static char *put_number(char *at, char mark, size_t number) {
    char digits[20];
    int32_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *at++ = mark;
    while (count > 0) *at++ = digits[--count];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_words(char *at, struct words words) {
    if (words.raw) {
        memcpy(at, words.raw->data, words.raw->size);
        return at + words.raw->size;
    }
    for (int32_t i = 0; i < words.count; i++) {
        size_t size = word_size(words, i);
        at = put_number(at, '$', size);
        if (size > 0) memcpy(at, words.words[i], size);
        at += size;
        *at++ = '\r';
        *at++ = '\n';
    }
    return at;
}

bool words_format(struct buffer *out, struct words head, struct words tail) {
    if (!buffer_reserve(out, NUMBER_SIZE + words_size(head) + words_size(tail))) {
        out->failed = false; /* nothing was added: what stands in it is whole */
        return false;
    }
    char *at = out->data + out->size;
    if (head.count > 0) at = put_number(at, '*', (size_t)head.count + (size_t)tail.count);
    at = put_words(put_words(at, head), tail);
    *at = '\0';
    out->size = (size_t)(at - out->data);
    return true;
}

/* --- commands ------------------------------------------------------------------------------------- */
static void command_push(struct command **first, struct command **last, struct command *command) {
    command->next = NULL;
    if (*last)
        (*last)->next = command;
    else
        *first = command;
    *last = command;
}

static void command_missed(struct timer *timer);

static void command_watch(struct redis *redis, int64_t now_ms) {
    if (redis->command_timer.running || !redis->first || redis->first == redis->unsent) return;
    timer_start(redis->client, &redis->command_timer, redis->first->due_ms - now_ms,
                command_missed);
}

/* One timer for all: due times never fall along the queue, and it looks at the oldest when it fires. */
static void command_missed(struct timer *timer) {
    struct redis *redis = (struct redis *)((char *)timer - offsetof(struct redis, command_timer));
    int64_t now_ms = time_monotonic_ms();
    if (!redis->first || redis->first == redis->unsent || redis->first->due_ms > now_ms) {
        command_watch(redis, now_ms);
        return;
    }
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_ETIMEOUT, "%s: no answer in time", redis->what);
    redis_break(redis, &error);
}

/* Time counts from when a command leaves: until then the connection's own deadline does, and a program
 * that computes for a while between a request and its dispatch is not late. */
static void commands_leave(struct redis *redis) {
    if (!redis->unsent) return;
    int64_t now_ms = time_monotonic_ms();
    for (struct command *command = redis->unsent; command; command = command->next) {
        int64_t due_ms = now_ms + command->due_ms;
        if (due_ms > redis->last_due_ms) redis->last_due_ms = due_ms;
        command->due_ms =
            redis->last_due_ms; /* answers come in order: not before its predecessor's */
    }
    redis->unsent = NULL;
    command_watch(redis, now_ms);
}

static void command_refuse(struct redis *redis, struct command *command, int32_t code) {
    command->refused = code;
    command_push(&redis->refused_first, &redis->refused_last, command);
    redis_work_later(redis);
}

void command_queue(struct redis *redis, struct command *command, int64_t timeout_ms,
                   struct words head, struct words tail) {
    SHARED_CHECK(!redis->listens);
    command->sent = false;
    command->refused = SHARED_OK;
    if (redis->state == REDIS_PAUSED) {
        command_refuse(redis, command, SHARED_ECLOSED);
        return;
    }
    size_t size = words_size(head) + words_size(tail);
    size_t waiting = redis->output.size - redis->output_from;
    if (size > OUTPUT_MAX || waiting > OUTPUT_MAX - size) {
        command_refuse(redis, command, size > OUTPUT_MAX ? SHARED_EINVALID : SHARED_EBUSY);
        return;
    }
    size_t before = redis->output.size;
    if (!words_format(&redis->output, head, tail)) {
        command_refuse(redis, command, SHARED_ENOMEM);
        return;
    }
    command->position = redis->queued;
    redis->queued += redis->output.size - before;
    command->due_ms = timeout_ms; /* commands_leave makes it a time */
    command_push(&redis->first, &redis->last, command);
    if (!redis->unsent) redis->unsent = command;
    redis_work_later(redis);
}

void command_end(struct redis *redis, struct command *command, const struct reply *reply,
                 const struct shared_error *error) {
    script_done(redis, command);
    command->next = NULL;
    command->finish(command, reply, error);
}

void redis_send(struct redis *redis, struct command *command, int32_t count,
                const char *const *words, const size_t *sizes) {
    redis_send_blocking(redis, command, 0, count, words, sizes);
}

void redis_send_blocking(struct redis *redis, struct command *command, int64_t block_ms,
                         int32_t count, const char *const *words, const size_t *sizes) {
    command->script = NULL;
    command->again = (struct buffer){0};
    command_queue(redis, command, block_ms + redis->timeout_ms,
                  (struct words){.count = count, .words = words, .sizes = sizes},
                  (struct words){0});
}

/* Those that could not be accepted hear it here, not inside of the call that gave them. */
static void commands_refused(struct redis *redis) {
    struct command *command = redis->refused_first;
    redis->refused_first = redis->refused_last = NULL;
    while (command) {
        struct command *next = command->next;
        struct shared_error error = redis->error;
        if (command->refused == SHARED_ENOMEM)
            error_set(&error, 0, SHARED_ENOMEM, "%s: out of memory", redis->what);
        else if (command->refused == SHARED_EBUSY)
            error_set(&error, 0, SHARED_EBUSY, "%s: %d bytes wait to be sent, no more is taken",
                      redis->what, (int)OUTPUT_MAX);
        else if (command->refused == SHARED_EINVALID)
            error_set(&error, 0, SHARED_EINVALID, "%s: a command of more than %d bytes",
                      redis->what, (int)OUTPUT_MAX);
        command_end(redis, command, NULL, &error);
        command = next;
    }
}

void commands_break(struct redis *redis, const struct shared_error *error) {
    struct command *command = redis->first;
    uint64_t flushed = redis->flushed;
    redis->first = redis->last = redis->unsent = NULL;
    redis->last_due_ms = 0;
    redis->queued = redis->flushed = 0;
    timer_stop(redis->client, &redis->command_timer);
    while (command) {
        struct command *next = command->next;
        command->sent = command->position < flushed;
        command_end(redis, command, NULL, error);
        command = next;
    }
}

/* --- bytes ---------------------------------------------------------------------------------------- */
static void output_left(struct redis *redis) {
    redis->output_from = 0;
    /* A burst does not hold its memory for ever. */
    if (redis->output.capacity > (size_t)256 * 1024)
        buffer_finish(&redis->output);
    else
        buffer_clear(&redis->output);
}

bool redis_flush(struct redis *redis) {
    if (redis->state == REDIS_READY) commands_leave(redis);
    while (redis->state == REDIS_READY && redis->output_from < redis->output.size) {
        struct shared_error error;
        ssize_t size =
            transport_write(&redis->transport, redis->output.data + redis->output_from,
                            redis->output.size - redis->output_from, redis->what, &error);
        if (size == TRANSPORT_FAILED) {
            redis_break(redis, &error);
            return false;
        }
        if (size == TRANSPORT_AGAIN) break;
        redis->output_from += (size_t)size;
        redis->flushed += (uint64_t)size;
    }
    if (redis->output_from == redis->output.size && redis->output_from > 0) output_left(redis);
    redis_interest(redis);
    return redis->state == REDIS_READY;
}

static void command_reply(struct redis *redis, const struct reply *reply) {
    struct command *command = redis->first;
    redis->first = command->next;
    if (!redis->first) redis->last = NULL;
    command->sent = true;
    redis->proven = true;
    redis->failures = 0;
    if (reply->type != REPLY_ERROR) {
        command_end(redis, command, reply, NULL);
        return;
    }
    if (script_again(redis, command, reply->text)) return;
    struct shared_error error;
    error_set_redis(&error, reply->text);
    if (command->script) {
        struct shared_error plain = error;
        (void)snprintf(error.message, sizeof error.message, "%s: %.400s", command->script->name,
                       plain.message);
    }
    uint32_t generation = redis->generation;
    command_end(redis, command, NULL, &error);
    /* Another server is the master now: the next connection may find it. */
    if (redis->generation == generation && strncmp(reply->text, "READONLY", 8) == 0)
        redis_break(redis, &error);
}

static void protocol_break(struct redis *redis, const char *why) {
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_ECLOSED, "%s: not an answer of Redis: %s", redis->what,
              why);
    redis_break(redis, &error);
}

static void reply_take(struct redis *redis, const struct reply *reply) {
    if (redis->hello_left > 0)
        hello_reply(redis, reply);
    else if (redis->listens)
        channels_reply(redis, reply);
    else if (redis->first)
        command_reply(redis, reply);
    else
        protocol_break(redis, "nobody asked for it");
}

/* Feeds the reader and hands out whole answers; false: the connection broke meanwhile. */
static bool replies_take(struct redis *redis, const char *data, size_t size) {
    uint32_t generation = redis->generation;
    redisReader *reader = redis->reader;
    void *object = NULL;
    bool good = redisReaderFeed(reader, data, size) == REDIS_OK;
    while (good && (good = redisReaderGetReply(reader, &object) == REDIS_OK) && object) {
        reply_take(redis, object);
        if (redis->generation != generation) return false;
        arena_reset(&redis->arena);
    }
    if (good && reader->len - reader->pos <= (size_t)REPLY_MAX) return true;
    protocol_break(redis, good ? "it is larger than 64 MiB" : reader->errstr);
    return false;
}

void redis_read(struct redis *redis) {
    enum { READS_MAX = 64 }; /* a flood does not keep the other connections waiting */
    char data[16 * 1024];
    for (int32_t i = 0; i < READS_MAX; i++) {
        struct shared_error error;
        ssize_t size = transport_read(&redis->transport, data, sizeof data, redis->what, &error);
        if (size == TRANSPORT_AGAIN) return;
        if (size == TRANSPORT_FAILED) {
            redis_break(redis, &error);
            return;
        }
        redis->read_ms = time_monotonic_ms();
        if (!replies_take(redis, data, (size_t)size)) return;
        if ((size_t)size < sizeof data && !redis->transport.ssl) return;
    }
    if (transport_holds(&redis->transport)) redis_work_later(redis);
}

/* --- life ----------------------------------------------------------------------------------------- */
static bool has_work(const struct redis *redis) {
    return redis->first || (redis->channels.wanted > 0 && redis->channels.listener);
}

static void redis_work(struct deferred *deferred) {
    struct redis *redis = (struct redis *)((char *)deferred - offsetof(struct redis, work));
    commands_refused(redis);
    if (redis->state == REDIS_IDLE && has_work(redis)) redis_connect(redis);
    if (redis->state != REDIS_READY) return;
    channels_flush(redis);
    if (redis_flush(redis) && transport_holds(&redis->transport)) redis_read(redis);
}

void redis_work_later(struct redis *redis) {
    client_defer(redis->client, &redis->work, redis_work);
}

bool redis_is_connected(const struct redis *redis) {
    return redis->state == REDIS_READY;
}

struct redis *redis_new(shared_client *client, const char *variable, const struct redis_url *url) {
    struct redis *redis = calloc(1, sizeof *redis);
    if (!redis) {
        (void)fail(SHARED_ENOMEM, "%s: out of memory", variable);
        return NULL;
    }
    redis->client = client;
    redis->variable = variable;
    redis->url = *url;
    redis->timeout_ms = client_setting(client, "REDIS_TIMEOUT_MS");
    redis->transport.fd = redis->source.fd = -1;
    bool bracket = strchr(url->host, ':') != NULL;
    if (url->path[0])
        (void)snprintf(redis->what, sizeof redis->what, "%s: %s", variable, url->path);
    else
        (void)snprintf(redis->what, sizeof redis->what, "%s: %s%s%s:%u", variable,
                       bracket ? "[" : "", url->host, bracket ? "]" : "", (unsigned)url->port);
    return redis;
}

void redis_free(struct redis *redis) {
    if (!redis) return;
    /* What was queued last (tasks handed back) still gets its chance to leave. */
    redis->channels.listener = NULL;
    if (redis->state == REDIS_READY && !client_is_forked(redis->client)) (void)redis_flush(redis);
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_ECANCELLED, "%s: the client was freed", redis->what);
    redis_close(redis);
    redis->error = error;
    commands_refused(redis);
    commands_break(redis, &error);
    client_defer_stop(redis->client, &redis->work);
    timer_stop(redis->client, &redis->pause_timer);
    channels_free(&redis->channels);
    for (int32_t i = 0; i < redis->spare_count; i++) buffer_finish(&redis->spares[i]);
    buffer_finish(&redis->hello);
    buffer_finish(&redis->output);
    arena_finish(&redis->arena);
    tls_free(redis->tls);
    free(redis);
}
