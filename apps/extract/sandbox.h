/* SPDX-License-Identifier: MIT
 * sandbox.h - the box around one document: no_new_privs, Landlock with nothing allowed, resource
 * limits, and a list of the few system calls that reading needs; any other one ends the process.
 *
 * What it relies on: a kernel with Landlock (5.13) and seccomp. It fails closed: sandbox_enter
 * answers false, and the caller must not touch the document. Needs no privilege, no namespace, no
 * file.
 */
#ifndef EXTRACT_SANDBOX_H
#define EXTRACT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sock_filter;

enum { SANDBOX_PROBLEM_BYTES = 160 };

/* True in a build with AddressSanitizer, whose box is wider (sandbox.c says by what): for tests
 * only. */
extern const bool sandbox_is_relaxed;

struct sandbox {
    bool wanted;           /* false: only the resource limits hold */
    uint32_t landlock_abi; /* 0: the kernel has none */
    struct sock_filter *filter;
    size_t filter_length;
    char problem[SANDBOX_PROBLEM_BYTES]; /* "" or why it cannot be entered */
};

struct sandbox_limits {
    uint64_t memory_bytes_max;
    uint32_t cpu_s_max;
};

/* Builds the filter and asks the kernel what it has; once, before any fork. */
void sandbox_prepare(struct sandbox *sandbox, bool wanted);
void sandbox_finish(struct sandbox *sandbox);
/* Closes every descriptor but the data socket, which becomes descriptor 0. */
bool sandbox_isolate_descriptors(int data);
/* There is no way back. false: problem says what was refused. */
bool sandbox_enter(const struct sandbox *sandbox, const struct sandbox_limits *limits,
                   char problem[SANDBOX_PROBLEM_BYTES]);
/* Per page: when that much CPU time is used up, SIGPROF ends the process. */
void sandbox_arm_timer(uint32_t cpu_ms);

#endif
