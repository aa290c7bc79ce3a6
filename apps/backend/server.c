/* SPDX-License-Identifier: MIT
 * server.c - one process: makes its parts, turns the loop, ends in order. Never knows what a request is
 * about.
 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "calls.h"
#include "daemon.h"
#include "disk.h"
#include "health.h"
#include "linger.h"
#include "main.h"
#include "metrics.h"
#include "peer.h"
#include "release.h"
#include "request.h"
#include "route.h"
#include "stream.h"
#include "upload.h"

enum {
    TICK_MS = 1000,
    TICK_START_MS = 50,
    EVENTS_A_TURN = 1000, /* then connections have their turn */
    SWEEP_FILES_MS = 600000
};

struct run {
    struct server *server;
    struct watch client_watch, daemon_watch, signal_watch;
    int signal_fd;
    bool more; /* libmicrohttpd has more to do at once */
    int64_t tick_due_ms;
    int64_t files_due_ms;
    int64_t stop_due_ms;
};

/* --- what is ready --------------------------------------------------------------------------------- */

static void client_ready(struct watch *watch, uint32_t events) {
    (void)watch;
    (void)events; /* drained each turn */
}

static void daemon_ready(struct watch *watch, uint32_t events) {
    (void)events;
    struct run *run = (struct run *)((char *)watch - offsetof(struct run, daemon_watch));
    run->server->daemon_due = true;
}

static void stop(struct run *run) {
    struct server *server = run->server;
    if (server->stopping) return;
    server->stopping = true;
    run->stop_due_ms = server->now_ms + server->settings.shutdown_ms;
    shared_log("backend", SHARED_INFO, "stopping: finishing what is under way");
    daemon_quiesce(server);
    streams_stop(server);
    server->daemon_due = true;
}

static void signal_ready(struct watch *watch, uint32_t events) {
    (void)events;
    struct run *run = (struct run *)((char *)watch - offsetof(struct run, signal_watch));
    struct signalfd_siginfo info;
    while (read(run->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) stop(run);
}

/* --- the loop -------------------------------------------------------------------------------------- */

static void drain_client(struct server *server) {
    server->asked = false;
    shared_client_dispatch(server->client, 0);
    const shared_event *event;
    for (int i = 0; i < EVENTS_A_TURN && (event = shared_client_next(server->client)); i++)
        calls_answer(server, event);
}

static void tick(struct run *run) {
    struct server *server = run->server;
    if (server->now_ms < run->tick_due_ms) return;
    run->tick_due_ms = server->now_ms + (health_is_started(server) ? TICK_MS : TICK_START_MS);
    health_tick(server);
    peers_sweep(server);
    lingers_sweep(server);
    streams_sweep(server);
    if (server->now_ms < run->files_due_ms) return;
    run->files_due_ms = server->now_ms + SWEEP_FILES_MS;
    upload_sweep(server);
}

static void turn(struct run *run) {
    struct server *server = run->server;
    int64_t idle_ms = run->tick_due_ms - loop_now_ms();
    bool at_once = run->more || server->daemon_due || idle_ms < 0;
    loop_wait(&server->loop, at_once ? 0 : (int)idle_ms);
    server->now_ms = loop_now_ms();
    loop_call(&server->loop);
    drain_client(server);
    if (server->daemon_due || run->more) {
        server->daemon_due = false;
        run->more = daemon_run(server);
    }
    tick(run);
    if (server->asked) drain_client(server); /* what was asked for goes out now */
    streams_bury(server);
    metrics_note(server);
}

static bool is_busy(const struct run *run) {
    const struct server *server = run->server;
    if (server->now_ms > run->stop_due_ms) return false;
    return requests_open(server->requests) || streams_open(server->streams) ||
           lingers_open(server->lingers) || releases_open();
}

static int serve(struct run *run) {
    struct server *server = run->server;
    while (!server->stopping || is_busy(run)) {
        turn(run);
        int verdict = server->stopping ? 0 : health_verdict(server);
        if (verdict) return verdict;
    }
    return EXIT_SUCCESS;
}

/* --- begin and end --------------------------------------------------------------------------------- */

static bool start_signals(struct run *run) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a quota on file sizes is an error of write(), answered with 507 */
    run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return run->signal_fd >= 0 &&
           loop_add(&run->server->loop, &run->signal_watch, run->signal_fd, EPOLLIN, signal_ready);
}

static bool make_parts(struct server *server) {
    server->calls = calls_new();
    server->requests = requests_new();
    server->peers = peers_new();
    server->lingers = lingers_new();
    server->streams = streams_new();
    server->disk = disk_new(server);
    server->health = health_new();
    return server->calls && server->requests && server->peers && server->lingers &&
           server->streams && server->disk && server->health;
}

static bool start_loop(struct run *run) {
    struct server *server = run->server;
    server->now_ms = loop_now_ms();
    if (!loop_start(&server->loop) || !start_signals(run) || !make_parts(server) ||
        !daemon_start(server)) {
        shared_log_with("backend", SHARED_ERROR, "cannot start", "error", strerror(errno));
        return false;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->daemon_due = true;
    return info &&
           loop_add(&server->loop, &run->daemon_watch, info->epoll_fd, EPOLLIN, daemon_ready) &&
           loop_add(&server->loop, &run->client_watch, shared_client_fd(server->client), EPOLLIN,
                    client_ready);
}

/* libmicrohttpd must not be stopped while a connection sleeps. */
static void stop_daemon(struct server *server) {
    if (!server->daemon) return;
    requests_abandon(server);
    daemon_run(server);
    daemon_stop(server);
}

static void end(struct run *run) {
    struct server *server = run->server;
    stop_daemon(server);
    streams_free(server);
    disk_free(server->disk);
    lingers_free(server->lingers);
    requests_free(server->requests);
    peers_free(server->peers);
    shared_client_free(server->client);
    health_free(server);
    calls_free(server->calls);
    route_openapi_free();
    loop_finish(&server->loop);
    if (run->signal_fd >= 0) close(run->signal_fd);
}

int server_run(struct server *server) {
    struct run run = {.server = server, .signal_fd = -1};
    if (shared_client_new(server->config, &server->client) < 0) {
        shared_log_with("backend", SHARED_ERROR, shared_error_message(shared_error_last()), "what",
                        "client");
        return EXIT_SETTINGS;
    }
    int code = start_loop(&run) ? serve(&run) : EXIT_FAILURE;
    end(&run);
    return code;
}
