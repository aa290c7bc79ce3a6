/* SPDX-License-Identifier: MIT
 * redis_private.h - the inside of a connection to Redis, for the redis*.c files. Nobody else includes
 * it.
 */
#ifndef NET_REDIS_PRIVATE_H
#define NET_REDIS_PRIVATE_H

#include "net/redis.h"
#include "net/resolver.h"
#include "net/transport.h"

enum {
    OUTPUT_MAX = 64 << 20,  /* bytes that wait to leave; more is SHARED_EBUSY */
    REPLY_MAX = 64 << 20,   /* bytes of one answer */
    ELEMENTS_MAX = 1 << 20, /* of one list in it */
    DEPTH_MAX = 7,          /* of lists in lists */
    SCRIPTS_MAX = 32,       /* whose SHA-1 is kept; further ones are sent whole */
    SPARES_MAX = 16,        /* buffers kept for reuse */
};

/* --- redis_reply.c: answers built in memory that is let go at once ------------------------------------ */
struct arena {
    struct arena_block *first;
    size_t used; /* of the first block */
    size_t total;
};
struct reply *arena_reply(struct arena *arena, enum reply_type type);
struct reply *arena_text(struct arena *arena, enum reply_type type, const char *text, size_t size);
struct reply *arena_array(struct arena *arena, size_t count);
void arena_reset(struct arena *arena);
void arena_finish(struct arena *arena);

/* --- redis_subscribe.c: the channels of a connection -------------------------------------------------- */
struct channel {
    struct channel *same_hash, *next_changed;
    int32_t references;
    int32_t pending; /* SUBSCRIBE and UNSUBSCRIBE not yet confirmed */
    bool asked;      /* the last of them was SUBSCRIBE */
    bool confirmed;
    bool announce; /* became wanted again while confirmed: say so */
    bool changed;  /* in the list of changes */
    bool pattern;  /* of PSUBSCRIBE */
    char name[];
};
struct channels {
    struct listener *listener;
    struct channel **table; /* chains; table_size is a power of two */
    uint32_t table_size;
    int32_t count, wanted;
    uint64_t seed;
    struct channel *changed;
};

enum redis_state {
    REDIS_IDLE,   /* no connection, and nothing against making one */
    REDIS_PAUSED, /* between attempts */
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_SECURING, /* TLS handshake */
    REDIS_GREETING, /* AUTH, SELECT, CLIENT SETNAME are under way */
    REDIS_READY
};

struct loaded_script {
    const struct script *script;
    char sha[41];
    bool sent; /* on the present connection */
};

struct redisReader;
struct redis {
    shared_client *client;
    const char *variable;
    struct redis_url url;
    char what[320]; /* "REDIS_URL: host:port", how messages begin */
    bool listens;
    int64_t timeout_ms; /* REDIS_TIMEOUT_MS */

    enum redis_state state;
    uint32_t generation;       /* of connections: who calls back looks whether it broke meanwhile */
    bool proven;               /* it answered a command or confirmed a channel */
    int32_t failures;          /* attempts since the last connection that was proven */
    struct shared_error error; /* why it broke, for commands during a pause */

    struct transport transport;
    struct source source;
    struct tls *tls;
    struct lookup *lookup; /* under way */
    char addresses[RESOLVER_ADDRESSES_MAX][RESOLVER_ADDRESS_SIZE];
    int32_t address_count, address_index;
    int64_t connect_due_ms;
    struct timer connect_timer, pause_timer, command_timer, beat_timer;
    int64_t read_ms; /* when the server was last heard */

    struct redisReader *reader;
    struct arena arena;
    struct buffer hello; /* what GREETING sends */
    int32_t hello_left;
    struct buffer output;
    size_t output_from;       /* of which this much has left */
    uint64_t queued, flushed; /* bytes of commands on this connection */
    struct deferred work;

    struct command *first, *last; /* sent or waiting for the connection, in order */
    struct command *unsent;       /* first of them that had no chance to leave */
    int64_t last_due_ms;
    struct command *refused_first, *refused_last; /* to be told in the next dispatch */

    struct loaded_script scripts[SCRIPTS_MAX];
    int32_t script_count;
    struct buffer spares[SPARES_MAX];
    int32_t spare_count;

    struct channels channels;
};

struct words {
    int32_t count;
    const char *const *words;
    const size_t *sizes;      /* NULL: strlen */
    const struct buffer *raw; /* instead of words: count of them, formatted before */
};
/* Appends "*N" and both groups as one command; without a head only the words of tail. false: no memory,
 * and out is as it was. */
bool words_format(struct buffer *out, struct words head, struct words tail);

/* redis.c */
struct redis *redis_new(shared_client *client, const char *variable, const struct redis_url *url);
void redis_free(struct redis *redis);
void redis_work_later(struct redis *redis);
void command_queue(struct redis *redis, struct command *command, int64_t timeout_ms,
                   struct words head, struct words tail);
void command_end(struct redis *redis, struct command *command, const struct reply *reply,
                 const struct shared_error *error);
void commands_break(struct redis *redis, const struct shared_error *error);
/* Sends what waits; false: it broke. */
bool redis_flush(struct redis *redis);
void redis_read(struct redis *redis);
bool reader_start(struct redis *redis);
void reader_stop(struct redis *redis);

/* redis_connect.c */
void redis_connect(struct redis *redis);
void redis_break(struct redis *redis, const struct shared_error *error);
void redis_close(struct redis *redis);
void redis_interest(struct redis *redis);
void hello_reply(struct redis *redis, const struct reply *reply);

/* redis_script.c */
void scripts_forget(struct redis *redis);
/* The server has lost it: true when it was sent again. */
bool script_again(struct redis *redis, struct command *command, const char *reply);
void script_done(struct redis *redis, struct command *command);

/* redis_subscribe.c */
void channels_flush(struct redis *redis);
void channels_ready(struct redis *redis);
void channels_lost(struct redis *redis, const struct shared_error *error);
void channels_reply(struct redis *redis, const struct reply *reply);
void channels_free(struct channels *channels);
void beat_start(struct redis *redis);

#endif
