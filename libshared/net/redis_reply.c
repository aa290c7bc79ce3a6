/* SPDX-License-Identifier: MIT
 * redis_reply.c - answers in an arena: built piece by piece as the reader finds them, let go together.
 * Bounded by REPLY_MAX; a piece that would pass it is refused (NULL), which the reader takes for a lack
 * of memory.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "net/redis_private.h"

enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) char data[];
};

static void *arena_take(struct arena *arena, size_t size) {
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (size > (size_t)REPLY_MAX - arena->total) return NULL;
    struct arena_block *block = arena->first;
    if (!block || size > block->size - arena->used) {
        size_t block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = malloc(sizeof *block + block_size);
        if (!block) return NULL;
        block->next = arena->first;
        block->size = block_size;
        arena->first = block;
        arena->used = 0;
    }
    void *taken = block->data + arena->used;
    arena->used += size;
    arena->total += size;
    return taken;
}

struct reply *arena_reply(struct arena *arena, enum reply_type type) {
    struct reply *reply = arena_take(arena, sizeof *reply);
    if (reply) *reply = (struct reply){.type = type, .text = ""};
    return reply;
}

struct reply *arena_text(struct arena *arena, enum reply_type type, const char *text, size_t size) {
    struct reply *reply = arena_reply(arena, type);
    char *copy = reply && size < (size_t)REPLY_MAX ? arena_take(arena, size + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    reply->text = copy;
    reply->size = size;
    return reply;
}

struct reply *arena_array(struct arena *arena, size_t count) {
    if (count > (size_t)ELEMENTS_MAX) return NULL;
    struct reply *reply = arena_reply(arena, REPLY_ARRAY);
    if (!reply || count == 0) return reply;
    struct reply **items = arena_take(arena, count * sizeof(struct reply *));
    if (!items) return NULL;
    for (size_t i = 0; i < count; i++) items[i] = NULL;
    reply->count = count;
    reply->items = items;
    return reply;
}

/* Keeps one block of the usual size, so that the usual answer allocates nothing. */
void arena_reset(struct arena *arena) {
    struct arena_block *kept = NULL;
    while (arena->first) {
        struct arena_block *block = arena->first;
        arena->first = block->next;
        if (!kept && block->size == BLOCK_SIZE)
            kept = block;
        else
            free(block);
    }
    if (kept) kept->next = NULL;
    *arena = (struct arena){.first = kept};
}

void arena_finish(struct arena *arena) {
    arena_reset(arena);
    free(arena->first);
    *arena = (struct arena){0};
}
