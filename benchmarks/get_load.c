/* SPDX-License-Identifier: MIT
 * get_load.c - COUNT reads of a document by its key, IN_FLIGHT of them under way at a time.
 */
#include "load.h"

enum { TAG_WARM = 1 };

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: get-load DOCUMENT COUNT IN_FLIGHT\n"), 64;
    shared_client *client = connect_client();
    shared_session *session = NULL;
    must(shared_session_new(client, &session));
    must(shared_session_get(session, SHARED_DOCUMENT, words[1], TAG_WARM));
    wait_done(client, TAG_WARM);

    int64_t wanted = atoll(words[2]), in_flight = atoll(words[3]), asked = 0, done = 0;
    double started = now_s(), cpu_started = cpu_s();
    while (done < wanted) {
        while (asked < wanted && asked - done < in_flight)
            must(shared_session_get(session, SHARED_DOCUMENT, words[1], (uint64_t)(2 + asked++)));
        must(shared_client_dispatch(client, -1));
        for (const shared_event *event; (event = shared_client_next(client)); done++) {
            must_go_well(event);
            const shared_record *row = shared_event_record(event, 0);
            if (!shared_record_text(row, SHARED_DOCUMENT_FILE_NAME)) return 1;
        }
    }
    print_times(started, cpu_started);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
