/* SPDX-License-Identifier: MIT
 * publish.c - tells how far a document is, as a worker does, for a page that watches it. Also shows the
 * lines of the log as events.
 *
 *     ./publish doc-123 4
 */
#include "example.h"

enum { TAG_LOG = 1, TAG_PUBLISH, TIMEOUT_MS = 5000 };

static void publish(shared_client *client, const char *id, int32_t percent, const char *step,
                    const char *message) {
    const shared_event *event = NULL;
    must(shared_progress_publish(client, id, percent, step, message, TAG_PUBLISH), "publish");
    must(shared_client_wait(client, TAG_PUBLISH, TIMEOUT_MS, &event), "publish");
    printf("%3d %% %-10s heard by %lld\n", percent, step, (long long)shared_event_count(event));
}

int main(int count, char **words) {
    int32_t pages = count == 3 ? (int32_t)strtol(words[2], NULL, 10) : 0;
    if (pages < 1 || pages > 1000)
        return fprintf(stderr, "usage: publish DOCUMENT_ID PAGES, 1 to 1000\n"), 64;
    shared_client *client = connect_client();
    const shared_event *event = NULL;
    must(shared_log_capture(client, SHARED_INFO, TAG_LOG), "capture");
    publish(client, words[1], 0, "starting", "Starting");
    for (int32_t page = 1; page <= pages; page++) {
        char message[64];
        snprintf(message, sizeof message, "Extracted text from page %d of %d", page, pages);
        publish(client, words[1], 90 * page / pages, "extracting", message);
    }
    shared_log_with("example", SHARED_INFO, "published", "document_id", words[1]);
    must(shared_client_wait(client, TAG_LOG, TIMEOUT_MS, &event), "log");
    if (shared_event_kind(event) == SHARED_EVENT_LOG) printf("%s\n", shared_event_json(event));
    publish(client, words[1], 100, "completed", "Done");
    shared_client_free(client);
    return 0;
}
