/* SPDX-License-Identifier: MIT
 * kernel.c - memory, random numbers, the queue of events and the trace of one run. Never blocks.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* --- memory --------------------------------------------------------------------------------------- */

enum { BLOCK_SIZE = 1 << 20 };

struct block {
    struct block *next;
    size_t used, size;
    char data[];
};
static struct block *blocks;

static struct block *block_new(size_t size) {
    struct block *block = malloc(sizeof *block + size);
    if (!block) abort();
    *block = (struct block){.next = blocks, .size = size};
    blocks = block;
    return block;
}

void *sim_alloc(size_t size) {
    size = (size + 15) & ~(size_t)15;
    struct block *block = blocks;
    if (!block || block->size - block->used < size)
        block = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);
    void *memory = block->data + block->used;
    block->used += size;
    memset(memory, 0, size);
    return memory;
}

char *sim_copy(const char *data, size_t size) {
    char *copy = sim_alloc(size + 1);
    if (size) memcpy(copy, data, size);
    return copy;
}

char *sim_format(const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    SIM_CHECK(size >= 0 && size < (int)sizeof text);
    return sim_copy(text, (size_t)size);
}

/* --- random numbers: splitmix64 --------------------------------------------------------------------- */

static uint64_t world_state, library_state;

static uint64_t next_number(uint64_t *state) {
    uint64_t mixed = (*state += 0x9E3779B97F4A7C15u);
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return mixed ^ mixed >> 31;
}

uint64_t sim_random(void) {
    return next_number(&world_state);
}

uint64_t sim_library_random(void);
uint64_t sim_library_random(void) {
    return next_number(&library_state);
}

int64_t sim_between(int64_t least, int64_t most) {
    SIM_CHECK(least <= most);
    return least + (int64_t)(sim_random() % (uint64_t)(most - least + 1));
}

bool sim_chance(int32_t permille) {
    return sim_between(0, 999) < permille;
}

/* --- events: a binary heap by time and number --------------------------------------------------------- */

static struct event **heap;
static size_t heap_count, heap_capacity;
static uint64_t event_number;
static int64_t now_us;

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

static void heap_up(size_t at) {
    struct event *event = heap[at];
    for (; at > 0 && is_before(event, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = event;
}

static void heap_down(size_t at) {
    struct event *event = heap[at];
    for (size_t child; (child = at * 2 + 1) < heap_count; at = child) {
        if (child + 1 < heap_count && is_before(heap[child + 1], heap[child])) child++;
        if (!is_before(heap[child], event)) break;
        heap[at] = heap[child];
    }
    heap[at] = event;
}

void sim_at(struct event *event, int64_t at_us, void (*run)(struct event *event)) {
    SIM_CHECK(!event->waits);
    *event = (struct event){.at_us = at_us < now_us ? now_us : at_us,
                            .number = event_number++,
                            .run = run,
                            .waits = true};
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 256;
        heap = realloc(heap, heap_capacity * sizeof *heap); /* NOLINT: ends when it fails */
        if (!heap) abort();
    }
    heap[heap_count++] = event;
    heap_up(heap_count - 1);
}

int64_t sim_now_us(void) {
    return now_us;
}

int64_t sim_next_us(void) {
    return heap_count ? heap[0]->at_us : INT64_MAX;
}

void sim_advance(int64_t to_us) {
    if (to_us > now_us) now_us = to_us;
}

void sim_run_next(void) {
    struct event *event = heap[0];
    heap[0] = heap[--heap_count];
    if (heap_count) heap_down(0);
    sim_advance(event->at_us);
    event->waits = false;
    event->run(event);
}

const struct event *sim_any_event(void) {
    return heap_count ? heap[sim_between(0, (int64_t)heap_count - 1)] : NULL;
}

/* --- the trace ------------------------------------------------------------------------------------------ */

bool sim_traces;
struct process *sim_running;
enum sim_bug sim_bug;
const char *sim_replay;
static uint64_t seed_now, trace_hash;

void sim_trace(const char *who, const char *format, ...) {
    char line[512];
    int head = snprintf(line, sizeof line, "%12.6f %-12s ", (double)now_us / (double)US_PER_S, who);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + head, sizeof line - (size_t)head, format, arguments);
    va_end(arguments);
    for (const char *at = line; *at; at++)
        trace_hash = (trace_hash ^ (unsigned char)*at) * 0x100000001b3u;
    if (sim_traces) {
        puts(line);
        (void)fflush(stdout);
    }
}

uint64_t sim_trace_hash(void) {
    return trace_hash;
}

void sim_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stdout);
    if (!sim_replay) (void)fprintf(stderr, "simulation: seed %" PRIu64 ", ", seed_now);
    (void)fprintf(stderr, "at %.6f s: ", (double)now_us / (double)US_PER_S);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (sim_replay)
        (void)fprintf(stderr, "\nreplay: %s --trace", sim_replay);
    else
        (void)fprintf(stderr, "\nreplay: simulation --seed %" PRIu64 " --trace", seed_now);
    (void)fprintf(stderr, sim_bug ? " --bug %d\n" : "\n", (int)sim_bug);
    exit(EXIT_FAILURE);
}

/* --- a run -------------------------------------------------------------------------------------------------- */

void sim_begin(uint64_t seed) {
    seed_now = seed;
    world_state = seed * 2;
    library_state = seed * 2 + 1;
    trace_hash = 0xcbf29ce484222325u;
    now_us = 0;
    event_number = 0;
    heap_count = 0;
    sim_running = NULL;
}

void sim_end(void) {
    heap_count = 0;
    while (blocks && blocks->next) {
        struct block *block = blocks;
        blocks = block->next;
        free(block);
    }
    if (blocks) blocks->used = 0;
}
