/* SPDX-License-Identifier: MIT
 * store.c - the statements of a job. No state, no waiting, no decisions.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNKS_AT_ONCE = 5000 };

/* A statement that waits for a row goes on seeing all else as it was before: so it waits in one of its own, and the
 * claim sees what the run before it has stored until the very end. */
static const char lock_sql[] = "SELECT FROM documents WHERE id = $1 FOR NO KEY UPDATE";

static const char claim_sql[] =
    "WITH claimed AS ("
    " UPDATE documents SET extraction_status = 'processing', attempt = attempt + 1, error = NULL,"
    "  error_class = NULL, error_code = NULL, updated_at = now()"
    " WHERE id = $1 AND extraction_status <> 'completed' RETURNING attempt)"
    " SELECT d.file_name, d.file_path, d.byte_size, (SELECT attempt FROM claimed),"
    " (SELECT coalesce(max(page), 0) FROM document_pages WHERE document_id = d.id),"
    " (SELECT count(*) FROM document_pages WHERE document_id = d.id AND source = 'failed'),"
    " d.page_count, (SELECT count(*) FROM document_chunks WHERE document_id = d.id)"
    " FROM documents d WHERE d.id = $1";

static const char read_pages_sql[] =
    "SELECT page, text FROM document_pages WHERE document_id = $1 ORDER BY page";

/* The fence locks the row, so that no new claim comes in before this batch; without its row no page goes
 * in. updated_at tells the reconciler that this run is alive. */
static const char store_pages_sql[] =
    "WITH fence AS (UPDATE documents SET updated_at = now() WHERE id = $1 AND attempt = $2"
    "  RETURNING id)"
    " INSERT INTO document_pages (document_id, page, text, source, error)"
    " SELECT fence.id, p.page, p.text, CASE WHEN p.error IS NULL THEN 'text' ELSE 'failed' END, "
    "p.error"
    " FROM fence, unnest($3::bigint[], $4::text[], $5::text[]) AS p(page, text, error)";

/* Raises when the run was taken over, so that all behind it fails and the commit tells why. */
static const char fence_sql[] = "SELECT document_fence($1, $2::integer)";

static const char delete_chunks_sql[] = "DELETE FROM document_chunks WHERE document_id = $1";

static const char complete_sql[] =
    "UPDATE documents SET extraction_status = 'completed', page_count = $3, pages_failed = $4,"
    " error = NULL, error_class = NULL, error_code = NULL, updated_at = now()"
    " WHERE id = $1 AND attempt = $2";

/* Not what this very run has completed: its commit may be under way when the worker has to stop. */
static const char verdict_sql[] =
    "UPDATE documents SET extraction_status = $3, error = $4, error_class = $5, error_code = $6,"
    " pages_failed = $7, updated_at = now()"
    " WHERE id = $1 AND attempt = $2 AND extraction_status = 'processing'";

static shared_status bind_text(shared_query *query, int32_t position, const char *text) {
    return text ? shared_query_bind_text(query, position, text, strlen(text))
                : shared_query_bind_null(query, position);
}

/* Runs the query if it could be made and bound, and frees it. */
static shared_status run_query(shared_session *session, shared_query *query, shared_status status,
                               uint64_t tag) {
    if (status >= 0) status = shared_session_query(session, query, tag);
    shared_query_free(query);
    return status;
}

/* A statement whose first bind is the document, and the second its attempt (-1: it has none). */
static shared_status make_query(const char *sql, const struct run *run, shared_query **out) {
    shared_status status = shared_query_new(0, sql, out);
    if (status >= 0) status = bind_text(*out, 1, run->document_id);
    if (status >= 0 && run->attempt >= 0) status = shared_query_bind_int(*out, 2, run->attempt);
    return status;
}

static shared_status run_simple(shared_session *session, const char *sql, const struct run *run,
                                uint64_t tag) {
    shared_query *query = NULL;
    shared_status status = make_query(sql, run, &query);
    return run_query(session, query, status, tag);
}

shared_status store_claim(shared_session *session, const char *document_id, uint64_t query_tag,
                          uint64_t commit_tag) {
    const struct run run = {.document_id = document_id, .attempt = -1};
    shared_status status = run_simple(session, lock_sql, &run, 0);
    if (status >= 0) status = run_simple(session, claim_sql, &run, query_tag);
    return status < 0 ? status : shared_session_commit(session, commit_tag);
}

shared_status store_read_pages(shared_session *session, const char *document_id, uint64_t tag) {
    const struct run run = {.document_id = document_id, .attempt = -1};
    shared_query *query = NULL;
    shared_status status = make_query(read_pages_sql, &run, &query);
    if (status >= 0) status = shared_query_read_only(query);
    return run_query(session, query, status, tag);
}

static bool grow_batch(struct page_batch *batch) {
    size_t capacity = batch->capacity ? batch->capacity * 2 : 64;
    int64_t *numbers = realloc(batch->numbers, capacity * sizeof *numbers);
    if (numbers) batch->numbers = numbers;
    char **texts = realloc(batch->texts, capacity * sizeof *texts);
    if (texts) batch->texts = texts;
    char **errors = realloc(batch->errors, capacity * sizeof *errors);
    if (errors) batch->errors = errors;
    if (!numbers || !texts || !errors) return false;
    batch->capacity = capacity;
    return true;
}

/* Not strndup: what is behind the text is nobody's. */
static char *copy_text(const char *text, size_t size) {
    char *copy = malloc(size + 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

bool page_batch_add(struct page_batch *batch, int64_t number, const char *text, size_t size,
                    const char *error) {
    if (batch->count == batch->capacity && !grow_batch(batch)) return false;
    char *copy = copy_text(text, size);
    char *reason = error ? strdup(error) : NULL;
    if (!copy || (error && !reason)) {
        free(copy);
        free(reason);
        return false;
    }
    batch->numbers[batch->count] = number;
    batch->texts[batch->count] = copy;
    batch->errors[batch->count++] = reason;
    batch->bytes += size;
    return true;
}

void page_batch_finish(struct page_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->texts[i]);
        free(batch->errors[i]);
    }
    free(batch->numbers);
    free(batch->texts);
    free(batch->errors);
    *batch = (struct page_batch){0};
}

shared_status store_pages(shared_session *session, const struct run *run,
                          const struct page_batch *batch, uint64_t query_tag, uint64_t commit_tag) {
    shared_query *query = NULL;
    const char *const *texts = (const char *const *)batch->texts;
    const char *const *errors = (const char *const *)batch->errors;
    shared_status status = make_query(store_pages_sql, run, &query);
    if (status >= 0) status = shared_query_bind_int_array(query, 3, batch->numbers, batch->count);
    if (status >= 0) status = shared_query_bind_text_array(query, 4, texts, batch->count);
    if (status >= 0) status = shared_query_bind_text_array(query, 5, errors, batch->count);
    status = run_query(session, query, status, query_tag);
    return status < 0 ? status : shared_session_commit(session, commit_tag);
}

static shared_status add_chunk(shared_session *session, const char *document_id, const char *text,
                               const struct chunk *chunk, int64_t index) {
    const struct {
        int32_t field;
        int64_t value;
    } numbers[] = {
        {SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, index},
        {SHARED_DOCUMENT_CHUNK_PAGE_FROM, chunk->page_from},
        {SHARED_DOCUMENT_CHUNK_PAGE_TO, chunk->page_to},
        {SHARED_DOCUMENT_CHUNK_CHAR_START, chunk->char_start},
        {SHARED_DOCUMENT_CHUNK_CHAR_END, chunk->char_end},
    };
    shared_record *record = NULL;
    shared_status status = shared_record_new(SHARED_DOCUMENT_CHUNK, &record);
    if (status >= 0)
        status = shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID, document_id,
                                        strlen(document_id));
    if (status >= 0)
        status = shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_CONTENT, text + chunk->start,
                                        chunk->size);
    for (size_t i = 0; status >= 0 && i < sizeof numbers / sizeof *numbers; i++)
        status = shared_record_set_int(record, numbers[i].field, numbers[i].value);
    if (status >= 0) status = shared_session_copy(session, record);
    shared_record_unref(record);
    return status;
}

static shared_status complete(shared_session *session, const struct run *run, int64_t page_count,
                              int64_t pages_failed) {
    shared_query *query = NULL;
    shared_status status = make_query(complete_sql, run, &query);
    if (status >= 0) status = shared_query_bind_int(query, 3, page_count);
    if (status >= 0) status = shared_query_bind_int(query, 4, pages_failed);
    return run_query(session, query, status, 0);
}

shared_status store_publish(shared_session *session, const struct run *run,
                            const struct pages *pages, const struct chunk_list *chunks,
                            int64_t pages_failed, uint64_t tag) {
    const struct run any_attempt = {.document_id = run->document_id, .attempt = -1};
    shared_status status = run_simple(session, fence_sql, run, 0);
    if (status >= 0) status = run_simple(session, delete_chunks_sql, &any_attempt, 0);
    for (size_t i = 0; status >= 0 && i < chunks->count; i++) {
        status = add_chunk(session, run->document_id, pages->text, &chunks->items[i], (int64_t)i);
        /* A statement makes the session write what waits in it: its memory and its bound stay small. */
        if (status >= 0 && i % CHUNKS_AT_ONCE == CHUNKS_AT_ONCE - 1)
            status = run_simple(session, fence_sql, run, 0);
    }
    if (status >= 0)
        status = complete(session, run, (int64_t)pages->count - pages_failed, pages_failed);
    return status < 0 ? status : shared_session_commit(session, tag);
}

shared_status store_verdict(shared_session *session, const struct run *run,
                            const struct verdict *verdict, uint64_t query_tag,
                            uint64_t commit_tag) {
    shared_query *query = NULL;
    shared_status status = make_query(verdict_sql, run, &query);
    const char *const texts[] = {verdict->status, verdict->error, verdict->error_class,
                                 verdict->error_code};
    for (int32_t i = 0; status >= 0 && i < 4; i++) status = bind_text(query, 3 + i, texts[i]);
    if (status >= 0) status = shared_query_bind_int(query, 7, verdict->pages_failed);
    status = run_query(session, query, status, query_tag);
    return status < 0 ? status : shared_session_commit(session, commit_tag);
}
