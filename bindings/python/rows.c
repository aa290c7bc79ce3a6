/* SPDX-License-Identifier: MIT
 * rows.c - events, rows, records and binds between the library and Python, a call each. Knows no asyncio
 * and keeps no state but the few things of Python that it calls. Limited API of 3.11.
 */
#include "rows.h"

#include <string.h>

#include "objects.h"
#include "values.h"

enum { HANDLE_NAME_MAX = 64 };

static const char ROWS[] = "shared.rows";
static PyObject *make_error, *unset;

PyObject *setup(PyObject *error, PyObject *adapt, PyObject *not_given) {
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "shared: works in the main interpreter only");
        return NULL;
    }
    Py_XDECREF(make_error);
    Py_XDECREF(unset);
    make_error = Py_NewRef(error);
    unset = Py_NewRef(not_given);
    if (!values_setup(adapt) || !objects_setup()) return NULL;
    Py_RETURN_NONE;
}

const char *implementation(void) {
    return IMPLEMENTATION;
}

PyObject *python_unset(void) {
    return unset;
}

/* --- errors --------------------------------------------------------------------------------------- */

static PyObject *error_new(const shared_error *error) {
    return PyObject_CallFunction(
        make_error, "iiisssss", (int)shared_error_class(error), (int)shared_error_domain(error),
        (int)shared_error_code(error), shared_error_sqlstate(error), shared_error_message(error),
        shared_error_detail(error), shared_error_hint(error), shared_error_operation(error));
}

void python_raise(const shared_error *error) {
    PyObject *exception = error_new(error);
    if (!exception) return;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
}

/* --- texts ---------------------------------------------------------------------------------------- */

bool python_text(PyObject *value, const char **out) {
    Py_ssize_t size = 0;
    *out = NULL;
    if (value == Py_None) return true;
    *out = PyUnicode_AsUTF8AndSize(value, &size);
    if (!*out) return false;
    if (strlen(*out) == (size_t)size) return true;
    PyErr_SetString(PyExc_ValueError, "a text with a NUL in it: PostgreSQL and C stop there");
    return false;
}

bool python_texts_init(struct python_texts *texts, PyObject *value) {
    *texts = (struct python_texts){.sequence = PySequence_Tuple(value)};
    if (!texts->sequence) return false;
    Py_ssize_t count = PyTuple_Size(texts->sequence);
    texts->items = PyMem_Calloc((size_t)count + 1, sizeof *texts->items);
    bool good = texts->items != NULL;
    if (!good) PyErr_NoMemory();
    for (Py_ssize_t i = 0; good && i < count; i++)
        good = python_text(PyTuple_GetItem(texts->sequence, i), &texts->items[i]);
    texts->count = (size_t)count;
    if (!good) python_texts_finish(texts);
    return good;
}

void python_texts_finish(struct python_texts *texts) {
    PyMem_Free(texts->items);
    Py_XDECREF(texts->sequence);
    *texts = (struct python_texts){.items = NULL};
}

/* --- events --------------------------------------------------------------------------------------- */

static PyObject *row_tuple(shared_record *record, struct column *columns, int32_t count) {
    PyObject *row = PyTuple_New(count);
    for (int32_t i = 0; row && i < count; i++) {
        PyObject *value = value_of(record, &columns[i]);
        if (!value) {
            Py_CLEAR(row);
            break;
        }
        PyTuple_SetItem(row, i, value);
    }
    return row;
}

static PyObject *names_tuple(const shared_record *record) {
    int32_t count = shared_record_count(record);
    PyObject *names = PyTuple_New(count);
    for (int32_t i = 0; names && i < count; i++) {
        PyObject *name = PyUnicode_FromString(shared_record_name(record, i));
        if (!name || PyTuple_SetItem(names, i, name) < 0) Py_CLEAR(names);
    }
    return names;
}

static void rows_free(PyObject *capsule) {
    struct python_rows *rows = PyCapsule_GetPointer(capsule, ROWS);
    for (Py_ssize_t i = 0; i < rows->count; i++) shared_record_unref(rows->records[i]);
    PyMem_Free(rows);
}

/* They are made values of where somebody knows of what: objects, or tuples. None when there is none. */
static PyObject *rows_kept(const shared_event *event) {
    Py_ssize_t count = (Py_ssize_t)shared_event_count(event);
    if (count <= 0) Py_RETURN_NONE;
    struct python_rows *rows =
        PyMem_Calloc(1, sizeof *rows + (size_t)count * sizeof *rows->records);
    PyObject *capsule = rows ? PyCapsule_New(rows, ROWS, rows_free) : PyErr_NoMemory();
    if (!capsule) PyMem_Free(rows);
    for (; capsule && rows->count < count; rows->count++) {
        rows->records[rows->count] = shared_record_ref(shared_event_record(event, rows->count));
        if (rows->records[rows->count]) continue;
        PyErr_NoMemory();
        Py_CLEAR(capsule);
    }
    return capsule;
}

const struct python_rows *python_rows_of(PyObject *capsule) {
    if (PyCapsule_IsValid(capsule, ROWS)) return PyCapsule_GetPointer(capsule, ROWS);
    return (void *)PyErr_Format(PyExc_TypeError, "rows: as drain() gives them, not %R", capsule);
}

PyObject *rows_list(PyObject *capsule) {
    const struct python_rows *rows = python_rows_of(capsule);
    if (!rows) return NULL;
    int32_t fields = shared_record_count(rows->records[0]);
    struct column *columns = columns_new(rows->records[0]);
    PyObject *list = columns ? PyList_New(rows->count + 1) : NULL;
    PyObject *names = list ? names_tuple(rows->records[0]) : NULL;
    if (list && (!names || PyList_SetItem(list, 0, names) < 0)) Py_CLEAR(list);
    for (Py_ssize_t i = 0; list && i < rows->count; i++) {
        PyObject *row = row_tuple(rows->records[i], columns, fields);
        if (!row || PyList_SetItem(list, i + 1, row) < 0) Py_CLEAR(list);
    }
    columns_free(columns);
    return list;
}

/* What Python has no one type for is left to the reader. */
static bool is_plain(int32_t type) {
    switch (type) {
    case SHARED_TYPE_TEXT:
    case SHARED_TYPE_INT:
    case SHARED_TYPE_FLOAT:
    case SHARED_TYPE_BOOL:
    case SHARED_TYPE_NUMERIC:
    case SHARED_TYPE_UUID:
    case SHARED_TYPE_BYTES: return true;
    default: return false;
    }
}

static PyObject *described_rows(const shared_event *event) {
    int64_t count = shared_event_count(event);
    shared_record *first = count ? shared_event_record(event, 0) : NULL;
    struct column *columns = first ? columns_new(first) : NULL;
    PyObject *rows = first && !columns ? NULL : PyList_New((Py_ssize_t)count);
    for (struct column *column = columns; column && column->field >= 0; column++)
        column->as_text = !is_plain(column->type);
    for (int64_t i = 0; rows && i < count; i++) {
        PyObject *row =
            row_tuple(shared_event_record(event, i), columns, shared_record_count(first));
        if (!row || PyList_SetItem(rows, (Py_ssize_t)i, row) < 0) Py_CLEAR(rows);
    }
    columns_free(columns);
    return rows;
}

static PyObject *described(const shared_event *event) {
    int32_t count = shared_event_columns(event);
    PyObject *names = PyList_New(count), *types = PyList_New(count);
    for (int32_t i = 0; names && types && i < count; i++) {
        PyObject *name = PyUnicode_FromString(shared_event_column_name(event, i));
        PyObject *type = PyLong_FromLongLong(shared_event_column_type(event, i));
        if (!name || PyList_SetItem(names, i, name) < 0) Py_CLEAR(names);
        if (!type || PyList_SetItem(types, i, type) < 0) Py_CLEAR(types);
    }
    PyObject *rows = names && types ? described_rows(event) : NULL;
    if (rows) return Py_BuildValue("NNN", names, types, rows);
    Py_XDECREF(names);
    Py_XDECREF(types);
    return NULL;
}

static PyObject *payload_of(const shared_event *event) {
    switch (shared_event_kind(event)) {
    case SHARED_EVENT_ROWS:
        return shared_event_tag(event) < DESCRIBED_TAGS ? rows_kept(event) : described(event);
    case SHARED_EVENT_TASK: return task_handle(shared_event_task(event));
    case SHARED_EVENT_DATA: {
        size_t size = 0;
        const char *data = shared_event_data(event, &size);
        return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    }
    default: break;
    }
    const char *id = shared_event_id(event), *json = shared_event_json(event);
    if (!*id && !*json) Py_RETURN_NONE;
    return Py_BuildValue("ss", id, json);
}

/* The exception that is set, taken. */
static PyObject *exception_take(void) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value ? value : Py_NewRef(PyExc_MemoryError);
}

/* What Python cannot hold is the error of its own request: the other events must not be lost with it. */
static PyObject *event_parts(const shared_event *event) {
    const shared_error *failure = shared_event_error(event);
    PyObject *error = failure ? error_new(failure) : Py_NewRef(Py_None);
    PyObject *payload = error ? payload_of(event) : NULL;
    if (!payload) {
        Py_XDECREF(error);
        error = exception_take();
        payload = Py_NewRef(Py_None);
    }
    return Py_BuildValue("KiiLNN", (unsigned long long)shared_event_tag(event),
                         (int)shared_event_more(event), (int)shared_event_kind(event),
                         (long long)shared_event_count(event), payload, error);
}

PyObject *drain(shared_client *client) {
    if (shared_client_dispatch(client, 0) < 0) {
        python_raise(shared_error_last());
        return NULL;
    }
    PyObject *events = PyList_New(0);
    for (const shared_event *event; events && (event = shared_client_next(client));) {
        PyObject *parts = event_parts(event);
        if (!parts || PyList_Append(events, parts) < 0) Py_CLEAR(events);
        Py_XDECREF(parts);
    }
    return events;
}

/* In turns, so that Ctrl-C and other signals are heard. */
PyObject *wait_parts(shared_client *client, uint64_t tag, int32_t timeout_ms) {
    enum { TURN_MS = 200 };
    for (int32_t left_ms = timeout_ms;;) {
        const shared_event *event = NULL;
        int32_t turn_ms = left_ms < TURN_MS ? left_ms : TURN_MS;
        PyThreadState *state = PyEval_SaveThread();
        shared_status status = shared_client_wait(client, tag, turn_ms, &event);
        PyEval_RestoreThread(state);
        if (event) return event_parts(event);
        if (status != SHARED_ETIMEOUT) break;
        if (PyErr_CheckSignals() < 0) return NULL;
        left_ms -= turn_ms;
        if (left_ms <= 0) Py_RETURN_NONE;
    }
    python_raise(shared_error_last());
    return NULL;
}

/* --- the log -------------------------------------------------------------------------------------- */

PyObject *log_pairs_of(const char *logger, int32_t level, const char *message, PyObject *pairs) {
    enum { PAIRS_MAX = 32 };
    const char *names[PAIRS_MAX], *values[PAIRS_MAX];
    PyObject *name, *value;
    Py_ssize_t position = 0;
    int32_t count = 0;
    while (count < PAIRS_MAX && PyDict_Next(pairs, &position, &name, &value)) {
        names[count] = PyUnicode_AsUTF8AndSize(name, NULL);
        values[count] = PyUnicode_AsUTF8AndSize(value, NULL);
        if (!names[count] || !values[count]) return NULL;
        count++;
    }
    shared_log_pairs(logger, level, message, names, values, count);
    Py_RETURN_NONE;
}

/* --- records and binds ---------------------------------------------------------------------------- */

static bool fields_set(shared_record *record, PyObject *values) {
    int32_t count = shared_record_count(record);
    if (!PyTuple_Check(values) || PyTuple_Size(values) != count) {
        PyErr_Format(PyExc_ValueError, "values: a tuple of %d, one for each field", (int)count);
        return false;
    }
    for (int32_t i = 0; i < count; i++) {
        PyObject *value = PyTuple_GetItem(values, i);
        if (value != unset && !value_set(record, shared_record_field(record, i), value))
            return false;
    }
    return true;
}

static shared_record *record_make(int32_t model, PyObject *values) {
    shared_record *record = NULL;
    if (shared_record_new(model, &record) < 0) {
        python_raise(shared_error_last());
        return NULL;
    }
    if (fields_set(record, values)) return record;
    shared_record_unref(record);
    return NULL;
}

PyObject *record_from_values(int32_t model, PyObject *values) {
    shared_record *record = record_make(model, values);
    return record ? record_handle(record) : NULL;
}

PyObject *record_values(shared_record *record) {
    struct column *columns = columns_new(record);
    PyObject *row = columns ? row_tuple(record, columns, shared_record_count(record)) : NULL;
    columns_free(columns);
    return row;
}

PyObject *session_change(shared_session *session, int32_t model, PyObject *values, int32_t how) {
    static shared_status (*const changes[])(shared_session *, shared_record *) = {
        shared_session_add, shared_session_copy, shared_session_update, shared_session_delete};
    if (how < 0 || how >= (int32_t)(sizeof changes / sizeof *changes))
        return PyErr_Format(PyExc_ValueError, "how: %d, from 0 to 3", (int)how);
    shared_record *record = record_make(model, values);
    if (!record) return NULL;
    shared_status status = changes[how](session, record);
    if (status >= 0) return record_kept(record);
    python_raise(shared_error_last());
    shared_record_unref(record);
    return NULL;
}

PyObject *query_bind_all(shared_query *query, PyObject *values) {
    PyObject *items = PySequence_Tuple(values);
    if (!items) return NULL;
    Py_ssize_t count = PyTuple_Size(items);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (value_bind(query, (int32_t)(i + 1), PyTuple_GetItem(items, i))) continue;
        Py_DECREF(items);
        return NULL;
    }
    Py_DECREF(items);
    Py_RETURN_NONE;
}
