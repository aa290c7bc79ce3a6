/* SPDX-License-Identifier: MIT
 * rows.c - events, rows, records and binds between the library and JavaScript, a call each. Never waits.
 */
#include "rows.h"

#include <stdlib.h>

#include "text.h"
#include "values.h"

/* What one drain() makes at most, before it comes back to Node's loop. */
enum { CELLS_MAX = 8192, BYTES_MAX = 1 << 20, EVENTS_MAX = 512 };
enum { HOW_ADD, HOW_UPDATE, HOW_DELETE };

/* How far an answer of many rows has come. The event is the client's, until drain() asks for the next one. */
struct cursor {
    const shared_event *event;
    int64_t row;
};

/* What is being made of events. */
struct batch {
    napi_env env;
    struct cursor *cursor;
    napi_value list;
    uint32_t length;
    size_t cells, bytes;
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

static void cursor_free(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    free(data);
}

napi_value cursor_new(napi_env env) {
    napi_value value = NULL;
    struct cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor) return no_memory(env);
    if (napi_create_external(env, cursor, cursor_free, NULL, &value) != napi_ok) free(cursor);
    return value;
}

/* --- rows ----------------------------------------------------------------------------------------- */

static bool append(napi_env env, napi_value list, uint32_t *length, napi_value value) {
    return value && napi_set_element(env, list, (*length)++, value) == napi_ok;
}

/* Names and types of the columns of raw rows; those of a model are known. */
static bool heads_add(napi_env env, const shared_record *record, const struct column *columns,
                      napi_value list, uint32_t *length) {
    napi_value names = null_of(env), types = null_of(env);
    int32_t count = shared_record_count(record);
    if (!shared_record_model(record)) {
        napi_create_array_with_length(env, (size_t)count, &names);
        napi_create_array_with_length(env, (size_t)count, &types);
        for (int32_t i = 0; i < count; i++) {
            uint32_t name = (uint32_t)i, type = (uint32_t)i;
            if (!append(env, names, &name, text_of(env, shared_record_name(record, i))) ||
                !append(env, types, &type, number_of(env, columns[i].type)))
                return false;
        }
    }
    return append(env, list, length, names) && append(env, list, length, types);
}

static bool row_add(struct batch *batch, shared_record *record, struct column *columns,
                    napi_value list, uint32_t *length) {
    int32_t count = shared_record_count(record);
    for (int32_t i = 0; i < count; i++)
        if (!append(batch->env, list, length,
                    value_of(batch->env, record, &columns[i], &batch->bytes)))
            return false;
    batch->cells += (size_t)count;
    return true;
}

static bool is_full(const struct batch *batch) {
    return batch->cells >= CELLS_MAX || batch->bytes >= BYTES_MAX ||
           batch->length >= EVENTS_MAX * 6;
}

static napi_value rows_from(struct batch *batch, struct column *columns, int64_t first) {
    struct cursor *cursor = batch->cursor;
    int64_t count = shared_event_count(cursor->event);
    uint32_t length = 0;
    napi_value list = NULL;
    napi_create_array(batch->env, &list);
    shared_record *record = shared_event_record(cursor->event, first);
    if (!list || !heads_add(batch->env, record, columns, list, &length)) return NULL;
    do {
        record = shared_event_record(cursor->event, cursor->row);
        if (!record) return no_memory(batch->env);
        if (!row_add(batch, record, columns, list, &length)) return NULL;
    } while (++cursor->row < count && !is_full(batch));
    return list;
}

static napi_value rows_of(struct batch *batch) {
    struct cursor *cursor = batch->cursor;
    if (shared_event_count(cursor->event) <= 0) return null_of(batch->env);
    shared_record *first = shared_event_record(cursor->event, cursor->row);
    struct column *columns = first ? columns_new(cursor->event, first) : NULL;
    if (!columns) return no_memory(batch->env);
    napi_value rows = rows_from(batch, columns, cursor->row);
    free(columns);
    return rows;
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
    int64_t count = shared_event_count(event);
    napi_value error = failure ? error_new(env, failure) : null_of(env);
    napi_value payload = payload_of(batch);
    bool is_rows = shared_event_kind(event) == SHARED_EVENT_ROWS;
    if (!payload) {
        error = exception_take(env);
        payload = null_of(env);
        cursor->row = count;
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
           append(env, batch->list, &batch->length, error);
}

static bool event_next(struct cursor *cursor, shared_client *client) {
    if (cursor->event) return true;
    *cursor = (struct cursor){.event = shared_client_next(client)};
    return cursor->event != NULL;
}

napi_value drain(napi_env env, shared_client *client, napi_value value) {
    struct batch batch = {.env = env};
    napi_value again = NULL;
    if (napi_get_value_external(env, value, (void **)&batch.cursor) != napi_ok) {
        invalid_throw(env, "cursor: as cursor_new gave it");
        return NULL;
    }
    if (!good(env, shared_client_dispatch(client, 0))) return NULL;
    napi_create_array(env, &batch.list);
    if (!append(env, batch.list, &batch.length, null_of(env))) return NULL;
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
    struct batch batch = {.env = env};
    uint32_t length = 0;
    napi_value list = NULL;
    struct column *columns = columns_of(record, bigs);
    if (!columns) return no_memory(env);
    napi_create_array(env, &list);
    bool whole = list && row_add(&batch, record, columns, list, &length);
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
