/* SPDX-License-Identifier: MIT
 * pool.h - which connection a piece of work may use: a few shared ones for single reads, and up to
 * POOL_SIZE that belong to one session at a time.
 */
#ifndef NET_POOL_H
#define NET_POOL_H

#include "net/postgres.h"

struct pool;
/* The client's pool, made when first asked for. NULL and fail() when DATABASE_URL is not valid. */
struct pool *client_pool(shared_client *client);

/* One read by itself, on the least loaded shared connection. operation->sync must be true. While the
 * server is known to be down (pause between attempts) it fails at once with the last error, from the
 * next dispatch. */
void pool_read(struct pool *pool, struct operation *operation);
/* The same on the connection of another read, if that is under way: answers come in the order of the
 * questions. */
void pool_read_behind(struct pool *pool, struct operation *operation,
                      const struct operation *other);
/* Nobody waits for it any more. true: it is taken back and finish will not be called. */
bool pool_abandon(struct pool *pool, struct operation *operation);

/* A wait for a connection of one's own. */
struct claim {
    /* With a connection, or an error: after POOL_WAIT_MS, SHARED_EBUSY when all POOL_SIZE are in use, else
     * SHARED_ETIMEOUT; what kept the only connection in the making from being made. */
    void (*ready)(struct claim *claim, struct postgres *postgres, const struct shared_error *error);
    struct claim *next, *previous;
    struct timer deadline;
    struct pool *pool;
    bool waiting;
};
/* ready may be called before this returns. */
void pool_claim(struct pool *pool, struct claim *claim);
void pool_forget(struct pool *pool, struct claim *claim); /* stop waiting */
/* Gives a connection back, also with operations under way: it is used again once they have finished, and
 * a transaction was rolled back; a broken one is thrown away. */
void pool_release(struct pool *pool, struct postgres *postgres);
/* Throws it away, since what was set on it is not for others; no operation may be under way. */
void pool_discard(struct pool *pool, struct postgres *postgres);

#endif
