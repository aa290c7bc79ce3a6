/* SPDX-License-Identifier: MIT
 * transfer.c - moves documents to another case in one transaction: each is locked, one that fails is left
 * out by a savepoint, and nothing is stored unless the commit says so.
 *
 *     ./transfer case-2 doc-1 doc-2 doc-3
 */
#include <string.h>

#include "example.h"

enum { TAG_LOCK = 1, TAG_FLUSH, TAG_BACK, TAG_COMMIT, TAG_SHOW, TIMEOUT_MS = 5000 };

static shared_client *client;
static shared_session *session;
static const shared_event *event;

static shared_record *lock_document(const char *id) {
    shared_query *query = NULL;
    must(shared_query_new(SHARED_DOCUMENT, "id = $1", &query), "query");
    must(shared_query_bind_text(query, 1, id, strlen(id)), "id");
    must(shared_query_lock(query, SHARED_FOR_UPDATE, SHARED_WAIT), "lock");
    must(shared_session_query(session, query, TAG_LOCK), "lock");
    must(shared_client_wait(client, TAG_LOCK, TIMEOUT_MS, &event), "lock");
    shared_query_free(query);
    return shared_record_ref(shared_event_record(event, 0));
}

static void move_document(const char *id, const char *case_id) {
    must(shared_session_savepoint(session, "before"), "savepoint");
    shared_record *document = lock_document(id);
    if (document) {
        must(shared_record_set_text(document, SHARED_DOCUMENT_CASE_ID, case_id, strlen(case_id)),
             "case");
        must(shared_session_update(session, document), "update");
        must(shared_session_flush(session, TAG_FLUSH), "flush");
        shared_client_wait(client, TAG_FLUSH, TIMEOUT_MS, &event);
    }
    if (document && !shared_event_error(event)) {
        must(shared_session_release(session, "before"), "release");
    } else {
        printf("%s: %s\n", id,
               document ? shared_error_detail(shared_event_error(event)) : "there is none");
        must(shared_session_rollback_to(session, "before", TAG_BACK), "rollback to");
        must(shared_client_wait(client, TAG_BACK, TIMEOUT_MS, &event), "rollback to");
    }
    shared_record_unref(document);
}

static void show_documents(const char *const *ids, size_t count) {
    must(shared_session_get_many(session, SHARED_DOCUMENT, ids, count, TAG_SHOW), "show");
    must(shared_client_wait(client, TAG_SHOW, TIMEOUT_MS, &event), "show");
    for (int64_t i = 0; i < shared_event_count(event); i++) {
        const shared_record *document = shared_event_record(event, i);
        const char *case_id = shared_record_text(document, SHARED_DOCUMENT_CASE_ID);
        printf("%s is in %s\n", shared_record_text(document, SHARED_DOCUMENT_ID),
               case_id ? case_id : "no case");
    }
}

int main(int count, char **words) {
    if (count < 3) return fprintf(stderr, "usage: transfer CASE_ID DOCUMENT_ID ...\n"), 64;
    client = connect_client();
    must(shared_session_new(client, &session), "session");
    must(shared_session_begin(session, SHARED_READ_COMMITTED, 0), "begin");
    for (int i = 2; i < count; i++) move_document(words[i], words[1]);
    must(shared_session_commit(session, TAG_COMMIT), "commit");
    must(shared_client_wait(client, TAG_COMMIT, TIMEOUT_MS, &event), "commit");
    show_documents((const char *const *)words + 2, (size_t)count - 2);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
