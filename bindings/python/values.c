/* SPDX-License-Identifier: MIT
 * values.c - one value between the library and Python. Numbers stay exact, times have a zone, and what
 * does not fit is an exception that names it. Limited API of 3.11.
 */
#include "values.h"

#include <stdlib.h>
#include <string.h>

#include "rows.h"

/* Python's own types, asked for once. */
static struct {
    PyObject *time, *date, *decimal, *uuid, *json, *time_max, *time_min;
    PyObject *adapt;
    PyObject *last; /* the time that was made last: records that were stored together have it */
    char last_text[40];
} python;

static PyObject *attribute(const char *module, const char *name, const char *member) {
    PyObject *loaded = PyImport_ImportModule(module);
    PyObject *type = loaded ? PyObject_GetAttrString(loaded, name) : NULL;
    Py_XDECREF(loaded);
    if (!type || !member) return type;
    PyObject *found = PyObject_GetAttrString(type, member);
    Py_DECREF(type);
    return found;
}

static PyObject *time_at(const char *text) {
    return python.time ? PyObject_CallFunction(python.time, "s", text) : NULL;
}

bool values_setup(PyObject *adapt) {
    python.adapt = Py_NewRef(adapt);
    python.time = attribute("datetime", "datetime", "fromisoformat");
    python.date = attribute("datetime", "date", "fromisoformat");
    python.decimal = attribute("decimal", "Decimal", NULL);
    python.uuid = attribute("uuid", "UUID", NULL);
    python.json = attribute("json", "loads", NULL);
    python.time_max = time_at("9999-12-31T23:59:59.999999+00:00");
    python.time_min = time_at("0001-01-01T00:00:00+00:00");
    return python.date && python.decimal && python.uuid && python.json && python.time_max &&
           python.time_min;
}

struct column *columns_new(const shared_record *record) {
    int32_t count = shared_record_count(record);
    struct column *columns = PyMem_Calloc((size_t)count + 1, sizeof *columns);
    if (!columns) {
        PyErr_NoMemory();
        return NULL;
    }
    for (int32_t i = 0; i < count; i++) {
        columns[i].field = shared_record_field(record, i);
        columns[i].type = shared_record_type(record, columns[i].field);
    }
    columns[count].field = -1; /* where columns_free stops */
    return columns;
}

void columns_free(struct column *columns) {
    for (struct column *column = columns; column && column->field >= 0; column++)
        Py_XDECREF(column->last);
    PyMem_Free(columns);
}

/* --- out of the library --------------------------------------------------------------------------- */

static PyObject *text_of(const char *text, size_t size) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "surrogateescape");
}

/* PostgreSQL's texts have no NUL, and records refuse one. What is short may be what the row before has: a parent's
 * key, a state. */
static PyObject *text_again(const char *text, struct column *column) {
    size_t size = strlen(text);
    if (size >= sizeof column->last_text) return text_of(text, size);
    if (column->last && !memcmp(column->last_text, text, size + 1)) return Py_NewRef(column->last);
    PyObject *made = text_of(text, size);
    if (made) {
        memcpy(column->last_text, text, size + 1);
        Py_XDECREF(column->last);
        column->last = Py_NewRef(made);
    }
    return made;
}

static PyObject *time_of(const char *text, struct column *column) {
    if (*text == 'i') return Py_NewRef(python.time_max); /* as asyncpg has it */
    if (*text == '-') return Py_NewRef(python.time_min);
    if (column->last && !strcmp(column->last_text, text)) return Py_NewRef(column->last);
    if (python.last && !strcmp(python.last_text, text)) return Py_NewRef(python.last);
    PyObject *time = PyObject_CallFunction(python.time, "s", text);
    if (!time && PyErr_ExceptionMatches(PyExc_ValueError)) { /* a year that Python has not */
        PyErr_Clear();
        return PyUnicode_FromString(text);
    }
    size_t size = strlen(text);
    if (time && size < sizeof column->last_text) {
        memcpy(column->last_text, text, size + 1);
        Py_XDECREF(column->last);
        column->last = Py_NewRef(time);
        memcpy(python.last_text, text, size + 1);
        Py_XDECREF(python.last);
        python.last = Py_NewRef(time);
    }
    return time;
}

static PyObject *bytes_of(shared_record *record, int32_t field) {
    size_t size = 0;
    const void *bytes = shared_record_bytes(record, field, &size);
    return bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size) : PyErr_NoMemory();
}

static PyObject *entry_of(shared_record *record, const struct column *column, int32_t index) {
    size_t size = 0;
    if (shared_record_array_is_null(record, column->field, index)) Py_RETURN_NONE;
    if (column->type == SHARED_TYPE_INT_ARRAY)
        return PyLong_FromLongLong(shared_record_array_int(record, column->field, index));
    const char *text = shared_record_array_text(record, column->field, index, &size);
    return text_of(text, size);
}

static PyObject *array_of(shared_record *record, const struct column *column) {
    int32_t count = shared_record_array_count(record, column->field);
    PyObject *list = PyList_New(count);
    for (int32_t i = 0; list && i < count; i++) {
        PyObject *entry = entry_of(record, column, i);
        if (!entry || PyList_SetItem(list, i, entry) < 0) Py_CLEAR(list);
    }
    return list;
}

PyObject *value_of(shared_record *record, struct column *column) {
    int32_t field = column->field;
    const char *text = shared_record_text(record, field);
    if (!text) Py_RETURN_NONE;
    if (column->as_text) return text_again(text, column);
    switch (column->type) {
    case SHARED_TYPE_INT: return PyLong_FromLongLong(strtoll(text, NULL, 10));
    case SHARED_TYPE_TIME: return time_of(text, column);
    case SHARED_TYPE_FLOAT: return PyFloat_FromDouble(shared_record_float(record, field));
    case SHARED_TYPE_BOOL: return PyBool_FromLong(shared_record_bool(record, field));
    case SHARED_TYPE_NUMERIC: return PyObject_CallFunction(python.decimal, "s", text);
    case SHARED_TYPE_DATE: return PyObject_CallFunction(python.date, "s", text);
    case SHARED_TYPE_UUID: return PyObject_CallFunction(python.uuid, "s", text);
    case SHARED_TYPE_JSON: return PyObject_CallFunction(python.json, "s", text);
    case SHARED_TYPE_BYTES: return bytes_of(record, field);
    case SHARED_TYPE_TEXT_ARRAY:
    case SHARED_TYPE_INT_ARRAY: return array_of(record, column);
    default: return text_again(text, column);
    }
}

/* --- into the library ----------------------------------------------------------------------------- */

static bool done(shared_status status) {
    if (status < 0) python_raise(shared_error_last());
    return status >= 0;
}

/* (type, text) of what C does not know by itself; NULL and a TypeError. */
static PyObject *adapted(PyObject *value, int *type, const char **text, Py_ssize_t *size) {
    PyObject *pair = PyObject_CallFunctionObjArgs(python.adapt, value, NULL);
    if (pair && PyArg_ParseTuple(pair, "is#", type, text, size)) return pair;
    Py_XDECREF(pair);
    return NULL;
}

static bool set_other(shared_record *record, int32_t field, PyObject *value) {
    int type;
    const char *text;
    Py_ssize_t size;
    PyObject *pair = adapted(value, &type, &text, &size);
    if (!pair) return false;
    shared_status status = type == SHARED_TYPE_TIME
                               ? shared_record_set_time(record, field, strtoll(text, NULL, 10))
                               : shared_record_set_text(record, field, text, (size_t)size);
    Py_DECREF(pair);
    return done(status);
}

/* An int, not a bool; an OverflowError of Python names no field, so ours does. */
static bool number_of(PyObject *value, const char *what, int64_t *out) {
    int beyond = 0;
    *out = PyLong_AsLongLongAndOverflow(value, &beyond);
    if (beyond) PyErr_Format(PyExc_OverflowError, "%s: %S, beyond 64 bits", what, value);
    return !beyond && !PyErr_Occurred();
}

bool value_set(shared_record *record, int32_t field, PyObject *value) {
    int64_t number;
    if (value == Py_None) return done(shared_record_set_null(record, field));
    if (PyUnicode_Check(value)) {
        Py_ssize_t size = 0;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        return text && done(shared_record_set_text(record, field, text, (size_t)size));
    }
    if (PyLong_Check(value) && !PyBool_Check(value))
        return number_of(value, shared_record_name(record, field), &number) &&
               done(shared_record_set_int(record, field, number));
    return set_other(record, field, value);
}

static bool bind_bytes(shared_query *query, int32_t position, PyObject *value) {
    char *data = NULL;
    Py_ssize_t size = 0;
    return PyBytes_AsStringAndSize(value, &data, &size) == 0 &&
           done(shared_query_bind_bytes(query, position, data, (size_t)size));
}

static bool bind_texts(shared_query *query, int32_t position, PyObject *value) {
    struct python_texts texts;
    if (!python_texts_init(&texts, value)) return false;
    bool good = done(shared_query_bind_text_array(query, position, texts.items, texts.count));
    python_texts_finish(&texts);
    return good;
}

static bool bind_numbers(shared_query *query, int32_t position, PyObject *value) {
    Py_ssize_t count = PySequence_Size(value);
    int64_t *numbers = PyMem_Calloc((size_t)count + 1, sizeof *numbers);
    bool good = numbers != NULL;
    if (!good) PyErr_NoMemory();
    for (Py_ssize_t i = 0; good && i < count; i++) {
        PyObject *entry = PySequence_GetItem(value, i);
        good = entry && number_of(entry, "an entry of a list", &numbers[i]);
        Py_XDECREF(entry);
    }
    good = good && done(shared_query_bind_int_array(query, position, numbers, (size_t)count));
    PyMem_Free(numbers);
    return good;
}

static bool bind_list(shared_query *query, int32_t position, PyObject *value) {
    PyObject *first = PySequence_Size(value) > 0 ? PySequence_GetItem(value, 0) : NULL;
    bool numbers = first && PyLong_Check(first);
    Py_XDECREF(first);
    return numbers ? bind_numbers(query, position, value) : bind_texts(query, position, value);
}

static bool bind_other(shared_query *query, int32_t position, PyObject *value) {
    int type;
    const char *text;
    Py_ssize_t size;
    PyObject *pair = adapted(value, &type, &text, &size);
    if (!pair) return false;
    shared_status status;
    switch (type) {
    case SHARED_TYPE_NUMERIC: status = shared_query_bind_numeric(query, position, text); break;
    case SHARED_TYPE_UUID: status = shared_query_bind_uuid(query, position, text); break;
    case SHARED_TYPE_JSON:
        status = shared_query_bind_json(query, position, text, (size_t)size);
        break;
    case SHARED_TYPE_TIME:
        status = shared_query_bind_time(query, position, strtoll(text, NULL, 10));
        break;
    default: status = shared_query_bind_text(query, position, text, (size_t)size); break;
    }
    Py_DECREF(pair);
    return done(status);
}

bool value_bind(shared_query *query, int32_t position, PyObject *value) {
    int64_t number;
    if (value == Py_None) return done(shared_query_bind_null(query, position));
    if (PyUnicode_Check(value)) {
        Py_ssize_t size = 0;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        return text && done(shared_query_bind_text(query, position, text, (size_t)size));
    }
    if (PyBool_Check(value)) return done(shared_query_bind_bool(query, position, value == Py_True));
    if (PyLong_Check(value))
        return number_of(value, "a bound value", &number) &&
               done(shared_query_bind_int(query, position, number));
    if (PyFloat_Check(value))
        return done(shared_query_bind_float(query, position, PyFloat_AsDouble(value)));
    if (PyBytes_Check(value)) return bind_bytes(query, position, value);
    if (PyList_Check(value) || PyTuple_Check(value)) return bind_list(query, position, value);
    return bind_other(query, position, value);
}
