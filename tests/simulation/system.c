/* SPDX-License-Identifier: MIT
 * system.c - the system calls that a client makes, answered by the simulation: the linker puts these in the
 * place of the C library's (--wrap). Descriptors are numbers that no real one has; anything else goes through.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "sim.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int epoll, struct epoll_event *out, int most, int timeout_ms);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *value,
                           struct itimerspec *old);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_close(int fd);
ssize_t __wrap_read(int fd, void *out, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_gethostname(char *name, size_t size);
pid_t __wrap_getpid(void);
int __real_close(int fd);
ssize_t __real_read(int fd, void *out, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
uint64_t sim_library_random(void);

/* 24 Nov 2026; the monotonic clock begins at an hour, so that no time is near zero. */
static const int64_t WALL_START_US = INT64_C(1795478400) * US_PER_S;
static const int64_t MONOTONIC_START_US = INT64_C(3600) * US_PER_S;

int __wrap_clock_gettime(clockid_t clock, struct timespec *out) {
    int64_t us = sim_now_us();
    us += clock == CLOCK_REALTIME ? WALL_START_US + (sim_running ? sim_running->wall_off_us : 0)
                                  : MONOTONIC_START_US;
    *out = (struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags) {
    (void)flags;
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t number = sim_library_random();
        size_t part = size - done < sizeof number ? size - done : sizeof number;
        memcpy((char *)out + done, &number, part);
    }
    return (ssize_t)size;
}

int __wrap_epoll_create1(int flags) {
    (void)flags;
    return FD_EPOLL;
}

/* The network's source is kept; the timer and the signal never need to wake anybody here. */
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    (void)epoll;
    if (fd == FD_NETWORK && operation != EPOLL_CTL_DEL) sim_running->source = event->data.ptr;
    return 0;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *out, int most, int timeout_ms) {
    (void)epoll;
    (void)most;
    (void)timeout_ms;
    if (!sim_running || !sim_running->source || !process_has_mail(sim_running)) return 0;
    out[0] = (struct epoll_event){.events = EPOLLIN, .data.ptr = sim_running->source};
    return 1;
}

int __wrap_timerfd_create(int clock, int flags) {
    (void)clock;
    (void)flags;
    return FD_TIMER;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *value,
                           struct itimerspec *old) {
    (void)fd;
    (void)flags;
    (void)value;
    (void)old;
    return 0;
}

int __wrap_eventfd(unsigned count, int flags) {
    (void)count;
    (void)flags;
    return FD_SIGNAL;
}

int __wrap_close(int fd) {
    return fd >= FD_EPOLL ? 0 : __real_close(fd);
}

ssize_t __wrap_read(int fd, void *out, size_t size) {
    if (fd < FD_EPOLL) return __real_read(fd, out, size);
    memset(out, 0, size);
    return (ssize_t)size;
}

/* What processes log is a part of a trace that is printed, and nothing else. */
ssize_t __wrap_write(int fd, const void *data, size_t size) {
    bool is_log = sim_running && fd == STDERR_FILENO;
    if (is_log && sim_traces) return __real_write(STDOUT_FILENO, data, size);
    return fd >= FD_EPOLL || is_log ? (ssize_t)size : __real_write(fd, data, size);
}

int __wrap_gethostname(char *name, size_t size) {
    memset(name, 0, size);
    strncpy(name, "simulation", size - 1);
    return 0;
}

pid_t __wrap_getpid(void) {
    return 1 + (sim_running ? sim_running->number : 0);
}
/* NOLINTEND(bugprone-reserved-identifier) */

int64_t sim_wall_us(void) {
    return WALL_START_US + sim_now_us();
}
