/* SPDX-License-Identifier: MIT
 * disk.h - the one helper thread of a backend: what may take long on a disk (fsync, rename, unlink)
 * and would hold up every viewer if the loop did it.
 */
#ifndef BACKEND_DISK_H
#define BACKEND_DISK_H

#include "server.h"

/* Embedded in whatever has something to do. */
struct disk_job {
    void (*work)(struct disk_job *job); /* on the helper thread; touches nothing but the job */
    void (*done)(struct disk_job *job); /* on the loop's thread; may free the job */
    struct disk_job *next;
};

struct disk *disk_new(struct server *server);
/* done is always called. false: the thread did not start. */
bool disk_submit(struct server *server, struct disk_job *job);
/* Works off what waits. */
void disk_free(struct disk *disk);

#endif
