/* SPDX-License-Identifier: MIT
 * defer.c - work put off to the end of the turn, so that what many requests wrote leaves in one system
 * call. Never runs anything twice in a turn.
 */
#include "net/client_private.h"

void client_defer(shared_client *client, struct deferred *deferred,
                  void (*run)(struct deferred *)) {
    deferred->run = run;
    if (deferred->queued) return;
    deferred->queued = true;
    deferred->next = NULL;
    deferred->previous = client->deferred_last;
    if (client->deferred_last)
        client->deferred_last->next = deferred;
    else
        client->deferred_first = deferred;
    client->deferred_last = deferred;
    if (!client->turning) client_signal(client);
}

void client_defer_stop(shared_client *client, struct deferred *deferred) {
    if (!deferred->queued) return;
    if (deferred->previous)
        deferred->previous->next = deferred->next;
    else
        client->deferred_first = deferred->next;
    if (deferred->next)
        deferred->next->previous = deferred->previous;
    else
        client->deferred_last = deferred->previous;
    deferred->next = deferred->previous = NULL;
    deferred->queued = false;
}

bool deferred_run(shared_client *client) {
    /* A mark behind the last one of now: what is deferred meanwhile runs in the next turn. */
    if (!client->deferred_first) return false;
    struct deferred *mark = &client->deferred_mark;
    client_defer(client, mark, NULL);
    while (client->deferred_first != mark) {
        struct deferred *deferred = client->deferred_first;
        client_defer_stop(client, deferred);
        deferred->run(deferred);
    }
    client_defer_stop(client, mark);
    return client->deferred_first != NULL;
}
