/* SPDX-License-Identifier: MIT
 * commands.c - the plain commands that the library sends, and the shape of answers. A command that is not
 * known here ends the simulation: the model has to learn it.
 */
#include <stdlib.h>
#include <string.h>

#include "keyspace.h"

/* --- answers ----------------------------------------------------------------------------------------- */

static struct reply *reply_new(enum reply_type type) {
    struct reply *reply = sim_alloc(sizeof *reply);
    reply->type = type;
    return reply;
}

struct reply *reply_int(int64_t number) {
    struct reply *reply = reply_new(REPLY_INTEGER);
    reply->integer = number;
    return reply;
}

struct reply *reply_text(struct text text) {
    struct reply *reply = reply_new(REPLY_TEXT);
    reply->text = text.data;
    reply->size = text.size;
    return reply;
}

struct reply *reply_null(void) {
    return reply_new(REPLY_NULL);
}

struct reply *reply_status(const char *word) {
    struct reply *reply = reply_text(text_of(word));
    reply->type = REPLY_STATUS;
    return reply;
}

struct reply *reply_array(size_t count) {
    struct reply *reply = reply_new(REPLY_ARRAY);
    reply->count = count;
    reply->items = sim_alloc((count ? count : 1) * sizeof(struct reply *));
    return reply;
}

/* --- commands: words[0] is the name, the key words[1] --------------------------------------------------- */

static struct reply *run_push(struct store *store, const struct text *words, int32_t count) {
    for (int32_t i = 2; i < count; i++) do_push(store, words[1], words[i], words[0].data[0] == 'L');
    return reply_int(do_length(store, words[1]));
}

static struct reply *run_pop(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    struct text element;
    bool found = do_pop(store, words[1], words[0].data[0] == 'L', &element);
    return found ? reply_text(element) : reply_null();
}

static struct reply *run_length(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    return reply_int(do_length(store, words[1]));
}

/* Of the head onto itself, or between lists. */
static struct reply *run_move(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    struct text element;
    if (!do_pop(store, words[1], text_is(words[3], "LEFT"), &element)) return NULL;
    do_push(store, words[2], element, text_is(words[4], "LEFT"));
    return reply_text(element);
}

static struct reply *run_sadd(struct store *store, const struct text *words, int32_t count) {
    int64_t added = 0;
    for (int32_t i = 2; i < count; i++) added += do_sadd(store, words[1], words[i]);
    return reply_int(added);
}

static struct reply *run_remove(struct store *store, const struct text *words, int32_t count) {
    int64_t removed = 0;
    for (int32_t i = 2; i < count; i++) removed += do_remove(store, words[1], words[i]);
    return reply_int(removed);
}

static struct reply *run_get(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    struct text text;
    return do_get(store, words[1], &text) ? reply_text(text) : reply_null();
}

static struct reply *run_hmget(struct store *store, const struct text *words, int32_t count) {
    struct reply *reply = reply_array((size_t)count - 2);
    for (int32_t i = 2; i < count; i++) {
        struct text text;
        bool found = do_hget(store, words[1], words[i], &text);
        reply->items[i - 2] = found ? reply_text(text) : reply_null();
    }
    return reply;
}

static struct reply *run_hset(struct store *store, const struct text *words, int32_t count) {
    int64_t before = do_length(store, words[1]);
    for (int32_t i = 2; i + 1 < count; i += 2) do_hset(store, words[1], words[i], words[i + 1]);
    return reply_int(do_length(store, words[1]) - before);
}

static struct reply *run_zadd(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    int64_t before = do_length(store, words[1]);
    do_zadd(store, words[1], strtod(words[2].data, NULL), words[3]);
    return reply_int(do_length(store, words[1]) - before);
}

static struct reply *run_delete(struct store *store, const struct text *words, int32_t count) {
    int64_t removed = 0;
    for (int32_t i = 1; i < count; i++) removed += do_delete(store, words[i]);
    return reply_int(removed);
}

static struct reply *run_expire(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    bool found = value_find(store, words[1]) != NULL;
    do_expire(store, words[1], text_int(words[2]));
    return reply_int(found);
}

static struct reply *run_setex(struct store *store, const struct text *words, int32_t count) {
    (void)count;
    do_set(store, words[1], words[3], text_int(words[2]));
    return reply_status("OK");
}

static struct reply *run_flush(struct store *store, const struct text *words, int32_t count) {
    (void)words;
    (void)count;
    store_clear(store);
    return reply_status("OK");
}

static struct reply *run_ping(struct store *store, const struct text *words, int32_t count) {
    (void)store;
    (void)words;
    (void)count;
    return reply_status("PONG");
}

static const struct {
    const char *name;
    int32_t least; /* words */
    struct reply *(*run)(struct store *store, const struct text *words, int32_t count);
} commands[] = {
    {"LPUSH", 3, run_push},     {"RPUSH", 3, run_push},    {"RPOP", 2, run_pop},
    {"LPOP", 2, run_pop},       {"LLEN", 2, run_length},   {"HLEN", 2, run_length},
    {"ZCARD", 2, run_length},   {"BLMOVE", 6, run_move},   {"SADD", 3, run_sadd},
    {"HDEL", 3, run_remove},    {"ZREM", 3, run_remove},   {"GET", 2, run_get},
    {"HMGET", 3, run_hmget},    {"ZADD", 4, run_zadd},     {"HSET", 4, run_hset},
    {"DEL", 2, run_delete},     {"EXPIRE", 3, run_expire}, {"SETEX", 4, run_setex},
    {"FLUSHALL", 1, run_flush}, {"PING", 1, run_ping},
};

struct reply *command_run(struct store *store, const struct text *words, int32_t count) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (text_is(words[0], commands[i].name) && count >= commands[i].least)
            return commands[i].run(store, words, count);
    sim_fail("the model of Redis does not know %s with %d words", words[0].data, (int)count);
}
