/* SPDX-License-Identifier: MIT
 * test_result.c - waiting for results, and how the queue stands.
 */
#include "tasks.h"

enum { WAIT = 50 };
#define SUCCESS "{\"status\": \"SUCCESS\", \"result\": 5}"
#define RETRY   "{\"status\": \"RETRY\", \"result\": null}"

/* As Celery's worker does it. */
static void store(const char *id, const char *meta, int publish) {
    redis_say("SELECT 1");
    redis_say("SETEX celery-task-meta-%s 100 %s", id, meta);
    if (publish) redis_say("PUBLISH celery-task-meta-%s %s", id, meta);
    redis_say("SELECT 0");
}

static int listeners(const char *id) {
    const char *answer = redis_say("PUBSUB NUMSUB celery-task-meta-%s", id);
    return atoi(strrchr(answer, ' ') + 1);
}

static void wait_for(const char *id, int64_t timeout_ms, uint64_t tag) {
    ck_assert_int_eq(shared_queue_result(client, id, timeout_ms, tag), SHARED_OK);
}

START_TEST(a_result_that_is_there_is_seen) {
    begin();
    store("t1", SUCCESS, 0);
    wait_for("t1", 5000, WAIT);
    const shared_event *event = world_done(client, WAIT);
    ck_assert_str_eq(shared_event_json(event), SUCCESS);
    ck_assert_int_eq(shared_event_more(event), 0);
    world_until(client, listeners("t1") == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(a_result_that_comes_is_heard) {
    begin();
    wait_for("t1", 5000, WAIT);
    wait_for("t1", 5000, WAIT + 1);
    wait_for("t2", 5000, WAIT + 2);
    world_until(client, listeners("t1") == 1);
    store("t1", RETRY, 1);
    world_silence(client, WAIT, 30);
    store("t1", SUCCESS, 1);
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT)), SUCCESS);
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT + 1)), SUCCESS);
    ck_assert_ptr_null(shared_client_next(client));
    world_until(client, listeners("t1") == 0 && listeners("t2") == 1);
    shared_client_free(client);
}
END_TEST

START_TEST(patience_ends) {
    begin();
    wait_for("t1", 50, WAIT);
    wait_for("t1", 10000, WAIT + 1);
    const shared_event *event = world_wait(client, WAIT);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ETIMEOUT);
    ck_assert_int_eq(shared_client_cancel(client, WAIT + 1), SHARED_OK);
    event = world_wait(client, WAIT + 1);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    world_until(client, listeners("t1") == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(a_cancelled_wait_leaves_the_others) {
    begin();
    wait_for("t1", 9000, WAIT);
    world_until(client, listeners("t1") == 1);
    wait_for("t1", 9000, WAIT + 1); /* its GET is under way */
    wait_for("t1", 9000, WAIT + 2);
    ck_assert_int_eq(shared_client_cancel(client, WAIT + 1), SHARED_OK);
    ck_assert_int_eq(shared_error_code(shared_event_error(world_wait(client, WAIT + 1))),
                     SHARED_ECANCELLED);
    ck_assert_int_eq(shared_client_cancel(client, WAIT), SHARED_OK); /* the first one */
    (void)world_wait(client, WAIT);
    ck_assert_int_eq(listeners("t1"), 1);
    store("t1", SUCCESS, 1);
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT + 2)), SUCCESS);
    ck_assert_ptr_null(shared_client_next(client));
    wait_for("t1", 9000, WAIT); /* the same tag and id once more */
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT)), SUCCESS);
    world_until(client, listeners("t1") == 0);
    shared_client_free(client);
}
END_TEST

/* Who waits before, meanwhile, and afterwards, in two programs: each gets the one result, once. */
START_TEST(several_who_wait_get_the_same_result) {
    char id[64];
    begin();
    shared_client *other = world_client(NULL, NULL);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "[]", NULL, SEND), SHARED_OK);
    snprintf(id, sizeof id, "%s", shared_event_id(world_done(client, SEND)));
    wait_for(id, 9000, WAIT);
    ck_assert_int_eq(shared_queue_result(other, id, 9000, WAIT), SHARED_OK);
    world_until(client, listeners(id) == 1);
    world_until(other, listeners(id) == 2);
    consume(1);
    shared_task *task = next_task();
    wait_for(id, 9000, WAIT + 1);
    succeed(task, "7");
    wait_for(id, 9000, WAIT + 2);
    shared_client *clients[] = {client, client, client, other};
    const uint64_t tags[] = {WAIT, WAIT + 1, WAIT + 2, WAIT};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        const shared_event *event = world_done(clients[i], tags[i]);
        ck_assert_int_eq(shared_event_more(event), 0);
        ck_assert_ptr_nonnull(strstr(shared_event_json(event), "\"result\": 7"));
    }
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert_ptr_null(shared_client_next(other));
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(a_result_is_kept_as_long_as_the_setting_says) {
    char id[64];
    world_begin();
    client = world_client("RESULT_TTL_S", "60", NULL);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "[]", NULL, SEND), SHARED_OK);
    snprintf(id, sizeof id, "%s", shared_event_id(world_done(client, SEND)));
    consume(1);
    succeed(next_task(), "7");
    redis_say("SELECT 1");
    int ttl_s = atoi(redis_say("TTL celery-task-meta-%s", id));
    ck_assert(ttl_s > 0 && ttl_s <= 60);
    redis_say("PEXPIRE celery-task-meta-%s 1", id);
    world_soon(strcmp(redis_say("EXISTS celery-task-meta-%s", id), "0") == 0);
    redis_say("SELECT 0");
    wait_for(id, 50, WAIT); /* as if there had never been one */
    ck_assert_int_eq(shared_error_code(shared_event_error(world_wait(client, WAIT))),
                     SHARED_ETIMEOUT);
    shared_client_free(client);
}
END_TEST

START_TEST(a_cut_connection_loses_no_result) {
    begin();
    wait_for("t1", 9000, WAIT);
    world_until(client, listeners("t1") == 1);
    redis_say("CLIENT KILL TYPE pubsub");
    store("t1", SUCCESS, 1); /* nobody hears it */
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT)), SUCCESS);
    shared_client_free(client);
}
END_TEST

START_TEST(a_result_that_nobody_published_is_found) {
    begin();
    wait_for("t1", 9000, WAIT);
    world_until(client, listeners("t1") == 1);
    store("t1", SUCCESS, 0);
    ck_assert_str_eq(shared_event_json(world_done(client, WAIT)), SUCCESS);
    shared_client_free(client);
}
END_TEST

START_TEST(a_thousand_waits_share_one_connection) {
    enum { COUNT = 1000 };
    begin();
    for (uint64_t i = 0; i < COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", (int)i);
        wait_for(id, 60000, 1000 + i);
    }
    world_until(client, listeners("t999") == 1);
    for (int i = 0; i < COUNT; i += 2) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        store(id, SUCCESS, 1);
    }
    for (uint64_t i = 0; i < COUNT; i += 2)
        ck_assert_str_eq(shared_event_json(world_done(client, 1000 + i)), SUCCESS);
    ck_assert_ptr_null(strstr(redis_say("CLIENT LIST TYPE pubsub") + 3, "id="));
    shared_client_free(client); /* and the other half with it */
    world_soon(strcmp(redis_say("PUBSUB CHANNELS"), "") == 0);
}
END_TEST

/* --- missing, stats ---------------------------------------------------------------------------------- */

static const char *missing(const char *const *keys, size_t count) {
    static char json[256];
    ck_assert_int_eq(shared_queue_missing(client, NULL, keys, count, MISSING), SHARED_OK);
    const shared_event *event = world_done(client, MISSING);
    snprintf(json, sizeof json, "%s", shared_event_json(event));
    return json;
}

START_TEST(keys_without_a_task_are_missing) {
    static const char *const keys[] = {"d1", "d\"2", "d3"};
    begin();
    ck_assert_str_eq(missing(keys, 0), "[]");
    ck_assert_str_eq(missing(keys, 3), "[\"d1\",\"d\\\"2\",\"d3\"]");
    send_task("t", "[]", "d1");
    send_task("t", "[]", "d3");
    ck_assert_str_eq(missing(keys, 3), "[\"d\\\"2\"]");
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(missing(keys, 3), "[\"d\\\"2\"]"); /* running is not missing */
    succeed(task, NULL);
    ck_assert_str_eq(missing(keys, 3), "[\"d1\",\"d\\\"2\"]");
    redis_say("FLUSHALL");
    ck_assert_str_eq(missing(keys, 3), "[\"d1\",\"d\\\"2\",\"d3\"]");
    redis_say("HSET lex:live:celery d1 %s", "task 1000"); /* its message was purged long ago */
    ck_assert_str_eq(missing(keys, 1), "[\"d1\"]");
    static const char *const bad[] = {""};
    ck_assert_int_eq(shared_queue_missing(client, NULL, bad, 1, MISSING), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_missing(client, NULL, NULL, 1, MISSING), SHARED_EINVALID);
    ck_assert_int_eq(shared_queue_missing(client, NULL, keys, 10001, MISSING), SHARED_EINVALID);
    shared_client_free(client);
}
END_TEST

/* As if the key's task had been sent that long ago. */
static void age_mark(const char *key, int64_t hours) {
    char id[80] = "lost", mark[128];
    (void)sscanf(redis_say("HGET lex:live:celery %s", key), "%79[0-9a-f-] ", id);
    snprintf(mark, sizeof mark, "%s %lld", id,
             (long long)(time_wall_us() / 1000 - hours * 3600000));
    redis_say("HSET lex:live:celery %s %s", key, mark);
}

START_TEST(what_waits_in_an_old_backlog_is_not_missing) {
    static const char *const keys[] = {"d1", "d2", "before", "purged"};
    begin();
    for (int i = 0; i < 2; i++) send_task("t", "[]", keys[i]);
    age_mark("d1", 9);
    age_mark("d2", 8);
    age_mark("before", 10);
    age_mark("purged", 25);
    ck_assert_str_eq(missing(keys, 4), "[\"before\",\"purged\"]");
    push("celery\x06\x16"
         "6",
         "p1", "", BODY); /* nobody knows since when it waits */
    ck_assert_str_eq(missing(keys, 4), "[\"purged\"]");
    redis_say("RPUSH celery %s", "{");
    ck_assert_str_eq(missing(keys, 4), "[\"purged\"]");
    redis_say("DEL celery celery\x06\x16"
              "6");
    ck_assert_str_eq(missing(keys, 4), "[\"d1\",\"d2\",\"before\",\"purged\"]");
    shared_client_free(client);
}
END_TEST

START_TEST(what_is_held_after_a_long_wait_is_not_missing) {
    static const char *const keys[] = {"d1"};
    begin();
    send_task("t", "[]", "d1");
    age_mark("d1", 30);
    consume(1);
    shared_task *task = next_task();
    world_until(client, strcmp(missing(keys, 1), "[]") == 0);
    succeed(task, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(an_older_task_does_not_take_the_mark_of_a_newer_one) {
    static const char *const keys[] = {"d1"};
    begin();
    send_task("t", "[1]", "d1");
    consume(1);
    shared_task *task = next_task();
    send_task("t", "[2]", "d1");
    succeed(task, NULL);
    ck_assert_str_eq(missing(keys, 1), "[]");
    task = next_task();
    ck_assert_str_eq(shared_task_args(task), "[2]");
    succeed(task, NULL);
    ck_assert_str_eq(missing(keys, 1), "[\"d1\"]");
    shared_client_free(client);
}
END_TEST

START_TEST(stats_count) {
    world_begin();
    client = world_client("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", NULL);
    for (int i = 0; i < 3; i++) send_task("t", "[]", NULL);
    push("celery\x06\x16"
         "9",
         "p", "", BODY);
    redis_say("LPUSH lex:dead:celery x");
    consume(1);
    shared_task *task = next_task();
    ck_assert_int_eq(shared_queue_stats(client, NULL, STATS), SHARED_OK);
    const shared_event *event = world_done(client, STATS);
    ck_assert_str_eq(shared_event_json(event),
                     "{\"waiting\":3,\"claimed\":1,\"dead\":1,\"outbox\":null}");
    shared_task_unref(task);
    shared_client_free(client);
}
END_TEST

START_TEST(a_server_that_is_away_is_an_error) {
    world_begin();
    client = world_client("REDIS_URL", "redis://127.0.0.1:1", "CONNECT_TIMEOUT_MS", "200", NULL);
    ck_assert_int_eq(shared_queue_send(client, NULL, "t", "[]", NULL, SEND), SHARED_OK);
    const shared_event *event = world_wait(client, SEND);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    ck_assert_int_eq(shared_queue_stats(client, NULL, STATS), SHARED_OK);
    event = world_wait(client, STATS);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    consume(1);
    world_silence(client, CONSUME, 100);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_result_that_is_there_is_seen,
        a_result_that_comes_is_heard,
        patience_ends,
        a_cancelled_wait_leaves_the_others,
        several_who_wait_get_the_same_result,
        a_result_is_kept_as_long_as_the_setting_says,
        a_cut_connection_loses_no_result,
        a_result_that_nobody_published_is_found,
        a_thousand_waits_share_one_connection,
        keys_without_a_task_are_missing,
        what_waits_in_an_old_backlog_is_not_missing,
        what_is_held_after_a_long_wait_is_not_missing,
        an_older_task_does_not_take_the_mark_of_a_newer_one,
        stats_count,
        a_server_that_is_away_is_an_error,
    };
    return unit_run("result", tests, sizeof tests / sizeof *tests);
}
