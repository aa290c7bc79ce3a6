/* SPDX-License-Identifier: MIT
 * test_relay.c - tasks of transactions: sent if and only if those commit, at once or by a sweep, and the
 * row goes only when Redis has the message.
 */
#include "../progress/database.h"
#include "tasks.h"

enum { RELAY = 60, COMMIT, ROLLBACK };

static void begin_with(const char *name, const char *value) {
    world_begin();
    database_begin();
    client = world_client("OUTBOX_SWEEP_S", "1", name, value, NULL);
}

static void relay(shared_client *of) {
    ck_assert_int_eq(shared_queue_relay(of, RELAY), SHARED_OK);
}

static shared_session *enqueue(const char *args, const char *key) {
    shared_session *session;
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    ck_assert_int_eq(shared_session_enqueue(session, "t", args, key), SHARED_OK);
    return session;
}

static void commit(shared_session *session) {
    ck_assert_int_eq(shared_session_commit(session, COMMIT), SHARED_OK);
    world_done(client, COMMIT);
    shared_session_free(session);
}

static int outbox_count(void) {
    return atoi(sql_say("SELECT count(*) FROM task_outbox"));
}

static void insert_rows(int count, const char *age) {
    char sql[400];
    snprintf(
        sql, sizeof sql,
        "INSERT INTO task_outbox (id, queue, task, args_json, key, created_at) SELECT 'o' || i, "
        "'celery', 't', '[' || i || ']', 'k' || i, now() - interval '%s' FROM "
        "generate_series(1, %d) AS i",
        age, count);
    sql_say(sql);
}

START_TEST(a_commit_sends_at_once) {
    begin_with(NULL, NULL);
    relay(client);
    commit(enqueue("[{\"document_id\": \"d1\"}]", "d1"));
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    ck_assert_int_ne(strcmp(redis_say("HGET lex:live:celery d1"), "(nil)"), 0);
    ck_assert_ptr_null(strstr(redis_say("LINDEX celery 0"), "redelivered"));
    world_until(client, outbox_count() == 0);
    consume(1);
    shared_task *task = next_task();
    ck_assert_str_eq(shared_task_argument(task, 0, "document_id"), "d1");
    succeed(task, NULL);
    check_nothing_left();
    shared_client_free(client);
}
END_TEST

START_TEST(a_rollback_sends_nothing) {
    begin_with(NULL, NULL);
    relay(client);
    shared_session *session = enqueue("[]", NULL);
    ck_assert_int_eq(shared_session_rollback(session, ROLLBACK), SHARED_OK);
    world_done(client, ROLLBACK);
    commit(session);
    world_silence(client, RELAY, 50);
    ck_assert_str_eq(redis_say("EXISTS celery"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(what_nobody_sent_is_swept) {
    begin_with(NULL, NULL);
    commit(enqueue("[1]", "k1")); /* without a relay: as if its process had died */
    ck_assert_int_eq(outbox_count(), 1);
    ck_assert_str_eq(redis_say("EXISTS celery"), "0");
    sql_say("UPDATE task_outbox SET created_at = now() - interval '10 s'");
    relay(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    world_until(client, outbox_count() == 0);
    ck_assert_ptr_nonnull(strstr(redis_say("LINDEX celery 0"), "\"redelivered\": true"));
    shared_client_free(client);
}
END_TEST

START_TEST(young_rows_are_left_to_their_client) {
    begin_with(NULL, NULL);
    insert_rows(1, "0 s");
    int64_t start_us = time_wall_us();
    relay(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    ck_assert_int_gt(time_wall_us() - start_us, 700000);
    shared_client_free(client);
}
END_TEST

START_TEST(many_rows_go_in_several_sweeps) {
    begin_with(NULL, NULL);
    insert_rows(250, "1 min");
    relay(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "250") == 0);
    world_until(client, outbox_count() == 0);
    ck_assert_str_eq(redis_say("HLEN lex:live:celery"), "250");
    shared_client_free(client);
}
END_TEST

START_TEST(a_row_that_cannot_be_sent_holds_up_no_other) {
    begin_with(NULL, NULL);
    sql_say("INSERT INTO task_outbox (id, queue, task, args_json, created_at) VALUES "
            "('bad1', 'celery', 't', '{}', now() - interval '2 min'),"
            "('bad2', 'a b', 't', '[]', now() - interval '2 min')");
    insert_rows(1, "1 min");
    relay(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    world_until(client, outbox_count() == 2); /* nothing is lost: who mends them has them sent */
    ck_assert_str_eq(sql_say("SELECT string_agg(id, ' ' ORDER BY id) FROM task_outbox WHERE "
                             "created_at = 'infinity'"),
                     "bad1 bad2");
    sql_say("UPDATE task_outbox SET queue = 'celery', args_json = '[]', created_at = now() - "
            "interval '1 min'");
    world_until(client, strcmp(redis_say("LLEN celery"), "3") == 0);
    world_until(client, outbox_count() == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(while_redis_is_away_rows_stay) {
    begin_with("REDIS_URL", "redis://127.0.0.1:1");
    relay(client);
    insert_rows(3, "1 min");
    commit(enqueue("[]", NULL));
    world_silence(client, RELAY, 1500);
    ck_assert_int_eq(outbox_count(), 4);
    shared_client *other = world_client("OUTBOX_SWEEP_S", "1", NULL);
    relay(other);
    world_until(other, strcmp(redis_say("LLEN celery"), "4") == 0);
    world_until(other, outbox_count() == 0);
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(two_relays_do_not_send_a_row_twice) {
    begin_with(NULL, NULL);
    shared_client *other = world_client("OUTBOX_SWEEP_S", "1", NULL);
    insert_rows(400, "1 min");
    relay(client);
    relay(other);
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    while (outbox_count() > 0) {
        ck_assert_int_lt(time_monotonic_ms(), end_ms);
        shared_client_dispatch(client, 1);
        shared_client_dispatch(other, 1);
    }
    ck_assert_str_eq(redis_say("LLEN celery"), "400");
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(it_runs_once_until_cancelled) {
    begin_with(NULL, NULL);
    relay(client);
    ck_assert_int_eq(shared_queue_relay(client, RELAY + 10), SHARED_EINVALID);
    ck_assert_int_eq(shared_client_cancel(client, RELAY), SHARED_OK);
    const shared_event *event = world_wait(client, RELAY);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    commit(enqueue("[]", NULL));
    ck_assert_int_eq(outbox_count(), 1);
    ck_assert_str_eq(redis_say("EXISTS celery"), "0");
    sql_say("UPDATE task_outbox SET created_at = now() - interval '10 s'");
    relay(client);
    world_until(client, strcmp(redis_say("LLEN celery"), "1") == 0);
    shared_client_free(client);
}
END_TEST

START_TEST(a_client_freed_in_the_middle_leaves_rows_or_messages) {
    for (int turns = 0; turns < 12; turns++) {
        begin_with(NULL, NULL);
        insert_rows(120, "1 min");
        relay(client);
        for (int i = 0; i < turns; i++) shared_client_dispatch(client, 2);
        shared_client_free(client);
        int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
        while (outbox_count() + atoi(redis_say("LLEN celery")) < 120)
            ck_assert_int_lt(time_monotonic_ms(), end_ms);
    }
}
END_TEST

START_TEST(stats_count_the_outbox) {
    begin_with(NULL, NULL);
    insert_rows(7, "0 s");
    ck_assert_int_eq(shared_queue_stats(client, NULL, STATS), SHARED_OK);
    const shared_event *event = world_done(client, STATS);
    ck_assert_str_eq(shared_event_json(event),
                     "{\"waiting\":0,\"claimed\":0,\"dead\":0,\"outbox\":7}");
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_commit_sends_at_once,         a_rollback_sends_nothing,
        what_nobody_sent_is_swept,      young_rows_are_left_to_their_client,
        many_rows_go_in_several_sweeps, a_row_that_cannot_be_sent_holds_up_no_other,
        while_redis_is_away_rows_stay,  two_relays_do_not_send_a_row_twice,
        it_runs_once_until_cancelled,   a_client_freed_in_the_middle_leaves_rows_or_messages,
        stats_count_the_outbox,
    };
    return unit_run("relay", tests, sizeof tests / sizeof *tests);
}
