/* SPDX-License-Identifier: MIT
 * zygote.h - the process that forks a child per document, as frame.h describes.
 */
#ifndef EXTRACT_ZYGOTE_H
#define EXTRACT_ZYGOTE_H

#include <stdbool.h>

/* Serves the control socket until it closes; returns the exit code. */
int zygote_run(bool sandboxed);

#endif
