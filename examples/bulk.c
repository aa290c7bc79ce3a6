/* SPDX-License-Identifier: MIT
 * bulk.c - many rows at once: lines of standard input take the place of a document's chunks by one bulk
 * statement; all chunks come out as a COPY, are printed, and go into another table as a COPY.
 *
 *     ./bulk doc-123 <contract.txt >chunks.tsv
 */
#include <string.h>

#include "example.h"

enum { TAG_STORE = 1, TAG_OUT, TAG_IN, TAG_WRITE, TIMEOUT_MS = 60000 };

static shared_client *client;
static shared_session *session, *target;
static const shared_event *event;

static void finish(uint64_t tag, const char *what) {
    must(shared_client_wait(client, tag, TIMEOUT_MS, &event), what);
}

static void run(shared_session *of, const char *sql, const char *id) {
    shared_query *query = NULL;
    must(shared_query_new(0, sql, &query), sql);
    if (id) must(shared_query_bind_text(query, 1, id, strlen(id)), sql);
    must(shared_session_query(of, query, 0), sql); /* a failure is told by what comes next */
    shared_query_free(query);
}

static void store_lines(const char *document) {
    char line[4096];
    for (int64_t index = 0; fgets(line, sizeof line, stdin); index++) {
        shared_record *chunk = NULL;
        must(shared_record_new(SHARED_DOCUMENT_CHUNK, &chunk), "chunk");
        must(shared_record_set_text(chunk, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID, document,
                                    strlen(document)),
             "document");
        must(shared_record_set_text(chunk, SHARED_DOCUMENT_CHUNK_CONTENT, line, strlen(line)),
             "line");
        must(shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, index), "index");
        must(shared_record_set_null(chunk, SHARED_DOCUMENT_CHUNK_PAGE_FROM), "page"); /* of none */
        must(shared_session_copy(session, chunk), "copy");
        shared_record_unref(chunk);
    }
    must(shared_session_commit(session, TAG_STORE), "store");
    finish(TAG_STORE, "store");
    fprintf(stderr, "%lld chunks stored\n", (long long)shared_event_count(event));
}

/* What comes out of one COPY goes into the other, piece by piece: no more of it is here at a time. */
static void copy_renamed(void) {
    const char *out = "COPY (SELECT 'copy-' || id, chunk_index, content FROM document_chunks"
                      " ORDER BY chunk_index) TO STDOUT";
    must(shared_session_copy_out(session, out, TAG_OUT), "copy out");
    must(shared_session_copy_in(target, "COPY copied FROM STDIN", TAG_IN), "copy in");
    for (finish(TAG_OUT, "copy out"); shared_event_more(event); finish(TAG_OUT, "copy out")) {
        size_t size = 0;
        const char *data = shared_event_data(event, &size);
        fwrite(data, 1, size, stdout);
        must(shared_session_copy_write(target, data, size, TAG_WRITE), "write");
        finish(TAG_WRITE, "write");
    }
    must(shared_session_copy_end(target, NULL), "end");
    finish(TAG_IN, "copy in");
    fprintf(stderr, "%lld rows copied\n", (long long)shared_event_count(event));
}

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "usage: bulk DOCUMENT_ID <TEXT\n"), 64;
    client = connect_client();
    must(shared_session_new(client, &session), "session");
    must(shared_session_new(client, &target), "session");
    run(session, "DELETE FROM document_chunks WHERE document_id = $1", words[1]);
    store_lines(words[1]);
    run(target, "CREATE TEMP TABLE copied (id text, number int, content text)", NULL);
    copy_renamed();
    shared_session_free(target); /* rolls back: it was to be seen only */
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
