/* SPDX-License-Identifier: MIT
 * producer.c - two kinds of producers. One uploads documents: row and task in one transaction. The other sends
 * notes: tasks without a row, which only outbox and queue keep. Both try again until they know; a clumsy one
 * tries again although it knew.
 */
#include <stdio.h>
#include <string.h>

#include "world.h"

enum { PAUSE_MS = 300, TAG_COMMIT = 1, TAG_PAUSE = 2, TAG_RELAY = 3, CLUMSY_PERMILLE = 50 };

struct producer {
    shared_session *session;
    int32_t at; /* what is being sent; -1: nothing */
    bool pausing;
};

static void pause(struct process *process) {
    struct producer *producer = process->state;
    shared_session_free(producer->session);
    producer->session = NULL;
    producer->at = -1;
    producer->pausing = true;
    (void)shared_client_timer(process->client, PAUSE_MS, TAG_PAUSE);
}

static void start(struct process *process) {
    struct producer *producer = process->state;
    producer->at = -1;
    (void)shared_queue_relay(process->client, TAG_RELAY);
}

/* --- documents ---------------------------------------------------------------------------------------------- */

static shared_status add_document(shared_session *session, const char *id) {
    static const struct {
        int32_t field;
        const char *text;
    } fields[] = {{SHARED_DOCUMENT_ID, NULL},
                  {SHARED_DOCUMENT_FILE_NAME, "name"},
                  {SHARED_DOCUMENT_FILE_PATH, NULL}};
    shared_record *record = NULL;
    shared_status status = shared_record_new(SHARED_DOCUMENT, &record);
    for (size_t i = 0; status >= 0 && i < sizeof fields / sizeof *fields; i++) {
        const char *text = fields[i].text ? fields[i].text : id;
        status = shared_record_set_text(record, fields[i].field, text, strlen(text));
    }
    if (status >= 0) status = shared_session_add(session, record);
    shared_record_unref(record);
    return status;
}

static void send(struct process *process, const char *id, const char *task, const char *key,
                 bool has_row) {
    struct producer *producer = process->state;
    char args[64];
    (void)snprintf(args, sizeof args, "[{\"document_id\": \"%s\"}]", id);
    shared_status status = shared_session_new(process->client, &producer->session);
    if (status >= 0 && has_row) status = add_document(producer->session, id);
    if (status >= 0) status = shared_session_enqueue(producer->session, task, args, key);
    if (status >= 0) status = shared_session_commit(producer->session, TAG_COMMIT);
    if (status < 0) pause(process);
}

static void tick_documents(struct process *process) {
    struct producer *producer = process->state;
    if (producer->at >= 0 || producer->pausing) return;
    for (int32_t i = 0; i < world.original_count && producer->at < 0; i++)
        if (!world.originals[i].committed && sim_now_us() >= world.originals[i].wanted_us)
            producer->at = i;
    if (producer->at < 0) return;
    const char *id = world.originals[producer->at].id;
    send(process, id, "extract_text_from_document", id, true);
}

static int64_t next_document_us(const struct process *process) {
    const struct producer *producer = process->state;
    int64_t next_us = INT64_MAX;
    for (int32_t i = 0; producer->at < 0 && !producer->pausing && i < world.original_count; i++)
        if (!world.originals[i].committed && world.originals[i].wanted_us < next_us)
            next_us = world.originals[i].wanted_us;
    return next_us;
}

/* --- notes ---------------------------------------------------------------------------------------------------- */

static void tick_notes(struct process *process) {
    struct producer *producer = process->state;
    if (producer->at >= 0 || producer->pausing) return;
    for (int32_t i = 0; i < world.note_count && producer->at < 0; i++)
        if (!world.notes[i].committed && sim_now_us() >= world.notes[i].wanted_us) producer->at = i;
    if (producer->at < 0) return;
    const char *key = world.notes[producer->at].key;
    send(process, key, "note", producer->at % 2 ? key : NULL, false);
}

static int64_t next_note_us(const struct process *process) {
    const struct producer *producer = process->state;
    int64_t next_us = INT64_MAX;
    for (int32_t i = 0; producer->at < 0 && !producer->pausing && i < world.note_count; i++)
        if (!world.notes[i].committed && world.notes[i].wanted_us < next_us)
            next_us = world.notes[i].wanted_us;
    return next_us;
}

/* --- both ------------------------------------------------------------------------------------------------------ */

static void handle(struct process *process, const shared_event *event) {
    struct producer *producer = process->state;
    if (shared_event_tag(event) == TAG_PAUSE) producer->pausing = false;
    if (shared_event_tag(event) != TAG_COMMIT || producer->at < 0) return;
    const shared_error *error = shared_event_error(event);
    bool there =
        process->kind == &process_producer && error && shared_error_code(error) == SHARED_ECONFLICT;
    if (!error || there) {
        bool clumsy = world.disturbed && sim_chance(CLUMSY_PERMILLE);
        bool *committed = process->kind == &process_producer
                              ? &world.originals[producer->at].committed
                              : &world.notes[producer->at].committed;
        *committed = !clumsy;
        sim_trace(process->name, "%d is committed%s", (int)producer->at, clumsy ? ", again" : "");
    } else {
        SIM_CHECK(world.disturbed);
        sim_trace(process->name, "%d: %s", (int)producer->at, shared_error_message(error));
    }
    pause(process);
}

static void finish(struct process *process) {
    struct producer *producer = process->state;
    shared_session_free(producer->session);
}

const struct process_kind process_producer = {.name = "producer",
                                              .queue = "celery",
                                              .start = start,
                                              .handle = handle,
                                              .tick = tick_documents,
                                              .next_us = next_document_us,
                                              .finish = finish,
                                              .size = sizeof(struct producer)};
const struct process_kind process_noter = {.name = "noter",
                                           .queue = "notes",
                                           .start = start,
                                           .handle = handle,
                                           .tick = tick_notes,
                                           .next_us = next_note_us,
                                           .finish = finish,
                                           .size = sizeof(struct producer)};
