/* SPDX-License-Identifier: MIT
 * work.c - what a worker does, apart from being a process: which event is whose, what is due, and how it
 * comes to an end. main.c has the signals and the loop; tests/simulation runs this file as it is.
 */
#include "work.h"

#include "job.h"

enum { PREFETCH_MAX = 1000 }; /* the queue's */

struct limits limits_read(const shared_config *config) {
    int64_t concurrency = shared_config_int(config, "WORKER_CONCURRENCY");
    int64_t prefetch = concurrency * shared_config_int(config, "WORKER_PREFETCH_MULTIPLIER");
    return (struct limits){
        .concurrency = (int32_t)concurrency,
        .prefetch = (int32_t)(prefetch < PREFETCH_MAX ? prefetch : PREFETCH_MAX),
        .shutdown_ms = shared_config_int(config, "WORKER_SHUTDOWN_S") * 1000,
        .task_ms = shared_config_int(config, "TASK_SOFT_TIME_LIMIT") * 1000,
        .page_ms = shared_config_int(config, "PAGE_TIMEOUT_S") * 1000,
        .startup_ms = shared_config_int(config, "STARTUP_TIMEOUT_S") * 1000,
        .batch_pages = shared_config_int(config, "PAGES_BATCH"),
        .text_bytes = shared_config_int(config, "DOCUMENT_TEXT_BYTES_MAX"),
        .reconcile_ms = shared_config_int(config, "RECONCILE_S") * 1000,
        .reconcile_age_s = shared_config_int(config, "RECONCILE_AGE_S"),
        .chunk = {.size = shared_config_int(config, "CHUNK_SIZE"),
                  .overlap = shared_config_int(config, "CHUNK_OVERLAP")},
    };
}

bool work_start(struct worker *worker) {
    worker->reconcile_due_ms = loop_now_ms() + worker->limits.reconcile_ms;
    worker->consuming =
        shared_queue_register(worker->client, WORKER_TASK) >= 0 &&
        shared_queue_relay(worker->client, TAG_RELAY) >= 0 &&
        shared_queue_consume(worker->client, NULL, worker->limits.prefetch, TAG_CONSUME) >= 0;
    return worker->consuming;
}

/* --- events ---------------------------------------------------------------------------------------- */

static void handle_consume(struct worker *worker, const shared_event *event) {
    if (shared_event_kind(event) == SHARED_EVENT_TASK) {
        struct job *job = job_new(worker, shared_event_task(event)); /* job_reap begins it */
        if (job && worker->running < worker->limits.concurrency && !worker->stopping)
            job_begin(job);
    } else if (!shared_event_more(event)) {
        worker->consuming = false;
        if (shared_event_error(event) && !worker->stopping)
            shared_log_with("worker", SHARED_ERROR, "consuming ended", "error",
                            shared_error_message(shared_event_error(event)));
    }
}

void work_handle(struct worker *worker, const shared_event *event) {
    uint64_t serial = shared_event_tag(event) >> TAG_STEP_BITS;
    int32_t step = (int32_t)(shared_event_tag(event) & TAG_STEP_MASK);
    if (serial) {
        struct job *job = job_find(worker, serial);
        if (job) job_handle(job, step, event);
    } else if (step == TAG_CONSUME) {
        handle_consume(worker, event);
    } else if (step >= TAG_RECONCILE_FIND && step <= TAG_RECONCILE_COMMIT) {
        reconcile_handle(worker, event);
    }
}

void work_tick(struct worker *worker) {
    int64_t now_ms = loop_now_ms();
    for (struct job *job = worker->jobs, *next; job; job = next) {
        next = job->next;
        job_tick(job, now_ms);
    }
    job_reap(worker);
    if (!worker->stopping && now_ms >= worker->reconcile_due_ms) reconcile_start(worker);
}

/* --- the end --------------------------------------------------------------------------------------- */

void work_stop(struct worker *worker) {
    if (worker->stopping) return;
    worker->stopping = true;
    worker->stop_due_ms = loop_now_ms() + worker->limits.shutdown_ms;
    shared_log("worker", SHARED_INFO, "stopping: finishing what runs, claiming no more");
    if (worker->consuming) shared_client_cancel(worker->client, TAG_CONSUME);
    for (struct job *job = worker->jobs, *next; job; job = next) {
        next = job->next;
        if (job->state == JOB_QUEUED) job_hand_back(job);
    }
}

void work_hand_back(struct worker *worker) {
    shared_log("worker", SHARED_WARNING, "time is up: handing running tasks back");
    for (struct job *job = worker->jobs, *next; job; job = next) {
        next = job->next;
        if (job->state != JOB_ENDING) job_hand_back(job);
    }
}

void work_finish(struct worker *worker) {
    for (struct job *job = worker->jobs; job; job = job->next)
        if (job->state != JOB_GONE) job_finish(job);
    worker->stopping = true;
    job_reap(worker);
    reconcile_stop(worker);
}
