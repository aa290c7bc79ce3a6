/* SPDX-License-Identifier: MIT
 * postgres_cancel.c - has the server stop operations that nobody waits for, one by one as their turn comes.
 * PQcancel blocks, for ever when the server takes it and falls silent, so a helper thread calls it that
 * does nothing else; until it is back the connection is not quiet, since it could hit the next statement.
 * One that still waits for its turn is withdrawn when there is nothing left for it to stop. The server
 * ignores a cancel that comes between two statements: so it is asked again, with growing pauses, until the
 * operation is over.
 */
#include <stdlib.h>

#include "base/log.h"
#include "net/postgres_private.h"

enum { PAUSE_MS_MIN = 20, PAUSE_MS_MAX = 1000 };

struct cancel {
    struct job job; /* first */
    PGcancel *request;
    struct postgres *postgres; /* NULL: gone */
    int answer;
    char complaint[256];
};

static void cancel_work(struct job *job) {
    struct cancel *cancel = (struct cancel *)job;
    cancel->answer = PQcancel(cancel->request, cancel->complaint, sizeof cancel->complaint);
}

static void ask_again(struct timer *timer) {
    postgres_cancel_head(
        (struct postgres *)((char *)timer - offsetof(struct postgres, cancel_timer)));
}

static bool is_due(const struct postgres *postgres) {
    const struct operation *head = postgres->first;
    return postgres->state == POSTGRES_READY && head && head->sent && head->unwanted;
}

static void cancel_free(struct cancel *cancel) {
    PQfreeCancel(cancel->request);
    free(cancel);
}

static void cancel_finish(struct job *job) {
    struct cancel *cancel = (struct cancel *)job;
    struct postgres *postgres = cancel->postgres;
    if (postgres) {
        postgres_enter(postgres);
        postgres->cancel = NULL;
        /* The server may be at any of them: how far it is we only learn later. */
        for (struct operation *sent = postgres->first; sent && sent->sent; sent = sent->next)
            sent->hit = true;
        if (!cancel->answer)
            log_format("postgres", SHARED_WARNING, "cancel: %s", cancel->complaint);
        if (is_due(postgres)) {
            int64_t pause_ms = postgres->cancel_pause_ms ? postgres->cancel_pause_ms : PAUSE_MS_MIN;
            timer_start(postgres->client, &postgres->cancel_timer, pause_ms, ask_again);
            postgres->cancel_pause_ms = pause_ms < PAUSE_MS_MAX ? pause_ms * 2 : pause_ms;
        }
        postgres_leave(postgres);
    }
    cancel_free(cancel);
}

/* Behind others that a silent server has not let go of; else it is too late. */
static void cancel_withdraw(struct postgres *postgres) {
    struct cancel *cancel = postgres->cancel;
    if (!cancel || !resolver_withdraw(postgres->client, CLIENT_CANCELLER, &cancel->job)) return;
    cancel_free(cancel);
    postgres->cancel = NULL;
}

void postgres_cancel_head(struct postgres *postgres) {
    if (!is_due(postgres) || postgres_copy_stop(postgres)) return;
    if (postgres->cancel || postgres->cancel_timer.running) return;
    struct cancel *cancel = calloc(1, sizeof *cancel);
    if (!cancel) return;
    *cancel = (struct cancel){.job = {.work = cancel_work, .finish = cancel_finish},
                              .request = PQgetCancel(postgres->connection),
                              .postgres = postgres};
    if (!cancel->request || resolver_submit(postgres->client, CLIENT_CANCELLER, &cancel->job) < 0) {
        cancel_free(cancel);
        return;
    }
    postgres->cancel = cancel;
}

void postgres_cancel_next(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->cancel_timer);
    postgres->cancel_pause_ms = 0;
    if (!is_due(postgres)) cancel_withdraw(postgres);
    postgres_cancel_head(postgres);
}

void postgres_cancel(struct postgres *postgres) {
    for (struct operation *open = postgres->first; open; open = open->next) open->unwanted = true;
    postgres_cancel_next(postgres);
}

void postgres_cancel_forget(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->cancel_timer);
    cancel_withdraw(postgres);
    if (postgres->cancel) postgres->cancel->postgres = NULL;
    postgres->cancel = NULL;
}
