/* SPDX-License-Identifier: MIT
 * child.h - the life of one forked child: one document in, its pages out.
 */
#ifndef EXTRACT_CHILD_H
#define EXTRACT_CHILD_H

#include "sandbox.h"

/* Runs in the child, right after the fork; ends with _exit. */
_Noreturn void child_run(int data, const struct sandbox *sandbox,
                         const struct sandbox_limits *limits);

#endif
