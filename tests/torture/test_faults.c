/* SPDX-License-Identifier: MIT
 * test_faults.c - whole lives of a client, from its birth over a get, a commit, a migration, progress or a
 * task to its end, with the n-th system call or allocation of anybody (libpq and hiredis too) failing, for
 * every n; and all bytes one at a time. Every accepted request ends in time with an error of the right
 * class; what was said to be stored is; and the same client works afterwards. The lives run side by side,
 * each in a process with databases of its own.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"
#include "fault.h"

enum {
    WAIT_MS = 20000,
    RUNS_MAX = 20000,
    TRIES_MAX = 1000,
    TAGS = 30,
    TURN_MS = 5,
    TURNS_CLAIMED = 4, /* for the answer to a claim */
    TURNS_FAULTY = 20,
    TURNS_MAX = 4000
};

static const shared_config *life_config;
static shared_client *client;
static shared_session *session;
static bool committed, unknown; /* what the commit said */
static bool mending;            /* the pause after a failed connect may still be running */
static bool stays_away;         /* what failed does so for ever */
static bool harmless;           /* faults make it slow, and nothing else */

/* check allocates, so within a life nothing is asserted: the first thing that does not hold is kept. */
static const char *broken;
static char broken_message[512];
static char point[128]; /* which fault */

static bool expect(bool holds, const char *what) {
    if (holds || broken) return holds;
    broken = what;
    snprintf(broken_message, sizeof broken_message, "%s",
             shared_error_message(shared_error_last()));
    return false;
}

static bool passes(const shared_error *error) {
    int32_t code = shared_error_code(error);
    unknown |= code == SHARED_EUNKNOWN;
    return code == SHARED_EUNKNOWN || shared_error_class(error) == SHARED_RETRYABLE;
}

static bool may_fail(void) {
    return fault_fired() || mending;
}

static bool accepted(shared_status status) {
    expect(status >= 0 || (may_fail() && passes(shared_error_last())), "refused");
    return status >= 0;
}

/* The last event of a request; whether it went well. */
static bool ends(shared_status status, uint64_t tag) {
    const shared_event *event = NULL;
    if (!accepted(status)) return false;
    do (void)shared_client_wait(client, tag, WAIT_MS, &event);
    while (shared_event_more(event));
    if (!expect(event != NULL, "a request without an end")) return false;
    const shared_error *error = shared_event_error(event);
    expect(!error || may_fail(), "a failure without a fault");
    expect(!error || passes(error), "a failure for good");
    return !error;
}

/* --- lives ----------------------------------------------------------------------------------------------- */

static bool work_with_rows(void) {
    shared_record *record = NULL;
    shared_query *query = NULL;
    bool good = ends(shared_session_get(session, SHARED_DOCUMENT, "kept", 1), 1);
    shared_status status = shared_record_new(SHARED_DOCUMENT, &record);
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_ID, "new", 3);
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1);
    if (status >= 0) status = shared_session_add(session, record);
    if (status >= 0) status = shared_session_enqueue(session, "t", "[]", "new");
    shared_record_unref(record);
    if (accepted(status)) {
        committed = ends(shared_session_commit(session, 2), 2);
        good &= committed;
    } else {
        good = false;
    }
    if (!accepted(shared_query_new(SHARED_DOCUMENT, "id <> 'x'", &query))) return false;
    good &= ends(shared_session_query(session, query, 3), 3);
    shared_query_free(query);
    return good;
}

static bool transact(void) {
    shared_query *query = NULL;
    if (!accepted(shared_session_begin(session, SHARED_REPEATABLE_READ, 0))) return false;
    if (!accepted(shared_query_new(0, "UPDATE documents SET attempt = attempt + 1", &query)))
        return false;
    shared_status status = shared_session_query(session, query, 1);
    shared_query_free(query);
    bool good = ends(status, 1);
    return ends(shared_session_commit(session, 2), 2) && good;
}

static bool migrate(void) {
    bool good = ends(shared_migrate_current(client, NULL, 1), 1);
    return ends(shared_migrate_upgrade(client, NULL, "head", 2), 2) && good;
}

static bool say(int32_t percent, const char *step) {
    return ends(shared_progress_publish(client, "kept", percent, step, "m", 4), 4);
}

/* What goes on until it is cancelled, or has ended already. */
static void stop(uint64_t tag) {
    const shared_event *event = NULL;
    (void)shared_client_cancel(client, tag);
    do (void)shared_client_wait(client, tag, WAIT_MS, &event);
    while (shared_event_more(event));
    if (!expect(event != NULL, "a request without an end")) return;
    const shared_error *error = shared_event_error(event);
    bool cancelled = shared_error_code(error) == SHARED_ECANCELLED;
    expect(!error || cancelled || (may_fail() && passes(error)), "a watch that ended badly");
}

static bool complete(void) {
    shared_query *query = NULL;
    shared_status status =
        shared_query_new(0, "UPDATE documents SET extraction_status = 'completed'", &query);
    if (status >= 0) status = shared_session_query(session, query, 0);
    shared_query_free(query);
    return accepted(status) && ends(shared_session_commit(session, 3), 3);
}

/* A watch ends with the final message; without one it is stopped. */
static bool speak_and_listen(void) {
    const shared_event *event = NULL;
    bool watching = accepted(shared_progress_subscribe(client, "kept", NULL, 5));
    bool good = say(0, "starting");
    good &= say(50, "extracting");
    good &= complete(); /* a listener that came late believes the row */
    good &= say(100, "completed");
    if (!watching) return false;
    if (!good) return stop(5), false;
    do (void)shared_client_wait(client, 5, WAIT_MS, &event);
    while (shared_event_more(event));
    if (!expect(event != NULL, "a watch without an end")) return false;
    const shared_error *error = shared_event_error(event);
    expect(!error || (may_fail() && passes(error)), "a watch that ended badly");
    return !error;
}

/* Then its answer is there with the next turns, or was lost. */
static bool is_claimed(void) {
    fault_disarm();
    bool empty = *redis_say("LLEN celery") == '0';
    fault_resume();
    return empty;
}

static const shared_event *task_event(void) {
    const shared_event *event = NULL;
    int claimed = 0;
    for (int turns = 0; !event && turns < TURNS_MAX; turns++) {
        (void)shared_client_wait(client, 7, TURN_MS, &event);
        if (event || harmless || !may_fail()) continue;
        if (turns > (stays_away ? TURNS_CLAIMED : TURNS_FAULTY)) break;
        if (is_claimed() && ++claimed == TURNS_CLAIMED) break;
    }
    return event;
}

/* What was done is told again until its lease ends; so memory that stays away comes back before that. */
static bool succeeds(shared_task *task) {
    shared_status status = shared_task_succeed(task, "1", 8);
    for (int turns = 0; stays_away && turns < TURNS_CLAIMED; turns++)
        (void)shared_client_dispatch(client, TURN_MS);
    if (stays_away) fault_disarm();
    return ends(status, 8);
}

/* After a failure one of before may come first, given back when its consumer was stopped. */
static bool task_take(const char *id) {
    bool last, good, other;
    do {
        const shared_event *event = task_event();
        shared_task *task = shared_task_ref(shared_event_task(event));
        last = event && !shared_event_more(event);
        other = task && strcmp(shared_task_id(task), id) != 0;
        good = task && succeeds(task);
        expect(task || may_fail(), "no task");
        shared_task_unref(task);
    } while (good && other && !last);
    if (!last) stop(7);
    return good && !other && !last;
}

/* A task's claim may have been lost with its answer: then it comes again when its lease is over. */
static bool go_round(void) {
    char id[64] = "";
    const shared_event *event = NULL;
    if (!accepted(shared_queue_send(client, NULL, "t", "[1]", "k", 6))) return false;
    (void)shared_client_wait(client, 6, WAIT_MS, &event);
    if (!expect(event != NULL, "a request without an end")) return false;
    const shared_error *error = shared_event_error(event);
    expect(!error || (may_fail() && passes(error)), "a failure for good");
    if (error) return false;
    snprintf(id, sizeof id, "%s", shared_event_id(event));
    if (!accepted(shared_queue_consume(client, NULL, 1, 7))) return false;
    if (!task_take(id)) return false;
    bool good = ends(shared_queue_result(client, id, WAIT_MS, 9), 9);
    return ends(shared_queue_stats(client, NULL, 10), 10) && good;
}

static const struct life {
    const char *name;
    bool (*steps)(void);
    bool for_ever; /* memory may stay away too */
} lives[] = {{"rows", work_with_rows, .for_ever = true},
             {"transaction", transact, .for_ever = false},
             {"migration", migrate, .for_ever = false},
             {"progress", speak_and_listen, .for_ever = false},
             {"task", go_round, .for_ever = true}};
enum { LIVES = sizeof lives / sizeof *lives };

/* --- one life, and the same client after it ----------------------------------------------------------------- */

static void servers_reset(void) {
    redis_say("FLUSHDB");
    sql_say("DELETE FROM task_outbox; DELETE FROM documents;"
            "INSERT INTO documents (id, file_name, extraction_status) "
            "VALUES ('kept', 'f', 'processing')");
}

static bool live(const struct life *life) {
    client = NULL;
    session = NULL;
    committed = unknown = false;
    return accepted(shared_client_new(life_config, &client)) &&
           accepted(shared_session_new(client, &session)) && life->steps();
}

/* Stored, if the commit said so; not stored, if it said that either; row and task together. */
static void check_stored(void) {
    const char *rows = sql_say("SELECT count(*) FROM documents WHERE id = 'new'");
    bool stored = *rows == '1';
    ck_assert_str_eq(sql_say("SELECT count(*) FROM task_outbox"), stored ? "1" : "0");
    if (!unknown)
        ck_assert_msg(stored == committed, "%s: stored %d, committed %d", point, stored, committed);
}

static void live_again(const struct life *life) {
    if (!client) return;
    if (!session) ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    bool good = false;
    for (int tries = 0; !good && tries < TRIES_MAX; tries++) {
        mending = tries + 1 < TRIES_MAX;
        ck_assert_int_eq(shared_session_rollback(session, TAGS), SHARED_OK);
        world_wait(client, TAGS);
        while (shared_client_next(client)) continue;
        servers_reset();
        fault_arm(FAULT_CALLS, 0, 0, false); /* counts, and nothing fails */
        good = life->steps();
        fault_disarm();
        ck_assert_int_ge(shared_client_dispatch(client, good ? 0 : 5), 0);
    }
    mending = false;
    ck_assert_msg(!broken && good, "after %s: %s (%s)", point, broken ? broken : "a failure",
                  broken_message);
    shared_session_free(session);
    shared_client_free(client);
}

/* The runs of a life in which something failed. */
static long torture(const struct life *life, enum fault_call call, int number, bool for_ever) {
    bool fired = true;
    long at = 0;
    for (; fired; at++) {
        ck_assert_int_lt(at, RUNS_MAX);
        servers_reset();
        broken = NULL;
        snprintf(point, sizeof point, "%s, call %d number %ld with errno %d%s", life->name, call,
                 at, number, for_ever ? " for ever" : "");
        stays_away = for_ever;
        fault_arm(call, number, at, for_ever);
        (void)live(life);
        fired = fault_fired();
        fault_disarm();
        stays_away = false;
        ck_assert_msg(!broken, "%s: %s (%s)", point, broken, broken_message);
        check_stored();
        live_again(life);
    }
    return at - 1;
}

static int life_number; /* of this process */
static bool life_for_ever;
static char results_url[512];

/* Databases that no other life touches; results have keys of their own, and one for all. */
static void home_make(void) {
    char sql[64], url[512];
    const char *base = getenv("TEST_DATABASE_URL");
    (void)snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS life_%d_%d", life_number,
                   life_for_ever);
    sql_say(sql);
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE life_%d_%d", life_number, life_for_ever);
    sql_say(sql);
    PQfinish(world_postgres);
    world_postgres = NULL;
    (void)snprintf(url, sizeof url, "%.*s/life_%d_%d", (int)(strrchr(base, '/') - base), base,
                   life_number, life_for_ever);
    ck_assert_int_eq(setenv("TEST_DATABASE_URL", url, 1), 0);
    (void)snprintf(results_url, sizeof results_url, "%s/0", getenv("TEST_REDIS_URL"));
    (void)snprintf(url, sizeof url, "%s/%d", getenv("TEST_REDIS_URL"),
                   2 + life_number + (life_for_ever ? LIVES : 0));
    ck_assert_int_eq(setenv("TEST_REDIS_URL", url, 1), 0);
}

static shared_config *settings;

static const struct life *begin(const char *timeout_ms) {
    const struct life *life = &lives[life_number];
    home_make();
    world_begin();
    database_begin();
    sql_say("CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) NOT NULL)");
    sql_say("DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('0001')");
    const char *migrations = getenv("LEX_MIGRATIONS_DIR");
    for (int32_t i = 0; shared_config_name(i); i++)
        if (getenv(shared_config_name(i)) != migrations) (void)unsetenv(shared_config_name(i));
    ck_assert_int_eq(shared_config_from_env(&settings), SHARED_OK);
    const char *const values[][2] = {{"DATABASE_URL", getenv("TEST_DATABASE_URL")},
                                     {"REDIS_URL", getenv("TEST_REDIS_URL")},
                                     {"CELERY_BROKER_URL", getenv("TEST_REDIS_URL")},
                                     {"CELERY_RESULT_BACKEND", results_url},
                                     {"RECONNECT_MS_MAX", "10"},
                                     {"DATABASE_TIMEOUT_MS", timeout_ms},
                                     {"REDIS_TIMEOUT_MS", timeout_ms},
                                     {"PROGRESS_RATE", "1000"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        ck_assert_int_eq(shared_config_set(settings, values[i][0], values[i][1]), SHARED_OK);
    life_config = settings;
    servers_reset(); /* once without a fault: OpenSSL's and all else that is made once a process */
    ck_assert_msg(live(life), "%s: %s (%s)", life->name, broken, broken_message);
    shared_session_free(session);
    shared_client_free(client);
    return life;
}

static void end(const char *what, long points, long expected) {
    shared_config_free(settings);
    printf("torture: %ld points (%s of %s%s)\n", points, what, lives[life_number].name,
           life_for_ever ? " for ever" : "");
    ck_assert_int_ge(points, expected);
}

static const struct {
    enum fault_call call;
    int number;
} faults[] = {
    {FAULT_RECV, FAULT_SHORT},     {FAULT_RECV, EINTR},        {FAULT_RECV, EAGAIN},
    {FAULT_RECV, ECONNRESET},      {FAULT_SEND, FAULT_SHORT},  {FAULT_SEND, EINTR},
    {FAULT_SEND, EAGAIN},          {FAULT_SEND, ECONNRESET},   {FAULT_CONNECT, EINTR},
    {FAULT_CONNECT, ECONNREFUSED}, {FAULT_SOCKET, EMFILE},     {FAULT_EPOLL_WAIT, EINTR},
    {FAULT_EPOLL_CTL, ENOMEM},     {FAULT_DESCRIPTOR, EMFILE},
};

START_TEST(any_system_call_may_fail_once) {
    const struct life *life = begin("10000");
    long points = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        points += torture(life, faults[i].call, faults[i].number, false);
    end("system calls", points, 60); /* answers that come together are read by one call */
}
END_TEST

/* Each recv, and each send, of a whole life moves one byte. */
START_TEST(bytes_may_come_and_go_one_at_a_time) {
    static const enum fault_call ways[] = {FAULT_RECV, FAULT_SEND};
    const struct life *life = begin("10000");
    long bytes = 0;
    for (int way = 0; way < 2; way++) {
        servers_reset();
        broken = NULL;
        harmless = true;
        fault_arm(ways[way], FAULT_SHORT, 0, true);
        bool good = live(life);
        bytes += fault_count(ways[way]);
        fault_disarm();
        harmless = false;
        ck_assert_msg(good && !broken, "%s: %s (%s)", life->name, broken, broken_message);
        check_stored();
        live_again(life);
    }
    shared_config_free(settings);
    printf("one at a time: %ld bytes of %s\n", bytes, life->name);
    ck_assert_int_ge(bytes, 1000);
}
END_TEST

START_TEST(any_allocation_of_anybody_may_fail) {
    const struct life *life = begin("2000"); /* libpq without memory may lose an answer */
    end("allocations of anybody", torture(life, FAULT_MEMORY, ENOMEM, life_for_ever), 150);
}
END_TEST

/* --- side by side ----------------------------------------------------------------------------------------- */

static pid_t life_start(const TTest *const *test, int number, bool for_ever) {
    (void)fflush(stdout);
    pid_t process = fork();
    if (process) return process;
    life_number = number;
    life_for_ever = for_ever;
    exit(unit_run(lives[number].name, test, 1));
}

/* All lives, and with for_ever again those that say so. */
static int live_all(const TTest *const *test, bool for_ever) {
    pid_t processes[2 * LIVES];
    int count = 0, failures = 0;
    for (int number = 0; number < LIVES; number++) {
        processes[count++] = life_start(test, number, false);
        if (for_ever && lives[number].for_ever) processes[count++] = life_start(test, number, true);
    }
    for (int i = 0; i < count; i++) {
        int status = 0;
        if (processes[i] < 0 || waitpid(processes[i], &status, 0) < 0 || status) failures++;
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int count, char **words) {
    static const struct {
        const char *name;
        const TTest *const *test;
        bool for_ever;
    } tests[] = {
        {"calls", &any_system_call_may_fail_once, .for_ever = false},
        {"bytes", &bytes_may_come_and_go_one_at_a_time, .for_ever = false},
        {"memory", &any_allocation_of_anybody_may_fail,
         .for_ever = true}, /* not with a sanitizer */
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (count == 2 && !strcmp(words[1], tests[i].name))
            return live_all(tests[i].test, tests[i].for_ever);
    fprintf(stderr, "usage: %s calls|bytes|memory\n", words[0]);
    return EXIT_FAILURE;
}
