/* SPDX-License-Identifier: MIT
 * test_lease.c - leases: renewed while their holder lives, taken over when it does not, by the token and
 * never by time alone; and what dead Python workers hold. Time is moved in Redis, not waited for.
 */
#include "tasks.h"

enum { CLAIM_SIZE = 39 }; /* "<uuid>/<step> " before a score */

/* All leases end now. */
static void end_leases(void) {
    redis_say("EVAL %s 2 lex:lease unacked_index",
              "for _, claim in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do "
              "redis.call('ZADD', KEYS[1], 1, claim) redis.call('ZADD', KEYS[2], 1, claim) end");
}

/* As if sweeps had been made all the time: no grace. */
static void no_grace(void) {
    redis_say("EVAL %s 0", "local t = redis.call('TIME') redis.call('HSET', 'lex:sweep', 'last', "
                           "t[1] * 1000 + math.floor(t[2] / 1000), 'grace', 0)");
}

static int64_t now_s(void) {
    return time_wall_us() / 1000000;
}

START_TEST(a_holder_renews) {
    begin();
    push("celery", "r1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    end_leases();
    world_until(client,
                atoll(redis_say("ZRANGE lex:lease 0 0 WITHSCORES") + CLAIM_SIZE) / 1000 > now_s());
    ck_assert_int_gt(atoll(redis_say("ZRANGE unacked_index 0 0 WITHSCORES") + CLAIM_SIZE), now_s());
    ck_assert_int_eq(shared_task_is_held(task), 1);
    succeed(task, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_silent_holder_is_replaced_and_told) {
    begin();
    push("celery", "s1", "", BODY);
    consume(1);
    shared_task *stale = next_task();
    /* Its process stands still: another one takes over. */
    shared_client *other = world_client(NULL, NULL);
    no_grace();
    end_leases();
    ck_assert_int_eq(shared_queue_consume(other, NULL, 1, CONSUME), SHARED_OK);
    shared_task *fresh = shared_task_ref(shared_event_task(world_done(other, CONSUME)));
    ck_assert_str_eq(shared_task_id(fresh), "s1");
    /* It wakes up and finishes: too late. */
    ck_assert_int_eq(shared_task_succeed(stale, "\"stale\"", END), SHARED_OK);
    const shared_event *event = world_wait(client, END);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECONFLICT);
    ck_assert_str_eq(redis_say("HLEN unacked"), "1");
    ck_assert_int_eq(shared_task_is_held(fresh), 1);
    ck_assert_int_eq(shared_task_succeed(fresh, "\"fresh\"", END), SHARED_OK);
    world_done(other, END);
    ck_assert_str_eq(redis_say("EXISTS unacked lex:lease unacked_index celery"), "0");
    shared_task_unref(stale);
    shared_task_unref(fresh);
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(a_stale_holder_hears_it_from_the_renewal) {
    begin();
    push("celery", "s1", "", BODY);
    consume(1);
    shared_task *stale = next_task();
    redis_say("DEL unacked"); /* taken over */
    world_until(client, !shared_task_is_held(stale));
    shared_task_unref(stale);
    ck_assert_str_eq(redis_say("EXISTS lex:lease unacked_index celery"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(what_was_lost_comes_to_the_head_unchanged_and_in_order) {
    static const char *const ids[] = {"a", "b", "c"};
    char messages[3][4096];
    begin();
    for (int i = 0; i < 3; i++)
        snprintf(messages[i], sizeof messages[i], "%s",
                 push("celery\x06\x16"
                      "6",
                      ids[i], "", BODY));
    consume(3);
    shared_task *tasks[3] = {next_task(), next_task(), next_task()};
    push("celery\x06\x16"
         "6",
         "later", "", BODY);
    shared_client *other = world_client(NULL, NULL);
    no_grace();
    end_leases();
    ck_assert_int_eq(shared_queue_consume(other, "elsewhere", 1, CONSUME), SHARED_OK);
    world_until(other, strcmp(redis_say("LLEN celery\x06\x16"
                                        "6"),
                              "4") == 0);
    for (int i = 0; i < 3; i++) {
        const char *message = redis_say("LINDEX celery\x06\x16"
                                        "6 %d",
                                        -1 - i);
        int found = 0;
        for (int j = 0; j < 3; j++) found |= strcmp(message, messages[j]) == 0;
        ck_assert_msg(found, "%s", message);
    }
    for (int i = 0; i < 3; i++) shared_task_unref(tasks[i]);
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(a_finished_task_whose_ack_was_lost_is_not_run_again) {
    begin();
    push("celery", "f1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    redis_say("SELECT 1");
    redis_say("SET celery-task-meta-f1 %s", "{\"status\": \"SUCCESS\", \"result\": 1}");
    redis_say("SELECT 0");
    shared_client *other = world_client(NULL, NULL);
    no_grace();
    end_leases();
    ck_assert_int_eq(shared_queue_consume(other, NULL, 1, CONSUME), SHARED_OK);
    world_until(other, strcmp(redis_say("EXISTS unacked celery lex:lost"), "0") == 0);
    ck_assert_ptr_null(shared_client_next(other));
    shared_task_unref(task);
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(what_kills_its_workers_is_set_aside) {
    begin();
    send_task("t", "[]", "k1");
    char message[4096];
    snprintf(message, sizeof message, "%s", redis_say("LINDEX celery 0"));
    consume(1);
    no_grace();
    for (int i = 0; i < 3; i++) {
        shared_task *task = next_task();
        end_leases();
        world_until(client, !shared_task_is_held(task));
        shared_task_unref(task);
    }
    ck_assert_str_eq(redis_say("LRANGE lex:dead:celery 0 -1"), message);
    ck_assert_ptr_nonnull(
        strstr(redis_say("HVALS lex:dead-why:celery"), " 3 workers died while they had it"));
    world_until(client, strcmp(redis_say("EXISTS lex:live:celery"), "0") == 0);
    ck_assert_str_eq(redis_say("EXISTS celery unacked lex:lease lex:lost"), "0");
    redis_say("SELECT 1");
    world_until(client, strcmp(redis_say("DBSIZE"), "1") == 0);
    ck_assert_ptr_nonnull(
        strstr(redis_say("EVAL %s 0", "return redis.call('GET', redis.call('KEYS', '*')[1])"),
               "{\"exc_type\": \"WorkerLostError\""));
    shared_client_free(client);
}
END_TEST

START_TEST(after_a_gap_holders_get_time_to_renew) {
    begin();
    push("celery", "g1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    /* Redis was away for long: every lease is over, and nobody has swept. */
    end_leases();
    redis_say("HSET lex:sweep last 1 grace 0");
    world_until(client, atoll(redis_say("HGET lex:sweep grace")) > 1);
    world_until(client,
                atoll(redis_say("ZRANGE lex:lease 0 0 WITHSCORES") + CLAIM_SIZE) / 1000 > now_s());
    world_silence(client, CONSUME, 1500);
    ck_assert_int_eq(shared_task_is_held(task), 1);
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

START_TEST(leases_of_a_clock_that_was_set_back_end_in_time) {
    begin();
    push("celery", "c1", "", BODY);
    consume(1);
    shared_task *task = next_task();
    /* Its holder died an hour ahead of now. */
    redis_say("HSET unacked dead/0 %s", "[" BODY ", \"\", \"celery\"]");
    char ahead_ms[32];
    snprintf(ahead_ms, sizeof ahead_ms, "%lld000", (long long)now_s() + 3600);
    redis_say("ZADD lex:lease %s dead/0", ahead_ms);
    redis_say("HSET lex:sweep last %s", ahead_ms);
    world_until(client, strcmp(redis_say("HEXISTS unacked dead/0"), "0") == 0);
    ck_assert_str_eq(redis_say("LLEN celery"), "1");
    ck_assert_int_eq(shared_task_is_held(task), 1);
    succeed(task, NULL);
    shared_client_free(client);
}
END_TEST

/* --- what Python workers hold ---------------------------------------------------------------------- */

static void hold_as_python(const char *tag, const char *exchange, const char *key, int priority) {
    char text[512];
    snprintf(text, sizeof text,
             "[{\"body\": \"x\", \"properties\": {\"priority\": %d, \"delivery_tag\": \"%s\"}}, "
             "\"%s\", \"%s\"]",
             priority, tag, exchange, key);
    redis_say("HSET unacked %s %s", tag, text);
    redis_say("ZADD unacked_index 1 %s", tag);
}

START_TEST(what_dead_python_workers_hold_is_restored) {
    begin();
    hold_as_python("p0", "", "work", 0);
    hold_as_python("p5", "", "work", 5);
    hold_as_python("p9", "media", "video", 9);
    redis_say("SADD _kombu.binding.media %s", "audio\x06\x16\x06\x16sounds");
    redis_say("SADD _kombu.binding.media %s", "video\x06\x16\x06\x16pictures");
    redis_say("HSET unacked broken {");
    redis_say("ZADD unacked_index 1 broken");
    redis_say("ZADD unacked_index 1 empty");
    redis_say("ZADD unacked_index 99999999999 held");
    no_grace();
    ck_assert_int_eq(shared_queue_consume(client, "elsewhere", 1, CONSUME), SHARED_OK);
    world_until(client, strcmp(redis_say("ZRANGE unacked_index 0 -1"), "held") == 0);
    ck_assert_str_eq(
        redis_say("LRANGE work 0 -1"),
        "{\"body\": \"x\", \"properties\": {\"priority\": 0, \"delivery_tag\": \"p0\"}}");
    ck_assert_str_eq(redis_say("LLEN work\x06\x16"
                               "3"),
                     "1");
    ck_assert_str_eq(redis_say("LLEN pictures\x06\x16"
                               "9"),
                     "1");
    ck_assert_str_eq(redis_say("LRANGE lex:dead:unacked 0 -1"), "{");
    ck_assert_str_eq(redis_say("EXISTS unacked"), "0");
    shared_client_free(client);
}
END_TEST

/* A list of that name would be nobody's. */
START_TEST(what_only_kombu_can_restore_stays_and_holds_up_no_other) {
    begin();
    redis_say("SADD _kombu.binding.media %s", "media.#\x06\x16^media\\..*?$\x06\x16media_jobs");
    redis_say("SADD _kombu.binding.two %s", "key\x06\x16\x06\x16one");
    redis_say("SADD _kombu.binding.two %s", "key\x06\x16\x06\x16other");
    hold_as_python("topic", "media", "media.video", 0);
    hold_as_python("two", "two", "key", 0);
    hold_as_python("unbound", "nowhere", "key", 0);
    for (int i = 0; i < 250; i++) {
        char tag[16];
        snprintf(tag, sizeof tag, "p%d", i);
        hold_as_python(tag, "media", "media.video", 0);
    }
    hold_as_python("text", "", "caf\\u00e9", 0);
    redis_say("ZADD unacked_index 2 text");
    hold_as_python("plain", "", "work", 0);
    redis_say("ZADD unacked_index 2 plain");
    no_grace();
    ck_assert_int_eq(shared_queue_consume(client, "elsewhere", 1, CONSUME), SHARED_OK);
    for (int round = 0; round < 2; round++) {
        world_until(client, strcmp(redis_say("LLEN work"), "1") == 0);
        redis_say("DEL work");
        hold_as_python("again", "", "work", 0); /* among those that stay, already passed */
        redis_say("ZADD unacked_index 0 again");
    }
    world_until(client, strcmp(redis_say("LLEN work"), "1") == 0);
    ck_assert_str_eq(redis_say("LLEN caf\xc3\xa9"), "1");
    ck_assert_str_eq(redis_say("HLEN unacked"), "253");
    ck_assert_str_eq(redis_say("ZCARD unacked_index"), "253");
    ck_assert_str_eq(redis_say("EXISTS media.video key one other lex:dead:unacked"), "0");
    shared_client_free(client);
}
END_TEST

/* As shared.celery tells kombu: else the same task would run twice at once. */
START_TEST(a_python_worker_has_twice_its_time_limit) {
    world_begin();
    client = world_client("VISIBILITY_TIMEOUT_S", "10", "TASK_TIME_LIMIT", "100",
                          "TASK_SOFT_TIME_LIMIT", "100", NULL);
    hold_as_python("runs", "", "work", 0);
    redis_say("ZADD unacked_index %lld runs", (long long)now_s() - 150);
    hold_as_python("lost", "", "work", 0);
    redis_say("ZADD unacked_index %lld lost", (long long)now_s() - 250);
    no_grace();
    ck_assert_int_eq(shared_queue_consume(client, "elsewhere", 1, CONSUME), SHARED_OK);
    world_until(client, strcmp(redis_say("LLEN work"), "0") != 0);
    ck_assert_str_eq(redis_say("HKEYS unacked"), "runs");
    shared_client_free(client);
}
END_TEST

START_TEST(a_python_worker_at_it_is_left_alone) {
    begin();
    hold_as_python("p0", "", "work", 0);
    redis_say("SET unacked_mutex x PX 600");
    no_grace();
    ck_assert_int_eq(shared_queue_consume(client, "elsewhere", 1, CONSUME), SHARED_OK);
    world_until(client, strcmp(redis_say("EXISTS unacked_mutex"), "1") != 0 ||
                            strcmp(redis_say("LLEN work"), "0") != 0);
    ck_assert_str_eq(redis_say("EXISTS unacked_mutex"), "0");
    world_until(client, strcmp(redis_say("LLEN work"), "1") == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(what_a_dead_python_worker_had_may_have_run) {
    begin();
    char message[4096], wrapped[4200];
    for (int i = 1; i <= 2; i++) {
        char id[3] = {'d', (char)('0' + i), '\0'};
        snprintf(message, sizeof message, "%s", push("elsewhere", id, "", BODY));
        snprintf(wrapped, sizeof wrapped, "[%s, \"\", \"celery\"]", message);
        redis_say("HSET unacked %s %s", id, wrapped);
        redis_say("ZADD unacked_index %d %s", i, id);
    }
    redis_say("SELECT 1");
    redis_say("SET celery-task-meta-d1 %s", "{\"status\": \"SUCCESS\", \"result\": 1}");
    redis_say("SELECT 0");
    no_grace();
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_id(task), "d2");
    ck_assert_int_eq(shared_task_is_redelivered(task), 1);
    ck_assert_str_eq(redis_say("HVALS lex:lost"), "0"); /* Celery's loss is none of ours */
    succeed(task, NULL);
    check_nothing_left();
    ck_assert_ptr_null(shared_client_next(client));
    shared_client_free(client);
}
END_TEST

START_TEST(one_sweep_after_the_other_handles_them_all) {
    begin();
    for (int i = 0; i < 250; i++) {
        char tag[16];
        snprintf(tag, sizeof tag, "p%d", i);
        hold_as_python(tag, "", "work", 0);
    }
    no_grace();
    ck_assert_int_eq(shared_queue_consume(client, "elsewhere", 1, CONSUME), SHARED_OK);
    world_until(client, strcmp(redis_say("LLEN work"), "250") == 0);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_holder_renews,
        a_silent_holder_is_replaced_and_told,
        a_stale_holder_hears_it_from_the_renewal,
        what_was_lost_comes_to_the_head_unchanged_and_in_order,
        a_finished_task_whose_ack_was_lost_is_not_run_again,
        what_kills_its_workers_is_set_aside,
        after_a_gap_holders_get_time_to_renew,
        leases_of_a_clock_that_was_set_back_end_in_time,
        what_dead_python_workers_hold_is_restored,
        what_only_kombu_can_restore_stays_and_holds_up_no_other,
        a_python_worker_has_twice_its_time_limit,
        a_python_worker_at_it_is_left_alone,
        what_a_dead_python_worker_had_may_have_run,
        one_sweep_after_the_other_handles_them_all,
    };
    return unit_run("lease", tests, sizeof tests / sizeof *tests);
}
