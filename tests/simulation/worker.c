/* SPDX-License-Identifier: MIT
 * worker.c - the worker's process: apps/worker as it is, but for main.c, which has signals and an epoll.
 */
#include "work.h"

#include "job.h"
#include "world.h"

enum { SHUTDOWN_MS = 3000 };

static void start(struct process *process) {
    struct worker *worker = process->state;
    worker->client = process->client;
    worker->uploads = worker->signals = -1;
    worker->upload_dir = "";
    worker->limits = limits_read(world_config("celery"));
    worker->limits.shutdown_ms = SHUTDOWN_MS;
    worker->limits.chunk = world_chunk_rules;
    SIM_CHECK(work_start(worker));
}

static void handle(struct process *process, const shared_event *event) {
    work_handle(process->state, event);
}

static void tick(struct process *process) {
    struct worker *worker = process->state;
    work_tick(worker);
    if (!worker->stopping || loop_now_ms() < worker->stop_due_ms) return;
    worker->stop_due_ms = INT64_MAX;
    work_hand_back(worker);
}

/* As the worker's loop: ten times a second while there are jobs. */
static int64_t next_us(const struct process *process) {
    const struct worker *worker = process->state;
    int64_t wait_ms = worker->reconcile_due_ms - loop_now_ms();
    if (wait_ms < 100 || worker->job_count || worker->stopping) wait_ms = 100;
    return sim_now_us() - sim_now_us() % (100 * US_PER_MS) + wait_ms * US_PER_MS;
}

static void stop(struct process *process) {
    work_stop(process->state);
}

static bool is_stopped(const struct process *process) {
    return ((const struct worker *)process->state)->job_count == 0;
}

static void finish(struct process *process) {
    work_finish(process->state);
}

const struct process_kind process_worker = {.name = "worker",
                                            .queue = "celery",
                                            .start = start,
                                            .handle = handle,
                                            .tick = tick,
                                            .next_us = next_us,
                                            .stop = stop,
                                            .is_stopped = is_stopped,
                                            .finish = finish,
                                            .size = sizeof(struct worker)};
