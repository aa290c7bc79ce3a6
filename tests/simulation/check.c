/* SPDX-License-Identifier: MIT
 * check.c - what must hold when all is quiet again: everything done, done once, and nothing left over.
 */
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "world.h"

static bool is_over(const struct document_state *state) {
    return strcmp(state->status, "completed") == 0 || strcmp(state->status, "failed") == 0;
}

static const char *documents_missing(void) {
    for (int32_t i = 0; i < world.original_count; i++) {
        const struct document_state *state = &database.documents[i].committed;
        if (world.originals[i].deleted) continue;
        if (!world.originals[i].committed)
            return sim_format("%s is not committed", world.originals[i].id);
        if (!world.originals[i].seen_end)
            return sim_format("%s is %s, and its viewer does not know", world.originals[i].id,
                              state->status);
        if (!is_over(state)) return sim_format("%s is %s", world.originals[i].id, state->status);
    }
    return NULL;
}

static const char *notes_missing(void) {
    for (int32_t i = 0; i < world.note_count; i++) {
        const struct note *note = &world.notes[i];
        if (!note->committed) return sim_format("%s is not committed", note->key);
        if (note->running) return sim_format("%s is being run", note->key);
        /* Whoever had it may not have lived to hear that its end was told. */
        if (!world.redis_lost && !note->succeeded && !note->set_aside)
            return sim_format("%s ran %d times and never ended", note->key, (int)note->runs);
    }
    return NULL;
}

/* Keys that exist only while there is work. */
static const char *redis_left(void) {
    static const char *const keys[] = {"celery", "notes", "unacked", "unacked_index", "lex:lease"};
    struct store *store = redis_store();
    for (const struct value *value = store->values; value; value = value->next) {
        /* A mark that outlives its task does no harm, and may: Redis brings some back from the past. */
        bool live = !world.redis_lost && strncmp(value->key.data, "lex:live:", 9) == 0;
        bool step = memchr(value->key.data, '\x06', value->key.size) && value->type == VALUE_LIST;
        bool known = false;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            known |= text_is(value->key, keys[i]);
        if (live || step || known)
            return sim_format("%zu are left in %s, one is %.200s", value->count, value->key.data,
                              value->items[value->first].name.data);
    }
    return NULL;
}

const char *check_converged(void) {
    const char *missing = documents_missing();
    if (!missing) missing = notes_missing();
    if (!missing && outbox_left()) missing = sim_format("%d rows are in the outbox", outbox_left());
    return missing ? missing : redis_left();
}

/* --- results ------------------------------------------------------------------------------------------------ */

static int64_t number_in(const char *json, const char *name) {
    const char *at = strstr(json, sim_format("\"%s\":", name));
    return at ? strtoll(at + strlen(name) + 3, NULL, 10) : -1;
}

/* What a client that waits for the task is told, the moment it is stored. */
void check_result(const char *id, const char *meta) {
    sim_trace("result", "%s %.150s", id, meta);
    if (world.meddled) return; /* the task ended before, the document is no more what it was */
    bool succeeds = strncmp(meta, "{\"status\": \"SUCCESS\"", 20) == 0;
    bool fails = strncmp(meta, "{\"status\": \"FAILURE\"", 20) == 0;
    const struct document *about = document_of(world_result_of(id)->about);
    /* But for the queue's own word that it gave a task up: its document is found again by the reconciler. */
    if (fails && about && !strstr(meta, "WorkerLostError") && !about->was_failed)
        sim_fail("task %s failed, and its document is %s", id, about->committed.status);
    const char *at = succeeds ? strstr(meta, "\"document_id\":\"") : NULL;
    if (!at) return;
    char document_id[16] = "";
    memcpy(document_id, at + 15, strcspn(at + 15, "\""));
    const struct document_state *state = &document_of(document_id)->committed;
    if (strcmp(state->status, "completed") != 0)
        sim_fail("task %s succeeded, and %s is %s", id, document_id, state->status);
    if (number_in(meta, "page_count") != state->page_count ||
        number_in(meta, "chunk_count") != state->chunk_count)
        sim_fail("%s has %lld pages and %lld chunks, and its task answers %s", document_id,
                 (long long)state->page_count, (long long)state->chunk_count, meta);
}

/* --- effects ------------------------------------------------------------------------------------------------ */

/* What the whole document must be cut into. */
static void check_chunks(const struct original *original, const struct document_state *state) {
    char text[PAGES_MAX * 300];
    struct page_mark marks[PAGES_MAX];
    size_t size = 0;
    for (int32_t i = 0; i < original->pages; i++) {
        const char *page = state->page_bad[i + 1] ? "" : original_page(original, i + 1);
        if (i) text[size++] = '\f';
        marks[i] = (struct page_mark){.start = size, .page = i + 1};
        memcpy(text + size, page, strlen(page));
        size += strlen(page);
    }
    struct chunk_list chunks = {0};
    SIM_CHECK(chunk_cut(text, size, marks, (size_t)original->pages, &world_chunk_rules, &chunks));
    uint64_t hash = 0;
    for (size_t i = 0; i < chunks.count; i++)
        hash += chunk_hash((int64_t)i, text + chunks.items[i].start, chunks.items[i].size);
    if (hash != state->chunk_hash || (int64_t)chunks.count != state->chunk_count)
        sim_fail("%s: its %lld chunks are not the %zu of its text", original->id,
                 (long long)state->chunk_count, chunks.count);
    chunk_list_finish(&chunks);
}

static void check_ended_well(const struct original *original, const struct document *document) {
    const struct document_state *state = &document->committed;
    if (state->publications != 1)
        sim_fail("%s was published %d times", original->id, (int)state->publications);
    for (int32_t page = 1; page <= original->pages; page++)
        if (!state->page_attempts[page])
            sim_fail("%s is completed without page %d", original->id, (int)page);
    check_chunks(original, state);
    if (original->damaged) sim_fail("%s is damaged, and completed", original->id);
}

static void check_ended_badly(const struct original *original, const struct document *document) {
    const char *code = document->committed.error_code;
    bool ours = original->damaged && strcmp(code, "file_damaged") == 0;
    /* Its worker may have been killed time and again, or the database been away for too long. */
    bool faults =
        world.disturbed && (strcmp(code, "extractor_killed") == 0 || strcmp(code, "internal") == 0);
    /* The only page was deadly; a run that began behind it does not know how it failed. */
    bool deadly = original->deadly_page && original->pages == 1 &&
                  (strcmp(code, "extractor_killed") == 0 || strcmp(code, "file_damaged") == 0);
    if (!ours && !faults && !deadly)
        sim_fail("%s failed as \"%s\", for no reason that there was", original->id, code);
    if (document->committed.publications)
        sim_fail("%s failed after it was completed", original->id);
}

static void check_note(const struct note *note, bool has_key) {
    if (!world.disturbed && !note->returned && (note->runs != 1 || note->acknowledged != 1))
        sim_fail("%s: %d runs and %d ends, and nothing went wrong", note->key, (int)note->runs,
                 (int)note->acknowledged);
    if (has_key && !world.redis_lost && note->acknowledged > note->sends)
        sim_fail("%s: %d were told that they ended it, and it was sent %d times", note->key,
                 (int)note->acknowledged, (int)note->sends);
}

void check_effects(void) {
    for (int32_t i = 0; i < world.original_count; i++) {
        const struct document *document = &database.documents[i];
        if (world.originals[i].deleted) continue;
        if (strcmp(document->committed.status, "completed") == 0)
            check_ended_well(&world.originals[i], document);
        else
            check_ended_badly(&world.originals[i], document);
        if (!world.disturbed && document->committed.attempt != 1)
            sim_fail("%s: %lld runs, and nothing went wrong", world.originals[i].id,
                     (long long)document->committed.attempt);
    }
    for (int32_t i = 0; i < world.note_count; i++) check_note(&world.notes[i], i % 2);
}
