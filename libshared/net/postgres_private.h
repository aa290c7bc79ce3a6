/* SPDX-License-Identifier: MIT
 * postgres_private.h - the parts of a connection, for postgres*.c only. The only header that knows libpq.
 */
#ifndef NET_POSTGRES_PRIVATE_H
#define NET_POSTGRES_PRIVATE_H

#include <libpq-fe.h>

#include "net/postgres.h"
#include "net/resolver.h"
#include "net/statement_cache.h"

enum {
    HOSTS_MAX = 16,            /* of one connection text */
    ADDRESSES_MAX = 32,        /* of all its hosts */
    OPERATIONS_SENT_MAX = 256, /* unanswered ones; the others wait here, and can be taken back */
    GROUP_MAX = 32             /* quick reads that share one Sync */
};

/* Where a connection may be made; postgres_connect.c. */
struct address {
    const char *host; /* name, number or folder of a socket; NULL: libpq's default */
    const char *port; /* NULL: libpq's default */
    char number[RESOLVER_ADDRESS_SIZE]; /* "": libpq needs none */
};
struct attempt {
    PQconninfoOption *options;  /* the connection text, taken apart */
    PQconninfoOption *defaults; /* of the environment */
    char *lists;                /* memory of hosts, numbers and ports */
    struct address hosts[HOSTS_MAX];
    int32_t host_count, host_index;
    struct address addresses[ADDRESSES_MAX];
    int32_t address_count, address_index;
    bool takes_any;            /* no standby was found, where one is preferred */
    struct lookup *lookup;     /* under way */
    struct shared_error error; /* of the last address; a server's word stays */
};

enum postgres_state { POSTGRES_CONNECTING, POSTGRES_READY, POSTGRES_BROKEN };

enum copying { COPYING_NOT, COPYING_OUT, COPYING_IN };

struct cancel;

struct postgres {
    shared_client *client;
    char *conninfo;
    void (*changed)(struct postgres *postgres, const struct shared_error *error);
    void *owner;
    struct attempt *attempt; /* while connecting */
    PGconn *connection;
    struct source source;
    struct timer timer; /* of an attempt, then of silence */
    struct deferred turn;
    enum postgres_state state;
    /* Calls into us that may call back others: who is freed meanwhile stays in memory until they end. */
    int32_t depth;
    bool freed;
    bool tell_ready, tell_quiet, tell_broken; /* when they have ended */

    bool batch_is_open;             /* no Sync behind what was sent last */
    bool script_runs;               /* outside of pipeline mode */
    bool cleaning_queued;           /* of the cache */
    bool heard;                     /* from the server, since the timer was started */
    bool silent;                    /* it broke because the server said nothing any more */
    int32_t *statement_max;         /* of all connections of the pool; 0: prepare nothing */
    struct operation *first, *last; /* open ones in their order */
    struct operation *unsent;       /* first of them that was not sent */
    int32_t load, sent_count;
    int64_t batch; /* number of the one that is being sent */
    int64_t patience_ms;
    struct statement_cache cache;
    struct operation cleaning; /* DEALLOCATE ALL */
    struct cancel *cancel;     /* on its way */
    struct timer cancel_timer;
    int64_t cancel_pause_ms;

    enum copying copying;
    bool copy_paused;     /* the user has enough for now */
    struct buffer copied; /* for the user */
    struct timer doubt;   /* whether the server still wants what it gets */
    int64_t notice_count;

    /* What the operation at the head has brought so far. */
    struct rows *rows;
    int64_t touched;
    int32_t group; /* reads in the batch that is being sent, when they share its Sync */
    bool failed, skipped, stale;
    bool batch_failed; /* first failure of the batch whose answers come in */
    bool has_cause;
    size_t words_size; /* of libpq's message, when it was last asked for a result */
    struct shared_error error, batch_error;
    struct shared_error cause; /* what the server said before it hung up; then: why it broke */
};

/* postgres.c: whatever may end in a finish or in changed stands between these two; leave comes last, and
 * postgres may be gone after it. */
void postgres_enter(struct postgres *postgres);
void postgres_leave(struct postgres *postgres);
/* Ends everything but the struct; all operations finish with the error. */
void postgres_break(struct postgres *postgres, const struct shared_error *error);
void postgres_wake(struct postgres *postgres); /* runs its turn at the end of the client's */
/* Takes the head out of the queue. */
struct operation *postgres_take_head(struct postgres *postgres);
/* Starts the clock on a silent server. */
void postgres_watch_silence(struct postgres *postgres);

/* postgres_connect.c */
void postgres_connect(struct postgres *postgres);
void postgres_connect_end(struct postgres *postgres); /* forgets the attempt */

/* postgres_pipeline.c: what may be sent is given to libpq and the socket. */
void postgres_transmit(struct postgres *postgres);
/* The script at the head, which was parsed. */
void postgres_give_parsed(struct postgres *postgres);
/* Empties a stale cache of statements, if no transaction is open. */
void postgres_clean(struct postgres *postgres);
/* Breaks the connection with what is known of why: what the server said last, or else libpq. */
void postgres_lost(struct postgres *postgres, const char *what);

/* postgres_receive.c: source->ready of a connection that stands. */
void postgres_ready(struct source *source, uint32_t events);

/* All that has arrived. */
void postgres_receive(struct postgres *postgres);

/* postgres_copy.c: the server is ready for it. false: the operation at the head does not want that. */
bool postgres_copy_begin(struct postgres *postgres, bool in);
/* Moves bytes; true: it is over, and the result comes. */
bool postgres_copy_pump(struct postgres *postgres);
void postgres_copy_heard(struct postgres *postgres, uint32_t events, bool alive);
bool postgres_copy_is_idle(const struct postgres *postgres); /* the user's turn, not the server's */
bool postgres_copy_wants_turn(const struct postgres *postgres);
uint32_t postgres_copy_events(const struct postgres *postgres); /* EPOLLIN, or 0 */
/* Nobody waits for it: true: that is enough, false: and the server is to cancel it. */
bool postgres_copy_stop(struct postgres *postgres);
void postgres_copy_forget(struct postgres *postgres);

/* postgres_result.c */
struct rows *rows_from_result(PGresult *result); /* takes it over; NULL without memory */
void error_from_result(struct shared_error *error, const PGresult *result);
/* Where the server was, for the detail: "COPY documents, line 3, column id". */
void error_add_context(struct shared_error *error, const PGresult *result);
bool result_is_of_libpq(const PGresult *result);
bool result_is_fatal(const PGresult *result); /* the server hangs up after it */
bool result_is_stale(const PGresult *result); /* of a prepared statement */
/* Its name is taken, which only happens where connections are handed around. */
bool result_shows_pooler(const PGresult *result);
/* error: the text that libpq keeps of a connection. */
void error_from_connection(struct shared_error *error, const PGconn *connection, const char *what);
void postgres_notice(void *owner, const PGresult *result);

/* postgres_cancel.c: has the server cancel the operation it is at, if nobody waits for that. */
void postgres_cancel_head(struct postgres *postgres);
/* The same for a new head. */
void postgres_cancel_next(struct postgres *postgres);
void postgres_cancel_forget(struct postgres *postgres);

#endif
