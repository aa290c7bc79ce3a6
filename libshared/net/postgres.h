/* SPDX-License-Identifier: MIT
 * postgres.h - one connection to PostgreSQL in libpq's pipeline mode. Knows statements, not sessions.
 *
 * Operations run in the order they were given. Between two Syncs they are a batch: outside of BEGIN a
 * batch is one implicit transaction, and a failure skips the rest of its batch only.
 */
#ifndef NET_POSTGRES_H
#define NET_POSTGRES_H

#include "model/statement.h"
#include "net/client.h"

struct postgres;

struct operation;

/* COPY of bytes to or from the user. */
struct copy {
    bool in; /* FROM STDIN; else TO STDOUT */
    /* TO STDOUT: whole rows as they came; bytes are the callee's to free. false: no more now. */
    bool (*take)(struct operation *operation, char *bytes, size_t size);
    /* FROM STDIN: all that was given before is with the kernel. What comes next, good until the next call;
     * NULL: nothing now. */
    const char *(*next)(struct operation *operation, size_t *size);
    bool ended;        /* and nothing ever */
    const char *error; /* then: why it is to fail, NULL: it is whole */
};

struct operation {
    const char *sql;                     /* valid until finish, as are the parameters */
    const struct parameters *parameters; /* or NULL */
    bool prepare;                        /* keep it in the cache of prepared statements */
    bool sync;                           /* last of its batch */
    /* A read by itself, outside of any transaction; sync must be true. What kept it from running (another
     * one's failure or cancel, a stale prepared statement) makes it run again. */
    bool repeatable;
    /* With repeatable: over at once, as a read by key is; neighbours may share one Sync. Two times as
     * many reads a second; a failure is still nobody's but its own, because the others run again. */
    bool quick;
    /* A script of several statements without parameters, by the simple protocol. Alone: what was given
     * before is answered first, what comes after waits. */
    bool script;
    /* A script that is COPY; NULL: none. Not called back once nobody waits for the operation. */
    struct copy *copy;
    /* Called exactly once, from dispatch. rows: borrowed, NULL when there are none; touched: rows of an
     * INSERT, UPDATE, DELETE. error NULL: it went well; of a sync operation: and its Sync was answered.
     * Operations of a batch behind a failed one get that failure. SHARED_EUNKNOWN is decided by the
     * session, from error code ECLOSED and whether `sent` is true. */
    void (*finish)(struct operation *operation, struct rows *rows, int64_t touched,
                   const struct shared_error *error);
    bool sent;              /* bytes may have left: the server may have run it */
    bool refused;           /* the server hung up with a reason instead of running it to its end */
    struct operation *next; /* private from here */
    struct postgres *postgres; /* that has it; NULL: none */
    bool unwanted;             /* nobody waits for it: cancelled when its turn comes */
    bool hit;                  /* maybe: a cancel of ours came back since it was sent */
    struct cached *cached;     /* its prepared statement, or NULL */
    int8_t repeats;            /* how often it ran again; then it shares no Sync */
    bool unprepared;           /* its prepared statement was stale */
    bool prepares;             /* a Parse goes before it */
    bool ends;                 /* a Sync goes behind it */
    int8_t phase;
};

/* After take said no more, or next had nothing, or ended was set. */
void postgres_copy_resume(struct operation *operation);

/* Whole life of a connection belongs to pool.c. changed: called when it became ready, when it became quiet
 * after postgres_tell_quiet, or broke (then error is set, all its operations were finished, and only
 * postgres_free is allowed). Host names are looked up by a helper thread; only one that a service file
 * names is left to libpq. statement_max: statements to keep prepared, set to 0 when the server turns out
 * to be a pooler that hands its connections around; outlives the connection. NULL without memory. */
struct postgres *postgres_new(shared_client *client, const char *conninfo, int32_t *statement_max,
                              void (*changed)(struct postgres *postgres,
                                              const struct shared_error *error),
                              void *owner);
void *postgres_owner(const struct postgres *postgres);
bool postgres_is_ready(const struct postgres *postgres);
/* Queues an operation, also while still connecting. Never fails at once. */
void postgres_send(struct postgres *postgres, struct operation *operation);
/* Nobody waits for it any more. true: nothing of it had been sent, it is taken back and finish will not be
 * called. false: it will finish, cancelled by the server as soon as it is its turn. */
bool postgres_abandon(struct postgres *postgres, struct operation *operation);
/* Operations given and not finished. */
int32_t postgres_load(const struct postgres *postgres);
/* The server's last word: 'I' idle, 'T' in a transaction, 'E' in a failed one. Only while load is 0. */
char postgres_transaction(const struct postgres *postgres);
/* Nobody waits for any of its operations: the server cancels them, as their turn comes. */
void postgres_cancel(struct postgres *postgres);
/* The operation that the server works on; what a cancel would hit. NULL: none. */
const struct operation *postgres_running(const struct postgres *postgres);
/* No operation, and no cancel on its way that could hit the next one. */
bool postgres_is_quiet(const struct postgres *postgres);
/* Ready and quiet, and no transaction is open. */
bool postgres_is_clean(const struct postgres *postgres);
/* Calls changed, once, when it is quiet; not when it already is. */
void postgres_tell_quiet(struct postgres *postgres);
/* Time the server may leave operations without a sign of life before the connection counts as dead; 0:
 * for ever. DATABASE_TIMEOUT_MS at first. */
void postgres_set_patience(struct postgres *postgres, int64_t patience_ms);
/* It broke because the server gave no sign of life: others to the same server may be as dead. */
bool postgres_was_silent(const struct postgres *postgres);
/* Ends it: open operations finish with SHARED_ECANCELLED. Accepts NULL. */
void postgres_free(struct postgres *postgres);

#endif
