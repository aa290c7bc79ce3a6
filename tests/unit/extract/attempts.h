/* SPDX-License-Identifier: MIT
 * attempts.h - what code that took over a child might try, each as one function.
 */
#ifndef TEST_ATTEMPTS_H
#define TEST_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Made before the box closes, for attempts to aim at. */
struct target {
    char file[64], other[64], folder[64]; /* paths: file exists, other does not */
    int socket;                           /* the data socket, 0 in the box */
    pid_t victim;                         /* a process of the same user */
    const char *secret;                   /* in the victim's memory, at the same address */
};

enum fate {
    FATE_KILLED,   /* the kernel ends the process: SIGSYS */
    FATE_TOLD_NO,  /* the call fails, and the process goes on */
    FATE_NO_MEMORY /* the same by the memory limit, which a relaxed box does without */
};

struct attempt {
    const char *name;
    bool (*try)(struct target *target); /* true: it worked */
    enum fate fate;
    bool needs_privilege; /* outside the box it may fail as well, for want of rights */
};

extern const struct attempt attempts[];
extern const size_t attempt_count;

#endif
