/* SPDX-License-Identifier: MIT
 * redis_server.h - a real Redis of a test's own, in a folder of its own, on a Unix socket (or a TLS port),
 * which the test may kill.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redis_fixture.h"

struct server {
    char folder[64];
    char socket[96];
    char url[128];
    pid_t pid;
};

/* Whether there is a program to run. */
static inline bool program_exists(const char *name) {
    char command[64];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

static inline void server_folder(struct server *server) {
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/lex-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    (void)snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->folder);
    (void)snprintf(server->url, sizeof server->url, "unix://:pw@%s", server->socket);
}

/* options: further words of the command line, NULL-terminated, or NULL. */
static inline void server_run(struct server *server, const char *const *options) {
    const char *words[32] = {"redis-server",
                             "--port",
                             "0",
                             "--unixsocket",
                             server->socket,
                             "--save",
                             "",
                             "--dir",
                             server->folder,
                             "--requirepass",
                             "pw",
                             "--daemonize",
                             "no"};
    size_t count = 13;
    for (; options && *options; options++) words[count++] = *options;
    server->pid = fork();
    if (server->pid > 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    (void)execvp("redis-server", (char **)(uintptr_t)words);
    _exit(127);
}

static inline void server_start(struct server *server, const char *const *options) {
    server_folder(server);
    server_run(server, options);
}

static inline void server_kill(struct server *server) {
    (void)kill(server->pid, SIGKILL);
    ck_assert_int_eq(waitpid(server->pid, NULL, 0), server->pid);
}

static inline int server_remove_file(const char *path, const struct stat *status, int kind,
                                     struct FTW *at) {
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void server_remove(struct server *server) {
    (void)nftw(server->folder, server_remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void server_end(struct server *server) {
    server_kill(server);
    server_remove(server);
}

/* Asks until the server answers: it takes a moment to start. */
static inline void server_await(shared_client *client, struct redis *redis) {
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    struct asked asked;
    do {
        ask_ping(redis, &asked);
        client_until(client, &asked.finished, 1);
        ck_assert_msg(time_monotonic_ms() < end_ms, "%s", asked.error.message);
        if (asked.error.code != 0) ck_assert_int_ge(shared_client_dispatch(client, 20), 0);
    } while (asked.error.code != 0);
}

#endif
