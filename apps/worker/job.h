/* SPDX-License-Identifier: MIT
 * job.h - one task on its way: claim the row, read the file, store pages, publish chunks, end the task.
 * Driven by events of the client and by the reader; never waits.
 */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

#include "store.h"
#include "worker.h"

enum job_state {
    JOB_QUEUED, /* given to us, but others run */
    JOB_CLAIMING,
    JOB_LOADING, /* pages that an earlier run stored */
    JOB_READING,
    JOB_PUBLISHING,
    JOB_CONCLUDING, /* the verdict goes into the row */
    JOB_PAUSED,     /* the database is away: from the claim again, soon */
    JOB_ENDING,     /* the queue hears the end */
    JOB_GONE        /* freed at the end of the turn */
};

struct job {
    struct job *next;
    struct worker *worker;
    uint64_t serial;
    enum job_state state;
    shared_task *task;
    shared_session *session;
    char *document_id;
    struct run run;
    char *file_name;
    int file; /* descriptor, -1 */
    int64_t file_size;
    int64_t started_ms;  /* of the task, for its limit */
    int64_t patience_ms; /* until when a database that is away is waited for; 0: it is there */
    int64_t pause_ms;
    /* what the claim answered, until its commit did */
    bool found, completed;
    bool file_refused; /* it may be there, but cannot be opened just now */
    int64_t pages_stored, page_count, chunk_count;
    /* reading */
    struct reader reader;
    int64_t last_page, pages_failed;
    const char *failed_code; /* of the first page without text that this run came to, NULL: none */
    char failed_sentence[512];
    struct pages pages;
    struct page_batch batch, batch_sent;
    int64_t batch_due_ms;
    bool batch_refused, read_ended;
    int32_t deaths, timeouts_in_row;
    int64_t death_page;
    /* the end */
    struct verdict verdict;
    char sentence[512];
    int32_t verdict_class; /* SHARED_PERMANENT, SHARED_RETRYABLE */
    bool verdict_refused;
};

/* Takes a reference of the task. NULL without memory: the task goes back. */
struct job *job_new(struct worker *worker, shared_task *task);
void job_begin(struct job *job);
void job_handle(struct job *job, int32_t step, const shared_event *event);
/* Looks at the job's deadlines. */
void job_tick(struct job *job, int64_t now_ms);
/* At shutdown: stops, sets the row back to pending, and the task to the head of the queue. */
void job_hand_back(struct job *job);
/* Frees what is over and begins what waits: once a turn. */
void job_reap(struct worker *worker);
struct job *job_find(struct worker *worker, uint64_t serial);

/* Between the files of a job: job.c (life and claim), job_read.c (pages), job_end.c (verdicts). */
enum job_step {
    STEP_CLAIM = 1,
    STEP_CLAIMED,
    STEP_LOAD,
    STEP_PAGES,
    STEP_PAGES_STORED,
    STEP_PUBLISH,
    STEP_VERDICT,
    STEP_VERDICT_STORED,
    STEP_RETRY,
    STEP_TASK
};
uint64_t job_tag(const struct job *job, enum job_step step);
void job_read(struct job *job); /* starts or goes on reading the file */
void job_handle_pages(struct job *job, const shared_event *event);
void job_handle_pages_stored(struct job *job, const shared_event *event);
void job_flush_pages(struct job *job);
void job_publish(struct job *job);
void job_handle_publish(struct job *job, const shared_event *event);
void job_handle_verdict(struct job *job, const shared_event *event);
void job_handle_verdict_stored(struct job *job, const shared_event *event);
/* Ends the run with a reason; sentence NULL: the table's. */
void job_fail(struct job *job, const char *code, const char *sentence);
/* A statement failed: the fence is lost, the database is away, or a fault of ours. */
void job_database_failed(struct job *job, const shared_error *error);
void job_succeed(struct job *job); /* tells the queue */
/* Drops what the run holds (reader, pages, session); the job itself stays. */
void job_drop_run(struct job *job);
/* The job is over. It is freed by job_reap, since its caller may still hold it. */
void job_finish(struct job *job);

/* The reader's side (reader.c calls them; each may end the job). */
void job_on_info(struct job *job, int64_t page_count);
void job_on_page(struct job *job, int64_t page, const char *text, size_t size);
void job_on_page_failed(struct job *job, int64_t page, const char *code, const char *sentence);
void job_on_end(struct job *job);
void job_on_refused(struct job *job, const char *code, const char *sentence);
/* The helper ended before its last frame. timeout: we killed it, because a page took too long. */
void job_on_death(struct job *job, bool timeout, const char *how);

#endif
