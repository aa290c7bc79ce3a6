/* SPDX-License-Identifier: MIT
 * zygote.h - the one lex-intel-extract process of a worker, from which each document's child is forked.
 * Started with an empty environment and one descriptor; started again when it dies, and fresh after many
 * documents.
 */
#ifndef WORKER_ZYGOTE_H
#define WORKER_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

struct worker;
struct reader;

struct zygote {
    struct worker *worker;
    struct watch watch;
    int control; /* our end, -1: it does not run */
    bool ready;  /* it said so */
    pid_t pid;
    uint64_t serial;        /* of the newest child */
    int32_t children;       /* asked for, since it was started */
    struct reader *readers; /* list of those whose child may live */
};

void zygote_init(struct zygote *zygote);
/* false: it could not be started; the reason is logged. */
bool zygote_start(struct zygote *zygote, struct worker *worker);
/* Asks for a child that owns data (closed here); reader gets reader_on_born, reader_on_gone,
 * or reader_on_unborn. */
bool zygote_fork(struct zygote *zygote, struct reader *reader, int data);
void zygote_kill(struct zygote *zygote, struct reader *reader);
/* The reader hears nothing any more; its child, if it lives, is killed. */
void zygote_forget(struct zygote *zygote, struct reader *reader);
void zygote_stop(struct zygote *zygote);

#endif
