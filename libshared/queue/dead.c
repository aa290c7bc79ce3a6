/* SPDX-License-Identifier: MIT
 * dead.c - messages that were set aside: looked at, put back into their queue, dropped. Their bytes are
 * moved as they are. Never reads what a message asks for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "queue/queue.h"

enum {
    LIMIT_MAX = 100,
    TOLD_SIZE_MAX = 65536, /* of a message in a list: bytes */
    MOVED_AT_ONCE = 500,
    REPLY_ITEMS = 6
};

/* --- list ------------------------------------------------------------------------------------------- */

static void add_text(struct buffer *out, const char *before, const char *text, size_t size) {
    buffer_add_text(out, before);
    if (size && text_is_utf8(text, size))
        buffer_add_json(out, text, size);
    else
        buffer_add_text(out, "null");
}

static void add_member(struct buffer *out, const char *before, const struct reply *text) {
    add_text(out, before, text->text, text->size);
}

/* "milliseconds reason". */
static void add_why(struct buffer *out, const struct reply *why) {
    const char *space = why->size ? memchr(why->text, ' ', why->size) : NULL;
    int64_t time_ms;
    if (!space ||
        !text_to_int(why->text, (size_t)(space - why->text), 0, TIME_MAX_US / 1000, &time_ms)) {
        buffer_add_text(out, ",\"reason\":null,\"time\":null");
        return;
    }
    char time[TIME_TEXT_SIZE];
    time_to_rfc3339(time_ms * 1000, time);
    add_text(out, ",\"reason\":", space + 1, why->size - (size_t)(space + 1 - why->text));
    buffer_format(out, ",\"time\":\"%s\"", time);
}

static void add_entry(struct buffer *out, struct reply *const *items) {
    const struct reply *message = items[5];
    add_member(out, "{\"id\":", items[0]);
    add_member(out, ",\"task_id\":", items[3]);
    add_member(out, ",\"name\":", items[4]);
    add_why(out, items[1]);
    buffer_format(out, ",\"size\":%" PRId64, items[2]->integer);
    add_member(out, ",\"message\":", message);
    if (message->size && !text_is_utf8(message->text, message->size)) {
        buffer_add_text(out, ",\"base64\":\"");
        text_to_base64(out, message->text, message->size);
        buffer_add_char(out, '"');
    }
    buffer_add_char(out, '}');
}

static void check_listed(struct errand *errand, const struct reply *reply,
                         const struct shared_error *error) {
    struct buffer json = {.data = NULL};
    struct shared_error other;
    size_t count = !error && reply->type == REPLY_ARRAY ? reply->count / REPLY_ITEMS : 0;
    bool gone = !error && count == 0 && reply->count == 1;
    buffer_add_text(&json, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&json, i ? ",\n" : "\n");
        add_entry(&json, reply->items + i * REPLY_ITEMS);
    }
    buffer_add_text(&json, count ? "\n]" : "]");
    if (json.failed)
        error_set(&other, SHARED_SYSTEM, SHARED_ENOMEM, "queue: out of memory");
    else if (gone)
        error_set(&other, SHARED_CALLER, SHARED_ENOTFOUND, "after: no such message is set aside");
    if (json.failed || gone) error = &other;
    if (errand->request && !error) errand->request->event->json = buffer_take(&json);
    errand_answer(errand, (int64_t)count, error);
    buffer_finish(&json);
    errand_free(errand);
}

/* The queue's name, or NULL and fail(). */
static const char *begin(shared_client *client, const char *queue_name) {
    struct queue *queue = client_queue(client);
    return queue ? queue_name_check(queue, queue_name) : NULL;
}

shared_status shared_queue_dead(shared_client *client, const char *queue_name, const char *after,
                                int32_t limit, uint64_t tag) {
    shared_status status = client_check(client);
    if (status == SHARED_OK && after)
        status = queue_text_check("after", after, CELERY_NAME_SIZE_MAX);
    if (status < 0) return status;
    if (limit < 1 || limit > LIMIT_MAX)
        return fail(SHARED_EINVALID, "limit: %d, from 1 to %d", limit, LIMIT_MAX);
    const char *name = begin(client, queue_name);
    if (!name) return shared_error_code(shared_error_last());
    struct queue *queue = client_queue(client);
    struct errand *errand = errand_new(&queue->errands, sizeof *errand, check_listed);
    if (!errand) return SHARED_ENOMEM;
    status = errand_request(errand, tag);
    if (status < 0) {
        errand_free(errand);
        return status;
    }
    char dead[QUEUE_KEY_SIZE], most[24], size_max[24];
    queue_key(dead, PREFIX_DEAD, name);
    snprintf(most, sizeof most, "%d", (int)limit);
    snprintf(size_max, sizeof size_max, "%d", TOLD_SIZE_MAX);
    const char *words[] = {dead, after ? after : "", most, size_max};
    errand_run(errand, queue->broker, &script_dead, 1, 4, words, NULL);
    return SHARED_OK;
}

/* --- requeue and drop ---------------------------------------------------------------------------------- */

struct moving {
    struct errand errand;
    const char *how;
    char queue_name[QUEUE_NAME_SIZE];
    char id[CELERY_NAME_SIZE_MAX + 1]; /* "": all that were there when it began */
    bool begun;
    int64_t left; /* of those, once it has begun */
    int64_t moved;
};

static void move_some(struct moving *moving) {
    char dead[QUEUE_KEY_SIZE], live[QUEUE_KEY_SIZE], lists[PRIORITY_STEPS][QUEUE_KEY_SIZE];
    char most[24];
    const char *words[2 + PRIORITY_STEPS + 3] = {dead, live};
    queue_key(dead, PREFIX_DEAD, moving->queue_name);
    queue_key(live, PREFIX_LIVE, moving->queue_name);
    for (int32_t step = 0; step < PRIORITY_STEPS; step++) {
        queue_list_name(lists[step], moving->queue_name, step);
        words[2 + step] = lists[step];
    }
    bool some = moving->begun && moving->left < MOVED_AT_ONCE;
    snprintf(most, sizeof most, "%" PRId64, some ? moving->left : MOVED_AT_ONCE);
    words[2 + PRIORITY_STEPS] = moving->how;
    words[3 + PRIORITY_STEPS] = moving->id;
    words[4 + PRIORITY_STEPS] = most;
    errand_run(&moving->errand, queue_of(&moving->errand)->broker, &script_dead_move,
               2 + PRIORITY_STEPS, 5 + PRIORITY_STEPS, words, NULL);
}

/* Those that are set aside again meanwhile are behind the ones to move, and stay: it ends. */
static void check_moved(struct errand *errand, const struct reply *reply,
                        const struct shared_error *error) {
    struct moving *moving = (struct moving *)errand;
    bool told = !error && reply->type == REPLY_ARRAY && reply->count == 2;
    int64_t count = told ? reply->items[0]->integer : 0;
    moving->moved += count;
    moving->left = moving->begun ? moving->left - count : (told ? reply->items[1]->integer : 0);
    moving->begun = true;
    if (!error && !*moving->id && count > 0 && moving->left > 0) {
        move_some(moving);
        return;
    }
    struct shared_error absent;
    if (!error && *moving->id && count == 0) {
        error_set(&absent, SHARED_CALLER, SHARED_ENOTFOUND,
                  "message %.255s: is not set aside in %s", moving->id, moving->queue_name);
        error = &absent;
    }
    errand_answer(errand, moving->moved, error);
    errand_free(errand);
}

static shared_status move(shared_client *client, const char *queue_name, const char *how,
                          const char *id, uint64_t tag) {
    shared_status status = SHARED_OK;
    if (id) status = queue_text_check("id", id, CELERY_NAME_SIZE_MAX);
    if (status < 0) return status;
    const char *name = begin(client, queue_name);
    if (!name) return shared_error_code(shared_error_last());
    struct moving *moving = errand_new(&client_queue(client)->errands, sizeof *moving, check_moved);
    if (!moving) return SHARED_ENOMEM;
    status = errand_request(&moving->errand, tag);
    if (status < 0) {
        errand_free(&moving->errand);
        return status;
    }
    moving->how = how;
    memcpy(moving->queue_name, name, strlen(name) + 1);
    if (id) memcpy(moving->id, id, strlen(id) + 1);
    move_some(moving);
    return SHARED_OK;
}

shared_status shared_queue_dead_requeue(shared_client *client, const char *queue_name,
                                        const char *id, uint64_t tag) {
    shared_status status = client_check(client);
    return status < 0 ? status : move(client, queue_name, "requeue", id, tag);
}

shared_status shared_queue_dead_drop(shared_client *client, const char *queue_name, const char *id,
                                     uint64_t tag) {
    shared_status status = client_check(client);
    return status < 0 ? status : move(client, queue_name, "drop", id, tag);
}
