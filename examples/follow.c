/* SPDX-License-Identifier: MIT
 * follow.c - follows several documents by one tag, or, without words, all of them, as a dashboard does:
 * until the last one is done, or Ctrl-C. Who does not know it yet is told the present state first.
 *
 *     ./follow doc-123 doc-124
 *     ./follow
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "example.h"

enum { TAG_PROGRESS = 1 };

static shared_client *client;
static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = true;
    shared_client_wake(client);
}

/* A publisher of another make may leave it out. */
static const char *text(const shared_record *said, int32_t field) {
    const char *found = shared_record_text(said, field);
    return found ? found : "";
}

/* false: it was the last one. */
static bool show(const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    const char *document_id = shared_event_document(event);
    const shared_record *said = shared_event_record(event, 0);
    bool goes_on = shared_event_more(event);
    if (error && !goes_on)
        printf("ends: %s\n", shared_error_message(error));
    else if (error) /* of one document: the others go on */
        printf("%s: %s\n", document_id, shared_error_message(error));
    else if (said)
        printf("%s: %lld %% %s: %s\n", document_id,
               (long long)shared_record_int(said, SHARED_PROGRESS_PROGRESS),
               text(said, SHARED_PROGRESS_STEP), text(said, SHARED_PROGRESS_MESSAGE));
    fflush(stdout);
    return goes_on;
}

int main(int count, char **words) {
    bool goes_on = true;
    client = connect_client();
    signal(SIGINT, stop);
    if (count > 1)
        must(shared_progress_subscribe_many(client, (const char *const *)(words + 1), NULL,
                                            (size_t)count - 1, TAG_PROGRESS),
             "follow");
    else
        must(shared_progress_subscribe_all(client, TAG_PROGRESS), "follow");
    while (goes_on && !stopped) {
        struct pollfd descriptor = {.fd = shared_client_fd(client), .events = POLLIN};
        if (poll(&descriptor, 1, -1) < 0) continue; /* a signal */
        must(shared_client_dispatch(client, 0), "dispatch");
        for (const shared_event *event; goes_on && (event = shared_client_next(client));)
            goes_on = show(event);
    }
    shared_client_free(client);
    return 0;
}
