/* SPDX-License-Identifier: MIT
 * pool_claim.c - who waits for a connection of their own, and how one that comes back is made fit for
 * the next. First come, first served.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/time.h"
#include "net/pool_private.h"

/* --- waiting -------------------------------------------------------------------------------------- */

static void claim_remove(struct claim *claim) {
    struct pool *pool = claim->pool;
    *(claim->previous ? &claim->previous->next : &pool->first) = claim->next;
    *(claim->next ? &claim->next->previous : &pool->last) = claim->previous;
    claim->next = claim->previous = NULL;
    claim->waiting = false;
    pool->waiting_count--;
    timer_stop(pool->client, &claim->deadline);
}

static void claim_refuse(struct claim *claim, const struct shared_error *error) {
    struct shared_error kept = *error;
    claim_remove(claim);
    claim->ready(claim, NULL, &kept);
}

void claims_refuse_all(struct pool *pool, const struct shared_error *error) {
    while (pool->first) claim_refuse(pool->first, error);
}

static void claim_overdue(struct timer *timer) {
    struct claim *claim = (struct claim *)((char *)timer - offsetof(struct claim, deadline));
    const struct pool *pool = claim->pool;
    struct shared_error error;
    bool all_given = pool->owned_count - pool->connecting_count == pool->owned_max;
    if (!all_given && pool->pause_ms)
        error = pool->down_error;
    else
        error_set(&error, SHARED_POSTGRES, all_given ? SHARED_EBUSY : SHARED_ETIMEOUT,
                  "no connection became free within POOL_WAIT_MS = %" PRId64
                  " ms; %d of POOL_SIZE = %d are in use",
                  pool->wait_ms, pool->owned_count - pool->connecting_count, pool->owned_max);
    claim_refuse(claim, &error);
}

static void slot_give(struct slot *slot, struct claim *claim) {
    slot_set_state(slot, SLOT_GIVEN);
    slot->used = true;
    claim->ready(claim, slot->postgres, NULL);
}

/* As many connections in the making as are waited for. */
static void open_more(struct pool *pool) {
    while (pool->connecting_count < pool->waiting_count && pool->owned_count < pool->owned_max &&
           !pool_is_down(pool) && !client_is_ending(pool->client))
        if (!pool_open(pool)) return;
}

void pool_serve(struct pool *pool) {
    struct slot *slot;
    while (pool->first && (slot = pool_idle_slot(pool))) {
        struct claim *claim = pool->first;
        claim_remove(claim);
        slot_give(slot, claim);
    }
    open_more(pool);
}

/* Those who wait may go on waiting only while a connection is there that can come back. */
void pool_refuse(struct pool *pool) {
    if (pool->owned_count == 0) claims_refuse_all(pool, &pool->down_error);
}

void pool_claim(struct pool *pool, struct claim *claim) {
    claim->pool = pool;
    claim->waiting = false;
    struct slot *slot = pool->first ? NULL : pool_idle_slot(pool);
    if (slot) {
        slot_give(slot, claim);
        return;
    }
    if (client_is_ending(pool->client) || (pool->owned_count == 0 && pool_is_down(pool))) {
        struct shared_error error = pool->down_error;
        claim->ready(claim, NULL, &error);
        return;
    }
    claim->waiting = true;
    claim->next = NULL;
    claim->previous = pool->last;
    *(pool->last ? &pool->last->next : &pool->first) = claim;
    pool->last = claim;
    pool->waiting_count++;
    timer_start(pool->client, &claim->deadline, pool->wait_ms, claim_overdue);
    open_more(pool);
}

void pool_forget(struct pool *pool, struct claim *claim) {
    (void)pool;
    if (claim->waiting) claim_remove(claim);
}

/* --- coming back ---------------------------------------------------------------------------------- */

static void slot_drop(struct slot *slot) {
    struct pool *pool = slot->pool;
    slot_free(slot);
    pool_serve(pool);
}

static void reset_overdue(struct timer *timer) {
    slot_drop((struct slot *)((char *)timer - offsetof(struct slot, deadline)));
}

static void rolled_back(struct operation *operation, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    struct slot *slot = (struct slot *)((char *)operation - offsetof(struct slot, rollback));
    (void)rows;
    (void)touched;
    if (error) return; /* the connection is broken, or the deadline ends it */
    if (postgres_is_quiet(slot->postgres) && postgres_transaction(slot->postgres) != 'I')
        slot_drop(slot); /* nobody knows what its answers answer */
    else
        slot_reset(slot);
}

void slot_reset(struct slot *slot) {
    if (!postgres_is_quiet(slot->postgres)) {
        postgres_tell_quiet(slot->postgres);
        return;
    }
    if (postgres_transaction(slot->postgres) != 'I') {
        slot->rollback = (struct operation){
            .sql = "ROLLBACK", .prepare = true, .sync = true, .finish = rolled_back};
        postgres_send(slot->postgres, &slot->rollback);
        return;
    }
    if (slot_is_old(slot, time_monotonic_ms())) {
        slot_drop(slot);
        return;
    }
    struct pool *pool = slot->pool;
    timer_stop(pool->client, &slot->deadline);
    slot_set_state(slot, SLOT_IDLE);
    pool_serve(pool);
}

void pool_release(struct pool *pool, struct postgres *postgres) {
    struct slot *slot = postgres_owner(postgres);
    if (slot->state == SLOT_GONE) return; /* the pool itself ends, and told its operations */
    SHARED_CHECK(slot->state == SLOT_GIVEN);
    if (!postgres_is_ready(postgres)) {
        slot_drop(slot);
        return;
    }
    int64_t patience_ms = client_setting(pool->client, "DATABASE_TIMEOUT_MS");
    slot_set_state(slot, SLOT_RESETTING);
    postgres_set_patience(postgres, patience_ms);
    timer_start(pool->client, &slot->deadline, patience_ms, reset_overdue);
    slot_reset(slot);
}

void pool_discard(struct pool *pool, struct postgres *postgres) {
    (void)pool;
    struct slot *slot = postgres_owner(postgres);
    if (slot->state == SLOT_GONE) return;
    SHARED_CHECK(slot->state == SLOT_GIVEN);
    slot_drop(slot);
}

/* --- idle ones ------------------------------------------------------------------------------------ */

static bool is_unused(const struct slot *slot, int64_t now_ms) {
    return slot->state == SLOT_IDLE && (!slot->used || slot_is_old(slot, now_ms)) &&
           postgres_is_quiet(slot->postgres);
}

static void list_expire(struct slot *slot) {
    int64_t now_ms = time_monotonic_ms();
    for (struct slot *next; slot; slot = next) {
        next = slot->next;
        if (is_unused(slot, now_ms))
            slot_free(slot);
        else
            slot->used = slot->state == SLOT_GIVEN;
    }
}

static void idle_look(struct timer *timer) {
    struct pool *pool = (struct pool *)((char *)timer - offsetof(struct pool, idle));
    list_expire(pool->owned);
    list_expire(pool->shared);
    if (pool->owned || pool->shared) pool_watch_idle(pool);
}

/* Two looks in which nobody used a connection close it: after one to two times half of POOL_IDLE_S. */
void pool_watch_idle(struct pool *pool) {
    if (pool->idle.running) return;
    timer_start(pool->client, &pool->idle, pool->idle_ms / 2 + 1, idle_look);
}
