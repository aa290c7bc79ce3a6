/* SPDX-License-Identifier: MIT
 * test_memory.c - the n-th allocation fails, for every n: nothing crashes, leaks (ASan) or hangs, every
 * accepted request ends, no message is lost, and afterwards the same client works.
 */
#include "captured.h"
#include "queue/celery.h"
#include "queue/envelope.h"
#include "queue/meta.h"
#include "scarce.h"
#include "tasks.h"

/* --- texts ------------------------------------------------------------------------------------------ */

static const char *text_read;

static void read_and_retry(void) {
    struct celery_refusal refusal;
    struct celery_message *message = celery_read(text_read, strlen(text_read), &refusal);
    scarce_expect(message || (scarce_fired && !refusal.exc_type), refusal.message);
    if (!message) return;
    struct buffer text = {.data = NULL};
    celery_write_retry(&text, message, 1000000, "tag", "origin");
    scarce_expect(!text.failed || scarce_fired, "no retry");
    buffer_finish(&text);
    celery_message_free(message);
}

static void write_all(void) {
    struct buffer text = {.data = NULL};
    struct meta_exception exception = {.type = "E", .module = "m", .message = "text"};
    envelope_write(&text, &(struct envelope){.queue = "q",
                                             .task = "t",
                                             .id = "i",
                                             .args_json = "[1, \"a\"]",
                                             .reply_to = "r",
                                             .origin = "o"});
    meta_write_failure(&text, (struct meta_owner){.id = "i"}, exception);
    meta_write_retry(&text, (struct meta_owner){.id = "i"}, exception);
    scarce_expect(!text.failed || scarce_fired, "no text");
    buffer_finish(&text);
}

static void nothing(void) {}

START_TEST(texts_survive_every_failed_allocation) {
    static const char protocol_1[] =
        "{\"content-type\":\"application/json\",\"properties\":{\"delivery_tag\":\"t\","
        "\"delivery_info\":{\"exchange\":\"\",\"routing_key\":\"c\"}},\"headers\":{},\"body\":"
        "\"{\\\"task\\\":\\\"a\\\",\\\"id\\\":\\\"i\\\",\\\"args\\\":[1],\\\"retries\\\":2}\"}";
    text_read = captured_send_task;
    scarce_torture(read_and_retry, nothing);
    text_read = protocol_1;
    scarce_torture(read_and_retry, nothing);
    scarce_torture(write_all, nothing);
}
END_TEST

/* --- flows ------------------------------------------------------------------------------------------ */

static bool consuming;

/* The next task; while memory is scarce only if it comes soon. */
static shared_task *soon(void) {
    const shared_event *event = NULL;
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    for (int turns = 0; !event && time_monotonic_ms() < end_ms; turns++) {
        (void)shared_client_wait(client, CONSUME, 10, &event);
        if (scarce_fired && turns > 2) break;
    }
    if (event && !shared_event_more(event)) consuming = false;
    return shared_task_ref(shared_event_task(event));
}

static void go_round(void) {
    (void)scarce_ends(client, shared_queue_send(client, NULL, "t", "[1]", "k", SEND), SEND);
    consuming = scarce_accepted(shared_queue_consume(client, NULL, 2, CONSUME));
    shared_task *task = consuming ? soon() : NULL;
    if (task) (void)scarce_ends(client, shared_task_succeed(task, "1", END), END);
    shared_task_unref(task);
}

static void fail_and_give_back(void) {
    (void)scarce_ends(client, shared_queue_send(client, NULL, "t", "[1]", NULL, SEND), SEND);
    (void)scarce_ends(client, shared_queue_send(client, NULL, "t", "[2]", NULL, SEND), SEND);
    consuming = scarce_accepted(shared_queue_consume(client, NULL, 2, CONSUME));
    shared_task *task = consuming ? soon() : NULL;
    if (task) (void)scarce_ends(client, shared_task_fail(task, SHARED_RETRYABLE, "x", END), END);
    shared_task_unref(task);
    task = consuming && task ? soon() : NULL;
    if (task) (void)scarce_ends(client, shared_task_hand_back(task, END), END);
    shared_task_unref(task);
}

static void ask(void) {
    static const char *const keys[] = {"a", "b"};
    (void)scarce_ends(client, shared_queue_missing(client, NULL, keys, 2, MISSING), MISSING);
    (void)scarce_ends(client, shared_queue_stats(client, NULL, STATS), STATS);
    shared_status status = shared_queue_result(client, "done", 5000, 60);
    (void)scarce_ends(client, status, 60);
}

static void send_with_options(void) {
    shared_message *message;
    if (!scarce_accepted(shared_message_new("t", "[1]", &message))) return;
    (void)scarce_accepted(shared_message_set_kwargs(message, "{\"a\": 1}"));
    (void)scarce_accepted(shared_message_set_key(message, "k"));
    (void)scarce_accepted(shared_message_set_priority(message, 9));
    (void)scarce_accepted(shared_message_set_expires_in(message, 60000));
    (void)scarce_ends(client, shared_queue_send_message(client, NULL, message, SEND), SEND);
    shared_message_free(message);
    consuming = scarce_accepted(shared_queue_consume(client, NULL, 2, CONSUME));
    shared_task *task = consuming ? soon() : NULL;
    if (task) (void)scarce_ends(client, shared_task_retry(task, 60000, "x", END), END);
    shared_task_unref(task);
}

static void look_at_the_dead(void) {
    (void)scarce_ends(client, shared_queue_dead(client, NULL, NULL, 10, 61), 61);
    (void)scarce_ends(client, shared_queue_dead_requeue(client, NULL, NULL, 62), 62);
    (void)scarce_ends(client, shared_queue_dead_drop(client, NULL, NULL, 63), 63);
}

/* Nothing is lost: what was sent and not finished is still there. Then all works as ever. */
static void work_again(void) {
    const shared_event *event = NULL;
    while ((event = shared_client_next(client)))
        if (shared_event_tag(event) == CONSUME && !shared_event_more(event)) consuming = false;
    if (consuming) {
        ck_assert_int_eq(shared_client_cancel(client, CONSUME), SHARED_OK);
        do event = world_wait(client, CONSUME);
        while (shared_event_more(event));
        (void)shared_client_next(client);
    }
    consuming = false;
    redis_say("FLUSHALL");
    redis_say("SELECT 1");
    redis_say("SET celery-task-meta-done %s", "{\"status\": \"SUCCESS\"}");
    redis_say("SELECT 0");
    send_task("t", "[]", "k");
    consume(1);
    succeed(next_task(), NULL);
    ck_assert_int_eq(shared_client_cancel(client, CONSUME), SHARED_OK);
    world_wait(client, CONSUME);
}

static void some_die(void) {
    work_again();
    redis_say("LPUSH lex:dead:celery %s %s", "one", "two");
}

static void begin_scarce(void) {
    world_begin();
    client = world_client("RECONNECT_MS_MAX", "10", "DATABASE_URL",
                          "postgresql://nobody@127.0.0.1:1/none", NULL);
    work_again();
}

START_TEST(a_task_goes_round_with_every_failed_allocation) {
    begin_scarce();
    scarce_torture(go_round, work_again);
    shared_client_free(client);
}
END_TEST

START_TEST(failures_survive_every_failed_allocation) {
    begin_scarce();
    scarce_torture(fail_and_give_back, work_again);
    shared_client_free(client);
}
END_TEST

START_TEST(options_survive_every_failed_allocation) {
    begin_scarce();
    scarce_torture(send_with_options, work_again);
    shared_client_free(client);
}
END_TEST

START_TEST(the_dead_list_survives_every_failed_allocation) {
    begin_scarce();
    some_die();
    scarce_torture(look_at_the_dead, some_die);
    shared_client_free(client);
}
END_TEST

START_TEST(questions_survive_every_failed_allocation) {
    begin_scarce();
    scarce_torture(ask, work_again);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        texts_survive_every_failed_allocation,
        a_task_goes_round_with_every_failed_allocation,
        failures_survive_every_failed_allocation,
        options_survive_every_failed_allocation,
        the_dead_list_survives_every_failed_allocation,
        questions_survive_every_failed_allocation,
    };
    return unit_run("queue_memory", tests, sizeof tests / sizeof *tests);
}
