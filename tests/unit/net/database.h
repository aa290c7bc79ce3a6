/* SPDX-License-Identifier: MIT
 * database.h - for tests with a private PostgreSQL (TEST_DATABASE_URL, see tests/unit/with-servers): a
 * client, operations that remember how they ended, and waiting on the client's descriptor.
 */
#ifndef TEST_DATABASE_H
#define TEST_DATABASE_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/pool.h"
#include "unit.h"

enum { TEST_DEADLINE_MS = 20000 };

static inline shared_config *test_config(void) {
    shared_config *config = NULL;
    const char *url = getenv("TEST_DATABASE_URL");
    ck_assert_msg(url != NULL, "TEST_DATABASE_URL is not set: run by tests/unit/with-servers");
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "DATABASE_URL", url), SHARED_OK);
    return config;
}

/* name NULL: all settings as they are. */
static inline shared_client *test_client(const char *name, const char *value) {
    shared_config *config = test_config();
    shared_client *client = NULL;
    if (name) ck_assert_int_eq(shared_config_set(config, name, value), SHARED_OK);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    return client;
}

/* One look at what is ready; waits for it at most until the deadline. */
static inline void test_turn(shared_client *client, int64_t deadline_ms) {
    struct pollfd waited = {.fd = shared_client_fd(client), .events = POLLIN};
    int64_t left_ms = deadline_ms - time_monotonic_ms();
    ck_assert_msg(left_ms > 0, "nothing came of it within %d ms", TEST_DEADLINE_MS);
    (void)poll(&waited, 1, (int)left_ms);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
}

#define UNTIL(client, condition)                                                                   \
    for (int64_t deadline_ms_ = time_monotonic_ms() + TEST_DEADLINE_MS; !(condition);)             \
    test_turn(client, deadline_ms_)

/* An operation, and what became of it. */
struct probe {
    struct operation operation;
    bool done;
    bool failed;
    int order; /* in which the probes of a test ended, from 1 */
    int64_t count, touched;
    char text[256]; /* first value of the first row */
    struct shared_error error;
};

static int probe_order;

static inline void probe_finish(struct operation *operation, struct rows *rows, int64_t touched,
                                const struct shared_error *error) {
    struct probe *probe = (struct probe *)operation;
    ck_assert_msg(!probe->done, "finish came twice: %s", operation->sql);
    probe->done = true;
    probe->order = ++probe_order;
    probe->touched = touched;
    probe->count = rows ? rows->methods->count(rows) : -1;
    probe->failed = error != NULL;
    if (error) probe->error = *error;
    if (probe->count > 0) {
        size_t size;
        const char *text = rows->methods->value(rows, 0, 0, &size);
        (void)snprintf(probe->text, sizeof probe->text, "%s", text ? text : "(null)");
    }
}

/* A batch of one. */
static inline void probe_init(struct probe *probe, const char *sql) {
    *probe = (struct probe){
        .operation = {.sql = sql, .prepare = true, .sync = true, .finish = probe_finish}};
}

static inline void probe_succeeded(const struct probe *probe) {
    ck_assert_msg(probe->done && !probe->failed, "%s: %s %s", probe->operation.sql,
                  probe->error.sqlstate, probe->error.message);
}

/* Runs statements one after the other on a connection of their own, outside of the client under test. */
static inline void test_run_aside(const char *sql) {
    shared_client *client = test_client(NULL, NULL);
    struct probe probe;
    probe_init(&probe, sql);
    pool_read(client_pool(client), &probe.operation);
    UNTIL(client, probe.done);
    probe_succeeded(&probe);
    shared_client_free(client);
}

static inline void test_terminate(int backend) {
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", backend);
    test_run_aside(sql);
}

#endif
