/* SPDX-License-Identifier: MIT
 * test_pool_life.c - how long a connection lives, what one failure says of the others, and that reads and
 * sessions do not starve each other.
 */
#include "pool_fixture.h"

/* Its whole life is over by the time anybody looks, but never under work. */
static void grow_old(void) {
    int64_t end_ms = time_monotonic_ms() + 1001;
    while (time_monotonic_ms() < end_ms) ck_assert_int_ge(shared_client_dispatch(client, 50), 0);
}

START_TEST(an_old_connection_is_replaced_when_it_is_free) {
    open_with("POOL_LIFETIME_S", "1");
    struct postgres *postgres = get();
    int backend = backend_of(postgres);
    grow_old();
    ck_assert_int_eq(backend_of(postgres), backend); /* still ours, for as long as we work */
    pool_release(pool, postgres);
    postgres = get();
    int second = backend_of(postgres);
    ck_assert_int_ne(second, backend);
    pool_release(pool, postgres);
    grow_old(); /* while it is idle */
    postgres = get();
    ck_assert_int_ne(backend_of(postgres), second);
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(an_old_shared_connection_ends_with_its_last_read) {
    open_with("POOL_LIFETIME_S", "1");
    struct probe first, slow, read;
    read_one(&first, "SELECT pg_backend_pid()");
    probe_init(&slow, "SELECT pg_backend_pid() FROM pg_sleep(2)");
    pool_read(pool, &slow.operation);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    grow_old();
    do read_one(&read, "SELECT pg_backend_pid()"); /* by the old one, until the new one stands */
    while (!strcmp(read.text, first.text));
    UNTIL(client, slow.done);
    probe_succeeded(&slow);
    ck_assert_str_eq(slow.text, first.text);
    char sql[sizeof first.text + 96];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s",
                   first.text);
    do read_one(&read, sql);
    while (strcmp(read.text, "0") != 0);
    shared_client_free(client);
}
END_TEST

START_TEST(with_lifetime_0_a_connection_stays) {
    open_with("POOL_LIFETIME_S", "0");
    struct postgres *postgres = get();
    int backend = backend_of(postgres);
    pool_release(pool, postgres);
    grow_old();
    postgres = get();
    ck_assert_int_eq(backend_of(postgres), backend);
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(where_one_fell_silent_the_idle_ones_are_not_trusted) {
    open_with("DATABASE_TIMEOUT_MS", "300");
    struct postgres *one = get(), *other = get();
    int backend = backend_of(other);
    pool_release(pool, other);
    struct probe probe;
    run_on(one, &probe, "SELECT pg_sleep(30)");
    ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    pool_release(pool, one);
    other = get();
    ck_assert_int_ne(backend_of(other), backend);
    pool_release(pool, other);
    shared_client_free(client);
}
END_TEST

/* As a restart of the server does: all idle ones at once. */
START_TEST(after_a_restart_nobody_gets_a_dead_connection) {
    enum { COUNT = 5 };
    open_with(NULL, NULL);
    struct postgres *all[COUNT];
    int backends[COUNT];
    struct probe probe;
    read_one(&probe, "SELECT 1");
    for (int i = 0; i < COUNT; i++) {
        all[i] = get();
        backends[i] = backend_of(all[i]);
    }
    for (int i = 0; i < COUNT; i++) pool_release(pool, all[i]);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    for (int i = 0; i < COUNT; i++) test_terminate(backends[i]);
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM pg_stat_activity WHERE pid IN (%d, %d, %d, %d, %d)",
                   backends[0], backends[1], backends[2], backends[3], backends[4]);
    do read_one(&probe, sql);
    while (strcmp(probe.text, "0") != 0);
    for (int i = 0; i < COUNT; i++) {
        all[i] = get();
        run_on(all[i], &probe, "SELECT 1");
        probe_succeeded(&probe);
    }
    for (int i = 0; i < COUNT; i++) pool_release(pool, all[i]);
    shared_client_free(client);
}
END_TEST

/* A session that holds its connection for one statement, and gives it back. */
enum { SESSIONS = 50, FLOOD = 40, READS = 4000 };
struct visit {
    struct asked asked; /* first */
    struct probe probe;
    bool sent;
};
static int visits_done, reads_done, reads_open, reads_done_at_the_last_visit;

static void visit_step(struct visit *visit) {
    if (!visit->asked.done || (visit->sent && !visit->probe.done)) return;
    if (!visit->sent) {
        ck_assert_msg(visit->asked.postgres != NULL, "%s", visit->asked.error.message);
        probe_init(&visit->probe, "SELECT pg_sleep(0.002)");
        postgres_send(visit->asked.postgres, &visit->probe.operation);
        visit->sent = true;
    } else if (visit->asked.postgres) {
        probe_succeeded(&visit->probe);
        pool_release(pool, visit->asked.postgres);
        visit->asked.postgres = NULL;
        reads_done_at_the_last_visit = reads_done;
        visits_done++;
    }
}

static void read_again(struct operation *operation, struct rows *rows, int64_t touched,
                       const struct shared_error *error) {
    (void)rows;
    (void)touched;
    ck_assert_msg(!error, "%s", error ? error->message : "");
    reads_done++;
    if (reads_done <= READS - FLOOD || visits_done < SESSIONS)
        pool_read(pool, operation);
    else
        reads_open--;
}

START_TEST(sessions_and_a_flood_of_reads_are_all_served_in_order) {
    static struct visit visits[SESSIONS];
    static struct operation reads[FLOOD];
    open_with("POOL_SIZE", "2");
    for (; reads_open < FLOOD; reads_open++) {
        reads[reads_open] = (struct operation){.sql = "SELECT 1",
                                               .prepare = true,
                                               .sync = true,
                                               .repeatable = true,
                                               .quick = true,
                                               .finish = read_again};
        pool_read(pool, &reads[reads_open]);
    }
    for (int i = 0; i < SESSIONS; i++) ask(&visits[i].asked);
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    while (visits_done < SESSIONS || reads_open) { /* a read that is cut off would fail */
        for (int i = 0; i < SESSIONS; i++) visit_step(&visits[i]);
        test_turn(client, deadline_ms);
    }
    for (int i = 0; i < SESSIONS; i++)
        ck_assert_int_eq(visits[i].asked.order, visits[0].asked.order + i);
    ck_assert_int_ge(reads_done, READS);
    /* Reads went on meanwhile: 50 sessions of 2 ms on 2 connections are 50 ms. */
    ck_assert_int_gt(reads_done_at_the_last_visit, FLOOD);
    shared_client_free(client);
}
END_TEST

START_TEST(behind_a_pooler_nothing_is_prepared_any_more) {
    open_with(NULL, NULL);
    struct probe probe;
    /* What another client of a pooler would leave behind: our text, under our name. */
    read_one(&probe, "SELECT 'ours'");
    probe_succeeded(&probe);
    char name[sizeof probe.text];
    read_one(&probe, "SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT ''ours'''");
    (void)snprintf(name, sizeof name, "%s", probe.text);
    ck_assert_msg(!strncmp(name, "lex_", 4), "%s", name);
    struct postgres *postgres = get();
    char sql[sizeof name + 64];
    (void)snprintf(sql, sizeof sql, "PREPARE %s AS SELECT 'ours'", name);
    run_on(postgres, &probe, sql);
    probe_succeeded(&probe);
    run_on(postgres, &probe, "SELECT 'ours'");
    ck_assert_str_eq(probe.error.sqlstate, "42P05");
    ck_assert_int_eq(probe.error.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(probe.error.hint, "STATEMENT_CACHE=0"));
    run_on(postgres, &probe, "SELECT 'ours'"); /* the second time it goes */
    ck_assert_str_eq(probe.text, "ours");
    struct postgres *other = get();
    run_on(other, &probe, "SELECT 'ours'");
    run_on(other, &probe, "SELECT count(*) FROM pg_prepared_statements");
    ck_assert_str_eq(probe.text, "0");
    pool_release(pool, other);
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(three_hundred_texts_leave_no_more_than_the_bound) {
    enum { BOUND = 16, TEXTS = 300 };
    open_with("STATEMENT_CACHE", "16");
    for (int i = 0; i < TEXTS; i++) {
        char sql[32];
        struct probe probe;
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        read_one(&probe, sql);
        ck_assert_int_eq(atoi(probe.text), i);
        if (i % 10) continue;
        probe_init(&probe, "SELECT count(*) FROM pg_prepared_statements");
        probe.operation.prepare = false;
        pool_read(pool, &probe.operation);
        UNTIL(client, probe.done);
        ck_assert_int_le(atoi(probe.text), BOUND);
    }
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        an_old_connection_is_replaced_when_it_is_free,
        an_old_shared_connection_ends_with_its_last_read,
        with_lifetime_0_a_connection_stays,
        where_one_fell_silent_the_idle_ones_are_not_trusted,
        after_a_restart_nobody_gets_a_dead_connection,
        sessions_and_a_flood_of_reads_are_all_served_in_order,
        behind_a_pooler_nothing_is_prepared_any_more,
        three_hundred_texts_leave_no_more_than_the_bound,
    };
    return unit_run("pool_life", tests, sizeof tests / sizeof *tests);
}
