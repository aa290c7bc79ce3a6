/* SPDX-License-Identifier: MIT
 * test_finish.c - how tasks end: results as Celery's clients read them, retries on the wire, claims that
 * were lost, and Redis that goes away in between.
 */
#include "tasks.h"

static void fail_task(shared_task *task, int32_t error_class, const char *message) {
    ck_assert_int_eq(shared_task_fail(task, error_class, message, END), SHARED_OK);
    world_done(client, END);
    shared_task_unref(task);
}

START_TEST(a_permanent_failure_is_celerys) {
    begin();
    send_task("t", "[]", "d1");
    consume(1);
    shared_task *task = next_task();
    char id[64];
    snprintf(id, sizeof id, "%s", shared_task_id(task));
    fail_task(task, SHARED_PERMANENT, "no \"file\"");
    ck_assert_ptr_nonnull(
        strstr(meta_of(id), "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": "
                            "\"PermanentError\", \"exc_message\": [\"no \\\"file\\\"\"], "
                            "\"exc_module\": \"shared.errors\"}, \"traceback\": \"shared.errors."
                            "PermanentError: no \\\"file\\\"\\n\""));
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_retryable_failure_comes_again_and_then_fails) {
    world_begin();
    client = world_client("RETRY_DELAY_S", "1", "RETRY_MAX", "1", NULL);
    send_task("t", "[{\"document_id\": \"d1\"}]", "d1");
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_is_last(task), 0);
    char id[64];
    snprintf(id, sizeof id, "%s", shared_task_id(task));
    int64_t failed_us = time_wall_us();
    fail_task(task, SHARED_RETRYABLE, "database away");
    ck_assert_ptr_nonnull(strstr(meta_of(id), "{\"status\": \"RETRY\", \"result\": {\"exc_type\": "
                                              "\"RetryableError\""));
    ck_assert_int_ne(strcmp(redis_say("HGET lex:live:celery d1"), "(nil)"), 0);
    task = next_task();
    ck_assert_int_ge(time_wall_us() - failed_us, 1000000);
    ck_assert_str_eq(shared_task_id(task), id);
    ck_assert_int_eq(shared_task_attempt(task), 1);
    ck_assert_int_eq(shared_task_is_last(task), 1);
    ck_assert_str_eq(shared_task_argument(task, 0, "document_id"), "d1");
    fail_task(task, SHARED_RETRYABLE, "still away");
    ck_assert_ptr_nonnull(strstr(meta_of(id),
                                 "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": "
                                 "\"RetryableError\", \"exc_message\": [\"still away\"]"));
    ck_assert_ptr_nonnull(strstr(meta_of(id), "\"parent_id\": "));
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(pauses_double) {
    static const int64_t wanted_s[] = {60, 120, 240, 480};
    begin();
    consume(1);
    for (int retries = 0; retries < 4; retries++) {
        char headers[40], id[16];
        snprintf(headers, sizeof headers, ", \"retries\": %d", retries);
        snprintf(id, sizeof id, "r%d", retries);
        push("celery", id, headers, BODY);
        shared_task *task = next_task();
        ck_assert_int_eq(shared_task_is_last(task), 0);
        fail_task(task, SHARED_RETRYABLE, "x");
        /* The new message is claimed at once, and held until its time. */
        world_until(client, strcmp(redis_say("HLEN unacked"), "0") != 0);
        const char *kept = strstr(redis_say("HVALS unacked"), "\"eta\": \"");
        ck_assert_ptr_nonnull(kept);
        int64_t eta_us;
        ck_assert(time_from_text(kept + 8, 32, &eta_us));
        ck_assert_int_le(llabs(eta_us - time_wall_us() - wanted_s[retries] * 1000000), 1000000);
        redis_say("DEL unacked lex:lease unacked_index");
        world_until(client, strcmp(redis_say("ZCARD unacked_index"), "0") == 0);
    }
    push("celery", "r4", ", \"retries\": 4", BODY);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_is_last(task), 1);
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

START_TEST(ignored_results_are_not_stored) {
    begin();
    push("celery", "i1", ", \"ignore_result\": true", BODY);
    push("celery", "i2", ", \"ignore_result\": true", BODY);
    push("celery", "i3", ", \"ignore_result\": true, \"expires\": \"2020-01-01T00:00:00Z\"", BODY);
    consume(1);
    succeed(next_task(), "1");
    fail_task(next_task(), SHARED_PERMANENT, "x");
    world_until(client, strcmp(redis_say("EXISTS unacked celery"), "0") == 0);
    redis_say("SELECT 1");
    ck_assert_str_eq(redis_say("DBSIZE"), "0");
    redis_say("SELECT 0");
    shared_client_free(client);
}
END_TEST

START_TEST(a_success_is_not_overwritten) {
    begin();
    push("celery", "s1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    redis_say("SELECT 1");
    redis_say("SET celery-task-meta-s1 %s", "{\"status\": \"SUCCESS\", \"result\": 1}");
    fail_task(task, SHARED_PERMANENT, "late");
    ck_assert_str_eq(redis_say("GET celery-task-meta-s1"),
                     "{\"status\": \"SUCCESS\", \"result\": 1}");
    redis_say("SELECT 0");
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_lost_claim_is_told) {
    begin();
    push("celery", "l1", "", BODY);
    push("celery", "l2", "", BODY);
    consume(2);
    shared_task *one = next_task(), *two = next_task();
    redis_say("FLUSHALL");
    ck_assert_int_eq(shared_task_succeed(one, "1", END), SHARED_OK);
    const shared_event *event = world_wait(client, END);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECONFLICT);
    ck_assert_ptr_nonnull(strstr(meta_of("l1"), "SUCCESS")); /* who waits for it hears */
    world_until(client, !shared_task_is_held(two));          /* told by the renewal */
    ck_assert_int_eq(shared_task_fail(two, SHARED_RETRYABLE, "x", END), SHARED_OK);
    event = world_wait(client, END);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECONFLICT);
    ck_assert_str_eq(redis_say("EXISTS celery"), "0");
    ck_assert_str_eq(meta_of("l2"), "(nil)");
    shared_task_unref(one);
    shared_task_unref(two);
    shared_client_free(client);
}
END_TEST

START_TEST(of_a_lost_task_no_failure_is_told) {
    begin();
    push("celery", "l3", "", BODY);
    consume(1);
    shared_task *task = next_task();
    redis_say("DEL unacked"); /* taken over */
    world_until(client, !shared_task_is_held(task));
    ck_assert_int_eq(shared_task_fail(task, SHARED_PERMANENT, "x", END), SHARED_OK);
    const shared_event *event = world_wait(client, END);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECONFLICT);
    ck_assert_str_eq(meta_of("l3"), "(nil)"); /* the other worker tells the end */
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

START_TEST(an_end_survives_a_broken_connection) {
    begin();
    consume(1);
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "b%d", i);
        push("celery", id, "", BODY);
        shared_task *task = next_task();
        ck_assert_int_eq(shared_task_succeed(task, "7", END), SHARED_OK);
        /* Cut between result and ack, or just before, or after. */
        for (int turn = 0; turn < i; turn++) shared_client_dispatch(client, 0);
        redis_say("CLIENT KILL TYPE normal SKIPME yes");
        world_done(client, END);
        ck_assert_ptr_nonnull(strstr(meta_of(id), "SUCCESS"));
        shared_task_unref(task);
    }
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(an_end_can_be_cancelled_but_happens) {
    begin();
    push("celery", "c1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_succeed(task, "7", END), SHARED_OK);
    ck_assert_int_eq(shared_client_cancel(client, END), SHARED_OK);
    const shared_event *event = world_wait(client, END);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    shared_task_unref(task);
    world_until(client, strcmp(redis_say("HLEN unacked"), "0") == 0);
    ck_assert_ptr_nonnull(strstr(meta_of("c1"), "SUCCESS"));
    shared_client_free(client);
}
END_TEST

START_TEST(a_message_delivered_before_is_not_run_again) {
    begin();
    redis_say("SELECT 1");
    redis_say("SET celery-task-meta-d1 %s", "{\"status\": \"SUCCESS\", \"result\": 1}");
    redis_say("SET celery-task-meta-d2 %s", "{\"status\": \"FAILURE\", \"result\": 1}");
    redis_say("SELECT 0");
    push("celery", "d1", ", \"redelivered\": true", BODY);
    push("celery", "d2", ", \"redelivered\": true", BODY);
    push("celery", "d3", ", \"redelivered\": true", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "d2");
    succeed(task, NULL);
    task = next_task();
    ck_assert_str_eq(shared_task_id(task), "d3");
    succeed(task, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

/* The work is not done again; who ended it hears that nobody will learn of it. */
static void check_unstored(const char *backend, int32_t error_class) {
    world_begin();
    client = world_client("CELERY_RESULT_BACKEND", backend, "CONNECT_TIMEOUT_MS", "100", NULL);
    push("celery", "w1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_succeed(task, "1", END), SHARED_OK);
    const shared_error *error = shared_event_error(world_wait(client, END));
    ck_assert_int_eq(shared_error_class(error), error_class);
    ck_assert_ptr_nonnull(strstr(shared_error_message(error),
                                 "task w1 has ended, but its result is not stored: CELERY_RESULT"));
    shared_task_unref(task);
    check_nothing_left();
    shared_client_free(client);
}

START_TEST(without_a_result_backend_tasks_still_end_and_say_so) {
    check_unstored("rpc://", SHARED_PERMANENT);
    check_unstored("redis://127.0.0.1:1/0", SHARED_RETRYABLE); /* after LEASE_S of trying */
}
END_TEST

START_TEST(tasks_in_flight_are_forgotten_with_their_client) {
    begin();
    for (int i = 0; i < 3; i++) push("celery", "f", "", BODY);
    consume(3);
    shared_task *tasks[3] = {next_task(), next_task(), next_task()};
    ck_assert_int_eq(shared_task_succeed(tasks[0], "1", END), SHARED_OK);
    ck_assert_int_eq(shared_task_fail(tasks[1], SHARED_RETRYABLE, "x", 0), SHARED_OK);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "[]", NULL, SEND), SHARED_OK);
    shared_client_free(client);
    for (int i = 0; i < 3; i++) shared_task_unref(tasks[i]);
    world_soon(strcmp(redis_say("HLEN unacked"), "2") == 0); /* their leases end */
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_permanent_failure_is_celerys,
        a_retryable_failure_comes_again_and_then_fails,
        pauses_double,
        ignored_results_are_not_stored,
        a_success_is_not_overwritten,
        a_lost_claim_is_told,
        of_a_lost_task_no_failure_is_told,
        an_end_survives_a_broken_connection,
        an_end_can_be_cancelled_but_happens,
        a_message_delivered_before_is_not_run_again,
        without_a_result_backend_tasks_still_end_and_say_so,
        tasks_in_flight_are_forgotten_with_their_client,
    };
    return unit_run("finish", tests, sizeof tests / sizeof *tests);
}
