/* SPDX-License-Identifier: MIT
 * postgres_fixture.h - one connection to the test's server, and statements run on it one by one.
 */
#ifndef TEST_POSTGRES_FIXTURE_H
#define TEST_POSTGRES_FIXTURE_H

#include "database.h"
#include "net/url.h"

static shared_client *client;
static struct postgres *postgres;
static int ready_count, quiet_count;
static int32_t statement_max;
static bool broken;
static struct shared_error broken_by;

static inline void changed(struct postgres *which, const struct shared_error *error) {
    ck_assert_ptr_eq(which, postgres);
    if (error) {
        broken = true;
        broken_by = *error;
    } else if (!ready_count) {
        ready_count++;
    } else {
        quiet_count++;
    }
}

static inline void open_with(const char *name, const char *value) {
    char *conninfo = NULL;
    client = test_client(name, value);
    const char *url = shared_config_get(client_config(client), "DATABASE_URL");
    ck_assert_int_eq(url_parse_postgres("DATABASE_URL", url, &conninfo), SHARED_OK);
    statement_max = (int32_t)client_setting(client, "STATEMENT_CACHE");
    postgres = postgres_new(client, conninfo, &statement_max, changed, NULL);
    ck_assert_ptr_nonnull(postgres);
    free(conninfo);
}

static inline void open_ready(void) {
    open_with(NULL, NULL);
    UNTIL(client, ready_count);
}

static inline void close_all(void) {
    postgres_free(postgres);
    shared_client_free(client);
}

static inline void send_and_wait(struct probe *probe) {
    postgres_send(postgres, &probe->operation);
    UNTIL(client, probe->done);
}

static inline void run(const char *sql) {
    struct probe probe;
    probe_init(&probe, sql);
    send_and_wait(&probe);
    probe_succeeded(&probe);
}

/* The answer of one statement. */
static inline const char *ask(const char *sql) {
    static struct probe probe;
    probe_init(&probe, sql);
    send_and_wait(&probe);
    probe_succeeded(&probe);
    return probe.text;
}

#endif
