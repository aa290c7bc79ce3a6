/* SPDX-License-Identifier: MIT
 * fault.c - libc's calls with a fault among them: these definitions come before libc's for every shared
 * library of the process. Under a sanitizer, which has an allocator of its own, memory never fails.
 */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

static _Thread_local struct {
    bool armed, for_ever, fired;
    enum fault_call call;
    int number;
    long at;
    long counts[FAULT_CALLS];
} plan;

/* Where libcrypto's code is: a SCRAM login allocates there many thousand times, and how OpenSSL fares
 * without memory is not what is tested. */
static uintptr_t crypto_start, crypto_end;

static int crypto_find(struct dl_phdr_info *object, size_t size, void *data) {
    (void)size;
    (void)data;
    if (!strstr(object->dlpi_name, "libcrypto")) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        crypto_start = object->dlpi_addr + part->p_vaddr;
        crypto_end = crypto_start + part->p_memsz;
    }
    return 1;
}

void fault_arm(enum fault_call call, int number, long at, bool for_ever) {
    if (!crypto_end) (void)dl_iterate_phdr(crypto_find, NULL);
    for (int i = 0; i < FAULT_CALLS; i++) plan.counts[i] = 0;
    plan.for_ever = for_ever;
    plan.fired = false;
    plan.call = call;
    plan.number = number;
    plan.at = at;
    plan.armed = true;
}

void fault_disarm(void) {
    plan.armed = false;
}

void fault_resume(void) {
    plan.armed = true;
}

bool fault_fired(void) {
    return plan.fired;
}

long fault_count(enum fault_call call) {
    return plan.counts[call];
}

/* Counts the call; whether it is the one. */
static bool strikes(enum fault_call call) {
    if (!plan.armed) return false;
    long count = plan.counts[call]++;
    if (call != plan.call || count < plan.at || (count > plan.at && !plan.for_ever)) return false;
    return plan.fired = true;
}

static bool is_socket(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

/* What it fails with. A connection that was reset stays so: libpq looks for the end that must follow. */
static ssize_t failed(int fd) {
    if (plan.number == ECONNRESET) (void)shutdown(fd, SHUT_RDWR);
    errno = plan.number;
    return -1;
}

/* The size to go on with, or -1 with errno set. */
static ssize_t cut(enum fault_call call, int fd, size_t size) {
    if (!strikes(call)) return (ssize_t)size;
    return plan.number == FAULT_SHORT ? size > 0 : failed(fd);
}

/* libc's own, found once. dlsym gives an object pointer; POSIX lets it be a function. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

ssize_t recv(int fd, void *data, size_t size, int flags) {
    REAL(recv);
    ssize_t left = cut(FAULT_RECV, fd, size);
    return left < 0 ? -1 : real(fd, data, (size_t)left, flags);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(send);
    ssize_t left = cut(FAULT_SEND, fd, size);
    return left < 0 ? -1 : real(fd, data, (size_t)left, flags);
}

ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    ssize_t left = (ssize_t)size;
    if (plan.armed)
        left = is_socket(fd) ? cut(FAULT_RECV, fd, size) : (strikes(FAULT_EVENTFD), left);
    return left < 0 ? -1 : real(fd, data, (size_t)left);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    ssize_t left = (ssize_t)size;
    if (plan.armed)
        left = is_socket(fd) ? cut(FAULT_SEND, fd, size) : (strikes(FAULT_EVENTFD), left);
    return left < 0 ? -1 : real(fd, data, (size_t)left);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (!plan.armed || count < 1 || !is_socket(fd)) return real(fd, parts, count);
    if (!strikes(FAULT_SEND)) return real(fd, parts, count);
    if (plan.number == FAULT_SHORT) return write(fd, parts[0].iov_base, parts[0].iov_len > 0);
    return failed(fd);
}

/* An interrupted connect goes on by itself. */
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size) {
    REAL(connect);
    bool struck = strikes(FAULT_CONNECT);
    int status = struck && plan.number != EINTR ? -1 : real(fd, address, size);
    if (!struck) return status;
    errno = plan.number;
    return -1;
}

static bool refused(enum fault_call call) {
    if (!strikes(call)) return false;
    errno = plan.number;
    return true;
}

int socket(int domain, int type, int protocol) {
    REAL(socket);
    return refused(FAULT_SOCKET) ? -1 : real(domain, type, protocol);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms) {
    REAL(epoll_wait);
    return refused(FAULT_EPOLL_WAIT) ? -1 : real(fd, events, max, timeout_ms);
}

/* Taking a descriptor out cannot fail for want of anything. */
int epoll_ctl(int fd, int operation, int other, struct epoll_event *event) {
    REAL(epoll_ctl);
    if (operation == EPOLL_CTL_ADD && refused(FAULT_EPOLL_CTL)) return -1;
    return real(fd, operation, other, event);
}

int epoll_create1(int flags) {
    REAL(epoll_create1);
    return refused(FAULT_DESCRIPTOR) ? -1 : real(flags);
}

int eventfd(unsigned count, int flags) {
    REAL(eventfd);
    return refused(FAULT_DESCRIPTOR) ? -1 : real(count, flags);
}

int timerfd_create(clockid_t clock, int flags) {
    REAL(timerfd_create);
    return refused(FAULT_DESCRIPTOR) ? -1 : real(clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
    REAL(timerfd_settime);
    (void)strikes(FAULT_TIMER);
    return real(fd, flags, new, old);
}

#ifdef FAULT_MEMORY_TOO
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

#define CALLER ((uintptr_t)__builtin_return_address(0))

static bool scarce(uintptr_t caller) {
    return (caller < crypto_start || caller >= crypto_end) && refused(FAULT_MEMORY);
}

void *malloc(size_t size) {
    return scarce(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return scarce(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    return scarce(CALLER) ? NULL : __libc_realloc(memory, size);
}
#endif
