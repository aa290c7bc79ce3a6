/* SPDX-License-Identifier: MIT
 * test_many.c - listening to many documents by one tag, and to all: of whom each event is, how a slow
 * reader is bounded, how it ends. What a single listener is told is test_subscribe.c's matter.
 */
#include "database.h"
#include "net/client.h"

enum { MANY = 1, ALL = 2, SAY = 1000 };

static shared_client *client, *speaker;

static void begin(void) {
    world_begin();
    database_begin();
    sql_say("INSERT INTO documents (id, file_name, extraction_status) SELECT 'd' || i, 'f', "
            "'processing' FROM generate_series(1, 200) i");
    client = world_client(NULL, NULL);
    speaker = world_client("PROGRESS_RATE", "1000", NULL);
}

static void end(void) {
    shared_client_free(client);
    shared_client_free(speaker);
}

static int64_t say(const char *document_id, int32_t percent, const char *step) {
    ck_assert_int_eq(shared_progress_publish(speaker, document_id, percent, step, "m", SAY),
                     SHARED_OK);
    return shared_event_count(world_done(speaker, SAY));
}

static void expect(const shared_event *event, const char *document_id, int32_t percent) {
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_PROGRESS);
    ck_assert_int_eq(shared_event_more(event), 1);
    ck_assert_str_eq(shared_event_document(event), document_id);
    ck_assert_int_eq(shared_record_int(shared_event_record(event, 0), SHARED_PROGRESS_PROGRESS),
                     percent);
}

static void finish_document(const char *document_id) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "UPDATE documents SET extraction_status = 'completed' WHERE id = '%s'", document_id);
    sql_say(sql);
    say(document_id, 100, "completed");
}

/* All listeners are told their present state first: then they are live. */
static void listen_to(const char *const *ids, size_t count) {
    ck_assert_int_eq(shared_progress_subscribe_many(client, ids, NULL, count, MANY), SHARED_OK);
    bool told[200] = {false};
    for (size_t i = 0; i < count; i++) {
        const shared_event *event = world_done(client, MANY);
        size_t at = 0;
        while (at < count && strcmp(ids[at], shared_event_document(event)) != 0) at++;
        ck_assert_uint_lt(at, count);
        ck_assert(!told[at]);
        told[at] = true;
    }
}

START_TEST(each_event_says_of_which_document) {
    begin();
    static const char *const ids[] = {"d1", "d2", "d3"};
    listen_to(ids, 3);
    ck_assert_int_eq(say("d2", 10, "extracting"), 1);
    expect(world_done(client, MANY), "d2", 10);
    ck_assert_int_eq(say("d4", 10, "extracting"), 0);
    say("d1", 20, "extracting");
    expect(world_done(client, MANY), "d1", 20);
    for (int i = 0; i < 3; i++) {
        finish_document(ids[i]);
        expect(world_done(client, MANY), ids[i], 100);
    }
    const shared_event *event = world_done(client, MANY);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    ck_assert_int_eq(shared_event_more(event), 0);
    ck_assert_str_eq(shared_event_document(event), "");
    end();
}
END_TEST

START_TEST(one_that_is_not_there_leaves_the_others) {
    begin();
    static const char *const ids[] = {"none", "d1"};
    ck_assert_int_eq(shared_progress_subscribe_many(client, ids, NULL, 2, MANY), SHARED_OK);
    bool absent = false, present = false;
    while (!absent || !present) {
        const shared_event *event = world_wait(client, MANY);
        ck_assert_int_eq(shared_event_more(event), 1);
        if (shared_event_error(event)) {
            ck_assert_str_eq(shared_event_document(event), "none");
            ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ENOTFOUND);
            absent = true;
        } else {
            expect(event, "d1", 0);
            present = true;
        }
    }
    say("d1", 30, "extracting");
    expect(world_done(client, MANY), "d1", 30);
    end();
}
END_TEST

START_TEST(each_goes_on_behind_its_last_id) {
    begin();
    static const char *const ids[] = {"d1", "d2"};
    say("d1", 10, "extracting");
    char last[64];
    snprintf(last, sizeof last, "%s",
             redis_say("EVAL %s 1 progress-log:d1",
                       "return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]"));
    say("d1", 20, "extracting");
    const char *const last_ids[] = {last, NULL};
    ck_assert_int_eq(shared_progress_subscribe_many(client, ids, last_ids, 2, MANY), SHARED_OK);
    for (int i = 0; i < 2; i++) {
        const shared_event *event = world_done(client, MANY);
        bool first = strcmp(shared_event_document(event), "d1") == 0;
        expect(event, first ? "d1" : "d2", first ? 20 : 0);
    }
    end();
}
END_TEST

START_TEST(two_hundred_by_one_tag_until_it_is_cancelled) {
    begin();
    static char texts[200][8];
    const char *ids[200];
    for (int i = 0; i < 200; i++) {
        snprintf(texts[i], sizeof texts[i], "d%d", i + 1);
        ids[i] = texts[i];
    }
    listen_to(ids, 200);
    say("d177", 5, "extracting");
    expect(world_done(client, MANY), "d177", 5);
    ck_assert_int_eq(shared_client_cancel(client, MANY), SHARED_OK);
    const shared_event *event = world_wait(client, MANY);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    ck_assert_int_eq(shared_event_more(event), 0);
    world_until(client, strcmp(redis_say("PUBSUB CHANNELS"), "") == 0);
    end();
}
END_TEST

/* 32 may wait, then only the newest of each document. */
START_TEST(a_slow_reader_gets_the_newest_of_each) {
    begin();
    static const char *const ids[] = {"d1", "d2"};
    listen_to(ids, 2);
    for (int32_t percent = 1; percent <= 60; percent++) {
        say("d1", percent, "extracting");
        say("d2", percent, "extracting");
    }
    say("d3", 1, "extracting");
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    say("d3", 2, "extracting"); /* behind all the others on the same connection */
    world_until(client, client_events_waiting(client, ALL) == 1);
    int32_t waiting = client_events_waiting(client, MANY), last[2] = {0, 0};
    ck_assert_int_le(waiting, 36);
    for (int32_t i = 0; i < waiting; i++) {
        const shared_event *event = world_done(client, MANY);
        int32_t which = shared_event_document(event)[1] - '1';
        int32_t percent =
            (int32_t)shared_record_int(shared_event_record(event, 0), SHARED_PROGRESS_PROGRESS);
        ck_assert_int_gt(percent, last[which]);
        last[which] = percent;
    }
    ck_assert_int_eq(last[0], 60);
    ck_assert_int_eq(last[1], 60);
    end();
}
END_TEST

START_TEST(all_documents_are_heard_from_anybody) {
    begin();
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    ck_assert_int_eq(say("d1", 10, "extracting"), 1);
    expect(world_done(client, ALL), "d1", 10);
    redis_say("PUBLISH progress:d2 %s", "garbage");
    redis_say("PUBLISH progress:d2 %s", "[1]");
    redis_say("PUBLISH other:d2 %s", "{\"progress\": 1}");
    redis_say("PUBLISH progress:* %s", "{\"progress\": 7, \"step\": \"storing\"}");
    expect(world_done(client, ALL), "*", 7);
    finish_document("d3");
    expect(world_done(client, ALL), "d3", 100);
    say("d4", 1, "extracting"); /* it goes on */
    expect(world_done(client, ALL), "d4", 1);
    ck_assert_int_eq(shared_client_cancel(client, ALL), SHARED_OK);
    ck_assert_int_eq(shared_error_code(shared_event_error(world_wait(client, ALL))),
                     SHARED_ECANCELLED);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "0") == 0);
    end();
}
END_TEST

enum { LOG = 3 };

START_TEST(what_is_no_message_is_dropped_and_said_once) {
    static char large[17000];
    begin();
    static const char *const ids[] = {"d1"};
    ck_assert_int_eq(shared_log_capture(client, SHARED_WARNING, LOG), SHARED_OK);
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    listen_to(ids, 1);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    memset(large, 'x', sizeof large - 1);
    const char *const bad[] = {"", "garbage", "[1]", "{\"progress\":1", "\xff", large};
    for (int i = 0; i < 100; i++)
        redis_say("PUBLISH progress:d1 %s", bad[(size_t)i % (sizeof bad / sizeof *bad)]);
    redis_say("PUBLISH progress:d1 %s", "{\"progress\": \"9\", \"step\": 7}");
    expect(world_done(client, MANY), "d1", 0); /* no number: as if it were not there */
    expect(world_done(client, ALL), "d1", 0);
    redis_say("PUBLISH progress:d1 %s", "{\"progress\": 1e9, \"step\": \"storing\"}");
    expect(world_done(client, MANY), "d1", 100);
    expect(world_done(client, ALL), "d1", 100);
    const shared_event *event = world_done(client, LOG);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), "\"logger\":\"shared.progress\""));
    ck_assert_ptr_nonnull(strstr(shared_event_json(event),
                                 "a message about document d1 is dropped: 0 bytes, not a JSON "
                                 "object of at most 16384"));
    world_silence(client, LOG, 0); /* of two hundred */
    end();
}
END_TEST

START_TEST(who_hears_all_and_one_hears_each_once) {
    begin();
    static const char *const ids[] = {"d1"};
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    listen_to(ids, 1);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    for (int32_t percent = 1; percent <= 5; percent++) {
        say("d1", percent, "extracting");
        expect(world_done(client, MANY), "d1", percent);
        expect(world_done(client, ALL), "d1", percent);
    }
    redis_say("CLIENT KILL TYPE pubsub");
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    world_until(client, strcmp(redis_say("PUBSUB CHANNELS"), "progress:d1") == 0);
    say("d1", 6, "extracting");
    expect(world_done(client, MANY), "d1", 6);
    expect(world_done(client, ALL), "d1", 6);
    end();
}
END_TEST

START_TEST(a_slow_reader_of_all_is_bounded) {
    begin();
    static const char *const ids[] = {"d1"};
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    listen_to(ids, 1);
    world_until(client, strcmp(redis_say("PUBSUB NUMPAT"), "1") == 0);
    redis_say("EVAL %s 0", "for i = 1, 1500 do redis.call('PUBLISH', 'progress:x' .. i, "
                           "'{\"progress\":1}') end "
                           "redis.call('PUBLISH', 'progress:x7', '{\"progress\":99}') "
                           "redis.call('PUBLISH', 'progress:d1', '{\"progress\":2}')");
    expect(world_done(client, MANY), "d1", 2); /* the last one: all others have been heard */
    ck_assert_int_eq(client_events_waiting(client, ALL), 1000);
    ck_assert_int_eq(shared_progress_subscribe_all(client, 3),
                     SHARED_OK); /* hears what is behind */
    redis_say("PUBLISH progress:x8 %s", "{\"progress\":50}");
    expect(world_done(client, 3), "x8", 50);
    for (int i = 1; i <= 1000; i++) {
        char id[8];
        snprintf(id, sizeof id, "x%d", i);
        expect(world_done(client, ALL), id, i == 7 ? 99 : i == 8 ? 50 : 1);
    }
    say("d1", 3, "extracting");
    expect(world_done(client, ALL), "d1", 3);
    end();
}
END_TEST

/* In the order of the log, whoever speaks: none twice, never back within the run. */
START_TEST(two_publishers_are_one_story) {
    begin();
    shared_client *speakers[] = {speaker, world_client("PROGRESS_RATE", "1000", NULL)};
    static const char *const ids[] = {"d1"};
    listen_to(ids, 1);
    char last[64] = "0-0";
    for (int32_t i = 1; i <= 40; i++) {
        shared_client *from = speakers[i % 2];
        ck_assert_int_eq(shared_progress_publish(from, "d1", i, "extracting", "m", SAY), SHARED_OK);
        world_done(from, SAY);
        const shared_event *event = world_done(client, MANY);
        expect(event, "d1", i);
        char id[64];
        snprintf(id, sizeof id, "%s", shared_event_id(event));
        unsigned long long ms[2], number[2];
        ck_assert_int_eq(sscanf(last, "%llu-%llu", &ms[0], &number[0]), 2);
        ck_assert_int_eq(sscanf(id, "%llu-%llu", &ms[1], &number[1]), 2);
        ck_assert(ms[1] > ms[0] || (ms[1] == ms[0] && number[1] > number[0]));
        memcpy(last, id, sizeof last);
    }
    shared_client_free(speakers[1]);
    end();
}
END_TEST

static void must_refuse(shared_status status, const char *text) {
    ck_assert_int_eq(status, SHARED_EINVALID);
    ck_assert_msg(strstr(shared_error_message(shared_error_last()), text) != NULL, "%s, not %s",
                  shared_error_message(shared_error_last()), text);
}

START_TEST(bad_arguments_are_refused) {
    begin();
    static const char *const twice[] = {"d1", "d2", "d1"}, *const empty[] = {"d1", ""};
    must_refuse(shared_progress_subscribe_many(client, twice, NULL, 3, MANY), "d1: twice");
    must_refuse(shared_progress_subscribe_many(client, empty, NULL, 2, MANY), "document_id: empty");
    must_refuse(shared_progress_subscribe_many(client, twice, NULL, 0, MANY), "from 1 to 200");
    must_refuse(shared_progress_subscribe_many(client, twice, NULL, 201, MANY),
                "count: 201 documents, from 1 to 200");
    must_refuse(shared_progress_subscribe_many(client, NULL, NULL, 1, MANY), "document_ids: NULL");
    must_refuse(shared_progress_subscribe_many(client, twice, NULL, 2, 0), "tag: 0");
    must_refuse(shared_progress_subscribe_all(client, 0), "tag: 0");
    ck_assert_str_eq(shared_event_document(NULL), "");
    ck_assert_int_eq(shared_progress_subscribe_all(client, ALL), SHARED_OK);
    must_refuse(shared_progress_subscribe_many(client, twice, NULL, 2, ALL), "tag");
    end(); /* with both still listening */
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_event_says_of_which_document,
        one_that_is_not_there_leaves_the_others,
        each_goes_on_behind_its_last_id,
        two_hundred_by_one_tag_until_it_is_cancelled,
        a_slow_reader_gets_the_newest_of_each,
        all_documents_are_heard_from_anybody,
        who_hears_all_and_one_hears_each_once,
        a_slow_reader_of_all_is_bounded,
        two_publishers_are_one_story,
        what_is_no_message_is_dropped_and_said_once,
        bad_arguments_are_refused,
    };
    return unit_run("many", tests, sizeof tests / sizeof *tests);
}
