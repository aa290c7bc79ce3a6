/* SPDX-License-Identifier: MIT
 * enqueue.c - sends a task to any Celery worker and waits for its result.
 *
 *     ./enqueue extract_text_from_document '[{"document_id":"doc-123"}]'
 */
#include "example.h"

enum { TAG_SEND = 1, TAG_RESULT, TIMEOUT_MS = 60000 };

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: enqueue TASK JSON_LIST\n"), 64;
    shared_client *client = connect_client();
    const shared_event *event = NULL;
    must(shared_queue_send(client, NULL, words[1], words[2], NULL, TAG_SEND), "send");
    must(shared_client_wait(client, TAG_SEND, TIMEOUT_MS, &event), "send");
    printf("task %s\n", shared_event_id(event));

    char id[64];
    snprintf(id, sizeof id, "%s", shared_event_id(event));
    must(shared_queue_result(client, id, TIMEOUT_MS, TAG_RESULT), "result");
    must(shared_client_wait(client, TAG_RESULT, TIMEOUT_MS, &event), "result");
    printf("%s\n", shared_event_json(event));
    shared_client_free(client);
    return 0;
}
