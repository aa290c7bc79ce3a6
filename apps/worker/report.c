/* SPDX-License-Identifier: MIT
 * report.c - one table of failures, and the share of the bar that each step has. Never decides anything.
 */
#include "report.h"

#include <stdio.h>
#include <string.h>

/* Extraction is nearly all of the work, so it has nearly all of the bar. */
enum { PERCENT_EXTRACTING = 1, PERCENT_CHUNKING = 90, PERCENT_STORING = 95 };

static const struct failure failures[] = {
    {"password_required", SHARED_PERMANENT,
     "This file is protected by a password. Upload a copy that opens without one."},
    {"file_damaged", SHARED_PERMANENT, "This file is damaged and cannot be read."},
    {"type_unsupported", SHARED_PERMANENT, "Files of this type cannot be read."},
    {"too_large", SHARED_PERMANENT, "This document holds more text than is allowed."},
    {"too_many_pages", SHARED_PERMANENT, "This document has more pages than are allowed."},
    {"page_timeout", SHARED_PERMANENT,
     "Reading a page of this document took longer than is allowed."},
    {"total_timeout", SHARED_PERMANENT, "Reading this document took longer than is allowed."},
    {"extractor_killed", SHARED_PERMANENT,
     "Reading this document ended the reader three times; it may be damaged or made to do harm."},
    {"file_missing", SHARED_PERMANENT, "The file of this document is no longer stored."},
    /* Whoever waits for this task is told of the other run's end, by its retry: it may be the same task's. */
    {"cancelled", SHARED_RETRYABLE, "Another run of this document took over."},
    {"internal", SHARED_RETRYABLE,
     "The document could not be read because of a fault on our side."},
};

const struct failure *failure_find(const char *code) {
    enum { COUNT = sizeof failures / sizeof *failures };
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(failures[i].code, code)) return &failures[i];
    return &failures[COUNT - 1];
}

static void publish(shared_client *client, const char *document_id, int64_t percent,
                    const char *step, const char *message) {
    /* Progress is told as far as Redis listens; the row in the database is the truth. */
    (void)shared_progress_publish(client, document_id, (int32_t)percent, step, message, 0);
}

void report_start(shared_client *client, const char *document_id, const char *file_name) {
    char message[REPORT_MESSAGE_SIZE * 3];
    snprintf(message, sizeof message, "Opening %.1200s", file_name);
    publish(client, document_id, 0, "starting", message);
}

void report_page(shared_client *client, const char *document_id, int64_t page, int64_t page_count) {
    char message[REPORT_MESSAGE_SIZE];
    int64_t total = page_count < page ? page : page_count;
    snprintf(message, sizeof message, "Extracted text from page %lld of %lld", (long long)page,
             (long long)total);
    int64_t share = PERCENT_CHUNKING - PERCENT_EXTRACTING - 1;
    publish(client, document_id, PERCENT_EXTRACTING + share * page / total, "extracting", message);
}

void report_chunking(shared_client *client, const char *document_id) {
    publish(client, document_id, PERCENT_CHUNKING, "chunking", "Cutting the text into chunks");
}

void report_storing(shared_client *client, const char *document_id, int64_t chunks) {
    char message[REPORT_MESSAGE_SIZE];
    snprintf(message, sizeof message, "Storing %lld chunks", (long long)chunks);
    publish(client, document_id, PERCENT_STORING, "storing", message);
}

void report_completed(shared_client *client, const char *document_id, int64_t pages, int64_t failed,
                      int64_t chunks) {
    char message[REPORT_MESSAGE_SIZE];
    if (!chunks)
        snprintf(message, sizeof message, "Read %lld pages; they hold no text (a scan?)",
                 (long long)pages);
    else if (failed)
        snprintf(message, sizeof message, "Read %lld pages; %lld could not be read",
                 (long long)pages, (long long)failed);
    else
        snprintf(message, sizeof message, "Read %lld %s", (long long)pages,
                 pages == 1 ? "page" : "pages");
    publish(client, document_id, 100, "completed", message);
}

void report_failed(shared_client *client, const char *document_id, const char *sentence) {
    publish(client, document_id, 100, "failed", sentence);
}
