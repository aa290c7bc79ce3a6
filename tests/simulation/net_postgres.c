/* SPDX-License-Identifier: MIT
 * net_postgres.c - net/pool.h and net/postgres.h over the simulated database: connections as links, batches and
 * their failures as the server's pipeline mode has them. What a statement does: database.c, statements.c.
 */
#include <stdio.h>
#include <string.h>

#include "database.h"
#include "link.h"
#include "net/pool.h"

struct session {
    struct transaction transaction; /* first */
    bool aborted;                   /* until the next Sync */
    struct shared_error why;
};

struct flight {
    struct message message;
    struct operation *operation; /* NULL: the hello of a new connection */
    const char *sql;             /* copies: the server may read them after the process is gone */
    const struct parameters *parameters;
    bool sync, cancelled, executed;
    struct flight *next; /* of the connection: not answered */
    bool failed;
    struct shared_error error;
    int64_t touched;
    struct rows *rows;
};

struct postgres {
    struct postgres *next;
    struct pool *pool;
    struct link *link; /* NULL: broken */
    struct flight *first, *last;
    int32_t load;
    struct claim *claim; /* waits for its hello */
    bool released;
};

struct pool {
    shared_client *client;
    struct process *process;
    struct postgres *shared; /* for single reads */
    struct postgres *owned;
    struct operation *refused;
    struct deferred refusing;
};

/* --- the server ------------------------------------------------------------------------------------------- */

static bool execute(struct message *message);
static void closed(struct link *link);
struct server database_server = {.name = "database", .execute = execute, .closed = closed};
static struct event waking;

void database_begin(void) {
    memset(&database, 0, sizeof database);
    waking = (struct event){0};
    database_server.up = true;
    database_server.slow = 1;
    database_server.links = NULL;
}

/* A lock was let go: whoever waits looks again. */
static void wake(struct event *event) {
    (void)event;
    struct link *next;
    for (struct link *link = database_server.links; link; link = next) {
        next = link->next;
        if (link->first) link_resume(link);
    }
}

static void end_transaction(struct session *session, bool commit) {
    if (session->transaction.open) transaction_end(&session->transaction, commit);
    if (!waking.waits) sim_at(&waking, sim_now_us(), wake);
}

static void closed(struct link *link) {
    end_transaction(link->session, false);
}

static void set_failed(struct flight *flight, struct session *session, const char *sqlstate,
                       const char *message) {
    flight->failed = true;
    error_set_postgres(&flight->error, sqlstate, message ? message : "simulated", NULL);
    session->why = flight->error;
    session->transaction.failed = true;
    session->aborted = true;
}

/* false: it waits for a lock. */
static bool run_statement(struct flight *flight, struct session *session) {
    struct transaction *transaction = &session->transaction;
    if (transaction->failed) {
        set_failed(flight, session, "25P02", "the transaction has failed");
        return true;
    }
    if (!transaction->open) transaction_begin(transaction);
    struct answer answer = statement_run(transaction, flight->sql, flight->parameters);
    if (answer.blocked) return false;
    flight->rows = answer.rows;
    flight->touched = answer.touched;
    if (answer.sqlstate) set_failed(flight, session, answer.sqlstate, answer.message);
    return true;
}

static bool run_one(struct flight *flight, struct session *session) {
    if (session->aborted) {
        flight->failed = true;
        flight->error = session->why;
    } else if (flight->cancelled) {
        set_failed(flight, session, "57014", "canceling statement due to user request");
        error_set_ours(&flight->error);
        session->why = flight->error;
    } else if (strncmp(flight->sql, "BEGIN", 5) == 0) {
        transaction_begin(&session->transaction);
        session->transaction.is_explicit = true;
    } else if (strcmp(flight->sql, "COMMIT") == 0 || strcmp(flight->sql, "ROLLBACK") == 0) {
        end_transaction(session, flight->sql[0] == 'C');
    } else {
        return run_statement(flight, session);
    }
    return true;
}

static bool execute(struct message *message) {
    struct flight *flight = (struct flight *)message;
    struct session *session = message->link->session;
    if (!flight->operation) return true;
    if (!run_one(flight, session)) return false;
    /* Also one that is refused: its turn was taken. */
    if (strcmp(flight->sql, "COMMIT") == 0) message->link->process->steps++;
    flight->executed = true;
    if (flight->sync) {
        session->aborted = false;
        if (session->transaction.open && !session->transaction.is_explicit)
            end_transaction(session, true);
    }
    sim_trace("database", "%.40s of %s: %s %lld", flight->sql, message->link->name,
              flight->failed ? flight->error.sqlstate : "ok", (long long)flight->touched);
    return true;
}

/* --- the client's side ---------------------------------------------------------------------------------------- */

static void postgres_gone(struct postgres *postgres) {
    struct pool *pool = postgres->pool;
    if (pool->shared == postgres) pool->shared = NULL;
    for (struct postgres **at = &pool->owned; *at; at = &(*at)->next) {
        if (*at != postgres) continue;
        *at = postgres->next;
        break;
    }
    struct link *link = postgres->link;
    postgres->link = NULL;
    if (link) link_let_go(link);
}

static void all_end(struct postgres *postgres, const struct shared_error *error) {
    struct flight *flight = postgres->first;
    postgres->first = postgres->last = NULL;
    postgres->load = 0;
    for (; flight; flight = flight->next) {
        struct operation *operation = flight->operation;
        if (!operation) continue;
        operation->sent = true;
        operation->finish(operation, NULL, 0, error);
    }
}

static void claim_refuse(struct postgres *postgres, const struct shared_error *error) {
    struct claim *claim = postgres->claim;
    postgres->claim = NULL;
    if (!claim) return;
    claim->waiting = false;
    claim->ready(claim, NULL, error);
}

static void on_broken(struct link *link, const char *why) {
    struct postgres *postgres = link->owner;
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ECLOSED, "database: %s", why);
    bool released = postgres->released || postgres->claim || postgres->pool->shared == postgres;
    postgres->link = NULL;
    link_let_go(link);
    if (released) postgres_gone(postgres);
    all_end(postgres, &error);
    claim_refuse(postgres, &error);
}

static void on_answered(struct message *message) {
    struct flight *flight = (struct flight *)message;
    struct postgres *postgres = message->link->owner;
    SIM_CHECK(postgres->first == flight);
    postgres->first = flight->next;
    if (!postgres->first) postgres->last = NULL;
    postgres->load--;
    if (flight->operation) {
        flight->operation->sent = true;
        flight->operation->finish(flight->operation, flight->rows, flight->touched,
                                  flight->failed ? &flight->error : NULL);
    } else if (postgres->claim) {
        struct claim *claim = postgres->claim;
        postgres->claim = NULL;
        claim->waiting = false;
        claim->ready(claim, postgres, NULL);
    }
    if (postgres->released && !postgres->load) postgres_gone(postgres);
}

static const struct link_owner methods = {.answered = on_answered, .broken = on_broken};

static const struct parameters *parameters_keep(const struct parameters *parameters) {
    struct parameters *copy = sim_alloc(sizeof *copy);
    if (!parameters) return copy;
    size_t count = (size_t)parameters->count;
    *copy = *parameters;
    copy->offset =
        (size_t *)(void *)sim_copy((const void *)parameters->offset, count * sizeof *copy->offset);
    copy->size =
        (int32_t *)(void *)sim_copy((const void *)parameters->size, count * sizeof *copy->size);
    copy->type =
        (uint32_t *)(void *)sim_copy((const void *)parameters->type, count * sizeof *copy->type);
    copy->binary =
        (uint8_t *)sim_copy((const void *)parameters->binary, count * sizeof *copy->binary);
    copy->bytes.data = sim_copy(parameters->bytes.data, parameters->bytes.size);
    return copy;
}

static void send_flight(struct postgres *postgres, struct operation *operation) {
    struct flight *flight = sim_alloc(sizeof *flight);
    flight->operation = operation;
    if (operation) {
        operation->sent = false;
        operation->refused = false;
        operation->postgres = postgres;
        flight->sql = sim_copy(operation->sql, strlen(operation->sql));
        flight->parameters = parameters_keep(operation->parameters);
        flight->sync = operation->sync;
    }
    *(postgres->last ? &postgres->last->next : &postgres->first) = flight;
    postgres->last = flight;
    postgres->load++;
    if (postgres->link) link_send(postgres->link, &flight->message);
}

static struct postgres *postgres_open(struct pool *pool, const char *what) {
    struct postgres *postgres = sim_alloc(sizeof *postgres);
    postgres->pool = pool;
    postgres->link = link_new(&database_server, pool->process, &methods, postgres, what);
    struct session *session = sim_alloc(sizeof *session);
    session->transaction.process_number = pool->process->number;
    postgres->link->session = session;
    return postgres;
}

/* --- what sessions and relays call ------------------------------------------------------------------------------ */

static void refuse(struct deferred *deferred) {
    struct pool *pool = (struct pool *)((char *)deferred - offsetof(struct pool, refusing));
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ECLOSED, "database: the connection is broken");
    while (pool->refused) {
        struct operation *operation = pool->refused;
        pool->refused = operation->next;
        operation->finish(operation, NULL, 0, &error);
    }
}

/* On a broken connection it fails, soon. */
void postgres_send(struct postgres *postgres, struct operation *operation) {
    if (postgres->link) {
        send_flight(postgres, operation);
        return;
    }
    struct pool *pool = postgres->pool;
    operation->sent = operation->refused = false;
    operation->next = NULL;
    struct operation **end = &pool->refused;
    while (*end) end = &(*end)->next;
    *end = operation;
    client_defer(pool->client, &pool->refusing, refuse);
}

bool postgres_is_ready(const struct postgres *postgres) {
    return postgres->link != NULL;
}

bool postgres_is_clean(const struct postgres *postgres) {
    return postgres_is_ready(postgres) &&
           !postgres->load; /* asked of pinned sessions only, which none is */
}

/* What was not run yet will not be; what waits for a lock gives up. */
void postgres_cancel(struct postgres *postgres) {
    for (struct flight *flight = postgres->first; flight; flight = flight->next)
        flight->cancelled = !flight->executed;
    if (postgres->link && postgres->link->first) link_resume(postgres->link);
}

/* Nobody in the simulated world uses COPY. */
void postgres_copy_resume(struct operation *operation) {
    SHARED_CHECK(!operation->copy);
}

void pool_read(struct pool *pool, struct operation *operation) {
    if (!pool->shared) pool->shared = postgres_open(pool, "reads");
    send_flight(pool->shared, operation);
}

void pool_read_behind(struct pool *pool, struct operation *operation,
                      const struct operation *other) {
    (void)other;
    pool_read(pool, operation);
}

bool pool_abandon(struct pool *pool, struct operation *operation) {
    (void)pool;
    (void)operation;
    return false;
}

void pool_claim(struct pool *pool, struct claim *claim) {
    struct postgres *postgres = postgres_open(pool, "own");
    postgres->next = pool->owned;
    pool->owned = postgres;
    postgres->claim = claim;
    claim->waiting = true;
    claim->pool = pool;
    send_flight(postgres, NULL);
}

void pool_forget(struct pool *pool, struct claim *claim) {
    if (!claim->waiting) return;
    claim->waiting = false;
    struct postgres *postgres = pool->owned;
    while (postgres && postgres->claim != claim) postgres = postgres->next;
    if (!postgres) return;
    postgres->claim = NULL;
    postgres_gone(postgres);
}

void pool_release(struct pool *pool, struct postgres *postgres) {
    (void)pool;
    postgres->released = true;
    if (!postgres->link || !postgres->load) postgres_gone(postgres);
}

static void pool_stop(void *state) {
    struct pool *pool = state;
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "client: it is being freed");
    while (pool->owned || pool->shared) {
        struct postgres *postgres = pool->shared ? pool->shared : pool->owned;
        postgres_gone(postgres);
        all_end(postgres, &error);
    }
    client_defer_stop(pool->client, &pool->refusing);
    refuse(&pool->refusing);
}

struct pool *client_pool(shared_client *client) {
    struct pool *pool = client_state(client, CLIENT_POOL);
    if (pool) return pool;
    pool = sim_alloc(sizeof *pool);
    pool->client = client;
    pool->process = sim_running;
    client_set_state(client, CLIENT_POOL, pool, pool_stop);
    return pool;
}
