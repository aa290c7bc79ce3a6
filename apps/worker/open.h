/* SPDX-License-Identifier: MIT
 * open.h - opens an uploaded file, and never one outside UPLOAD_DIR.
 */
#ifndef WORKER_OPEN_H
#define WORKER_OPEN_H

#include <stdint.h>

/* path is relative to the folder, or absolute below upload_dir (as Python services write it). A
 * descriptor for reading and the size; -1 and errno: ENOENT also for what is not a plain file. */
int open_upload(int folder, const char *upload_dir, const char *path, int64_t *size);

#endif
