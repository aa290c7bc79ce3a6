/* SPDX-License-Identifier: MIT
 * progress.h - the inside of progress: what a client keeps of it. Private to progress/.
 */
#ifndef PROGRESS_PROGRESS_H
#define PROGRESS_PROGRESS_H

#include <shared/progress.h>

#include "net/client.h"
#include "net/redis.h"
#include "progress/errand.h"
#include "progress/message.h"
#include "progress/names.h"

enum {
    DOCUMENT_ID_SIZE_MAX = 1020, /* 255 characters, as in models.txt: bytes */
    SPEAKERS_MAX = 4096          /* documents whose last message is remembered */
};
#define PREFIX_CHANNEL "progress:"
#define PREFIX_LOG     "progress-log:"

/* A client's slot CLIENT_PROGRESS. */
struct progress {
    shared_client *client;
    struct errands errands;
    struct redis *redis; /* REDIS_PROGRESS */
    /* publish.c: documents that this client speaks about, most recent first. */
    struct names speakers;
    struct speaker *newest, *oldest;
    /* subscribe.c: documents that it listens to. */
    struct redis *listen; /* REDIS_LISTEN; NULL until first needed */
    struct listener listener;
    struct names topics;
    struct spectator *spectators; /* all.c: who listens to all documents */
    /* What others sent that is no message. */
    int64_t dropped; /* since the log said so */
    int64_t dropped_said_ms;
};
/* Made when first asked for. NULL and fail(). */
struct progress *client_progress(shared_client *client);
shared_status document_id_check(const char *document_id);
/* A message of somebody's that cannot be read: the log says so, once a minute at most. */
void progress_dropped(struct progress *progress, const char *document_id, size_t size);

/* publish.c, subscribe.c: let everything go, quietly. */
void speakers_free(struct progress *progress);
void topics_free(struct progress *progress);
/* all.c */
void spectators_free(struct progress *progress);
void spectators_hear(struct listener *listener, const char *channel, const char *payload,
                     size_t size);
/* subscribe.c: the connection that listens; message and lost are told to it. */
shared_status listen_start(struct progress *progress);

#endif
