/* SPDX-License-Identifier: MIT
 * test_dead.c - messages that were set aside: why, when, looked at, put back, dropped.
 */
#include "tasks.h"

enum { DEAD = 70 };

/* What happens to be wrong with it does not matter here. */
static void set_aside(const char *id) {
    push("celery", id, "", "[[], {}]");
    int before = atoi(redis_say("LLEN lex:dead:celery"));
    world_until(client, atoi(redis_say("LLEN lex:dead:celery")) > before);
}

static const char *list(const char *after, int32_t limit) {
    ck_assert_int_eq(shared_queue_dead(client, NULL, after, limit, DEAD), SHARED_OK);
    return shared_event_json(world_done(client, DEAD));
}

static int64_t move(shared_status status) {
    ck_assert_int_eq(status, SHARED_OK);
    return shared_event_count(world_done(client, DEAD));
}

static void must_fail(shared_status started, shared_status code, const char *text) {
    const shared_error *error = shared_error_last();
    if (started == SHARED_OK) error = shared_event_error(world_wait(client, DEAD));
    ck_assert_int_eq(shared_error_code(error), code);
    ck_assert_msg(strstr(shared_error_message(error), text) != NULL, "%s, not %s",
                  shared_error_message(error), text);
}

START_TEST(an_entry_says_what_it_was_and_why) {
    begin();
    ck_assert_str_eq(list(NULL, 10), "[]");
    consume(1);
    set_aside("x1");
    char raw[1000];
    snprintf(raw, sizeof raw, "%s", redis_say("LINDEX lex:dead:celery 0"));
    const char *json = list(NULL, 10);
    ck_assert_ptr_nonnull(strstr(json, "\"task_id\":\"x1\",\"name\":\"t\",\"reason\":"
                                       "\"InvalidTaskError: body: not a list of args, kwargs and "
                                       "options\",\"time\":\"20"));
    char size[40];
    snprintf(size, sizeof size, "\"size\":%zu,\"message\":\"{", strlen(raw));
    ck_assert_ptr_nonnull(strstr(json, size));
    shared_client_free(client);
}
END_TEST

START_TEST(pages_follow_each_other) {
    begin();
    consume(1);
    for (int i = 0; i < 25; i++) {
        char id[8];
        snprintf(id, sizeof id, "p%02d", i);
        set_aside(id);
    }
    char after[41] = "";
    for (int page = 0; page < 9; page++) { /* the newest first */
        const char *json = list(page ? after : NULL, 3);
        for (int i = 0; i < 3 && page * 3 + i < 25; i++) {
            char member[32];
            snprintf(member, sizeof member, "\"task_id\":\"p%02d\"", 24 - page * 3 - i);
            json = strstr(json, member);
            ck_assert_msg(json != NULL, "%s", member);
            memcpy(after, json - 42, 40);
        }
    }
    ck_assert_str_eq(list(after, 3), "[]");
    must_fail(shared_queue_dead(client, NULL, "none", 3, DEAD), SHARED_ENOTFOUND, "after");
    must_fail(shared_queue_dead(client, NULL, NULL, 0, DEAD), SHARED_EINVALID, "limit: 0, from 1");
    must_fail(shared_queue_dead(client, NULL, NULL, 101, DEAD), SHARED_EINVALID, "to 100");
    must_fail(shared_queue_dead(client, "a b", NULL, 1, DEAD), SHARED_EINVALID, "queue: a b");
    shared_client_free(client);
}
END_TEST

START_TEST(one_goes_back_as_it_is) {
    begin();
    /* Names that only this consumer does not know. */
    ck_assert_int_eq(shared_queue_register(client, "other"), SHARED_OK);
    consume(1);
    ck_assert_int_eq(
        shared_queue_send(client, NULL, "t", "[1e300, 12345678901234567890]", "k", SEND),
        SHARED_OK);
    char id[64], raw[2000];
    snprintf(id, sizeof id, "%s", shared_event_id(world_done(client, SEND)));
    world_until(client, strcmp(redis_say("LLEN lex:dead:celery"), "1") == 0);
    snprintf(raw, sizeof raw, "%s", redis_say("LINDEX lex:dead:celery 0"));
    ck_assert_str_eq(redis_say("HLEN lex:live:celery"), "0");
    ck_assert_ptr_nonnull(strstr(list(NULL, 1), "\"reason\":\"NotRegistered: t\""));
    ck_assert_int_eq(shared_client_cancel(client, CONSUME), SHARED_OK);
    world_wait(client, CONSUME);
    ck_assert_int_eq(move(shared_queue_dead_requeue(client, NULL, id, DEAD)), 1);
    ck_assert_str_eq(redis_say("LRANGE celery 0 -1"), raw);
    ck_assert_int_eq(strncmp(redis_say("HGET lex:live:celery k"), id, strlen(id)), 0);
    ck_assert_str_eq(redis_say("EXISTS lex:dead:celery lex:dead-why:celery"), "0");
    ck_assert_ptr_nonnull(strstr(meta_of(id), "FAILURE"));
    shared_client *knows = world_client(NULL, NULL);
    ck_assert_int_eq(shared_queue_consume(knows, NULL, 1, CONSUME), SHARED_OK);
    shared_task *task = shared_event_task(world_done(knows, CONSUME));
    ck_assert_str_eq(shared_task_id(task), id);
    ck_assert_int_eq(shared_task_succeed(task, "1", END), SHARED_OK);
    world_done(knows, END);
    ck_assert_ptr_nonnull(strstr(meta_of(id), "SUCCESS"));
    shared_client_free(knows);
    shared_client_free(client);
}
END_TEST

START_TEST(one_is_found_by_any_id_of_its_task) {
    static const char *const ids[][2] = {{"caf\xc3\xa9-1", "caf\\u00e9-1"},
                                         {"a\"b/1", "a\\\"b\\/1"},
                                         {"plain:1.2_3-4", "plain:1.2_3-4"}};
    begin();
    for (size_t i = 0; i < 3; i++)
        redis_say("LPUSH lex:dead:celery {\"headers\":{\"id\":\"%s\"}}", ids[i][1]);
    ck_assert_int_eq(move(shared_queue_dead_requeue(client, NULL, ids[0][0], DEAD)), 1);
    ck_assert_str_eq(redis_say("LLEN celery"), "1");
    for (size_t i = 1; i < 3; i++)
        ck_assert_int_eq(move(shared_queue_dead_drop(client, NULL, ids[i][0], DEAD)), 1);
    ck_assert_str_eq(redis_say("EXISTS lex:dead:celery"), "0");
    shared_client_free(client);
}
END_TEST

/* 1200: more than one script call moves. */
START_TEST(all_go_back_in_order_and_to_their_priority) {
    begin();
    for (int i = 0; i < 1200; i++)
        redis_say("LPUSH lex:dead:celery {\"n\":%d,\"properties\":{\"priority\":%d}}", i,
                  i % 2 ? 7 : 0);
    ck_assert_int_eq(move(shared_queue_dead_requeue(client, NULL, NULL, DEAD)), 1200);
    ck_assert_str_eq(redis_say("LLEN celery"), "600");
    ck_assert_str_eq(redis_say("LLEN celery\x06\x16"
                               "6"),
                     "600");
    ck_assert_str_eq(redis_say("LINDEX celery -1"), "{\"n\":0,\"properties\":{\"priority\":0}}");
    ck_assert_str_eq(redis_say("LINDEX celery -2"), "{\"n\":2,\"properties\":{\"priority\":0}}");
    ck_assert_int_eq(move(shared_queue_dead_requeue(client, NULL, NULL, DEAD)), 0);
    shared_client_free(client);
}
END_TEST

START_TEST(what_cannot_be_read_goes_back_too) {
    begin();
    static const char *const raws[] = {"\xff{", "[1]", "{\"properties\":{\"priority\":nan}}",
                                       "{\"properties\":{\"priority\":[]},\"headers\":[]}",
                                       "{\"properties\":null,\"headers\":{\"id\":1}}"};
    enum { COUNT = sizeof raws / sizeof *raws };
    for (int i = 0; i < COUNT; i++) redis_say("LPUSH lex:dead:celery %s", raws[i]);
    const char *json = list(NULL, 10);
    ck_assert_ptr_nonnull(strstr(json, "\"size\":2,\"message\":null,\"base64\":\"/3s=\"}"));
    ck_assert_ptr_nonnull(strstr(json, "\"task_id\":null,\"name\":null,\"reason\":null,\"time\":"
                                       "null,\"size\":3,\"message\":\"[1]\"}"));
    ck_assert_int_eq(move(shared_queue_dead_requeue(client, NULL, NULL, DEAD)), COUNT);
    for (int i = 0; i < COUNT; i++)
        ck_assert_str_eq(redis_say("LINDEX celery %d", -1 - i), raws[i]);
    shared_client_free(client);
}
END_TEST

START_TEST(dropped_ones_are_gone) {
    begin();
    consume(1);
    for (int i = 0; i < 3; i++) set_aside(i == 0 ? "a" : i == 1 ? "b" : "c");
    ck_assert_int_eq(move(shared_queue_dead_drop(client, NULL, "b", DEAD)), 1);
    ck_assert_str_eq(redis_say("HLEN lex:dead-why:celery"), "2");
    must_fail(shared_queue_dead_drop(client, NULL, "b", DEAD), SHARED_ENOTFOUND,
              "message b: is not set aside in celery");
    must_fail(shared_queue_dead_requeue(client, "other", "a", DEAD), SHARED_ENOTFOUND, "in other");
    must_fail(shared_queue_dead_drop(client, NULL, "", DEAD), SHARED_EINVALID, "id: empty");
    char id[41];
    memcpy(id, strstr(list(NULL, 1), "\"id\":\"") + 6, 40);
    id[40] = '\0';
    ck_assert_int_eq(move(shared_queue_dead_drop(client, NULL, id, DEAD)), 1);
    ck_assert_int_eq(move(shared_queue_dead_drop(client, NULL, NULL, DEAD)), 1);
    ck_assert_str_eq(redis_say("EXISTS lex:dead:celery lex:dead-why:celery celery"), "0");
    shared_client_free(client);
}
END_TEST

START_TEST(the_same_bytes_are_one_entry) {
    begin();
    consume(1);
    set_aside("same");
    push("celery", "same", "", "[[], {}]");
    world_until(client, strcmp(redis_say("EXISTS celery unacked"), "0") == 0);
    ck_assert_str_eq(redis_say("LLEN lex:dead:celery"), "1");
    ck_assert_int_eq(move(shared_queue_dead_drop(client, NULL, NULL, DEAD)), 1);
    shared_client_free(client);
}
END_TEST

START_TEST(the_list_and_its_reasons_are_bounded) {
    world_begin();
    client = world_client("DEAD_LIST_LENGTH", "2", NULL);
    consume(1);
    set_aside("a");
    set_aside("b");
    push("celery", "c", "", "[[], {}]");
    world_until(client, strstr(redis_say("LINDEX lex:dead:celery 0"), "\"c\"") != NULL);
    ck_assert_str_eq(redis_say("LLEN lex:dead:celery"), "2");
    ck_assert_str_eq(redis_say("HLEN lex:dead-why:celery"), "2");
    ck_assert_ptr_null(strstr(list(NULL, 10), "\"a\""));
    shared_client_free(client);
}
END_TEST

START_TEST(a_large_message_is_named_but_not_told) {
    begin();
    char *args = calloc(1, 100004);
    memset(args, 'x', 100002);
    memcpy(args, "[\"", 2);
    memcpy(args + 100001, "\"]", 3);
    ck_assert_int_eq(shared_queue_register(client, "other"), SHARED_OK);
    consume(1);
    send_task("t", args, NULL);
    world_until(client, strcmp(redis_say("LLEN lex:dead:celery"), "1") == 0);
    const char *json = list(NULL, 1);
    ck_assert_ptr_nonnull(strstr(json, "\"name\":\"t\""));
    ck_assert_ptr_nonnull(strstr(json, "\"message\":null}"));
    free(args);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        an_entry_says_what_it_was_and_why,
        pages_follow_each_other,
        one_goes_back_as_it_is,
        one_is_found_by_any_id_of_its_task,
        all_go_back_in_order_and_to_their_priority,
        what_cannot_be_read_goes_back_too,
        dropped_ones_are_gone,
        the_same_bytes_are_one_entry,
        the_list_and_its_reasons_are_bounded,
        a_large_message_is_named_but_not_told,
    };
    return unit_run("dead", tests, sizeof tests / sizeof *tests);
}
