/* SPDX-License-Identifier: MIT
 * clerk.c - the user's process: deletes the document or has it read again when it is told to, with the statements
 * of apps/backend/document.c. Never does anything of its own accord.
 */
#include <string.h>

#include "turns.h"
#include "world.h"

enum { TAG_RELAY = 1, TAG_DELETE, TAG_AGAIN, TAG_COMMIT, TAG_DELETED, TAG_ROLLBACK };

struct clerk {
    shared_session *session;
    char wanted; /* d, r, or 0 */
};

static const char delete_sql[] = "DELETE FROM documents WHERE id = $1 RETURNING file_path";
static const char again_sql[] =
    "UPDATE documents SET extraction_status = 'pending', attempt = attempt + 1, page_count = NULL,"
    " pages_failed = 0, error = NULL, error_class = NULL, error_code = NULL, updated_at = now()"
    " WHERE id = $1 AND extraction_status <> 'pending' RETURNING case_id";
static const char drop_pages_sql[] = "DELETE FROM document_pages WHERE document_id = $1";

static void start(struct process *process) {
    SIM_CHECK(shared_queue_relay(process->client, TAG_RELAY) == SHARED_OK);
}

static void ask(const struct clerk *clerk, const char *sql, uint64_t tag) {
    const char *id = world.originals[0].id;
    shared_query *query = NULL;
    SIM_CHECK(shared_query_new(0, sql, &query) == SHARED_OK);
    SIM_CHECK(shared_query_bind_text(query, 1, id, strlen(id)) == SHARED_OK);
    SIM_CHECK(shared_session_query(clerk->session, query, tag) == SHARED_OK);
    shared_query_free(query);
}

static void tick(struct process *process) {
    struct clerk *clerk = process->state;
    if (!clerk->wanted || clerk->session) return;
    SIM_CHECK(shared_session_new(process->client, &clerk->session) == SHARED_OK);
    if (clerk->wanted == 'd')
        ask(clerk, delete_sql, TAG_DELETE);
    else
        ask(clerk, again_sql, TAG_AGAIN);
}

static void commit_again(struct clerk *clerk) {
    const char *id = world.originals[0].id;
    ask(clerk, drop_pages_sql, 0);
    SIM_CHECK(shared_session_enqueue(clerk->session, "extract_text_from_document",
                                     sim_format("[{\"document_id\":\"%s\"}]", id),
                                     id) == SHARED_OK);
    SIM_CHECK(shared_session_commit(clerk->session, TAG_COMMIT) == SHARED_OK);
}

static void handle(struct process *process, const shared_event *event) {
    struct clerk *clerk = process->state;
    uint64_t tag = shared_event_tag(event);
    if (tag == TAG_RELAY) return;
    if (shared_event_error(event))
        sim_fail("%s: %s", process->name, shared_error_message(shared_event_error(event)));
    bool asked = tag == TAG_DELETE || tag == TAG_AGAIN;
    if (asked && !shared_event_count(event)) {
        SIM_CHECK(shared_session_rollback(clerk->session, TAG_ROLLBACK) == SHARED_OK);
    } else if (tag == TAG_DELETE) {
        SIM_CHECK(shared_session_commit(clerk->session, TAG_DELETED) == SHARED_OK);
    } else if (tag == TAG_AGAIN) {
        commit_again(clerk);
    } else {
        world.originals[0].deleted |= tag == TAG_DELETED;
        process->steps += tag != TAG_ROLLBACK;
        shared_session_free(clerk->session);
        *clerk = (struct clerk){.session = NULL};
    }
}

static int64_t next_us(const struct process *process) {
    const struct clerk *clerk = process->state;
    return clerk->wanted && !clerk->session ? sim_now_us() : INT64_MAX;
}

static void finish(struct process *process) {
    shared_session_free(((struct clerk *)process->state)->session);
}

void clerk_act(struct process *process, char what) {
    ((struct clerk *)process->state)->wanted = what;
}

bool clerk_is_idle(const struct process *process) {
    return !((const struct clerk *)process->state)->wanted;
}

const struct process_kind process_clerk = {.name = "clerk",
                                           .queue = "celery",
                                           .start = start,
                                           .handle = handle,
                                           .tick = tick,
                                           .next_us = next_us,
                                           .finish = finish,
                                           .size = sizeof(struct clerk)};
