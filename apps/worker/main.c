/* SPDX-License-Identifier: MIT
 * main.c - lex-intel-worker: reads documents for the queue. The process: start, signals, the loop; what it
 * does is work.c's, jobs are job.c's. It never parses a document: that is the helper's, in its sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "work.h"

enum { EXIT_SETTINGS = 78, EXIT_UNAVAILABLE = 69, TICK_MS = 100, PING_PAUSE_MS = 500 };

static void log_error(const char *what, const shared_error *error) {
    shared_log_with("worker", SHARED_ERROR, what, "error", shared_error_message(error));
}

static void drain_events(struct worker *worker) {
    shared_client_dispatch(worker->client, 0);
    for (const shared_event *event; (event = shared_client_next(worker->client));)
        work_handle(worker, event);
}

static void on_client(struct watch *watch, uint32_t events) {
    (void)watch;
    (void)events; /* the loop drains it each turn */
}

static void on_signal(struct watch *watch, uint32_t events) {
    (void)events;
    struct worker *worker =
        (struct worker *)((char *)watch - offsetof(struct worker, signal_watch));
    struct signalfd_siginfo info;
    while (read(worker->signals, &info, sizeof info) == sizeof info) work_stop(worker);
}

/* --- loop ------------------------------------------------------------------------------------------ */

static void turn(struct worker *worker, int timeout_ms) {
    loop_wait(&worker->loop, timeout_ms);
    loop_call(&worker->loop);
}

/* Until told to stop and nothing runs; a second deadline ends a hand-back that cannot be told. */
static void run(struct worker *worker) {
    bool handed_back = false;
    while (!worker->stopping || worker->job_count) {
        int64_t until_sweep = worker->reconcile_due_ms - loop_now_ms();
        int idle_ms = until_sweep < TICK_MS ? TICK_MS : (int)until_sweep;
        turn(worker, worker->job_count || worker->stopping ? TICK_MS : idle_ms);
        drain_events(worker);
        work_tick(worker);
        drain_events(worker);
        if (!worker->stopping || loop_now_ms() < worker->stop_due_ms) continue;
        if (handed_back) break;
        handed_back = true;
        worker->stop_due_ms = loop_now_ms() + 2000;
        work_hand_back(worker);
    }
}

/* --- start ----------------------------------------------------------------------------------------- */

/* Waits for a server, and says so. EXIT_SUCCESS: it answers, or a signal came; else how to exit. */
static int wait_for(struct worker *worker, int32_t domain, const char *name, int64_t due_ms) {
    for (bool told = false; !worker->stopping; told = true) {
        const shared_event *event = NULL;
        shared_status status = shared_client_ping(worker->client, domain, TAG_PING);
        if (status >= 0) status = shared_client_wait(worker->client, TAG_PING, 10000, &event);
        if (status >= 0) return EXIT_SUCCESS;
        const shared_error *error = event ? shared_event_error(event) : shared_error_last();
        bool hopeless = shared_error_class(error) == SHARED_PERMANENT;
        if (hopeless || loop_now_ms() > due_ms) {
            shared_log_with("worker", SHARED_ERROR, shared_error_message(error),
                            "gave_up_waiting_for", name);
            return hopeless ? EXIT_SETTINGS : EXIT_UNAVAILABLE;
        }
        if (!told)
            shared_log_with("worker", SHARED_WARNING, shared_error_message(error), "waiting_for",
                            name);
        turn(worker, PING_PAUSE_MS);
    }
    return EXIT_SUCCESS;
}

static bool start_loop(struct worker *worker) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    worker->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return loop_start(&worker->loop) && worker->signals >= 0 &&
           loop_add(&worker->loop, &worker->signal_watch, worker->signals, EPOLLIN, on_signal);
}

static bool open_uploads(struct worker *worker) {
    worker->upload_dir = shared_config_get(worker->config, "UPLOAD_DIR");
    if (mkdir(worker->upload_dir, 0700) && errno != EEXIST)
        shared_log_with("worker", SHARED_ERROR, strerror(errno), "UPLOAD_DIR", worker->upload_dir);
    worker->uploads = open(worker->upload_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (worker->uploads < 0)
        shared_log_with("worker", SHARED_ERROR, strerror(errno), "UPLOAD_DIR", worker->upload_dir);
    return worker->uploads >= 0;
}

static int serve(struct worker *worker) {
    if (!start_loop(worker) || !open_uploads(worker)) return EXIT_FAILURE;
    if (shared_client_new(worker->config, &worker->client) < 0) {
        log_error("client", shared_error_last());
        return EXIT_SETTINGS;
    }
    loop_add(&worker->loop, &worker->client_watch, shared_client_fd(worker->client), EPOLLIN,
             on_client);
    int64_t due_ms = loop_now_ms() + worker->limits.startup_ms;
    int code = wait_for(worker, SHARED_POSTGRES, "PostgreSQL", due_ms);
    if (!code) code = wait_for(worker, SHARED_REDIS, "Redis", due_ms);
    if (!code) code = wait_for(worker, SHARED_TASK, "the Redis of results", due_ms);
    if (code || worker->stopping) return code;
    if (!zygote_start(&worker->zygote, worker)) return EXIT_FAILURE;
    if (!work_start(worker)) {
        log_error("queue", shared_error_last());
        return EXIT_FAILURE;
    }
    shared_log("worker", SHARED_INFO, "ready");
    run(worker);
    return EXIT_SUCCESS;
}

static void finish(struct worker *worker) {
    work_finish(worker);
    shared_client_free(worker->client);
    zygote_stop(&worker->zygote);
    loop_finish(&worker->loop);
    if (worker->signals >= 0) close(worker->signals);
    if (worker->uploads >= 0) close(worker->uploads);
    shared_config_free(worker->config);
}

int main(int count, char **words) {
    struct worker worker = {.signals = -1, .uploads = -1, .loop = {.epoll = -1}};
    if (count > 1) {
        bool version = count == 2 && !strcmp(words[1], "--version");
        fprintf(version ? stdout : stderr, "lex-intel-worker %s\n", shared_version_text());
        if (!version) fprintf(stderr, "settings come from the environment: docs/config.md\n");
        return version ? EXIT_SUCCESS : 64;
    }
    if (shared_config_from_env(&worker.config) < 0) {
        log_error("settings", shared_error_last());
        return EXIT_SETTINGS;
    }
    shared_log_configure(worker.config);
    worker.limits = limits_read(worker.config);
    zygote_init(&worker.zygote);
    int code = serve(&worker);
    finish(&worker);
    return code;
}
