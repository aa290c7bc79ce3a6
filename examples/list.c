/* SPDX-License-Identifier: MIT
 * list.c - the documents of a case, page by page: the next page begins behind the last row of this one,
 * however many were added or deleted meanwhile.
 *
 *     ./list case-1 20
 */
#include <string.h>

#include "example.h"

enum { TAG_PAGE = 1, TIMEOUT_MS = 5000 };

static void show(const shared_record *document) {
    printf("%s  %s  %s\n", shared_record_text(document, SHARED_DOCUMENT_ID),
           shared_record_text(document, SHARED_DOCUMENT_EXTRACTION_STATUS),
           shared_record_text(document, SHARED_DOCUMENT_FILE_NAME));
}

int main(int count, char **words) {
    long rows = count == 3 ? strtol(words[2], NULL, 10) : 0;
    if (rows < 1) return fprintf(stderr, "usage: list CASE_ID ROWS_PER_PAGE\n"), 64;
    shared_client *client = connect_client();
    shared_session *session = NULL;
    shared_query *query = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    must(shared_query_new(SHARED_DOCUMENT, "case_id = $1", &query), "query");
    must(shared_query_bind_text(query, 1, words[1], strlen(words[1])), "case");
    must(shared_query_order(query, "created_at DESC"), "order");
    must(shared_query_limit(query, rows), "limit");
    for (int64_t found = rows, page = 1; found == rows; page++) {
        must(shared_session_query(session, query, TAG_PAGE), "page");
        must(shared_client_wait(client, TAG_PAGE, TIMEOUT_MS, &event), "page");
        found = shared_event_count(event);
        printf("page %lld: %lld\n", (long long)page, (long long)found);
        for (int64_t i = 0; i < found; i++) show(shared_event_record(event, i));
        if (found) must(shared_query_after(query, shared_event_record(event, found - 1)), "after");
    }
    shared_query_free(query);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
