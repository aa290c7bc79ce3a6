/* SPDX-License-Identifier: MIT
 * node.i - what Node does with the flat layer: failures are thrown as errors.js makes them, texts are strings, 64 bits
 * are BigInt, rows and events come in one call (rows.c). What a call needs for its time is freed by C++ destructors,
 * since SWIG leaves out freearg when a wrapper ends by an exception.
 */
%{
#include "rows.h"
#include "text.h"
#include "watch.h"

namespace {
struct Text : text {
    Text() : text() {}
    ~Text() { text_finish(this); }
};
struct Texts : texts {
    Texts() : texts() {}
    ~Texts() { texts_finish(this); }
};

/* SWIG 4.5 leaves the type out of what it wraps, and would then take any handle for any other. */
Napi::Value typed(Napi::Env env, void *handle, swig_type_info *type, int flags) {
    Napi::Value value = SWIG_NAPI_NewPointerObj(env, handle, type, flags);
    if (handle) Napi::ObjectWrap<SWIG_NAPI_ObjectWrap_inst>::Unwrap(value.As<Napi::Object>())->info = type;
    return value;
}
}
#undef SWIG_NewPointerObj
#define SWIG_NewPointerObj(handle, type, flags) typed(env, handle, type, flags)
%}

/* A status is thrown or a number; dispatch's is a count. */
%typemap(out) shared_status {
    if ($1 < 0) {
        error_throw(env, shared_error_last());
        SWIG_fail;
    }
    $result = Napi::Number::New(env, $1);
}
%typemap(out) int64_t { $result = Napi::BigInt::New(env, (int64_t)$1); }
%typemap(out) uint64_t { $result = Napi::Number::New(env, (double)$1); }
%typemap(in) int64_t { if (!integer_read(env, $input, "$1_name", &$1)) SWIG_fail; }
%typemap(in) uint64_t {
    int64_t number = 0;
    if (!integer_read(env, $input, "$1_name", &number)) SWIG_fail;
    $1 = (uint64_t)number;
}

%typemap(in) const char * (Text held) {
    if (!text_read(env, $input, "$1_name", &held)) SWIG_fail;
    $1 = held.data;
}
%typemap(freearg) const char * "";
%typemap(out) const char * { $result = $1 ? Napi::Value(Napi::String::New(env, $1)) : env.Null(); }
%typemap(in) (const char *text, size_t size) (Text held), (const char *json, size_t size) (Text held) {
    if (!text_read(env, $input, "$1_name", &held)) SWIG_fail;
    $1 = held.data;
    $2 = held.size;
}
%typemap(in) (const void *data, size_t size), (const char *bytes, size_t size) {
    const void *held = NULL;
    if (!bytes_read(env, $input, "$1_name", &held, &$2)) SWIG_fail;
    $1 = ($1_ltype)held;
}
%typemap(in) (const char *const *keys, size_t count) (Texts held), (const char *const *ids, size_t count) (Texts held),
             (const char *const *texts, size_t count) (Texts held) {
    if (!texts_read(env, $input, "$1_name", &held)) SWIG_fail;
    $1 = ($1_ltype)held.pointers;
    $2 = held.count;
}
/* [id, last event id or null, id, ...] */
%typemap(in) (const char *const *document_ids, const char *const *last_event_ids, size_t count)
             (Texts held, std::vector<const char *> ids, std::vector<const char *> lasts) {
    if (!texts_read(env, $input, "documents", &held)) SWIG_fail;
    for (size_t i = 0; i + 1 < held.count; i += 2) {
        ids.push_back(held.pointers[i]);
        lasts.push_back(held.pointers[i + 1]);
    }
    $1 = ($1_ltype)ids.data();
    $2 = ($2_ltype)lasts.data();
    $3 = ids.size();
}

/* **out comes back. */
%typemap(in, numinputs=0) SWIGTYPE **out ($*1_ltype made = NULL) { $1 = &made; }
%typemap(argout) SWIGTYPE **out {
    $result = SWIG_NewPointerObj(SWIG_as_voidptr(*$1), $*1_descriptor, SWIG_POINTER_OWN);
}
/* rows.c has these in one call each. */
%ignore shared_client_wait;
%ignore shared_event_data;
%ignore shared_query_bind_int_array;
%ignore shared_record_array_text;
%ignore shared_record_bytes;
%ignore shared_log_pairs;

/* A closed or missing handle is an exception that names the function. */
%typemap(check) shared_client *, shared_session *, shared_query *, shared_config *, shared_record *, shared_task *,
                shared_message *, const shared_message *,
                const shared_client *, const shared_session *, const shared_query *, const shared_config *,
                const shared_record *, const shared_task * {
    if (!$1) {
        invalid_throw(env, "$symname: the handle is null or closed");
        SWIG_fail;
    }
}

%typemap(in, numinputs=0) napi_env env { $1 = env; }
%typemap(in) napi_value { $1 = $input; }
%typemap(out) napi_value {
    if (!$1) SWIG_fail;
    $result = Napi::Value(env, $1);
}

%{
static napi_value owned(Napi::Env env, void *handle, swig_type_info *type) {
    return SWIG_NewPointerObj(handle, type, SWIG_POINTER_OWN);
}
napi_value task_handle(napi_env env, shared_task *task) {
    return owned(env, task, SWIGTYPE_p_shared_task);
}
napi_value record_handle(napi_env env, shared_record *record) {
    return owned(env, record, SWIGTYPE_p_shared_record);
}

/* Frees now, however many still refer to it: for them it is a closed handle. */
napi_value handle_close(napi_env env, napi_value handle) {
    static const struct {
        swig_type_info **type;
        void (*free)(void *);
    } kinds[] = {
        {&SWIGTYPE_p_shared_session, [](void *held) { shared_session_free((shared_session *)held); }},
        {&SWIGTYPE_p_shared_client, [](void *held) { shared_client_free((shared_client *)held); }},
        {&SWIGTYPE_p_shared_task, [](void *held) { shared_task_unref((shared_task *)held); }},
    };
    for (const auto &kind : kinds) {
        void *held = NULL;
        int status = SWIG_ConvertPtr(Napi::Value(env, handle), &held, *kind.type, SWIG_POINTER_RELEASE);
        if (!SWIG_IsOK(status)) continue;
        kind.free(held);
        return Napi::Env(env).Undefined();
    }
    invalid_throw(env, "handle_close: no open session, client or task");
    return NULL;
}
%}
napi_value handle_close(napi_env env, napi_value handle);
%ignore text_read;
%include "rows.h"
%include "watch.h"
