/* SPDX-License-Identifier: MIT
 * test_publish.c - what goes out: text, log, and how often.
 */
#include "world.h"

static shared_client *client;
static redisContext *ear;

/* A listener of its own, as any other program is one. */
static void listen_to(const char *channel) {
    redisContext *speaker = world_redis;
    world_connect();
    ear = world_redis;
    world_redis = speaker;
    redisReply *reply = redisCommand(ear, "SUBSCRIBE %s", channel);
    freeReplyObject(reply);
}

static const char *heard(void) {
    static char text[4096];
    redisReply *reply = NULL;
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    redisSetTimeout(ear, patience);
    ck_assert_msg(redisGetReply(ear, (void **)&reply) == REDIS_OK, "nothing was heard");
    snprintf(text, sizeof text, "%s", reply->element[2]->str);
    freeReplyObject(reply);
    return text;
}

static void begin(const char *rate) {
    world_begin();
    client = world_client("PROGRESS_RATE", rate, "PROGRESS_LOG_LENGTH", "100", NULL);
}

static void publish(int32_t percent, const char *step, const char *message, uint64_t tag) {
    ck_assert_int_eq(shared_progress_publish(client, "d1", percent, step, message, tag), SHARED_OK);
}

static int64_t count_of(uint64_t tag) {
    return shared_event_count(world_done(client, tag));
}

START_TEST(a_message_is_logged_and_heard_with_its_id) {
    begin("20");
    listen_to("progress:d1");
    publish(45, "extracting", "Extracted text from page 5 of 10", 1);
    ck_assert_int_eq(count_of(1), 1);
    char id[64], wanted[256];
    ck_assert_str_eq(redis_say("XLEN progress-log:d1"), "1");
    snprintf(id, sizeof id, "%s",
             redis_say("EVAL %s 1 progress-log:d1",
                       "return redis.call('XRANGE', KEYS[1], '-', '+')[1][1]"));
    snprintf(wanted, sizeof wanted,
             "{\"progress\":45,\"step\":\"extracting\",\"message\":\"Extracted text from page 5 of "
             "10\",\"id\":\"%s\"}",
             id);
    ck_assert_str_eq(heard(), wanted);
    ck_assert_int_gt(atoi(redis_say("TTL progress-log:d1")), 86000);
    publish(100, "completed", "Done", 2);
    ck_assert_int_eq(count_of(2), 1);
    ck_assert_ptr_nonnull(strstr(heard(), "\"message\":\"Done\",\"final\":true,\"id\":\""));
    shared_client_free(client);
}
END_TEST

START_TEST(of_many_the_newest_goes_out) {
    begin("10");
    publish(0, "starting", "a", 1);
    publish(1, "extracting", "first of its step", 2);
    for (int i = 2; i < 50; i++) publish(i, "extracting", "page", 100 + (uint64_t)i);
    for (int i = 2; i < 49; i++) {
        const shared_event *event = world_done(client, 100 + (uint64_t)i);
        ck_assert_int_eq(shared_event_count(event), 0);
    }
    int64_t start_ms = time_monotonic_ms();
    ck_assert_int_eq(count_of(149), 0); /* it went out, and nobody listens */
    ck_assert_int_ge(time_monotonic_ms() - start_ms, 50);
    ck_assert_str_eq(redis_say("XLEN progress-log:d1"), "3");
    ck_assert_ptr_nonnull(strstr(redis_say("EVAL %s 1 progress-log:d1",
                                           "return redis.call('XREVRANGE', KEYS[1], '+', '-', "
                                           "'COUNT', 1)[1][2][2]"),
                                 "\"progress\":49,"));
    shared_client_free(client);
}
END_TEST

START_TEST(each_step_and_the_end_go_out_at_once) {
    static const char *const steps[] = {"starting", "extracting", "chunking", "storing",
                                        "completed"};
    begin("1");
    for (uint64_t i = 0; i < 5; i++) publish((int32_t)i * 25, steps[i], "x", 1 + i);
    for (uint64_t i = 0; i < 5; i++) ck_assert_int_eq(count_of(1 + i), 0);
    ck_assert_str_eq(redis_say("XLEN progress-log:d1"), "5");
    shared_client_free(client);
}
END_TEST

START_TEST(the_end_takes_the_place_of_what_waits) {
    begin("1");
    listen_to("progress:d1");
    publish(1, "extracting", "a", 1);
    publish(2, "extracting", "b", 2);
    publish(3, "failed", "c", 3);
    ck_assert_int_eq(count_of(1), 1);
    ck_assert_int_eq(count_of(2), 0);
    ck_assert_int_eq(count_of(3), 1);
    ck_assert_str_eq(redis_say("XLEN progress-log:d1"), "2");
    shared_client_free(client);
}
END_TEST

START_TEST(it_never_goes_back_within_a_run) {
    static const struct {
        int32_t percent;
        const char *step, *wanted;
    } rows[] = {{30, "starting", "30"}, {20, "extracting", "30"}, {50, "chunking", "50"},
                {10, "storing", "50"},  {0, "failed", "50"},      {0, "starting", "0"},
                {5, "extracting", "5"}, {0, "starting", "0"},     {100, "completed", "100"},
                {3, "extracting", "3"}};
    begin("1000");
    listen_to("progress:d1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "{\"progress\":%s,", rows[i].wanted);
        publish(rows[i].percent, rows[i].step, "m", 1);
        world_done(client, 1);
        ck_assert_msg(strstr(heard(), wanted) != NULL, "row %zu", i);
    }
    shared_client_free(client);
}
END_TEST

START_TEST(documents_do_not_share_a_throttle) {
    enum { COUNT = 5000 }; /* more than are remembered */
    begin("1");
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        ck_assert_int_eq(shared_progress_publish(client, id, 1, "extracting", "a", 0), SHARED_OK);
        ck_assert_int_eq(shared_progress_publish(client, id, 2, "extracting", "b", 0), SHARED_OK);
    }
    /* What was forgotten for want of room went out before. */
    world_until(client, atoi(redis_say("DBSIZE")) == COUNT &&
                            atoi(redis_say("XLEN progress-log:d0")) == 2 &&
                            atoi(redis_say("XLEN progress-log:d4999")) == 2);
    shared_client_free(client);
}
END_TEST

START_TEST(the_log_is_bounded) {
    begin("1000");
    for (int i = 0; i < 1000; i++) publish(1, i % 2 ? "extracting" : "chunking", "x", 0);
    publish(1, "storing", "x", 1);
    world_done(client, 1);
    ck_assert_int_le(atoi(redis_say("XLEN progress-log:d1")),
                     200); /* Redis trims by blocks of 100 */
    shared_client_free(client);
}
END_TEST

START_TEST(an_error_names_value_and_limit) {
    static char message[2002];
    memset(message, 'x', sizeof message - 1);
    static const struct {
        int32_t percent;
        const char *step, *message, *said;
    } rows[] = {
        {-1, "storing", "x", "percent: -1, from 0 to 100"},
        {101, "storing", "x", "percent: 101, from 0 to 100"},
        {INT32_MIN, "storing", "x", "percent: -2147483648, from 0 to 100"},
        {1, "cooking", "x",
         "step: cooking: one of starting, extracting, chunking, storing, completed, failed"},
        {1, "storing", message, "message: 2001 characters, at most 2000"}};
    begin("20");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(
            shared_progress_publish(client, "d", rows[i].percent, rows[i].step, rows[i].message, 1),
            SHARED_EINVALID);
        ck_assert_str_eq(shared_error_message(shared_error_last()), rows[i].said);
        ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_progress_publish");
    }
    publish(0, "storing", "x", 1); /* the bounds themselves are within */
    publish(100, "storing", "x", 2);
    world_done(client, 1);
    world_done(client, 2);
    shared_client_free(client);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    begin("20");
    char id[1100], message[8100];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    memset(message, 'x', sizeof message);
    message[2001] = '\0';
    static const struct {
        const char *id;
        int32_t percent;
        const char *step, *message;
    } rows[] = {{NULL, 1, "storing", "x"}, {"", 1, "storing", "x"},     {"\xff", 1, "storing", "x"},
                {"d", -1, "storing", "x"}, {"d", 101, "storing", "x"},  {"d", 1, "cooking", "x"},
                {"d", 1, NULL, "x"},       {"d", 1, "storing", "\xff"}, {"d", 1, "storing", NULL},
                {"d", 1, "", "x"},         {"d", 1, "\xff", "x"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(shared_progress_publish(client, rows[i].id, rows[i].percent, rows[i].step,
                                              rows[i].message, 1) == SHARED_EINVALID,
                      "row %zu", i);
    ck_assert_int_eq(shared_progress_publish(client, id, 1, "storing", "x", 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_progress_publish(client, "d", 1, "storing", message, 1),
                     SHARED_EINVALID);
    message[2000] = '\0';
    ck_assert_int_eq(shared_progress_publish(client, "d", 1, "storing", message, 1), SHARED_OK);
    world_done(client, 1);
    shared_client_free(client);
}
END_TEST

START_TEST(without_redis_the_end_is_an_error) {
    world_begin();
    client = world_client("REDIS_URL", "redis://127.0.0.1:1", "CONNECT_TIMEOUT_MS", "200", NULL);
    publish(1, "extracting", "a", 1);
    publish(2, "extracting", "b", 2);
    const shared_event *event = world_wait(client, 1);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    event = world_wait(client, 2);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    publish(3, "extracting", "c", 3);
    publish(4, "extracting", "d", 4);
    ck_assert_int_eq(shared_client_cancel(client, 4), SHARED_OK);
    event = world_wait(client, 4);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_message_is_logged_and_heard_with_its_id,
        of_many_the_newest_goes_out,
        each_step_and_the_end_go_out_at_once,
        the_end_takes_the_place_of_what_waits,
        it_never_goes_back_within_a_run,
        documents_do_not_share_a_throttle,
        the_log_is_bounded,
        an_error_names_value_and_limit,
        bad_arguments_are_refused,
        without_redis_the_end_is_an_error,
    };
    return unit_run("publish", tests, sizeof tests / sizeof *tests);
}
