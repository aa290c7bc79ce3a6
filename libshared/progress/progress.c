/* SPDX-License-Identifier: MIT
 * progress.c - what a client keeps of progress. Never sends or hears anything.
 */
#include "progress/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "base/time.h"

enum { DROPPED_SAY_MS = 60000 };

static void progress_stop(void *state) {
    struct progress *progress = state;
    spectators_free(progress);
    topics_free(progress);
    speakers_free(progress);
    errands_free(&progress->errands);
    free(progress);
}

struct progress *client_progress(shared_client *client) {
    struct progress *progress = client_state(client, CLIENT_PROGRESS);
    if (progress) return progress;
    struct redis *redis = client_redis(client, REDIS_PROGRESS);
    if (!redis) return NULL;
    progress = calloc(1, sizeof *progress);
    if (!progress) {
        fail(SHARED_ENOMEM, "progress: out of memory");
        return NULL;
    }
    progress->client = client;
    progress->redis = redis;
    progress->errands = (struct errands){.client = client, .owner = progress};
    client_set_state(client, CLIENT_PROGRESS, progress, progress_stop);
    return progress;
}

shared_status document_id_check(const char *document_id) {
    if (!document_id || !*document_id) return fail(SHARED_EINVALID, "document_id: empty");
    size_t size = strlen(document_id);
    if (size > DOCUMENT_ID_SIZE_MAX)
        return fail(SHARED_EINVALID, "document_id: %zu bytes, at most %d", size,
                    DOCUMENT_ID_SIZE_MAX);
    if (!text_is_utf8(document_id, size)) return fail(SHARED_EINVALID, "document_id: not UTF-8");
    return SHARED_OK;
}

void progress_dropped(struct progress *progress, const char *document_id, size_t size) {
    int64_t now_ms = time_monotonic_ms();
    progress->dropped++;
    if (progress->dropped_said_ms && now_ms < progress->dropped_said_ms + DROPPED_SAY_MS) return;
    log_format("progress", SHARED_WARNING,
               "a message about document %.255s is dropped: %zu bytes, not a JSON object of at "
               "most %d (%lld dropped since this was said last)",
               document_id, size, MESSAGE_SIZE_MAX, (long long)progress->dropped);
    progress->dropped = 0;
    progress->dropped_said_ms = now_ms;
}
