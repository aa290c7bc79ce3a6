/* SPDX-License-Identifier: MIT
 * remove.c - deletes a document, but only one that nobody is working on: what others wrote since it was
 * read is looked at once more.
 *
 *     ./remove doc-123
 */
#include <string.h>

#include "example.h"

enum { TAG_GET = 1, TAG_REFRESH, TAG_END, TIMEOUT_MS = 5000 };

static const char *status_of(const shared_record *document) {
    return shared_record_text(document, SHARED_DOCUMENT_EXTRACTION_STATUS);
}

static int remove_document(shared_client *client, shared_session *session,
                           shared_record *document) {
    const shared_event *event = NULL;
    must(shared_session_begin(session, SHARED_SERIALIZABLE, 0), "begin");
    must(shared_session_refresh(session, document, TAG_REFRESH), "refresh");
    must(shared_client_wait(client, TAG_REFRESH, TIMEOUT_MS, &event), "refresh");
    must(shared_session_delete(session, document), "delete");
    int busy = strcmp(status_of(document), "processing") == 0;
    if (busy)
        must(shared_session_rollback(session, TAG_END), "rollback");
    else
        must(shared_session_commit(session, TAG_END), "commit");
    must(shared_client_wait(client, TAG_END, TIMEOUT_MS, &event), "end");
    printf(busy ? "a worker reads it: not deleted\n" : "deleted\n");
    return busy;
}

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "usage: remove DOCUMENT_ID\n"), 64;
    shared_client *client = connect_client();
    shared_session *session = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    must(shared_session_get(session, SHARED_DOCUMENT, words[1], TAG_GET), "get");
    must(shared_client_wait(client, TAG_GET, TIMEOUT_MS, &event), "get");
    shared_record *document = shared_record_ref(shared_event_record(event, 0));
    int code = document ? remove_document(client, session, document)
                        : (printf("no document %s\n", words[1]), 1);
    shared_record_unref(document);
    shared_session_free(session);
    shared_client_free(client);
    return code;
}
