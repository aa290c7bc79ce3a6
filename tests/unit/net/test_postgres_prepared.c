/* SPDX-License-Identifier: MIT
 * test_postgres_prepared.c - which statements a connection prepares, and when it has to do so again.
 */
#include "postgres_fixture.h"

static int prepared_count(void) {
    struct probe probe;
    probe_init(&probe, "SELECT count(*) FROM pg_prepared_statements");
    probe.operation.prepare = false;
    send_and_wait(&probe);
    probe_succeeded(&probe);
    return atoi(probe.text);
}

START_TEST(a_text_is_prepared_once) {
    open_ready();
    for (int i = 0; i < 3; i++) ck_assert_str_eq(ask("SELECT 'same'"), "same");
    ck_assert_int_eq(prepared_count(), 1);
    close_all();
}
END_TEST

START_TEST(other_types_are_another_statement) {
    open_ready();
    struct parameters texts = {0}, numbers = {0};
    ck_assert(parameters_set_text_array(&texts, 0, (const char *const[]){"a"}, NULL, 1));
    ck_assert(parameters_set_int_array(&numbers, 0, (const int64_t[]){5}, NULL, 1));
    const struct parameters *all[] = {&texts, &numbers, &texts};
    static const char *const expected[] = {"text[]", "bigint[]", "text[]"};
    for (int i = 0; i < 3; i++) {
        struct probe probe;
        probe_init(&probe, "SELECT pg_typeof($1)");
        probe.operation.parameters = all[i];
        send_and_wait(&probe);
        probe_succeeded(&probe);
        ck_assert_str_eq(probe.text, expected[i]);
    }
    parameters_finish(&texts);
    parameters_finish(&numbers);
    close_all();
}
END_TEST

START_TEST(a_full_cache_is_emptied_and_never_exceeds_its_bound) {
    enum { BOUND = 8, TEXTS = 100 };
    open_with("STATEMENT_CACHE", "8");
    UNTIL(client, ready_count);
    bool emptied = false;
    for (int i = 0, before = 0; i < TEXTS; i++) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        ck_assert_int_eq(atoi(ask(sql)), i);
        int now = prepared_count();
        ck_assert_int_le(now, BOUND);
        emptied = emptied || now < before;
        before = now;
    }
    ck_assert(emptied);
    close_all();
}
END_TEST

START_TEST(without_a_cache_nothing_is_prepared) {
    open_with("STATEMENT_CACHE", "0");
    UNTIL(client, ready_count);
    for (int i = 0; i < 3; i++) ck_assert_str_eq(ask("SELECT 'same'"), "same");
    ck_assert_int_eq(prepared_count(), 0);
    close_all();
}
END_TEST

START_TEST(a_text_that_cannot_be_parsed_leaves_no_trace) {
    open_ready();
    struct probe probes[3];
    for (int i = 0; i < 3; i++) {
        probe_init(&probes[i], i == 2 ? "SELECT 'good'" : "SELEKT");
        postgres_send(postgres, &probes[i].operation);
    }
    UNTIL(client, probes[2].done);
    for (int i = 0; i < 2; i++) ck_assert_str_eq(probes[i].error.sqlstate, "42601");
    probe_succeeded(&probes[2]);
    ck_assert_int_eq(prepared_count(), 1);
    close_all();
}
END_TEST

START_TEST(a_statement_that_a_failure_skipped_is_prepared_later) {
    open_ready();
    struct probe probes[3];
    static const char *const sql[3] = {"SELECT 1 / 0", "SELECT 'later'", "SELECT 'later'"};
    for (int i = 0; i < 3; i++) {
        probe_init(&probes[i], sql[i]);
        probes[i].operation.sync = i > 0; /* 0 and 1 are one batch */
        postgres_send(postgres, &probes[i].operation);
    }
    UNTIL(client, probes[2].done);
    ck_assert(probes[1].failed);
    probe_succeeded(&probes[2]);
    ck_assert_str_eq(ask("SELECT 'later'"), "later");
    ck_assert_str_eq(ask("SELECT 'later'"), "later");
    close_all();
}
END_TEST

START_TEST(a_changed_table_does_not_disturb_a_prepared_read) {
    open_ready();
    run("CREATE TEMP TABLE item (id int)");
    run("INSERT INTO item VALUES (1)");
    struct probe probe;
    for (int i = 0; i < 2; i++) {
        probe_init(&probe, "SELECT * FROM item");
        probe.operation.repeatable = true;
        send_and_wait(&probe);
        probe_succeeded(&probe);
        if (!i) run("ALTER TABLE item ALTER id TYPE text");
    }
    ck_assert_str_eq(probe.text, "1");
    /* Inside a transaction the same is a failure, but one that passes. */
    run("ALTER TABLE item ALTER id TYPE bigint USING id::bigint");
    ck_assert_str_eq(ask("SELECT * FROM item"), "1");
    run("ALTER TABLE item ALTER id TYPE text");
    probe_init(&probe, "SELECT * FROM item");
    send_and_wait(&probe);
    ck_assert(probe.failed);
    ck_assert_int_eq(probe.error.class, SHARED_RETRYABLE);
    ck_assert_str_eq(ask("SELECT * FROM item"), "1");
    close_all();
}
END_TEST

START_TEST(statements_that_somebody_forgot_are_prepared_anew) {
    open_ready();
    ck_assert_str_eq(ask("SELECT 'kept'"), "kept");
    run("DEALLOCATE ALL");
    struct probe probe;
    probe_init(&probe, "SELECT 'kept'");
    probe.operation.repeatable = true;
    send_and_wait(&probe);
    probe_succeeded(&probe);
    close_all();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_text_is_prepared_once,
        other_types_are_another_statement,
        a_full_cache_is_emptied_and_never_exceeds_its_bound,
        without_a_cache_nothing_is_prepared,
        a_text_that_cannot_be_parsed_leaves_no_trace,
        a_statement_that_a_failure_skipped_is_prepared_later,
        a_changed_table_does_not_disturb_a_prepared_read,
        statements_that_somebody_forgot_are_prepared_anew,
    };
    return unit_run("postgres_prepared", tests, sizeof tests / sizeof *tests);
}
