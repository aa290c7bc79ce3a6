/* SPDX-License-Identifier: MIT
 * models.c - the table of models, which everything generic walks;
 * made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
 */
/* clang-format off */
#include "model/model.h"

static const char *const words_extraction_status[] = {"pending", "processing", "completed", "failed", NULL};
static const char *const words_error_class[] = {"permanent", "retryable", NULL};
static const char *const words_page_source[] = {"text", "ocr", "failed", NULL};
static const char *const words_log_level[] = {"debug", "info", "warning", "error", NULL};

static const struct field fields_case[] = {
    {"id", FIELD_TEXT, .key = true, .input = true, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Any text: \"case-123\" is valid; a UUIDv7 when absent."},
    {"title", FIELD_TEXT, .input = true, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Name of the matter."},
    {"description", FIELD_TEXT, .null = true, .input = true, .has_max = true, .max = 10000,
     .meaning = "What it is about."},
    {"created_at", FIELD_TIME, .server = true,
     .meaning = "When the row was first stored."},
    {"updated_at", FIELD_TIME, .server = true,
     .meaning = "When the row was last changed."},
};

static const struct field fields_document[] = {
    {"id", FIELD_TEXT, .key = true, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Any text: \"doc-123\" is valid; a UUIDv7 when absent."},
    {"case_id", FIELD_TEXT, .null = true, .reference = 1,
     .meaning = "Matter the file belongs to."},
    {"file_name", FIELD_TEXT, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Name given by the client, never a path."},
    {"content_type", FIELD_TEXT, .null = true, .has_max = true, .max = 255,
     .meaning = "Type given by the client, never trusted."},
    {"byte_size", FIELD_INT64, .null = true, .has_min = true, .min = 0,
     .meaning = "Size of the upload in bytes."},
    {"sha256", FIELD_TEXT, .null = true, .has_min = true, .min = 64, .has_max = true, .max = 64,
     .meaning = "Digest of the upload, hexadecimal."},
    {"file_path", FIELD_TEXT, .null = true, .has_max = true, .max = 4096,
     .meaning = "Where the file is, below UPLOAD_DIR."},
    {"extraction_status", FIELD_ENUM, .preset = "pending", .words = words_extraction_status,
     .meaning = "Changed by the worker alone."},
    {"page_count", FIELD_INT32, .null = true, .has_min = true, .min = 0,
     .meaning = "Pages read, not pages promised."},
    {"pages_failed", FIELD_INT32, .has_min = true, .min = 0, .preset = "0",
     .meaning = "Pages that could not be read."},
    {"error", FIELD_TEXT, .null = true, .has_max = true, .max = 2000,
     .meaning = "Why it failed, a sentence for a person."},
    {"error_class", FIELD_ENUM, .null = true, .words = words_error_class,
     .meaning = "Whether trying again may help."},
    {"error_code", FIELD_TEXT, .null = true, .has_max = true, .max = 64,
     .meaning = "The reason as a stable word: password_required, ..."},
    {"attempt", FIELD_INT32, .has_min = true, .min = 0, .preset = "0",
     .meaning = "Fence: which run of the extraction may write."},
    {"created_at", FIELD_TIME, .server = true,
     .meaning = "When the row was first stored."},
    {"updated_at", FIELD_TIME, .server = true,
     .meaning = "When the row was last changed."},
};

static const struct field fields_document_page[] = {
    {"document_id", FIELD_TEXT, .key = true, .cascade = true, .reference = 2,
     .meaning = "Document the page belongs to."},
    {"page", FIELD_INT32, .key = true, .has_min = true, .min = 1,
     .meaning = "Page number, from 1."},
    {"text", FIELD_TEXT,
     .meaning = "Its text in normal form; empty when failed."},
    {"source", FIELD_ENUM, .words = words_page_source,
     .meaning = "Where the text came from."},
    {"error", FIELD_TEXT, .null = true, .has_max = true, .max = 2000,
     .meaning = "Why the page failed, a sentence."},
};

static const struct field fields_document_chunk[] = {
    {"id", FIELD_TEXT, .key = true, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "A UUIDv7 when absent."},
    {"document_id", FIELD_TEXT, .cascade = true, .unique = "document_chunks_position", .reference = 2,
     .meaning = "Document the chunk belongs to."},
    {"chunk_index", FIELD_INT32, .has_min = true, .min = 0, .unique = "document_chunks_position",
     .meaning = "Position in the document, from 0."},
    {"content", FIELD_TEXT, .has_min = true, .min = 1,
     .meaning = "An exact substring of the document's text."},
    {"page_from", FIELD_INT32, .null = true, .has_min = true, .min = 1,
     .meaning = "Page of its first character."},
    {"page_to", FIELD_INT32, .null = true, .has_min = true, .min = 1,
     .meaning = "Page of its last character."},
    {"char_start", FIELD_INT64, .null = true, .has_min = true, .min = 0,
     .meaning = "First character, in code points of the whole text."},
    {"char_end", FIELD_INT64, .null = true, .has_min = true, .min = 0,
     .meaning = "Behind the last character."},
    {"created_at", FIELD_TIME, .server = true,
     .meaning = "When the row was stored."},
};

static const struct field fields_progress[] = {
    {"progress", FIELD_INT32, .has_min = true, .min = 0, .has_max = true, .max = 100,
     .meaning = "Percent."},
    {"step", FIELD_TEXT, .has_min = true, .min = 1, .has_max = true, .max = 64,
     .meaning = "starting, extracting, chunking, storing, completed or failed."},
    {"message", FIELD_TEXT, .has_max = true, .max = 2000,
     .meaning = "A sentence for a person."},
};

static const struct field fields_extraction_job[] = {
    {"document_id", FIELD_TEXT, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Document to read."},
};

static const struct field fields_error_body[] = {
    {"detail", FIELD_TEXT,
     .meaning = "What went wrong, a sentence."},
};

static const struct field fields_extraction_result[] = {
    {"document_id", FIELD_TEXT, .has_min = true, .min = 1, .has_max = true, .max = 255,
     .meaning = "Document that was read."},
    {"extraction_status", FIELD_ENUM, .words = words_extraction_status,
     .meaning = "completed."},
    {"page_count", FIELD_INT32, .has_min = true, .min = 0,
     .meaning = "Pages read."},
    {"pages_failed", FIELD_INT32, .has_min = true, .min = 0,
     .meaning = "Pages that could not be read."},
    {"chunk_count", FIELD_INT32, .has_min = true, .min = 0,
     .meaning = "Chunks stored."},
};

static const struct field fields_log_line[] = {
    {"time", FIELD_TIME,
     .meaning = "When it was written."},
    {"level", FIELD_ENUM, .words = words_log_level,
     .meaning = "The word of its level."},
    {"logger", FIELD_TEXT, .has_max = true, .max = 128,
     .meaning = "Name of the logger."},
    {"message", FIELD_TEXT, .has_max = true, .max = 2048,
     .meaning = "What it says."},
    {"lost", FIELD_INT64, .null = true, .has_min = true, .min = 0,
     .meaning = "Lines lost before this one."},
};

const struct model models[] = {
    {.number = 1, .name = "case", .meaning = "A matter that documents belong to.",
     .count = 5, .fields = fields_case, .key_count = 1, .table = "cases",
     .select = "SELECT id, title, description, created_at, updated_at FROM cases",
     .select_by_key = "SELECT id, title, description, created_at, updated_at FROM cases WHERE id = $1"},
    {.number = 2, .name = "document", .meaning = "An uploaded file and how far its extraction has come.",
     .count = 16, .fields = fields_document, .key_count = 1, .table = "documents",
     .select = "SELECT id, case_id, file_name, content_type, byte_size, sha256, file_path, extraction_status, page_count, pages_failed, error, error_class, error_code, attempt, created_at, updated_at FROM documents",
     .select_by_key = "SELECT id, case_id, file_name, content_type, byte_size, sha256, file_path, extraction_status, page_count, pages_failed, error, error_class, error_code, attempt, created_at, updated_at FROM documents WHERE id = $1"},
    {.number = 3, .name = "document_page", .meaning = "One page's text: the checkpoint of an extraction.",
     .count = 5, .fields = fields_document_page, .key_count = 2, .table = "document_pages",
     .select = "SELECT document_id, page, text, source, error FROM document_pages",
     .select_by_key = "SELECT document_id, page, text, source, error FROM document_pages WHERE document_id = $1 AND page = $2"},
    {.number = 4, .name = "document_chunk", .meaning = "A piece of a document's text, fit for search.",
     .count = 9, .fields = fields_document_chunk, .key_count = 1, .table = "document_chunks",
     .select = "SELECT id, document_id, chunk_index, content, page_from, page_to, char_start, char_end, created_at FROM document_chunks",
     .select_by_key = "SELECT id, document_id, chunk_index, content, page_from, page_to, char_start, char_end, created_at FROM document_chunks WHERE id = $1"},
    {.number = 5, .name = "progress", .meaning = "What a worker says and a listener hears.",
     .count = 3, .fields = fields_progress},
    {.number = 6, .name = "extraction_job", .meaning = "Payload of the task extract_text_from_document.",
     .count = 1, .fields = fields_extraction_job},
    {.number = 7, .name = "error_body", .meaning = "Body of an HTTP error.",
     .count = 1, .fields = fields_error_body},
    {.number = 8, .name = "extraction_result", .meaning = "What extract_text_from_document returns.",
     .count = 5, .fields = fields_extraction_result},
    {.number = 9, .name = "log_line", .meaning = "A captured line of the log; its JSON has the pairs of context too.",
     .count = 5, .fields = fields_log_line},
};
const int32_t models_count = 9;
