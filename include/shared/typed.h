/* SPDX-License-Identifier: MIT
 * typed.h - a getter a field, inline: outside the ABI, include it after <shared.h>;
 * made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
 */
/* clang-format off */
#ifndef SHARED_TYPED_H
#define SHARED_TYPED_H

#include <shared/record.h>

/* case: A matter that documents belong to. */
/** Any text: "case-123" is valid; a UUIDv7 when absent. */
static inline const char *shared_case_id(const shared_record *record) {
    return shared_record_text(record, SHARED_CASE_ID);
}
/** Name of the matter. */
static inline const char *shared_case_title(const shared_record *record) {
    return shared_record_text(record, SHARED_CASE_TITLE);
}
/** What it is about. */
static inline const char *shared_case_description(const shared_record *record) {
    return shared_record_text(record, SHARED_CASE_DESCRIPTION);
}
/** When the row was first stored. */
static inline int64_t shared_case_created_at(const shared_record *record) {
    return shared_record_time(record, SHARED_CASE_CREATED_AT);
}
/** When the row was last changed. */
static inline int64_t shared_case_updated_at(const shared_record *record) {
    return shared_record_time(record, SHARED_CASE_UPDATED_AT);
}

/* document: An uploaded file and how far its extraction has come. */
/** Any text: "doc-123" is valid; a UUIDv7 when absent. */
static inline const char *shared_document_id(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_ID);
}
/** Matter the file belongs to. */
static inline const char *shared_document_case_id(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_CASE_ID);
}
/** Name given by the client, never a path. */
static inline const char *shared_document_file_name(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_FILE_NAME);
}
/** Type given by the client, never trusted. */
static inline const char *shared_document_content_type(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_CONTENT_TYPE);
}
/** Size of the upload in bytes. */
static inline int64_t shared_document_byte_size(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_BYTE_SIZE);
}
/** Digest of the upload, hexadecimal. */
static inline const char *shared_document_sha256(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_SHA256);
}
/** Where the file is, below UPLOAD_DIR. */
static inline const char *shared_document_file_path(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_FILE_PATH);
}
/** Changed by the worker alone. */
static inline const char *shared_document_extraction_status(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_EXTRACTION_STATUS);
}
/** Pages read, not pages promised. */
static inline int64_t shared_document_page_count(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_PAGE_COUNT);
}
/** Pages that could not be read. */
static inline int64_t shared_document_pages_failed(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_PAGES_FAILED);
}
/** Why it failed, a sentence for a person. */
static inline const char *shared_document_error(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_ERROR);
}
/** Whether trying again may help. */
static inline const char *shared_document_error_class(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_ERROR_CLASS);
}
/** The reason as a stable word: password_required, ... */
static inline const char *shared_document_error_code(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_ERROR_CODE);
}
/** Fence: which run of the extraction may write. */
static inline int64_t shared_document_attempt(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_ATTEMPT);
}
/** When the row was first stored. */
static inline int64_t shared_document_created_at(const shared_record *record) {
    return shared_record_time(record, SHARED_DOCUMENT_CREATED_AT);
}
/** When the row was last changed. */
static inline int64_t shared_document_updated_at(const shared_record *record) {
    return shared_record_time(record, SHARED_DOCUMENT_UPDATED_AT);
}

/* document_page: One page's text: the checkpoint of an extraction. */
/** Document the page belongs to. */
static inline const char *shared_document_page_document_id(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_PAGE_DOCUMENT_ID);
}
/** Page number, from 1. */
static inline int64_t shared_document_page_page(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_PAGE_PAGE);
}
/** Its text in normal form; empty when failed. */
static inline const char *shared_document_page_text(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_PAGE_TEXT);
}
/** Where the text came from. */
static inline const char *shared_document_page_source(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_PAGE_SOURCE);
}
/** Why the page failed, a sentence. */
static inline const char *shared_document_page_error(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_PAGE_ERROR);
}

/* document_chunk: A piece of a document's text, fit for search. */
/** A UUIDv7 when absent. */
static inline const char *shared_document_chunk_id(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_CHUNK_ID);
}
/** Document the chunk belongs to. */
static inline const char *shared_document_chunk_document_id(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID);
}
/** Position in the document, from 0. */
static inline int64_t shared_document_chunk_chunk_index(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX);
}
/** An exact substring of the document's text. */
static inline const char *shared_document_chunk_content(const shared_record *record) {
    return shared_record_text(record, SHARED_DOCUMENT_CHUNK_CONTENT);
}
/** Page of its first character. */
static inline int64_t shared_document_chunk_page_from(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_CHUNK_PAGE_FROM);
}
/** Page of its last character. */
static inline int64_t shared_document_chunk_page_to(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_CHUNK_PAGE_TO);
}
/** First character, in code points of the whole text. */
static inline int64_t shared_document_chunk_char_start(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_CHUNK_CHAR_START);
}
/** Behind the last character. */
static inline int64_t shared_document_chunk_char_end(const shared_record *record) {
    return shared_record_int(record, SHARED_DOCUMENT_CHUNK_CHAR_END);
}
/** When the row was stored. */
static inline int64_t shared_document_chunk_created_at(const shared_record *record) {
    return shared_record_time(record, SHARED_DOCUMENT_CHUNK_CREATED_AT);
}

/* progress: What a worker says and a listener hears. */
/** Percent. */
static inline int64_t shared_progress_progress(const shared_record *record) {
    return shared_record_int(record, SHARED_PROGRESS_PROGRESS);
}
/** starting, extracting, chunking, storing, completed or failed. */
static inline const char *shared_progress_step(const shared_record *record) {
    return shared_record_text(record, SHARED_PROGRESS_STEP);
}
/** A sentence for a person. */
static inline const char *shared_progress_message(const shared_record *record) {
    return shared_record_text(record, SHARED_PROGRESS_MESSAGE);
}

/* extraction_job: Payload of the task extract_text_from_document. */
/** Document to read. */
static inline const char *shared_extraction_job_document_id(const shared_record *record) {
    return shared_record_text(record, SHARED_EXTRACTION_JOB_DOCUMENT_ID);
}

/* error_body: Body of an HTTP error. */
/** What went wrong, a sentence. */
static inline const char *shared_error_body_detail(const shared_record *record) {
    return shared_record_text(record, SHARED_ERROR_BODY_DETAIL);
}

/* extraction_result: What extract_text_from_document returns. */
/** Document that was read. */
static inline const char *shared_extraction_result_document_id(const shared_record *record) {
    return shared_record_text(record, SHARED_EXTRACTION_RESULT_DOCUMENT_ID);
}
/** completed. */
static inline const char *shared_extraction_result_extraction_status(const shared_record *record) {
    return shared_record_text(record, SHARED_EXTRACTION_RESULT_EXTRACTION_STATUS);
}
/** Pages read. */
static inline int64_t shared_extraction_result_page_count(const shared_record *record) {
    return shared_record_int(record, SHARED_EXTRACTION_RESULT_PAGE_COUNT);
}
/** Pages that could not be read. */
static inline int64_t shared_extraction_result_pages_failed(const shared_record *record) {
    return shared_record_int(record, SHARED_EXTRACTION_RESULT_PAGES_FAILED);
}
/** Chunks stored. */
static inline int64_t shared_extraction_result_chunk_count(const shared_record *record) {
    return shared_record_int(record, SHARED_EXTRACTION_RESULT_CHUNK_COUNT);
}

/* log_line: A captured line of the log; its JSON has the pairs of context too. */
/** When it was written. */
static inline int64_t shared_log_line_time(const shared_record *record) {
    return shared_record_time(record, SHARED_LOG_LINE_TIME);
}
/** The word of its level. */
static inline const char *shared_log_line_level(const shared_record *record) {
    return shared_record_text(record, SHARED_LOG_LINE_LEVEL);
}
/** Name of the logger. */
static inline const char *shared_log_line_logger(const shared_record *record) {
    return shared_record_text(record, SHARED_LOG_LINE_LOGGER);
}
/** What it says. */
static inline const char *shared_log_line_message(const shared_record *record) {
    return shared_record_text(record, SHARED_LOG_LINE_MESSAGE);
}
/** Lines lost before this one. */
static inline int64_t shared_log_line_lost(const shared_record *record) {
    return shared_record_int(record, SHARED_LOG_LINE_LOST);
}

#endif
