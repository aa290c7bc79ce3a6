/* SPDX-License-Identifier: MIT
 * turns.c - plays a word of turns.h in a world with one document of two pages, its task in the queue, and workers that
 * stand still unless it is their turn. What must hold while rows are written, database.c sees.
 */
#include "turns.h"

#include <stdio.h>
#include <string.h>

#include "database.h"
#include "worker.h"
#include "world.h"

enum {
    WORKERS = 3,
    TURN_US = 30 * US_PER_MS, /* whoever finds nothing to do is left alone */
    SETTLE_US = US_PER_MS,    /* answers under way arrive */
    RENEWAL_US = 4 * US_PER_S,
    ACT_US = US_PER_S,
    PART_US = 7 * US_PER_S,
    LEASE_US_MAX = 16 * US_PER_S
};
static const int64_t NEVER_US = INT64_MAX;

static struct process *workers, *clerk;

/* --- turns: each says whether anything came of it --------------------------------------------------------------- */

static bool turn_step(char who) {
    struct process *worker = &workers[who - 'a'];
    int32_t before = worker->steps;
    int64_t until_us = sim_now_us() + TURN_US;
    worker->frozen_until_us = 0;
    while (worker->steps == before && world_step(until_us)) {
    }
    worker->frozen_until_us = NEVER_US;
    return worker->steps != before;
}

static bool turn_renew(char who) {
    struct process *worker = &workers[who - 'A'];
    if (!((const struct worker *)worker->state)->job_count) return false;
    world_run_until(sim_now_us() + SETTLE_US);
    int32_t before = worker->renewals;
    int64_t until_us = sim_now_us() + RENEWAL_US;
    worker->deaf = true;
    worker->frozen_until_us = 0;
    while (worker->renewals == before && world_step(until_us)) {
    }
    worker->frozen_until_us = NEVER_US;
    world_run_until(sim_now_us() + SETTLE_US);
    worker->deaf = false;
    return worker->renewals != before;
}

static bool turn_part(char what) {
    (void)what;
    world_run_until(sim_now_us() + PART_US);
    return true;
}

static bool turn_reap(char what) {
    (void)what;
    int32_t before = world.leases_ended;
    int64_t until_us = sim_now_us() + LEASE_US_MAX;
    while (world.leases_ended == before && world_step(until_us)) {
    }
    return world.leases_ended != before;
}

static bool turn_act(char what) {
    int32_t before = clerk->steps;
    int64_t until_us = sim_now_us() + ACT_US;
    world.meddled = true;
    clerk_act(clerk, what);
    while (!clerk_is_idle(clerk) && world_step(until_us)) {
    }
    world_run_until(sim_now_us() + SETTLE_US); /* a new task comes to the queue */
    return clerk->steps != before;
}

static const struct {
    char first, last;
    bool (*take)(char what);
} turns[] = {{'a', 'c', turn_step}, {'A', 'C', turn_renew}, {'p', 'p', turn_part},
             {'P', 'P', turn_reap}, {'d', 'd', turn_act},   {'r', 'r', turn_act}};

static bool turn(char what) {
    sim_trace("turn", "%c", what);
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        if (what >= turns[i].first && what <= turns[i].last) return turns[i].take(what);
    sim_fail("%c is no turn", what);
}

/* What was renewed just now lasts longer than a part of a lease. */
static void check_renewed(char last, char what, int32_t leases_ended) {
    if (what == 'p' && last >= 'A' && last <= 'C' && world.leases_ended != leases_ended)
        sim_fail("a lease ended that had just been renewed");
}

/* --- a word ----------------------------------------------------------------------------------------------------- */

/* The first sweep of a queue lets all leases be for as long as one lasts: it is over before the word begins. */
static void prepare(void) {
    memset(&world, 0, sizeof world);
    sim_begin(1);
    redis_begin();
    database_begin();
    world.steady = world.disturbed = true;
    world.original_count = 1;
    struct original *original = &world.originals[0];
    *original = (struct original){.pages = 2, .seen_end = true};
    (void)snprintf(original->id, sizeof original->id, "doc-0");
    world_add(&process_reminder, 1);
    world_run_until(LEASE_US_MAX);
    workers = &world.processes[world.process_count];
    world_add(&process_worker, WORKERS);
    world_run_until(sim_now_us() + SETTLE_US);
    for (int32_t i = 0; i < WORKERS; i++) workers[i].frozen_until_us = NEVER_US;
    clerk = &world.processes[world.process_count];
    world_add(&process_clerk, 1);
    world_add(&process_producer, 1);
    world_run_until(sim_now_us() + TURN_US);
    SIM_CHECK(original->committed);
}

static void check_tasks(void) {
    for (int32_t i = 0; i < world.result_count; i++) {
        const struct result *result = &world.results[i];
        if (*result->about && result->sends != result->ends)
            sim_fail("task %s was sent %d times, and %d were told that they ended it", result->id,
                     (int)result->sends, (int)result->ends);
    }
}

static void check_deleted(void) {
    static const struct document_state nothing;
    if (!world.originals[0].deleted) return;
    if (memcmp(&database.documents[0].committed, &nothing, sizeof nothing) != 0)
        sim_fail("something was written to the document after it was deleted");
}

struct turns_result turns_run(const char *word) {
    struct turns_result result = {.effective = ""};
    size_t size = 0;
    prepare();
    for (const char *at = word; *at; at++) {
        SIM_CHECK(size + 1 < sizeof result.effective);
        int32_t leases_ended = world.leases_ended;
        if (!turn(*at)) continue;
        check_renewed(size ? result.effective[size - 1] : 0, *at, leases_ended);
        result.effective[size++] = *at;
    }
    sim_trace("turn", "all go on");
    for (int32_t i = 0; i < WORKERS; i++) workers[i].frozen_until_us = 0;
    world_converge();
    check_effects();
    check_tasks();
    check_deleted();
    result.end_us = sim_now_us();
    result.deleted = world.originals[0].deleted;
    result.completed = strcmp(database.documents[0].committed.status, "completed") == 0;
    for (int32_t i = 0; i < world.process_count; i++)
        if (world.processes[i].alive) process_kill(&world.processes[i]);
    sim_end();
    return result;
}
