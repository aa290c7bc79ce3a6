/* SPDX-License-Identifier: MIT
 * models.h - numbers of models and of their fields, words of enumerations;
 * made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
 */
/* clang-format off */
#ifndef SHARED_MODELS_H
#define SHARED_MODELS_H

/** Models: rows of a table, and shapes without one. */
enum {
    SHARED_CASE = 1, /**< A matter that documents belong to. */
    SHARED_DOCUMENT = 2, /**< An uploaded file and how far its extraction has come. */
    SHARED_DOCUMENT_PAGE = 3, /**< One page's text: the checkpoint of an extraction. */
    SHARED_DOCUMENT_CHUNK = 4, /**< A piece of a document's text, fit for search. */
    SHARED_PROGRESS = 5, /**< What a worker says and a listener hears. */
    SHARED_EXTRACTION_JOB = 6, /**< Payload of the task extract_text_from_document. */
    SHARED_ERROR_BODY = 7, /**< Body of an HTTP error. */
    SHARED_EXTRACTION_RESULT = 8, /**< What extract_text_from_document returns. */
    SHARED_LOG_LINE = 9, /**< A captured line of the log; its JSON has the pairs of context too. */
};

/** Fields of case: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_CASE_ID = 0x101, /**< Any text: "case-123" is valid; a UUIDv7 when absent. */
    SHARED_CASE_TITLE = 0x102, /**< Name of the matter. */
    SHARED_CASE_DESCRIPTION = 0x103, /**< What it is about. */
    SHARED_CASE_CREATED_AT = 0x104, /**< When the row was first stored. */
    SHARED_CASE_UPDATED_AT = 0x105, /**< When the row was last changed. */
};

/** Fields of document: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_DOCUMENT_ID = 0x201, /**< Any text: "doc-123" is valid; a UUIDv7 when absent. */
    SHARED_DOCUMENT_CASE_ID = 0x202, /**< Matter the file belongs to. */
    SHARED_DOCUMENT_FILE_NAME = 0x203, /**< Name given by the client, never a path. */
    SHARED_DOCUMENT_CONTENT_TYPE = 0x204, /**< Type given by the client, never trusted. */
    SHARED_DOCUMENT_BYTE_SIZE = 0x205, /**< Size of the upload in bytes. */
    SHARED_DOCUMENT_SHA256 = 0x206, /**< Digest of the upload, hexadecimal. */
    SHARED_DOCUMENT_FILE_PATH = 0x207, /**< Where the file is, below UPLOAD_DIR. */
    SHARED_DOCUMENT_EXTRACTION_STATUS = 0x208, /**< Changed by the worker alone. */
    SHARED_DOCUMENT_PAGE_COUNT = 0x209, /**< Pages read, not pages promised. */
    SHARED_DOCUMENT_PAGES_FAILED = 0x20a, /**< Pages that could not be read. */
    SHARED_DOCUMENT_ERROR = 0x20b, /**< Why it failed, a sentence for a person. */
    SHARED_DOCUMENT_ERROR_CLASS = 0x20c, /**< Whether trying again may help. */
    SHARED_DOCUMENT_ERROR_CODE = 0x20d, /**< The reason as a stable word: password_required, ... */
    SHARED_DOCUMENT_ATTEMPT = 0x20e, /**< Fence: which run of the extraction may write. */
    SHARED_DOCUMENT_CREATED_AT = 0x20f, /**< When the row was first stored. */
    SHARED_DOCUMENT_UPDATED_AT = 0x210, /**< When the row was last changed. */
};

/** Fields of document_page: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_DOCUMENT_PAGE_DOCUMENT_ID = 0x301, /**< Document the page belongs to. */
    SHARED_DOCUMENT_PAGE_PAGE = 0x302, /**< Page number, from 1. */
    SHARED_DOCUMENT_PAGE_TEXT = 0x303, /**< Its text in normal form; empty when failed. */
    SHARED_DOCUMENT_PAGE_SOURCE = 0x304, /**< Where the text came from. */
    SHARED_DOCUMENT_PAGE_ERROR = 0x305, /**< Why the page failed, a sentence. */
};

/** Fields of document_chunk: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_DOCUMENT_CHUNK_ID = 0x401, /**< A UUIDv7 when absent. */
    SHARED_DOCUMENT_CHUNK_DOCUMENT_ID = 0x402, /**< Document the chunk belongs to. */
    SHARED_DOCUMENT_CHUNK_CHUNK_INDEX = 0x403, /**< Position in the document, from 0. */
    SHARED_DOCUMENT_CHUNK_CONTENT = 0x404, /**< An exact substring of the document's text. */
    SHARED_DOCUMENT_CHUNK_PAGE_FROM = 0x405, /**< Page of its first character. */
    SHARED_DOCUMENT_CHUNK_PAGE_TO = 0x406, /**< Page of its last character. */
    SHARED_DOCUMENT_CHUNK_CHAR_START = 0x407, /**< First character, in code points of the whole text. */
    SHARED_DOCUMENT_CHUNK_CHAR_END = 0x408, /**< Behind the last character. */
    SHARED_DOCUMENT_CHUNK_CREATED_AT = 0x409, /**< When the row was stored. */
};

/** Fields of progress: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_PROGRESS_PROGRESS = 0x501, /**< Percent. */
    SHARED_PROGRESS_STEP = 0x502, /**< starting, extracting, chunking, storing, completed or failed. */
    SHARED_PROGRESS_MESSAGE = 0x503, /**< A sentence for a person. */
};

/** Fields of extraction_job: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_EXTRACTION_JOB_DOCUMENT_ID = 0x601, /**< Document to read. */
};

/** Fields of error_body: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_ERROR_BODY_DETAIL = 0x701, /**< What went wrong, a sentence. */
};

/** Fields of extraction_result: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_EXTRACTION_RESULT_DOCUMENT_ID = 0x801, /**< Document that was read. */
    SHARED_EXTRACTION_RESULT_EXTRACTION_STATUS = 0x802, /**< completed. */
    SHARED_EXTRACTION_RESULT_PAGE_COUNT = 0x803, /**< Pages read. */
    SHARED_EXTRACTION_RESULT_PAGES_FAILED = 0x804, /**< Pages that could not be read. */
    SHARED_EXTRACTION_RESULT_CHUNK_COUNT = 0x805, /**< Chunks stored. */
};

/** Fields of log_line: model << 8 | position, stable since fields are only appended. */
enum {
    SHARED_LOG_LINE_TIME = 0x901, /**< When it was written. */
    SHARED_LOG_LINE_LEVEL = 0x902, /**< The word of its level. */
    SHARED_LOG_LINE_LOGGER = 0x903, /**< Name of the logger. */
    SHARED_LOG_LINE_MESSAGE = 0x904, /**< What it says. */
    SHARED_LOG_LINE_LOST = 0x905, /**< Lines lost before this one. */
};

/* Words of extraction_status. */
#define SHARED_EXTRACTION_STATUS_PENDING "pending"
#define SHARED_EXTRACTION_STATUS_PROCESSING "processing"
#define SHARED_EXTRACTION_STATUS_COMPLETED "completed"
#define SHARED_EXTRACTION_STATUS_FAILED "failed"

/* Words of error_class. */
#define SHARED_ERROR_CLASS_PERMANENT "permanent"
#define SHARED_ERROR_CLASS_RETRYABLE "retryable"

/* Words of page_source. */
#define SHARED_PAGE_SOURCE_TEXT "text"
#define SHARED_PAGE_SOURCE_OCR "ocr"
#define SHARED_PAGE_SOURCE_FAILED "failed"

/* Words of log_level. */
#define SHARED_LOG_LEVEL_DEBUG "debug"
#define SHARED_LOG_LEVEL_INFO "info"
#define SHARED_LOG_LEVEL_WARNING "warning"
#define SHARED_LOG_LEVEL_ERROR "error"

#endif
