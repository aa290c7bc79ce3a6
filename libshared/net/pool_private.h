/* SPDX-License-Identifier: MIT
 * pool_private.h - the parts of a pool, for pool.c and pool_claim.c only.
 */
#ifndef NET_POOL_PRIVATE_H
#define NET_POOL_PRIVATE_H

#include "base/text.h"
#include "net/pool.h"

enum slot_state {
    SLOT_CONNECTING,
    SLOT_IDLE, /* of a shared one: it stands */
    SLOT_GIVEN,
    SLOT_RESETTING, /* given back: operations to come in, a transaction to end */
    SLOT_GONE       /* being freed, while its operations are told */
};

/* One connection. */
struct slot {
    struct slot *next; /* of pool->shared or pool->owned */
    struct pool *pool;
    struct postgres *postgres;
    enum slot_state state;
    bool shared;
    bool used;          /* since the idle timer looked last */
    int64_t expires_ms; /* then it is replaced, once it is free */
    struct operation rollback;
    struct timer deadline; /* of the reset */
};

struct pool {
    shared_client *client;
    char *conninfo;
    struct slot *shared, *owned;
    int32_t shared_count, shared_max;
    int32_t owned_count, owned_max, connecting_count;
    struct claim *first, *last; /* waiting, in their order */
    int32_t waiting_count;
    int64_t wait_ms, idle_ms, lifetime_ms;
    int32_t statement_max; /* see postgres_new */
    struct timer idle;

    int64_t pause_ms; /* 0: the server was reached last time */
    int64_t down_until_ms;
    struct shared_error down_error;
    struct timer pause;
    struct operation *refused; /* reads to be failed */
    struct deferred refusing;
};

/* pool.c */
void slot_set_state(struct slot *slot, enum slot_state state);
void slot_free(struct slot *slot);
struct slot *pool_idle_slot(const struct pool *pool);
bool pool_open(
    struct pool *pool); /* an owned one; false: no memory, and those who cannot wait were told */
bool pool_is_down(const struct pool *pool);
bool slot_is_old(const struct slot *slot, int64_t now_ms);

/* pool_claim.c */
void pool_serve(struct pool *pool);  /* idle connections to those who wait */
void pool_refuse(struct pool *pool); /* an attempt failed with down_error */
void claims_refuse_all(struct pool *pool, const struct shared_error *error);
void slot_reset(struct slot *slot); /* goes on with it; may free slot */
void pool_watch_idle(struct pool *pool);

#endif
