/* SPDX-License-Identifier: MIT
 * process.c - life and turns of a process: as a program with its own loop would, it dispatches, takes events,
 * and looks at its clocks. Never decides what a kind does.
 */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "net/client_private.h"
#include "world.h"

enum { LATE_PERMILLE = 300, LATE_US_MAX = 30 * US_PER_S, SOON_US_MAX = 2 * US_PER_S };

static void mailbox_add(struct mailbox *box, struct mail *mail) {
    mail->next = NULL;
    *(box->last ? &box->last->next : &box->first) = mail;
    box->last = mail;
}

static struct mail *mailbox_take(struct mailbox *box) {
    struct mail *mail = box->first;
    if (!mail) return NULL;
    box->first = mail->next;
    if (!box->first) box->last = NULL;
    return mail;
}

void process_post(struct process *process, struct mail *mail) {
    mailbox_add(&process->mails, mail);
}

void process_call(struct process *process, struct mail *mail) {
    mailbox_add(&process->calls, mail);
}

bool process_has_mail(const struct process *process) {
    return process->mails.first != NULL;
}

/* From the client's dispatch. */
static void open_mails(struct source *source, uint32_t events) {
    (void)events;
    struct process *process =
        (struct process *)((char *)source - offsetof(struct process, network));
    while (!process->deaf && process->mails.first) {
        struct mail *mail = mailbox_take(&process->mails);
        mail->open(mail);
    }
}

void process_start(struct process *process) {
    process->number = world.process_number++;
    process->alive = true;
    process->dying = process->stopping = false;
    process->frozen_until_us = 0;
    process->mails = process->calls = (struct mailbox){0};
    process->source = NULL;
    sim_running = process;
    sim_trace(process->name, "starts, number %d", process->number);
    SIM_CHECK(shared_client_new(world_config(process->kind->queue), &process->client) == SHARED_OK);
    SIM_CHECK(source_add(process->client, &process->network, FD_NETWORK, 1, open_mails) ==
              SHARED_OK);
    process->state = calloc(1, process->kind->size);
    SIM_CHECK(process->state != NULL);
    process->kind->start(process);
    sim_running = NULL;
}

static void process_end(struct process *process) {
    sim_running = process;
    if (process->kind->finish) process->kind->finish(process);
    shared_client_free(process->client);
    free(process->state);
    process->client = NULL;
    process->state = NULL;
    process->alive = false;
    process->mails = process->calls = (struct mailbox){0};
    sim_running = NULL;
}

static void start_again(struct event *event) {
    struct process *process = (struct process *)((char *)event - offsetof(struct process, restart));
    if (!process->alive) process_start(process);
}

void process_start_later(struct process *process) {
    int64_t most_us = sim_chance(LATE_PERMILLE) ? LATE_US_MAX : SOON_US_MAX;
    if (!process->restart.waits)
        sim_at(&process->restart, sim_now_us() + sim_between(1000, most_us), start_again);
}

void process_kill(struct process *process) {
    sim_trace(process->name, "is killed");
    process->dying = true;
    process_end(process);
}

int64_t process_next_us(const struct process *process) {
    if (!process->alive) return INT64_MAX;
    int64_t next_us = process->kind->next_us ? process->kind->next_us(process) : INT64_MAX;
    bool has_mail = process->mails.first || process->calls.first;
    if ((has_mail && !process->deaf) || process->client->deferred_first) next_us = sim_now_us();
    const struct timer *timer = process->client->timers;
    if (timer) {
        int64_t due_us = sim_now_us() + (timer->due_ms - time_monotonic_ms()) * US_PER_MS;
        due_us -= due_us % US_PER_MS;
        if (due_us < next_us) next_us = due_us;
    }
    if (next_us < sim_now_us()) next_us = sim_now_us();
    return next_us > process->frozen_until_us ? next_us : process->frozen_until_us;
}

static void take_events(struct process *process) {
    (void)shared_client_dispatch(process->client, 0);
    for (const shared_event *event; (event = shared_client_next(process->client));)
        process->kind->handle(process, event);
}

void process_run(struct process *process) {
    sim_running = process;
    while (!process->deaf && process->calls.first) {
        struct mail *mail = mailbox_take(&process->calls);
        mail->open(mail);
    }
    take_events(process);
    if (process->kind->tick) process->kind->tick(process);
    take_events(process);
    bool over =
        process->stopping && (!process->kind->is_stopped || process->kind->is_stopped(process));
    sim_running = NULL;
    if (!over) return;
    sim_trace(process->name, "has ended");
    process_end(process);
    process_start_later(process);
}
