/* SPDX-License-Identifier: MIT
 * inflight.c - inflight COUNT: so many requests under way at once on one client, of four kinds; each must end
 * well, and once. Prints one line.
 */
#include "load.h"

enum { WAIT_MS = 60000 };

static shared_status ask(shared_client *client, shared_session *session, uint64_t tag) {
    switch (tag % 4) {
    case 0: return shared_session_get(session, SHARED_DOCUMENT, "none", tag);
    case 1: return shared_queue_send(client, "load", "t", "[]", NULL, tag);
    case 2: return shared_client_timer(client, (int64_t)(tag % 1000), tag);
    default: return shared_queue_stats(client, "load", tag);
    }
}

int main(int count, char **words) {
    uint64_t wanted = count == 2 ? strtoull(words[1], NULL, 10) : 0;
    load_require(wanted > 0, "usage: inflight COUNT");
    uint8_t *ended = calloc(wanted + 1, 1);
    load_require(ended != NULL, "memory");
    shared_client *client = load_client();
    shared_session *session = load_session(client);
    int64_t start_ms = load_now_ms();
    for (uint64_t tag = 1; tag <= wanted; tag++)
        load_require(ask(client, session, tag) == SHARED_OK, "a request was refused");
    uint64_t left = wanted;
    while (left > 0) {
        load_require(load_now_ms() - start_ms < WAIT_MS, "requests without an end");
        load_require(shared_client_dispatch(client, 100) >= 0, "dispatch");
        for (const shared_event *event; (event = shared_client_next(client)); left--) {
            uint64_t tag = shared_event_tag(event);
            load_require(tag >= 1 && tag <= wanted && !ended[tag], "a second end");
            load_require(!shared_event_more(event), "more to come");
            const shared_error *error = shared_event_error(event);
            if (error) fprintf(stderr, "tag %" PRIu64 ": %s\n", tag, shared_error_message(error));
            load_require(!error, "a failure");
            ended[tag] = 1;
        }
    }
    printf("%" PRIu64 " requests in flight on one client, all ended in %" PRId64 " ms\n", wanted,
           load_now_ms() - start_ms);
    free(ended);
    shared_session_free(session);
    shared_client_free(client);
    return EXIT_SUCCESS;
}
