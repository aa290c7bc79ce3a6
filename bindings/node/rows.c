/* SPDX-License-Identifier: MIT
 * rows.c - events, rows, records and binds between the library and JavaScript, a call each. Never waits.
 */
#include "rows.h"

#include <stdlib.h>

#include "text.h"
#include "values.h"

/* What one drain() makes at most, before it comes back to Node's loop. */
enum { CELLS_MAX = 8192, COLUMNS_MAX = 1664, BYTES_MAX = 1 << 20, EVENTS_MAX = 512, PARTS = 8 };
enum { HOW_ADD, HOW_UPDATE, HOW_DELETE };

/* How far an answer of many rows has come. The event is the client's, until drain() asks for the next one. */
struct cursor {
    const shared_event *event;
    int64_t row;
    void *cells, *flags; /* of the ArrayBuffers, which the client has for as long */
};

/* What is being made of events. */
struct batch {
    napi_env env;
    struct cursor *cursor;
    napi_value list;
    uint32_t length;
    struct cells cells;
    uint32_t used; /* cells */
    size_t bytes;
};

/* --- small values --------------------------------------------------------------------------------- */

static napi_value null_of(napi_env env) {
    napi_value value = NULL;
    napi_get_null(env, &value);
    return value;
}

static napi_value undefined_of(napi_env env) {
    napi_value value = NULL;
    napi_get_undefined(env, &value);
    return value;
}

static napi_value number_of(napi_env env, double number) {
    napi_value value = NULL;
    napi_create_double(env, number, &value);
    return value;
}

static napi_value text_of(napi_env env, const char *text) {
    napi_value value = NULL;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    return value;
}

static napi_value no_memory(napi_env env) {
    napi_throw_error(env, "ENOMEM", "out of memory");
    return NULL;
}

napi_value setup(napi_env env, napi_value make_error) {
    return errors_setup(env, make_error) ? undefined_of(env) : NULL;
}

static bool append(napi_env env, napi_value list, uint32_t *length, napi_value value) {
    return value && napi_set_element(env, list, (*length)++, value) == napi_ok;
}

static void cursor_free(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    free(data);
}

/* Room for a whole row more than is asked for: it is looked at behind each. */
napi_value cursor_new(napi_env env) {
    enum { CELLS = CELLS_MAX + COLUMNS_MAX };
    napi_value parts[3] = {NULL}, list = NULL;
    uint32_t length = 0;
    struct cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor) return no_memory(env);
    if (napi_create_external(env, cursor, cursor_free, NULL, &parts[0]) != napi_ok) {
        free(cursor);
        return NULL;
    }
    napi_create_arraybuffer(env, CELLS * sizeof(double), &cursor->cells, &parts[1]);
    napi_create_arraybuffer(env, CELLS, &cursor->flags, &parts[2]);
    napi_create_array(env, &list);
    for (size_t i = 0; i < 3; i++)
        if (!append(env, list, &length, parts[i])) return NULL;
    return list;
}

/* --- rows ----------------------------------------------------------------------------------------- */

/* Names and types of the columns of raw rows; those of a model are known: null. */
static napi_value heads_of(napi_env env, const shared_record *record,
                           const struct column *columns) {
    napi_value names = NULL, types = NULL, heads = NULL;
    int32_t count = shared_record_count(record);
    if (shared_record_model(record)) return null_of(env);
    napi_create_array_with_length(env, (size_t)count, &names);
    napi_create_array_with_length(env, (size_t)count, &types);
    for (int32_t i = 0; i < count; i++) {
        uint32_t name = (uint32_t)i, type = (uint32_t)i;
        if (!append(env, names, &name, text_of(env, shared_record_name(record, i))) ||
            !append(env, types, &type, number_of(env, columns[i].type)))
            return NULL;
    }
    uint32_t length = 0;
    napi_create_array_with_length(env, 2, &heads);
    bool whole = append(env, heads, &length, names) && append(env, heads, &length, types);
    return whole ? heads : NULL;
}

static bool is_full(const struct batch *batch) {
    return batch->used >= CELLS_MAX || batch->bytes >= BYTES_MAX ||
           batch->length >= EVENTS_MAX * PARTS;
}

static bool row_add(struct batch *batch, shared_record *record, struct column *columns,
                    int32_t count) {
    for (int32_t i = 0; i < count; i++)
        if (!cell_write(batch->env, record, &columns[i], &batch->cells, batch->used++,
                        &batch->bytes))
            return false;
    return true;
}

static bool rows_add(struct batch *batch, struct column *columns, int32_t count) {
    struct cursor *cursor = batch->cursor;
    int64_t rows = shared_event_count(cursor->event);
    do {
        shared_record *record = shared_event_record(cursor->event, cursor->row);
        if (!record) return no_memory(batch->env) != NULL;
        if (!row_add(batch, record, columns, count)) return false;
    } while (++cursor->row < rows && !is_full(batch));
    return true;
}

static napi_value rows_of(struct batch *batch) {
    struct cursor *cursor = batch->cursor;
    if (shared_event_count(cursor->event) <= 0) return null_of(batch->env);
    shared_record *record = shared_event_record(cursor->event, cursor->row);
    int32_t count = record ? shared_record_count(record) : 0;
    struct column *columns = record ? columns_new(cursor->event, record) : NULL;
    if (!columns) return no_memory(batch->env);
    napi_value heads = heads_of(batch->env, record, columns);
    bool whole = heads && count <= COLUMNS_MAX && rows_add(batch, columns, count);
    free(columns);
    return whole ? heads : NULL;
}

/* --- events --------------------------------------------------------------------------------------- */

static napi_value message_of(napi_env env, const shared_event *event) {
    const char *id = shared_event_id(event), *json = shared_event_json(event);
    if (!*id && !*json) return null_of(env);
    napi_value list = NULL;
    uint32_t length = 0;
    napi_create_array_with_length(env, 3, &list);
    bool whole = append(env, list, &length, text_of(env, id)) &&
                 append(env, list, &length, text_of(env, json)) &&
                 append(env, list, &length, text_of(env, shared_event_document(event)));
    return whole ? list : NULL;
}

static napi_value payload_of(struct batch *batch) {
    const shared_event *event = batch->cursor->event;
    switch (shared_event_kind(event)) {
    case SHARED_EVENT_ROWS: return rows_of(batch);
    case SHARED_EVENT_TASK:
        return task_handle(batch->env, shared_task_ref(shared_event_task(event)));
    default: return message_of(batch->env, event);
    }
}

/* The exception that is pending, taken: what JavaScript cannot hold is the error of its own request, and the other
 * events must not be lost with it. */
static napi_value exception_take(napi_env env) {
    napi_value error = NULL;
    bool is_pending = false;
    napi_is_exception_pending(env, &is_pending);
    if (is_pending) napi_get_and_clear_last_exception(env, &error);
    return error ? error : null_of(env);
}

/* Only the first of an answer's events has its error; an answer with rows has none. */
static bool event_add(struct batch *batch) {
    napi_env env = batch->env;
    struct cursor *cursor = batch->cursor;
    const shared_event *event = cursor->event;
    const shared_error *failure = shared_event_error(event);
    int64_t count = shared_event_count(event), row = cursor->row;
    uint32_t first = batch->used;
    napi_value error = failure ? error_new(env, failure) : null_of(env);
    napi_value payload = payload_of(batch);
    bool is_rows = shared_event_kind(event) == SHARED_EVENT_ROWS;
    if (!payload) {
        error = exception_take(env);
        payload = null_of(env);
        cursor->row = row = count; /* no further rows, and none of these */
    }
    bool goes_on = is_rows && cursor->row < count;
    int32_t more = goes_on ? 2 : shared_event_more(event);
    if (!goes_on) cursor->event = NULL;
    return append(env, batch->list, &batch->length,
                  number_of(env, (double)shared_event_tag(event))) &&
           append(env, batch->list, &batch->length, number_of(env, more)) &&
           append(env, batch->list, &batch->length, number_of(env, shared_event_kind(event))) &&
           append(env, batch->list, &batch->length, number_of(env, (double)count)) &&
           append(env, batch->list, &batch->length, payload) &&
           append(env, batch->list, &batch->length, error) &&
           append(env, batch->list, &batch->length, number_of(env, first)) &&
           append(env, batch->list, &batch->length, number_of(env, (double)(cursor->row - row)));
}

static bool event_next(struct cursor *cursor, shared_client *client) {
    if (cursor->event) return true;
    cursor->event = shared_client_next(client);
    cursor->row = 0;
    return cursor->event != NULL;
}

static bool batch_init(struct batch *batch, napi_value cursor) {
    napi_env env = batch->env;
    if (napi_get_value_external(env, cursor, (void **)&batch->cursor) != napi_ok) {
        invalid_throw(env, "cursor: as cursor_new gave it");
        return false;
    }
    batch->cells.numbers = batch->cursor->cells;
    batch->cells.flags = batch->cursor->flags;
    napi_create_array(env, &batch->list);
    napi_create_array(env, &batch->cells.list);
    return append(env, batch->list, &batch->length, null_of(env)) &&
           append(env, batch->list, &batch->length, batch->cells.list);
}

napi_value drain(napi_env env, shared_client *client, napi_value cursor) {
    struct batch batch = {.env = env};
    napi_value again = NULL;
    if (!batch_init(&batch, cursor) || !good(env, shared_client_dispatch(client, 0))) return NULL;
    while (!is_full(&batch) && event_next(batch.cursor, client))
        if (!event_add(&batch)) return NULL;
    napi_get_boolean(env, batch.cursor->event != NULL, &again);
    return napi_set_element(env, batch.list, 0, again) == napi_ok ? batch.list : NULL;
}

/* --- records and binds ---------------------------------------------------------------------------- */

/* The fields of a record from the values of a list, from `place` on. */
static bool fields_set(napi_env env, shared_record *record, napi_value values, uint32_t place) {
    int32_t count = shared_record_count(record);
    for (int32_t i = 0; i < count; i++) {
        napi_value value;
        if (napi_get_element(env, values, place + (uint32_t)i, &value) != napi_ok ||
            !value_set(env, record, shared_record_field(record, i), value))
            return false;
    }
    return true;
}

static shared_record *record_make(napi_env env, int32_t model, napi_value values, uint32_t place) {
    shared_record *record = NULL;
    if (!good(env, shared_record_new(model, &record))) return NULL;
    if (fields_set(env, record, values, place)) return record;
    shared_record_unref(record);
    return NULL;
}

napi_value record_from_values(napi_env env, int32_t model, napi_value values) {
    shared_record *record = record_make(env, model, values, 0);
    return record ? record_handle(env, record) : NULL;
}

napi_value session_change(napi_env env, shared_session *session, int32_t model, napi_value values,
                          int32_t how) {
    static shared_status (*const changes[])(shared_session *, shared_record *) = {
        [HOW_ADD] = shared_session_add,
        [HOW_UPDATE] = shared_session_update,
        [HOW_DELETE] = shared_session_delete};
    if (how < HOW_ADD || how > HOW_DELETE) {
        invalid_throw(env, "how: %d, from 0 to 2", (int)how);
        return NULL;
    }
    shared_record *record = record_make(env, model, values, 0);
    if (!record) return NULL;
    if (good(env, changes[how](session, record))) return record_handle(env, record);
    shared_record_unref(record);
    return NULL;
}

napi_value session_copy_all(napi_env env, shared_session *session, int32_t model,
                            napi_value values) {
    uint32_t length = 0;
    if (napi_get_array_length(env, values, &length) != napi_ok) return NULL;
    for (uint32_t place = 0; place < length;) {
        napi_handle_scope scope;
        napi_open_handle_scope(env, &scope);
        shared_record *record = record_make(env, model, values, place);
        bool whole = record && good(env, shared_session_copy(session, record));
        if (record) place += (uint32_t)shared_record_count(record);
        shared_record_unref(record);
        napi_close_handle_scope(env, scope);
        if (!whole) return NULL;
    }
    return undefined_of(env);
}

napi_value record_values(napi_env env, shared_record *record, int32_t bigs) {
    uint32_t length = 0;
    napi_value list = NULL;
    int32_t count = shared_record_count(record);
    struct column *columns = columns_of(record, bigs);
    if (!columns) return no_memory(env);
    napi_create_array_with_length(env, (size_t)count, &list);
    bool whole = list != NULL;
    for (int32_t i = 0; whole && i < count; i++)
        whole = append(env, list, &length, value_of(env, record, &columns[i]));
    free(columns);
    return whole ? list : NULL;
}

napi_value query_bind_all(napi_env env, shared_query *query, napi_value values) {
    uint32_t length = 0;
    if (napi_get_array_length(env, values, &length) != napi_ok) return NULL;
    for (uint32_t i = 0; i + 1 < length; i += 2) {
        napi_value type, value;
        int32_t number = 0;
        if (napi_get_element(env, values, i, &type) != napi_ok ||
            napi_get_element(env, values, i + 1, &value) != napi_ok ||
            napi_get_value_int32(env, type, &number) != napi_ok ||
            !value_bind(env, query, (int32_t)(i / 2 + 1), number, value))
            return NULL;
    }
    return undefined_of(env);
}
