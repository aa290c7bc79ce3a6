/* SPDX-License-Identifier: MIT
 * work.h - a worker's work, for whatever process does it: main.c, or one of tests/simulation.
 */
#ifndef WORKER_WORK_H
#define WORKER_WORK_H

#include "worker.h"

struct limits limits_read(const shared_config *config);
/* Consumes from now on; false: a call failed, shared_error_last() says why. */
bool work_start(struct worker *worker);
void work_handle(struct worker *worker, const shared_event *event);
void work_tick(struct worker *worker); /* what is due, and queued jobs that have room now */
/* Claims no more, and gives back what waits; what runs may go on until stop_due_ms. */
void work_stop(struct worker *worker);
void work_hand_back(struct worker *worker); /* what still runs goes back to the queue */
/* Forgets all jobs, before the client goes. */
void work_finish(struct worker *worker);

#endif
