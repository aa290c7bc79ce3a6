/* SPDX-License-Identifier: MIT
 * watch.c - calls JavaScript when a descriptor is readable, by Node's own loop (uv_poll).
 *
 * A watch has two owners: the value that JavaScript has, and libuv's handle, which ends some time after it was closed.
 * Who lets go last frees it. The environment's end closes what is open, and waits for it (the hook).
 */
#include "watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "text.h"

/* Of uv.h, which does not come with Node-API's headers: node exports these, and sizes are asked at run time. */
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s {
    void *data; /* the first member of every handle */
} uv_handle_t;
size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_t *loop, uv_handle_t *handle, int fd);
int uv_poll_start(uv_handle_t *handle, int events, void (*ready)(uv_handle_t *, int, int));
int uv_poll_stop(uv_handle_t *handle);
void uv_close(uv_handle_t *handle, void (*closed)(uv_handle_t *));
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
const char *uv_strerror(int error);
enum { UV_POLL = 8, UV_READABLE = 1 };

struct watch {
    napi_env env;
    napi_ref callback;
    napi_async_context context;
    napi_async_cleanup_hook_handle hook;
    uv_handle_t *poll;
    bool is_open;  /* and not closing */
    bool has_poll; /* libuv still knows it */
    bool is_held;  /* by JavaScript */
};

static void watch_free(struct watch *watch) {
    if (watch->has_poll || watch->is_held) return;
    free(watch->poll);
    free(watch);
}

static void on_closed(uv_handle_t *handle) {
    struct watch *watch = handle->data;
    watch->has_poll = false;
    napi_remove_async_cleanup_hook(watch->hook);
    watch_free(watch);
}

static void watch_end(struct watch *watch) {
    if (!watch->is_open) return;
    watch->is_open = false;
    uv_poll_stop(watch->poll);
    napi_delete_reference(watch->env, watch->callback);
    napi_async_destroy(watch->env, watch->context);
    uv_close(watch->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data) {
    (void)hook; /* on_closed takes it away, at once when the watch is being closed already */
    watch_end(data);
}

static void on_let_go(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    struct watch *watch = data;
    watch->is_held = false;
    watch_end(watch);
    watch_free(watch);
}

/* napi_make_callback runs the microtasks too. What it throws is nobody's but the process's. */
static void on_ready(uv_handle_t *handle, int status, int events) {
    (void)events;
    struct watch *watch = handle->data;
    napi_env env = watch->env;
    napi_handle_scope scope;
    napi_value callback, global, result, error;
    if (status < 0) uv_poll_stop(handle); /* else it would be told for ever */
    if (napi_open_handle_scope(env, &scope) != napi_ok) return;
    if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
        napi_get_global(env, &global) == napi_ok &&
        napi_make_callback(env, watch->context, global, callback, 0, NULL, &result) ==
            napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
        napi_fatal_exception(env, error);
    napi_close_handle_scope(env, scope);
}

static bool poll_start(struct watch *watch, int32_t fd) {
    uv_loop_t *loop = NULL;
    if (napi_get_uv_event_loop(watch->env, (struct uv_loop_s **)&loop) != napi_ok) return false;
    watch->poll->data = watch;
    int status = uv_poll_init(loop, watch->poll, fd);
    if (status < 0) {
        invalid_throw(watch->env, "descriptor %d: %s", (int)fd, uv_strerror(status));
        return false;
    }
    watch->has_poll = watch->is_open = true;
    uv_poll_start(watch->poll, UV_READABLE, on_ready);
    uv_unref(watch->poll);
    return true;
}

static bool callback_keep(struct watch *watch, napi_value callback) {
    napi_value name;
    napi_env env = watch->env;
    return napi_create_string_utf8(env, "shared", NAPI_AUTO_LENGTH, &name) == napi_ok &&
           napi_create_reference(env, callback, 1, &watch->callback) == napi_ok &&
           napi_async_init(env, NULL, name, &watch->context) == napi_ok;
}

napi_value watch_new(napi_env env, int32_t fd, napi_value callback) {
    napi_value value = NULL;
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch) watch->poll = calloc(1, uv_handle_size(UV_POLL));
    if (!watch || !watch->poll) {
        free(watch);
        napi_throw_error(env, "ENOMEM", "out of memory");
        return NULL;
    }
    watch->env = env;
    if (!callback_keep(watch, callback) || !poll_start(watch, fd)) {
        watch_free(watch);
        return NULL;
    }
    napi_add_async_cleanup_hook(env, on_environment_end, watch, &watch->hook);
    watch->is_held = true;
    if (napi_create_external(env, watch, on_let_go, NULL, &value) != napi_ok) {
        watch->is_held = false;
        watch_end(watch);
    }
    return value;
}

/* NULL and an exception when it is something else. */
static struct watch *watch_of(napi_env env, napi_value value) {
    void *data = NULL;
    if (napi_get_value_external(env, value, &data) == napi_ok) return data;
    invalid_throw(env, "watch: as watch_new gave it");
    return NULL;
}

static napi_value nothing(napi_env env) {
    napi_value value = NULL;
    napi_get_undefined(env, &value);
    return value;
}

napi_value watch_ref(napi_env env, napi_value value, int32_t on) {
    struct watch *watch = watch_of(env, value);
    if (watch && watch->is_open) (on ? uv_ref : uv_unref)(watch->poll);
    return watch ? nothing(env) : NULL;
}

napi_value watch_close(napi_env env, napi_value value) {
    struct watch *watch = watch_of(env, value);
    if (watch) watch_end(watch);
    return watch ? nothing(env) : NULL;
}
