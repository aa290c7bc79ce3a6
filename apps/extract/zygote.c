/* SPDX-License-Identifier: MIT
 * zygote.c - answers the control socket: forks children, reaps them, kills them when told.
 * Never touches a document: its memory is what each child starts with, so it holds nothing of any.
 */
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "document.h"

struct child {
    pid_t pid; /* 0: the place is free */
    uint64_t serial;
};

struct zygote {
    struct sandbox sandbox;
    int child_signals; /* signalfd of SIGCHLD */
    struct child children[EXTRACT_CHILDREN_MAX];
};

/* A worker that does not read is waited for: it is the only one that is served. */
static bool tell(const struct extract_control *message) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    extract_control_encode(bytes, message);
    for (;;) {
        ssize_t sent = send(EXTRACT_CONTROL_FD, bytes, sizeof bytes, MSG_NOSIGNAL);
        if (sent >= 0) return sent == (ssize_t)sizeof bytes;
        struct pollfd ready = {.fd = EXTRACT_CONTROL_FD, .events = POLLOUT};
        if (errno == EAGAIN) poll(&ready, 1, -1);
        if (errno != EAGAIN && errno != EINTR) return false;
    }
}

/* pid 0: a free place. */
static struct child *find_child(struct zygote *zygote, pid_t pid) {
    for (int i = 0; i < EXTRACT_CHILDREN_MAX; i++)
        if (zygote->children[i].pid == pid) return &zygote->children[i];
    return NULL;
}

/* ---- orders of the worker */

static bool refuse(uint64_t serial, int error) {
    return tell(
        &(struct extract_control){.type = EXTRACT_REFUSED, .serial = serial, .status = error});
}

static _Noreturn void become_child(const struct zygote *zygote, pid_t parent, int data,
                                   const struct extract_control *order) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    child_run(data, &zygote->sandbox,
              &(struct sandbox_limits){.memory_bytes_max = order->memory_bytes_max,
                                       .cpu_s_max = order->cpu_s_max});
}

static bool bear(struct zygote *zygote, const struct extract_control *order, int data) {
    struct child *child = find_child(zygote, 0);
    if (!child) return refuse(order->serial, EAGAIN);
    if (data < 0) return refuse(order->serial, EBADF);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become_child(zygote, parent, data, order);
    if (pid < 0) return refuse(order->serial, errno);
    *child = (struct child){.pid = pid, .serial = order->serial};
    return tell(
        &(struct extract_control){.type = EXTRACT_BORN, .serial = order->serial, .pid = pid});
}

static void kill_child(struct zygote *zygote, uint64_t serial) {
    for (int i = 0; i < EXTRACT_CHILDREN_MAX; i++)
        if (zygote->children[i].pid && zygote->children[i].serial == serial)
            kill(zygote->children[i].pid, SIGKILL);
}

/* One message and its descriptor, -1 when none came; false at the end or on nonsense: the worker is
 * gone. */
static bool receive_order(struct extract_control *order, int *data) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES + 1];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size;
    do size = recvmsg(EXTRACT_CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    *data = -1;
    *order = (struct extract_control){.type = 0};
    if (size < 0 && errno == EAGAIN) return true; /* the poll was wrong: no order, no harm */
    struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(data, CMSG_DATA(header), sizeof *data);
    return size > 0 && !extract_control_decode(bytes, (size_t)size, order);
}

static bool serve_order(struct zygote *zygote) {
    struct extract_control order;
    int data;
    bool served = receive_order(&order, &data);
    if (served && order.type == EXTRACT_NEW)
        served = bear(zygote, &order, data);
    else if (served && order.type == EXTRACT_KILL)
        kill_child(zygote, order.serial);
    else if (order.type)
        served = false;
    if (data >= 0) close(data);
    return served;
}

/* ---- ends of children */

static uint32_t milliseconds(const struct rusage *usage) {
    return (uint32_t)((usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
                      (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000);
}

static bool bury(struct zygote *zygote) {
    struct signalfd_siginfo ignored;
    bool told = true;
    while (read(zygote->child_signals, &ignored, sizeof ignored) > 0) {
    }
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid <= 0) return told;
        struct child *child = find_child(zygote, pid);
        if (!child) continue;
        told = tell(&(struct extract_control){.type = EXTRACT_GONE,
                                              .serial = child->serial,
                                              .pid = pid,
                                              .status = status,
                                              .cpu_ms = milliseconds(&usage),
                                              .rss_bytes = (uint64_t)usage.ru_maxrss * 1024}) &&
               told;
        *child = (struct child){0};
    }
}

static void kill_all(const struct zygote *zygote) {
    for (int i = 0; i < EXTRACT_CHILDREN_MAX; i++)
        if (zygote->children[i].pid) kill(zygote->children[i].pid, SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
}

/* ---- life */

/* When memory runs out the kernel shall take a helper, not the worker or the database. */
static void offer_to_die_first(void) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    if (write(file, "1000", 4) < 0) errno = 0; /* no harm: a wish, not a need */
    close(file);
}

static bool start(struct zygote *zygote, bool sandboxed) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return false;
    zygote->child_signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (zygote->child_signals < 0) return false;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* sandbox_enter reports, where it fails */
    offer_to_die_first();
    pdf_start();
    sandbox_prepare(&zygote->sandbox, sandboxed);
    return tell(&(struct extract_control){
        .type = EXTRACT_READY,
        .version = EXTRACT_VERSION,
        .sandboxed = sandboxed && !zygote->sandbox.problem[0],
        .landlock_abi = zygote->sandbox.landlock_abi,
    });
}

int zygote_run(bool sandboxed) {
    struct zygote zygote = {.child_signals = -1};
    bool started = start(&zygote, sandboxed);
    for (bool serving = started; serving;) {
        struct pollfd ready[] = {{.fd = EXTRACT_CONTROL_FD, .events = POLLIN},
                                 {.fd = zygote.child_signals, .events = POLLIN}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR) break;
        if (ready[1].revents) serving = bury(&zygote);
        if (serving && ready[0].revents) serving = serve_order(&zygote);
    }
    kill_all(&zygote);
    if (zygote.child_signals >= 0) close(zygote.child_signals);
    sandbox_finish(&zygote.sandbox);
    return started ? 0 : 1;
}
