/* SPDX-License-Identifier: MIT
 * session.h - what queue/ needs of sessions: to hear of tasks whose transaction committed.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <shared/session.h>

#include "net/client.h"

/* A row of task_outbox, as sessions write it. The relay sends it and deletes the row. */
struct outbox_row {
    struct outbox_row *next;
    char id[40]; /* the task's id too */
    char *queue;
    char *task;
    char *args_json;
    char *key; /* or NULL */
};
void outbox_row_free(struct outbox_row *row);
/* committed gets the list (and owns it) after each commit of this client that held tasks. */
void session_on_commit(shared_client *client,
                       void (*committed)(void *owner, struct outbox_row *rows), void *owner);

#endif
