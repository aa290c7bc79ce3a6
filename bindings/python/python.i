/* SPDX-License-Identifier: MIT
 * python.i - what Python does with the flat layer: failures are raised as shared.errors, texts are str,
 * rows and events come in one call as tuples (rows.c). The GIL is kept but where a call may wait.
 */
%{
#include "objects.h"
#include "rows.h"
%}

%nothread;
%thread shared_client_dispatch;
%thread shared_client_wait;

/* A status is raised or None; dispatch's is a count. */
%typemap(out) shared_status { if ($1 < 0) { python_raise(shared_error_last()); SWIG_fail; } $result = PyLong_FromLong($1); }
%typemap(pytyping) shared_status "int"

/* Texts: no NUL inside, valid UTF-8. None is NULL, which the library refuses where it must. */
%typemap(in) const char * (const char *utf8) {
    if (!python_text($input, &utf8)) SWIG_fail;
    $1 = ($1_ltype)utf8;
}
%typemap(freearg) const char * "";
%typemap(pytyping) const char * "str"
%typemap(pytyping) const char *key, const char *queue, const char *last_event_id "str | None"
%typemap(in) (const char *text, size_t size) (Py_ssize_t n), (const char *json, size_t size) (Py_ssize_t n) {
    $1 = ($1_ltype)PyUnicode_AsUTF8AndSize($input, &n);
    if (!$1) SWIG_fail;
    $2 = (size_t)n;
}
%typemap(freearg) (const char *text, size_t size), (const char *json, size_t size) "";

/* SWIG's words for 64 bits are not the compiler's here. */
%typemap(in) const int64_t *numbers = SWIGTYPE *;
%ignore shared_query_bind_int_array;

%typemap(in) (const char *const *keys, size_t count) (struct python_texts texts = {NULL}),
             (const char *const *ids, size_t count) (struct python_texts texts = {NULL}),
             (const char *const *texts, size_t count) (struct python_texts texts = {NULL}) {
    if (!python_texts_init(&texts, $input)) SWIG_fail;
    $1 = ($1_ltype)texts.items;
    $2 = texts.count;
}
%typemap(freearg) (const char *const *keys, size_t count), (const char *const *ids, size_t count),
                  (const char *const *texts, size_t count) { python_texts_finish(&texts$argnum); }

/* **out comes back. */
%typemap(in, numinputs=0) SWIGTYPE **out ($*1_ltype made = NULL) { $1 = &made; }
%typemap(argout) SWIGTYPE **out {
    $result = SWIG_NewPointerObj(SWIG_as_voidptr(*$1), $*1_descriptor, SWIG_POINTER_OWN);
}
%typemap(in, numinputs=0) const shared_event **out (shared_event *event = NULL) { $1 = &event; }
%typemap(argout) const shared_event **out {
    $result = SWIG_NewPointerObj(SWIG_as_voidptr(*$1), SWIGTYPE_p_shared_event, 0);
}

/* What SWIG keeps in a proxy, or the thing itself; a reference. SWIG would ask for the whole name of the proxy's type
 * first, at each call: two new strings, which Python's cache of attributes then keeps (to 250 KB in all). */
%{
static PyObject *handle_held(PyObject *input) {
    PyObject *held = PyObject_GetAttr(input, SWIG_This());
    if (!held) PyErr_Clear();
    return held ? held : Py_NewRef(input);
}

static int handle_convert(PyObject *input, void **out, swig_type_info *type, int flags) {
    PyObject *held = handle_held(input);
    int status = SWIG_ConvertPtr(held, out, type, flags);
    Py_DECREF(held);
    return status;
}
%}
%define HANDLES
shared_client *, shared_session *, shared_query *, shared_config *, shared_record *, shared_task *, shared_message *,
const shared_client *, const shared_session *, const shared_query *, const shared_config *, const shared_record *,
const shared_task *, const shared_message *
%enddef
%typemap(in) HANDLES {
    void *held = NULL;
    int status = handle_convert($input, &held, $descriptor, 0);
    if (!SWIG_IsOK(status))
        SWIG_exception_fail(SWIG_ArgError(status), "in method '$symname', argument $argnum of type '$1_type'");
    $1 = ($1_ltype)held;
}

/* A closed or missing handle is an exception that names the function. */
%typemap(check) HANDLES {
    if (!$1) SWIG_exception_fail(SWIG_ValueError, "$symname: the handle is None or closed");
}

%{
PyObject *task_handle(shared_task *task) {
    return SWIG_NewPointerObj(shared_task_ref(task), SWIGTYPE_p_shared_task, SWIG_POINTER_OWN);
}
PyObject *record_handle(shared_record *record) {
    return SWIG_NewPointerObj(record, SWIGTYPE_p_shared_record, SWIG_POINTER_OWN);
}
%}
%include "rows.h"
%include "objects.h"

/* Frees now, however many still refer to it: for them it is a closed handle. */
%{
PyObject *handle_close(PyObject *handle) {
    void *held = NULL;
    if (SWIG_IsOK(handle_convert(handle, &held, SWIGTYPE_p_shared_session, SWIG_POINTER_RELEASE)))
        shared_session_free(held);
    else if (SWIG_IsOK(handle_convert(handle, &held, SWIGTYPE_p_shared_client, SWIG_POINTER_RELEASE)))
        shared_client_free(held);
    else
        return PyErr_Format(PyExc_TypeError, "handle_close: %R is no open session or client", handle);
    Py_RETURN_NONE;
}
%}
PyObject *handle_close(PyObject *handle);
