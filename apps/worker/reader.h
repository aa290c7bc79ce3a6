/* SPDX-License-Identifier: MIT
 * reader.h - one document's child of lex-intel-extract, as the worker sees it: sends it the document, takes
 * its frames, and tells the job. Trusts nothing that comes from there: frame.c checks each frame, and each
 * page has a deadline.
 */
#ifndef WORKER_READER_H
#define WORKER_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"
#include "loop.h"
#include "zygote.h"

struct worker;
struct job;

struct reader_task {
    int file; /* borrowed; read from its beginning */
    int64_t file_size;
    int64_t first_page; /* earlier ones are stored */
};

struct reader {
    struct reader *next; /* zygote's */
    uint64_t serial;     /* zygote's */
    struct worker *worker;
    struct job *job;
    struct watch watch;
    int socket;  /* -1: not running */
    pid_t child; /* 0: not born yet */
    struct frame_reader frames;
    struct reader_task task;
    uint8_t start[FRAME_SMALL_BYTES_MAX];
    size_t start_size, start_sent;
    int64_t file_sent;
    int64_t due_ms; /* of the page under way */
    int wait_status;
    bool in_box; /* HELLO came */
    bool sending, ended, gone, timed_out, paused;
};

void reader_init(struct reader *reader, struct worker *worker, struct job *job);
/* Starts a child for the task. Calls the job's job_on_... from then on, never before this returns. */
bool reader_start(struct reader *reader, const struct reader_task *task);
/* Holds the child back: its frames stay in the socket, and its deadline stands still. */
void reader_pause(struct reader *reader);
void reader_resume(struct reader *reader);
void reader_tick(struct reader *reader, int64_t now_ms);
void reader_stop(struct reader *reader);

/* From zygote.c. */
void reader_on_born(struct reader *reader, pid_t child);
void reader_on_gone(struct reader *reader, int wait_status);
/* There was no child to be had; which is no fault of the document. */
void reader_on_unborn(struct reader *reader);

#endif
