/* SPDX-License-Identifier: MIT
 * operate.c - what the person on call asks: are the tables up to date, what waits, what was set aside and
 * why, which documents has the queue forgotten. With "requeue" what was set aside is tried again.
 *
 *     ./operate [requeue|drop]
 */
#include <string.h>

#include "example.h"

enum { TAG_MIGRATE = 1, TAG_STATS, TAG_DEAD, TAG_AGAIN, TAG_MISSING, TIMEOUT_MS = 30000 };

static shared_client *client;

static const char *answer(uint64_t tag, const char *what) {
    const shared_event *event = NULL;
    must(shared_client_wait(client, tag, TIMEOUT_MS, &event), what);
    return shared_event_json(event);
}

static void show_schema(void) {
    must(shared_migrate_current(client, NULL, TAG_MIGRATE), "schema");
    printf("schema: %s\n", answer(TAG_MIGRATE, "schema"));
    must(shared_migrate_upgrade(client, NULL, "head", TAG_MIGRATE), "upgrade");
    printf("now: %s\n", answer(TAG_MIGRATE, "upgrade"));
}

static void show_queue(void) {
    static const char *const keys[] = {"doc-1", "doc-2"};
    must(shared_queue_stats(client, NULL, TAG_STATS), "queue");
    printf("queue: %s\n", answer(TAG_STATS, "queue"));
    must(shared_queue_missing(client, NULL, keys, 2, TAG_MISSING), "missing");
    printf("no task is about: %s\n", answer(TAG_MISSING, "missing"));
    must(shared_queue_dead(client, NULL, NULL, 10, TAG_DEAD), "set aside");
    printf("set aside: %s\n", answer(TAG_DEAD, "set aside"));
}

int main(int count, char **words) {
    const char *what = count == 2 ? words[1] : "";
    client = connect_client();
    show_schema();
    show_queue();
    if (!strcmp(what, "requeue"))
        must(shared_queue_dead_requeue(client, NULL, NULL, TAG_AGAIN), what);
    else if (!strcmp(what, "drop"))
        must(shared_queue_dead_drop(client, NULL, NULL, TAG_AGAIN), what);
    if (*what) {
        const shared_event *event = NULL;
        must(shared_client_wait(client, TAG_AGAIN, TIMEOUT_MS, &event), what);
        printf("%s: %lld\n", what, (long long)shared_event_count(event));
    }
    shared_client_free(client);
    return 0;
}
