/* SPDX-License-Identifier: MIT
 * test_memory.c - the n-th allocation fails, for every n: a listener hears, or is told that it does not; and
 * afterwards the same client speaks and listens as ever.
 */
#include "database.h"
#include "scarce.h"

enum { WATCH = 1, ALL = 3, SAY };

static shared_client *client;

/* Takes what comes of the watch until its end, or until memory ran out and it is cancelled. */
static void watch_out(void) {
    const shared_event *event = NULL;
    for (int turns = 0; turns < 2000; turns++) {
        (void)shared_client_wait(client, WATCH, 5, &event);
        if (event && !shared_event_more(event)) break;
        if (scarce_fired && turns > 4) (void)shared_client_cancel(client, WATCH);
        event = NULL;
    }
    scarce_expect(event != NULL, "a watch without an end");
    const shared_error *error = shared_event_error(event);
    scarce_expect(!error || (scarce_fired && shared_error_class(error) == SHARED_RETRYABLE),
                  "a watch that ended badly");
}

static void say(int32_t percent, const char *step) {
    (void)scarce_ends(client, shared_progress_publish(client, "d1", percent, step, "m", SAY), SAY);
}

static void speak_and_listen(void) {
    bool watching = scarce_accepted(shared_progress_subscribe(client, "d1", NULL, WATCH));
    say(0, "starting");
    say(10, "extracting");
    say(20, "extracting");
    say(100, "completed");
    if (watching) watch_out();
}

static void resume(void) {
    if (scarce_accepted(shared_progress_subscribe(client, "d1", "1-1", WATCH))) watch_out();
}

static void listen_to_many(void) {
    static const char *const ids[] = {"d1", "d2"};
    bool many = scarce_accepted(shared_progress_subscribe_many(client, ids, NULL, 2, WATCH));
    bool all = scarce_accepted(shared_progress_subscribe_all(client, ALL));
    say(0, "starting");
    say(100, "completed");
    if (many) (void)shared_client_cancel(client, WATCH);
    if (all) (void)shared_client_cancel(client, ALL);
    for (int i = 0; i < 2; i++) {
        const shared_event *event = NULL;
        if (!(i ? all : many)) continue;
        do {
            (void)shared_client_wait(client, i ? ALL : WATCH, PATIENCE_MS, &event);
            scarce_expect(event != NULL, "a listener without an end");
        } while (shared_event_more(event));
    }
}

static void recover_many(void) {
    while (shared_client_next(client)) continue;
    redis_say("FLUSHALL");
    listen_to_many();
}

static void recover_live(void) {
    while (shared_client_next(client)) continue;
    redis_say("FLUSHALL");
    speak_and_listen();
    redis_say("FLUSHALL");
}

/* A log with an end, and a row that says so too: resuming replays and ends. */
static void recover_log(void) {
    while (shared_client_next(client)) continue;
    redis_say("DEL progress-log:d1");
    redis_say("XADD progress-log:d1 1-1 d %s", "{\"progress\":1,\"step\":\"starting\"}");
    redis_say("XADD progress-log:d1 1-2 d %s", "{\"progress\":2,\"step\":\"storing\"}");
    redis_say("XADD progress-log:d1 1-3 d %s", "{\"progress\":100,\"step\":\"completed\"}");
    resume();
}

static void begin(const char *status) {
    char sql[200];
    world_begin();
    database_begin();
    snprintf(sql, sizeof sql,
             "INSERT INTO documents (id, file_name, extraction_status) VALUES ('d1', 'f', '%s')",
             status);
    sql_say(sql);
    client = world_client("RECONNECT_MS_MAX", "10", "PROGRESS_RATE", "1000", NULL);
}

START_TEST(speaking_and_listening_survive_every_failed_allocation) {
    begin("processing");
    recover_live();
    scarce_torture(speak_and_listen, recover_live);
    shared_client_free(client);
}
END_TEST

START_TEST(resuming_survives_every_failed_allocation) {
    begin("completed");
    recover_log();
    scarce_torture(resume, recover_log);
    shared_client_free(client);
}
END_TEST

START_TEST(many_and_all_survive_every_failed_allocation) {
    begin("processing");
    sql_say("INSERT INTO documents (id, file_name) VALUES ('d2', 'f')");
    recover_many();
    scarce_torture(listen_to_many, recover_many);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {speaking_and_listening_survive_every_failed_allocation,
                                  resuming_survives_every_failed_allocation,
                                  many_and_all_survive_every_failed_allocation};
    return unit_run("progress_memory", tests, sizeof tests / sizeof *tests);
}
