/* SPDX-License-Identifier: MIT
 * publish_load.c - COUNT progress messages, IN_FLIGHT of them under way at a time, over DOCUMENTS
 * documents in turn. PROGRESS_RATE must let them pass.
 */
#include "load.h"

enum { TAG_WARM = 1 };

static void publish(shared_client *client, int64_t number, int64_t documents, uint64_t tag) {
    char id[32];
    snprintf(id, sizeof id, "doc-%lld", (long long)(number % documents));
    must(shared_progress_publish(client, id, 45, "extracting", "Extracted text from page 5 of 10",
                                 tag));
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: publish-load COUNT IN_FLIGHT DOCUMENTS\n"), 64;
    shared_client *client = connect_client();
    int64_t wanted = atoll(words[1]), in_flight = atoll(words[2]), documents = atoll(words[3]);
    if (documents < 1) return 64;
    publish(client, 0, documents, TAG_WARM);
    wait_done(client, TAG_WARM);

    int64_t asked = 0, done = 0;
    double started = now_s(), cpu_started = cpu_s();
    while (done < wanted) {
        for (; asked < wanted && asked - done < in_flight; asked++)
            publish(client, asked, documents, (uint64_t)(2 + asked));
        must(shared_client_dispatch(client, -1));
        for (const shared_event *event; (event = shared_client_next(client)); done++)
            must_go_well(event);
    }
    print_times(started, cpu_started);
    shared_client_free(client);
    return 0;
}
