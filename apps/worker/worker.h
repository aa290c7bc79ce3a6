/* SPDX-License-Identifier: MIT
 * worker.h - the process: its settings, its jobs, its loop. main.c makes one.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <shared.h>
#include <stdbool.h>

#include "chunk.h"
#include "loop.h"
#include "reader.h"

/* The one task we know; its payload is {"document_id": ...}. */
#define WORKER_TASK "extract_text_from_document"

/* Settings, read once. */
struct limits {
    int32_t concurrency, prefetch;
    int64_t shutdown_ms, task_ms, page_ms, startup_ms;
    int64_t batch_pages, text_bytes;
    int64_t reconcile_ms, reconcile_age_s;
    struct chunk_rules chunk;
};

struct job;

struct worker {
    shared_config *config;
    shared_client *client;
    struct limits limits;
    struct loop loop;
    struct watch client_watch, signal_watch;
    int signals; /* signalfd */
    int uploads; /* descriptor of UPLOAD_DIR: files are opened beneath it only */
    const char *upload_dir;
    struct zygote zygote;
    struct job *jobs; /* list */
    int32_t job_count, running;
    uint64_t serial; /* of the newest job */
    bool consuming, stopping;
    int64_t stop_due_ms;
    int64_t reconcile_due_ms;
    shared_session *reconcile_session; /* while a sweep is under way */
};

/* Tags: serial of a job << 8 | step; serial 0 is the worker's own. */
enum { TAG_STEP_BITS = 8, TAG_STEP_MASK = 255 };
enum worker_tag {
    TAG_CONSUME = 1,
    TAG_RELAY,
    TAG_RECONCILE_FIND,
    TAG_RECONCILE_MISSING,
    TAG_RECONCILE_CLAIM,
    TAG_RECONCILE_COMMIT,
    TAG_PING
};

/* reconcile.c: queues again what Redis forgot. Each call starts at most one sweep. */
void reconcile_start(struct worker *worker);
void reconcile_handle(struct worker *worker, const shared_event *event);
void reconcile_stop(struct worker *worker);

#endif
