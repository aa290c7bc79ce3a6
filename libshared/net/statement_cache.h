/* SPDX-License-Identifier: MIT
 * statement_cache.h - which SQL texts one connection has prepared, and under which names. Never talks to
 * the server: postgres_pipeline.c sends what it says.
 *
 * A name is made from the text and the types, so that it is the same for everybody: behind a pooler that
 * hands server connections around, a name of another client's can be missing or taken, but never stands
 * for another statement.
 *
 * Nothing is evicted one by one. A full cache takes no more, so new texts run unprepared; once as many
 * of them came as it holds, it asks to be emptied (DEALLOCATE ALL) as soon as no transaction is open.
 */
#ifndef NET_STATEMENT_CACHE_H
#define NET_STATEMENT_CACHE_H

#include "model/statement.h"

enum cached_state { CACHED_SENT, CACHED_READY };

struct cached {
    struct cached *next;
    uint64_t hash;
    enum cached_state state;
    int64_t batch; /* in which it was sent to be prepared */
    char name[24];
    int32_t count;  /* of the parameters */
    uint32_t *type; /* behind sql */
    char sql[];
};

struct statement_cache {
    struct cached **buckets;
    uint32_t bucket_count; /* a power of two */
    int32_t count;
    int32_t count_max; /* STATEMENT_CACHE; 0: off */
    int32_t misses;    /* texts that found it full */
    int32_t pending;   /* sent to be prepared, and not answered */
    bool stale;        /* to be emptied: takes and gives nothing until then */
};

void cache_init(struct statement_cache *cache, int32_t count_max);
void cache_finish(struct statement_cache *cache);
/* The statement, if it may be used in this batch: the server has it, or gets it earlier in the same
 * batch. NULL: run it unprepared, or cache_add it. */
struct cached *cache_find(const struct statement_cache *cache, const char *sql,
                          const struct parameters *parameters, int64_t batch, bool *known);
/* A new one, to be prepared now. NULL: full, switched off, or no memory. */
struct cached *cache_add(struct statement_cache *cache, const char *sql,
                         const struct parameters *parameters, int64_t batch);
/* The answer to its Parse: the server has it; or refused or skipped it, and it is gone. */
void cache_confirm(struct statement_cache *cache, struct cached *cached);
void cache_remove(struct statement_cache *cache, struct cached *cached);
/* The server forgets all of them. None may be pending. */
void cache_clear(struct statement_cache *cache);

#endif
