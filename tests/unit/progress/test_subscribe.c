/* SPDX-License-Identifier: MIT
 * test_subscribe.c - what a listener hears: first, live, after a break, at the end; never a gap, never a
 * duplicate, never silence.
 */
#include "database.h"
#include "net/client.h"

enum { WATCH = 1, SAY = 1000 };

static shared_client *client, *speaker;

static void begin(const char *status) {
    char sql[200];
    world_begin();
    database_begin();
    snprintf(sql, sizeof sql,
             "INSERT INTO documents (id, file_name, extraction_status) VALUES ('d1', 'f', '%s')",
             status);
    sql_say(sql);
    client = world_client(NULL, NULL);
    speaker = world_client("PROGRESS_RATE", "1000", NULL);
}

static void end(void) {
    shared_client_free(client);
    shared_client_free(speaker);
}

static void set_status(const char *status) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "UPDATE documents SET extraction_status = '%s', updated_at = clock_timestamp()",
             status);
    sql_say(sql);
}

/* Publishes, and gives the id of the log's entry. */
static const char *say(int32_t percent, const char *step) {
    static char ids[8][48];
    static int turn;
    char *id = ids[turn++ % 8];
    ck_assert_int_eq(shared_progress_publish(speaker, "d1", percent, step, "m", SAY), SHARED_OK);
    world_done(speaker, SAY);
    snprintf(id, sizeof ids[0], "%s",
             redis_say("EVAL %s 1 progress-log:d1",
                       "return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]"));
    return id;
}

static void watch(const char *last_event_id, uint64_t tag) {
    ck_assert_int_eq(shared_progress_subscribe(client, "d1", last_event_id, tag), SHARED_OK);
}

/* The next message; its text begins with {"progress":PERCENT,"step":"STEP". */
static const shared_event *expect(uint64_t tag, int32_t percent, const char *step) {
    char wanted[80];
    const shared_event *event = world_done(client, tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_PROGRESS);
    ck_assert_int_eq(shared_event_more(event), 1);
    snprintf(wanted, sizeof wanted, "{\"progress\":%d,\"step\":\"%s\"", percent, step);
    ck_assert_msg(strncmp(shared_event_json(event), wanted, strlen(wanted)) == 0, "%s, not %s",
                  shared_event_json(event), wanted);
    shared_record *record = shared_event_record(event, 0);
    ck_assert_int_eq(shared_record_int(record, SHARED_PROGRESS_PROGRESS), percent);
    ck_assert_str_eq(shared_record_text(record, SHARED_PROGRESS_STEP), step);
    return event;
}

static void expect_id(const shared_event *event, const char *id) {
    char member[80];
    ck_assert_str_eq(shared_event_id(event), id);
    snprintf(member, sizeof member, "\"id\":\"%s\"", id);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), member));
}

static void expect_end(uint64_t tag) {
    const shared_event *event = world_done(client, tag);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_DONE);
    ck_assert_int_eq(shared_event_more(event), 0);
}

static bool is_subscribed(void) {
    return strcmp(redis_say("PUBSUB NUMSUB progress:d1"), "progress:d1 1") == 0;
}

/* --- first ------------------------------------------------------------------------------------------ */

START_TEST(without_a_log_the_row_speaks) {
    static const struct {
        const char *status, *step;
        int32_t percent;
        bool final;
    } rows[] = {{"pending", "starting", 0, false},
                {"processing", "extracting", 0, false},
                {"completed", "completed", 100, true},
                {"failed", "failed", 100, true}};
    begin("pending");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_status(rows[i].status);
        watch(NULL, WATCH);
        const shared_event *event = expect(WATCH, rows[i].percent, rows[i].step);
        ck_assert_int_eq(strstr(shared_event_json(event), "\"final\":true") != NULL, rows[i].final);
        ck_assert_ptr_null(strstr(shared_event_json(event), "replayed"));
        char id[64];
        snprintf(id, sizeof id, "%s", shared_event_id(event));
        ck_assert_int_eq(strncmp(id, "0-", 2), 0);
        if (rows[i].final) {
            expect_end(WATCH);
            watch(id, WATCH); /* it has seen the end */
            expect_end(WATCH);
        } else {
            world_silence(client, WATCH, 20);
            ck_assert_int_eq(shared_client_cancel(client, WATCH), SHARED_OK);
            world_wait(client, WATCH);
            watch(id, WATCH); /* it has seen this state */
            world_silence(client, WATCH, 50);
            ck_assert_int_eq(shared_client_cancel(client, WATCH), SHARED_OK);
            world_wait(client, WATCH);
        }
    }
    end();
}
END_TEST

START_TEST(a_failed_row_says_why_and_pages_count) {
    begin("processing");
    sql_say("UPDATE documents SET page_count = 10");
    sql_say(
        "INSERT INTO document_pages (document_id, page, text, source) SELECT 'd1', p, 't', 'text' "
        "FROM generate_series(1, 5) AS p");
    watch(NULL, WATCH);
    const shared_event *event = expect(WATCH, 44, "extracting");
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), "Extracted text from page 5 of 10"));
    ck_assert_int_eq(shared_client_cancel(client, WATCH), SHARED_OK);
    world_wait(client, WATCH);
    sql_say("UPDATE documents SET extraction_status = 'failed', error = 'It is \"damaged\".'");
    watch(NULL, WATCH);
    event = expect(WATCH, 100, "failed");
    ck_assert_ptr_nonnull(
        strstr(shared_event_json(event), "\"message\":\"It is \\\"damaged\\\".\""));
    expect_end(WATCH);
    end();
}
END_TEST

START_TEST(the_last_known_state_comes_first) {
    begin("processing");
    say(0, "starting");
    char id[48];
    snprintf(id, sizeof id, "%s", say(30, "extracting"));
    watch(NULL, WATCH);
    expect_id(expect(WATCH, 30, "extracting"), id);
    const char *next = say(31, "extracting");
    expect_id(expect(WATCH, 31, "extracting"), next);
    end();
}
END_TEST

START_TEST(what_came_after_an_id_is_replayed) {
    begin("processing");
    char ids[4][48];
    for (int i = 0; i < 4; i++)
        snprintf(ids[i], sizeof ids[i], "%s", say(i, i ? "extracting" : "starting"));
    watch(ids[1], WATCH);
    expect_id(expect(WATCH, 2, "extracting"), ids[2]);
    expect_id(expect(WATCH, 3, "extracting"), ids[3]);
    world_silence(client, WATCH, 20);
    const char *next = say(4, "extracting");
    expect_id(expect(WATCH, 4, "extracting"), next);
    watch(next, WATCH + 1); /* nothing is new */
    world_silence(client, WATCH + 1, 50);
    end();
}
END_TEST

START_TEST(a_long_replay_is_whole) {
    enum { COUNT = 500 };
    begin("processing");
    char first[48];
    snprintf(first, sizeof first, "%s", say(0, "starting"));
    for (int i = 1; i <= COUNT; i++) say(i * 99 / COUNT, i % 2 ? "extracting" : "storing");
    watch(first, WATCH);
    for (int i = 1; i <= COUNT; i++)
        expect(WATCH, i * 99 / COUNT, i % 2 ? "extracting" : "storing");
    end();
}
END_TEST

START_TEST(an_id_that_nobody_knows_gets_the_present_state) {
    static const char *const ids[] = {"1-1",   "99999999999999-0",       "0-0", "abc",
                                      "1-1\n", "18446744073709551616-0", "",    "5"};
    begin("processing");
    char id[48];
    snprintf(id, sizeof id, "%s", say(30, "extracting"));
    for (uint64_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        watch(ids[i], WATCH + i);
        const shared_event *event = expect(WATCH + i, 30, "extracting");
        expect_id(event, id);
        ck_assert_ptr_nonnull(strstr(shared_event_json(event), ",\"replayed\":false}"));
    }
    redis_say("DEL progress-log:d1"); /* Redis has lost it */
    watch(id, WATCH + 100);
    const shared_event *event = expect(WATCH + 100, 0, "extracting");
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), ",\"replayed\":false}"));
    end();
}
END_TEST

START_TEST(there_is_no_such_document) {
    begin("pending");
    ck_assert_int_eq(shared_progress_subscribe(client, "nobody", NULL, WATCH), SHARED_OK);
    const shared_event *event = world_wait(client, WATCH);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ENOTFOUND);
    ck_assert_int_eq(shared_event_more(event), 0);
    say(10, "extracting");
    sql_say("DELETE FROM documents");
    watch(NULL, WATCH); /* a log may outlive its document */
    event = world_wait(client, WATCH);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ENOTFOUND);
    world_until(client, strcmp(redis_say("PUBSUB CHANNELS"), "") == 0);
    end();
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------------- */

START_TEST(after_the_last_message_it_ends) {
    begin("processing");
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_until(client, is_subscribed());
    set_status("completed");
    char id[48];
    snprintf(id, sizeof id, "%s", say(100, "completed"));
    const shared_event *event = expect(WATCH, 100, "completed");
    expect_id(event, id);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), "\"final\":true"));
    expect_end(WATCH);
    world_until(client, strcmp(redis_say("PUBSUB CHANNELS"), "") == 0);
    watch(id, WATCH); /* who comes back with the last id gets nothing but the end */
    expect_end(WATCH);
    watch(NULL, WATCH);
    expect_id(expect(WATCH, 100, "completed"), id);
    expect_end(WATCH);
    end();
}
END_TEST

START_TEST(a_run_again_is_not_over) {
    begin("completed");
    say(0, "starting");
    char old[48];
    snprintf(old, sizeof old, "%s", say(100, "completed"));
    set_status("pending");
    watch(old, WATCH);
    expect(WATCH, 0, "starting");
    watch(NULL, WATCH + 1);
    expect(WATCH + 1, 0, "starting");
    set_status("processing");
    say(0, "starting");
    expect(WATCH, 0, "starting");
    say(50, "extracting");
    expect(WATCH, 50, "extracting");
    watch(old, WATCH + 2); /* what came after the old end */
    expect(WATCH + 2, 0, "starting");
    expect(WATCH + 2, 50, "extracting");
    end();
}
END_TEST

START_TEST(an_old_end_in_the_middle_is_skipped) {
    begin("processing");
    char first[48];
    snprintf(first, sizeof first, "%s", say(0, "starting"));
    say(100, "failed");
    say(0, "starting");
    say(7, "extracting");
    watch(first, WATCH);
    expect(WATCH, 0, "starting");
    expect(WATCH, 7, "extracting");
    world_silence(client, WATCH, 20);
    end();
}
END_TEST

START_TEST(an_end_that_was_never_published_is_told_from_the_row) {
    begin("processing");
    char id[64];
    snprintf(id, sizeof id, "%s", say(40, "extracting"));
    set_status("completed");
    watch(id, WATCH);
    const shared_event *event = expect(WATCH, 100, "completed");
    snprintf(id, sizeof id, "%s", shared_event_id(event));
    expect_end(WATCH);
    watch(id, WATCH);
    expect_end(WATCH);
    end();
}
END_TEST

/* --- live ------------------------------------------------------------------------------------------------ */

START_TEST(many_listen_over_one_connection) {
    enum { COUNT = 50 };
    begin("processing");
    for (uint64_t i = 0; i < COUNT; i++) watch(NULL, WATCH + i);
    for (uint64_t i = 0; i < COUNT; i++) expect(WATCH + i, 0, "extracting");
    say(10, "extracting");
    for (uint64_t i = 0; i < COUNT; i++) expect(WATCH + i, 10, "extracting");
    ck_assert_str_eq(redis_say("PUBSUB NUMSUB progress:d1"), "progress:d1 1");
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(shared_client_cancel(client, WATCH + i), SHARED_OK);
        const shared_event *event = world_wait(client, WATCH + i);
        ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    }
    world_until(client, strcmp(redis_say("PUBSUB CHANNELS"), "") == 0);
    end();
}
END_TEST

START_TEST(python_is_heard) {
    begin("processing");
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_until(client, is_subscribed());
    static const char text[] =
        "{\"progress\": 45, \"step\": \"extracting\", \"message\": \"page 5\"}";
    redis_say("PUBLISH progress:d1 %s", text);
    const shared_event *event = world_done(client, WATCH);
    ck_assert_str_eq(shared_event_json(event), text);
    ck_assert_str_eq(shared_event_id(event), "");
    redis_say("PUBLISH progress:d1 %s", "no JSON");
    redis_say("PUBLISH progress:d1 %s", "[1]");
    redis_say("PUBLISH progress:d1 %s",
              "{\"progress\": 100, \"step\": \"completed\", \"message\": \"Done!\"}");
    world_done(client, WATCH);
    expect_end(WATCH);
    end();
}
END_TEST

/* The newest event that waits to be taken tells of this percentage. */
static bool newest_is(int percent) {
    char wanted[32];
    const struct shared_event *event = client_event_last(client, WATCH);
    (void)snprintf(wanted, sizeof wanted, "\"progress\":%d,", percent);
    return event && event->json && strstr(event->json, wanted) != NULL;
}

START_TEST(a_slow_reader_gets_the_newest_state) {
    enum { COUNT = 90 };
    begin("processing");
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_until(client, is_subscribed());
    for (int i = 1; i <= COUNT; i++) say(i, "extracting");
    world_until(client, newest_is(COUNT)); /* all came, and the reader has taken none */
    int64_t last = 0, events = 0;
    while (last < COUNT) {
        const shared_event *event = world_done(client, WATCH);
        int64_t percent =
            shared_record_int(shared_event_record(event, 0), SHARED_PROGRESS_PROGRESS);
        ck_assert_int_gt(percent, last);
        last = percent;
        events++;
    }
    ck_assert_int_le(events, COUNT / 2);
    say(100, "completed");
    expect(WATCH, 100, "completed");
    expect_end(WATCH);
    end();
}
END_TEST

START_TEST(a_cut_connection_leaves_no_gap) {
    begin("processing");
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_until(client, is_subscribed());
    for (int i = 1; i < 20; i++) {
        say(i * 2, "extracting");
        redis_say("CLIENT KILL TYPE pubsub");
        say(i * 2 + 1, "extracting");
        expect(WATCH, i * 2, "extracting");
        expect(WATCH, i * 2 + 1, "extracting");
    }
    redis_say("CLIENT KILL TYPE pubsub");
    set_status("completed");
    say(100, "completed");
    expect(WATCH, 100, "completed");
    expect_end(WATCH);
    end();
}
END_TEST

START_TEST(an_end_that_the_row_did_not_confirm_is_told_later) {
    begin("processing");
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_until(client, is_subscribed());
    redis_say("XADD progress-log:d1 * d %s",
              "{\"progress\":100,\"step\":\"completed\",\"message\":\"m\",\"final\":true}");
    redis_say("CLIENT KILL TYPE pubsub");
    expect(WATCH, 0, "extracting"); /* the row is not final: the log's end is not believed */
    set_status("completed");
    redis_say("CLIENT KILL TYPE pubsub");
    expect(WATCH, 100, "completed");
    expect_end(WATCH);
    end();
}
END_TEST

START_TEST(a_listener_survives_the_loss_of_all_logs) {
    begin("processing");
    say(10, "extracting");
    watch(NULL, WATCH);
    expect(WATCH, 10, "extracting");
    redis_say("FLUSHALL");
    redis_say("CLIENT KILL TYPE pubsub");
    world_until(client, is_subscribed());
    world_silence(client, WATCH,
                  50); /* the row knows less than was heard: the bar must not go back */
    say(11, "extracting");
    expect(WATCH, 11, "extracting");
    end();
}
END_TEST

/* What a viewer sees, however often it is cut, is the log from where it began. */
START_TEST(what_is_seen_is_the_log) {
    enum { COUNT = 400 };
    begin("processing");
    say(0, "starting");
    watch(NULL, WATCH);
    expect(WATCH, 0, "starting");
    int32_t said = 0, seen = 0;
    char last[64] = "";
    uint64_t seed = 12345;
    while (seen < COUNT) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t chance = seed >> 60;
        if (chance < 6 && said < COUNT && said - seen < 6) {
            char text[32];
            snprintf(text, sizeof text, "%d", ++said);
            /* The message's number: percent is too coarse. */
            ck_assert_int_eq(shared_progress_publish(speaker, "d1", 50,
                                                     said % 2 ? "storing" : "chunking", text, 0),
                             SHARED_OK);
            shared_client_dispatch(speaker, 0);
        } else if (chance == 6) {
            redis_say("CLIENT KILL TYPE pubsub");
        } else if (chance == 7 && *last) {
            shared_client_cancel(client, WATCH);
            for (const shared_event *event; (event = shared_client_next(client));) {
                if (shared_event_more(event)) {
                    ck_assert_int_eq(atoi(shared_record_text(shared_event_record(event, 0),
                                                             SHARED_PROGRESS_MESSAGE)),
                                     ++seen);
                    snprintf(last, sizeof last, "%s", shared_event_id(event));
                }
            }
            watch(last, WATCH);
        } else {
            shared_client_dispatch(speaker, 0);
            shared_client_dispatch(client, 1);
            const shared_event *event = shared_client_next(client);
            if (!event) continue;
            ck_assert_msg(shared_event_error(event) == NULL, "%s",
                          shared_error_message(shared_event_error(event)));
            ck_assert_msg(atoi(shared_record_text(shared_event_record(event, 0),
                                                  SHARED_PROGRESS_MESSAGE)) == seen + 1,
                          "after %d: %s", seen, shared_event_json(event));
            seen++;
            snprintf(last, sizeof last, "%s", shared_event_id(event));
        }
    }
    end();
}
END_TEST

/* --- servers that are away -------------------------------------------------------------------------------- */

START_TEST(without_redis_the_row_speaks) {
    begin("processing");
    shared_client_free(client);
    client = world_client("REDIS_URL", "redis://127.0.0.1:1", "CONNECT_TIMEOUT_MS", "200", NULL);
    watch(NULL, WATCH);
    expect(WATCH, 0, "extracting");
    world_silence(client, WATCH, 100);
    set_status("completed");
    watch(NULL, WATCH + 1);
    expect(WATCH + 1, 100, "completed");
    expect_end(WATCH + 1);
    end();
}
END_TEST

START_TEST(without_postgresql_it_is_an_error) {
    begin("processing");
    shared_client_free(client);
    client = world_client("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", NULL);
    watch(NULL, WATCH);
    const shared_event *event = world_wait(client, WATCH);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    ck_assert_int_eq(shared_event_more(event), 0);
    end();
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    begin("processing");
    ck_assert_int_eq(shared_progress_subscribe(client, NULL, NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_progress_subscribe(client, "", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_progress_subscribe(client, "\xff", NULL, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_progress_subscribe(client, "d1", NULL, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_progress_subscribe(NULL, "d1", NULL, 1), SHARED_EINVALID);
    watch(NULL, WATCH);
    ck_assert_int_eq(shared_progress_subscribe(client, "d1", NULL, WATCH), SHARED_EINVALID);
    expect(WATCH, 0, "extracting");
    end();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        without_a_log_the_row_speaks,
        a_failed_row_says_why_and_pages_count,
        the_last_known_state_comes_first,
        what_came_after_an_id_is_replayed,
        a_long_replay_is_whole,
        an_id_that_nobody_knows_gets_the_present_state,
        there_is_no_such_document,
        after_the_last_message_it_ends,
        a_run_again_is_not_over,
        an_old_end_in_the_middle_is_skipped,
        an_end_that_was_never_published_is_told_from_the_row,
        many_listen_over_one_connection,
        python_is_heard,
        a_slow_reader_gets_the_newest_state,
        a_cut_connection_leaves_no_gap,
        an_end_that_the_row_did_not_confirm_is_told_later,
        a_listener_survives_the_loss_of_all_logs,
        what_is_seen_is_the_log,
        without_redis_the_row_speaks,
        without_postgresql_it_is_an_error,
        bad_arguments_are_refused,
    };
    return unit_run("subscribe", tests, sizeof tests / sizeof *tests);
}
