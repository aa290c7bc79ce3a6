/* SPDX-License-Identifier: MIT
 * outbox.c - tasks that wait in a session, and the one statement that stores them. Never sends a task:
 * queue/relay.c does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/json.h"
#include "session/session_private.h"

enum {
    TASK_SIZE_MAX = 255,
    KEY_SIZE_MAX = 1020, /* what the task is about: an id of 255 characters */
    ARGS_SIZE_MAX = 1024 * 1024
};

void outbox_row_free(struct outbox_row *row) {
    if (!row) return;
    free(row->queue);
    free(row->task);
    free(row->args_json);
    free(row->key);
    free(row);
}

void outbox_free(struct outbox_row *rows) {
    while (rows) {
        struct outbox_row *row = rows;
        rows = row->next;
        outbox_row_free(row);
    }
}

void outbox_cut(struct outbox_row **rows, struct outbox_row *last) {
    struct outbox_row **end = last ? &last->next : rows;
    outbox_free(*end);
    *end = NULL;
}

static shared_status check(const char *task, const char *args_json, const char *key) {
    size_t size = task ? strlen(task) : 0, key_size = key ? strlen(key) : 0;
    if (!size || size > TASK_SIZE_MAX || !text_is_utf8(task, size))
        return fail(SHARED_EINVALID, "task: %zu bytes, must be 1 to %d of UTF-8", size,
                    TASK_SIZE_MAX);
    if (key_size > KEY_SIZE_MAX || !text_is_utf8(key ? key : "", key_size))
        return fail(SHARED_EINVALID, "key: %zu bytes, at most %d of UTF-8", key_size, KEY_SIZE_MAX);
    size = args_json ? strlen(args_json) : 0;
    if (size > ARGS_SIZE_MAX)
        return fail(SHARED_EINVALID, "args_json: %zu bytes, at most %d", size, ARGS_SIZE_MAX);
    shared_status status = size ? json_check(args_json, size, '[') : SHARED_EINVALID;
    if (status == SHARED_ENOMEM) return fail(SHARED_ENOMEM, "args_json: out of memory");
    if (status < 0) return fail(SHARED_EINVALID, "args_json of task %s: must be a JSON list", task);
    return SHARED_OK;
}

shared_status shared_session_enqueue(shared_session *session, const char *task,
                                     const char *args_json, const char *key) {
    if (!session) return fail(SHARED_EINVALID, "session is NULL");
    shared_status status = client_check(session->client);
    if (status >= 0) status = check(task, args_json, key);
    if (status < 0) return status;
    if (session->change_count >= session->sessions->changes_max)
        return fail(SHARED_EBUSY, "session: %d changes wait, at most SESSION_CHANGES_MAX",
                    session->change_count);
    const char *queue = shared_config_get(client_config(session->client), "QUEUE_NAME");
    struct outbox_row *row = calloc(1, sizeof *row);
    if (row) {
        uuid_make_v4(row->id);
        row->queue = text_copy(queue);
        row->task = text_copy(task);
        row->args_json = text_copy(args_json);
        row->key = text_copy(key);
    }
    if (!row || !row->queue || !row->task || !row->args_json || (key && !row->key)) {
        outbox_row_free(row);
        return fail(SHARED_ENOMEM, "session: out of memory");
    }
    *(session->last_outbox ? &session->last_outbox->next : &session->outbox) = row;
    session->last_outbox = row;
    session->change_count++;
    return SHARED_OK;
}

static const char *column_of(const struct outbox_row *row, int32_t column) {
    const char *const columns[] = {row->id, row->queue, row->task, row->args_json, row->key};
    return columns[column];
}

shared_status outbox_build(struct statement *statement, const struct outbox_row *rows,
                           int32_t count) {
    enum { COLUMNS = 5 };
    const char **texts = malloc((size_t)count * sizeof *texts);
    bool complete = texts != NULL;
    for (int32_t column = 0; complete && column < COLUMNS; column++) {
        const struct outbox_row *row = rows;
        for (int32_t i = 0; i < count; i++, row = row->next) texts[i] = column_of(row, column);
        complete =
            parameters_set_text_array(&statement->parameters, column, texts, NULL, (size_t)count);
    }
    free(texts);
    buffer_add_text(&statement->sql, "INSERT INTO task_outbox (id, queue, task, args_json, key)"
                                     " SELECT * FROM unnest($1, $2, $3, $4, $5)");
    if (complete && !statement->sql.failed) return SHARED_OK;
    return fail(SHARED_ENOMEM, "session: out of memory");
}
