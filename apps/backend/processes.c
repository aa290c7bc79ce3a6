/* SPDX-License-Identifier: MIT
 * processes.c - several processes on one socket: the parent starts, watches and stops them, and serves
 * nothing itself. A child has everything of its own but the socket.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "main.h"
#include "metrics.h"

enum { PROCESSES_MAX = 256, RESTART_PAUSE_S = 1, KILL_AFTER_MS = 15000 };

struct family {
    struct server *server;
    pid_t children[PROCESSES_MAX];
    int count;
    bool stopping;
    int code;
    sigset_t before;
};

static void start_child(struct family *family, int index) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child) {
        family->children[index] = child > 0 ? child : 0;
        return;
    }
    /* Whatever ends the parent ends the children too. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, &family->before, NULL);
    if (getppid() != parent) _exit(EXIT_FAILURE);
    family->server->slot = index;
    exit(server_run(family->server));
}

static void stop_children(struct family *family, int number) {
    for (int i = 0; i < family->count; i++)
        if (family->children[i]) kill(family->children[i], number);
}

/* A child that cannot work ends all: the others could not either. */
static void note_end(struct family *family, int status) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
    if (family->stopping) return;
    bool hopeless = code == EXIT_SETTINGS || code == EXIT_UNAVAILABLE;
    shared_log("backend", SHARED_ERROR,
               hopeless ? "a process cannot work" : "a process died; another starts");
    if (!hopeless) return;
    family->code = code;
    family->stopping = true;
    stop_children(family, SIGTERM);
}

static int reap(struct family *family) {
    int status = 0;
    int alive = 0;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (int i = 0; i < family->count; i++) {
            if (family->children[i] != child) continue;
            family->children[i] = 0;
            metrics_forget(family->server, i);
        }
        note_end(family, status);
    }
    for (int i = 0; i < family->count; i++) alive += family->children[i] != 0;
    return alive;
}

int processes_run(struct server *server) {
    struct family family = {.server = server, .count = (int)server->settings.processes};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &family.before);
    for (int i = 0; i < family.count; i++) start_child(&family, i);
    int64_t kill_ms = INT64_MAX;
    while (reap(&family) || !family.stopping) {
        const struct timespec pause = {.tv_sec = RESTART_PAUSE_S};
        int number = sigtimedwait(&set, NULL, &pause);
        if ((number == SIGTERM || number == SIGINT) && !family.stopping) {
            family.stopping = true;
            stop_children(&family, SIGTERM);
        }
        if (family.stopping && kill_ms == INT64_MAX) {
            kill_ms = loop_now_ms() + KILL_AFTER_MS;
            close(server->listen_fd);
            server->listen_fd = -1;
        }
        if (loop_now_ms() > kill_ms) stop_children(&family, SIGKILL);
        /* Only after a pause without a signal, so that one that dies at once does not spin. */
        for (int i = 0; number < 0 && !family.stopping && i < family.count; i++)
            if (!family.children[i]) start_child(&family, i);
    }
    return family.code;
}
