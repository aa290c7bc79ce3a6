/* SPDX-License-Identifier: MIT
 * errand.h - one command to Redis, with the request that waits for it and what it needs meanwhile. Lists
 * of them belong to whoever must be able to give them all up.
 */
#ifndef PROGRESS_ERRAND_H
#define PROGRESS_ERRAND_H

#include "net/client.h"
#include "net/redis.h"

/* All errands of one owner. */
struct errands {
    shared_client *client;
    void *owner;
    struct errand *first;
};

/* Embed it first. */
struct errand {
    struct command command; /* first */
    struct errand *next, *previous;
    struct errands *list;
    struct request *request; /* NULL: nobody waits */
    bool under_way;
    /* Gets the answer; ends with errand_free, or sends the errand again. */
    void (*done)(struct errand *errand, const struct reply *reply,
                 const struct shared_error *error);
    void (*drop)(struct errand *errand); /* gives up what it holds beside itself, or NULL */
};
/* size: of the struct that begins with an errand. NULL and fail(SHARED_ENOMEM). */
void *errand_new(struct errands *list, size_t size,
                 void (*done)(struct errand *, const struct reply *, const struct shared_error *));
/* Ends it, also while it is under way: then nobody hears the answer. */
void errand_free(struct errand *errand);
void errands_free(struct errands *list);
/* A done that does nothing but free. */
void errand_over(struct errand *errand, const struct reply *reply,
                 const struct shared_error *error);
void errand_send(struct errand *errand, struct redis *redis, int32_t count,
                 const char *const *words, const size_t *sizes);
void errand_send_blocking(struct errand *errand, struct redis *redis, int64_t block_ms,
                          int32_t count, const char *const *words);
void errand_run(struct errand *errand, struct redis *redis, const struct script *script,
                int32_t keys, int32_t count, const char *const *words, const size_t *sizes);
/* Gives the errand a request that can be cancelled while the errand goes on. */
shared_status errand_request(struct errand *errand, uint64_t tag);
/* Takes a request over that somebody else made; NULL: none. */
void errand_adopt(struct errand *errand, struct request *request);
/* Ends its request, if somebody still waits: DONE with count, or the error. */
void errand_answer(struct errand *errand, int64_t count, const struct shared_error *error);

#endif
