/* SPDX-License-Identifier: MIT
 * test_message.c - tasks sent with options, and what a consumer sees and makes of them. That a real Celery
 * agrees is for tests/integration/test_celery.py.
 */
#include "tasks.h"

static shared_message *message;

static void begin_message(void) {
    begin();
    ck_assert_int_eq(shared_message_new("t", "[1]", &message), SHARED_OK);
}

static void end_message(void) {
    shared_message_free(message);
    shared_client_free(client);
}

static void send_message(void) {
    ck_assert_int_eq(shared_queue_send_message(client, NULL, message, SEND), SHARED_OK);
    ck_assert_str_eq(shared_event_id(world_done(client, SEND)), shared_message_id(message));
}

static void must_refuse(shared_status status, const char *text) {
    ck_assert_int_eq(status, SHARED_EINVALID);
    ck_assert_msg(strstr(shared_error_message(shared_error_last()), text) != NULL, "%s, not %s",
                  shared_error_message(shared_error_last()), text);
}

START_TEST(every_option_arrives) {
    begin_message();
    int64_t eta_us = time_wall_us() - 1000000, expires_us = time_wall_us() + 60000000;
    ck_assert_int_eq(shared_message_set_id(message, "my-own"), SHARED_OK);
    ck_assert_int_eq(shared_message_set_kwargs(message, "{\"page\": {\"name\": \"x\"}}"),
                     SHARED_OK);
    ck_assert_int_eq(shared_message_set_key(message, "doc-1"), SHARED_OK);
    ck_assert_int_eq(shared_message_set_eta(message, eta_us), SHARED_OK);
    ck_assert_int_eq(shared_message_set_expires(message, expires_us), SHARED_OK);
    ck_assert_int_eq(shared_message_set_priority(message, 7), SHARED_OK);
    ck_assert_int_eq(shared_message_set_time_limits(message, 1500, 2000), SHARED_OK);
    send_message();
    ck_assert_str_eq(redis_say("LLEN celery\x06\x16"
                               "6"),
                     "1");
    ck_assert_int_ne(strcmp(redis_say("HGET lex:live:celery doc-1"), "(nil)"), 0);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "my-own");
    ck_assert_str_eq(shared_task_args(task), "[1]");
    ck_assert_str_eq(shared_task_kwargs(task), "{\"page\": {\"name\": \"x\"}}");
    ck_assert_str_eq(shared_task_argument(task, -1, "page.name"), "x");
    ck_assert_int_eq(shared_task_eta(task), eta_us);
    ck_assert_int_eq(shared_task_expires(task), expires_us);
    ck_assert_int_eq(shared_task_priority(task), 7);
    ck_assert_int_eq(shared_task_soft_limit_ms(task), 1500);
    ck_assert_int_eq(shared_task_hard_limit_ms(task), 2000);
    ck_assert_int_eq(shared_task_is_redelivered(task), 0);
    ck_assert_str_eq(shared_task_queue(task), "celery");
    ck_assert_str_eq(shared_task_correlation_id(task), "my-own");
    ck_assert_str_eq(shared_task_root_id(task), "my-own");
    ck_assert_str_eq(shared_task_parent_id(task), "");
    ck_assert_uint_eq(strlen(shared_task_reply_to(task)), 36);
    succeed(task, "1");
    check_nothing_left();
    end_message();
}
END_TEST

START_TEST(without_options_it_is_the_simple_call) {
    begin_message();
    send_message();
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_eta(task), 0);
    ck_assert_int_eq(shared_task_expires(task), 0);
    ck_assert_int_eq(shared_task_priority(task), 0);
    ck_assert_int_eq(shared_task_soft_limit_ms(task), 0);
    ck_assert_int_eq(shared_task_hard_limit_ms(task), 0);
    succeed(task, "1");
    end_message();
}
END_TEST

START_TEST(higher_priorities_come_first) {
    begin_message();
    static const int32_t sent[] = {9, 4, 0, 8, 3, 2};
    static const int32_t wanted[] = {0, 2, 4, 3, 8, 9}; /* 0-2, 3-5, 6-8, 9; the older first */
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        ck_assert_int_eq(shared_message_set_priority(message, sent[i]), SHARED_OK);
        send_message();
    }
    consume(1);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        shared_task *task = next_task();
        ck_assert_int_eq(shared_task_priority(task), wanted[i]);
        succeed(task, "1");
    }
    end_message();
}
END_TEST

START_TEST(a_countdown_counts_from_the_sending) {
    begin_message();
    ck_assert_int_eq(shared_message_set_eta(message, 1), SHARED_OK);
    ck_assert_int_eq(shared_message_set_countdown(message, 1000), SHARED_OK);
    consume(1);
    int64_t start_us = time_wall_us();
    send_message();
    shared_task *task = next_task();
    ck_assert_int_ge(time_wall_us() - start_us, 1000000);
    ck_assert_int_ge(shared_task_eta(task), start_us + 1000000);
    succeed(task, "1");
    end_message();
}
END_TEST

START_TEST(an_expired_one_is_revoked) {
    begin_message();
    ck_assert_int_eq(shared_message_set_expires_in(message, 1), SHARED_OK);
    send_message();
    char id[64];
    snprintf(id, sizeof id, "%s", shared_message_id(message));
    int64_t sent_us = time_wall_us();
    while (time_wall_us() <= sent_us + 1000) continue;
    consume(1);
    world_until(client, strstr(meta_of(id), "\"REVOKED\"") != NULL);
    ck_assert_ptr_nonnull(strstr(meta_of(id), "expired"));
    world_until(client, strcmp(redis_say("EXISTS unacked lex:lease"), "0") == 0);
    end_message();
}
END_TEST

START_TEST(a_retry_keeps_the_options_and_has_its_own_delay) {
    begin_message();
    ck_assert_int_eq(shared_message_set_priority(message, 3), SHARED_OK);
    ck_assert_int_eq(shared_message_set_time_limits(message, 0, 9000), SHARED_OK);
    send_message();
    consume(1);
    shared_task *task = next_task();
    int64_t failed_us = time_wall_us();
    must_refuse(shared_task_retry(task, -1, "x", END), "delay_ms: -1, from 0 to 31536000000");
    ck_assert_int_eq(shared_task_retry(task, 500, "not yet", END), SHARED_OK);
    world_done(client, END);
    ck_assert_ptr_nonnull(strstr(meta_of(shared_message_id(message)), "\"status\": \"RETRY\""));
    shared_task_unref(task);
    task = next_task();
    ck_assert_int_ge(time_wall_us() - failed_us, 500000);
    ck_assert_int_eq(shared_task_attempt(task), 1);
    ck_assert_int_eq(shared_task_priority(task), 3);
    ck_assert_int_eq(shared_task_hard_limit_ms(task), 9000);
    ck_assert_str_eq(shared_task_parent_id(task), shared_message_id(message));
    succeed(task, "1");
    end_message();
}
END_TEST

START_TEST(a_retry_too_many_is_a_failure) {
    world_begin();
    client = world_client("RETRY_MAX", "0", NULL);
    ck_assert_int_eq(shared_message_new("t", "[]", &message), SHARED_OK);
    send_message();
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_retry(task, 0, "never", END), SHARED_OK);
    world_done(client, END);
    shared_task_unref(task);
    ck_assert_ptr_nonnull(strstr(meta_of(shared_message_id(message)), "\"status\": \"FAILURE\""));
    check_nothing_left();
    end_message();
}
END_TEST

START_TEST(an_ignored_result_is_not_stored) {
    begin_message();
    ck_assert_int_eq(shared_message_set_ignore_result(message, 1), SHARED_OK);
    send_message();
    consume(1);
    succeed(next_task(), "1");
    ck_assert_str_eq(meta_of(shared_message_id(message)), "(nil)");
    end_message();
}
END_TEST

START_TEST(limits_that_are_no_whole_seconds_arrive) {
    begin_message();
    push("celery", "f", ", \"timelimit\": [2.5, 0.001]", BODY);
    push("celery", "g", ", \"timelimit\": [1e300, -1]", BODY);
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_hard_limit_ms(task), 2500);
    ck_assert_int_eq(shared_task_soft_limit_ms(task), 1);
    succeed(task, "1");
    task = next_task();
    ck_assert_int_eq(shared_task_hard_limit_ms(task), INT64_C(1000000000000));
    ck_assert_int_eq(shared_task_soft_limit_ms(task), 0);
    succeed(task, "1");
    end_message();
}
END_TEST

START_TEST(bad_options_are_named) {
    shared_message *none;
    begin_message();
    must_refuse(shared_message_new("", "[]", &none), "task: empty");
    ck_assert_ptr_null(none);
    must_refuse(shared_message_new("t", "{}", &none), "args_json: {}: not a JSON list");
    must_refuse(shared_message_new("t", NULL, &none), "args_json: : not a JSON list");
    must_refuse(shared_message_new("t", "[]", NULL), "out: NULL");
    must_refuse(shared_message_set_kwargs(message, "[]"), "kwargs_json: []: not a JSON object");
    must_refuse(shared_message_set_priority(message, 10), "priority: 10, from 0 to 9");
    must_refuse(shared_message_set_priority(message, -1), "priority: -1, from 0 to 9");
    must_refuse(shared_message_set_eta(message, -5), "time_us: -5, from 0");
    must_refuse(shared_message_set_eta(message, TIME_MAX_US + 1), "to 253402300799999999");
    must_refuse(shared_message_set_expires(message, -5), "time_us: -5, from 0");
    must_refuse(shared_message_set_countdown(message, -1), "delay_ms: -1, from 0");
    must_refuse(shared_message_set_expires_in(message, INT64_MAX), "to 315360000000");
    must_refuse(shared_message_set_time_limits(message, -1, 0), "soft_ms: -1, from 0");
    must_refuse(shared_message_set_time_limits(message, 0, INT64_MAX), "to 31536000000");
    must_refuse(shared_message_set_time_limits(message, 2, 1), "soft_ms: 2, from 0 to 1");
    must_refuse(shared_message_set_id(message, ""), "id: empty");
    must_refuse(shared_message_set_key(message, NULL), "key: empty");
    must_refuse(shared_message_set_id(NULL, "x"), "message: NULL");
    must_refuse(shared_queue_send_message(client, NULL, NULL, SEND), "message: NULL");
    must_refuse(shared_queue_send_message(client, "a b", message, SEND), "queue: a b");
    send_message(); /* none of it has left a trace */
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_task_priority(task), 0);
    ck_assert_int_eq(shared_task_eta(task), 0);
    succeed(task, "1");
    end_message();
}
END_TEST

/* A list or an object of so many bytes. */
static char *json_of_size(const char *before, size_t size, const char *after) {
    char *json = malloc(size + 1);
    ck_assert_ptr_nonnull(json);
    memset(json, 'x', size);
    memcpy(json, before, strlen(before));
    memcpy(json + size - strlen(after), after, strlen(after) + 1);
    return json;
}

START_TEST(what_is_sent_is_not_too_large_to_be_read) {
    const size_t most = (size_t)23 << 20;
    begin();
    char *largest = json_of_size("[\"", most, "\"]"),
         *kwargs = json_of_size("{\"a\":\"", 64, "\"}");
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", largest, NULL, SEND), SHARED_OK);
    world_done(client, SEND);
    consume(1);
    shared_task *task = next_task();
    ck_assert_uint_eq(strlen(shared_task_args(task)), most);
    succeed(task, NULL);
    check_nothing_left();
    shared_message *both = NULL;
    ck_assert_int_eq(shared_message_new("t", largest, &both), SHARED_OK);
    ck_assert_int_eq(shared_message_set_kwargs(both, kwargs), SHARED_OK);
    ck_assert_int_eq(shared_queue_send_message(client, NULL, both, SEND), SHARED_EINVALID);
    shared_message_free(both);
    char *larger = json_of_size("[\"", most + 1, "\"]");
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", larger, NULL, SEND), SHARED_EINVALID);
    free(larger);
    free(largest);
    free(kwargs);
    shared_client_free(client);
}
END_TEST

START_TEST(accessors_accept_null) {
    ck_assert_int_eq(shared_task_eta(NULL), 0);
    ck_assert_int_eq(shared_task_expires(NULL), 0);
    ck_assert_int_eq(shared_task_priority(NULL), 0);
    ck_assert_int_eq(shared_task_soft_limit_ms(NULL), 0);
    ck_assert_int_eq(shared_task_hard_limit_ms(NULL), 0);
    ck_assert_int_eq(shared_task_is_redelivered(NULL), 0);
    ck_assert_str_eq(shared_task_queue(NULL), "");
    ck_assert_str_eq(shared_task_reply_to(NULL), "");
    ck_assert_str_eq(shared_message_id(NULL), "");
    shared_message_free(NULL);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        every_option_arrives,
        without_options_it_is_the_simple_call,
        higher_priorities_come_first,
        a_countdown_counts_from_the_sending,
        an_expired_one_is_revoked,
        a_retry_keeps_the_options_and_has_its_own_delay,
        a_retry_too_many_is_a_failure,
        an_ignored_result_is_not_stored,
        limits_that_are_no_whole_seconds_arrive,
        bad_options_are_named,
        what_is_sent_is_not_too_large_to_be_read,
        accessors_accept_null,
    };
    return unit_run("message", tests, sizeof tests / sizeof *tests);
}
