/* SPDX-License-Identifier: MIT
 * pool.c - the connections of a client: shared ones for single reads, owned ones for transactions; when
 * one is opened, when it is closed, and how long a server that cannot be reached is left alone.
 * Never looks into a statement, and hands no owned connection on before it is quiet and clean.
 */
#include "net/pool.h"

#include <stdlib.h>

#include "base/time.h"
#include "net/pool_private.h"
#include "net/url.h"

enum {
    PAUSE_MS_MIN = 50,  /* after the first failure; doubles up to RECONNECT_MS_MAX */
    SHARED_LOAD = 8,    /* reads under way on each shared connection before one more is opened */
    LIFETIME_PARTS = 10 /* a life ends up to a tenth before its time, so that not all end at once */
};

static void changed(struct postgres *postgres, const struct shared_error *error);

/* --- slots ---------------------------------------------------------------------------------------- */

static void list_add(struct slot **list, struct slot *slot) {
    slot->next = *list;
    *list = slot;
}

static void list_remove(struct slot **list, struct slot *slot) {
    while (*list != slot) list = &(*list)->next;
    *list = slot->next;
}

static int64_t lifetime_draw(const struct pool *pool) {
    if (!pool->lifetime_ms) return INT64_MAX;
    uint64_t part = (uint64_t)(pool->lifetime_ms / LIFETIME_PARTS);
    return time_monotonic_ms() + pool->lifetime_ms - (int64_t)(random_u64() % (part + 1));
}

bool slot_is_old(const struct slot *slot, int64_t now_ms) {
    return slot->expires_ms <= now_ms;
}

static struct slot *slot_open(struct pool *pool, bool shared) {
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot) return NULL;
    slot->pool = pool;
    slot->shared = shared;
    slot->used = true;
    slot->expires_ms = lifetime_draw(pool);
    slot->postgres =
        postgres_new(pool->client, pool->conninfo, &pool->statement_max, changed, slot);
    if (!slot->postgres) {
        free(slot);
        return NULL;
    }
    list_add(shared ? &pool->shared : &pool->owned, slot);
    *(shared ? &pool->shared_count : &pool->owned_count) += 1;
    if (!shared) pool->connecting_count++;
    return slot;
}

void slot_set_state(struct slot *slot, enum slot_state state) {
    if (slot->shared) {
        slot->state = state;
        return;
    }
    slot->pool->connecting_count -= slot->state == SLOT_CONNECTING;
    slot->pool->connecting_count += state == SLOT_CONNECTING;
    slot->state = state;
    if (state ==
        SLOT_IDLE) { /* in front: the one used last is used next, and the others may expire */
        list_remove(&slot->pool->owned, slot);
        list_add(&slot->pool->owned, slot);
    }
}

void slot_free(struct slot *slot) {
    struct pool *pool = slot->pool;
    list_remove(slot->shared ? &pool->shared : &pool->owned, slot);
    *(slot->shared ? &pool->shared_count : &pool->owned_count) -= 1;
    timer_stop(pool->client, &slot->deadline);
    slot_set_state(slot, SLOT_GONE);
    postgres_free(slot->postgres);
    free(slot);
}

struct slot *pool_idle_slot(const struct pool *pool) {
    struct slot *next, *found = NULL;
    int64_t now_ms = time_monotonic_ms();
    for (struct slot *slot = pool->owned; slot && !found; slot = next) {
        next = slot->next;
        if (slot->state != SLOT_IDLE) continue;
        if (slot_is_old(slot, now_ms))
            slot_free(slot);
        else
            found = slot;
    }
    return found;
}

/* --- a server that cannot be reached -------------------------------------------------------------- */

bool pool_is_down(const struct pool *pool) {
    return pool->pause_ms && time_monotonic_ms() < pool->down_until_ms;
}

static void pause_over(struct timer *timer) {
    pool_serve((struct pool *)((char *)timer - offsetof(struct pool, pause)));
}

/* A failed attempt. Pauses are drawn from their upper half, so that many clients do not come at once. */
static void pool_down(struct pool *pool, const struct shared_error *error) {
    int64_t pause_max_ms = client_setting(pool->client, "RECONNECT_MS_MAX");
    pool->down_error = *error;
    if (pool_is_down(pool)) return; /* several were under way */
    pool->pause_ms = pool->pause_ms ? pool->pause_ms * 2 : PAUSE_MS_MIN;
    if (pool->pause_ms > pause_max_ms) pool->pause_ms = pause_max_ms;
    int64_t half_ms = pool->pause_ms / 2;
    int64_t drawn_ms = pool->pause_ms - (int64_t)(random_u64() % (uint64_t)(half_ms + 1));
    pool->down_until_ms = time_monotonic_ms() + drawn_ms;
    timer_start(pool->client, &pool->pause, drawn_ms, pause_over);
}

static void pool_up(struct pool *pool) {
    pool->pause_ms = 0;
    timer_stop(pool->client, &pool->pause);
}

bool pool_open(struct pool *pool) {
    if (slot_open(pool, false)) return true;
    error_set(&pool->down_error, SHARED_SYSTEM, SHARED_ENOMEM, "connection: out of memory");
    pool_refuse(pool);
    return false;
}

static void connect_failed(struct slot *slot, const struct shared_error *error) {
    struct pool *pool = slot->pool;
    bool shared = slot->shared;
    if (error->code == SHARED_ENOMEM) /* says nothing of the server */
        pool->down_error = *error;
    else
        pool_down(pool, error);
    slot_free(slot); /* and the error with it */
    if (!shared) pool_refuse(pool);
}

/* Where one connection fell silent, a server or a router between may have forgotten them all: each is
 * replaced when it is free, instead of costing the next one the same wait. */
static void pool_doubt(struct pool *pool) {
    for (struct slot *slot = pool->owned; slot; slot = slot->next)
        if (slot->state != SLOT_CONNECTING) slot->expires_ms = 0;
    for (struct slot *slot = pool->shared; slot; slot = slot->next)
        if (slot->state != SLOT_CONNECTING) slot->expires_ms = 0;
}

static void changed(struct postgres *postgres, const struct shared_error *error) {
    struct slot *slot = postgres_owner(postgres);
    struct pool *pool = slot->pool;
    if (error && postgres_was_silent(postgres)) pool_doubt(pool);
    if (error && slot->state == SLOT_CONNECTING) {
        connect_failed(slot, error);
    } else if (error && slot->state == SLOT_GIVEN) {
        return; /* its owner gives it back */
    } else if (error) {
        slot_free(slot);
        pool_serve(pool);
    } else if (slot->state == SLOT_CONNECTING) {
        pool_up(pool);
        slot_set_state(slot, SLOT_IDLE);
        pool_watch_idle(pool);
        pool_serve(pool);
    } else if (slot->state == SLOT_RESETTING) {
        slot_reset(slot);
    } else if (slot->shared && slot_is_old(slot, time_monotonic_ms())) {
        slot_free(slot); /* quiet at last, and replaced */
    }
}

/* --- single reads --------------------------------------------------------------------------------- */

/* Those that stand before those that are being made, and old ones only until a new one stands. */
static int32_t shared_rank(const struct slot *slot, int64_t now_ms) {
    if (!postgres_is_ready(slot->postgres)) return 0;
    return slot_is_old(slot, now_ms) ? 1 : 2;
}

/* The least loaded one of the best. */
static struct slot *shared_choose(const struct pool *pool, int64_t now_ms) {
    struct slot *best = NULL;
    int32_t best_rank = 0;
    for (struct slot *slot = pool->shared; slot; slot = slot->next) {
        int32_t rank = shared_rank(slot, now_ms);
        if (best && rank < best_rank) continue;
        if (!best || rank > best_rank ||
            postgres_load(slot->postgres) < postgres_load(best->postgres)) {
            best = slot;
            best_rank = rank;
        }
    }
    return best;
}

/* Old ones: another is made beside them; when it stands they get no more reads, and end with their last. */
static bool shared_renew(struct pool *pool, const struct slot *chosen, int64_t now_ms) {
    int32_t rank = shared_rank(chosen, now_ms), old_count = 0;
    bool making = false;
    for (struct slot *next, *slot = pool->shared; slot; slot = next) {
        next = slot->next;
        making = making || slot->state == SLOT_CONNECTING;
        if (shared_rank(slot, now_ms) != 1) continue;
        if (rank != 2)
            old_count++;
        else if (postgres_is_quiet(slot->postgres))
            slot_free(slot);
        else
            postgres_tell_quiet(slot->postgres);
    }
    return old_count && !making;
}

static void refuse_reads(struct deferred *deferred) {
    struct pool *pool = (struct pool *)((char *)deferred - offsetof(struct pool, refusing));
    while (pool->refused) {
        struct operation *operation = pool->refused;
        pool->refused = operation->next;
        struct shared_error error = pool->down_error;
        operation->finish(operation, NULL, 0, &error);
    }
}

static void read_refuse(struct pool *pool, struct operation *operation) {
    operation->sent = false;
    operation->postgres = NULL;
    operation->next = pool->refused;
    pool->refused = operation;
    client_defer(pool->client, &pool->refusing, refuse_reads);
}

void pool_read(struct pool *pool, struct operation *operation) {
    int64_t now_ms = time_monotonic_ms();
    struct slot *slot = shared_choose(pool, now_ms);
    bool renew = slot && shared_renew(pool, slot, now_ms);
    bool busy = !slot || postgres_load(slot->postgres) >= SHARED_LOAD;
    if ((renew || (busy && pool->shared_count < pool->shared_max)) && !pool_is_down(pool) &&
        !client_is_ending(pool->client)) {
        struct slot *opened = slot_open(pool, true);
        if (!slot) slot = opened;
        if (!slot)
            error_set(&pool->down_error, SHARED_SYSTEM, SHARED_ENOMEM, "connection: out of memory");
    }
    if (!slot) {
        read_refuse(pool, operation);
        return;
    }
    slot->used = true;
    postgres_send(slot->postgres, operation);
}

void pool_read_behind(struct pool *pool, struct operation *operation,
                      const struct operation *other) {
    if (!other->postgres) {
        pool_read(pool, operation);
        return;
    }
    struct slot *slot = postgres_owner(other->postgres);
    slot->used = true;
    postgres_send(other->postgres, operation);
}

bool pool_abandon(struct pool *pool, struct operation *operation) {
    if (operation->postgres) return postgres_abandon(operation->postgres, operation);
    struct operation **link = &pool->refused;
    while (*link && *link != operation) link = &(*link)->next;
    if (!*link) return false;
    *link = operation->next;
    return true;
}

/* --- life ----------------------------------------------------------------------------------------- */

static void pool_stop(void *state) {
    struct pool *pool = state;
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "client: freed");
    pool->down_error = error;
    timer_stop(pool->client, &pool->pause);
    timer_stop(pool->client, &pool->idle);
    client_defer_stop(pool->client, &pool->refusing);
    claims_refuse_all(pool, &error);
    /* slot_free takes it off its list, which clang-tidy does not see. */
    while (pool->owned) slot_free(pool->owned);   /* NOLINT(clang-analyzer-unix.Malloc) */
    while (pool->shared) slot_free(pool->shared); /* NOLINT(clang-analyzer-unix.Malloc) */
    refuse_reads(&pool->refusing);
    client_defer_stop(pool->client, &pool->refusing);
    client_set_state(pool->client, CLIENT_POOL, NULL, NULL);
    free(pool->conninfo);
    free(pool);
}

struct pool *client_pool(shared_client *client) {
    struct pool *pool = client_state(client, CLIENT_POOL);
    if (pool) return pool;
    char *conninfo = NULL;
    const char *url = shared_config_get(client_config(client), "DATABASE_URL");
    if (url_parse_postgres("DATABASE_URL", url, &conninfo) < 0) return NULL;
    pool = calloc(1, sizeof *pool);
    if (!pool) {
        free(conninfo);
        (void)fail(SHARED_ENOMEM, "pool: out of memory");
        return NULL;
    }
    *pool = (struct pool){.client = client,
                          .conninfo = conninfo,
                          .shared_max = (int32_t)client_setting(client, "POOL_SHARED"),
                          .owned_max = (int32_t)client_setting(client, "POOL_SIZE"),
                          .wait_ms = client_setting(client, "POOL_WAIT_MS"),
                          .lifetime_ms = client_setting(client, "POOL_LIFETIME_S") * 1000,
                          .statement_max = (int32_t)client_setting(client, "STATEMENT_CACHE"),
                          .idle_ms = client_setting(client, "POOL_IDLE_S") * 1000};
    client_set_state(client, CLIENT_POOL, pool, pool_stop);
    return pool;
}
