/* SPDX-License-Identifier: MIT
 * pool_fixture.h - the pool of one client, and claims and reads of it that remember how they ended.
 */
#ifndef TEST_POOL_FIXTURE_H
#define TEST_POOL_FIXTURE_H

#include "database.h"

static shared_client *client;
static struct pool *pool;

static inline void open_with(const char *name, const char *value) {
    client = test_client(name, value);
    pool = client_pool(client);
    ck_assert_ptr_nonnull(pool);
}

/* A claim, and what became of it. */
struct asked {
    struct claim claim;
    bool done;
    int order;
    struct postgres *postgres;
    struct shared_error error;
};
static int asked_order;

static inline void answered(struct claim *claim, struct postgres *postgres,
                            const struct shared_error *error) {
    struct asked *asked = (struct asked *)claim;
    ck_assert(!asked->done);
    asked->done = true;
    asked->order = ++asked_order;
    asked->postgres = postgres;
    if (error) asked->error = *error;
}

static inline void ask(struct asked *asked) {
    *asked = (struct asked){.claim = {.ready = answered}};
    pool_claim(pool, &asked->claim);
}

static inline struct postgres *get(void) {
    static struct asked asked;
    ask(&asked);
    UNTIL(client, asked.done);
    ck_assert_msg(asked.postgres != NULL, "%s", asked.error.message);
    return asked.postgres;
}

static inline void run_on(struct postgres *postgres, struct probe *probe, const char *sql) {
    probe_init(probe, sql);
    postgres_send(postgres, &probe->operation);
    UNTIL(client, probe->done);
}

static inline int backend_of(struct postgres *postgres) {
    struct probe probe;
    run_on(postgres, &probe, "SELECT pg_backend_pid()");
    probe_succeeded(&probe);
    return atoi(probe.text);
}

static inline void read_one(struct probe *probe, const char *sql) {
    probe_init(probe, sql);
    pool_read(pool, &probe->operation);
    UNTIL(client, probe->done);
}

#endif
