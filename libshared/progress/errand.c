/* SPDX-License-Identifier: MIT
 * errand.c - one command to Redis and what goes with it. Never looks into an answer.
 */
#include "progress/errand.h"

#include <stdlib.h>

void *errand_new(struct errands *list, size_t size,
                 void (*done)(struct errand *, const struct reply *, const struct shared_error *)) {
    struct errand *errand = calloc(1, size);
    if (!errand) {
        fail(SHARED_ENOMEM, "redis: out of memory");
        return NULL;
    }
    errand->list = list;
    errand->done = done;
    errand->next = list->first;
    if (errand->next) errand->next->previous = errand;
    list->first = errand;
    return errand;
}

void errand_free(struct errand *errand) {
    if (errand->drop) errand->drop(errand);
    if (errand->next) errand->next->previous = errand->previous;
    *(errand->previous ? &errand->previous->next : &errand->list->first) = errand->next;
    if (errand->request) request_end(errand->request);
    errand->done = NULL; /* an orphan: its memory is the command's until the answer comes */
    if (!errand->under_way) free(errand);
}

void errands_free(struct errands *list) {
    while (list->first) errand_free(list->first); /* NOLINT: the next one */
}

void errand_over(struct errand *errand, const struct reply *reply,
                 const struct shared_error *error) {
    (void)reply;
    (void)error;
    errand_free(errand);
}

static void errand_finished(struct command *command, const struct reply *reply,
                            const struct shared_error *error) {
    struct errand *errand = (struct errand *)command;
    errand->under_way = false;
    if (errand->done)
        errand->done(errand, reply, error);
    else
        free(errand);
}

static struct command *errand_begin(struct errand *errand) {
    SHARED_CHECK(!errand->under_way);
    errand->under_way = true;
    errand->command.finish = errand_finished;
    return &errand->command;
}

void errand_send(struct errand *errand, struct redis *redis, int32_t count,
                 const char *const *words, const size_t *sizes) {
    redis_send(redis, errand_begin(errand), count, words, sizes);
}

void errand_send_blocking(struct errand *errand, struct redis *redis, int64_t block_ms,
                          int32_t count, const char *const *words) {
    redis_send_blocking(redis, errand_begin(errand), block_ms, count, words, NULL);
}

void errand_run(struct errand *errand, struct redis *redis, const struct script *script,
                int32_t keys, int32_t count, const char *const *words, const size_t *sizes) {
    redis_run(redis, script, errand_begin(errand), keys, count, words, sizes);
}

/* The command goes on: what Redis was told cannot be taken back. */
static void errand_cancel(struct request *request, const struct shared_error *why) {
    struct errand *errand = request->owner;
    errand->request = NULL;
    request_fail(request, why);
}

shared_status errand_request(struct errand *errand, uint64_t tag) {
    errand->request = request_new(errand->list->client, tag, 0, errand_cancel, errand);
    return errand->request ? SHARED_OK : shared_error_code(shared_error_last());
}

void errand_adopt(struct errand *errand, struct request *request) {
    errand->request = request;
    if (!request) return;
    request->owner = errand;
    request->cancel = errand_cancel;
}

void errand_answer(struct errand *errand, int64_t count, const struct shared_error *error) {
    struct request *request = errand->request;
    errand->request = NULL;
    if (!request) return;
    if (error) {
        request_fail(request, error);
        return;
    }
    request->event->kind = SHARED_EVENT_DONE;
    request->event->count = count;
    request_end(request);
}
