/* SPDX-License-Identifier: MIT
 * statements.c - the statements about documents, their pages and chunks: those of apps/worker/store.c and
 * reconcile.c, and the producer's. Each does what PostgreSQL would at READ COMMITTED.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

static void set_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%s", text ? text : "");
}

static bool is_status(const struct document_state *state, const char *word) {
    return strcmp(state->status, word) == 0;
}

static bool is_unfinished(const struct document_state *state) {
    return state->exists && (is_status(state, "pending") || is_status(state, "processing"));
}

static struct document *document_at(const struct parameters *parameters, int32_t index) {
    return document_of(parameters_value(parameters, index));
}

/* Of a list of column names behind the first '(' the place of one, from 0. */
static int32_t column_place(const char *name) {
    const char *at = strchr(statement_sql, '(');
    size_t size = strlen(name);
    for (int32_t place = 0; at && *at != ')'; place++) {
        at++;
        if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == ')')) return place;
        at += strcspn(at, ",)");
    }
    sim_fail("no column %s in %s", name, statement_sql);
}

/* --- the producer's ------------------------------------------------------------------------------------------ */

static void insert_document(struct transaction *transaction, const struct parameters *parameters,
                            struct answer *out) {
    struct document *document = document_at(parameters, column_place("id"));
    SIM_CHECK(document != NULL);
    struct document_state *state = document_lock(transaction, document, out);
    if (!state) return;
    if (state->exists) {
        out->sqlstate = "23505";
        return;
    }
    *state = (struct document_state){.exists = true, .updated_us = transaction->now_us};
    set_text(state->status, sizeof state->status, "pending");
    out->touched = 1;
}

/* --- a run's ----------------------------------------------------------------------------------------------- */

static int64_t page_last(const struct document_state *state) {
    int64_t last = 0;
    for (int64_t page = 1; page <= PAGES_MAX; page++)
        if (state->page_attempts[page]) last = page;
    return last;
}

static int64_t pages_bad(const struct document_state *state) {
    int64_t count = 0;
    for (int64_t page = 1; page <= PAGES_MAX; page++)
        count += state->page_attempts[page] && state->page_bad[page];
    return count;
}

static void lock(struct transaction *transaction, const struct parameters *parameters,
                 struct answer *out) {
    struct document *document = document_at(parameters, 0);
    out->rows = rows_new(0, 1);
    if (document && document_see(transaction, document)->exists &&
        document_lock(transaction, document, out))
        rows_add(out->rows, NULL);
}

/* What its SELECT sees is older than what its UPDATE changes, when it had to wait. */
static void claim(struct transaction *transaction, const struct parameters *parameters,
                  struct answer *out) {
    struct document *document = document_at(parameters, 0);
    if (!transaction->has_snapshot && document)
        transaction->snapshot = *document_see(transaction, document);
    transaction->has_snapshot = true;
    out->rows = rows_new(8, 1);
    if (!document || !transaction->snapshot.exists) return;
    bool completed = is_status(&document->committed, "completed");
    if (!completed) {
        struct document_state *state = document_lock(transaction, document, out);
        if (!state) return;
        set_text(state->status, sizeof state->status, "processing");
        state->error_code[0] = '\0';
        state->attempt++;
        state->holder = transaction->process_number + 1;
        state->updated_us = transaction->now_us;
    }
    const struct document_state *seen = &transaction->snapshot;
    const char *attempt = completed ? NULL : sim_format("%" PRId64, document->changed.attempt);
    const char *values[] = {"name",
                            parameters_value(parameters, 0),
                            "100",
                            attempt,
                            sim_format("%" PRId64, page_last(seen)),
                            sim_format("%" PRId64, pages_bad(seen)),
                            sim_format("%" PRId64, seen->page_count),
                            sim_format("%" PRId64, seen->chunk_count)};
    rows_add(out->rows, values);
}

static void read_pages(struct transaction *transaction, const struct parameters *parameters,
                       struct answer *out) {
    struct document *document = document_at(parameters, 0);
    out->rows = rows_new(2, PAGES_MAX);
    if (!document) return;
    const struct original *original = original_find(parameters_value(parameters, 0));
    const struct document_state *state = document_see(transaction, document);
    for (int64_t page = 1; page <= PAGES_MAX; page++) {
        if (!state->page_attempts[page]) continue;
        const char *text = state->page_bad[page] ? "" : original_page(original, page);
        rows_add(out->rows, (const char *const[]){sim_format("%" PRId64, page), text});
    }
}

/* No two processes may write with one attempt. */
static void note_writer(const struct transaction *transaction, struct document *document,
                        int64_t attempt) {
    if (attempt < 0 || attempt >= WRITERS_MAX || sim_bug == BUG_NO_FENCE) return;
    int32_t *writer = &document->writers[attempt];
    if (*writer && *writer != transaction->process_number + 1)
        sim_fail("%s: processes %d and %d both wrote with attempt %" PRId64,
                 world.originals[document - database.documents].id, (int)*writer - 1,
                 (int)transaction->process_number, attempt);
    *writer = transaction->process_number + 1;
}

/* WHERE id = $1 AND attempt = $2; NULL: no row, or it has to wait. */
static struct document_state *fenced(struct transaction *transaction,
                                     const struct parameters *parameters, struct answer *out) {
    struct document *document = document_at(parameters, 0);
    int64_t attempt = parameter_int(parameters, 1);
    if (!document) return NULL;
    bool held = document->owner && document->owner != transaction;
    const struct document_state *seen = document_see(transaction, document);
    /* A row that does not match is not waited for; one that will not match any more is. */
    if (!held && seen->attempt != attempt && sim_bug != BUG_NO_FENCE) return NULL;
    if (held && document->committed.attempt != attempt && sim_bug != BUG_NO_FENCE) return NULL;
    struct document_state *state = document_lock(transaction, document, out);
    if (!state) return NULL;
    note_writer(transaction, document, attempt);
    return state;
}

static void store_pages(struct transaction *transaction, const struct parameters *parameters,
                        struct answer *out) {
    struct document_state *state = fenced(transaction, parameters, out);
    if (!state) return;
    const struct original *original = original_find(parameters_value(parameters, 0));
    int64_t numbers[PAGES_MAX];
    const char *texts[PAGES_MAX], *errors[PAGES_MAX];
    int32_t count = array_ints(parameters, 2, numbers, PAGES_MAX);
    (void)array_texts(parameters, 3, texts, PAGES_MAX);
    (void)array_texts(parameters, 4, errors, PAGES_MAX);
    state->updated_us = transaction->now_us;
    for (int32_t i = 0; i < count; i++) {
        int64_t page = numbers[i];
        SIM_CHECK(page >= 1 && page <= original->pages);
        SIM_CHECK(errors[i] || strcmp(texts[i], original_page(original, page)) == 0);
        if (state->page_attempts[page]) {
            out->sqlstate = "23505";
            out->message = "a page is stored twice";
            return;
        }
        state->page_attempts[page] = parameter_int(parameters, 1);
        state->page_bad[page] = errors[i] != NULL;
    }
    out->touched = count;
}

/* progress/row.c: what a viewer is shown when the log is lost. */
static void show(struct transaction *transaction, const struct parameters *parameters,
                 struct answer *out) {
    struct document *document = document_at(parameters, 0);
    out->rows = rows_new(5, 1);
    const struct document_state *state = document ? document_see(transaction, document) : NULL;
    if (!state || !state->exists) return;
    bool completed = is_status(state, "completed");
    const char *values[] = {
        sim_copy(state->status, strlen(state->status)),
        completed ? sim_format("%" PRId64, state->page_count) : NULL,
        *state->error_code ? "simulated" : NULL,
        sim_format("%" PRId64, sim_wall_us() - sim_now_us() + state->updated_us),
        is_status(state, "processing") ? sim_format("%" PRId64, page_last(state)) : "0"};
    rows_add(out->rows, values);
}

static void fence(struct transaction *transaction, const struct parameters *parameters,
                  struct answer *out) {
    const struct document_state *state = fenced(transaction, parameters, out);
    out->rows = rows_new(1, 1);
    rows_add(out->rows, (const char *const[]){""});
    if (!state && !out->blocked) out->sqlstate = "LX001";
}

static void delete_chunks(struct transaction *transaction, const struct parameters *parameters,
                          struct answer *out) {
    struct document *document = document_at(parameters, 0);
    struct document_state *state = document ? document_lock(transaction, document, out) : NULL;
    if (!state) return;
    out->touched = state->chunk_count;
    state->chunk_count = 0;
    state->chunk_hash = 0;
}

static void add_chunk(struct transaction *transaction, const char *id, int64_t index,
                      const char *content, struct answer *out) {
    struct document *document = document_of(id);
    SIM_CHECK(document != NULL);
    struct document_state *state = document_lock(transaction, document, out);
    if (!state) return;
    state->chunk_count++;
    state->chunk_hash += chunk_hash(index, content, strlen(content));
    out->touched++;
}

/* One record, or many as lists: the columns are named, their order is the model's. */
static void insert_chunks(struct transaction *transaction, const struct parameters *parameters,
                          struct answer *out) {
    enum { CHUNKS_MAX = 256 };
    int32_t places[] = {column_place("document_id"), column_place("chunk_index"),
                        column_place("content")};
    if (strstr(statement_sql, " VALUES (")) {
        add_chunk(transaction, parameters_value(parameters, places[0]),
                  parameter_int(parameters, places[1]), parameters_value(parameters, places[2]),
                  out);
        return;
    }
    const char *ids[CHUNKS_MAX], *contents[CHUNKS_MAX];
    int64_t indexes[CHUNKS_MAX];
    int32_t count = array_texts(parameters, places[0], ids, CHUNKS_MAX);
    (void)array_ints(parameters, places[1], indexes, CHUNKS_MAX);
    (void)array_texts(parameters, places[2], contents, CHUNKS_MAX);
    for (int32_t i = 0; i < count && !out->blocked; i++)
        add_chunk(transaction, ids[i], indexes[i], contents[i], out);
}

static void complete(struct transaction *transaction, const struct parameters *parameters,
                     struct answer *out) {
    struct document_state *state = fenced(transaction, parameters, out);
    if (!state) return;
    set_text(state->status, sizeof state->status, "completed");
    state->publications++;
    state->error_code[0] = '\0';
    state->page_count = parameter_int(parameters, 2);
    state->pages_failed = parameter_int(parameters, 3);
    state->updated_us = transaction->now_us;
    out->touched = 1;
}

static void verdict(struct transaction *transaction, const struct parameters *parameters,
                    struct answer *out) {
    struct document_state *state = fenced(transaction, parameters, out);
    if (!state || !is_status(state, "processing")) return;
    set_text(state->status, sizeof state->status, parameters_value(parameters, 2));
    set_text(state->error_code, sizeof state->error_code, parameters_value(parameters, 5));
    state->updated_us = transaction->now_us;
    out->touched = 1;
}

/* --- the user's, through apps/backend/document.c --------------------------------------------------------------- */

/* Pages and chunks go with it. */
static void delete_document(struct transaction *transaction, const struct parameters *parameters,
                            struct answer *out) {
    struct document *document = document_at(parameters, 0);
    out->rows = rows_new(1, 1);
    if (!document_see(transaction, document)->exists) return;
    struct document_state *state = document_lock(transaction, document, out);
    if (!state) return;
    rows_add(out->rows, (const char *const[]){parameters_value(parameters, 0)});
    *state = (struct document_state){.exists = false};
    out->touched = 1;
}

static void read_again(struct transaction *transaction, const struct parameters *parameters,
                       struct answer *out) {
    struct document *document = document_at(parameters, 0);
    out->rows = rows_new(1, 1);
    const struct document_state *seen = document_see(transaction, document);
    if (!seen->exists || is_status(seen, "pending")) return;
    struct document_state *state = document_lock(transaction, document, out);
    if (!state) return;
    set_text(state->status, sizeof state->status, "pending");
    state->error_code[0] = '\0';
    state->attempt++;
    state->holder = state->publications = 0;
    state->page_count = state->pages_failed = 0;
    state->updated_us = transaction->now_us;
    rows_add(out->rows, (const char *const[]){"case"});
    out->touched = 1;
}

static void drop_pages(struct transaction *transaction, const struct parameters *parameters,
                       struct answer *out) {
    struct document_state *state = document_lock(transaction, document_at(parameters, 0), out);
    if (!state) return;
    memset(state->page_attempts, 0, sizeof state->page_attempts);
    memset(state->page_bad, 0, sizeof state->page_bad);
}

/* --- the reconciler's ----------------------------------------------------------------------------------------- */

static bool is_stale(const struct transaction *transaction, const struct document_state *state,
                     int64_t age_s) {
    return is_unfinished(state) && state->updated_us < transaction->now_us - age_s * US_PER_S;
}

/* By age. */
static void find_stale(struct transaction *transaction, const struct parameters *parameters,
                       struct answer *out) {
    bool told[DOCUMENTS_MAX] = {false};
    out->rows = rows_new(1, DOCUMENTS_MAX);
    for (;;) {
        int32_t oldest = -1;
        for (int32_t i = 0; i < world.original_count; i++) {
            const struct document_state *state = document_see(transaction, &database.documents[i]);
            if (told[i] || !is_stale(transaction, state, parameter_int(parameters, 0))) continue;
            if (oldest < 0 ||
                state->updated_us <
                    document_see(transaction, &database.documents[oldest])->updated_us)
                oldest = i;
        }
        if (oldest < 0) return;
        told[oldest] = true;
        rows_add(out->rows, (const char *const[]){world.originals[oldest].id});
    }
}

static bool is_listed(const struct parameters *parameters, int32_t document) {
    return strstr(parameters_value(parameters, 1),
                  sim_format("\"%s\"", world.originals[document].id)) != NULL;
}

static void give_up(struct transaction *transaction, const struct parameters *parameters,
                    struct answer *out) {
    int64_t age_s = parameter_int(parameters, 0);
    for (int32_t i = 0; i < world.original_count; i++) {
        struct document *document = &database.documents[i];
        const struct document_state *seen = document_see(transaction, document);
        bool found = is_listed(parameters, i) && is_status(seen, "processing") &&
                     seen->attempt >= 20 && is_stale(transaction, seen, age_s);
        struct document_state *state = found ? document_lock(transaction, document, out) : NULL;
        if (out->blocked) return;
        if (!state) continue;
        set_text(state->status, sizeof state->status, "failed");
        set_text(state->error_code, sizeof state->error_code, "extractor_killed");
        state->updated_us = transaction->now_us;
        out->touched++;
    }
}

static void claim_stale(struct transaction *transaction, const struct parameters *parameters,
                        struct answer *out) {
    int64_t age_s = parameter_int(parameters, 0);
    out->rows = rows_new(2, DOCUMENTS_MAX);
    for (int32_t i = 0; i < world.original_count; i++) {
        struct document *document = &database.documents[i];
        if (document->owner && document->owner != transaction) continue; /* SKIP LOCKED */
        if (!is_listed(parameters, i) ||
            !is_stale(transaction, document_see(transaction, document), age_s))
            continue;
        struct document_state *state = document_lock(transaction, document, out);
        state->updated_us = transaction->now_us;
        const char *id = world.originals[i].id;
        rows_add(out->rows,
                 (const char *const[]){id, sim_format("[{\"document_id\" : \"%s\"}]", id)});
        out->touched++;
    }
}

const struct known document_statements[] = {
    {"INSERT INTO documents (", 0, insert_document},
    {"INSERT INTO document_chunks (", 0, insert_chunks},
    {"SELECT FROM documents WHERE id = $1 FOR NO KEY UPDATE", 0, lock},
    {"WITH claimed AS (", 0xcc9bb02e3ba71c49, claim},
    {"SELECT page, text FROM document_pages ", 0x3f44cc51ea9ddec5, read_pages},
    {"WITH fence AS (", 0x3c102e45d358fe62, store_pages},
    {"SELECT document_fence(", 0x989c58c4681004ac, fence},
    {"DELETE FROM document_chunks WHERE ", 0x03e5c2f4be39ce78, delete_chunks},
    {"UPDATE documents SET extraction_status = 'completed'", 0xf47b57098a1797d1, complete},
    {"UPDATE documents SET extraction_status = $3", 0x000aa109b717ab58, verdict},
    {"SELECT id FROM documents WHERE extraction_status IN ", 0x1b7f99cddcf40dfa, find_stale},
    {"UPDATE documents SET extraction_status = 'failed', ", 0x0808afa6f2d2758d, give_up},
    {"UPDATE documents SET updated_at = now() WHERE id IN ", 0xe9e7a279e6b67005, claim_stale},
    {"DELETE FROM documents WHERE id = $1 RETURNING ", 0, delete_document},
    {"UPDATE documents SET extraction_status = 'pending', attempt = ", 0, read_again},
    {"DELETE FROM document_pages WHERE document_id = ", 0, drop_pages},
    {"SELECT extraction_status, page_count, error,", 0x22413a1ee2bfc3ef, show},
    {.start = NULL},
};
