/* SPDX-License-Identifier: MIT
 * test_escape.c - tries to get out of the box. Each attempt runs twice in a process of its own:
 * outside, where it must work (else it would prove nothing), and inside, where it must not. Then
 * every system call by number against the list of those that may return.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempts.h"
#include "sandbox.h"
#include "unit.h"

enum { WORKED = 0, REFUSED = 1, NO_BOX = 2, CALLS = 600, TWINS_MIN = 35 };

static struct sandbox sandbox;
static const struct sandbox_limits limits = {.memory_bytes_max = (uint64_t)1 << 30,
                                             .cpu_s_max = 10};
static const char secret[] = "a secret of the worker";

static void prepare(void) {
    sandbox_prepare(&sandbox, true);
    ck_assert_msg(!sandbox.problem[0], "no sandbox on this machine: %s", sandbox.problem);
}

/* ---- attempts */

static void make_target(struct target *target, pid_t victim) {
    static char folder[] = "/tmp/lex-intel-escape-XXXXXX";
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    *target = (struct target){.victim = victim, .secret = secret};
    snprintf(target->folder, sizeof target->folder, "%s", folder);
    snprintf(target->file, sizeof target->file, "%s/file", folder);
    snprintf(target->other, sizeof target->other, "%s/other", folder);
    int file = open(target->file, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(file, 0);
    close(file);
}

static void drop_target(const struct target *target) {
    unlink(target->file);
    if (unlink(target->other) != 0) rmdir(target->other);
    ck_assert_int_eq(rmdir(target->folder), 0);
}

static _Noreturn void try_in_child(const struct attempt *attempt, struct target *target,
                                   bool boxed) {
    char problem[SANDBOX_PROBLEM_BYTES];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) _exit(NO_BOX);
    if (boxed && !sandbox_isolate_descriptors(pair[0])) _exit(NO_BOX);
    if (boxed && !sandbox_enter(&sandbox, &limits, problem)) _exit(NO_BOX);
    target->socket = boxed ? 0 : pair[0];
    _exit(attempt->try(target) ? WORKED : REFUSED);
}

static int run(const struct attempt *attempt, pid_t victim, bool boxed) {
    struct target target;
    int status;
    make_target(&target, victim);
    pid_t pid = fork();
    if (pid == 0) try_in_child(attempt, &target, boxed);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    drop_target(&target);
    return status;
}

static pid_t make_victim(void) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        for (;;) pause();
    }
    return pid;
}

START_TEST(each_attempt_works_outside_and_fails_inside) {
    size_t twins = 0;
    prepare();
    pid_t victim = make_victim();
    for (size_t i = 0; i < attempt_count; i++) {
        const struct attempt *attempt = &attempts[i];
        int outside = run(attempt, victim, false);
        ck_assert_msg(attempt->needs_privilege || outside == WORKED, "outside: %s: status %#x",
                      attempt->name, (unsigned int)outside);
        twins += outside == WORKED;
        if (sandbox_is_relaxed && attempt->fate == FATE_NO_MEMORY) continue;
        int inside = run(attempt, victim, true);
        bool killed = WIFSIGNALED(inside) && WTERMSIG(inside) == SIGSYS;
        bool refused = WIFEXITED(inside) && WEXITSTATUS(inside) == REFUSED;
        bool may_be_refused = attempt->fate != FATE_KILLED || sandbox_is_relaxed;
        ck_assert_msg(killed ? attempt->fate == FATE_KILLED : refused && may_be_refused,
                      "inside: %s: status %#x", attempt->name, (unsigned int)inside);
    }
    ck_assert_uint_ge(twins, TWINS_MIN);
    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0);
}
END_TEST

START_TEST(without_seccomp_landlock_still_refuses) {
    static const char *const names[] = {"open a file",   "create a file", "remove a file",
                                        "make a folder", "list a folder", "open /etc/passwd"};
    prepare();
    /* A filter that lets all pass, so that what refuses is the other wall. */
    struct sandbox open_filter = sandbox;
    uint64_t allow_all[] = {(uint64_t)0x7fff0000 << 32 | 0x06}; /* BPF: return SECCOMP_RET_ALLOW */
    open_filter.filter = (struct sock_filter *)(void *)allow_all;
    open_filter.filter_length = 1;
    struct sandbox whole = sandbox;
    sandbox = open_filter;
    for (size_t i = 0; i < attempt_count; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(attempts[i].name, names[k]) == 0)
                ck_assert_msg(run(&attempts[i], getpid(), true) == REFUSED << 8, "%s", names[k]);
    sandbox = whole;
}
END_TEST

/* ---- every system call */

static const long may_return[] = {
    SYS_read,         SYS_writev,        SYS_munmap,    SYS_mremap,    SYS_madvise, SYS_brk,
    SYS_futex,        SYS_exit_group,    SYS_setitimer, SYS_getrandom, SYS_getpid,  SYS_sysinfo,
    SYS_gettimeofday, SYS_clock_gettime, SYS_mmap,      SYS_mprotect,  SYS_gettid,
#ifdef SYS_time
    SYS_time,
#endif
};

static const long answer_no[] = {
    SYS_openat,     SYS_fstat,      SYS_faccessat, SYS_faccessat2, SYS_statx,
    SYS_readlinkat, SYS_getdents64,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_open
    SYS_open,       SYS_stat,       SYS_lstat,     SYS_access,     SYS_readlink,
#endif
};

static bool holds(const long *list, size_t count, long call) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == call) return true;
    return false;
}

/* The kernel lets uretprobe and uprobe (335, 336 on x86-64) past every filter. */
static bool is_passed_by_kernel(long call) {
#ifdef __x86_64__
    return call == 335 || call == 336;
#else
    return (void)call, false;
#endif
}

static _Noreturn void call_in_child(long call) {
    char problem[SANDBOX_PROBLEM_BYTES];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) _exit(NO_BOX);
    close(pair[1]); /* a read finds the end */
    if (!sandbox_isolate_descriptors(pair[0])) _exit(NO_BOX);
    if (!sandbox_enter(&sandbox, &limits, problem)) _exit(NO_BOX);
    long result = syscall(call, 0, 0, 0, 0, 0, 0);
    _exit(result < 0 && errno == EACCES ? REFUSED : WORKED);
}

static int try_call(long call) {
    int status;
    pid_t pid = fork();
    if (pid == 0) call_in_child(call);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

START_TEST(every_other_system_call_ends_the_process) {
    if (sandbox_is_relaxed) return; /* AddressSanitizer needs some more */
    prepare();
    ck_assert_uint_le(sizeof may_return / sizeof *may_return, 20);
    for (long call = 0; call < CALLS; call++) {
        if (is_passed_by_kernel(call)) continue;
        int status = try_call(call);
        if (holds(may_return, sizeof may_return / sizeof *may_return, call))
            ck_assert_msg(status == WORKED, "call %ld: status %#x", call, (unsigned int)status);
        else if (holds(answer_no, sizeof answer_no / sizeof *answer_no, call))
            ck_assert_msg(status == REFUSED << 8, "call %ld: status %#x", call,
                          (unsigned int)status);
        else
            ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "call %ld: status %#x",
                          call, (unsigned int)status);
    }
}
END_TEST

#ifdef __x86_64__
START_TEST(other_doors_into_the_kernel_are_shut) {
    enum { X32 = 0x40000000 };
    prepare();
    ck_assert_int_eq(WTERMSIG(try_call(X32 | SYS_read)), SIGSYS);
    ck_assert_int_eq(WTERMSIG(try_call(X32 | SYS_getpid)), SIGSYS);
    ck_assert_int_eq(WTERMSIG(try_call(-1)), SIGSYS);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char problem[SANDBOX_PROBLEM_BYTES];
        if (!sandbox_enter(&sandbox, &limits, problem)) _exit(NO_BOX);
        long result = 20; /* getpid of the 32-bit table, which is writev of ours */
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
        _exit(WORKED);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    /* A kernel without 32-bit support has no such door: SIGSEGV. */
    ck_assert(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
}
END_TEST
#endif

/* ---- failing closed */

START_TEST(what_cannot_be_built_is_not_entered) {
    char problem[SANDBOX_PROBLEM_BYTES] = "";
    struct sandbox none = {.wanted = true, .problem = "this kernel has no Landlock"};
    ck_assert(!sandbox_enter(&none, &limits, problem));
    ck_assert_str_eq(problem, "this kernel has no Landlock");
}
END_TEST

START_TEST(a_filter_that_the_kernel_refuses_is_an_error) {
    prepare();
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char problem[SANDBOX_PROBLEM_BYTES] = "";
        struct sandbox broken = sandbox;
        broken.filter_length = 0;
        bool entered = sandbox_enter(&broken, &limits, problem);
        _exit(!entered && strstr(problem, "seccomp: Invalid argument") ? WORKED : REFUSED);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, WORKED);
}
END_TEST

START_TEST(rules_that_landlock_refuses_are_an_error) {
    prepare();
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char problem[SANDBOX_PROBLEM_BYTES] = "";
        /* No descriptor is left for the rules. */
        bool limited = true;
        while (limited) limited = dup(0) >= 0;
        bool entered = sandbox_enter(&sandbox, &limits, problem);
        _exit(!entered && strstr(problem, "Landlock rules: Too many open files") ? WORKED
                                                                                 : REFUSED);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, WORKED);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_attempt_works_outside_and_fails_inside, without_seccomp_landlock_still_refuses,
        every_other_system_call_ends_the_process,
#ifdef __x86_64__
        other_doors_into_the_kernel_are_shut,
#endif
        what_cannot_be_built_is_not_entered,         a_filter_that_the_kernel_refuses_is_an_error,
        rules_that_landlock_refuses_are_an_error,
    };
    return unit_run("extract-escape", tests, sizeof tests / sizeof *tests);
}
