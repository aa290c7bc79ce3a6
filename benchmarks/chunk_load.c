/* SPDX-License-Identifier: MIT
 * chunk_load.c - stores ROWS chunks of a document in one session, and prints the seconds from the first
 * record to the commit's answer. The connection is open before the clock starts.
 */
#include <string.h>

#include "load.h"

enum { TAG_PING = 1, TAG_COMMIT, SENTENCES = 21 };

static const char sentence[] =
    "The party of the first part, hereinafter the tenant, shall give notice in writing. ";

static void add_chunk(shared_session *session, const char *document, const char *text,
                      int64_t index) {
    shared_record *record = NULL;
    must(shared_record_new(SHARED_DOCUMENT_CHUNK, &record));
    must(shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID, document,
                                strlen(document)));
    must(shared_record_set_text(record, SHARED_DOCUMENT_CHUNK_CONTENT, text, strlen(text)));
    must(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, index));
    must(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_PAGE_FROM, 1));
    must(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_PAGE_TO, 2));
    must(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_CHAR_START, index));
    must(shared_record_set_int(record, SHARED_DOCUMENT_CHUNK_CHAR_END, index + 9));
    must(shared_session_copy(session, record));
    shared_record_unref(record);
}

int main(int count, char **words) {
    static char text[SENTENCES * sizeof sentence];
    if (count != 3) return fprintf(stderr, "usage: chunk-load DOCUMENT ROWS\n"), 64;
    for (int i = 0; i < SENTENCES; i++) strcat(text, sentence);
    shared_client *client = connect_client();
    shared_session *session = NULL;
    must(shared_session_new(client, &session));
    must(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    must(shared_session_commit(session, TAG_PING));
    wait_done(client, TAG_PING);

    double started = now_s(), cpu_started = cpu_s();
    for (int64_t i = 0; i < atoll(words[2]); i++) add_chunk(session, words[1], text, i);
    must(shared_session_commit(session, TAG_COMMIT));
    wait_done(client, TAG_COMMIT);
    print_times(started, cpu_started);

    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
