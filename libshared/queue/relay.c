/* SPDX-License-Identifier: MIT
 * relay.c - sends what transactions enqueued. What this client commits goes out at once; what a crash
 * left in task_outbox, anybody's, relay_sweep.c finds. A row is deleted only after Redis has its
 * message, so a task may be sent twice (with the same id) and is never lost.
 */
#include "queue/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/session.h"

enum { PENDING_MAX = 1000 }; /* rows being sent; what comes on top is left to the sweep */

/* --- rows that were sent go, rows that cannot be sent are set aside ------------------------------------- */

/* Belongs to PostgreSQL's connection until it answers, which may be after the relay is gone. */
struct change {
    struct operation operation;
    struct parameters parameters;
};

/* A row that stays as it was comes to a sweep again. */
static void change_finish(struct operation *operation, struct rows *rows, int64_t touched,
                          const struct shared_error *error) {
    (void)rows;
    (void)touched;
    if (error) log_format("relay", SHARED_WARNING, "rows of the outbox stay: %s", error->message);
    struct change *change = (struct change *)operation;
    parameters_finish(&change->parameters);
    free(change);
}

static void change_rows(struct relay *relay, const char *sql, const char *const *ids,
                        size_t count) {
    struct pool *pool = client_pool(relay->client);
    struct change *change = pool ? calloc(1, sizeof *change) : NULL;
    if (!change || !parameters_set_text_array(&change->parameters, 0, ids, NULL, count)) {
        if (change) parameters_finish(&change->parameters);
        free(change);
        return;
    }
    change->operation = (struct operation){.sql = sql,
                                           .parameters = &change->parameters,
                                           .prepare = true,
                                           .sync = true,
                                           .finish = change_finish};
    pool_read(pool, &change->operation);
}

static void delete_sent(struct deferred *deferred) {
    struct relay *relay = (struct relay *)((char *)deferred - offsetof(struct relay, deletion));
    change_rows(relay, "DELETE FROM task_outbox WHERE id = ANY($1)",
                (const char *const *)relay->sent, relay->sent_count);
    for (size_t i = 0; i < relay->sent_count; i++) free(relay->sent[i]);
    relay->sent_count = 0;
}

/* Later than any now, so that no sweep looks at it. */
void relay_set_aside(struct relay *relay, const char *const *ids, size_t count) {
    change_rows(relay, "UPDATE task_outbox SET created_at = 'infinity' WHERE id = ANY($1)", ids,
                count);
}

/* With the others that are sent in this turn. */
static void delete_later(struct relay *relay, const char *id) {
    if (relay->sent_count == DELETE_AT_ONCE) {
        client_defer_stop(relay->client, &relay->deletion);
        delete_sent(&relay->deletion);
    }
    char *copy = text_copy(id);
    if (!copy) return;
    relay->sent[relay->sent_count++] = copy;
    client_defer(relay->client, &relay->deletion, delete_sent);
}

/* --- sending ------------------------------------------------------------------------------------------- */

static void posting_drop(struct errand *errand) {
    struct posting *posting = (struct posting *)errand;
    struct relay *relay = posting->relay;
    if (!relay) return;
    if (posting->next) posting->next->previous = posting->previous;
    *(posting->previous ? &posting->previous->next : &relay->postings) = posting->next;
    relay->posting_count--;
}

static void check_posted(struct errand *errand, const struct reply *reply,
                         const struct shared_error *error) {
    (void)reply;
    struct posting *posting = (struct posting *)errand;
    struct sweeping *sweeping = posting->sweeping;
    if (error) produce_forget(queue_of(errand));
    if (posting->relay && !sweeping && !error) delete_later(posting->relay, posting->id);
    errand_free(errand);
    if (sweeping) sweeping_posted(sweeping, error);
}

shared_status relay_check(const struct posting_row *row) {
    bool named = queue_name_valid(row->queue);
    shared_status status = celery_json_check(row->args_json, strlen(row->args_json), '[');
    if (status == SHARED_ENOMEM || (named && status == SHARED_OK)) return status;
    log_format("relay", SHARED_ERROR, "task %s of the outbox cannot be sent: %s", row->id,
               named ? "its arguments are no JSON list" : "its queue has no valid name");
    return SHARED_EINVALID;
}

shared_status relay_post(struct relay *relay, const struct posting_row *row,
                         struct sweeping *sweeping) {
    struct posting *posting = errand_new(&relay->queue->errands, sizeof *posting, check_posted);
    if (!posting) return SHARED_ENOMEM;
    posting->errand.drop = posting_drop;
    posting->relay = relay;
    posting->sweeping = sweeping;
    memcpy(posting->id, row->id, strnlen(row->id, sizeof posting->id - 1));
    posting->next = relay->postings;
    if (posting->next) posting->next->previous = posting;
    relay->postings = posting;
    relay->posting_count++;
    struct envelope envelope = {.queue = row->queue,
                                .task = row->task,
                                .id = row->id,
                                .args_json = row->args_json,
                                .key = row->key,
                                .redelivered = row->redelivered};
    produce(&posting->errand, &envelope);
    return SHARED_OK;
}

/* From session/: a transaction of this client is committed. */
static void committed(void *owner, struct outbox_row *rows) {
    struct relay *relay = owner;
    while (rows) {
        struct outbox_row *row = rows;
        rows = row->next;
        struct posting_row posting = {.id = row->id,
                                      .queue = row->queue,
                                      .task = row->task,
                                      .args_json = row->args_json,
                                      .key = row->key};
        if (relay->request && relay->posting_count < PENDING_MAX &&
            relay_check(&posting) == SHARED_OK)
            (void)relay_post(relay, &posting, NULL);
        outbox_row_free(row);
    }
}

/* --- the public side -------------------------------------------------------------------------------------- */

static void relay_quiet(struct relay *relay) {
    timer_stop(relay->client, &relay->sweep_timer);
    if (relay->sweeping) sweeping_end(relay->sweeping);
}

static void relay_stop(void *state) {
    struct relay *relay = state;
    relay->request = NULL;
    relay_quiet(relay);
    client_defer_stop(relay->client, &relay->deletion);
    for (struct posting *posting = relay->postings; posting; posting = posting->next)
        posting->relay = NULL;
    for (size_t i = 0; i < relay->sent_count; i++) free(relay->sent[i]);
    free(relay);
}

static struct relay *client_relay(shared_client *client) {
    struct relay *relay = client_state(client, CLIENT_RELAY);
    if (relay) return relay;
    struct queue *queue = client_queue(client);
    if (!queue || !client_pool(client)) return NULL;
    relay = calloc(1, sizeof *relay);
    if (!relay) {
        fail(SHARED_ENOMEM, "relay: out of memory");
        return NULL;
    }
    relay->client = client;
    relay->queue = queue;
    client_set_state(client, CLIENT_RELAY, relay, relay_stop);
    session_on_commit(client, committed, relay);
    return relay;
}

static void relay_cancel(struct request *request, const struct shared_error *why) {
    struct relay *relay = request->owner;
    relay->request = NULL;
    relay_quiet(relay);
    request_fail(request, why);
}

shared_status shared_queue_relay(shared_client *client, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    struct relay *relay = client_relay(client);
    if (!relay) return shared_error_code(shared_error_last());
    if (relay->request) return fail(SHARED_EINVALID, "relay: runs already in this client");
    relay->request = request_new(client, tag, 0, relay_cancel, relay);
    if (!relay->request) return shared_error_code(shared_error_last());
    relay_sweep_later(relay, 0);
    return SHARED_OK;
}
