/* SPDX-License-Identifier: MIT
 * zygote.c - the control socket's side of apps/extract/frame.h. Never sees a document.
 */
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader.h"
#include "worker.h"

enum { CHILDREN_BEFORE_FRESH = 1000 }; /* a fresh process has a fresh layout, and no slow leak */

void zygote_init(struct zygote *zygote) {
    *zygote = (struct zygote){.control = -1, .watch = {.fd = -1}};
}

static struct reader *find_reader(struct zygote *zygote, uint64_t serial) {
    struct reader *reader = zygote->readers;
    while (reader && reader->serial != serial) reader = reader->next;
    return reader;
}

static void unlink_reader(struct zygote *zygote, struct reader *reader) {
    struct reader **at = &zygote->readers;
    while (*at && *at != reader) at = &(*at)->next;
    if (*at) *at = reader->next;
    reader->next = NULL;
}

static void log_warning(const char *what, const char *why) {
    shared_log_with("extract", SHARED_WARNING, what, "reason", why);
}

/* Says what ended it; or it was us, when it lived on without its socket. */
static void end_process(struct zygote *zygote) {
    int status = SIGKILL;
    char how[128];
    loop_remove(&zygote->worker->loop, &zygote->watch);
    close(zygote->control);
    zygote->control = -1;
    kill(zygote->pid, SIGKILL);
    (void)waitpid(zygote->pid, &status, 0);
    extract_death_describe(status, how, sizeof how);
    log_warning(zygote->ready ? "the helper process ended" : "the helper process cannot start",
                how);
}

/* It died: so did its children. Each reader hears of it, and the next document starts a new one. One that
 * was never ready had no document to die of. */
static void handle_death(struct zygote *zygote) {
    bool was_ready = zygote->ready;
    end_process(zygote);
    struct reader *reader = zygote->readers;
    zygote->readers = NULL; /* hearing of it, a job may start a new one */
    for (struct reader *next; reader; reader = next) {
        next = reader->next;
        reader->next = NULL;
        if (was_ready)
            reader_on_gone(reader, SIGKILL);
        else
            reader_on_unborn(reader);
    }
}

static void handle_ready(struct zygote *zygote, const struct extract_control *message) {
    zygote->ready = true;
    if (!message->sandboxed)
        log_warning("this machine has no sandbox for the helper", "no Landlock or no seccomp");
}

static void handle_message(struct zygote *zygote, const struct extract_control *message) {
    struct reader *reader = find_reader(zygote, message->serial);
    if (message->type == EXTRACT_READY) handle_ready(zygote, message);
    if (!reader) return;
    if (message->type == EXTRACT_BORN) {
        reader_on_born(reader, message->pid);
    } else if (message->type == EXTRACT_GONE) {
        unlink_reader(zygote, reader);
        reader_on_gone(reader, message->status);
    } else if (message->type == EXTRACT_REFUSED) {
        log_warning("the helper could not fork", strerror(message->status));
        unlink_reader(zygote, reader);
        reader_on_unborn(reader);
    }
}

static void on_control(struct watch *watch, uint32_t events) {
    struct zygote *zygote = (struct zygote *)((char *)watch - offsetof(struct zygote, watch));
    (void)events;
    for (;;) {
        uint8_t bytes[EXTRACT_CONTROL_BYTES + 1]; /* one more shows a message that is too long */
        struct extract_control message;
        ssize_t size = recv(zygote->control, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        const char *violation =
            size > 0 ? extract_control_decode(bytes, (size_t)size, &message) : NULL;
        if (violation) log_warning("the helper process broke the protocol", violation);
        if (size <= 0 || violation) {
            handle_death(zygote);
            return;
        }
        handle_message(zygote, &message);
        if (zygote->control < 0) return;
    }
}

/* Empty environment, descriptor 0 the socket, 2 the log, a process group of its own so that a terminal's
 * Ctrl-C is the worker's to handle. Returns an errno. */
static int spawn(struct zygote *zygote, const char *program, int socket) {
    bool bare = !strcmp(shared_config_get(zygote->worker->config, "LEX_SANDBOX"), "off");
    char name[] = "lex-intel-extract", without[] = "--without-sandbox";
    char *words[] = {name, bare ? without : NULL, NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, EXTRACT_CONTROL_FD);
    posix_spawn_file_actions_addclose(&files, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int status = posix_spawn(&zygote->pid, program, &files, &attributes, words, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return status;
}

bool zygote_start(struct zygote *zygote, struct worker *worker) {
    int sockets[2];
    const char *program = shared_config_get(worker->config, "LEX_EXTRACT_PROGRAM");
    zygote->worker = worker;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets)) {
        log_warning("no socket for the helper", strerror(errno));
        return false;
    }
    int status = spawn(zygote, program, sockets[1]);
    close(sockets[1]);
    if (!status && !loop_add(&worker->loop, &zygote->watch, sockets[0], EPOLLIN, on_control))
        status = errno;
    if (status) {
        shared_log_with("extract", SHARED_ERROR, strerror(status), "LEX_EXTRACT_PROGRAM", program);
        close(sockets[0]);
        return false;
    }
    zygote->control = sockets[0];
    zygote->ready = false;
    zygote->children = 0;
    return true;
}

/* One message, with a descriptor when it is not -1. */
static bool send_message(struct zygote *zygote, const struct extract_control *message,
                         int descriptor) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    extract_control_encode(bytes, message);
    if (descriptor >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    return sendmsg(zygote->control, &header, MSG_NOSIGNAL) == (ssize_t)sizeof bytes;
}

static bool is_worn(const struct zygote *zygote) {
    return zygote->children >= CHILDREN_BEFORE_FRESH && !zygote->readers;
}

bool zygote_fork(struct zygote *zygote, struct reader *reader, int data) {
    const shared_config *config = zygote->worker->config;
    if (is_worn(zygote)) zygote_stop(zygote);
    bool sent = zygote->control >= 0 || zygote_start(zygote, zygote->worker);
    reader->serial = ++zygote->serial;
    sent = sent && send_message(zygote,
                                &(struct extract_control){
                                    .type = EXTRACT_NEW,
                                    .serial = reader->serial,
                                    .memory_bytes_max =
                                        (uint64_t)shared_config_int(config, "EXTRACT_MEMORY_BYTES"),
                                    .cpu_s_max = (uint32_t)(zygote->worker->limits.task_ms / 1000),
                                },
                                data);
    close(data);
    if (!sent) return false;
    zygote->children++;
    reader->next = zygote->readers;
    zygote->readers = reader;
    return true;
}

void zygote_kill(struct zygote *zygote, struct reader *reader) {
    struct extract_control message = {.type = EXTRACT_KILL, .serial = reader->serial};
    if (zygote->control >= 0 && find_reader(zygote, reader->serial))
        (void)send_message(zygote, &message,
                           -1); /* not sent: its socket is full, and it is dying */
}

void zygote_forget(struct zygote *zygote, struct reader *reader) {
    zygote_kill(zygote, reader);
    unlink_reader(zygote, reader);
}

void zygote_stop(struct zygote *zygote) {
    if (zygote->control < 0) return;
    loop_remove(&zygote->worker->loop, &zygote->watch);
    close(zygote->control); /* it kills its children and ends */
    zygote->control = -1;
    while (zygote->readers) unlink_reader(zygote, zygote->readers);
    waitpid(zygote->pid, NULL, 0);
}
