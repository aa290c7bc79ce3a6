/* SPDX-License-Identifier: MIT
 * world.c - one run: what the seed puts into the world, and turns until all is done after the faults have ended.
 * Never causes a fault: faults.c does.
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "database.h"

enum { CONVERGE_S = 300, CLOCKS_APART_S = 4000 };

struct world world;
const struct chunk_rules world_chunk_rules = {.size = 160, .overlap = 30};

/* --- settings ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *value;
} settings[] = {
    {"DATABASE_URL", "postgresql://simulated"},
    {"REDIS_URL", "redis://simulated"},
    {"LEASE_S", "10"},
    {"LEASE_RENEW_S", "3"},
    {"RETRY_DELAY_S", "5"},
    {"RECONCILE_S", "10"},
    {"RECONCILE_AGE_S", "15"},
    {"PAGES_BATCH", "2"},
    {"LOG_LEVEL", "error"},
};

static shared_config *configs[2];
static const char *const queues[] = {"celery", "notes"};

const shared_config *world_config(const char *queue) {
    size_t at = strcmp(queue, queues[0]) == 0 ? 0 : 1;
    if (configs[at]) return configs[at];
    SIM_CHECK(shared_config_from_env(&configs[at]) == SHARED_OK);
    SIM_CHECK(shared_config_set(configs[at], "QUEUE_NAME", queue) == SHARED_OK);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        SIM_CHECK(shared_config_set(configs[at], settings[i].name, settings[i].value) == SHARED_OK);
    if (sim_traces) SIM_CHECK(shared_config_set(configs[at], "LOG_LEVEL", "info") == SHARED_OK);
    shared_log_configure(configs[at]);
    return configs[at];
}

void world_finish(void) {
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) shared_config_free(configs[i]);
}

/* --- what there is to do -------------------------------------------------------------------------------------- */

struct original *original_find(const char *id) {
    for (int32_t i = 0; i < world.original_count; i++)
        if (strcmp(world.originals[i].id, id) == 0) return &world.originals[i];
    return NULL;
}

struct note *note_find(const char *key) {
    for (int32_t i = 0; i < world.note_count; i++)
        if (strcmp(world.notes[i].key, key) == 0) return &world.notes[i];
    return NULL;
}

struct result *world_result_of(const char *task_id) {
    for (int32_t i = 0; i < world.result_count; i++)
        if (strcmp(world.results[i].id, task_id) == 0) return &world.results[i];
    SIM_CHECK(world.result_count < RESULTS_MAX);
    struct result *result = &world.results[world.result_count++];
    strncpy(result->id, task_id, sizeof result->id - 1);
    return result;
}

const char *original_page(const struct original *original, int64_t page) {
    static const char body[] =
        "The parties agree that what one of them has sent shall arrive once, and "
        "that nobody shall be asked twice. Notice is given in writing.";
    return sim_format("%s, page %d. %s", original->id, (int)page, body);
}

uint64_t chunk_hash(int64_t index, const char *content, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)index;
    for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)content[i]) * 0x100000001b3u;
    return hash;
}

static void make_work(int64_t horizon_us) {
    world.original_count = (int32_t)sim_between(1, DOCUMENTS_MAX);
    for (int32_t i = 0; i < world.original_count; i++) {
        struct original *original = &world.originals[i];
        original->pages = (int32_t)sim_between(1, PAGES_MAX);
        original->damaged = sim_chance(60);
        original->deadly_page = sim_chance(60) ? (int32_t)sim_between(1, original->pages) : 0;
        original->wanted_us = sim_between(0, horizon_us);
        (void)snprintf(original->id, sizeof original->id, "doc-%d", (int)i);
    }
    world.note_count = (int32_t)sim_between(1, NOTES_MAX);
    for (int32_t i = 0; i < world.note_count; i++) {
        world.notes[i].wanted_us = sim_between(0, horizon_us);
        (void)snprintf(world.notes[i].key, sizeof world.notes[i].key, "note-%d", (int)i);
    }
}

void world_add(const struct process_kind *kind, int64_t count) {
    for (int32_t i = 0; i < count; i++) {
        struct process *process = &world.processes[world.process_count++];
        *process = (struct process){.kind = kind};
        (void)snprintf(process->name, sizeof process->name, "%s-%d", kind->name, (int)i);
        process_start(process);
    }
}

/* --- what the seams tell ----------------------------------------------------------------------------------------- */

void world_saw_script(const struct script *script) {
    for (int32_t i = 0; i < world_script_count; i++)
        if (world_scripts[i] == script) return;
    SIM_CHECK(world_script_count < SCRIPTS_MAX);
    world_scripts[world_script_count++] = script;
}

/* Behind the count: pairs of queue and message. The arguments stand in the message as Python shows them. */
static void see_set_aside(const struct reply *swept) {
    for (size_t i = 2; i < swept->count; i += 2)
        for (int32_t note = 0; note < world.note_count; note++)
            world.notes[note].set_aside |=
                strstr(swept->items[i]->text, sim_format("'%s'", world.notes[note].key)) != NULL;
}

/* A task was taken, one was let go: what turns.c counts. */
static void see_turn(struct process *process, const char *script, const struct text *words,
                     const struct reply *reply) {
    bool finishes = strcmp(script, "finish") == 0;
    bool claims = strcmp(script, "claim") == 0 && reply->count > 0;
    process->steps += finishes || claims || strcmp(script, "retry") == 0;
    process->renewals += strcmp(script, "renew") == 0 && !reply->count; /* none was lost */
    if (finishes && reply->integer) world_result_of(words[7].data)->ends++;
    if (strcmp(script, "sweep") == 0 && reply->count)
        world.leases_ended += (int32_t)reply->items[0]->integer;
}

void world_saw_command(struct process *process, const char *script, const struct text *words,
                       int32_t count, const struct reply *reply) {
    if (!script) return;
    see_turn(process, script, words, reply);
    if (strcmp(script, "sweep") == 0) see_set_aside(reply);
    if (strcmp(script, "store") == 0 && reply->integer)
        check_result(words[0].data + sizeof "celery-task-meta-" - 1, words[2].data);
    bool sends = strcmp(script, "send") == 0 && count == 5;
    bool retries = strcmp(script, "retry") == 0 && reply->integer;
    struct note *note = sends     ? note_find(words[3].data)
                        : retries ? note_find(words[6].data)
                                  : NULL;
    if (note) note->sends++;
    if (sends && original_find(words[3].data)) {
        struct result *result = world_result_of(words[4].data);
        strncpy(result->about, words[3].data, sizeof result->about - 1);
        result->sends++;
    }
}

/* --- a run --------------------------------------------------------------------------------------------------------- */

static struct process *next_process(int64_t *due_us) {
    struct process *next = NULL;
    *due_us = INT64_MAX;
    for (int32_t i = 0; i < world.process_count; i++) {
        struct process *process = &world.processes[i];
        int64_t at_us = process_next_us(process);
        if (at_us >= *due_us) continue;
        *due_us = at_us;
        next = process;
    }
    return next;
}

/* One thing happens: the server's or the network's, else a process'. */
bool world_step(int64_t until_us) {
    int64_t process_us, event_us = sim_next_us();
    struct process *process = next_process(&process_us);
    if (process_us > until_us && event_us > until_us) return false;
    if (event_us <= process_us) {
        sim_run_next();
    } else {
        sim_advance(process_us);
        process_run(process);
    }
    return true;
}

void world_run_until(int64_t until_us) {
    for (int64_t steps = 0; world_step(until_us); steps++)
        if (steps > 2000000) sim_fail("no end in sight: something runs again and again");
    sim_advance(until_us);
}

void world_converge(void) {
    int64_t heal_us = sim_now_us();
    const char *missing;
    while ((missing = check_converged())) {
        int64_t most_s = CONVERGE_S + (world.clocks_apart ? CLOCKS_APART_S : 0);
        if (sim_now_us() - heal_us > most_s * US_PER_S)
            sim_fail("%lld s after the last fault: %s", (long long)most_s, missing);
        world_run_until(sim_now_us() + US_PER_S);
    }
}

struct world_result world_run(uint64_t seed) {
    memset(&world, 0, sizeof world);
    sim_begin(seed);
    redis_begin();
    database_begin();
    int64_t horizon_us = sim_between(1, 60) * US_PER_S;
    make_work(horizon_us);
    bool quiet = sim_chance(100);
    world.disturbed = !quiet;
    world_add(&process_worker, sim_between(1, 3));
    world_add(&process_reminder, sim_between(1, 2));
    world_add(&process_producer, sim_between(1, 2));
    world_add(&process_noter, 1);
    world_add(&process_viewer, 1);
    if (!quiet) faults_begin(horizon_us);
    world_run_until(horizon_us);
    if (!quiet) faults_end();
    world_converge();
    check_effects();
    struct world_result result = {
        .trace_hash = sim_trace_hash(), .end_us = sim_now_us(), .faults = world.faults};
    for (int32_t i = 0; i < world.process_count; i++)
        if (world.processes[i].alive) process_kill(&world.processes[i]);
    sim_end();
    return result;
}

const struct script *world_scripts[SCRIPTS_MAX];
int32_t world_script_count;
