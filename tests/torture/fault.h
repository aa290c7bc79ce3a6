/* SPDX-License-Identifier: MIT
 * fault.h - the calls that go from the library, libpq and hiredis to the system, with the n-th of a kind
 * failing or cut short. fault.c stands in front of libc's for the whole process; only the thread that
 * tests is touched. Never decides what the flow is.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

enum fault_call {
    FAULT_RECV, /* recv and read of a socket */
    FAULT_SEND, /* send, write and writev of a socket */
    FAULT_CONNECT,
    FAULT_SOCKET,
    FAULT_EPOLL_WAIT,
    FAULT_EPOLL_CTL,
    FAULT_DESCRIPTOR, /* epoll_create1, eventfd, timerfd_create */
    FAULT_TIMER,      /* timerfd_settime; counted only */
    FAULT_EVENTFD,    /* read and write of what is no socket; counted only */
    FAULT_MEMORY,     /* malloc, calloc, realloc of anybody but libcrypto */
    FAULT_CALLS
};

/* For fault_arm(): not an errno, but a byte at a time, or null. */
enum { FAULT_SHORT = 0 };

/* The call number at (from 0) of a kind fails with errno number, or is cut to one byte; all after it too
 * when for_ever. Forgets the counts. */
void fault_arm(enum fault_call call, int number, long at, bool for_ever);
void fault_disarm(void);
/* As it was before fault_disarm(): the counts go on. */
void fault_resume(void);
/* Since it was armed. */
bool fault_fired(void);
long fault_count(enum fault_call call);

#endif
