/* SPDX-License-Identifier: MIT
 * relay_sweep.c - finds rows of task_outbox that are older than they should be: in one transaction they
 * are locked and deleted, sent, and only then the transaction commits. Other relays skip them meanwhile.
 * A row that was sent before may be among them, so its message says that it may come twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/relay.h"

enum {
    ROWS_AT_ONCE = 100,
    TIMEOUT_MS = 20000 /* of a sweep: rows are locked meanwhile */
};

#define OLD_ROWS "FROM task_outbox WHERE created_at < now() - $1::bigint * interval '1 second'"

static const char look_sql[] = "SELECT 1 " OLD_ROWS " LIMIT 1";
static const char take_sql[] = "DELETE FROM task_outbox WHERE id IN (SELECT id " OLD_ROWS
                               " ORDER BY created_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
                               " RETURNING id, queue, task, args_json, key";
enum { COLUMN_ID, COLUMN_QUEUE, COLUMN_TASK, COLUMN_ARGS, COLUMN_KEY };

enum { LOOK, BEGIN, TAKE, COMMIT, OPERATIONS };

/* Freed when nothing points to it any more: operations under way do, after its end too. */
struct sweeping {
    struct relay *relay; /* NULL: it is over */
    struct claim claim;
    struct postgres *postgres; /* ours from claim to end */
    struct operation operations[OPERATIONS];
    int32_t under_way;
    struct parameters parameters;
    int32_t row_count, posting_count;
    bool failed;
    struct timer deadline;
};

static void sweep(struct timer *timer);

void relay_sweep_later(struct relay *relay, int64_t delay_ms) {
    if (relay->request) timer_start(relay->client, &relay->sweep_timer, delay_ms, sweep);
}

/* Not all processes at the same moment. */
static int64_t pause_ms(const struct relay *relay) {
    int64_t most_ms = client_setting(relay->client, "OUTBOX_SWEEP_S") * 1000;
    return most_ms - (int64_t)(random_u64() % (uint64_t)(most_ms / 4 + 1));
}

static void sweeping_free_if_unused(struct sweeping *sweeping) {
    if (sweeping->relay || sweeping->under_way > 0) return;
    parameters_finish(&sweeping->parameters);
    free(sweeping);
}

void sweeping_end(struct sweeping *sweeping) {
    struct relay *relay = sweeping->relay;
    struct pool *pool = client_pool(relay->client);
    for (struct posting *posting = relay->postings; posting; posting = posting->next)
        if (posting->sweeping == sweeping) posting->sweeping = NULL;
    timer_stop(relay->client, &sweeping->deadline);
    relay->sweeping = NULL;
    bool full = sweeping->row_count == ROWS_AT_ONCE && !sweeping->failed;
    relay_sweep_later(relay, full ? 0 : pause_ms(relay));
    if (sweeping->claim.waiting) pool_forget(pool, &sweeping->claim);
    sweeping->under_way++; /* pool_release may finish operations */
    sweeping->relay = NULL;
    if (sweeping->postgres) pool_release(pool, sweeping->postgres);
    sweeping->under_way--;
    sweeping_free_if_unused(sweeping);
}

static void sweeping_fail(struct sweeping *sweeping, const struct shared_error *error) {
    if (!sweeping->failed)
        log_format("relay", SHARED_WARNING, "outbox is not swept: %s", error->message);
    sweeping->failed = true;
    sweeping_end(sweeping);
}

/* What every operation does first. false: the sweep is over. */
static bool operation_answered(struct sweeping *sweeping, const struct shared_error *error) {
    sweeping->under_way--;
    if (!sweeping->relay) {
        sweeping_free_if_unused(sweeping);
        return false;
    }
    if (error) sweeping_fail(sweeping, error);
    return !error;
}

static struct sweeping *sweeping_of(struct operation *operation, int32_t index) {
    return (struct sweeping *)((char *)(operation - index) - offsetof(struct sweeping, operations));
}

static struct operation *sweeping_operation(struct sweeping *sweeping, int32_t index,
                                            const struct operation form) {
    sweeping->operations[index] = form;
    sweeping->under_way++;
    return &sweeping->operations[index];
}

/* --- the steps, last first ----------------------------------------------------------------------------- */

static void check_committed(struct operation *operation, struct rows *rows, int64_t touched,
                            const struct shared_error *error) {
    (void)rows;
    (void)touched;
    struct sweeping *sweeping = sweeping_of(operation, COMMIT);
    if (!operation_answered(sweeping, error)) return;
    log_format("relay", SHARED_INFO, "sent %d tasks that the outbox still held",
               sweeping->row_count);
    sweeping_end(sweeping);
}

static void commit_when_sent(struct sweeping *sweeping) {
    if (sweeping->posting_count > 0) return;
    if (sweeping->failed || sweeping->row_count == 0) {
        sweeping_end(sweeping);
        return;
    }
    struct operation form = {.sql = "COMMIT", .sync = true, .finish = check_committed};
    postgres_send(sweeping->postgres, sweeping_operation(sweeping, COMMIT, form));
}

void sweeping_posted(struct sweeping *sweeping, const struct shared_error *error) {
    sweeping->posting_count--;
    if (error && !sweeping->failed)
        log_format("relay", SHARED_WARNING, "outbox is not swept: %s", error->message);
    sweeping->failed |= error != NULL;
    commit_when_sent(sweeping);
}

static struct posting_row row_of(struct rows *rows, int64_t index) {
    const char *values[COLUMN_KEY + 1];
    size_t size;
    for (int32_t column = 0; column <= COLUMN_KEY; column++)
        values[column] = rows->methods->value(rows, index, column, &size);
    return (struct posting_row){.id = values[COLUMN_ID],
                                .queue = values[COLUMN_QUEUE],
                                .task = values[COLUMN_TASK],
                                .args_json = values[COLUMN_ARGS],
                                .key = values[COLUMN_KEY],
                                .redelivered = true};
}

/* Whether all can be sent. If not nothing was changed, and those that cannot will not come back. */
static bool check_rows(struct sweeping *sweeping, struct rows *rows, int64_t count) {
    const char *bad[ROWS_AT_ONCE];
    size_t bad_count = 0;
    for (int64_t i = 0; i < count; i++) {
        struct posting_row row = row_of(rows, i);
        shared_status status = relay_check(&row);
        if (status == SHARED_EINVALID) bad[bad_count++] = row.id;
        sweeping->failed |= status < 0;
    }
    if (bad_count) relay_set_aside(sweeping->relay, bad, bad_count);
    return !sweeping->failed;
}

static void check_taken(struct operation *operation, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    (void)touched;
    struct sweeping *sweeping = sweeping_of(operation, TAKE);
    if (!operation_answered(sweeping, error)) return;
    int64_t count = rows ? rows->methods->count(rows) : 0;
    sweeping->row_count = (int32_t)count;
    if (!check_rows(sweeping, rows, count)) {
        sweeping_end(sweeping);
        return;
    }
    sweeping->posting_count = 1; /* until all are on their way */
    for (int64_t i = 0; i < count; i++) {
        struct posting_row row = row_of(rows, i);
        if (relay_post(sweeping->relay, &row, sweeping) == SHARED_OK)
            sweeping->posting_count++;
        else
            sweeping->failed = true;
    }
    sweeping->posting_count--;
    commit_when_sent(sweeping);
}

static void check_begun(struct operation *operation, struct rows *rows, int64_t touched,
                        const struct shared_error *error) {
    (void)rows;
    (void)touched;
    operation_answered(sweeping_of(operation, BEGIN), error);
}

static void claim_ready(struct claim *claim, struct postgres *postgres,
                        const struct shared_error *error) {
    struct sweeping *sweeping =
        (struct sweeping *)((char *)claim - offsetof(struct sweeping, claim));
    if (error) {
        sweeping_fail(sweeping, error);
        return;
    }
    sweeping->postgres = postgres;
    struct operation begin = {.sql = "BEGIN", .finish = check_begun};
    struct operation take = {.sql = take_sql,
                             .parameters = &sweeping->parameters,
                             .prepare = true,
                             .sync = true,
                             .finish = check_taken};
    struct operation *first = sweeping_operation(sweeping, BEGIN, begin);
    struct operation *second = sweeping_operation(sweeping, TAKE, take);
    postgres_send(postgres, first);
    postgres_send(postgres, second);
}

/* Mostly there is nothing: then no connection of one's own is taken. */
static void check_looked(struct operation *operation, struct rows *rows, int64_t touched,
                         const struct shared_error *error) {
    (void)touched;
    struct sweeping *sweeping = sweeping_of(operation, LOOK);
    if (!operation_answered(sweeping, error)) return;
    if (!rows || rows->methods->count(rows) == 0) {
        sweeping_end(sweeping);
        return;
    }
    if (!parameters_set_int(&sweeping->parameters, 1, ROWS_AT_ONCE)) {
        sweeping->failed = true;
        sweeping_end(sweeping);
        return;
    }
    sweeping->claim.ready = claim_ready;
    pool_claim(client_pool(sweeping->relay->client), &sweeping->claim);
}

static void sweep_overdue(struct timer *timer) {
    struct sweeping *sweeping =
        (struct sweeping *)((char *)timer - offsetof(struct sweeping, deadline));
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ETIMEOUT, "no answer within %d ms", TIMEOUT_MS);
    sweeping_fail(sweeping, &error);
}

static void sweep(struct timer *timer) {
    struct relay *relay = (struct relay *)((char *)timer - offsetof(struct relay, sweep_timer));
    struct sweeping *sweeping = calloc(1, sizeof *sweeping);
    if (!sweeping || !parameters_set_int(&sweeping->parameters, 0,
                                         client_setting(relay->client, "OUTBOX_SWEEP_S"))) {
        if (sweeping) parameters_finish(&sweeping->parameters);
        free(sweeping);
        relay_sweep_later(relay, pause_ms(relay));
        return;
    }
    relay->sweeping = sweeping;
    sweeping->relay = relay;
    timer_start(relay->client, &sweeping->deadline, TIMEOUT_MS, sweep_overdue);
    struct operation form = {.sql = look_sql,
                             .parameters = &sweeping->parameters,
                             .prepare = true,
                             .sync = true,
                             .repeatable = true,
                             .finish = check_looked};
    pool_read(client_pool(relay->client), sweeping_operation(sweeping, LOOK, form));
}
