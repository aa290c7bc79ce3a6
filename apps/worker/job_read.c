/* SPDX-License-Identifier: MIT
 * job_read.c - pages of a job: from the helper into memory and, batch by batch, into the checkpoint; what
 * to do when the helper dies on one. Never parses a document, never speaks the helper's protocol.
 */
#include <stdio.h>

#include "job.h"
#include "report.h"

enum {
    BATCH_BYTES_MAX = 1 << 20,
    BATCH_AGE_MS_MAX = 500, /* a slow document's pages are stored as they come */
    DEATHS_MAX = 3,         /* of helpers, for one run */
    TIMEOUTS_MAX = 3        /* pages in a row that never end: then the rest is not tried */
};

static bool is_batch_full(const struct job *job) {
    return (int64_t)job->batch.count >= job->worker->limits.batch_pages ||
           job->batch.bytes >= BATCH_BYTES_MAX;
}

void job_read(struct job *job) {
    job->state = JOB_READING;
    if ((uint64_t)job->file_size > EXTRACT_DOCUMENT_BYTES_MAX) {
        job_fail(job, "too_large", "This file is larger than 2 GiB, the most that can be read.");
        return;
    }
    struct reader_task task = {
        .file = job->file,
        .file_size = job->file_size,
        .first_page = job->last_page + 1,
    };
    if (!reader_start(&job->reader, &task)) job_fail(job, "internal", NULL);
}

/* Sends the batch unless one is under way: the order of pages in the checkpoint is that of reading. */
void job_flush_pages(struct job *job) {
    if (job->batch_sent.count || !job->batch.count) return;
    job->batch_sent = job->batch;
    job->batch = (struct page_batch){0};
    if (store_pages(job->session, &job->run, &job->batch_sent, job_tag(job, STEP_PAGES),
                    job_tag(job, STEP_PAGES_STORED)) < 0)
        job_database_failed(job, shared_error_last());
}

/* All for one reason, most often; those that an earlier run came to have left only their sentences. */
static void fail_unread(struct job *job) {
    if (job->failed_code)
        job_fail(job, job->failed_code, job->failed_sentence);
    else
        job_fail(job, "file_damaged", "No page of this document could be read.");
}

static void finish_reading(struct job *job) {
    if (job->batch.count) {
        job_flush_pages(job);
    } else if (!job->batch_sent.count) {
        if (job->pages_failed && job->pages_failed == (int64_t)job->pages.count)
            fail_unread(job);
        else
            job_publish(job);
    }
}

void job_handle_pages(struct job *job, const shared_event *event) {
    if (!shared_event_error(event) && !shared_event_count(event)) job->batch_refused = true;
}

void job_handle_pages_stored(struct job *job, const shared_event *event) {
    if (shared_event_error(event)) {
        job_database_failed(job, shared_event_error(event));
        return;
    }
    page_batch_finish(&job->batch_sent);
    if (job->batch_refused) {
        job_fail(job, "cancelled", NULL);
    } else if (job->read_ended) {
        finish_reading(job);
    } else {
        if (is_batch_full(job)) job_flush_pages(job);
        if (job->state == JOB_READING) reader_resume(&job->reader);
    }
}

void job_on_info(struct job *job, int64_t page_count) {
    job->page_count = page_count;
}

static void keep_page(struct job *job, int64_t page, const char *text, size_t size,
                      const char *error) {
    if (!job->batch.count) job->batch_due_ms = loop_now_ms() + BATCH_AGE_MS_MAX;
    if (!pages_add(&job->pages, (int32_t)page, text, size) ||
        !page_batch_add(&job->batch, page, text, size, error)) {
        job_fail(job, "internal", NULL);
        return;
    }
    job->last_page = page;
    job->pages_failed += error != NULL;
    report_page(job->worker->client, job->document_id, page, job->page_count);
    if ((int64_t)job->pages.size > job->worker->limits.text_bytes) {
        char sentence[sizeof job->sentence];
        snprintf(sentence, sizeof sentence,
                 "This document holds more than %lld bytes of text, the most "
                 "that is allowed.",
                 (long long)job->worker->limits.text_bytes);
        job_fail(job, "too_large", sentence);
        return;
    }
    if (!is_batch_full(job)) return;
    if (job->batch_sent.count)
        reader_pause(&job->reader); /* the database is slower than the helper: hold it back */
    else
        job_flush_pages(job);
}

void job_on_page(struct job *job, int64_t page, const char *text, size_t size) {
    job->timeouts_in_row = 0;
    keep_page(job, page, text, size, NULL);
}

static void keep_failure(struct job *job, int64_t page, const char *code, const char *sentence) {
    if (!job->failed_code) {
        job->failed_code = code;
        snprintf(job->failed_sentence, sizeof job->failed_sentence, "%s", sentence);
    }
    keep_page(job, page, "", 0, sentence);
}

void job_on_page_failed(struct job *job, int64_t page, const char *code, const char *sentence) {
    job->timeouts_in_row = 0;
    keep_failure(job, page, code, sentence);
}

void job_on_end(struct job *job) {
    reader_stop(&job->reader);
    job->read_ended = true;
    finish_reading(job);
}

void job_on_refused(struct job *job, const char *code, const char *sentence) {
    job_fail(job, code, sentence);
}

/* Page number page has no text, and reading goes on behind it. */
static void skip_page(struct job *job, int64_t page, const char *code, const char *sentence) {
    keep_failure(job, page, code, sentence);
    if (job->state != JOB_READING) return;
    if (job->page_count && page >= job->page_count)
        job_on_end(job);
    else
        job_read(job);
}

static void handle_timeout(struct job *job, int64_t page) {
    char sentence[sizeof job->sentence];
    snprintf(sentence, sizeof sentence, "Page %lld took longer than %lld seconds to read.",
             (long long)page, (long long)job->worker->limits.page_ms / 1000);
    bool opened = job->page_count > 0;
    if (!opened || ++job->timeouts_in_row >= TIMEOUTS_MAX)
        job_fail(job, "page_timeout", sentence);
    else
        skip_page(job, page, "page_timeout", sentence);
}

void job_on_death(struct job *job, bool timeout, const char *how) {
    int64_t page = job->last_page + 1;
    reader_stop(&job->reader);
    shared_log_with("worker", SHARED_WARNING, how, "document_id", job->document_id);
    if (timeout) {
        handle_timeout(job, page);
        return;
    }
    bool again = job->death_page == page;
    job->death_page = page;
    if (++job->deaths >= DEATHS_MAX) {
        job_fail(job, "extractor_killed", NULL);
    } else if (again && job->page_count > 0) {
        char sentence[sizeof job->sentence];
        snprintf(sentence, sizeof sentence, "Reading page %lld ended the reader twice.",
                 (long long)page);
        skip_page(job, page, "extractor_killed", sentence);
    } else {
        job_read(job);
    }
}
