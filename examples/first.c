/* SPDX-License-Identifier: MIT
 * first.c - gets a document, changes its name, commits:   ./first doc-123 "Last will.pdf"
 */
#include <shared.h>
#include <stdio.h>
#include <string.h>

static int give_up(const char *what) {
    return fprintf(stderr, "%s: %s\n", what, shared_error_message(shared_error_last())), 1;
}

static int change_name(shared_client *client, shared_session *session, char **words) {
    const shared_event *event;
    shared_session_get(session, SHARED_DOCUMENT, words[1], 1); /* 1: the tag of its event */
    if (shared_client_wait(client, 1, 5000, &event) < 0) return give_up("get");
    if (!shared_event_count(event)) return fprintf(stderr, "no document %s\n", words[1]), 1;
    shared_record *document = shared_record_ref(shared_event_record(event, 0));

    int failed = shared_record_set_text(document, SHARED_DOCUMENT_FILE_NAME, words[2],
                                        strlen(words[2])) < 0 ||
                 shared_session_update(session, document) < 0 ||
                 shared_session_commit(session, 2) < 0 ||
                 shared_client_wait(client, 2, 5000, &event) < 0;
    if (!failed) puts(shared_record_json(document));
    shared_record_unref(document);
    return failed ? give_up("change") : 0;
}

int main(int count, char **words) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    shared_session *session = NULL;
    int ready = shared_config_from_env(&config) == 0 && shared_client_new(config, &client) == 0 &&
                shared_session_new(client, &session) == 0;
    int code = !ready ? give_up("start") : count == 3 ? change_name(client, session, words) : 64;
    shared_session_free(session);
    shared_client_free(client);
    shared_config_free(config);
    return code;
}
