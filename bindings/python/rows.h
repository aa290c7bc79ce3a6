/* SPDX-License-Identifier: MIT
 * rows.h - what crosses between the library and Python in one call instead of one a cell: events with
 * their rows as tuples, records from values, values as binds. All of it holds the GIL.
 */
#ifndef PYTHON_ROWS_H
#define PYTHON_ROWS_H

#ifndef SWIG
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <shared.h>
#include <stdbool.h>

/* Tags from here on (client.py has the same number): rows come as (names, types, rows), the types as
 * pg_type.oid. Numbers, booleans, texts, bytea, numeric and uuid are values, all else its text. */
#define DESCRIBED_TAGS (UINT64_C(1) << 62)

struct python_texts {
    const char **items;
    size_t count;
    PyObject *sequence; /* owns the texts */
};

/* Sets a Python exception and returns false when value is no str without NUL; None is NULL. */
bool python_text(PyObject *value, const char **out);
bool python_texts_init(struct python_texts *texts, PyObject *value);
void python_texts_finish(struct python_texts *texts);
/* Raises the exception of shared.errors that the error stands for. */
void python_raise(const shared_error *error);
/* What drain() gives for rows: at least one. */
struct python_rows {
    Py_ssize_t count;
    shared_record *records[];
};
/* NULL and a TypeError when it is something else. Lives as long as the capsule. */
const struct python_rows *python_rows_of(PyObject *capsule);
/* Stands for a field that is not given; borrowed. */
PyObject *python_unset(void);
#endif

/* What Python's side gives once: make_error(class, domain, code, sqlstate, message, detail, hint,
 * operation) -> exception; adapt(value) -> (SHARED_TYPE_..., text); unset: stands for a field that is not
 * given. */
PyObject *setup(PyObject *make_error, PyObject *adapt, PyObject *unset);
/* "bundled": the library is in the extension; "system": the one that the linker finds. */
const char *implementation(void);
/* Dispatches without waiting; a list of (tag, more, kind, count, payload, error) of all that happened.
 * payload: rows, for rows_list or objects_watch; a message as (id, json); bytes; a task; or None. */
PyObject *drain(shared_client *client);
/* Rows as a list: a tuple of the names, and a tuple of each. */
PyObject *rows_list(PyObject *capsule);
/* Waits for the next event of a tag, without the GIL; its parts, or None when the time ran out. */
PyObject *wait_parts(shared_client *client, uint64_t tag, int32_t timeout_ms);
/* shared_log_pairs with the items of a dict of texts. */
PyObject *log_pairs_of(const char *logger, int32_t level, const char *message, PyObject *pairs);
/* A record of the model with these values, in the order of its fields. */
PyObject *record_from_values(int32_t model, PyObject *values);
/* Adds (how 0) or copies (1) or updates (2) or deletes (3) a record of these values; the record, as
 * objects_show takes it. */
PyObject *session_change(shared_session *session, int32_t model, PyObject *values, int32_t how);
/* Its values, in the order of its fields. */
PyObject *record_values(shared_record *record);
/* Binds every value of a sequence, from $1 on. */
PyObject *query_bind_all(shared_query *query, PyObject *values);

#endif
