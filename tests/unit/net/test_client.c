/* SPDX-License-Identifier: MIT
 * test_client.c - the client's one descriptor: readable exactly while there is something to do; sources,
 * deferred work, waking, forking.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client_fixture.h"

static void no_cancel(struct request *request, const struct shared_error *why) {
    request_fail(request, why);
}

START_TEST(new_refuses_null) {
    shared_client *client = (shared_client *)1;
    ck_assert_int_eq(shared_client_new(NULL, &client), SHARED_EINVALID);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(shared_client_dispatch(NULL, 0), SHARED_EINVALID);
    ck_assert_int_eq(shared_client_fd(NULL), SHARED_EINVALID);
    ck_assert_ptr_null(shared_client_next(NULL));
    shared_client_wake(NULL);
    shared_client_free(NULL);
}
END_TEST

START_TEST(descriptor_is_quiet_when_nothing_waits) {
    shared_client *client = client_make(NULL);
    ck_assert(!client_readable(client));
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

START_TEST(descriptor_is_readable_while_events_wait) {
    shared_client *client = client_make(NULL);
    request_end(request_new(client, 7, 0, no_cancel, NULL));
    request_end(request_new(client, 8, 0, no_cancel, NULL));
    ck_assert(client_readable(client)); /* queued outside of a dispatch */
    ck_assert_int_eq(shared_client_dispatch(client, 0), 2);
    ck_assert(client_readable(client));
    ck_assert_uint_eq(shared_event_tag(shared_client_next(client)), 7);
    ck_assert(client_readable(client)); /* one is left */
    ck_assert_uint_eq(shared_event_tag(shared_client_next(client)), 8);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

static int runs;
static void run(struct deferred *deferred) {
    (void)deferred;
    runs++;
}

START_TEST(deferred_work_makes_it_readable_and_runs_once) {
    shared_client *client = client_make(NULL);
    struct deferred first = {0}, second = {0};
    client_defer(client, &first, run);
    client_defer(client, &first, run);
    client_defer(client, &second, run);
    client_defer_stop(client, &second);
    ck_assert(client_readable(client));
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    ck_assert_int_eq(runs, 1);
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

struct endless {
    shared_client *client;
    struct deferred deferred;
};
static void run_again(struct deferred *deferred) {
    struct endless *endless =
        (struct endless *)((char *)deferred - offsetof(struct endless, deferred));
    runs++;
    client_defer(endless->client, deferred, run_again);
}

START_TEST(endless_work_does_not_keep_the_caller) {
    shared_client *client = client_make(NULL);
    struct endless endless = {.client = client};
    client_defer(client, &endless.deferred, run_again);
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    ck_assert_int_ge(runs, 2);
    ck_assert_int_le(runs, 32);
    ck_assert(client_readable(client)); /* the rest is not forgotten */
    client_defer_stop(client, &endless.deferred);
    shared_client_free(client);
}
END_TEST

/* Two pipes that are ready in one batch; whichever comes first removes the other. */
static struct {
    shared_client *client;
    struct source sources[2];
    int calls;
} pair;

static void remove_other(struct source *source, uint32_t events) {
    (void)events;
    pair.calls++;
    source_remove(pair.client, &pair.sources[source == &pair.sources[0]]);
    source_remove(pair.client, source);
}

START_TEST(sources_may_remove_each_other) {
    pair.client = client_make(NULL);
    int pipes[2][2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pipe2(pipes[i], O_NONBLOCK | O_CLOEXEC), 0);
        ck_assert_int_eq(write(pipes[i][1], "x", 1), 1);
        ck_assert_int_eq(
            source_add(pair.client, &pair.sources[i], pipes[i][0], EPOLLIN, remove_other),
            SHARED_OK);
    }
    ck_assert_int_eq(shared_client_dispatch(pair.client, 0), 0);
    ck_assert_int_eq(pair.calls, 1);
    ck_assert(!client_readable(pair.client));
    shared_client_free(pair.client);
}
END_TEST

START_TEST(source_of_a_bad_descriptor_is_refused) {
    shared_client *client = client_make(NULL);
    struct source source;
    ck_assert_int_lt(source_add(client, &source, -1, EPOLLIN, remove_other), 0);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "epoll_ctl"));
    ck_assert_int_eq(source.fd, -1);
    source_remove(client, &source);
    shared_client_free(client);
}
END_TEST

static void *wake(void *client) {
    shared_client_wake(client);
    return NULL;
}

START_TEST(wake_ends_a_wait_of_another_thread) {
    shared_client *client = client_make(NULL);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake, client), 0);
    ck_assert_int_eq(shared_client_dispatch(client, -1), 0); /* or it would wait for ever */
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    shared_client_free(client);
}
END_TEST

START_TEST(a_wait_that_a_wake_ended_says_so) {
    shared_client *client = client_make(NULL);
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_timer(client, PATIENCE_MS, 1), SHARED_OK);
    for (int timeout_ms = -1; timeout_ms < 2; timeout_ms++) {
        shared_client_wake(client);
        ck_assert_int_eq(shared_client_wait(client, 1, timeout_ms, &event), SHARED_ETIMEOUT);
        ck_assert_ptr_nonnull(
            strstr(shared_error_message(shared_error_last()), "shared_client_wake"));
    }
    ck_assert_int_eq(shared_client_wait(client, 1, 1, &event), SHARED_ETIMEOUT);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "within 1 ms"));
    shared_client_free(client);
}
END_TEST

START_TEST(wake_is_not_lost_when_nobody_waits) {
    shared_client *client = client_make(NULL);
    shared_client_wake(client);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert(client_readable(client));
    ck_assert_int_eq(shared_client_dispatch(client, -1), 0);
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

static shared_client *signalled;
static void on_signal(int number) {
    (void)number;
    shared_client_wake(signalled);
}

static void *send_signal(void *thread) {
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

START_TEST(wake_from_a_signal_handler) {
    signalled = client_make(NULL);
    struct sigaction action = {.sa_handler = on_signal};
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_t self = pthread_self(), thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, send_signal, &self), 0);
    ck_assert_int_eq(shared_client_dispatch(signalled, -1), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    shared_client_free(signalled);
}
END_TEST

/* --- wait ----------------------------------------------------------------------------------------- */
START_TEST(wait_takes_one_tag_and_leaves_the_others_in_order) {
    shared_client *client = client_make(NULL);
    const shared_event *event = NULL;
    for (uint64_t tag = 1; tag <= 3; tag++)
        request_end(request_new(client, tag, 0, no_cancel, NULL));
    ck_assert_int_eq(shared_client_wait(client, 2, 0, &event), SHARED_OK);
    ck_assert_uint_eq(shared_event_tag(event), 2);
    ck_assert_uint_eq(shared_event_tag(shared_client_next(client)), 1);
    ck_assert_int_eq(shared_client_wait(client, 3, 0, &event), SHARED_OK);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert(!client_readable(client));
    shared_client_free(client);
}
END_TEST

START_TEST(wait_says_what_is_wrong) {
    shared_client *client = client_make(NULL);
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_wait(client, 5, 0, &event), SHARED_ENOTFOUND);
    struct request *request = request_new(client, 5, 0, no_cancel, NULL);
    ck_assert_int_eq(shared_client_wait(client, 5, 1, &event), SHARED_ETIMEOUT);
    ck_assert_ptr_null(event);
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_EREMOTE, "the reason");
    request_fail(request, &error);
    ck_assert_int_eq(shared_client_wait(client, 5, 0, &event), SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_message(shared_event_error(event)), "the reason");
    ck_assert_str_eq(shared_error_message(shared_error_last()), "the reason");
    shared_client_free(client);
}
END_TEST

START_TEST(settings_that_cannot_stand_together_make_no_client) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "LEASE_S", "10"), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "LEASE_RENEW_S", "10"), SHARED_OK);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_EINVALID);
    ck_assert_ptr_null(client);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "must be less than LEASE_S"));
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_client_new");
    shared_config_free(config);
}
END_TEST

/* --- state and fork ------------------------------------------------------------------------------- */
static int stops[CLIENT_SLOTS], stop_count;
static void stop(void *state) {
    stops[stop_count++] = *(int *)state;
}

START_TEST(parts_stop_from_the_last_to_the_first) {
    shared_client *client = client_make(NULL);
    int first = CLIENT_REDIS, second = CLIENT_QUEUE;
    client_set_state(client, CLIENT_REDIS, &first, stop);
    client_set_state(client, CLIENT_QUEUE, &second, stop);
    ck_assert_ptr_eq(client_state(client, CLIENT_QUEUE), &second);
    shared_client_free(client);
    ck_assert_int_eq(stop_count, 2);
    ck_assert_int_eq(stops[0], CLIENT_QUEUE);
    ck_assert_int_eq(stops[1], CLIENT_REDIS);
}
END_TEST

static int child_of(shared_client *client) {
    const shared_event *event = NULL;
    if (shared_client_dispatch(client, -1) != SHARED_EFORKED) return 1;
    if (shared_client_wait(client, 1, -1, &event) != SHARED_EFORKED) return 2;
    if (shared_client_timer(client, 1, 9) != SHARED_EFORKED) return 3;
    if (shared_client_cancel(client, 1) != SHARED_EFORKED) return 4;
    if (shared_client_next(client)) return 5;
    shared_client_wake(client); /* must not wake the parent */
    shared_client_free(client);
    return 0;
}

START_TEST(child_of_fork_is_refused_and_leaves_the_parent_alone) {
    shared_client *client = client_make(NULL);
    int pipe_fds[2];
    struct source source;
    ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(source_add(client, &source, pipe_fds[0], EPOLLIN, remove_other), SHARED_OK);
    ck_assert_int_eq(shared_client_timer(client, 0, 1), SHARED_OK);
    pid_t child = fork();
    if (child == 0) {
        source_remove(client, &source);
        _exit(child_of(client));
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_wait(client, 1, PATIENCE_MS, &event), SHARED_OK);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert(!client_readable(client));
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    ck_assert(client_readable(client)); /* the child did not take our source away */
    source_remove(client, &source);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        new_refuses_null,
        descriptor_is_quiet_when_nothing_waits,
        descriptor_is_readable_while_events_wait,
        deferred_work_makes_it_readable_and_runs_once,
        endless_work_does_not_keep_the_caller,
        sources_may_remove_each_other,
        source_of_a_bad_descriptor_is_refused,
        wake_ends_a_wait_of_another_thread,
        wake_is_not_lost_when_nobody_waits,
        a_wait_that_a_wake_ended_says_so,
        wake_from_a_signal_handler,
        wait_takes_one_tag_and_leaves_the_others_in_order,
        wait_says_what_is_wrong,
        settings_that_cannot_stand_together_make_no_client,
        parts_stop_from_the_last_to_the_first,
        child_of_fork_is_refused_and_leaves_the_parent_alone,
    };
    return unit_run("client", tests, sizeof tests / sizeof *tests);
}
