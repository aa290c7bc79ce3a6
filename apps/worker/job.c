/* SPDX-License-Identifier: MIT
 * job.c - life of a job: from the task to the claimed row, pauses while the database is away, deadlines.
 * Reading is job_read.c's, and every kind of end job_end.c's.
 */
#include "job.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "report.h"

enum { PAUSE_MS_MIN = 250, PAUSE_MS_MAX = 8000, PATIENCE_MS = 60000, LARGE_BYTES = 4 << 20 };

uint64_t job_tag(const struct job *job, enum job_step step) {
    return job->serial << TAG_STEP_BITS | (uint64_t)step;
}

struct job *job_find(struct worker *worker, uint64_t serial) {
    struct job *job = worker->jobs;
    while (job && job->serial != serial) job = job->next;
    return job;
}

struct job *job_new(struct worker *worker, shared_task *task) {
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    const char *document_id = shared_task_argument(task, 0, "document_id");
    if (!document_id) document_id = shared_task_argument(task, -1, "document_id");
    job->document_id = document_id ? strdup(document_id) : NULL;
    if (document_id && !job->document_id) {
        free(job);
        return NULL;
    }
    job->worker = worker;
    job->serial = ++worker->serial;
    job->task = shared_task_ref(task);
    job->file = -1;
    job->run = (struct run){.document_id = job->document_id, .attempt = -1};
    reader_init(&job->reader, worker, job);
    job->next = worker->jobs;
    worker->jobs = job;
    worker->job_count++;
    return job;
}

void job_drop_run(struct job *job) {
    reader_stop(&job->reader);
    shared_session_free(job->session);
    job->session = NULL;
    page_batch_finish(&job->batch);
    page_batch_finish(&job->batch_sent);
    pages_finish(&job->pages);
    if (job->file >= 0) close(job->file);
    job->file = -1;
    free(job->file_name);
    job->file_name = NULL;
    job->last_page = job->pages_failed = 0;
    job->failed_code = NULL;
    job->batch_refused = job->read_ended = job->found = job->completed = false;
}

void job_finish(struct job *job) {
    bool large = job->pages.size > LARGE_BYTES;
    if (job->state != JOB_QUEUED) job->worker->running--;
    job_drop_run(job);
    if (large) malloc_trim(0); /* else an idle worker keeps the memory of its largest document */
    job->state = JOB_GONE;
}

static void job_free(struct job *job) {
    shared_task_unref(job->task);
    free(job->document_id);
    free(job);
}

/* The oldest of those that wait; newest are in front of the list. */
static struct job *find_queued(struct worker *worker) {
    struct job *oldest = NULL;
    for (struct job *job = worker->jobs; job; job = job->next)
        if (job->state == JOB_QUEUED) oldest = job;
    return oldest;
}

void job_reap(struct worker *worker) {
    for (struct job **at = &worker->jobs; *at;) {
        struct job *job = *at;
        if (job->state != JOB_GONE) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        worker->job_count--;
        job_free(job);
    }
    struct job *queued;
    while (!worker->stopping && worker->running < worker->limits.concurrency &&
           (queued = find_queued(worker)))
        job_begin(queued);
}

static void claim(struct job *job) {
    job->state = JOB_CLAIMING;
    job->deaths = 0; /* of the run before this one, which the database ended */
    shared_status status = shared_session_new(job->worker->client, &job->session);
    if (status >= 0)
        status = store_claim(job->session, job->document_id, job_tag(job, STEP_CLAIM),
                             job_tag(job, STEP_CLAIMED));
    if (status < 0) job_database_failed(job, shared_error_last());
}

void job_begin(struct job *job) {
    job->worker->running++;
    job->started_ms = loop_now_ms();
    if (job->document_id) {
        claim(job);
        return;
    }
    job->state = JOB_CLAIMING;
    job_fail(job, "internal",
             "The task names no document: its payload has no text \"document_id\".");
}

static int64_t number(shared_record *row, enum claim_column column) {
    return shared_record_int(row, (int32_t)column);
}

/* Keeps what the claim said until its commit is answered. */
static void handle_claim(struct job *job, const shared_event *event) {
    shared_record *row = shared_event_record(event, 0);
    if (shared_event_error(event) || !row) return; /* the commit's event tells */
    const char *name = shared_record_text(row, CLAIM_FILE_NAME);
    const char *path = shared_record_text(row, CLAIM_FILE_PATH);
    job->found = true;
    job->file_name = strdup(name ? name : "");
    job->completed = shared_record_is_null(row, CLAIM_ATTEMPT);
    job->run.attempt = number(row, CLAIM_ATTEMPT);
    job->pages_stored = number(row, CLAIM_PAGES_STORED);
    job->pages_failed = number(row, CLAIM_PAGES_FAILED);
    job->page_count = job->completed ? number(row, CLAIM_PAGE_COUNT) : 0;
    job->chunk_count = number(row, CLAIM_CHUNK_COUNT);
    job->file =
        path ? beneath_open(job->worker->uploads, job->worker->upload_dir, path, &job->file_size)
             : -1;
    job->file_refused = job->file < 0 && path && errno != ENOENT;
    if (job->file_refused)
        shared_log_with("worker", SHARED_WARNING, strerror(errno), "file_path", path);
}

static void handle_claimed(struct job *job, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    if (error) {
        job_database_failed(job, error);
    } else if (!job->found) {
        char sentence[sizeof job->sentence];
        snprintf(sentence, sizeof sentence, "Document %.300s not found in database",
                 job->document_id);
        job_fail(job, "file_missing", sentence);
    } else if (job->completed) {
        job_succeed(job);
    } else if (job->file < 0) {
        job_fail(job, job->file_refused ? "internal" : "file_missing", NULL);
    } else {
        job->patience_ms = job->pause_ms = 0;
        report_start(job->worker->client, job->document_id, job->file_name ? job->file_name : "");
        job->state = JOB_LOADING;
        if (!job->pages_stored)
            job_read(job);
        else if (store_read_pages(job->session, job->document_id, job_tag(job, STEP_LOAD)) < 0)
            job_database_failed(job, shared_error_last());
    }
}

static void handle_load(struct job *job, const shared_event *event) {
    if (shared_event_error(event)) {
        job_database_failed(job, shared_event_error(event));
        return;
    }
    for (int64_t i = 0; i < shared_event_count(event); i++) {
        shared_record *row = shared_event_record(event, i);
        const char *text = shared_record_text(row, 1);
        size_t size = shared_record_text_size(row, 1);
        if (!row || !pages_add(&job->pages, (int32_t)shared_record_int(row, 0), text, size)) {
            job_fail(job, "internal", NULL);
            return;
        }
    }
    job->last_page = job->pages_stored;
    job_read(job);
}

static void handle_retry(struct job *job, const shared_event *event) {
    (void)event;
    if (job->state == JOB_PAUSED) claim(job);
}

static void handle_task(struct job *job, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    if (error)
        shared_log_with("worker", SHARED_WARNING, shared_error_message(error), "task_id",
                        shared_task_id(job->task));
    job_finish(job);
}

/* The claim's events may arrive after the run was dropped: each is of the state that asked. */
static const struct {
    enum job_state state;
    void (*handle)(struct job *job, const shared_event *event);
} steps[] = {
    [STEP_CLAIM] = {JOB_CLAIMING, handle_claim},
    [STEP_CLAIMED] = {JOB_CLAIMING, handle_claimed},
    [STEP_LOAD] = {JOB_LOADING, handle_load},
    [STEP_PAGES] = {JOB_READING, job_handle_pages},
    [STEP_PAGES_STORED] = {JOB_READING, job_handle_pages_stored},
    [STEP_PUBLISH] = {JOB_PUBLISHING, job_handle_publish},
    [STEP_VERDICT] = {JOB_CONCLUDING, job_handle_verdict},
    [STEP_VERDICT_STORED] = {JOB_CONCLUDING, job_handle_verdict_stored},
    [STEP_RETRY] = {JOB_PAUSED, handle_retry},
    [STEP_TASK] = {JOB_ENDING, handle_task},
};

void job_handle(struct job *job, int32_t step, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    if (step <= 0 || step >= (int32_t)(sizeof steps / sizeof *steps)) return;
    if (job->state != steps[step].state) return;
    if (step != STEP_TASK && shared_error_code(error) == SHARED_ECANCELLED) return;
    steps[step].handle(job, event);
}

void job_database_failed(struct job *job, const shared_error *error) {
    int64_t now = loop_now_ms();
    if (shared_error_code(error) == SHARED_ECONFLICT) {
        job_fail(job, "cancelled", NULL);
        return;
    }
    shared_log_with("worker", SHARED_WARNING, shared_error_message(error), "document_id",
                    job->document_id);
    if (!job->patience_ms) job->patience_ms = now + PATIENCE_MS;
    bool hopeless = shared_error_class(error) != SHARED_RETRYABLE || now > job->patience_ms;
    job_drop_run(job);
    if (hopeless) {
        job_fail(job, "internal", NULL);
        return;
    }
    job->state = JOB_PAUSED;
    job->pause_ms = job->pause_ms ? job->pause_ms * 2 : PAUSE_MS_MIN;
    if (job->pause_ms > PAUSE_MS_MAX) job->pause_ms = PAUSE_MS_MAX;
    if (shared_client_timer(job->worker->client, job->pause_ms, job_tag(job, STEP_RETRY)) < 0)
        job_fail(job, "internal", NULL);
}

void job_tick(struct job *job, int64_t now_ms) {
    bool working = job->state == JOB_LOADING || job->state == JOB_READING;
    if (working && now_ms - job->started_ms > job->worker->limits.task_ms) {
        job_fail(job, "total_timeout", NULL);
        return;
    }
    if (job->state != JOB_READING) return;
    if (job->batch.count && now_ms > job->batch_due_ms) job_flush_pages(job);
    if (job->state == JOB_READING) reader_tick(&job->reader, now_ms);
}

void job_hand_back(struct job *job) {
    static const struct verdict pending = {.status = "pending"};
    shared_session *session = NULL;
    bool claimed = job->run.attempt >= 0 && job->state != JOB_ENDING && !job->completed;
    job_drop_run(job);
    /* Best effort: should it be lost, the next claim raises the attempt all the same. */
    if (claimed && shared_session_new(job->worker->client, &session) >= 0)
        (void)store_verdict(session, &job->run, &pending, 0, 0);
    job->session = session;
    if (job->state == JOB_QUEUED) job->worker->running++;
    if (job->state == JOB_ENDING) return;
    job->state = JOB_ENDING;
    if (shared_task_hand_back(job->task, job_tag(job, STEP_TASK)) < 0) job_finish(job);
}
