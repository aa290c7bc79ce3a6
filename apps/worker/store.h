/* SPDX-License-Identifier: MIT
 * store.h - what a job reads and writes in the database. Every write is fenced by documents.attempt: a
 * run that was taken over cannot change a row. Each function only sends; the answer is an event of the
 * tag given.
 */
#ifndef WORKER_STORE_H
#define WORKER_STORE_H

#include <shared.h>

#include "chunk.h"
#include "pages.h"

/* Which run of which document. */
struct run {
    const char *document_id;
    int64_t attempt;
};

/* Columns of the row that store_claim answers with. */
enum claim_column {
    CLAIM_FILE_NAME,
    CLAIM_FILE_PATH,
    CLAIM_BYTE_SIZE,
    CLAIM_ATTEMPT,      /* null: the document was completed already */
    CLAIM_PAGES_STORED, /* number of the last stored page, 0: none */
    CLAIM_PAGES_FAILED, /* stored ones without text */
    CLAIM_PAGE_COUNT,   /* of a completed document, as CLAIM_CHUNK_COUNT */
    CLAIM_CHUNK_COUNT
};

/* Raises the attempt and sets `processing`, in a transaction of its own. query_tag: ROWS, one row or
 * none when there is no such document; commit_tag: from then on it holds. */
shared_status store_claim(shared_session *session, const char *document_id, uint64_t query_tag,
                          uint64_t commit_tag);
/* ROWS: page, text of every stored page in order. */
shared_status store_read_pages(shared_session *session, const char *document_id, uint64_t tag);

/* Pages on their way into the database. */
struct page_batch {
    int64_t *numbers;
    char **texts;
    char **errors; /* NULL: the page was read */
    size_t count, capacity, bytes;
};
bool page_batch_add(struct page_batch *batch, int64_t number, const char *text, size_t size,
                    const char *error);
void page_batch_finish(struct page_batch *batch);
/* One transaction. query_tag: DONE, count 0 says that the fence is lost. */
shared_status store_pages(shared_session *session, const struct run *run,
                          const struct page_batch *batch, uint64_t query_tag, uint64_t commit_tag);

/* Old chunks out, new ones in, document completed: one transaction, all or nothing. DONE;
 * SHARED_ECONFLICT: the fence is lost. */
shared_status store_publish(shared_session *session, const struct run *run,
                            const struct pages *pages, const struct chunk_list *chunks,
                            int64_t pages_failed, uint64_t tag);

/* How a run ends without chunks. */
struct verdict {
    const char *status;      /* failed, or pending: to be tried again */
    const char *error;       /* a sentence */
    const char *error_class; /* permanent, retryable */
    const char *error_code;  /* a word of design 3, or NULL */
    int64_t pages_failed;
};
/* One transaction. query_tag: DONE, count 0 says that the run had ended or the fence is lost. */
shared_status store_verdict(shared_session *session, const struct run *run,
                            const struct verdict *verdict, uint64_t query_tag, uint64_t commit_tag);

#endif
