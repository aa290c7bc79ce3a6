/* SPDX-License-Identifier: MIT
 * text.c - texts, numbers and failures between JavaScript and C. Node-API only; what an environment gave stands in a
 * list of its thread, since SWIG has the environment's one place for data.
 */
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 512 };
static const double SAFE_MAX = 9007199254740991.0; /* Number.MAX_SAFE_INTEGER */

/* Each loading of the module has an environment of its own, so a thread may have several: a test runner loads
 * JavaScript anew, and errors are to be of the classes that its caller knows. */
struct maker {
    struct maker *next;
    napi_env env;
    napi_ref make_error;
};

static _Thread_local struct maker *makers;

/* --- failures ------------------------------------------------------------------------------------- */

static struct maker **maker_find(napi_env env) {
    struct maker **at = &makers;
    while (*at && (*at)->env != env) at = &(*at)->next;
    return at;
}

static void maker_free(void *data) {
    struct maker *maker = data;
    *maker_find(maker->env) = maker->next;
    free(maker);
}

bool errors_setup(napi_env env, napi_value make) {
    struct maker *maker = *maker_find(env);
    if (maker) return napi_create_reference(env, make, 1, &maker->make_error) == napi_ok;
    maker = calloc(1, sizeof *maker);
    if (!maker) {
        napi_throw_error(env, "ENOMEM", "out of memory");
        return false;
    }
    *maker = (struct maker){.next = makers, .env = env};
    makers = maker;
    return napi_add_env_cleanup_hook(env, maker_free, maker) == napi_ok &&
           napi_create_reference(env, make, 1, &maker->make_error) == napi_ok;
}

static napi_value text_new(napi_env env, const char *text) {
    napi_value value = NULL;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    return value;
}

static napi_value number_new(napi_env env, int32_t number) {
    napi_value value = NULL;
    napi_create_int32(env, number, &value);
    return value;
}

static napi_value made(napi_env env, napi_value *words, size_t count) {
    napi_value make = NULL, global = NULL, error = NULL;
    const struct maker *maker = *maker_find(env);
    if (!maker || napi_get_reference_value(env, maker->make_error, &make) != napi_ok ||
        napi_get_global(env, &global) != napi_ok)
        return NULL;
    return napi_call_function(env, global, make, count, words, &error) == napi_ok ? error : NULL;
}

napi_value error_new(napi_env env, const shared_error *error) {
    napi_value words[] = {
        number_new(env, shared_error_class(error)), number_new(env, shared_error_domain(error)),
        number_new(env, shared_error_code(error)),  text_new(env, shared_error_sqlstate(error)),
        text_new(env, shared_error_message(error)), text_new(env, shared_error_detail(error)),
        text_new(env, shared_error_hint(error)),    text_new(env, shared_error_operation(error)),
    };
    return made(env, words, sizeof words / sizeof *words);
}

void error_throw(napi_env env, const shared_error *error) {
    napi_value exception = error_new(env, error);
    if (exception)
        napi_throw(env, exception);
    else
        napi_throw_error(env, NULL, shared_error_message(error));
}

void invalid_throw(napi_env env, const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    napi_value empty = text_new(env, "");
    napi_value words[] = {number_new(env, SHARED_PERMANENT),
                          number_new(env, SHARED_CALLER),
                          number_new(env, SHARED_EINVALID),
                          empty,
                          text_new(env, message),
                          empty,
                          empty,
                          empty};
    napi_value exception = made(env, words, sizeof words / sizeof *words);
    if (exception)
        napi_throw(env, exception);
    else
        napi_throw_type_error(env, NULL, message);
}

bool good(napi_env env, shared_status status) {
    if (status < 0) error_throw(env, shared_error_last());
    return status >= 0;
}

/* --- texts ---------------------------------------------------------------------------------------- */

void text_finish(struct text *text) {
    if (text->data != text->brief) free(text->data);
    text->data = NULL;
}

/* Where half of a surrogate pair stands, or -1. Asked only when U+FFFD, which it turns into, is there. */
static int64_t surrogate_find(napi_env env, napi_value value) {
    size_t count = 0;
    int64_t found = -1;
    if (napi_get_value_string_utf16(env, value, NULL, 0, &count) != napi_ok) return -1;
    char16_t *units = malloc((count + 1) * sizeof *units);
    if (units && napi_get_value_string_utf16(env, value, units, count + 1, &count) == napi_ok)
        for (size_t i = 0; found < 0 && i < count; i++) {
            bool is_high = units[i] >= 0xD800 && units[i] < 0xDC00;
            if (is_high && i + 1 < count && units[i + 1] >= 0xDC00 && units[i + 1] < 0xE000)
                i++;
            else if (units[i] >= 0xD800 && units[i] < 0xE000)
                found = (int64_t)i;
        }
    free(units);
    return found;
}

static bool text_check(napi_env env, napi_value value, const char *what, const struct text *text) {
    const char *nul = memchr(text->data, 0, text->size);
    if (nul) {
        invalid_throw(env, "%s: a text with a NUL at byte %zu: PostgreSQL and C stop there", what,
                      (size_t)(nul - text->data));
        return false;
    }
    int64_t place =
        memmem(text->data, text->size, "\xEF\xBF\xBD", 3) ? surrogate_find(env, value) : -1;
    if (place < 0) return true;
    invalid_throw(env, "%s: half of a surrogate pair at index %" PRId64 ": no text of Unicode",
                  what, place);
    return false;
}

static bool text_long(napi_env env, napi_value value, struct text *out) {
    size_t size = 0;
    napi_status status = napi_get_value_string_utf8(env, value, NULL, 0, &size);
    if (status != napi_ok) return false;
    out->data = malloc(size + 1);
    if (!out->data) {
        napi_throw_error(env, "ENOMEM", "out of memory");
        return false;
    }
    return napi_get_value_string_utf8(env, value, out->data, size + 1, &out->size) == napi_ok;
}

static const char *type_name(napi_env env, napi_value value) {
    static const char *const names[] = {"undefined", "null",   "boolean",  "number",   "string",
                                        "symbol",    "object", "function", "external", "bigint"};
    napi_valuetype type = napi_undefined;
    napi_typeof(env, value, &type);
    return names[type];
}

bool text_read(napi_env env, napi_value value, const char *what, struct text *out) {
    napi_valuetype type;
    out->data = NULL;
    out->size = 0;
    if (napi_typeof(env, value, &type) != napi_ok) return false;
    if (type == napi_null || type == napi_undefined) return true;
    if (type != napi_string) {
        invalid_throw(env, "%s: a string, not %s", what, type_name(env, value));
        return false;
    }
    out->data = out->brief;
    if (napi_get_value_string_utf8(env, value, out->brief, sizeof out->brief, &out->size) !=
        napi_ok)
        return false;
    /* A longer one may have been cut, within the four bytes of a character. */
    if (out->size + 4 >= sizeof out->brief && !text_long(env, value, out)) return false;
    if (text_check(env, value, what, out)) return true;
    text_finish(out);
    return false;
}

bool texts_read(napi_env env, napi_value value, const char *what, struct texts *out) {
    bool is_array = false;
    uint32_t count = 0;
    *out = (struct texts){.count = 0};
    napi_is_array(env, value, &is_array);
    if (!is_array || napi_get_array_length(env, value, &count) != napi_ok) {
        invalid_throw(env, "%s: an array of strings, not %s", what, type_name(env, value));
        return false;
    }
    out->items = calloc((size_t)count + 1, sizeof *out->items);
    out->pointers = calloc((size_t)count + 1, sizeof *out->pointers);
    bool whole = out->items && out->pointers;
    if (!whole) napi_throw_error(env, "ENOMEM", "out of memory");
    for (; whole && out->count < count; out->count++) {
        napi_value entry;
        struct text *text = &out->items[out->count];
        whole = napi_get_element(env, value, (uint32_t)out->count, &entry) == napi_ok &&
                text_read(env, entry, what, text);
        if (!whole) break;
        out->pointers[out->count] = text->data;
    }
    if (!whole) texts_finish(out);
    return whole;
}

void texts_finish(struct texts *texts) {
    for (size_t i = 0; i < texts->count; i++) text_finish(&texts->items[i]);
    free(texts->items);
    free(texts->pointers);
    *texts = (struct texts){.count = 0};
}

/* --- numbers and bytes ---------------------------------------------------------------------------- */

static bool bigint_read(napi_env env, napi_value value, const char *what, int64_t *out) {
    bool lossless = false;
    if (napi_get_value_bigint_int64(env, value, out, &lossless) == napi_ok && lossless) return true;
    invalid_throw(env, "%s: a BigInt beyond 64 bits", what);
    return false;
}

bool integer_read(napi_env env, napi_value value, const char *what, int64_t *out) {
    napi_valuetype type = napi_undefined;
    double number = 0;
    napi_typeof(env, value, &type);
    if (type == napi_bigint) return bigint_read(env, value, what, out);
    if (type != napi_number || napi_get_value_double(env, value, &number) != napi_ok) {
        invalid_throw(env, "%s: a whole number, not %s", what, type_name(env, value));
        return false;
    }
    if (!(fabs(number) <= SAFE_MAX)) {
        invalid_throw(env, "%s: %.17g is beyond 2^53 - 1, where a Number is exact: give a BigInt",
                      what, number);
        return false;
    }
    *out = (int64_t)number;
    if ((double)*out == number) return true;
    invalid_throw(env, "%s: a whole number, not %.17g", what, number);
    return false;
}

bool microseconds_read(napi_env env, napi_value value, const char *what, int64_t *out) {
    napi_valuetype type = napi_undefined;
    double number = 0;
    napi_typeof(env, value, &type);
    if (type == napi_bigint) return bigint_read(env, value, what, out);
    napi_get_value_double(env, value, &number);
    if (type != napi_number || !(fabs(number) <= SAFE_MAX)) {
        invalid_throw(env, "%s: no time", what);
        return false;
    }
    *out = (int64_t)floor(number);
    return true;
}

/* The ArrayBuffer below, or NULL and 0 when it is a shared one. */
static bool view_read(napi_env env, napi_value value, napi_value *buffer, void **data,
                      size_t *size) {
    bool is_typed = false, is_view = false;
    napi_is_typedarray(env, value, &is_typed);
    napi_is_dataview(env, value, &is_view);
    if (is_typed) {
        static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 2};
        napi_typedarray_type type;
        size_t length = 0, offset;
        if (napi_get_typedarray_info(env, value, &type, &length, data, buffer, &offset) != napi_ok)
            return false;
        *size = length * ((size_t)type < sizeof widths / sizeof *widths ? widths[type] : 1);
        return true;
    }
    size_t offset;
    if (is_view) return napi_get_dataview_info(env, value, size, data, buffer, &offset) == napi_ok;
    *buffer = value;
    return napi_get_arraybuffer_info(env, value, data, size) == napi_ok;
}

bool bytes_read(napi_env env, napi_value value, const char *what, const void **out, size_t *size) {
    napi_value buffer = NULL;
    void *data = NULL;
    bool is_own = false, is_detached = false;
    if (view_read(env, value, &buffer, &data, size)) napi_is_arraybuffer(env, buffer, &is_own);
    if (!is_own) {
        invalid_throw(env,
                      "%s: bytes in an ArrayBuffer of this thread's own; a shared one may change "
                      "while it is sent",
                      what);
        return false;
    }
    napi_is_detached_arraybuffer(env, buffer, &is_detached);
    if (is_detached) {
        invalid_throw(env, "%s: its ArrayBuffer is detached: it was transferred elsewhere", what);
        return false;
    }
    *out = *size ? data : "";
    return true;
}
