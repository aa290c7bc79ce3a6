/* SPDX-License-Identifier: MIT
 * main.c - runs seeds: simulation [--seeds COUNT] [--seed FIRST] [--trace] [--bug NUMBER], or --bugs: that each planted
 * bug is found. --seed alone runs that one. Each hundredth seed runs twice and must leave the same trace.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

enum { TWICE_EACH = 100, SEEDS = 10000, SEEDS_FOR_A_BUG = 2000, EXIT_USAGE = 64 };

static const char *const bugs[BUG_COUNT] = {
    [BUG_ACK_UNCHECKED] = "a claim that is gone is acknowledged",
    [BUG_NO_RENEWAL] = "leases are not renewed",
    [BUG_OUTBOX_EARLY] = "the outbox forgets before Redis knows",
    [BUG_NO_FENCE] = "a run that was taken over may write",
    [BUG_CLAIM_UNLEASED] = "a message is taken without a lease",
};

struct options {
    uint64_t first, count;
    bool has_first, has_count, finds_bugs;
};

static bool read_options(int count, char **words, struct options *out) {
    *out = (struct options){.first = 1, .count = SEEDS};
    for (int i = 1; i < count; i++) {
        bool has_value = i + 1 < count;
        if (strcmp(words[i], "--trace") == 0) {
            sim_traces = true;
        } else if (strcmp(words[i], "--bugs") == 0) {
            out->finds_bugs = true;
        } else if (strcmp(words[i], "--seed") == 0 && has_value) {
            out->first = strtoull(words[++i], NULL, 10);
            out->has_first = true;
        } else if (strcmp(words[i], "--seeds") == 0 && has_value) {
            out->count = strtoull(words[++i], NULL, 10);
            out->has_count = true;
        } else if (strcmp(words[i], "--bug") == 0 && has_value) {
            sim_bug = (enum sim_bug)strtoul(words[++i], NULL, 10);
        } else {
            return false;
        }
    }
    if (out->has_first && !out->has_count) out->count = 1;
    return out->count > 0 && sim_bug < BUG_COUNT;
}

static void run_twice(uint64_t seed, uint64_t hash) {
    struct world_result again = world_run(seed);
    if (again.trace_hash == hash) return;
    (void)fprintf(stderr, "simulation: seed %" PRIu64 ": two runs, two traces\n", seed);
    exit(EXIT_FAILURE);
}

static void run_seeds(uint64_t first, uint64_t count) {
    clock_t start = clock(); /* of this processor: virtual time is another */
    uint64_t faults = 0, hash = 0;
    int64_t virtual_s = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct world_result result = world_run(seed);
        faults += (uint64_t)result.faults;
        virtual_s += result.end_us / US_PER_S;
        hash ^= result.trace_hash;
        if (seed % TWICE_EACH == 0) run_twice(seed, result.trace_hash);
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " faults, %" PRId64
           " virtual hours, %.1f s of CPU, traces %016" PRIx64 "\n",
           count, first, faults, virtual_s / 3600, (double)(clock() - start) / CLOCKS_PER_SEC,
           hash);
}

/* In a process of its own, which says on stderr what it found. */
static bool is_found(enum sim_bug bug) {
    printf("%s:\n", bugs[bug]);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        sim_bug = bug;
        run_seeds(1, SEEDS_FOR_A_BUG);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE;
}

static int find_bugs(void) {
    int missed = 0;
    for (enum sim_bug bug = BUG_NONE + 1; bug < BUG_COUNT; bug++) missed += !is_found(bug);
    printf("%d of %d planted bugs were found\n", BUG_COUNT - 1 - missed, BUG_COUNT - 1);
    return missed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int count, char **words) {
    struct options options;
    if (!read_options(count, words, &options)) {
        (void)fprintf(stderr,
                      "simulation [--seeds COUNT] [--seed FIRST] [--trace] [--bug 1-%d] | --bugs\n",
                      BUG_COUNT - 1);
        return EXIT_USAGE;
    }
    if (options.finds_bugs) return find_bugs();
    run_seeds(options.first, options.count);
    world_finish();
    return EXIT_SUCCESS;
}
