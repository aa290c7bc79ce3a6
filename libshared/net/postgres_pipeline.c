/* SPDX-License-Identifier: MIT
 * postgres_pipeline.c - operations on their way out: which statement is prepared, where a Sync goes, what
 * is given to libpq and flushed. Never reads an answer: postgres_receive.c does.
 */
#include <stdlib.h>
#include <sys/epoll.h>

#include "net/postgres_private.h"

enum {
    BOUND_MAX = 64, /* values that need no memory of their own to be handed over */
    CHOKE_BYTES = 256 * 1024,
    BUSY_MIN = 2 * GROUP_MAX /* reads under way that keep a server busy until more are sent */
};

/* --- one statement -------------------------------------------------------------------------------- */

/* The parameters as libpq wants them. */
struct binding {
    int count;
    const Oid *types;
    const char **values;
    const int *sizes;
    int *formats;
    const char *few_values[BOUND_MAX];
    int few_formats[BOUND_MAX];
};

static void unbind(struct binding *binding) {
    if (binding->values != binding->few_values) free(binding->values);
    if (binding->formats != binding->few_formats) free(binding->formats);
}

static bool bind(struct binding *binding, const struct parameters *parameters) {
    binding->count = parameters ? parameters->count : 0;
    bool few = binding->count <= BOUND_MAX;
    size_t count = (size_t)binding->count;
    binding->values = few ? binding->few_values : malloc(count * sizeof *binding->values);
    binding->formats = few ? binding->few_formats : malloc(count * sizeof *binding->formats);
    if (!binding->values || !binding->formats) {
        unbind(binding);
        return false;
    }
    binding->types = parameters ? parameters->type : NULL;
    binding->sizes = parameters ? parameters->size : NULL;
    for (int32_t i = 0; i < binding->count; i++) {
        binding->values[i] = parameters_value(parameters, i);
        binding->formats[i] = parameters->binary[i];
    }
    return true;
}

_Static_assert(sizeof(Oid) == sizeof(uint32_t) && sizeof(int) == sizeof(int32_t),
               "struct parameters holds what libpq takes");

/* The prepared statement to run it by, NULL: none. */
static struct cached *choose_cached(struct postgres *postgres, struct operation *operation) {
    if (!operation->prepare || operation->unprepared || !*postgres->statement_max) return NULL;
    struct statement_cache *cache = &postgres->cache;
    bool known;
    struct cached *cached =
        cache_find(cache, operation->sql, operation->parameters, postgres->batch, &known);
    if (cached || known) return cached;
    cached = cache_add(cache, operation->sql, operation->parameters, postgres->batch);
    operation->prepares = cached != NULL;
    return cached;
}

static bool give_bound(struct postgres *postgres, struct operation *operation,
                       const struct binding *given) {
    PGconn *connection = postgres->connection;
    operation->prepares = false;
    struct cached *cached = operation->cached = choose_cached(postgres, operation);
    if (!cached)
        return PQsendQueryParams(connection, operation->sql, given->count, given->types,
                                 given->values, given->sizes, given->formats, 0);
    if (operation->prepares &&
        !PQsendPrepare(connection, cached->name, operation->sql, given->count, given->types))
        return false;
    return PQsendQueryPrepared(connection, cached->name, given->count, given->values, given->sizes,
                               given->formats, 0);
}

static bool give_statement(struct postgres *postgres, struct operation *operation) {
    struct binding binding;
    if (!bind(&binding, operation->parameters)) return false;
    bool given = give_bound(postgres, operation, &binding);
    unbind(&binding);
    return given;
}

static void cleaned(struct operation *operation, struct rows *rows, int64_t touched,
                    const struct shared_error *error) {
    struct postgres *postgres =
        (struct postgres *)((char *)operation - offsetof(struct postgres, cleaning));
    (void)rows;
    (void)touched;
    (void)error;
    postgres->cleaning_queued = false;
}

/* Only single reads are repeatable, so when one is at the head no transaction is open. */
void postgres_clean(struct postgres *postgres) {
    if (!postgres->cache.stale || postgres->cleaning_queued || !*postgres->statement_max) return;
    bool outside =
        postgres->load ? postgres->first->repeatable : postgres_transaction(postgres) == 'I';
    if (!outside) return;
    postgres->cleaning = (struct operation){
        .sql = "DEALLOCATE ALL", .sync = true, .repeatable = true, .finish = cleaned};
    postgres->cleaning_queued = true;
    postgres_send(postgres, &postgres->cleaning);
}

/* --- batches -------------------------------------------------------------------------------------- */

static bool give_sync(const struct postgres *postgres) {
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    return PQsendPipelineSync(
        postgres->connection); /* libpq 17: without a system call of its own */
#else
    return PQpipelineSync(postgres->connection);
#endif
}

static bool may_share(const struct operation *operation) {
    return operation && operation->repeatable && operation->quick && !operation->repeats;
}

/* Quick reads next to each other leave the Sync to the last of them: the server then answers twice as many
 * in the same time (measured: 76 000 a second with a Sync each, 173 000 with one for sixteen). */
static bool shares_sync(struct postgres *postgres, const struct operation *operation) {
    bool shares = may_share(operation) && may_share(operation->next) &&
                  postgres->group + 1 < GROUP_MAX && postgres->sent_count < OPERATIONS_SENT_MAX;
    postgres->group = shares ? postgres->group + 1 : 0;
    return shares;
}

static bool give_operation(struct postgres *postgres, struct operation *operation) {
    if (!postgres->batch_is_open) postgres->batch++;
    if (operation == &postgres->cleaning) cache_clear(&postgres->cache);
    if (!give_statement(postgres, operation)) return false;
    operation->ends = operation->sync && !shares_sync(postgres, operation);
    postgres->batch_is_open = !operation->ends;
    return !operation->ends || give_sync(postgres);
}

/* Out of pipeline mode, which needs every answer to be in; the last answer leads back. A COPY is just one
 * statement: the extended protocol allows no more, and one from the user is parsed by it first. */
static bool give_script(struct postgres *postgres, struct operation *operation) {
    postgres->script_runs = true;
    operation->cached = NULL;
    operation->ends = false;
    operation->prepares = operation->copy && operation->copy->in;
    PGconn *connection = postgres->connection;
    if (!PQexitPipelineMode(connection)) return false;
    if (operation->prepares) return PQsendPrepare(connection, "", operation->sql, 0, NULL);
    if (!operation->copy) return PQsendQuery(connection, operation->sql);
    return PQsendQueryParams(connection, operation->sql, 0, NULL, NULL, NULL, NULL, 0);
}

/* A COPY from the user runs by the simple protocol. By the extended one a Sync follows it, and libpq sends
 * another behind the data: when the server fails before it reads the first (a cancel, "cannot copy to
 * view"), it answers both, and every later answer would be taken for the one before it. */
void postgres_give_parsed(struct postgres *postgres) {
    struct operation *operation = postgres->first;
    operation->prepares = false;
    operation->phase = 0;
    if (PQsendQuery(postgres->connection, operation->sql))
        postgres_wake(postgres); /* it is flushed there */
    else
        postgres_lost(postgres, "send");
}

/* A few quick reads behind many that are not answered yet: the server has enough to do, and what comes
 * until it has not can share their Sync (measured at 256 in flight: 8 % more reads a second). */
static bool waits_for_company(const struct postgres *postgres, const struct operation *operation) {
    return may_share(operation) && !postgres->batch_is_open &&
           postgres->load - postgres->sent_count < GROUP_MAX && postgres->sent_count >= BUSY_MIN;
}

static bool may_send(const struct postgres *postgres, const struct operation *operation) {
    if (postgres->script_runs || waits_for_company(postgres, operation)) return false;
    if (operation->script) return !postgres->sent_count;
    if (operation == &postgres->cleaning && postgres->cache.pending) return false;
    return postgres->batch_is_open || postgres->sent_count < OPERATIONS_SENT_MAX;
}

/* libpq keeps what the socket does not take: a large batch is given piece by piece, as it leaves. */
static bool is_choked(const struct postgres *postgres, const struct operation *given,
                      size_t *given_bytes) {
    *given_bytes += given->parameters ? given->parameters->bytes.size : 0;
    if (*given_bytes < CHOKE_BYTES) return false;
    *given_bytes = 0;
    return PQflush(postgres->connection) != 0;
}

void postgres_transmit(struct postgres *postgres) {
    size_t given_bytes = 0;
    if (postgres->unsent && !postgres->sent_count) postgres_watch_silence(postgres);
    while (postgres->unsent && may_send(postgres, postgres->unsent)) {
        struct operation *operation = postgres->unsent;
        operation->sent = true;
        operation->phase = 0;
        postgres->sent_count++;
        postgres->unsent = operation->next;
        bool given = operation->script ? give_script(postgres, operation)
                                       : give_operation(postgres, operation);
        if (!given) {
            postgres_lost(postgres, "send");
            return;
        }
        if (is_choked(postgres, operation, &given_bytes)) break;
    }
    postgres_cancel_head(postgres);
    int waits = PQflush(postgres->connection);
    uint32_t events = postgres_copy_events(postgres) | (waits > 0 ? EPOLLOUT : 0);
    if (waits < 0 || source_change(postgres->client, &postgres->source, events) < 0)
        postgres_lost(postgres, "flush");
}

void postgres_lost(struct postgres *postgres, const char *what) {
    struct shared_error error;
    if (postgres->has_cause)
        error = postgres->cause;
    else
        error_from_connection(&error, postgres->connection, what);
    /* Whatever the reason, the connection is gone, and another one may work. */
    error.code = SHARED_ECLOSED;
    error.class = SHARED_RETRYABLE;
    postgres_break(postgres, &error);
}
