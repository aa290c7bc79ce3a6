/* SPDX-License-Identifier: MIT
 * names.h - things found by their name: an intrusive hash table. Owns its slots, never the things.
 */
#ifndef PROGRESS_NAMES_H
#define PROGRESS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embed it. text must live as long as the entry. */
struct name {
    const char *text;
    uint64_t hash;
    struct name *next;
};
/* All zero: empty. */
struct names {
    struct name **slots;
    size_t slot_count;
    size_t count;
    uint64_t seed;
};

/* false: out of memory. A name may be in it once only: look first. */
bool names_add(struct names *names, struct name *name, const char *text);
struct name *names_find(const struct names *names, const char *text);
void names_remove(struct names *names, struct name *name);
void names_finish(struct names *names);

#endif
