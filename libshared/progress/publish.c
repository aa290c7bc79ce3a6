/* SPDX-License-Identifier: MIT
 * publish.c - tells how far a document is: into its log and to who listens, in one step. At most so many
 * a second go out; of those that wait only the newest is kept. Never waits for an answer to send the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "progress/progress.h"

enum { STEP_SIZE = 16 };

/* keys: log, channel; args: message, length of the log, seconds to keep it. The id of the log's entry goes
 * into the message that is published. Gives the listeners. */
static const struct script script_publish = {
    .name = "publish",
    .text = "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'd', ARGV[1])\n"
            "redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
            "local message = string.sub(ARGV[1], 1, -2) .. ',\"id\":\"' .. id .. '\"}'\n"
            "return redis.call('PUBLISH', KEYS[2], message)\n"};

/* A document that this client speaks about. */
struct speaker {
    struct name name;
    struct progress *progress;
    struct speaker *newer, *older;
    int32_t percent;      /* of this run: it never goes back */
    char step[STEP_SIZE]; /* of the last message */
    int64_t sent_ms;
    char *waiting;           /* the message that goes next, or NULL */
    struct request *request; /* of the waiting one */
    struct timer timer;      /* running while one waits */
    char id[];
};

/* --- sending ------------------------------------------------------------------------------------------- */

static void check_published(struct errand *errand, const struct reply *reply,
                            const struct shared_error *error) {
    errand_answer(errand, error ? 0 : reply->integer, error);
    errand_free(errand);
}

/* Takes the request over. */
static void send_message(struct progress *progress, const char *document_id, const char *json,
                         struct request *request) {
    struct errand *errand = errand_new(&progress->errands, sizeof *errand, check_published);
    if (!errand) {
        if (request) request_fail(request, shared_error_last());
        return;
    }
    errand_adopt(errand, request);
    char log[sizeof PREFIX_LOG + DOCUMENT_ID_SIZE_MAX], channel[sizeof log];
    char length[24], ttl_s[24];
    snprintf(log, sizeof log, PREFIX_LOG "%s", document_id);
    snprintf(channel, sizeof channel, PREFIX_CHANNEL "%s", document_id);
    snprintf(length, sizeof length, "%lld",
             (long long)client_setting(progress->client, "PROGRESS_LOG_LENGTH"));
    snprintf(ttl_s, sizeof ttl_s, "%lld",
             (long long)client_setting(progress->client, "PROGRESS_LOG_TTL_S"));
    const char *words[] = {log, channel, json, length, ttl_s};
    errand_run(errand, progress->redis, &script_publish, 2, 5, words, NULL);
}

/* --- speakers ------------------------------------------------------------------------------------------ */

static void speaker_unlink(struct speaker *speaker) {
    struct progress *progress = speaker->progress;
    *(speaker->newer ? &speaker->newer->older : &progress->newest) = speaker->older;
    *(speaker->older ? &speaker->older->newer : &progress->oldest) = speaker->newer;
    speaker->newer = speaker->older = NULL;
}

static void speaker_link(struct speaker *speaker) {
    struct progress *progress = speaker->progress;
    speaker->older = progress->newest;
    if (speaker->older) speaker->older->newer = speaker;
    progress->newest = speaker;
    if (!progress->oldest) progress->oldest = speaker;
}

static void speaker_free(struct speaker *speaker) {
    struct progress *progress = speaker->progress;
    timer_stop(progress->client, &speaker->timer);
    names_remove(&progress->speakers, &speaker->name);
    speaker_unlink(speaker);
    free(speaker->waiting);
    free(speaker);
}

/* What waits goes out now. */
static void speaker_flush(struct speaker *speaker) {
    timer_stop(speaker->progress->client, &speaker->timer);
    if (!speaker->waiting) return;
    speaker->sent_ms = time_monotonic_ms();
    send_message(speaker->progress, speaker->id, speaker->waiting, speaker->request);
    free(speaker->waiting);
    speaker->waiting = NULL;
    speaker->request = NULL;
}

static void speaker_due(struct timer *timer) {
    speaker_flush((struct speaker *)((char *)timer - offsetof(struct speaker, timer)));
}

static struct speaker *speaker_new(struct progress *progress, const char *document_id) {
    if (progress->speakers.count >= SPEAKERS_MAX) {
        speaker_flush(progress->oldest);
        speaker_free(progress->oldest);
    }
    size_t size = strlen(document_id) + 1;
    struct speaker *speaker = calloc(1, sizeof *speaker + size);
    if (!speaker) return NULL;
    memcpy(speaker->id, document_id, size);
    speaker->progress = progress;
    if (!names_add(&progress->speakers, &speaker->name, speaker->id)) {
        free(speaker);
        return NULL;
    }
    speaker_link(speaker);
    return speaker;
}

/* The document's speaker, now the most recent one. */
static struct speaker *speaker_of(struct progress *progress, const char *document_id) {
    struct name *name = names_find(&progress->speakers, document_id);
    if (!name) return speaker_new(progress, document_id);
    struct speaker *speaker = (struct speaker *)name;
    speaker_unlink(speaker);
    speaker_link(speaker);
    return speaker;
}

void speakers_free(struct progress *progress) {
    while (progress->newest) speaker_free(progress->newest); /* NOLINT: the next one */
    names_finish(&progress->speakers);
}

/* --- throttle ------------------------------------------------------------------------------------------- */

/* A newer one takes the place of one that waits, which then has reached nobody. */
static void supersede(struct speaker *speaker) {
    struct request *request = speaker->request;
    free(speaker->waiting);
    speaker->waiting = NULL;
    speaker->request = NULL;
    if (request) request_end(request);
}

static void cancel_waiting(struct request *request, const struct shared_error *why) {
    struct speaker *speaker = request->owner;
    speaker->request = NULL; /* the message itself stays the newest state and goes out */
    request_fail(request, why);
}

/* Takes json and request over. */
static void speak(struct speaker *speaker, char *json, const char *step, struct request *request) {
    struct progress *progress = speaker->progress;
    int64_t now_ms = time_monotonic_ms();
    int64_t interval_ms = 1000 / client_setting(progress->client, "PROGRESS_RATE");
    bool first_of_step = strcmp(speaker->step, step) != 0;
    snprintf(speaker->step, sizeof speaker->step, "%s", step);
    supersede(speaker);
    speaker->waiting = json;
    speaker->request = request;
    int64_t wait_ms = speaker->sent_ms + interval_ms - now_ms;
    if (first_of_step || step_is_final(step) || wait_ms <= 0)
        speaker_flush(speaker);
    else if (!speaker->timer.running)
        timer_start(progress->client, &speaker->timer, wait_ms, speaker_due);
    if (step_is_final(step)) speaker_free(speaker);
}

static shared_status check_arguments(int32_t percent, const char *step, const char *message) {
    if (percent < 0 || percent > 100)
        return fail(SHARED_EINVALID, "percent: %d, from 0 to 100", percent);
    if (!step_is_known(step))
        return fail(
            SHARED_EINVALID,
            "step: %.40s: one of starting, extracting, chunking, storing, completed, failed",
            step && text_is_utf8(step, strlen(step)) ? step : "not a text");
    size_t size = message ? strlen(message) : 0;
    if (!message || !text_is_utf8(message, size))
        return fail(SHARED_EINVALID, "message: not UTF-8");
    if (text_length(message, size) > MESSAGE_TEXT_MAX)
        return fail(SHARED_EINVALID, "message: %zu characters, at most %d",
                    text_length(message, size), MESSAGE_TEXT_MAX);
    return SHARED_OK;
}

shared_status shared_progress_publish(shared_client *client, const char *document_id,
                                      int32_t percent, const char *step, const char *message,
                                      uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = document_id_check(document_id);
    if (status == SHARED_OK) status = check_arguments(percent, step, message);
    if (status < 0) return status;
    struct progress *progress = client_progress(client);
    if (!progress) return shared_error_code(shared_error_last());
    struct speaker *speaker = speaker_of(progress, document_id);
    if (!speaker) return fail(SHARED_ENOMEM, "progress: out of memory");

    bool new_run = strcmp(step, "starting") == 0 && strcmp(speaker->step, "starting") != 0;
    int32_t raised = new_run || percent > speaker->percent ? percent : speaker->percent;
    struct buffer text = {.data = NULL};
    message_write(&text, raised, step, message);
    char *json = buffer_take(&text);
    if (!json) return fail(SHARED_ENOMEM, "progress: out of memory");
    struct request *request = request_new(client, tag, 0, cancel_waiting, speaker);
    if (!request) {
        free(json);
        return shared_error_code(shared_error_last());
    }
    speaker->percent = raised;
    speak(speaker, json, step, request);
    return SHARED_OK;
}
