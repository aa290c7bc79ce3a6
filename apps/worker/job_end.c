/* SPDX-License-Identifier: MIT
 * job_end.c - every way a job ends: published, failed for good, to be tried again. The row first, then
 * the viewers, then the queue: who hears of an end can rely on the row.
 */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "report.h"

void job_publish(struct job *job) {
    struct chunk_list chunks = {0};
    shared_client *client = job->worker->client;
    job->state = JOB_PUBLISHING;
    report_chunking(client, job->document_id);
    bool cut = chunk_cut(job->pages.text, job->pages.size, job->pages.marks, job->pages.count,
                         &job->worker->limits.chunk, &chunks);
    job->chunk_count = (int64_t)chunks.count;
    report_storing(client, job->document_id, job->chunk_count);
    if (!cut)
        job_fail(job, "internal", NULL);
    else if (store_publish(job->session, &job->run, &job->pages, &chunks, job->pages_failed,
                           job_tag(job, STEP_PUBLISH)) < 0)
        job_database_failed(job, shared_error_last());
    chunk_list_finish(&chunks);
}

void job_handle_publish(struct job *job, const shared_event *event) {
    if (shared_event_error(event)) {
        job_database_failed(job, shared_event_error(event));
        return;
    }
    job->page_count = (int64_t)job->pages.count - job->pages_failed;
    report_completed(job->worker->client, job->document_id, job->page_count, job->pages_failed,
                     job->chunk_count);
    job_succeed(job);
}

static shared_status make_result(const struct job *job, shared_record **out) {
    shared_status status = shared_record_new(SHARED_EXTRACTION_RESULT, out);
    if (status >= 0)
        status = shared_record_set_text(*out, SHARED_EXTRACTION_RESULT_DOCUMENT_ID,
                                        job->document_id, strlen(job->document_id));
    if (status >= 0)
        status = shared_record_set_text(*out, SHARED_EXTRACTION_RESULT_EXTRACTION_STATUS,
                                        "completed", 9);
    if (status >= 0)
        status = shared_record_set_int(*out, SHARED_EXTRACTION_RESULT_PAGE_COUNT, job->page_count);
    if (status >= 0)
        status =
            shared_record_set_int(*out, SHARED_EXTRACTION_RESULT_PAGES_FAILED, job->pages_failed);
    if (status >= 0)
        status =
            shared_record_set_int(*out, SHARED_EXTRACTION_RESULT_CHUNK_COUNT, job->chunk_count);
    return status;
}

void job_succeed(struct job *job) {
    shared_record *result = NULL;
    job->state = JOB_ENDING;
    shared_status status = make_result(job, &result);
    const char *json = status >= 0 ? shared_record_json(result) : NULL;
    if (!json || shared_task_succeed(job->task, json, job_tag(job, STEP_TASK)) < 0) job_finish(job);
    shared_record_unref(result);
}

/* The queue hears of a failure. */
static void end_task(struct job *job) {
    job->state = JOB_ENDING;
    if (shared_task_fail(job->task, job->verdict_class, job->sentence, job_tag(job, STEP_TASK)) < 0)
        job_finish(job);
}

void job_fail(struct job *job, const char *code, const char *sentence) {
    const struct failure *failure = failure_find(code);
    bool again = failure->class == SHARED_RETRYABLE && !shared_task_is_last(job->task);
    bool claimed = job->run.attempt >= 0 && strcmp(failure->code, "cancelled") != 0;
    snprintf(job->sentence, sizeof job->sentence, "%s", sentence ? sentence : failure->sentence);
    /* A payload that names no document fails for good, though the code is internal's. */
    job->verdict_class = job->document_id ? failure->class : SHARED_PERMANENT;
    job->verdict = (struct verdict){
        .status = again ? "pending" : "failed",
        .error = job->sentence,
        .error_class = failure->class == SHARED_RETRYABLE ? "retryable" : "permanent",
        .error_code = failure->code,
        .pages_failed = job->pages_failed,
    };
    job_drop_run(job);
    if (!claimed) {
        end_task(job);
        return;
    }
    job->state = JOB_CONCLUDING;
    job->verdict_refused = false;
    if (shared_session_new(job->worker->client, &job->session) < 0 ||
        store_verdict(job->session, &job->run, &job->verdict, job_tag(job, STEP_VERDICT),
                      job_tag(job, STEP_VERDICT_STORED)) < 0)
        end_task(job);
}

void job_handle_verdict(struct job *job, const shared_event *event) {
    if (!shared_event_error(event) && !shared_event_count(event)) job->verdict_refused = true;
}

void job_handle_verdict_stored(struct job *job, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    if (error && shared_error_class(error) == SHARED_RETRYABLE &&
        job->verdict_class == SHARED_PERMANENT) {
        job_database_failed(job, error); /* claims again: the row must say why it failed */
        return;
    }
    /* The row is another run's, and so is what to tell of it. */
    if (!error && job->verdict_refused) {
        job_fail(job, "cancelled", NULL);
        return;
    }
    if (!error && !strcmp(job->verdict.status, "failed"))
        report_failed(job->worker->client, job->document_id, job->sentence);
    end_task(job);
}
