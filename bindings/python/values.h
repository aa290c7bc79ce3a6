/* SPDX-License-Identifier: MIT
 * values.h - one value between the library and Python, both ways. Types that C has no name for (datetime,
 * Decimal, UUID) are made and taken apart by the functions of Python that setup() was given.
 */
#ifndef PYTHON_VALUES_H
#define PYTHON_VALUES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <shared.h>
#include <stdbool.h>

/* A column of an answer: its type is asked once, and the last time or short text is kept, since rows that belong
 * together often have the same. */
struct column {
    int32_t field;
    int32_t type;
    bool as_text; /* whatever type it is */
    char last_text[48];
    PyObject *last;
};

/* datetime, date, decimal, uuid and json by import; adapt: what C does not know by itself. */
bool values_setup(PyObject *adapt);
struct column *columns_new(const shared_record *record); /* NULL and a Python exception */
void columns_free(struct column *columns);
PyObject *value_of(shared_record *record, struct column *column);
/* false and a Python exception that names the field or the place. */
bool value_set(shared_record *record, int32_t field, PyObject *value);
bool value_bind(shared_query *query, int32_t position, PyObject *value);

/* Of the generated half: handles with a reference of their own; record_handle takes the caller's. */
PyObject *task_handle(shared_task *task);
PyObject *record_handle(shared_record *record);

#endif
