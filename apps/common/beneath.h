/* SPDX-License-Identifier: MIT
 * beneath.h - opens and removes files by paths that others wrote, and never one outside of their folder.
 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

#include <stdint.h>

/* path is relative to the folder, whose name is root, or absolute below root (as Python services write
 * it). A descriptor for reading and the size; -1 and errno: ENOENT when no plain file is there. */
int beneath_open(int folder, const char *root, const char *path, int64_t *size);
/* Removes what beneath_open opens. -1 and errno: ENOENT when there is nothing by that path. */
int beneath_remove(int folder, const char *root, const char *path);
/* The one way to write such a path, by which two can be compared: relative, without "." and empty names.
 * The caller frees it. NULL and errno: ENOENT when nothing can be there (it leads out, or ends in "/"). */
char *beneath_name(const char *root, const char *path);

#endif
