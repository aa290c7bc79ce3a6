/* SPDX-License-Identifier: MIT
 * reader.c - what the worker's jobs stand on, simulated: the child that reads a document, the file, the worker's
 * clock. Pages come late, one by one; a deadly page ends the child. Never checks a frame: there are none.
 */
#include "reader.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "beneath.h"
#include "job.h"
#include "world.h"

enum {
    PAGE_US_MIN = 500,
    PAGE_US_MAX = 60 * US_PER_MS,
    LATE_PERMILLE = 60,
    LATE_US_MAX = 8 * US_PER_S,
    UNREADABLE_PERMILLE = 20 /* the disk with the files is away for a moment */
};

/* One step of a child: its first news, a page, its end. */
struct step {
    struct event event;
    struct mail mail;
    struct process *process;
    int32_t number; /* of the process */
    uint64_t job_serial, serial;
    const struct original *original;
    int64_t page; /* 0: the first news */
    bool opened;
};

int64_t loop_now_ms(void) {
    return time_monotonic_ms();
}

int beneath_open(int folder, const char *root, const char *path, int64_t *size) {
    (void)folder;
    (void)root;
    const struct original *original = original_find(path);
    *size = 100;
    errno = ENOENT;
    if (world.disturbed && !world.steady && sim_chance(UNREADABLE_PERMILLE)) {
        errno = EIO;
        return -1;
    }
    return original ? FD_FILE + (int)(original - world.originals) : -1;
}

static void step_later(struct step *step);

/* The job that still waits for it, NULL: none does. */
static struct job *job_of(const struct step *step) {
    if (!step->process->alive || step->process->number != step->number) return NULL;
    struct job *job = job_find(step->process->state, step->job_serial);
    return job && job->reader.serial == step->serial ? job : NULL;
}

static void step_open(struct mail *mail) {
    struct step *step = (struct step *)((char *)mail - offsetof(struct step, mail));
    struct job *job = job_of(step);
    if (!job) return;
    if (job->reader.paused) {
        step_later(step);
        return;
    }
    const struct original *original = step->original;
    int64_t page = step->page++;
    if (original->damaged) {
        job_on_refused(job, "file_damaged", NULL);
        return;
    }
    if (!step->opened) {
        step->opened = true;
        step->page = page; /* the same page next */
        job_on_info(job, original->pages);
    } else if (page > original->pages) {
        job_on_end(job);
        return;
    } else if (page == original->deadly_page) {
        job_on_death(job, false, "simulated death");
        return;
    } else {
        const char *text = original_page(original, page);
        job_on_page(job, page, text, strlen(text));
    }
    if (job_of(step)) step_later(step);
}

static void step_over(struct event *event) {
    struct step *step = (struct step *)((char *)event - offsetof(struct step, event));
    if (!job_of(step)) return;
    step->mail.open = step_open;
    process_call(step->process, &step->mail);
}

static void step_later(struct step *step) {
    int64_t wait_us = sim_chance(LATE_PERMILLE) ? sim_between(PAGE_US_MAX, LATE_US_MAX)
                                                : sim_between(PAGE_US_MIN, PAGE_US_MAX);
    if (world.steady) wait_us = PAGE_US_MIN;
    sim_at(&step->event, sim_now_us() + wait_us, step_over);
}

void reader_init(struct reader *reader, struct worker *worker, struct job *job) {
    *reader = (struct reader){.worker = worker, .job = job, .socket = -1};
}

bool reader_start(struct reader *reader, const struct reader_task *task) {
    struct step *step = sim_alloc(sizeof *step);
    *step = (struct step){.process = sim_running,
                          .number = sim_running->number,
                          .job_serial = reader->job->serial,
                          .serial = ++reader->serial,
                          .original = &world.originals[task->file - FD_FILE],
                          .page = task->first_page};
    reader->paused = false;
    step_later(step);
    return true;
}

void reader_pause(struct reader *reader) {
    reader->paused = true;
}

void reader_resume(struct reader *reader) {
    reader->paused = false;
}

void reader_tick(struct reader *reader, int64_t now_ms) {
    (void)reader;
    (void)now_ms;
}

void reader_stop(struct reader *reader) {
    reader->serial++;
    reader->paused = false;
}
