/* SPDX-License-Identifier: MIT
 * postgres_copy.c - COPY to and from the user, while a connection is out of pipeline mode for it: bytes go no
 * faster than they are taken, on either side. Never looks into them.
 */
#include <sys/epoll.h>

#include "net/postgres_private.h"

enum {
    TAKEN_BYTES = 64 * 1024, /* handed to the user at a time, about */
    ROUNDS_MAX = 64,         /* of reading or writing, until others have their turn */
    DOUBT_MS = 200
};

bool postgres_copy_begin(struct postgres *postgres, bool in) {
    const struct operation *operation = postgres->first;
    if (!operation->copy || operation->copy->in != in) return false;
    postgres->copying = in ? COPYING_IN : COPYING_OUT;
    postgres->copy_paused = false;
    return true;
}

void postgres_copy_forget(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->doubt);
    buffer_finish(&postgres->copied);
    postgres->copying = COPYING_NOT;
    postgres->copy_paused = false;
}

/* --- to the user ---------------------------------------------------------------------------------- */

static void hand_over(struct postgres *postgres) {
    struct operation *operation = postgres->first;
    struct buffer *copied = &postgres->copied;
    size_t size = copied->size;
    if (!size || operation->unwanted) {
        buffer_clear(copied);
        return;
    }
    if (!operation->copy->take(operation, buffer_take(copied), size)) postgres->copy_paused = true;
}

static void keep(struct postgres *postgres, const char *bytes, size_t size) {
    struct buffer *copied = &postgres->copied;
    if (postgres->first->unwanted) return;
    if (!copied->size) (void)buffer_reserve(copied, TAKEN_BYTES + size);
    buffer_add(copied, bytes, size);
    if (!copied->failed) return;
    buffer_finish(copied);
    postgres->first->unwanted = true; /* the server stops, and what it has sent goes nowhere */
    error_set(&postgres->error, SHARED_SYSTEM, SHARED_ENOMEM, "copy: out of memory");
    postgres->failed = true;
    postgres_cancel_head(postgres);
}

/* There is more than one look at the socket in it: small pieces would cost a turn each. */
static bool pump_out(struct postgres *postgres) {
    PGconn *connection = postgres->connection;
    bool looked = false;
    int rounds = 0;
    while (!postgres->copy_paused) {
        char *bytes = NULL;
        int size = PQgetCopyData(connection, &bytes, true);
        if (size > 0) {
            keep(postgres, bytes, (size_t)size);
            PQfreemem(bytes);
            looked = false;
            if (postgres->copied.size >= TAKEN_BYTES) hand_over(postgres);
            continue;
        }
        if (size == 0 && !looked && rounds++ < ROUNDS_MAX) {
            looked = PQconsumeInput(connection);
            if (looked) continue;
        }
        hand_over(postgres);
        if (size == 0) {
            if (!looked) postgres_wake(postgres);
            return false;
        }
        postgres_copy_forget(postgres);
        return true;
    }
    return false;
}

/* --- from the user -------------------------------------------------------------------------------- */

static bool end_in(struct postgres *postgres, const char *reason) {
    postgres_copy_forget(postgres);
    postgres->first->hit = postgres->first->hit || reason; /* PostgreSQL calls it cancelled */
    if (PQputCopyEnd(postgres->connection, reason) > 0) {
        postgres_watch_silence(postgres);
        postgres_wake(postgres); /* it is flushed there */
        return true;
    }
    postgres_lost(postgres, "copy");
    return false;
}

/* Only as much as the kernel takes, so that libpq keeps no more than one piece. */
static bool pump_in(struct postgres *postgres) {
    struct operation *operation = postgres->first;
    if (operation->unwanted) return end_in(postgres, "cancelled");
    for (int round = 0; round < ROUNDS_MAX; round++) {
        size_t size = 0;
        if (PQflush(postgres->connection) != 0) return false; /* postgres_transmit looks at it */
        const char *bytes = operation->copy->next(operation, &size);
        if (!bytes && operation->copy->ended) return end_in(postgres, operation->copy->error);
        if (!bytes) return false;
        postgres->heard = true; /* that it takes bytes is a sign of life */
        if (PQputCopyData(postgres->connection, bytes, (int)size) > 0) continue;
        postgres_lost(postgres, "copy");
        return false;
    }
    postgres_wake(postgres);
    return false;
}

static void doubt(struct timer *timer) {
    struct postgres *postgres =
        (struct postgres *)((char *)timer - offsetof(struct postgres, doubt));
    postgres_enter(postgres);
    if (postgres->copying == COPYING_IN && end_in(postgres, "the server did not want it"))
        postgres_receive(postgres); /* its answer is here, and may be all that comes */
    postgres_leave(postgres);
}

/* libpq does not read answers before the end of the data. What the server says before that, and is no
 * notice, is that it has failed: it throws away all that comes, however much. A notice may come in two
 * pieces, hence the wait; would it take longer still, the copy fails, but never ends too early. */
static void listen(struct postgres *postgres) {
    int64_t before = postgres->notice_count;
    (void)PQisBusy(postgres->connection); /* which reads notices */
    if (postgres->notice_count != before)
        timer_stop(postgres->client, &postgres->doubt);
    else
        timer_start(postgres->client, &postgres->doubt, DOUBT_MS, doubt);
}

/* --- both ----------------------------------------------------------------------------------------- */

bool postgres_copy_pump(struct postgres *postgres) {
    return postgres->copying == COPYING_IN ? pump_in(postgres) : pump_out(postgres);
}

void postgres_copy_heard(struct postgres *postgres, uint32_t events, bool alive) {
    if (postgres->copying != COPYING_IN) return;
    if (!alive)
        (void)end_in(postgres, "the connection is gone"); /* then libpq tells what came last */
    else if (events & EPOLLIN)
        listen(postgres);
}

bool postgres_copy_is_idle(const struct postgres *postgres) {
    if (postgres->copying == COPYING_IN) return !(postgres->source.events & EPOLLOUT);
    return postgres->copying == COPYING_OUT && postgres->copy_paused;
}

uint32_t postgres_copy_events(const struct postgres *postgres) {
    return postgres->copying == COPYING_OUT && postgres->copy_paused ? 0 : EPOLLIN;
}

bool postgres_copy_wants_turn(const struct postgres *postgres) {
    if (postgres->copying == COPYING_IN) return true;
    return postgres->copying &&
           (postgres->source.events & EPOLLIN) != postgres_copy_events(postgres);
}

bool postgres_copy_stop(struct postgres *postgres) {
    bool goes_on = postgres->copying == COPYING_IN || postgres->copy_paused;
    postgres->copy_paused = false;
    postgres->heard = postgres->heard || goes_on; /* its time begins now */
    if (goes_on) postgres_wake(postgres);
    return postgres->copying == COPYING_IN;
}

void postgres_copy_resume(struct operation *operation) {
    struct postgres *postgres = operation->postgres;
    if (!postgres || !postgres->copying || postgres->first != operation) return;
    postgres->copy_paused = false;
    postgres->heard = true; /* the server's time begins now, and not when it last spoke */
    postgres_wake(postgres);
}
