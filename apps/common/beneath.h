/* SPDX-License-Identifier: MIT
 * beneath.h - opens files by paths that others wrote, and never one outside of their folder.
 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

#include <stdint.h>

/* path is relative to the folder, whose name is root, or absolute below root (as Python services write
 * it). A descriptor for reading and the size; -1 and errno: ENOENT when no plain file is there. */
int beneath_open(int folder, const char *root, const char *path, int64_t *size);

#endif
