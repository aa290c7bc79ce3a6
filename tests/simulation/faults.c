/* SPDX-License-Identifier: MIT
 * faults.c - what goes wrong, when: each run draws which kinds of faults it has and how often. At the end all is
 * set right again. Never judges what came of it.
 */
#include <string.h>

#include "world.h"

static const int64_t HOUR_US = INT64_C(3600) * US_PER_S;

static int64_t horizon_us;

static struct process *any_process(void) {
    return &world.processes[sim_between(0, world.process_count - 1)];
}

/* --- processes ------------------------------------------------------------------------------------------------ */

static void kill_process(void) {
    struct process *process = any_process();
    if (!process->alive) return;
    process_kill(process);
    process_start_later(process);
}

/* Just before or behind something that was about to happen: between two steps of whatever is under way. */
struct ambush {
    struct event event;
};

static void ambush(struct event *event) {
    (void)event;
    kill_process();
}

static void kill_between_steps(void) {
    const struct event *next = sim_any_event();
    struct ambush *waiting = sim_alloc(sizeof *waiting);
    if (next) sim_at(&waiting->event, next->at_us + sim_between(-1, 1), ambush);
}

static void end_process(void) {
    struct process *process = any_process();
    if (!process->alive || process->stopping) return;
    sim_trace(process->name, "is asked to end");
    process->stopping = true;
    sim_running = process;
    if (process->kind->stop) process->kind->stop(process);
    sim_running = NULL;
}

static void freeze_process(void) {
    struct process *process = any_process();
    if (!process->alive) return;
    process->frozen_until_us = sim_now_us() + sim_between(100 * US_PER_MS, 30 * US_PER_S);
    sim_trace(process->name, "stands still");
}

static void set_clock(void) {
    struct process *process = any_process();
    process->wall_off_us = sim_between(-HOUR_US, HOUR_US);
    world.clocks_apart = true;
    sim_trace(process->name, "has its clock set");
}

/* Set there and back between two sweeps: nobody saw it, and what was leased meanwhile ends by that clock. */
static int64_t redis_set_us;
static void redis_clock_changes(void) {
    if (sim_now_us() - redis_set_us < 10 * US_PER_S) world.clocks_apart = true;
    redis_set_us = sim_now_us();
}

/* Leases end early, or late: those that were given by the other clock. */
static void set_redis_clock(void) {
    world.redis_off_us = sim_between(-HOUR_US, HOUR_US);
    world.redis_lost = true;
    redis_clock_changes();
    sim_trace("redis", "has its clock set");
}

/* --- connections and servers ---------------------------------------------------------------------------------- */

static void break_redis_link(void) {
    struct link *link = link_any(&redis_server);
    if (link) link_break(link, "reset by peer");
}

static void break_database_link(void) {
    struct link *link = link_any(&database_server);
    if (link) link_break(link, "reset by peer");
}

struct revival {
    struct event event;
    struct server *server;
    struct store kept;
    bool restores;
};

static void revive(struct event *event) {
    struct revival *revival = (struct revival *)event;
    revival->server->up = true;
    revival->server->slow = 1;
    sim_trace(revival->server->name, "is back");
}

static void revive_later(struct server *server, int64_t most_us) {
    struct revival *revival = sim_alloc(sizeof *revival);
    revival->server = server;
    sim_at(&revival->event, sim_now_us() + sim_between(1000, most_us), revive);
}

static void restart_redis(void) {
    server_stop(&redis_server, "is restarted");
    revive_later(&redis_server, 4 * US_PER_S);
}

static void restart_database(void) {
    server_stop(&database_server, "is restarted");
    revive_later(&database_server, 4 * US_PER_S);
}

static void wipe_redis(void) {
    sim_trace("redis", "loses all its data");
    store_clear(redis_store());
    world.redis_lost = true;
    redis_set_us = sim_now_us(); /* nor does anybody know by what clock was swept before */
}

/* As with appendfsync everysec, or a replica that was behind: back to what it was a moment ago. */
static void go_back(struct event *event) {
    const struct revival *revival = (const struct revival *)event;
    if (!redis_server.up) return;
    server_stop(&redis_server, "is restarted without its last changes");
    store_copy(redis_store(), &revival->kept);
    world.redis_lost = true;
    revive_later(&redis_server, 4 * US_PER_S);
}

static void forget_last(void) {
    struct revival *revival = sim_alloc(sizeof *revival);
    store_copy(&revival->kept, redis_store());
    sim_at(&revival->event, sim_now_us() + sim_between(1000, 1500 * US_PER_MS), go_back);
}

static void slow_redis(void) {
    redis_server.slow = (int32_t)sim_between(10, 2000);
    revive_later(&redis_server, 8 * US_PER_S);
}

static void slow_database(void) {
    database_server.slow = (int32_t)sim_between(10, 2000);
    revive_later(&database_server, 8 * US_PER_S);
}

/* --- which, and how often ---------------------------------------------------------------------------------------- */

struct kind {
    void (*strike)(void);
    int64_t pause_us; /* between two, on average; 0: this run has none */
};
static struct kind kinds[] = {
    {.strike = kill_process},        {.strike = kill_between_steps}, {.strike = end_process},
    {.strike = freeze_process},      {.strike = set_clock},          {.strike = break_redis_link},
    {.strike = break_database_link}, {.strike = restart_redis},      {.strike = restart_database},
    {.strike = wipe_redis},          {.strike = forget_last},        {.strike = slow_redis},
    {.strike = slow_database},       {.strike = set_redis_clock},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct strike {
    struct event event;
    struct kind *kind;
};

static void strike_later(struct strike *strike);

static void strike_now(struct event *event) {
    struct strike *strike = (struct strike *)event;
    world.faults++;
    strike->kind->strike();
    strike_later(strike);
}

static void strike_later(struct strike *strike) {
    int64_t at_us = sim_now_us() + sim_between(1, 2 * strike->kind->pause_us);
    if (at_us < horizon_us) sim_at(&strike->event, at_us, strike_now);
}

void faults_begin(int64_t until_us) {
    horizon_us = until_us;
    redis_set_us = -3600 * (int64_t)US_PER_S;
    for (int32_t i = 0; i < KINDS; i++) {
        kinds[i].pause_us = sim_chance(350) ? sim_between(US_PER_S / 2, 20 * US_PER_S) : 0;
        if (!kinds[i].pause_us) continue;
        struct strike *strike = sim_alloc(sizeof *strike);
        strike->kind = &kinds[i];
        strike_later(strike);
    }
}

void faults_end(void) {
    redis_server.up = database_server.up = true;
    redis_server.slow = database_server.slow = 1;
    if (world.redis_off_us) redis_clock_changes();
    world.redis_off_us = 0;
    for (int32_t i = 0; i < world.process_count; i++) {
        struct process *process = &world.processes[i];
        process->wall_off_us = 0;
        process->frozen_until_us = 0;
        if (!process->alive) process_start(process);
    }
    sim_trace("world", "is whole again");
}
