/* SPDX-License-Identifier: MIT
 * commit_load.c - COUNT transactions of one document and ten chunks, one after the other: each is one
 * session's commit, one round trip.
 */
#include <string.h>

#include "load.h"

enum { TAG_WARM = 1, TAG_COMMIT, CHUNKS = 10 };
static const char text[] = "The tenant shall give notice in writing.";

static void set_text(shared_record *record, int32_t field, const char *value) {
    must(shared_record_set_text(record, field, value, strlen(value)));
}

static void add_document(shared_session *session, const char *id) {
    shared_record *document = NULL;
    must(shared_record_new(SHARED_DOCUMENT, &document));
    set_text(document, SHARED_DOCUMENT_ID, id);
    set_text(document, SHARED_DOCUMENT_FILE_NAME, "lease.pdf");
    must(shared_session_add(session, document));
    shared_record_unref(document);
    for (int i = 0; i < CHUNKS; i++) {
        shared_record *chunk = NULL;
        must(shared_record_new(SHARED_DOCUMENT_CHUNK, &chunk));
        set_text(chunk, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID, id);
        set_text(chunk, SHARED_DOCUMENT_CHUNK_CONTENT, text);
        must(shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, i));
        must(shared_session_add(session, chunk));
        shared_record_unref(chunk);
    }
}

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: commit-load PREFIX COUNT\n"), 64;
    shared_client *client = connect_client();
    shared_session *session = NULL;
    char id[64];
    must(shared_session_new(client, &session));
    snprintf(id, sizeof id, "%.40s-warm", words[1]);
    add_document(session, id);
    must(shared_session_commit(session, TAG_WARM));
    wait_done(client, TAG_WARM);

    double started = now_s(), cpu_started = cpu_s();
    for (int64_t i = 0; i < atoll(words[2]); i++) {
        snprintf(id, sizeof id, "%.40s-%lld", words[1], (long long)i);
        add_document(session, id);
        must(shared_session_commit(session, TAG_COMMIT));
        wait_done(client, TAG_COMMIT);
    }
    print_times(started, cpu_started);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
