/* SPDX-License-Identifier: MIT
 * objects.c - objects of shared.models made from rows, written and shown again, many in one call. Knows of a
 * class what model.py says there (_number, _names, _keys), and keeps nothing. Limited API of 3.11.
 */
#include "objects.h"

#include "rows.h"
#include "values.h"

static const char RECORD[] = "shared.record";

/* Names that are asked for often, made once: Python's cache of attributes keeps each name it is given. */
static struct { PyObject *number, *names, *keys, *watch, *changes; } word;

bool objects_setup(void) {
    const struct {
        PyObject **made;
        const char *text;
    } all[] = {{&word.number, "_number"},
               {&word.names, "_names"},
               {&word.keys, "_keys"},
               {&word.watch, "_watch"},
               {&word.changes, "_changes"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!*all[i].made) *all[i].made = PyUnicode_InternFromString(all[i].text);
        if (!*all[i].made) return false;
    }
    return true;
}

/* What a class says of itself; asked once for all objects of a call that follow each other. */
struct model {
    PyObject *type;
    PyObject *names;
    Py_ssize_t count;
    int32_t number;
};

static void model_finish(struct model *model) {
    Py_CLEAR(model->type);
    Py_CLEAR(model->names);
}

static bool model_init(struct model *model, PyObject *type) {
    if (model->type == type) return true;
    model_finish(model);
    PyObject *number = PyObject_GetAttr(type, word.number);
    PyObject *names = number ? PyObject_GetAttr(type, word.names) : NULL;
    long value = names ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    bool good = names && PyTuple_Check(names) && value >= 0 && value <= INT16_MAX;
    if (!good) {
        Py_XDECREF(names);
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "no class of shared.models");
        return false;
    }
    *model = (struct model){.type = Py_NewRef(type),
                            .names = names,
                            .count = PyTuple_Size(names),
                            .number = (int32_t)value};
    return true;
}

/* --- records -------------------------------------------------------------------------------------- */

static void record_free(PyObject *capsule) {
    shared_record_unref(PyCapsule_GetPointer(capsule, RECORD));
}

PyObject *record_kept(shared_record *record) {
    PyObject *capsule = PyCapsule_New(record, RECORD, record_free);
    if (!capsule) shared_record_unref(record);
    return capsule;
}

/* --- from rows ------------------------------------------------------------------------------------ */

/* What a call of objects_watch works with. */
struct watch {
    struct model model;
    PyObject *known, *watch, *none; /* none: (), the arguments of __new__ */
    PyObject **row;                 /* the values of one */
    struct column *columns;
    Py_ssize_t *places; /* of the keys */
    Py_ssize_t keys;
    newfunc make;
};

static void watch_finish(struct watch *watch) {
    model_finish(&watch->model);
    PyMem_Free(watch->places);
    PyMem_Free(watch->row);
    columns_free(watch->columns);
    Py_XDECREF(watch->none);
}

static bool places_init(struct watch *watch, PyObject *keys) {
    if (!PyTuple_Check(keys) || PyTuple_Size(keys) == 0) {
        PyErr_SetString(PyExc_TypeError, "_keys: a tuple of names");
        return false;
    }
    watch->keys = PyTuple_Size(keys);
    watch->places = PyMem_Calloc((size_t)watch->keys, sizeof *watch->places);
    if (!watch->places) return PyErr_NoMemory() != NULL;
    for (Py_ssize_t i = 0; i < watch->keys; i++) {
        watch->places[i] = PySequence_Index(watch->model.names, PyTuple_GetItem(keys, i));
        if (watch->places[i] < 0) return false;
    }
    return true;
}

static bool row_init(struct watch *watch, const shared_record *record) {
    Py_ssize_t count = watch->model.count;
    if (shared_record_count(record) != count) {
        PyErr_Format(PyExc_TypeError, "a row of %zd fields, not %d", count,
                     (int)shared_record_count(record));
        return false;
    }
    watch->columns = columns_new(record);
    watch->row = PyMem_Calloc((size_t)count + 1, sizeof(PyObject *));
    if (!watch->row) PyErr_NoMemory();
    return watch->columns && watch->row;
}

static bool watch_init(struct watch *watch, PyObject *type, const shared_record *record) {
    if (!PyType_Check(type) || !PyDict_Check(watch->known)) {
        PyErr_SetString(PyExc_TypeError, "objects_watch: a class, rows and a dict");
        return false;
    }
    watch->make = (newfunc)PyType_GetSlot((PyTypeObject *)type, Py_tp_new);
    if (!model_init(&watch->model, type) || !row_init(watch, record)) return false;
    PyObject *keys = PyObject_GetAttr(type, word.keys);
    bool good = keys && watch->make && places_init(watch, keys);
    Py_XDECREF(keys);
    watch->none = PyTuple_New(0);
    return good && watch->none;
}

/* As Model._ident() has it. */
static PyObject *key_of(const struct watch *watch) {
    if (watch->keys == 1) return Py_NewRef(watch->row[watch->places[0]]);
    PyObject *key = PyTuple_New(watch->keys);
    for (Py_ssize_t i = 0; key && i < watch->keys; i++)
        PyTuple_SetItem(key, i, Py_NewRef(watch->row[watch->places[i]]));
    return key;
}

static bool row_show(const struct watch *watch, PyObject *values) {
    for (Py_ssize_t i = 0; i < watch->model.count; i++)
        if (PyDict_SetItem(values, PyTuple_GetItem(watch->model.names, i), watch->row[i]) < 0)
            return false;
    return true;
}

/* Past __setattr__, which would take it for a change; and not by __dict__, which would be made for it. */
static bool object_fill(const struct watch *watch, PyObject *object) {
    for (Py_ssize_t i = 0; i < watch->model.count; i++) {
        PyObject *name = PyTuple_GetItem(watch->model.names, i);
        if (PyObject_GenericSetAttr(object, name, watch->row[i]) < 0) return false;
    }
    return PyObject_GenericSetAttr(object, word.watch, watch->watch) == 0;
}

static PyObject *object_new(const struct watch *watch, PyObject *key) {
    PyObject *object = watch->make((PyTypeObject *)watch->model.type, watch->none, NULL);
    bool good =
        object && object_fill(watch, object) && PyDict_SetItem(watch->known, key, object) == 0;
    if (!good) Py_CLEAR(object);
    return object;
}

/* The one that is known, shown anew. */
static PyObject *object_again(const struct watch *watch, PyObject *object) {
    PyObject *changed = PyObject_GetAttr(object, word.changes);
    int own = changed ? PyObject_IsTrue(changed) : -1;
    Py_XDECREF(changed);
    if (own < 0) return NULL;
    if (own) return Py_NewRef(object);
    PyObject *values = PyObject_GenericGetDict(object, NULL);
    bool good = values && row_show(watch, values);
    Py_XDECREF(values);
    return good ? Py_NewRef(object) : NULL;
}

static bool row_read(const struct watch *watch, shared_record *record) {
    for (Py_ssize_t i = 0; i < watch->model.count; i++) {
        watch->row[i] = value_of(record, &watch->columns[i]);
        if (!watch->row[i]) return false;
    }
    return true;
}

static PyObject *object_of(const struct watch *watch, shared_record *record) {
    PyObject *key = row_read(watch, record) ? key_of(watch) : NULL, *object = NULL;
    PyObject *known = key ? PyDict_GetItemWithError(watch->known, key) : NULL;
    if (known)
        object = object_again(watch, known);
    else if (key && !PyErr_Occurred())
        object = object_new(watch, key);
    Py_XDECREF(key);
    for (Py_ssize_t i = 0; i < watch->model.count; i++) Py_CLEAR(watch->row[i]);
    return object;
}

PyObject *objects_watch(PyObject *model, PyObject *rows, PyObject *known, PyObject *object_watch) {
    struct watch watch = {.known = known, .watch = object_watch};
    const struct python_rows *taken = python_rows_of(rows);
    if (!taken) return NULL;
    int collects = PyGC_Disable(); /* what is made here is all in use */
    bool good = watch_init(&watch, model, taken->records[0]);
    PyObject *objects = good ? PyList_New(taken->count) : NULL;
    for (Py_ssize_t i = 0; objects && i < taken->count; i++) {
        PyObject *object = object_of(&watch, taken->records[i]);
        if (!object || PyList_SetItem(objects, i, object) < 0) Py_CLEAR(objects);
    }
    watch_finish(&watch);
    if (collects) PyGC_Enable();
    return objects;
}

/* --- to be written -------------------------------------------------------------------------------- */

static bool fields_set(shared_record *record, const struct model *model, PyObject *values) {
    for (Py_ssize_t i = 0; i < model->count; i++) {
        PyObject *name = PyTuple_GetItem(model->names, i);
        PyObject *value = PyDict_GetItemWithError(values, name);
        if (!value && PyErr_Occurred()) return false;
        if (value && value != python_unset() &&
            !value_set(record, shared_record_field(record, (int32_t)i), value))
            return false;
    }
    return true;
}

static shared_record *record_of(PyObject *object, const struct model *model) {
    shared_record *record = NULL;
    PyObject *values = PyObject_GenericGetDict(object, NULL);
    if (!values) return NULL;
    if (shared_record_new(model->number, &record) < 0) {
        python_raise(shared_error_last());
    } else if (shared_record_count(record) != model->count || !fields_set(record, model, values)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "_names: the model has others");
        shared_record_unref(record);
        record = NULL;
    }
    Py_DECREF(values);
    return record;
}

static bool object_add(shared_session *session, PyObject *object, const struct model *model,
                       int32_t copy, PyObject *stored) {
    shared_record *record = record_of(object, model);
    if (!record) return false;
    if ((copy ? shared_session_copy : shared_session_add)(session, record) < 0) {
        python_raise(shared_error_last());
        shared_record_unref(record);
        return false;
    }
    PyObject *kept = record_kept(record);
    PyObject *pair = kept ? PyTuple_Pack(2, object, kept) : NULL;
    bool good = pair && PyList_Append(stored, pair) == 0;
    Py_XDECREF(kept);
    Py_XDECREF(pair);
    return good;
}

PyObject *objects_add(shared_session *session, PyObject *objects, int32_t copy, PyObject *stored) {
    if (!PyList_Check(objects) || !PyList_Check(stored) || objects == stored) {
        PyErr_SetString(PyExc_TypeError, "objects_add: two lists");
        return NULL;
    }
    struct model model = {.type = NULL};
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyList_Size(objects); i++) {
        PyObject *object = Py_NewRef(PyList_GetItem(objects, i));
        good = model_init(&model, (PyObject *)Py_TYPE(object)) &&
               object_add(session, object, &model, copy, stored);
        Py_DECREF(object);
    }
    model_finish(&model);
    if (!good) return NULL;
    Py_RETURN_NONE;
}

/* --- as they are stored --------------------------------------------------------------------------- */

/* What was given and is kept byte for byte needs no look. */
static bool is_as_given(PyObject *value, int32_t type) {
    return (type == SHARED_TYPE_TEXT && PyUnicode_CheckExact(value)) ||
           (type == SHARED_TYPE_INT && PyLong_CheckExact(value));
}

static bool field_show(PyObject *values, PyObject *name, shared_record *record,
                       struct column *column, bool all) {
    PyObject *given = PyDict_GetItemWithError(values, name);
    if (!given && PyErr_Occurred()) return false;
    if (given && (!all || is_as_given(given, column->type))) return true;
    PyObject *value = value_of(record, column);
    bool absent = value == Py_None && (given || !all);
    bool good = value && (absent || PyDict_SetItem(values, name, value) == 0);
    Py_XDECREF(value);
    return good;
}

static bool object_show(PyObject *object, shared_record *record, const struct model *model,
                        struct column *columns, bool all) {
    PyObject *values = PyObject_GenericGetDict(object, NULL);
    bool good = values && shared_record_count(record) == model->count;
    if (values && !good) PyErr_SetString(PyExc_TypeError, "_names: the record has others");
    for (Py_ssize_t i = 0; good && i < model->count; i++)
        good = field_show(values, PyTuple_GetItem(model->names, i), record, &columns[i], all);
    Py_XDECREF(values);
    return good;
}

/* The record of a pair of `stored`, or NULL and a TypeError. */
static shared_record *record_in(PyObject *pair) {
    PyObject *kept =
        PyTuple_Check(pair) && PyTuple_Size(pair) == 2 ? PyTuple_GetItem(pair, 1) : NULL;
    if (kept && PyCapsule_IsValid(kept, RECORD)) return PyCapsule_GetPointer(kept, RECORD);
    PyErr_SetString(PyExc_TypeError,
                    "objects_show: pairs of an object and a record of objects_add");
    return NULL;
}

PyObject *objects_show(PyObject *stored, int32_t all) {
    PyObject *pairs = PyList_Check(stored) ? PySequence_Tuple(stored) : NULL;
    if (!pairs) return PyErr_Format(PyExc_TypeError, "objects_show: a list of pairs");
    struct model model = {.type = NULL};
    struct column *columns = NULL;
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PyTuple_Size(pairs); i++) {
        PyObject *pair = PyTuple_GetItem(pairs, i), *last = model.type;
        shared_record *record = record_in(pair);
        PyObject *object = record ? PyTuple_GetItem(pair, 0) : NULL;
        good = object && model_init(&model, (PyObject *)Py_TYPE(object));
        if (good && last != model.type) {
            columns_free(columns);
            columns = columns_new(record);
        }
        good = good && columns && object_show(object, record, &model, columns, all != 0);
    }
    columns_free(columns);
    model_finish(&model);
    Py_DECREF(pairs);
    if (!good) return NULL;
    Py_RETURN_NONE;
}
