/* SPDX-License-Identifier: MIT
 * objects.h - objects of shared.models made from rows, written and shown again, many in one call. What is
 * not as unit.py gives it is a TypeError. All of it holds the GIL.
 */
#ifndef PYTHON_OBJECTS_H
#define PYTHON_OBJECTS_H

#ifndef SWIG
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <shared.h>
#include <stdbool.h>

bool objects_setup(void); /* false and a Python exception */
/* What unit.py keeps of a record; takes the caller's reference, also when it fails. */
PyObject *record_kept(shared_record *record);
#endif

/* Objects of a model's class, one for each row of drain()'s. One that `known` has by its _ident() is
 * shown anew unless it has changes of its own; a new one is entered there, with `watch` as its _watch. */
PyObject *objects_watch(PyObject *model, PyObject *rows, PyObject *known, PyObject *watch);
/* Adds (copy 0) or copies (copy 1) every object to the session; (object, record) of each comes onto `stored` as it
 * is taken, so that an exception shows how many were. */
PyObject *objects_add(shared_session *session, PyObject *objects, int32_t copy, PyObject *stored);
/* Shows what the records of `stored` hold: the fields that an object has not, and with all 1 every field. */
PyObject *objects_show(PyObject *stored, int32_t all);

#endif
