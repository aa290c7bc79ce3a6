/* SPDX-License-Identifier: MIT
 * report.h - the words and numbers a person sees while a document is read, and why it failed.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <shared.h>

enum { REPORT_MESSAGE_SIZE = 512 };

/* Why a run ends without text. class decides whether the task is sent again. */
struct failure {
    const char *code;     /* a word of design 3: password_required, file_damaged, ... */
    int32_t class;        /* SHARED_PERMANENT or SHARED_RETRYABLE */
    const char *sentence; /* for a person, when there is nothing more exact to say */
};
/* The row of a code; that of "internal" for one that is not known. */
const struct failure *failure_find(const char *code);

/* Progress of one document, on its way from 0 to 100. None of them waits. */
void report_start(shared_client *client, const char *document_id, const char *file_name);
void report_page(shared_client *client, const char *document_id, int64_t page, int64_t page_count);
void report_chunking(shared_client *client, const char *document_id);
void report_storing(shared_client *client, const char *document_id, int64_t chunks);
void report_completed(shared_client *client, const char *document_id, int64_t pages, int64_t failed,
                      int64_t chunks);
void report_failed(shared_client *client, const char *document_id, const char *sentence);

#endif
