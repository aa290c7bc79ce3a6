/* SPDX-License-Identifier: MIT
 * test_log_capture.c - lines of the log as events: what they hold, in what order, from any thread, and that
 * none is lost without a word.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "client_fixture.h"

enum { TAG = 7, THREADS = 4, LINES = 2000, FORKS = 50 };

/* The next event of the tag, which must come. */
static const shared_event *event_wait(shared_client *client) {
    const shared_event *event = NULL;
    (void)shared_client_wait(client, TAG, PATIENCE_MS, &event);
    ck_assert_ptr_nonnull(event);
    return event;
}

static int64_t lost_of(const shared_event *event) {
    return shared_record_int(shared_event_record(event, 0), SHARED_LOG_LINE_LOST);
}

static shared_client *capture(int32_t level, const char *lines_max) {
    shared_client *client =
        client_make((const char *const[]){"LOG_CAPTURE_LINES", lines_max, NULL});
    ck_assert_int_eq(shared_log_capture(client, level, TAG), SHARED_OK);
    return client;
}

START_TEST(a_line_is_an_event_with_its_json_and_its_record) {
    shared_client *client = capture(SHARED_DEBUG, "10");
    shared_log_with("a.b", SHARED_DEBUG, "said \"so\"", "document_id", "doc-1");
    const shared_event *event = event_wait(client);
    ck_assert_int_eq(shared_event_kind(event), SHARED_EVENT_LOG);
    ck_assert_int_eq(shared_event_more(event), 1);
    ck_assert_int_eq(shared_event_count(event), 1);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event),
                                 "Z\",\"level\":\"debug\",\"logger\":\"a.b\",\"message\":\"said "
                                 "\\\"so\\\"\",\"document_id\":\"doc-1\"}"));
    shared_record *record = shared_event_record(event, 0);
    ck_assert_int_eq(shared_record_model(record), SHARED_LOG_LINE);
    ck_assert_str_eq(shared_record_text(record, SHARED_LOG_LINE_LOGGER), "a.b");
    ck_assert_str_eq(shared_record_text(record, SHARED_LOG_LINE_LEVEL), "debug");
    ck_assert_str_eq(shared_record_text(record, SHARED_LOG_LINE_MESSAGE), "said \"so\"");
    ck_assert_int_gt(shared_record_time(record, SHARED_LOG_LINE_TIME), INT64_C(1700000000000000));
    ck_assert_int_eq(shared_record_is_null(record, SHARED_LOG_LINE_LOST), 1);
    ck_assert_int_eq(shared_record_check(record), SHARED_OK);
    ck_assert_ptr_null(shared_event_record(event, 1));
    shared_client_free(client);
}
END_TEST

START_TEST(captured_lines_do_not_go_to_stderr_and_others_do) {
    FILE *caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    shared_client *client = capture(SHARED_WARNING, "10");
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
    shared_log("t", SHARED_WARNING, "captured");
    shared_log("t", SHARED_INFO, "written");
    shared_client_free(client);
    shared_log("t", SHARED_ERROR, "after the end");
    char text[1024];
    ssize_t size = pread(fileno(caught), text, sizeof text - 1, 0);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    ck_assert_ptr_null(strstr(text, "captured"));
    ck_assert_ptr_nonnull(strstr(text, "written"));
    ck_assert_ptr_nonnull(strstr(text, "after the end"));
}
END_TEST

START_TEST(a_line_makes_the_descriptor_readable) {
    shared_client *client = capture(SHARED_INFO, "10");
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    ck_assert(!client_readable(client));
    shared_log("t", SHARED_INFO, "m");
    ck_assert(client_readable(client));
    ck_assert_int_eq(shared_client_dispatch(client, 0), 1);
    ck_assert_ptr_nonnull(shared_client_next(client));
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

START_TEST(cancel_brings_what_waits_and_then_the_end) {
    shared_client *client = capture(SHARED_INFO, "10");
    shared_log("t", SHARED_INFO, "one");
    shared_log("t", SHARED_INFO, "two");
    ck_assert_int_eq(shared_client_cancel(client, TAG), SHARED_OK);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(client)), "\"one\""));
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(client)), "\"two\""));
    const shared_event *event = event_wait(client);
    ck_assert_int_eq(shared_event_more(event), 0);
    ck_assert_int_eq(shared_event_count(event), 0);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    ck_assert_int_eq(shared_log_enabled("t", SHARED_DEBUG), 0);
    ck_assert_int_eq(shared_log_capture(client, SHARED_INFO, TAG), SHARED_OK); /* and again */
    shared_client_free(client);
}
END_TEST

START_TEST(what_finds_no_room_is_told_by_the_next_event) {
    shared_client *client = capture(SHARED_INFO, "3");
    for (int i = 0; i < 5; i++) shared_log("t", SHARED_INFO, "before");
    ck_assert_int_eq(shared_client_dispatch(client, 0), 3);
    /* three events wait: what comes now is lost, in the list and behind it */
    for (int i = 0; i < 4; i++) shared_log("t", SHARED_INFO, "between");
    ck_assert_int_eq(shared_client_dispatch(client, 0), 3);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(lost_of(event_wait(client)), 0);
    shared_log("t", SHARED_INFO, "after");
    const shared_event *event = event_wait(client);
    ck_assert_ptr_nonnull(strstr(shared_event_json(event), "\"after\",\"lost\":6}"));
    ck_assert_int_eq(lost_of(event), 6);
    for (int i = 0; i < 4; i++) shared_log("t", SHARED_INFO, "last");
    ck_assert_int_eq(shared_client_cancel(client, TAG), SHARED_OK);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(shared_event_more(event_wait(client)), 1);
    event = event_wait(client);
    ck_assert_int_eq(shared_event_more(event), 0);
    ck_assert_int_eq(shared_event_count(event), 1);
    shared_client_free(client);
}
END_TEST

START_TEST(each_client_that_captures_gets_each_line_of_its_level) {
    shared_client *all = capture(SHARED_DEBUG, "10");
    shared_client *errors = capture(SHARED_ERROR, "10");
    shared_log("t", SHARED_DEBUG, "small");
    shared_log("t", SHARED_ERROR, "great");
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(errors)), "great"));
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(all)), "small"));
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(all)), "great"));
    shared_client_free(errors);
    shared_log("t", SHARED_ERROR, "later");
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(all)), "later"));
    shared_client_free(all);
}
END_TEST

START_TEST(wrong_calls_are_answered) {
    shared_client *client = client_make(NULL);
    ck_assert_int_eq(shared_log_capture(NULL, SHARED_INFO, TAG), SHARED_EINVALID);
    ck_assert_int_eq(shared_log_capture(client, SHARED_INFO, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_log_capture(client, SHARED_INFO, TAG), SHARED_OK);
    ck_assert_int_eq(shared_log_capture(client, SHARED_INFO, TAG), SHARED_EINVALID);
    shared_client_free(client);
}
END_TEST

START_TEST(without_a_descriptor_nothing_is_captured) {
    shared_client *client = client_make(NULL);
    int next = dup(STDERR_FILENO);
    ck_assert_int_ge(next, 0);
    (void)close(next);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_lt(shared_log_capture(client, SHARED_DEBUG, TAG), 0);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "eventfd"));
    ck_assert_int_eq(shared_log_enabled("t", SHARED_DEBUG), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(shared_log_capture(client, SHARED_DEBUG, TAG),
                     SHARED_OK); /* the tag is free */
    shared_client_free(client);
}
END_TEST

START_TEST(in_the_child_of_a_fork_nothing_is_captured) {
    shared_client *client = capture(SHARED_INFO, "10");
    shared_log("t", SHARED_INFO, "before the fork");
    pid_t child = fork();
    if (!child) {
        (void)freopen("/dev/null", "w", stderr);
        shared_log("t", SHARED_INFO, "of the child");
        int right = shared_log_capture(client, SHARED_INFO, 8) == SHARED_EFORKED;
        shared_client_free(client);
        _exit(right ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    shared_log("t", SHARED_INFO, "of the parent");
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(client)), "before the fork"));
    ck_assert_ptr_nonnull(strstr(shared_event_json(event_wait(client)), "of the parent"));
    shared_client_free(client);
}
END_TEST

/* --- threads ------------------------------------------------------------------------------------ */

static atomic_int threads_done;

static void *say_much(void *number) {
    char message[32];
    for (int i = 0; i < LINES; i++) {
        (void)snprintf(message, sizeof message, "%d %d", *(int *)number, i);
        shared_log("threads", SHARED_INFO, message);
    }
    atomic_fetch_add(&threads_done, 1);
    return NULL;
}

static void start(pthread_t threads[THREADS], int numbers[THREADS]) {
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, say_much, &numbers[i]), 0);
    }
}

/* One line of a thread: its number follows the last one that came, but for what was lost. */
static void take_line(const shared_event *event, int next[THREADS], int64_t *lost) {
    int thread = -1, line = -1;
    shared_record *record = shared_event_record(event, 0);
    const char *message = shared_record_text(record, SHARED_LOG_LINE_MESSAGE);
    ck_assert_int_eq(sscanf(message, "%d %d", &thread, &line), 2);
    ck_assert(thread >= 0 && thread < THREADS);
    ck_assert_msg(line >= next[thread], "%s after %d", message, next[thread]);
    next[thread] = line + 1;
    *lost += lost_of(event);
}

static void all_lines_are_told(const char *lines_max, bool none_lost) {
    shared_client *client = capture(SHARED_INFO, lines_max);
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0};
    int64_t came = 0, lost = 0;
    threads_done = 0;
    start(threads, numbers);
    while (atomic_load(&threads_done) < THREADS) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        for (const shared_event *event; (event = shared_client_next(client)); came++)
            take_line(event, next, &lost);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(shared_client_cancel(client, TAG), SHARED_OK);
    const shared_event *event;
    while (shared_event_more(event = event_wait(client))) {
        take_line(event, next, &lost);
        came++;
    }
    lost += shared_event_count(event);
    ck_assert_int_eq(came + lost, THREADS * LINES);
    if (none_lost) ck_assert_int_eq(lost, 0);
    shared_client_free(client);
}

START_TEST(lines_of_all_threads_come_in_their_order) {
    all_lines_are_told("100000", true);
}
END_TEST

START_TEST(lines_of_all_threads_that_are_lost_are_counted) {
    all_lines_are_told("5", false);
}
END_TEST

START_TEST(clients_come_and_go_while_threads_log) {
    FILE *caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
    pthread_t threads[THREADS];
    int numbers[THREADS];
    threads_done = 0;
    start(threads, numbers);
    while (atomic_load(&threads_done) < THREADS) {
        shared_client *client = capture(SHARED_INFO, "100");
        ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
        (void)shared_client_next(client);
        shared_client_free(client);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(shared_log_enabled("t", SHARED_DEBUG), 0);
}
END_TEST

/* The lock of the log is held over a fork: a child that found it taken would wait for ever. */
START_TEST(the_child_of_a_busy_parent_can_log) {
    FILE *caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
    shared_client *client = capture(SHARED_INFO, "100");
    pthread_t threads[THREADS];
    int numbers[THREADS];
    threads_done = 0;
    start(threads, numbers);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (!child) {
            shared_log("child", SHARED_INFO, "m");
            (void)raise(SIGKILL); /* TSan would miss the parent's threads at an exit */
        }
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    shared_client_free(client);
    static char text[FORKS * 200];
    ssize_t size = pread(fileno(caught), text, sizeof text - 1, 0);
    ck_assert_int_gt(size, 0);
    int lines = 0;
    for (const char *at = text; (at = strstr(at, "\"logger\":\"child\"")); at++) lines++;
    ck_assert_int_eq(lines, FORKS);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_line_is_an_event_with_its_json_and_its_record,
        captured_lines_do_not_go_to_stderr_and_others_do,
        a_line_makes_the_descriptor_readable,
        cancel_brings_what_waits_and_then_the_end,
        what_finds_no_room_is_told_by_the_next_event,
        each_client_that_captures_gets_each_line_of_its_level,
        wrong_calls_are_answered,
        without_a_descriptor_nothing_is_captured,
        in_the_child_of_a_fork_nothing_is_captured,
        lines_of_all_threads_come_in_their_order,
        lines_of_all_threads_that_are_lost_are_counted,
        clients_come_and_go_while_threads_log,
        the_child_of_a_busy_parent_can_log,
    };
    return unit_run("log_capture", tests, sizeof tests / sizeof *tests);
}
