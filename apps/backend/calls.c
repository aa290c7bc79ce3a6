/* SPDX-License-Identifier: MIT
 * calls.c - which tag belongs to whom: a table of slots, and a count of their uses in the tag's upper
 * half, so that a late event never meets the slot's next owner. Never looks into an event.
 */
#include "calls.h"

#include <stdlib.h>

struct call {
    call_answer *answer; /* NULL: forgotten, or free */
    void *owner;
    uint32_t use;
    uint32_t next_free;
};

enum { CALLS_MIN = 64 };
static const uint32_t NONE = UINT32_MAX;

struct calls {
    struct call *calls;
    uint32_t capacity;
    uint32_t first_free;
};

struct calls *calls_new(void) {
    struct calls *calls = calloc(1, sizeof *calls);
    if (calls) calls->first_free = NONE;
    return calls;
}

void calls_free(struct calls *calls) {
    if (calls) free(calls->calls);
    free(calls);
}

static bool calls_grow(struct calls *calls) {
    uint32_t capacity = calls->capacity ? calls->capacity * 2 : CALLS_MIN;
    if (capacity > NONE / 2) return false;
    struct call *more = realloc(calls->calls, capacity * sizeof *more);
    if (!more) return false;
    for (uint32_t i = calls->capacity; i < capacity; i++)
        more[i] = (struct call){.next_free = i + 1 < capacity ? i + 1 : NONE};
    calls->first_free = calls->capacity;
    calls->calls = more;
    calls->capacity = capacity;
    return true;
}

static struct call *call_find(struct calls *calls, uint64_t tag) {
    uint32_t slot = (uint32_t)tag - 1;
    if (!tag || slot >= calls->capacity) return NULL;
    struct call *call = &calls->calls[slot];
    return call->use == (uint32_t)(tag >> 32) ? call : NULL;
}

uint64_t call_start(struct server *server, call_answer *answer, void *owner) {
    struct calls *calls = server->calls;
    if (calls->first_free == NONE && !calls_grow(calls)) return 0;
    uint32_t slot = calls->first_free;
    struct call *call = &calls->calls[slot];
    calls->first_free = call->next_free;
    call->answer = answer;
    call->owner = owner;
    call->use = (call->use + 1) & 0x1fffff; /* tags stay below 2^53 */
    server->asked = true;
    return (uint64_t)call->use << 32 | (slot + 1);
}

void call_drop(struct server *server, uint64_t tag) {
    struct call *call = call_find(server->calls, tag);
    if (!call) return;
    call->answer = NULL;
    call->use++; /* nothing more of this use is heard */
    call->next_free = server->calls->first_free;
    server->calls->first_free = (uint32_t)tag - 1;
}

void call_forget(struct server *server, uint64_t tag) {
    struct call *call = call_find(server->calls, tag);
    if (call) call->answer = NULL;
}

void call_cancel(struct server *server, uint64_t tag) {
    call_forget(server, tag);
    if (tag) shared_client_cancel(server->client, tag);
    server->asked = true;
}

void calls_answer(struct server *server, const shared_event *event) {
    uint64_t tag = shared_event_tag(event);
    struct call *call = call_find(server->calls, tag);
    if (!call) return;
    call_answer *answer = call->answer;
    void *owner = call->owner;
    /* Given back first: the owner may go away, or ask again, while it answers. */
    if (!shared_event_more(event)) call_drop(server, tag);
    if (answer) answer(owner, event);
}
