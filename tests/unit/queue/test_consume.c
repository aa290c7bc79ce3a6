/* SPDX-License-Identifier: MIT
 * test_consume.c - claims: which messages come, in which order, how many at a time, and that none is ever
 * lost or changed on the way.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "tasks.h"

START_TEST(a_task_goes_round) {
    begin();
    send_task("add", "[2, {\"document_id\": \"d1\"}]", "d1");
    ck_assert_str_eq(redis_say("LLEN celery"), "1");
    ck_assert_int_eq(strncmp(redis_say("HGET lex:live:celery d1"), "(nil)", 5) != 0, 1);
    ck_assert_str_eq(redis_say("SMEMBERS _kombu.binding.celery"), "celery\x06\x16\x06\x16"
                                                                  "celery");
    consume(2);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_name(task), "add");
    ck_assert_str_eq(shared_task_args(task), "[2, {\"document_id\": \"d1\"}]");
    ck_assert_str_eq(shared_task_kwargs(task), "{}");
    ck_assert_str_eq(shared_task_argument(task, 1, "document_id"), "d1");
    ck_assert_int_eq(shared_task_attempt(task), 0);
    ck_assert_int_eq(shared_task_is_last(task), 0);
    ck_assert_int_eq(shared_task_is_held(task), 1);
    ck_assert_str_eq(redis_say("HLEN unacked"), "1");
    ck_assert_str_eq(redis_say("ZCARD unacked_index"), "1");
    char id[64];
    snprintf(id, sizeof id, "%s", shared_task_id(task));
    ck_assert_str_eq(meta_of(id), "(nil)");
    succeed(task, "{\"pages\": 3}");
    ck_assert_ptr_nonnull(
        strstr(meta_of(id), "{\"status\": \"SUCCESS\", \"result\": {\"pages\": 3}"));
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(priorities_come_in_order_and_fifo_within) {
    static const char *const lists[] = {"celery",
                                        "celery\x06\x16"
                                        "3",
                                        "celery\x06\x16"
                                        "6",
                                        "celery\x06\x16"
                                        "9"};
    static const char *const wanted[] = {"0a", "0b", "3a", "3b", "6a", "6b", "9a", "9b"};
    begin();
    for (int step = 3; step >= 0; step--) {
        for (char letter = 'a'; letter <= 'b'; letter++) {
            char id[16];
            snprintf(id, sizeof id, "%d%c", step * 3, letter);
            push(lists[step], id, "", BODY);
        }
    }
    consume(1);
    for (int i = 0; i < 8; i++) {
        shared_task *task = next_task();
        ck_assert_str_eq(shared_task_id(task), wanted[i]);
        succeed(task, NULL);
    }
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(no_more_than_prefetch_are_taken) {
    begin();
    for (int i = 0; i < 5; i++) send_task("t", "[]", NULL);
    consume(2);
    shared_task *first = next_task(), *second = next_task();
    world_silence(client, CONSUME, 50);
    ck_assert_str_eq(redis_say("LLEN celery"), "3");
    succeed(first, NULL);
    shared_task *third = next_task();
    world_silence(client, CONSUME, 50);
    ck_assert_str_eq(redis_say("LLEN celery"), "2");
    shared_task_unref(second);
    shared_task_unref(third);
    shared_client_free(client);
    world_soon(strcmp(redis_say("LLEN celery"), "4") == 0);
}
END_TEST

START_TEST(a_message_wakes_an_idle_consumer) {
    begin();
    consume(1);
    world_until(client, strstr(redis_say("CLIENT LIST"), "cmd=blmove") != NULL);
    int64_t start_us = time_wall_us();
    push("celery", "w1", "", BODY);
    shared_task *task = next_task();
    ck_assert_int_lt(time_wall_us() - start_us, 500000); /* not the look of each second */
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(other_priorities_are_found_by_an_idle_consumer) {
    begin();
    consume(1);
    world_until(client, strstr(redis_say("CLIENT LIST"), "cmd=blmove") != NULL);
    push("celery\x06\x16"
         "9",
         "p9", "", BODY);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "p9");
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(messages_with_one_delivery_tag_are_not_confused) {
    begin();
    char first[4096];
    snprintf(first, sizeof first, "%s", push("celery", "same", "", BODY));
    push("celery", "same", "", BODY);
    consume(2);
    shared_task *one = next_task(), *two = next_task();
    ck_assert_str_eq(redis_say("HLEN unacked"), "2");
    succeed(one, NULL);
    ck_assert_int_eq(shared_task_is_held(two), 1);
    ck_assert_int_eq(shared_task_hand_back(two, END), SHARED_OK);
    world_done(client, END);
    ck_assert_str_eq(redis_say("LRANGE celery 0 -1"), first);
    shared_task_unref(two);
    shared_client_free(client);
}
END_TEST

START_TEST(a_message_handed_back_is_the_head_and_unchanged) {
    begin();
    const char *body = "[[18446744073709551616, 1e308, \\\"\\\\ud83d\\\\ude00\\\"], {}, {}]";
    char message[4096];
    snprintf(message, sizeof message, "%s",
             push("celery\x06\x16"
                  "3",
                  "h1", ", \"n\": 9007199254740993", body));
    push("celery\x06\x16"
         "3",
         "h2", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "h1");
    ck_assert_int_eq(shared_task_hand_back(task, END), SHARED_OK);
    world_done(client, END);
    ck_assert_str_eq(redis_say("LINDEX celery\x06\x16"
                               "3 -1"),
                     message);
    ck_assert_str_eq(redis_say("EXISTS unacked unacked_index lex:lease"), "0");
    ck_assert_int_eq(shared_task_hand_back(task, END), SHARED_ECLOSED);
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

START_TEST(an_unfinished_task_that_is_let_go_goes_back) {
    begin();
    push("celery", "u1", "", BODY);
    consume(1);
    shared_task_unref(next_task());
    world_until(client,
                strcmp(redis_say("LLEN celery"), "0") == 0); /* still ours: the event has it */
    (void)shared_client_next(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    ck_assert_str_eq(redis_say("HLEN unacked"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(freeing_the_client_hands_everything_back) {
    begin();
    for (int i = 0; i < 6; i++) {
        char id[16];
        snprintf(id, sizeof id, "f%d", i);
        push("celery", id, i == 0 ? ", \"eta\": \"2036-01-01T00:00:00Z\"" : "", BODY);
    }
    consume(3);
    shared_task *held = next_task(); /* one with the user, two as events, one for later */
    world_until(client, strcmp(redis_say("HLEN unacked"), "4") == 0);
    shared_client_free(client);
    world_soon(strcmp(redis_say("LLEN celery"), "6") == 0);
    ck_assert_str_eq(redis_say("EXISTS unacked unacked_index lex:lease"), "0");
    ck_assert_int_eq(shared_task_is_held(held), 0);
    ck_assert_str_eq(shared_task_id(held), "f1");
    ck_assert_int_eq(shared_task_succeed(held, NULL, END), SHARED_ECLOSED);
    shared_task_unref(held);
}
END_TEST

START_TEST(a_claim_that_fails_half_way_loses_nothing) {
    begin();
    for (int i = 0; i < 3; i++) send_task("t", "[]", NULL);
    redis_say("SET %s not-a-list", "celery\x06\x16"
                                   "6"); /* the list of a lower priority */
    consume(10);
    world_until(client, strcmp(redis_say("LLEN celery"), "0") == 0);
    ck_assert_str_eq(redis_say("HLEN unacked"), "3"); /* taken, and leased: they come back */
    ck_assert_str_eq(redis_say("ZCARD lex:lease"), "3");
    ck_assert_str_eq(redis_say("ZCARD unacked_index"), "3");
    redis_say("DEL %s", "celery\x06\x16"
                        "6");
    for (int i = 0; i < 3; i++) succeed(next_task(), NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(cancel_takes_no_more_and_loses_nothing) {
    begin();
    push("celery", "c1", "", BODY);
    push("celery", "c2", "", BODY);
    push("celery", "c3", ", \"eta\": \"2036-01-01T00:00:00Z\"", BODY);
    consume(2);
    shared_task *task = next_task();
    world_until(client, strcmp(redis_say("HLEN unacked"), "2") == 0);
    ck_assert_int_eq(shared_client_cancel(client, CONSUME), SHARED_OK);
    const shared_event *event;
    do event = world_wait(client, CONSUME);
    while (shared_event_more(event));
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    push("celery", "c4", "", BODY);
    succeed(task, NULL);
    ck_assert_ptr_null(shared_client_next(client));
    world_until(client, strcmp(redis_say("LLEN celery"), "3") == 0);
    ck_assert_str_eq(redis_say("HLEN unacked"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(a_task_for_later_is_held_until_then) {
    begin();
    char eta[TIME_TEXT_SIZE], headers[128];
    time_to_isoformat(time_wall_us() + 400000, eta);
    snprintf(headers, sizeof headers, ", \"eta\": \"%s\"", eta);
    push("celery", "e1", headers, BODY);
    push("celery", "e2", "", BODY);
    consume(1);
    shared_task *now = next_task();
    ck_assert_str_eq(shared_task_id(now), "e2");
    ck_assert_str_eq(redis_say("HLEN unacked"), "2");
    int64_t eta_us;
    ck_assert(time_from_text(eta, strlen(eta), &eta_us));
    world_silence(client, CONSUME, 500); /* its time has come, but there is no free place */
    succeed(now, NULL);
    shared_task *later = next_task();
    ck_assert_str_eq(shared_task_id(later), "e1");
    ck_assert_int_ge(time_wall_us(), eta_us);
    succeed(later, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(too_many_for_later_wait_in_the_queue) {
    world_begin();
    client = world_client("ETA_TASKS_MAX", "2", NULL);
    for (int i = 0; i < 4; i++) {
        char id[16];
        snprintf(id, sizeof id, "l%d", i);
        push("celery", id, ", \"eta\": \"2036-01-01T00:00:00Z\"", BODY);
    }
    push("celery", "now", "", BODY);
    consume(2);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "now");
    succeed(task, NULL);
    world_until(client, strcmp(redis_say("HLEN unacked"), "2") == 0);
    world_until(client, strcmp(redis_say("LLEN celery"), "2") == 0);
    shared_client_free(client);
    world_soon(strcmp(redis_say("LLEN celery"), "4") == 0);
}
END_TEST

static int64_t scripts_run(void) {
    const char *stats = strstr(redis_say("INFO commandstats"), "cmdstat_evalsha:calls=");
    return stats ? atoll(strchr(stats, '=') + 1) : 0;
}

START_TEST(too_many_for_later_hold_up_no_other_and_no_processor) {
    world_begin();
    client = world_client("ETA_TASKS_MAX", "5", NULL);
    for (int i = 0; i < 45; i++) {
        char id[16];
        snprintf(id, sizeof id, "l%d", i);
        push("celery", id, ", \"eta\": \"2036-01-01T00:00:00Z\"", BODY);
    }
    push("celery", "now", "", BODY);
    consume(2);
    shared_task *task = next_task(); /* within PATIENCE_MS: a second for each two took 20 s */
    ck_assert_str_eq(shared_task_id(task), "now");
    succeed(task, NULL);
    int64_t before = scripts_run();
    world_silence(client, CONSUME, 1500);
    ck_assert_int_lt(scripts_run() - before, 400); /* without a pause 10000 */
    world_until(client, strcmp(redis_say("LLEN celery"), "40") == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(an_expired_task_is_revoked) {
    begin();
    push("celery", "x1", ", \"expires\": \"2020-01-01T00:00:00+00:00\"", BODY);
    push("celery", "x2", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "x2");
    ck_assert_ptr_nonnull(strstr(meta_of("x1"), "{\"status\": \"REVOKED\""));
    ck_assert_ptr_nonnull(strstr(meta_of("x1"), "\"exc_message\": [\"expired\"]"));
    succeed(task, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_task_that_expires_before_there_is_a_free_place_is_revoked) {
    begin();
    char eta[TIME_TEXT_SIZE], expires[TIME_TEXT_SIZE], headers[160];
    int64_t expires_us = time_wall_us() + 300000;
    time_to_isoformat(expires_us - 250000, eta);
    time_to_isoformat(expires_us, expires);
    snprintf(headers, sizeof headers, ", \"eta\": \"%s\", \"expires\": \"%s\"", eta, expires);
    push("celery", "x1", headers, BODY);
    push("celery", "x2", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "x2");
    world_until(client, time_wall_us() > expires_us); /* its eta came meanwhile */
    succeed(task, NULL);
    world_until(client, strstr(meta_of("x1"), "{\"status\": \"REVOKED\"") != NULL);
    world_until(client, strcmp(redis_say("EXISTS unacked"), "0") == 0);
    check_nothing_left();
    ck_assert_ptr_null(shared_client_next(client));
    shared_client_free(client);
}
END_TEST

START_TEST(what_cannot_be_read_is_set_aside_and_the_next_task_runs) {
    static const char *const bad[] = {"not JSON \xff", "[]", "{}",
                                      "{\"headers\": {\"id\": \"b1\"}}"};
    begin();
    for (size_t i = 0; i < 4; i++) redis_say("LPUSH celery %s", bad[i]);
    push("celery", "good", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "good");
    succeed(task, NULL);
    ck_assert_str_eq(redis_say("LLEN lex:dead:celery"), "4");
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(redis_say("LINDEX lex:dead:celery %d", 3 - i), bad[i]);
    ck_assert_ptr_nonnull(strstr(meta_of("b1"), "\"status\": \"FAILURE\""));
    ck_assert_str_eq(redis_say("EXISTS unacked unacked_index lex:lease celery"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(the_dead_list_is_bounded) {
    world_begin();
    client = world_client("DEAD_LIST_LENGTH", "3", NULL);
    for (int i = 0; i < 5; i++) redis_say("LPUSH celery bad%d", i);
    consume(2);
    world_until(client, strcmp(redis_say("EXISTS celery unacked"), "0") == 0);
    ck_assert_str_eq(redis_say("LRANGE lex:dead:celery 0 -1"), "bad4 bad3 bad2");
    shared_client_free(client);
}
END_TEST

START_TEST(a_message_that_is_too_large_is_set_aside_unread) {
    begin();
    redis_say("EVAL %s 0", "redis.call('LPUSH', 'celery', string.rep(' ', 32 * 1048576 + 1))");
    push("celery", "good", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "good");
    ck_assert_str_eq(redis_say("LLEN lex:dead:celery"), "1");
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(an_unknown_name_is_not_registered) {
    begin();
    ck_assert_int_eq(shared_queue_register(client, "known"), SHARED_OK);
    push("celery", "n1", "", BODY);
    send_task("known", "[]", NULL);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_name(task), "known");
    ck_assert_ptr_nonnull(strstr(meta_of("n1"),
                                 "{\"exc_type\": \"NotRegistered\", \"exc_message\": "
                                 "[\"t\"], \"exc_module\": \"celery.exceptions\"}"));
    ck_assert_str_eq(redis_say("LLEN lex:dead:celery"), "1");
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(two_queues_are_consumed_at_once) {
    begin();
    consume(1);
    ck_assert_int_eq(shared_queue_consume(client, "other", 1, 77), SHARED_OK);
    world_until(client, strstr(redis_say("CLIENT LIST"), "cmd=blmove") != NULL);
    push("other", "o1", "", BODY);
    push("celery", "c1", "", BODY);
    succeed(next_task(), NULL);
    shared_task *task = shared_task_ref(shared_event_task(world_done(client, 77)));
    ck_assert_str_eq(shared_task_id(task), "o1");
    ck_assert_int_eq(shared_task_hand_back(task, END), SHARED_OK);
    world_done(client, END);
    ck_assert_str_eq(redis_say("LLEN other"), "1");
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

START_TEST(cut_connections_are_mended) {
    begin();
    consume(1);
    world_until(client, strstr(redis_say("CLIENT LIST"), "cmd=blmove") != NULL);
    for (int i = 0; i < 3; i++) {
        redis_say("CLIENT KILL TYPE normal SKIPME yes");
        char id[16];
        snprintf(id, sizeof id, "k%d", i);
        push("celery", id, "", BODY);
        shared_task *task = next_task();
        ck_assert_str_eq(shared_task_id(task), id);
        redis_say("CLIENT KILL TYPE normal SKIPME yes");
        succeed(task, NULL);
        ck_assert_ptr_nonnull(strstr(meta_of(id), "SUCCESS"));
    }
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_server_without_blmove_is_looked_at) {
    begin();
    redis_say("ACL SETUSER default -blmove");
    consume(1);
    world_silence(client, CONSUME, 150);
    push("celery", "w1", "", BODY);
    int64_t start_us = time_wall_us();
    shared_task *task = next_task();
    ck_assert_int_lt(time_wall_us() - start_us, 900000);
    succeed(task, NULL);
    redis_say("ACL SETUSER default +blmove");
    shared_client_free(client);
}
END_TEST

START_TEST(the_child_of_a_fork_touches_nothing) {
    begin();
    push("celery", "f1", ", \"eta\": \"2036-01-01T00:00:00Z\"", BODY);
    push("celery", "f2", "", BODY);
    consume(1);
    shared_task *task = next_task();
    world_until(client, strcmp(redis_say("HLEN unacked"), "2") == 0);
    pid_t child = fork();
    if (child == 0) {
        int bad = shared_task_succeed(task, NULL, END) != SHARED_EFORKED;
        shared_client_free(client);
        shared_task_unref(task);
        _exit(bad);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(redis_say("HLEN unacked"), "2");
    ck_assert_int_eq(shared_task_is_held(task), 1);
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    begin();
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    ck_assert_int_eq(shared_queue_consume(client, NULL, 0, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, NULL, 1001, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, NULL, 1, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, "a b", 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, "a\"b", 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, "", 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_consume(client, long_name, 1, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, NULL, "[]", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "{}", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", NULL, NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "[]", "", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, "\xff", "[]", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(client, NULL, long_name, "[]", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_send(NULL, NULL, "t", "[]", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_result(client, "", 1000, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_result(client, "i", 0, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_task_succeed(NULL, NULL, 1), SHARED_EINVALID);
    shared_task_unref(NULL);
    ck_assert_ptr_null(shared_task_ref(NULL));
    ck_assert_str_eq(shared_task_id(NULL), "");
    push("celery", "b1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_succeed(task, "{", END), SHARED_EINVALID);
    ck_assert_int_eq(shared_task_fail(task, 3, "x", END), SHARED_EINVALID);
    ck_assert_int_eq(shared_task_fail(task, SHARED_PERMANENT, "\xff", END), SHARED_EINVALID);
    ck_assert_int_eq(shared_task_is_held(task), 1);
    ck_assert_int_eq(shared_task_succeed(task, NULL, END), SHARED_OK);
    ck_assert_int_eq(shared_task_succeed(task, NULL, END + 1), SHARED_EINVALID);
    world_done(client, END);
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_task_goes_round,
        priorities_come_in_order_and_fifo_within,
        no_more_than_prefetch_are_taken,
        a_message_wakes_an_idle_consumer,
        other_priorities_are_found_by_an_idle_consumer,
        messages_with_one_delivery_tag_are_not_confused,
        a_message_handed_back_is_the_head_and_unchanged,
        an_unfinished_task_that_is_let_go_goes_back,
        freeing_the_client_hands_everything_back,
        a_claim_that_fails_half_way_loses_nothing,
        cancel_takes_no_more_and_loses_nothing,
        a_task_for_later_is_held_until_then,
        too_many_for_later_wait_in_the_queue,
        too_many_for_later_hold_up_no_other_and_no_processor,
        an_expired_task_is_revoked,
        a_task_that_expires_before_there_is_a_free_place_is_revoked,
        what_cannot_be_read_is_set_aside_and_the_next_task_runs,
        the_dead_list_is_bounded,
        a_message_that_is_too_large_is_set_aside_unread,
        an_unknown_name_is_not_registered,
        two_queues_are_consumed_at_once,
        cut_connections_are_mended,
        a_server_without_blmove_is_looked_at,
        the_child_of_a_fork_touches_nothing,
        bad_arguments_are_refused,
    };
    return unit_run("consume", tests, sizeof tests / sizeof *tests);
}
