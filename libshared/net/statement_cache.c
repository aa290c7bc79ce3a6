/* SPDX-License-Identifier: MIT
 * statement_cache.c - SQL text -> name of a prepared statement, of one connection.
 */
#include "net/statement_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 16 };

void cache_init(struct statement_cache *cache, int32_t count_max) {
    *cache = (struct statement_cache){.count_max = count_max};
}

void cache_clear(struct statement_cache *cache) {
    for (uint32_t i = 0; i < cache->bucket_count; i++) {
        while (cache->buckets[i]) {
            struct cached *cached = cache->buckets[i];
            cache->buckets[i] = cached->next;
            free(cached);
        }
    }
    cache->count = cache->misses = cache->pending = 0;
    cache->stale = false;
}

void cache_finish(struct statement_cache *cache) {
    cache_clear(cache);
    free(cache->buckets);
    *cache = (struct statement_cache){0};
}

/* Eight bytes a step: texts have some hundred bytes, and each statement is looked up. */
static uint64_t hash_more(uint64_t hash, const void *bytes, size_t size) {
    const char *at = bytes;
    uint64_t word;
    hash ^= size;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    word = 0;
    memcpy(&word, at, size);
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static uint64_t statement_hash(const char *sql, size_t size, const struct parameters *parameters) {
    uint64_t hash = hash_more(0, sql, size);
    if (!parameters || !parameters->count) return hash;
    return hash_more(hash, parameters->type, (size_t)parameters->count * sizeof *parameters->type);
}

/* The same text with other types is another statement. */
static bool is_same(const struct cached *cached, uint64_t hash, const char *sql,
                    const struct parameters *parameters) {
    int32_t count = parameters ? parameters->count : 0;
    if (cached->hash != hash || cached->count != count || strcmp(cached->sql, sql) != 0)
        return false;
    return !count || !memcmp(cached->type, parameters->type, (size_t)count * sizeof *cached->type);
}

struct cached *cache_find(const struct statement_cache *cache, const char *sql,
                          const struct parameters *parameters, int64_t batch, bool *known) {
    *known = false;
    if (!cache->count || cache->stale) return NULL;
    uint64_t hash = statement_hash(sql, strlen(sql), parameters);
    struct cached *cached = cache->buckets[hash & (cache->bucket_count - 1)];
    while (cached && !is_same(cached, hash, sql, parameters)) cached = cached->next;
    *known = cached != NULL;
    return cached && (cached->state == CACHED_READY || cached->batch == batch) ? cached : NULL;
}

static bool has_room(struct statement_cache *cache) {
    if (cache->stale) return false;
    if (cache->count < cache->count_max) return true;
    if (++cache->misses >= cache->count_max) cache->stale = true;
    return false;
}

static bool make_buckets(struct statement_cache *cache) {
    if (cache->buckets) return true;
    uint32_t count = BUCKETS_MIN;
    while (count < (uint32_t)cache->count_max) count *= 2;
    cache->buckets = calloc(count, sizeof(struct cached *));
    if (cache->buckets) cache->bucket_count = count;
    return cache->buckets;
}

struct cached *cache_add(struct statement_cache *cache, const char *sql,
                         const struct parameters *parameters, int64_t batch) {
    if (!cache->count_max || !has_room(cache) || !make_buckets(cache)) return NULL;
    size_t size = strlen(sql), count = parameters ? (size_t)parameters->count : 0;
    size_t types_at = (size / sizeof(uint32_t) + 1) * sizeof(uint32_t);
    struct cached *cached = malloc(sizeof *cached + types_at + count * sizeof *cached->type);
    if (!cached) return NULL;
    *cached = (struct cached){.hash = statement_hash(sql, size, parameters),
                              .batch = batch,
                              .state = CACHED_SENT,
                              .count = (int32_t)count};
    memcpy(cached->sql, sql, size + 1);
    cached->type = (uint32_t *)(void *)(cached->sql + types_at);
    if (count) memcpy(cached->type, parameters->type, count * sizeof *cached->type);
    (void)snprintf(cached->name, sizeof cached->name, "lex_%016" PRIx64, cached->hash);
    struct cached **bucket = &cache->buckets[cached->hash & (cache->bucket_count - 1)];
    cached->next = *bucket;
    *bucket = cached;
    cache->count++;
    cache->pending++;
    return cached;
}

void cache_confirm(struct statement_cache *cache, struct cached *cached) {
    cached->state = CACHED_READY;
    cache->pending--;
}

void cache_remove(struct statement_cache *cache, struct cached *cached) {
    struct cached **link = &cache->buckets[cached->hash & (cache->bucket_count - 1)];
    while (*link != cached) link = &(*link)->next;
    *link = cached->next;
    cache->count--;
    cache->pending--;
    free(cached);
}
