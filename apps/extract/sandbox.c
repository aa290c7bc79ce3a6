/* SPDX-License-Identifier: MIT
 * sandbox.c - builds and enters the box of sandbox.h. Never reads a document.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { STACK_BYTES_MAX = 8 << 20, DESCRIPTORS_BEFORE_5_9 = 1024 };

/* What reading a document needs, found by strace over the corpora; the clocks are for machines
 * where the vDSO falls back to the kernel; glibc's qsort asks sysinfo, PDFium gettid to name a font that
 * a form lacks. */
static const int allowed[] = {
    SCMP_SYS(read),         SCMP_SYS(writev),    SCMP_SYS(munmap),  SCMP_SYS(mremap),
    SCMP_SYS(madvise),      SCMP_SYS(brk),       SCMP_SYS(futex),   SCMP_SYS(exit_group),
    SCMP_SYS(setitimer),    SCMP_SYS(getrandom), SCMP_SYS(getpid),  SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(time),      SCMP_SYS(sysinfo), SCMP_SYS(gettid),
};

/* Allowed while the third argument, the protection, has no PROT_EXEC. */
static const int allowed_unless_exec[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

/* PDFium looks for files, and does well without: told no, it goes on. */
static const int denied[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(stat),     SCMP_SYS(lstat),
    SCMP_SYS(fstat),      SCMP_SYS(newfstatat), SCMP_SYS(access),   SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(statx),      SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
};

/* The one difference of a build with AddressSanitizer: its runtime reports through these, and needs
 * more address space than any limit. Such a build is for tests only. */
static const int allowed_when_sanitized[] = {SCMP_SYS(write), SCMP_SYS(sigaltstack),
                                             SCMP_SYS(sched_yield)};
static const int denied_when_sanitized[] = {SCMP_SYS(ioctl), SCMP_SYS(prctl),
                                            SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask)};

const bool sandbox_is_relaxed = SANITIZED;

static bool report(char problem[SANDBOX_PROBLEM_BYTES], const char *what, int error) {
    snprintf(problem, SANDBOX_PROBLEM_BYTES, "%s: %s", what, strerror(error));
    return false;
}

/* ---- Landlock */

/* The headers of the build machine may be older than the kernel that this runs on. */
struct ruleset {
    uint64_t files, network, scoped;
};
#define NETWORK_ALL ((uint64_t)3)       /* bind and connect TCP, since ABI 4 */
#define SCOPED_ALL  ((uint64_t)3)       /* abstract sockets and signals, since ABI 6 */
#define IOCTL_DEV   ((uint64_t)1 << 15) /* since ABI 5 */
#define TRUNCATE    ((uint64_t)1 << 14) /* since ABI 3 */
#define REFER       ((uint64_t)1 << 13) /* since ABI 2 */
#define FILES_ABI_1 (((uint64_t)1 << 13) - 1)

static uint32_t landlock_abi(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? (uint32_t)abi : 0;
}

/* Takes away all that this kernel's Landlock can take, with no exception. */
static bool enter_landlock(uint32_t abi, char *problem) {
    struct ruleset rules = {.files = FILES_ABI_1};
    size_t size = sizeof rules.files;
    if (abi >= 2) rules.files |= REFER;
    if (abi >= 3) rules.files |= TRUNCATE;
    if (abi >= 4) {
        rules.network = NETWORK_ALL;
        size += sizeof rules.network;
    }
    if (abi >= 5) rules.files |= IOCTL_DEV;
    if (abi >= 6) {
        rules.scoped = SCOPED_ALL;
        size += sizeof rules.scoped;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) return report(problem, "Landlock rules", errno);
    long result = syscall(SYS_landlock_restrict_self, ruleset, 0);
    int error = errno;
    close(ruleset);
    return result == 0 || report(problem, "Landlock", error);
}

/* ---- seccomp */

static int add_rules(scmp_filter_ctx context, uint32_t action, const int *calls, size_t count) {
    int result = 0;
    for (size_t i = 0; i < count && !result; i++)
        result = seccomp_rule_add(context, action, calls[i], 0);
    return result;
}

static int describe_filter(scmp_filter_ctx context) {
    const size_t size = sizeof *allowed;
    int result = add_rules(context, SCMP_ACT_ALLOW, allowed, sizeof allowed / size);
    if (!result) result = add_rules(context, SCMP_ACT_ERRNO(EACCES), denied, sizeof denied / size);
    if (!result && sandbox_is_relaxed)
        result = add_rules(context, SCMP_ACT_ALLOW, allowed_when_sanitized,
                           sizeof allowed_when_sanitized / size);
    if (!result && sandbox_is_relaxed)
        result = add_rules(context, SCMP_ACT_ERRNO(EACCES), denied_when_sanitized,
                           sizeof denied_when_sanitized / size);
    for (size_t i = 0; i < sizeof allowed_unless_exec / size && !result; i++)
        result = seccomp_rule_add(context, SCMP_ACT_ALLOW, allowed_unless_exec[i], 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return result;
}

/* The filter as the kernel wants it, so that a child has nothing left to compute. */
static bool export_filter(struct sandbox *sandbox, scmp_filter_ctx context) {
    int file = memfd_create("filter", MFD_CLOEXEC);
    struct stat state;
    bool exported = file >= 0 && seccomp_export_bpf(context, file) == 0 &&
                    fstat(file, &state) == 0 && state.st_size > 0;
    if (exported) {
        sandbox->filter = malloc((size_t)state.st_size);
        sandbox->filter_length = (size_t)state.st_size / sizeof *sandbox->filter;
        exported = sandbox->filter &&
                   pread(file, sandbox->filter, (size_t)state.st_size, 0) == state.st_size;
    }
    if (file >= 0) close(file);
    return exported;
}

static bool build_filter(struct sandbox *sandbox) {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result = context ? describe_filter(context) : -ENOMEM;
    if (result) report(sandbox->problem, "seccomp rules", -result);
    bool built = !result && export_filter(sandbox, context);
    if (!result && !built) report(sandbox->problem, "seccomp filter", errno);
    if (context) seccomp_release(context);
    return built;
}

static bool enter_seccomp(const struct sandbox *sandbox, char *problem) {
    struct sock_fprog program = {.len = (unsigned short)sandbox->filter_length,
                                 .filter = sandbox->filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return true;
    return report(problem, "seccomp", errno);
}

void sandbox_prepare(struct sandbox *sandbox, bool wanted) {
    *sandbox = (struct sandbox){.wanted = wanted, .landlock_abi = landlock_abi()};
    if (!wanted) return;
    if (!sandbox->landlock_abi)
        report(sandbox->problem, "this kernel has no Landlock", ENOSYS);
    else
        build_filter(sandbox);
}

void sandbox_finish(struct sandbox *sandbox) {
    free(sandbox->filter);
    sandbox->filter = NULL;
}

/* ---- the rest of the box */

bool sandbox_isolate_descriptors(int data) {
    if (data != 0 && dup2(data, 0) != 0) return false;
    unsigned int first = sandbox_is_relaxed ? 3 : 1; /* a sanitizer reports to descriptor 2 */
    if (syscall(SYS_close_range, first, ~0u, 0) == 0) return true;
    for (int descriptor = (int)first; descriptor < DESCRIPTORS_BEFORE_5_9; descriptor++)
        close(descriptor);
    return errno == EBADF;
}

static bool limit(int resource, uint64_t soft, uint64_t hard, char *problem) {
    struct rlimit value = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};
    struct rlimit present;
    if (getrlimit((__rlimit_resource_t)resource, &present) == 0) {
        /* An ordinary user cannot raise a limit that is lower already. */
        if (value.rlim_max > present.rlim_max) value.rlim_max = present.rlim_max;
        if (value.rlim_cur > value.rlim_max) value.rlim_cur = value.rlim_max;
    }
    if (setrlimit((__rlimit_resource_t)resource, &value) == 0) return true;
    return report(problem, "resource limit", errno);
}

static bool enter_limits(const struct sandbox_limits *limits, char *problem) {
    return limit(RLIMIT_CORE, 0, 0, problem) && limit(RLIMIT_FSIZE, 0, 0, problem) &&
           limit(RLIMIT_NPROC, 0, 0, problem) && limit(RLIMIT_NOFILE, 0, 0, problem) &&
           limit(RLIMIT_STACK, STACK_BYTES_MAX, STACK_BYTES_MAX, problem) &&
           /* SIGXCPU at the limit, SIGKILL a second later */
           limit(RLIMIT_CPU, limits->cpu_s_max, (uint64_t)limits->cpu_s_max + 1, problem) &&
           (sandbox_is_relaxed ||
            limit(RLIMIT_AS, limits->memory_bytes_max, limits->memory_bytes_max, problem));
}

bool sandbox_enter(const struct sandbox *sandbox, const struct sandbox_limits *limits,
                   char problem[SANDBOX_PROBLEM_BYTES]) {
    if (!sandbox->wanted) return enter_limits(limits, problem);
    if (sandbox->problem[0]) {
        snprintf(problem, SANDBOX_PROBLEM_BYTES, "%s", sandbox->problem);
        return false;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return report(problem, "no_new_privs", errno);
    /* Limits after Landlock, which needs a descriptor; the filter last, which forbids both. */
    return enter_landlock(sandbox->landlock_abi, problem) && enter_limits(limits, problem) &&
           enter_seccomp(sandbox, problem);
}

void sandbox_arm_timer(uint32_t cpu_ms) {
    struct itimerval timer = {
        .it_value = {.tv_sec = cpu_ms / 1000, .tv_usec = (suseconds_t)(cpu_ms % 1000) * 1000}};
    setitimer(ITIMER_PROF, &timer, NULL);
}
