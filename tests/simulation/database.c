/* SPDX-License-Identifier: MIT
 * database.c - transactions, row locks, and the statements about task_outbox. Never knows what a document's
 * columns mean: statements.c does.
 */
#include "database.h"

#include <inttypes.h>
#include <string.h>

struct database database;
const char *statement_sql;

/* --- transactions ---------------------------------------------------------------------------------------- */

void transaction_begin(struct transaction *transaction) {
    int32_t number = transaction->process_number;
    *transaction =
        (struct transaction){.open = true, .now_us = sim_now_us(), .process_number = number};
}

/* What a run leaves behind is of the run that holds the document when it is committed. */
static void check_fence(const struct document *document) {
    const struct document_state *before = &document->committed, *after = &document->changed;
    bool writes = before->publications < after->publications ||
                  (after->chunk_count && before->chunk_hash != after->chunk_hash);
    for (int64_t page = 1; page <= PAGES_MAX; page++)
        writes |= after->page_attempts[page] > before->page_attempts[page];
    int32_t number = document->owner->process_number;
    if (writes && after->holder != number + 1)
        sim_fail("process %d wrote to %s, and process %d holds it", (int)number,
                 world.originals[document - database.documents].id, (int)after->holder - 1);
}

static void document_end(struct document *document, bool commit) {
    if (commit) check_fence(document);
    document->owner = NULL;
    if (commit) document->committed = document->changed;
    document->was_failed |= strcmp(document->committed.status, "failed") == 0;
}

static void outbox_end(struct outbox *row, const struct transaction *transaction, bool commit) {
    if (row->inserting == transaction) {
        row->inserting = NULL;
        row->gone = !commit || sim_bug == BUG_OUTBOX_EARLY;
    }
    if (row->deleting == transaction) {
        row->deleting = NULL;
        row->gone |= commit;
    }
}

void transaction_end(struct transaction *transaction, bool commit) {
    commit = commit && !transaction->failed;
    for (int32_t i = 0; i < world.original_count; i++)
        if (database.documents[i].owner == transaction)
            document_end(&database.documents[i], commit);
    for (int32_t i = 0; i < database.outbox_count; i++)
        outbox_end(&database.outbox[i], transaction, commit);
    transaction->open = transaction->failed = transaction->is_explicit = false;
}

struct document *document_of(const char *id) {
    const struct original *original = id ? original_find(id) : NULL;
    return original ? &database.documents[original - world.originals] : NULL;
}

struct document_state *document_see(struct transaction *transaction, struct document *document) {
    return document->owner == transaction ? &document->changed : &document->committed;
}

struct document_state *document_lock(struct transaction *transaction, struct document *document,
                                     struct answer *out) {
    if (document->owner && document->owner != transaction) {
        out->blocked = true;
        return NULL;
    }
    if (!document->owner) document->changed = document->committed;
    document->owner = transaction;
    return &document->changed;
}

/* --- task_outbox ----------------------------------------------------------------------------------------- */

static struct outbox *outbox_of(const char *id) {
    for (int32_t i = 0; i < database.outbox_count; i++)
        if (!database.outbox[i].gone && strcmp(database.outbox[i].id, id) == 0)
            return &database.outbox[i];
    return NULL;
}

static void insert_outbox(struct transaction *transaction, const struct parameters *parameters,
                          struct answer *out) {
    const char *columns[5][OUTBOX_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < 5; i++) count = array_texts(parameters, i, columns[i], OUTBOX_MAX);
    for (int32_t i = 0; i < count; i++) {
        if (outbox_of(columns[0][i])) {
            out->sqlstate = "23505";
            return;
        }
        SIM_CHECK(database.outbox_count < OUTBOX_MAX);
        struct outbox *row = &database.outbox[database.outbox_count++];
        *row = (struct outbox){.queue = columns[1][i],
                               .task = columns[2][i],
                               .args_json = columns[3][i],
                               .key = columns[4][i],
                               .created_us = transaction->now_us,
                               .inserting = transaction};
        strncpy(row->id, columns[0][i], sizeof row->id - 1);
    }
    out->touched = count;
}

static bool is_old(const struct transaction *transaction, const struct outbox *row, int64_t age_s) {
    bool visible = !row->gone && (!row->inserting || row->inserting == transaction);
    return visible && row->deleting != transaction &&
           row->created_us < transaction->now_us - age_s * US_PER_S;
}

static void look_outbox(struct transaction *transaction, const struct parameters *parameters,
                        struct answer *out) {
    out->rows = rows_new(1, 1);
    for (int32_t i = 0; i < database.outbox_count; i++) {
        if (!is_old(transaction, &database.outbox[i], parameter_int(parameters, 0))) continue;
        rows_add(out->rows, (const char *const[]){"1"});
        return;
    }
}

/* Rows stand in the order of their transactions' start, more or less: near enough to ORDER BY created_at. */
static void take_outbox(struct transaction *transaction, const struct parameters *parameters,
                        struct answer *out) {
    int64_t most = parameter_int(parameters, 1);
    out->rows = rows_new(5, most);
    for (int32_t i = 0; i < database.outbox_count && out->touched < most; i++) {
        struct outbox *row = &database.outbox[i];
        if (!is_old(transaction, row, parameter_int(parameters, 0)) || row->deleting) continue;
        row->deleting = transaction;
        rows_add(out->rows,
                 (const char *const[]){row->id, row->queue, row->task, row->args_json, row->key});
        out->touched++;
    }
}

static void delete_outbox(struct transaction *transaction, const struct parameters *parameters,
                          struct answer *out) {
    const char *ids[OUTBOX_MAX];
    int32_t count = array_texts(parameters, 0, ids, OUTBOX_MAX);
    for (int32_t i = 0; i < count; i++) {
        const struct outbox *row = outbox_of(ids[i]);
        out->blocked |= row && row->deleting && row->deleting != transaction;
    }
    for (int32_t i = 0; i < count && !out->blocked; i++) {
        struct outbox *row = outbox_of(ids[i]);
        if (!row || row->inserting) continue;
        row->deleting = transaction;
        out->touched++;
    }
}

int32_t outbox_left(void) {
    int32_t count = 0;
    for (int32_t i = 0; i < database.outbox_count; i++) count += !database.outbox[i].gone;
    return count;
}

const struct known outbox_statements[] = {
    {"INSERT INTO task_outbox ", 0xddd5c833b77da0b1, insert_outbox},
    {"SELECT 1 FROM task_outbox ", 0x3c0f07e99ee4e876, look_outbox},
    {"DELETE FROM task_outbox WHERE id IN ", 0xaa4822fedd10aecc, take_outbox},
    {"DELETE FROM task_outbox WHERE id = ANY", 0xd77e545c7f4f4c30, delete_outbox},
    {.start = NULL},
};

/* --- every statement --------------------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static const struct known *find(const struct known *known, const char *sql) {
    while (known->start && strncmp(sql, known->start, strlen(known->start)) != 0) known++;
    return known->start ? known : NULL;
}

struct answer statement_run(struct transaction *transaction, const char *sql,
                            const struct parameters *parameters) {
    struct answer answer = {.sqlstate = NULL};
    const struct known *known = find(outbox_statements, sql);
    if (!known) known = find(document_statements, sql);
    if (!known) sim_fail("the simulated database does not know this statement: %s", sql);
    if (known->hash && known->hash != hash_text(sql))
        sim_fail("this statement was changed (hash 0x%016" PRIx64
                 "); has the simulated database learnt it? %s",
                 hash_text(sql), sql);
    statement_sql = sql;
    known->run(transaction, parameters, &answer);
    if (!answer.blocked) transaction->has_snapshot = false;
    return answer;
}
