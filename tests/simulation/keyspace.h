/* SPDX-License-Identifier: MIT
 * keyspace.h - what Redis keeps: strings, lists, hashes, sets, sorted sets and streams, as far as our commands
 * and scripts need them; and the commands themselves. test_model.c holds it against a real server.
 */
#ifndef KEYSPACE_H
#define KEYSPACE_H

#include "net/redis.h"
#include "sim.h"

struct text {
    const char *data; /* with a NUL behind it */
    size_t size;
};
#define TEXT(literal) ((struct text){literal, sizeof(literal) - 1})
struct text text_of(const char *data);
struct text text_number(int64_t number);
bool text_is(struct text text, const char *word);
bool text_same(struct text a, struct text b);
int64_t text_int(struct text text);

enum value_type { VALUE_STRING, VALUE_LIST, VALUE_HASH, VALUE_SET, VALUE_SORTED, VALUE_STREAM };
struct item {
    struct text name;  /* of a field, member, stream entry; text of a list's element */
    struct text value; /* of a field, a stream's d, a string */
    double score;
};
struct value {
    struct value *next;
    struct text key;
    enum value_type type;
    int64_t expires_ms; /* 0: never */
    struct item *items; /* a list's head first, a sorted set in its order */
    size_t first, count, capacity;
};
struct store {
    struct value *values;
    int64_t now_us;
    uint64_t last_id_ms, last_id_number; /* kept simple: one for all streams */
    /* Tells who listens, and who waits for a list; may be NULL. */
    int64_t (*publish)(struct text channel, struct text payload);
    void (*pushed)(struct text key);
};

/* NULL: absent or over. */
struct value *value_find(struct store *store, struct text key);
struct item *value_item(const struct value *value, struct text name);
void store_clear(struct store *store);
void store_copy(struct store *target, const struct store *source);

/* --- what scripts do, one by one ---------------------------------------------------------------------- */
void do_push(struct store *store, struct text key, struct text element, bool head);
bool do_pop(struct store *store, struct text key, bool head, struct text *out);
/* LREM key 0 element */
void do_take_out(struct store *store, struct text key, struct text element);
int64_t do_length(struct store *store, struct text key); /* LLEN, HLEN, ZCARD */
void do_hset(struct store *store, struct text key, struct text field, struct text value);
bool do_hget(struct store *store, struct text key, struct text field, struct text *out);
bool do_remove(struct store *store, struct text key, struct text name); /* HDEL, ZREM, SREM */
void do_zadd(struct store *store, struct text key, double score, struct text member);
bool do_sadd(struct store *store, struct text key, struct text member);
void do_set(struct store *store, struct text key, struct text value, int64_t ttl_s);
bool do_get(struct store *store, struct text key, struct text *out);
bool do_delete(struct store *store, struct text key);
void do_expire(struct store *store, struct text key, int64_t ttl_s);
struct text do_xadd(struct store *store, struct text key, int64_t most, struct text d);

/* --- answers ------------------------------------------------------------------------------------------ */
struct reply *reply_int(int64_t number);
struct reply *reply_text(struct text text);
struct reply *reply_null(void);
struct reply *reply_status(const char *word);
struct reply *reply_array(size_t count);

/* A plain command. NULL: one that blocks has to wait. */
struct reply *command_run(struct store *store, const struct text *words, int32_t count);
/* A script of the library by its name. */
struct reply *script_run(struct store *store, const char *name, const struct text *keys,
                         int32_t key_count, const struct text *arguments, int32_t count);

#endif
