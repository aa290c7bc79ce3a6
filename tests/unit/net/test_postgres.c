/* SPDX-License-Identifier: MIT
 * test_postgres.c - one connection against a real server: order, batches, failures, and
 * every way in which it can end.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "postgres_fixture.h"

/* --- order and batches ---------------------------------------------------------------------------- */

START_TEST(what_is_given_while_connecting_runs_once_it_stands) {
    open_with(NULL, NULL);
    struct probe probe;
    probe_init(&probe, "SELECT 6 * 7");
    ck_assert(!postgres_is_ready(postgres));
    send_and_wait(&probe);
    probe_succeeded(&probe);
    ck_assert_str_eq(probe.text, "42");
    ck_assert_int_eq(ready_count, 1);
    ck_assert_int_eq(postgres_load(postgres), 0);
    close_all();
}
END_TEST

START_TEST(settings_make_text_results_the_same_everywhere) {
    open_ready();
    ck_assert_str_eq(ask("SHOW TimeZone"), "UTC");
    ck_assert_str_eq(ask("SHOW DateStyle"), "ISO, MDY");
    ck_assert_str_eq(ask("SHOW IntervalStyle"), "iso_8601");
    ck_assert_str_eq(ask("SHOW client_encoding"), "UTF8");
    ck_assert_str_eq(ask("SHOW application_name"), "lex-intel");
    close_all();
}
END_TEST

START_TEST(a_thousand_operations_end_in_their_order) {
    enum { COUNT = 1000 };
    static struct probe probes[COUNT];
    static struct parameters numbers[COUNT];
    open_ready();
    probe_order = 0;
    for (int i = 0; i < COUNT; i++) {
        probe_init(&probes[i], "SELECT $1::bigint * 2");
        ck_assert(parameters_set_int(&numbers[i], 0, i));
        probes[i].operation.parameters = &numbers[i];
        postgres_send(postgres, &probes[i].operation);
    }
    ck_assert_int_eq(postgres_load(postgres), COUNT);
    UNTIL(client, probes[COUNT - 1].done);
    for (int i = 0; i < COUNT; i++) {
        probe_succeeded(&probes[i]);
        ck_assert_int_eq(atoi(probes[i].text), i * 2);
        ck_assert_int_eq(probes[i].order, i + 1);
        parameters_finish(&numbers[i]);
    }
    close_all();
}
END_TEST

START_TEST(a_batch_is_all_or_nothing_and_touches_no_other) {
    open_ready();
    run("CREATE TEMP TABLE item (id int PRIMARY KEY)");
    struct probe probes[5];
    static const char *const sql[5] = {"INSERT INTO item VALUES (1), (2)",
                                       "INSERT INTO item VALUES (1)", "INSERT INTO item VALUES (3)",
                                       "INSERT INTO item VALUES (4)", "SELECT count(*) FROM item"};
    for (int i = 0; i < 5; i++) {
        probe_init(&probes[i], sql[i]);
        probes[i].operation.sync = i >= 2; /* 0, 1, 2 are one batch */
        postgres_send(postgres, &probes[i].operation);
    }
    UNTIL(client, probes[4].done);
    probe_succeeded(&probes[0]);
    ck_assert_int_eq(probes[0].touched, 2);
    for (int i = 1; i <= 2; i++) {
        ck_assert(probes[i].failed);
        ck_assert_str_eq(probes[i].error.sqlstate, "23505");
        ck_assert_int_eq(probes[i].error.code, SHARED_ECONFLICT);
    }
    probe_succeeded(&probes[3]);
    ck_assert_str_eq(probes[4].text, "1"); /* only the 4 */
    close_all();
}
END_TEST

START_TEST(what_is_checked_at_commit_fails_the_operation_that_commits) {
    open_ready();
    run("CREATE TEMP TABLE item (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    struct probe probe;
    probe_init(&probe, "INSERT INTO item VALUES (1), (1)");
    send_and_wait(&probe);
    ck_assert(probe.failed);
    ck_assert_str_eq(probe.error.sqlstate, "23505");
    ck_assert_str_eq(ask("SELECT count(*) FROM item"), "0");
    close_all();
}
END_TEST

START_TEST(a_transaction_shows_in_the_servers_last_word) {
    open_ready();
    ck_assert_int_eq(postgres_transaction(postgres), 'I');
    run("BEGIN");
    ck_assert_int_eq(postgres_transaction(postgres), 'T');
    struct probe probe;
    probe_init(&probe, "SELECT 1 / 0");
    send_and_wait(&probe);
    ck_assert_int_eq(postgres_transaction(postgres), 'E');
    run("ROLLBACK");
    ck_assert_int_eq(postgres_transaction(postgres), 'I');
    close_all();
}
END_TEST

START_TEST(one_failing_quick_read_in_a_group_fails_alone) {
    enum { COUNT = 20 };
    open_ready();
    static struct probe probes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        probe_init(&probes[i], i == 7 ? "SELECT 1 / 0" : "SELECT 'fine'");
        probes[i].operation.repeatable = probes[i].operation.quick = true;
        postgres_send(postgres, &probes[i].operation);
    }
    for (int i = 0; i < COUNT; i++) {
        UNTIL(client, probes[i].done);
        ck_assert_int_eq(probes[i].failed, i == 7);
        if (i != 7) ck_assert_str_eq(probes[i].text, "fine");
    }
    ck_assert_str_eq(probes[7].error.sqlstate, "22012");
    close_all();
}
END_TEST

START_TEST(what_was_not_sent_can_be_taken_back) {
    open_with(NULL, NULL);
    struct probe probes[3];
    for (int i = 0; i < 3; i++) {
        probe_init(&probes[i], "SELECT 1");
        postgres_send(postgres, &probes[i].operation);
    }
    ck_assert(postgres_abandon(postgres, &probes[1].operation));
    UNTIL(client, probes[2].done);
    ck_assert(probes[0].done && !probes[1].done);
    close_all();
}
END_TEST

START_TEST(a_script_has_many_statements_and_a_turn_of_its_own) {
    open_ready();
    struct probe before, script, after;
    probe_init(&before, "SELECT 'before'");
    probe_init(&script, "CREATE TEMP TABLE item (id int); INSERT INTO item VALUES (1);"
                        "INSERT INTO item VALUES (2)");
    script.operation.script = true;
    probe_init(&after, "SELECT count(*) FROM item");
    probe_order = 0;
    postgres_send(postgres, &before.operation);
    postgres_send(postgres, &script.operation);
    postgres_send(postgres, &after.operation);
    UNTIL(client, after.done);
    probe_succeeded(&script);
    ck_assert_int_eq(before.order, 1);
    ck_assert_int_eq(script.order, 2);
    ck_assert_str_eq(after.text, "2");
    close_all();
}
END_TEST

START_TEST(a_failing_script_tells_and_the_connection_goes_on) {
    open_ready();
    struct probe script;
    probe_init(&script, "SELECT 1; SELECT 1 / 0; SELECT 2");
    script.operation.script = true;
    send_and_wait(&script);
    ck_assert(script.failed);
    ck_assert_str_eq(script.error.sqlstate, "22012");
    ck_assert_str_eq(ask("SELECT 3"), "3");
    close_all();
}
END_TEST

START_TEST(copy_is_refused_with_the_way_to_do_it) {
    open_ready();
    run("CREATE TEMP TABLE item (id int)");
    struct probe probe;
    probe_init(&probe, "COPY item FROM STDIN");
    send_and_wait(&probe);
    ck_assert(probe.failed && broken);
    ck_assert_int_eq(probe.error.code, SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(probe.error.message, "shared_session_copy"));
    close_all();
}
END_TEST

START_TEST(ten_megabytes_go_both_ways) {
    enum { SIZE = 10 << 20 };
    open_ready();
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    struct parameters parameters = {0};
    ck_assert(parameters_set_text(&parameters, 0, text, SIZE));
    struct probe probe;
    probe_init(&probe, "SELECT length($1::text), $1::text");
    probe.operation.parameters = &parameters;
    send_and_wait(&probe);
    probe_succeeded(&probe);
    ck_assert_int_eq(atoi(probe.text), SIZE);
    parameters_finish(&parameters);
    free(text);
    close_all();
}
END_TEST

/* --- how it ends ---------------------------------------------------------------------------------- */

START_TEST(a_backend_killed_while_idle_breaks_with_the_servers_words) {
    open_ready();
    test_terminate(atoi(ask("SELECT pg_backend_pid()")));
    UNTIL(client, broken);
    ck_assert_int_eq(broken_by.code, SHARED_ECLOSED);
    ck_assert_int_eq(broken_by.class, SHARED_RETRYABLE);
    ck_assert_str_eq(broken_by.sqlstate, "57P01");
    struct probe probe;
    probe_init(&probe, "SELECT 1");
    send_and_wait(&probe); /* a broken one tells so, and does not hang */
    ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    close_all();
}
END_TEST

START_TEST(a_backend_killed_in_a_query_says_which_may_have_run) {
    open_ready();
    int backend = atoi(ask("SELECT pg_backend_pid()"));
    struct probe slow, behind;
    probe_init(&slow, "SELECT pg_sleep(60)");
    probe_init(&behind, "SELECT 1");
    postgres_send(postgres, &slow.operation);
    postgres_send(postgres, &behind.operation);
    UNTIL(client, postgres_running(postgres) == &slow.operation);
    test_terminate(backend);
    UNTIL(client, broken);
    ck_assert(slow.done && behind.done);
    ck_assert_str_eq(slow.error.sqlstate, "57P01");
    ck_assert_int_eq(slow.error.code, SHARED_ECLOSED);
    ck_assert_int_eq(behind.error.code, SHARED_ECLOSED);
    ck_assert(slow.operation.sent);
    ck_assert(!behind.operation.sent); /* the server stopped before it */
    close_all();
}
END_TEST

START_TEST(a_cut_line_leaves_everything_sent_in_doubt) {
    open_ready();
    struct probe probe;
    probe_init(&probe, "SELECT pg_sleep(60)");
    postgres_send(postgres, &probe.operation);
    UNTIL(client, postgres_running(postgres));
    for (int fd = 3; fd < 64; fd++) (void)shutdown(fd, SHUT_RDWR); /* the one socket among them */
    UNTIL(client, broken);
    ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    ck_assert_int_eq(probe.error.class, SHARED_RETRYABLE);
    ck_assert(probe.operation.sent);
    close_all();
}
END_TEST

START_TEST(a_cancel_ends_what_runs_and_the_connection_goes_on) {
    open_ready();
    struct probe slow, behind;
    probe_init(&slow, "SELECT pg_sleep(60)");
    probe_init(&behind, "SELECT 'behind'");
    postgres_send(postgres, &slow.operation);
    postgres_send(postgres, &behind.operation);
    UNTIL(client, postgres_running(postgres) == &slow.operation);
    postgres_cancel(postgres);
    ck_assert(!postgres_is_quiet(postgres));
    postgres_tell_quiet(postgres);
    UNTIL(client, quiet_count);
    ck_assert_str_eq(slow.error.sqlstate, "57014");
    probe_succeeded(&behind);
    ck_assert(postgres_is_quiet(postgres));
    ck_assert_int_eq(quiet_count, 1);
    ck_assert_str_eq(ask("SELECT 'after'"), "after");
    close_all();
}
END_TEST

START_TEST(what_nobody_waits_for_is_cancelled_when_its_turn_comes) {
    enum { COUNT = 4 };
    open_ready();
    struct probe slow[COUNT], behind;
    for (int i = 0; i < COUNT; i++) {
        probe_init(&slow[i], "SELECT pg_sleep(60)");
        postgres_send(postgres, &slow[i].operation);
    }
    probe_init(&behind, "SELECT 'behind'");
    behind.operation.repeatable = true;
    postgres_send(postgres, &behind.operation);
    UNTIL(client, postgres_running(postgres));
    for (int i = 0; i < COUNT; i++) ck_assert(!postgres_abandon(postgres, &slow[i].operation));
    UNTIL(client, behind.done);
    for (int i = 0; i < COUNT; i++) ck_assert_str_eq(slow[i].error.sqlstate, "57014");
    ck_assert_str_eq(behind.text, "behind");
    close_all();
}
END_TEST

START_TEST(a_silent_server_counts_as_dead) {
    open_ready();
    postgres_set_patience(postgres, 50);
    struct probe probe;
    probe_init(&probe, "SELECT pg_sleep(60)");
    send_and_wait(&probe);
    ck_assert(broken);
    ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    ck_assert_ptr_nonnull(strstr(probe.error.message, "50 ms"));
    close_all();
}
END_TEST

START_TEST(freeing_ends_open_operations_as_cancelled) {
    open_ready();
    struct probe probe;
    probe_init(&probe, "SELECT pg_sleep(60)");
    postgres_send(postgres, &probe.operation);
    UNTIL(client, postgres_running(postgres));
    postgres_free(postgres);
    ck_assert(probe.done);
    ck_assert_int_eq(probe.error.code, SHARED_ECANCELLED);
    ck_assert(!broken);
    shared_client_free(client);
}
END_TEST

static void finish_and_free(struct operation *operation, struct rows *rows, int64_t touched,
                            const struct shared_error *error) {
    probe_finish(operation, rows, touched, error);
    postgres_free(postgres);
}

START_TEST(an_owner_may_free_it_from_an_answer) {
    open_ready();
    struct probe first, second;
    probe_init(&first, "SELECT 1");
    probe_init(&second, "SELECT 2");
    first.operation.finish = finish_and_free;
    postgres_send(postgres, &first.operation);
    postgres_send(postgres, &second.operation);
    UNTIL(client, second.done);
    probe_succeeded(&first);
    ck_assert_int_eq(second.error.code, SHARED_ECANCELLED);
    shared_client_free(client);
}
END_TEST

START_TEST(a_child_of_fork_frees_it_without_a_word_to_the_server) {
    open_ready();
    ck_assert_str_eq(ask("SELECT 1"), "1");
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        postgres_free(postgres);
        shared_client_free(client);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_str_eq(ask("SELECT 2"), "2"); /* the parent's session is still there */
    close_all();
}
END_TEST

/* libpq closes its socket itself when the line ends, while the child has it open still. */
START_TEST(a_line_cut_while_a_child_of_fork_lives_leaves_nothing_in_the_epoll) {
    int until_parent_ends[2];
    open_ready();
    ck_assert_int_eq(pipe(until_parent_ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char byte;
        (void)close(until_parent_ends[1]);
        (void)!read(until_parent_ends[0], &byte, 1);
        _exit(0);
    }
    for (int fd = 3; fd < 64; fd++) (void)shutdown(fd, SHUT_RDWR); /* the one socket among them */
    UNTIL(client, broken);
    postgres_free(postgres);
    for (int turns = 0; turns < 3; turns++) ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    struct pollfd waited = {.fd = shared_client_fd(client), .events = POLLIN};
    ck_assert_int_eq(poll(&waited, 1, 0), 0);
    (void)close(until_parent_ends[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        what_is_given_while_connecting_runs_once_it_stands,
        settings_make_text_results_the_same_everywhere,
        a_thousand_operations_end_in_their_order,
        a_batch_is_all_or_nothing_and_touches_no_other,
        what_is_checked_at_commit_fails_the_operation_that_commits,
        a_transaction_shows_in_the_servers_last_word,
        one_failing_quick_read_in_a_group_fails_alone,
        what_was_not_sent_can_be_taken_back,
        a_script_has_many_statements_and_a_turn_of_its_own,
        a_failing_script_tells_and_the_connection_goes_on,
        copy_is_refused_with_the_way_to_do_it,
        ten_megabytes_go_both_ways,
        a_backend_killed_while_idle_breaks_with_the_servers_words,
        a_backend_killed_in_a_query_says_which_may_have_run,
        a_cut_line_leaves_everything_sent_in_doubt,
        a_cancel_ends_what_runs_and_the_connection_goes_on,
        what_nobody_waits_for_is_cancelled_when_its_turn_comes,
        a_silent_server_counts_as_dead,
        freeing_ends_open_operations_as_cancelled,
        an_owner_may_free_it_from_an_answer,
        a_child_of_fork_frees_it_without_a_word_to_the_server,
        a_line_cut_while_a_child_of_fork_lives_leaves_nothing_in_the_epoll,
    };
    return unit_run("postgres", tests, sizeof tests / sizeof *tests);
}
