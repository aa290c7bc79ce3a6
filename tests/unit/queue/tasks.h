/* SPDX-License-Identifier: MIT
 * tasks.h - steps that tests of the queue take: send, consume, finish, and look into Redis.
 */
#ifndef TASKS_H
#define TASKS_H

#include "../progress/world.h"

enum { CONSUME = 1, SEND, END, CANCEL, STATS, MISSING };

static shared_client *client;

__attribute__((unused)) static void begin(void) {
    world_begin();
    client = world_client(NULL, NULL);
}

__attribute__((unused)) static void send_task(const char *task, const char *args, const char *key) {
    ck_assert_int_eq(shared_queue_send(client, NULL, task, args, key, SEND), SHARED_OK);
    world_done(client, SEND);
}

__attribute__((unused)) static shared_task *next_task(void) {
    const shared_event *event = world_done(client, CONSUME);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_TASK);
    ck_assert_int_eq(shared_event_more(event), 1);
    return shared_task_ref(shared_event_task(event));
}

__attribute__((unused)) static void consume(int32_t prefetch) {
    ck_assert_int_eq(shared_queue_consume(client, NULL, prefetch, CONSUME), SHARED_OK);
}

__attribute__((unused)) static void succeed(shared_task *task, const char *result) {
    ck_assert_int_eq(shared_task_succeed(task, result, END), SHARED_OK);
    world_done(client, END);
    shared_task_unref(task);
}

__attribute__((unused)) static const char *meta_of(const char *id) {
    redis_say("SELECT 1");
    const char *meta = redis_say("GET celery-task-meta-%s", id);
    redis_say("SELECT 0");
    return meta;
}

__attribute__((unused)) static void check_nothing_left(void) {
    ck_assert_str_eq(redis_say("EXISTS unacked unacked_index lex:lease lex:live:celery celery "
                               "lex:lost lex:dead:celery"),
                     "0");
}

/* A message as Python's client sends it, straight into the list. */
__attribute__((unused)) static const char *push(const char *list, const char *id,
                                                const char *more_headers, const char *body) {
    static char text[4096];
    snprintf(text, sizeof text,
             "{\"body\": \"%s\", \"content-type\": \"application/json\", \"headers\": {\"task\": "
             "\"t\", \"id\": \"%s\"%s}, \"properties\": {\"delivery_tag\": \"tag-%s\", "
             "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}}}",
             body, id, more_headers, id);
    redis_say("LPUSH %s %s", list, text);
    return text;
}

#define BODY "[[], {}, {}]"

#endif
