/* SPDX-License-Identifier: MIT
 * names.c - things found by their name. Names come from users, so the hash starts at a random seed.
 * Never frees an entry.
 */
#include "progress/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SLOTS_AT_FIRST = 64 };

/* FNV-1a from a random start, mixed at the end so that the low bits depend on all of them. */
static uint64_t hash_text(const struct names *names, const char *text) {
    uint64_t hash = 0xcbf29ce484222325u ^ names->seed;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        hash = (hash ^ *at) * 0x100000001b3u;
    hash ^= hash >> 32;
    return hash * 0x9e3779b97f4a7c15u ^ hash >> 29;
}

static struct name **names_slot(const struct names *names, uint64_t hash) {
    return &names->slots[hash & (names->slot_count - 1)];
}

/* Twice the slots. Without memory the chains get longer, which is no failure. */
static void names_grow(struct names *names) {
    struct names larger = {.slot_count = names->slot_count * 2, .seed = names->seed};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots) return;
    for (size_t i = 0; i < names->slot_count; i++) {
        for (struct name *name = names->slots[i], *next; name; name = next) {
            next = name->next;
            struct name **slot = names_slot(&larger, name->hash);
            name->next = *slot;
            *slot = name;
        }
    }
    free(names->slots);
    names->slots = larger.slots;
    names->slot_count = larger.slot_count;
}

bool names_add(struct names *names, struct name *name, const char *text) {
    if (!names->slots) {
        names->slots = calloc(SLOTS_AT_FIRST, sizeof(struct name *));
        if (!names->slots) return false;
        names->slot_count = SLOTS_AT_FIRST;
        names->seed = random_u64();
    }
    if (names->count >= names->slot_count) names_grow(names);
    name->text = text;
    name->hash = hash_text(names, text);
    struct name **slot = names_slot(names, name->hash);
    name->next = *slot;
    *slot = name;
    names->count++;
    return true;
}

struct name *names_find(const struct names *names, const char *text) {
    if (!names->count) return NULL;
    uint64_t hash = hash_text(names, text);
    for (struct name *name = *names_slot(names, hash); name; name = name->next)
        if (name->hash == hash && strcmp(name->text, text) == 0) return name;
    return NULL;
}

void names_remove(struct names *names, struct name *name) {
    struct name **at = names_slot(names, name->hash);
    while (*at != name) at = &(*at)->next;
    *at = name->next;
    names->count--;
}

void names_finish(struct names *names) {
    free(names->slots);
    *names = (struct names){.slots = NULL};
}
