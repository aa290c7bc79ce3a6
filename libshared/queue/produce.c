/* SPDX-License-Identifier: MIT
 * produce.c - sends tasks. A task with a key leaves a mark in lex:live:<queue> in the same step, by
 * which shared_queue_missing knows that it has been sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/message.h"
#include "queue/queue.h"

struct sending {
    struct errand errand;
    char id[CELERY_NAME_SIZE_MAX + 1];
};

static void check_sent(struct errand *errand, const struct reply *reply,
                       const struct shared_error *error) {
    (void)reply;
    if (error) produce_forget(queue_of(errand));
    if (errand->request) {
        struct sending *sending = (struct sending *)errand;
        char *id = errand->request->event->id; /* of a longer one the beginning */
        size_t size = strnlen(sending->id, sizeof errand->request->event->id - 1);
        memcpy(id, sending->id, size);
        id[size] = '\0';
    }
    errand_answer(errand, 1, error);
    errand_free(errand);
}

static shared_status send_envelope(shared_client *client, const char *queue_name,
                                   struct envelope *envelope, uint64_t tag) {
    size_t size = strlen(envelope->args_json);
    if (envelope->kwargs_json) size += strlen(envelope->kwargs_json);
    if (size > ARGUMENTS_SIZE_MAX)
        return fail(SHARED_EINVALID, "args_json and kwargs_json: %zu bytes, at most %d", size,
                    ARGUMENTS_SIZE_MAX);
    struct queue *queue = client_queue(client);
    envelope->queue = queue ? queue_name_check(queue, queue_name) : NULL;
    struct sending *sending =
        envelope->queue ? errand_new(&queue->errands, sizeof *sending, check_sent) : NULL;
    if (!sending) return shared_error_code(shared_error_last());
    shared_status status = errand_request(&sending->errand, tag);
    if (status < 0) {
        errand_free(&sending->errand);
        return status;
    }
    memcpy(sending->id, envelope->id, strlen(envelope->id) + 1);
    produce(&sending->errand, envelope);
    return SHARED_OK;
}

shared_status shared_queue_send(shared_client *client, const char *queue_name, const char *task,
                                const char *args_json, const char *key, uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK) status = queue_text_check("task", task, CELERY_NAME_SIZE_MAX);
    if (status == SHARED_OK && key) status = queue_text_check("key", key, CELERY_KEY_SIZE_MAX);
    if (status == SHARED_OK) status = queue_json_check("args_json", args_json, '[');
    if (status < 0) return status;
    char id[UUID_TEXT_SIZE];
    uuid_make_v4(id);
    struct envelope envelope = {.task = task, .id = id, .args_json = args_json, .key = key};
    return send_envelope(client, queue_name, &envelope, tag);
}

shared_status shared_queue_send_message(shared_client *client, const char *queue_name,
                                        const shared_message *message, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (!message) return fail(SHARED_EINVALID, "message: NULL");
    struct envelope envelope = message_envelope(message);
    return send_envelope(client, queue_name, &envelope, tag);
}

static void fail_for_memory(struct errand *errand) {
    struct shared_error error;
    error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "queue: out of memory");
    errand->done(errand, NULL, &error);
}

void produce(struct errand *errand, struct envelope *envelope) {
    struct queue *queue = queue_of(errand);
    struct buffer text = {.data = NULL};
    envelope->reply_to = queue->reply_to;
    envelope->origin = queue->origin;
    envelope_write(&text, envelope);
    produce_declare(queue, envelope->queue);
    char list[QUEUE_KEY_SIZE];
    queue_list_name(list, envelope->queue, envelope->priority / 3);
    if (text.failed) {
        fail_for_memory(errand);
    } else if (!envelope->key) {
        const char *words[] = {"LPUSH", list, text.data};
        size_t sizes[] = {5, strlen(list), text.size};
        errand_send(errand, queue->broker, 3, words, sizes);
    } else {
        char live[QUEUE_KEY_SIZE];
        queue_key(live, PREFIX_LIVE, envelope->queue);
        const char *words[] = {list, live, text.data, envelope->key, envelope->id};
        size_t sizes[] = {strlen(list), strlen(live), text.size, strlen(envelope->key),
                          strlen(envelope->id)};
        errand_run(errand, queue->broker, &script_send, 2, 5, words, sizes);
    }
    buffer_finish(&text);
}

/* --- bindings: kombu's tables of queues --------------------------------------------------------------- */

struct declared {
    struct name name;
    char text[QUEUE_NAME_SIZE];
};

static void check_declared(struct errand *errand, const struct reply *reply,
                           const struct shared_error *error) {
    (void)reply;
    if (error) produce_forget(queue_of(errand));
    errand_free(errand);
}

void produce_declare(struct queue *queue, const char *name) {
    if (names_find(&queue->declared, name)) return;
    struct declared *declared = calloc(1, sizeof *declared);
    if (!declared) return;
    memcpy(declared->text, name, strlen(name) + 1);
    if (!names_add(&queue->declared, &declared->name, declared->text)) {
        free(declared);
        return;
    }
    struct buffer member = {.data = NULL}; /* NOLINT: declared is in the table, and not lost */
    buffer_format(&member, "%s" PRIORITY_MARK PRIORITY_MARK "%s", name, name);
    static const char *const prefixes[] = {"_kombu.binding.", "_kombu.binding_permanent."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !member.failed; i++) {
        char key[QUEUE_KEY_SIZE + 16];
        struct errand *errand = errand_new(&queue->errands, sizeof *errand, check_declared);
        if (!errand) break;
        snprintf(key, sizeof key, "%s%s", prefixes[i], name);
        errand_send(errand, queue->broker, 3, (const char *[]){"SADD", key, member.data}, NULL);
    }
    buffer_finish(&member);
}

void produce_forget(struct queue *queue) {
    for (size_t i = 0; i < queue->declared.slot_count; i++) {
        for (struct name *name = queue->declared.slots[i], *next; name; name = next) {
            next = name->next;
            free(name);
        }
    }
    names_finish(&queue->declared);
}
