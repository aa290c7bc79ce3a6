/* SPDX-License-Identifier: MIT
 * postgres.c - the life of one connection: its queue of operations, how it ends, and when it is quiet.
 * Never decides who may use it: pool.c does.
 */
#include "net/postgres.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "net/postgres_private.h"

/* The deadline of a read is as long as the patience, and may begin in the same millisecond: it comes first. */
enum { BEHIND_DEADLINES_MS = 10 };

static void silence(struct timer *timer);
static void turn(struct deferred *deferred);

/* --- life ----------------------------------------------------------------------------------------- */

struct postgres *postgres_new(shared_client *client, const char *conninfo, int32_t *statement_max,
                              void (*changed)(struct postgres *postgres,
                                              const struct shared_error *error),
                              void *owner) {
    struct postgres *postgres = calloc(1, sizeof *postgres);
    if (!postgres) return NULL;
    postgres->client = client;
    postgres->changed = changed;
    postgres->owner = owner;
    postgres->source.fd = -1;
    postgres->patience_ms = client_setting(client, "DATABASE_TIMEOUT_MS");
    postgres->statement_max = statement_max;
    cache_init(&postgres->cache, *statement_max);
    postgres->conninfo = text_copy(conninfo);
    if (!postgres->conninfo) {
        free(postgres);
        return NULL;
    }
    postgres_wake(
        postgres); /* connecting may fail at once: nobody must hear of it before we return */
    return postgres;
}

/* In a child of fork the socket is the parent's too: libpq must not say goodbye on it. */
static void socket_detach(PGconn *connection) {
    int fd = PQsocket(connection);
    int nothing = fd >= 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    if (nothing < 0) return;
    (void)dup2(nothing, fd);
    (void)close(nothing);
}

/* Everything but the struct and its queue. */
static void let_go(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->timer);
    client_defer_stop(postgres->client, &postgres->turn);
    postgres_connect_end(postgres);
    postgres_cancel_forget(postgres);
    postgres_copy_forget(postgres);
    source_remove(postgres->client, &postgres->source);
    if (postgres->connection && client_is_forked(postgres->client))
        socket_detach(postgres->connection);
    PQfinish(postgres->connection);
    postgres->connection = NULL;
    cache_finish(&postgres->cache);
    rows_unref(postgres->rows);
    postgres->rows = NULL;
}

static void finish_all(struct postgres *postgres) {
    while (postgres->first) {
        struct operation *operation = postgres_take_head(postgres);
        operation->finish(operation, NULL, 0, &postgres->cause);
    }
}

void postgres_break(struct postgres *postgres, const struct shared_error *error) {
    if (postgres->state == POSTGRES_BROKEN) return;
    postgres->state = POSTGRES_BROKEN;
    postgres->cause = *error;
    postgres->tell_broken = true;
    let_go(postgres);
    finish_all(postgres);
}

void postgres_enter(struct postgres *postgres) {
    postgres->depth++;
}

void postgres_leave(struct postgres *postgres) {
    if (--postgres->depth) return;
    if (postgres->freed) {
        client_defer_stop(postgres->client, &postgres->turn);
        free(postgres->conninfo);
        free(postgres);
    } else if (postgres->tell_broken) {
        postgres->tell_broken = false;
        postgres->changed(postgres, &postgres->cause);
    } else if (postgres->tell_ready || (postgres->tell_quiet && postgres_is_quiet(postgres))) {
        postgres->tell_ready = postgres->tell_quiet = false;
        postgres->changed(postgres, NULL);
    }
}

void postgres_free(struct postgres *postgres) {
    if (!postgres || postgres->freed) return;
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ECANCELLED, "connection: closed");
    postgres_enter(postgres);
    postgres_break(postgres, &error);
    postgres->freed = true;
    postgres_leave(postgres);
}

/* --- its queue ------------------------------------------------------------------------------------ */

static void turn(struct deferred *deferred) {
    struct postgres *postgres =
        (struct postgres *)((char *)deferred - offsetof(struct postgres, turn));
    postgres_enter(postgres);
    switch (postgres->state) {
    case POSTGRES_CONNECTING:
        if (!postgres->attempt) postgres_connect(postgres);
        break;
    case POSTGRES_READY:
        if (postgres->copying) postgres_receive(postgres);
        if (postgres->state == POSTGRES_READY) postgres_transmit(postgres);
        break;
    case POSTGRES_BROKEN: finish_all(postgres); break;
    }
    postgres_leave(postgres);
}

void postgres_wake(struct postgres *postgres) {
    client_defer(postgres->client, &postgres->turn, turn);
}

void postgres_send(struct postgres *postgres, struct operation *operation) {
    operation->next = NULL;
    operation->postgres = postgres;
    operation->sent = operation->refused = operation->unwanted = operation->hit = false;
    operation->phase = 0;
    if (postgres->last)
        postgres->last->next = operation;
    else
        postgres->first = operation;
    postgres->last = operation;
    if (!postgres->unsent) postgres->unsent = operation;
    postgres->load++;
    if (postgres->state != POSTGRES_CONNECTING) postgres_wake(postgres);
}

struct operation *postgres_take_head(struct postgres *postgres) {
    struct operation *operation = postgres->first;
    postgres->first = operation->next;
    if (!postgres->first) postgres->last = NULL;
    if (postgres->unsent == operation) postgres->unsent = operation->next;
    if (operation->sent) postgres->sent_count--;
    postgres->load--;
    operation->next = NULL;
    operation->postgres = NULL;
    return operation;
}

static void take_out(struct postgres *postgres, struct operation *operation) {
    struct operation *previous = NULL, *other = postgres->first;
    for (; other != operation; other = other->next) previous = other;
    *(previous ? &previous->next : &postgres->first) = operation->next;
    if (postgres->last == operation) postgres->last = previous;
    if (postgres->unsent == operation) postgres->unsent = operation->next;
    operation->next = NULL;
    operation->postgres = NULL;
    postgres->load--;
}

/* The server gets the time to answer a cancel: a read that passed its deadline must not end the connection, and
 * all its neighbours with it. For the one at the head only, which is a new one as long as the server lives. */
static void patience_extend(struct postgres *postgres) {
    int64_t least_ms = client_setting(postgres->client, "CONNECT_TIMEOUT_MS");
    if (least_ms > postgres->patience_ms) least_ms = postgres->patience_ms;
    if (postgres->timer.running && postgres->timer.due_ms < time_monotonic_ms() + least_ms)
        timer_start(postgres->client, &postgres->timer, least_ms, silence);
}

bool postgres_abandon(struct postgres *postgres, struct operation *operation) {
    operation->repeatable = false;
    if (!operation->sent) {
        take_out(postgres, operation);
        return true;
    }
    if (operation == postgres->first && !operation->unwanted) patience_extend(postgres);
    operation->unwanted = true;
    postgres_cancel_head(postgres);
    return false;
}

/* --- silence -------------------------------------------------------------------------------------- */

static void silence(struct timer *timer) {
    struct postgres *postgres =
        (struct postgres *)((char *)timer - offsetof(struct postgres, timer));
    if (!postgres->sent_count) return;
    if (postgres->heard || postgres_copy_is_idle(postgres)) {
        postgres_watch_silence(postgres);
        return;
    }
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ECLOSED,
              "connection: no sign of life from PostgreSQL for %" PRId64 " ms",
              postgres->patience_ms);
    postgres->silent = true;
    postgres_enter(postgres);
    postgres_break(postgres, &error);
    postgres_leave(postgres);
}

void postgres_watch_silence(struct postgres *postgres) {
    postgres->heard = false;
    if (postgres->patience_ms)
        timer_start(postgres->client, &postgres->timer, postgres->patience_ms + BEHIND_DEADLINES_MS,
                    silence);
    else
        timer_stop(postgres->client, &postgres->timer);
}

void postgres_set_patience(struct postgres *postgres, int64_t patience_ms) {
    postgres->patience_ms = patience_ms;
    if (postgres->state == POSTGRES_READY) postgres_watch_silence(postgres);
}

/* --- what it is ----------------------------------------------------------------------------------- */

void *postgres_owner(const struct postgres *postgres) {
    return postgres->owner;
}

bool postgres_is_ready(const struct postgres *postgres) {
    return postgres->state == POSTGRES_READY;
}

bool postgres_was_silent(const struct postgres *postgres) {
    return postgres->silent;
}

int32_t postgres_load(const struct postgres *postgres) {
    return postgres->load;
}

const struct operation *postgres_running(const struct postgres *postgres) {
    return postgres->first && postgres->first->sent ? postgres->first : NULL;
}

char postgres_transaction(const struct postgres *postgres) {
    switch (PQtransactionStatus(postgres->connection)) {
    case PQTRANS_IDLE: return 'I';
    case PQTRANS_INERROR: return 'E';
    default: return 'T';
    }
}

bool postgres_is_quiet(const struct postgres *postgres) {
    return !postgres->load && !postgres->cancel;
}

bool postgres_is_clean(const struct postgres *postgres) {
    return postgres_is_ready(postgres) && postgres_is_quiet(postgres) &&
           postgres_transaction(postgres) == 'I';
}

void postgres_tell_quiet(struct postgres *postgres) {
    postgres->tell_quiet = !postgres_is_quiet(postgres);
}
