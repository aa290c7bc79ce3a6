/* SPDX-License-Identifier: MIT
 * many.c - one request that listens to many documents: a group of watches, each as that of a single
 * document. Decides nothing about what a document's listener is told.
 */
#include <stdlib.h>
#include <string.h>

#include "progress/watch.h"

enum { DOCUMENTS_MAX = 200 };

/* --- the life of a group ----------------------------------------------------------------------------- */

static void group_drop(struct group *group) {
    if (--group->holds == 0) free(group);
}

void group_leave(struct watch *watch) {
    struct group *group = watch->group;
    watch->group = NULL;
    group->watches[watch->group_index] = NULL;
    group_drop(group);
}

/* Gives up the hold of who worked on it; when no watch is left, the request has its end. */
static void group_settle(struct group *group) {
    struct request *request = group->holds == 1 ? group->request : NULL;
    if (request) group->request = NULL;
    group_drop(group);
    if (request) request_end(request);
}

static void group_free_watches(struct group *group) {
    for (int32_t i = 0; i < group->count; i++)
        if (group->watches[i]) watch_free(group->watches[i]);
}

static void group_fail(struct group *group, const struct shared_error *error) {
    struct shared_error why = *error;
    struct request *request = group->request;
    group->request = NULL;
    group->holds++;
    group_free_watches(group);
    group_drop(group);
    if (request) request_fail(request, &why);
}

static void group_cancel(struct request *request, const struct shared_error *why) {
    group_fail(request->owner, why);
}

/* --- what its watches tell ----------------------------------------------------------------------------- */

struct shared_event *group_event(struct watch *watch, bool replay) {
    struct group *group = watch->group;
    struct request *request = group->request;
    const char *document_id = watch->topic->document_id;
    if (!request) return NULL;
    int32_t waiting = client_events_waiting(request->client, request->tag);
    if (waiting == 0) group->allowance = 0;
    if (replay) group->allowance++;
    struct shared_event *event = NULL;
    if (!replay && waiting > WAITING_MAX + group->allowance)
        event = client_event_of_document(request->client, request->tag, document_id);
    return event ? event : event_of_document(request, SHARED_EVENT_PROGRESS, document_id);
}

/* A document that is not there: its DONE, behind which the others go on. */
static void tell_absent(struct watch *watch, const struct shared_error *error) {
    struct request *request = watch->group->request;
    struct shared_event *event =
        request ? event_of_document(request, SHARED_EVENT_DONE, watch->topic->document_id) : NULL;
    if (!event) return;
    event->error = malloc(sizeof *event->error);
    if (event->error) *event->error = *error;
}

void group_end_watch(struct watch *watch, const struct shared_error *error) {
    struct group *group = watch->group;
    if (error && error->code != SHARED_ENOTFOUND) {
        group_fail(group, error);
        return;
    }
    group->holds++;
    if (error) tell_absent(watch, error);
    watch_free(watch);
    group_settle(group);
}

/* --- the public side ------------------------------------------------------------------------------------ */

static shared_status check_ids(const char *const *ids, size_t count) {
    if (count < 1 || count > DOCUMENTS_MAX)
        return fail(SHARED_EINVALID, "count: %zu documents, from 1 to %d", count, DOCUMENTS_MAX);
    if (!ids) return fail(SHARED_EINVALID, "document_ids: NULL");
    for (size_t i = 0; i < count; i++) {
        shared_status status = document_id_check(ids[i]);
        if (status < 0) return status;
        for (size_t j = 0; j < i; j++)
            if (strcmp(ids[i], ids[j]) == 0)
                return fail(SHARED_EINVALID, "document_ids: %.255s: twice", ids[i]);
    }
    return SHARED_OK;
}

static shared_status add_watches(struct group *group, struct progress *progress,
                                 const char *const *ids, const char *const *last_event_ids) {
    for (int32_t i = 0; i < group->count; i++) {
        struct watch *watch =
            watch_make(progress, ids[i], last_event_ids ? last_event_ids[i] : NULL);
        if (!watch) return SHARED_ENOMEM;
        watch->group = group;
        watch->group_index = i;
        group->watches[i] = watch;
        group->holds++;
    }
    return SHARED_OK;
}

shared_status shared_progress_subscribe_many(shared_client *client, const char *const *document_ids,
                                             const char *const *last_event_ids, size_t count,
                                             uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = check_ids(document_ids, count);
    if (status < 0) return status;
    if (!tag) return fail(SHARED_EINVALID, "tag: 0, and messages need one");
    struct progress *progress = client_progress(client);
    status = progress ? listen_start(progress) : shared_error_code(shared_error_last());
    if (!progress || status < 0) return status;
    struct group *group = calloc(1, sizeof *group + count * sizeof(struct watch *));
    if (!group) return fail(SHARED_ENOMEM, "progress: out of memory");
    group->holds = 1;
    group->count = (int32_t)count;
    status = add_watches(group, progress, document_ids, last_event_ids);
    if (status == SHARED_OK) {
        group->request = request_new(client, tag, 0, group_cancel, group);
        if (!group->request) status = shared_error_code(shared_error_last());
    }
    if (status < 0) {
        group_free_watches(group);
        group_drop(group);
        return status;
    }
    for (int32_t i = 0; i < group->count; i++)
        if (group->watches[i]) watch_start(group->watches[i]);
    group_settle(group);
    return SHARED_OK;
}
