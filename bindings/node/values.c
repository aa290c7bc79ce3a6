/* SPDX-License-Identifier: MIT
 * values.c - one value between the library and JavaScript, both ways. Numbers stay exact.
 */
#include "values.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* pg_type.oid of what needs a BigInt */
enum { OID_INT8 = 20, OID_INT8_ARRAY = 1016 };
enum { DIMENSIONS_MAX = 6 };                      /* PostgreSQL's MAXDIM */
static const int64_t SAFE_MAX = 9007199254740991; /* Number.MAX_SAFE_INTEGER */

/* --- columns -------------------------------------------------------------------------------------- */

struct column *columns_of(const shared_record *record, int32_t bigs) {
    int32_t count = shared_record_count(record);
    struct column *columns = calloc((size_t)count + 1, sizeof *columns);
    for (int32_t i = 0; columns && i < count; i++) {
        columns[i].field = shared_record_field(record, i);
        columns[i].type = shared_record_type(record, columns[i].field);
        columns[i].is_big = bigs >> i & 1;
    }
    return columns;
}

struct column *columns_new(const shared_event *event, const shared_record *record) {
    struct column *columns = columns_of(record, 0);
    for (int32_t i = 0; columns && i < shared_record_count(record); i++) {
        int64_t oid = shared_event_column_type(event, i);
        columns[i].is_big = oid == OID_INT8 || oid == OID_INT8_ARRAY;
    }
    return columns;
}

/* --- out of the library --------------------------------------------------------------------------- */

static bool is_ascii(const char *text, size_t size) {
    const uint64_t high = UINT64_C(0x8080808080808080);
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + i, sizeof word);
        if (word & high) return false;
    }
    for (; i < size; i++)
        if (text[i] & 0x80) return false;
    return true;
}

/* Latin-1 is copied as it is; UTF-8 has to be decoded. */
static napi_value text_of(napi_env env, const char *text, size_t size) {
    napi_value value = NULL;
    napi_status status = is_ascii(text, size) ? napi_create_string_latin1(env, text, size, &value)
                                              : napi_create_string_utf8(env, text, size, &value);
    if (status == napi_ok) return value;
    bool is_pending = false;
    napi_is_exception_pending(env, &is_pending);
    if (!is_pending) invalid_throw(env, "a text of %zu bytes: more than a string can hold", size);
    return NULL;
}

/* PostgreSQL writes a number as digits and nothing else. */
static int64_t digits_read(const char *text) {
    const char *digit = text + (*text == '-');
    uint64_t number = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) number = number * 10 + (uint64_t)(*digit - '0');
    return (int64_t)(*text == '-' ? 0 - number : number);
}

static napi_value integer_of(napi_env env, int64_t number, bool is_big) {
    napi_value value = NULL;
    if (is_big)
        napi_create_bigint_int64(env, number, &value);
    else if (number >= INT32_MIN && number <= INT32_MAX)
        napi_create_int32(env, (int32_t)number, &value);
    else
        napi_create_double(env, (double)number, &value);
    return value;
}

static napi_value float_of(napi_env env, double number) {
    napi_value value = NULL;
    napi_create_double(env, number, &value);
    return value;
}

/* Microseconds; 0 for a text is 1970 itself, or a year that the library has no number for: then the text. */
static napi_value time_of(napi_env env, const shared_record *record, int32_t field,
                          const char *text) {
    int64_t time_us = shared_record_time(record, field);
    if (!time_us && strncmp(text, "1970-01-01", 10) != 0) return text_of(env, text, strlen(text));
    if (time_us == INT64_MAX || time_us == INT64_MIN)
        return float_of(env, time_us > 0 ? HUGE_VAL : -HUGE_VAL);
    return integer_of(env, time_us, time_us > SAFE_MAX || time_us < -SAFE_MAX);
}

static napi_value bytes_of(napi_env env, shared_record *record, int32_t field) {
    size_t size = 0;
    napi_value value = NULL;
    const void *bytes = shared_record_bytes(record, field, &size);
    if (!bytes || napi_create_buffer_copy(env, size, bytes, NULL, &value) != napi_ok) {
        napi_throw_error(env, "ENOMEM", "out of memory");
        return NULL;
    }
    return value;
}

static napi_value entry_of(napi_env env, shared_record *record, const struct column *column,
                           int32_t index) {
    size_t size = 0;
    napi_value value = NULL;
    if (shared_record_array_is_null(record, column->field, index)) {
        napi_get_null(env, &value);
        return value;
    }
    if (column->type == SHARED_TYPE_INT_ARRAY)
        return integer_of(env, shared_record_array_int(record, column->field, index),
                          column->is_big);
    const char *text = shared_record_array_text(record, column->field, index, &size);
    return text_of(env, text, size);
}

/* A walk through an array's text, which says how its entries stand; what they are says the record. */
struct walk {
    const char *at;
    int32_t entry; /* number of the next one */
    int32_t depth;
};

/* Behind an entry; quotes may hold braces. */
static const char *entry_skip(const char *at) {
    if (*at != '"') return at + strcspn(at, ",}");
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1]) at++;
    return at + (*at == '"');
}

/* One dimension, from behind its '{' to behind its '}'. */
static napi_value level_of(napi_env env, shared_record *record, const struct column *column,
                           struct walk *walk) {
    uint32_t length = 0;
    napi_value level = NULL;
    if (++walk->depth > DIMENSIONS_MAX) {
        invalid_throw(env, "an array of more than %d dimensions", DIMENSIONS_MAX);
        return NULL;
    }
    napi_create_array(env, &level);
    while (level && *walk->at && *walk->at != '}') {
        napi_value entry;
        if (*walk->at == '{') {
            walk->at++;
            entry = level_of(env, record, column, walk);
        } else {
            entry = entry_of(env, record, column, walk->entry++);
            walk->at = entry_skip(walk->at);
        }
        if (!entry || napi_set_element(env, level, length++, entry) != napi_ok) return NULL;
        walk->at += *walk->at == ',';
    }
    walk->at += *walk->at == '}';
    walk->depth--;
    return level;
}

static napi_value array_of(napi_env env, shared_record *record, const struct column *column,
                           const char *text) {
    struct walk walk = {.at = text + strcspn(text, "{")}; /* behind "[0:1]=", where indexes begin */
    walk.at += *walk.at == '{';
    return level_of(env, record, column, &walk);
}

/* text: the column's, not NULL. */
static napi_value value_new(napi_env env, shared_record *record, const struct column *column,
                            const char *text) {
    int32_t field = column->field;
    napi_value value = NULL;
    switch (column->type) {
    case SHARED_TYPE_INT: return integer_of(env, digits_read(text), column->is_big);
    case SHARED_TYPE_TIME: return time_of(env, record, field, text);
    case SHARED_TYPE_FLOAT: return float_of(env, shared_record_float(record, field));
    case SHARED_TYPE_BOOL:
        napi_get_boolean(env, shared_record_bool(record, field), &value);
        return value;
    case SHARED_TYPE_BYTES: return bytes_of(env, record, field);
    case SHARED_TYPE_TEXT_ARRAY:
    case SHARED_TYPE_INT_ARRAY: return array_of(env, record, column, text);
    default: return text_of(env, text, strlen(text));
    }
}

napi_value value_of(napi_env env, shared_record *record, const struct column *column) {
    const char *text = shared_record_text(record, column->field);
    if (text) return value_new(env, record, column, text);
    napi_value value = NULL;
    napi_get_null(env, &value);
    return value;
}

/* --- cells ---------------------------------------------------------------------------------------- */

static bool cell_list(napi_env env, struct cells *cells, uint32_t cell, napi_value value) {
    cells->flags[cell] = CELL_LISTED;
    cells->numbers[cell] = cells->listed;
    return value && napi_set_element(env, cells->list, cells->listed++, value) == napi_ok;
}

static bool cell_integer(struct cells *cells, uint32_t cell, int64_t number, bool is_big) {
    cells->flags[cell] = is_big ? CELL_BIG : CELL_NUMBER;
    if (is_big)
        memcpy(&cells->numbers[cell], &number, sizeof number);
    else
        cells->numbers[cell] = (double)number;
    return true;
}

/* PostgreSQL's texts have no NUL. */
static bool cell_text(napi_env env, struct column *column, struct cells *cells, uint32_t cell,
                      const char *text, size_t size) {
    if (size >= sizeof column->last_text)
        return cell_list(env, cells, cell, text_of(env, text, size));
    if (column->last && !memcmp(column->last_text, text, size + 1)) {
        cells->flags[cell] = CELL_LISTED;
        cells->numbers[cell] = column->last - 1;
        return true;
    }
    memcpy(column->last_text, text, size + 1);
    column->last = cells->listed + 1;
    return cell_list(env, cells, cell, text_of(env, text, size));
}

/* Its text, which takes long to write, is asked for only where there is no number. */
static bool cell_time(napi_env env, shared_record *record, const struct column *column,
                      struct cells *cells, uint32_t cell) {
    int64_t time_us = shared_record_time(record, column->field);
    if (time_us && time_us <= SAFE_MAX && time_us >= -SAFE_MAX)
        return cell_integer(cells, cell, time_us, false);
    const char *text = shared_record_text(record, column->field);
    if (text) return cell_list(env, cells, cell, time_of(env, record, column->field, text));
    cells->flags[cell] = CELL_NULL;
    return true;
}

bool cell_write(napi_env env, shared_record *record, struct column *column, struct cells *cells,
                uint32_t cell, size_t *bytes) {
    if (column->type == SHARED_TYPE_TIME) return cell_time(env, record, column, cells, cell);
    const char *text = shared_record_text(record, column->field);
    if (!text) {
        cells->flags[cell] = CELL_NULL;
        return true;
    }
    size_t size = strlen(text);
    *bytes += size;
    switch (column->type) {
    case SHARED_TYPE_INT: return cell_integer(cells, cell, digits_read(text), column->is_big);
    case SHARED_TYPE_BOOL:
        cells->flags[cell] = shared_record_bool(record, column->field) ? CELL_TRUE : CELL_FALSE;
        return true;
    case SHARED_TYPE_FLOAT:
    case SHARED_TYPE_BYTES:
    case SHARED_TYPE_TEXT_ARRAY:
    case SHARED_TYPE_INT_ARRAY:
        return cell_list(env, cells, cell, value_new(env, record, column, text));
    default: return cell_text(env, column, cells, cell, text, size);
    }
}

/* --- into the library ----------------------------------------------------------------------------- */

static bool text_set(napi_env env, shared_record *record, int32_t field, napi_value value) {
    struct text text;
    bool whole = text_read(env, value, shared_record_name(record, field), &text) &&
                 good(env, shared_record_set_text(record, field, text.data, text.size));
    text_finish(&text);
    return whole;
}

static bool number_set(napi_env env, shared_record *record, int32_t field, napi_value value) {
    int64_t number;
    const char *name = shared_record_name(record, field);
    if (shared_record_type(record, field) == SHARED_TYPE_TIME)
        return microseconds_read(env, value, name, &number) &&
               good(env, shared_record_set_time(record, field, number));
    return integer_read(env, value, name, &number) &&
           good(env, shared_record_set_int(record, field, number));
}

bool value_set(napi_env env, shared_record *record, int32_t field, napi_value value) {
    napi_valuetype type = napi_undefined;
    if (napi_typeof(env, value, &type) != napi_ok) return false;
    switch (type) {
    case napi_undefined: return true;
    case napi_null: return good(env, shared_record_set_null(record, field));
    case napi_number:
    case napi_bigint: return number_set(env, record, field, value);
    default: return text_set(env, record, field, value); /* which says what else it is */
    }
}

/* --- binds ---------------------------------------------------------------------------------------- */

static bool bind_text(napi_env env, shared_query *query, int32_t position, int32_t type,
                      const char *what, napi_value value) {
    struct text text;
    if (!text_read(env, value, what, &text)) return false;
    shared_status status;
    switch (type) {
    case SHARED_TYPE_JSON:
        status = shared_query_bind_json(query, position, text.data, text.size);
        break;
    case SHARED_TYPE_NUMERIC: status = shared_query_bind_numeric(query, position, text.data); break;
    case SHARED_TYPE_UUID: status = shared_query_bind_uuid(query, position, text.data); break;
    default: status = shared_query_bind_text(query, position, text.data, text.size); break;
    }
    text_finish(&text);
    return good(env, status);
}

static bool bind_number(napi_env env, shared_query *query, int32_t position, int32_t type,
                        const char *what, napi_value value) {
    int64_t number = 0;
    double real = 0;
    bool truth = false;
    switch (type) {
    case SHARED_TYPE_FLOAT:
        return napi_get_value_double(env, value, &real) == napi_ok &&
               good(env, shared_query_bind_float(query, position, real));
    case SHARED_TYPE_BOOL:
        return napi_get_value_bool(env, value, &truth) == napi_ok &&
               good(env, shared_query_bind_bool(query, position, truth));
    case SHARED_TYPE_TIME:
        return microseconds_read(env, value, what, &number) &&
               good(env, shared_query_bind_time(query, position, number));
    default:
        return integer_read(env, value, what, &number) &&
               good(env, shared_query_bind_int(query, position, number));
    }
}

static bool bind_bytes(napi_env env, shared_query *query, int32_t position, const char *what,
                       napi_value value) {
    const void *data;
    size_t size = 0;
    return bytes_read(env, value, what, &data, &size) &&
           good(env, shared_query_bind_bytes(query, position, data, size));
}

static bool bind_texts(napi_env env, shared_query *query, int32_t position, const char *what,
                       napi_value value) {
    struct texts texts;
    if (!texts_read(env, value, what, &texts)) return false;
    bool whole =
        good(env, shared_query_bind_text_array(query, position, texts.pointers, texts.count));
    texts_finish(&texts);
    return whole;
}

static bool bind_integers(napi_env env, shared_query *query, int32_t position, const char *what,
                          napi_value value) {
    uint32_t count = 0;
    napi_get_array_length(env, value, &count);
    int64_t *numbers = calloc((size_t)count + 1, sizeof *numbers);
    bool whole = numbers != NULL;
    if (!whole) napi_throw_error(env, "ENOMEM", "out of memory");
    for (uint32_t i = 0; whole && i < count; i++) {
        napi_value entry;
        whole = napi_get_element(env, value, i, &entry) == napi_ok &&
                integer_read(env, entry, what, &numbers[i]);
    }
    whole = whole && good(env, shared_query_bind_int_array(query, position, numbers, count));
    free(numbers);
    return whole;
}

bool value_bind(napi_env env, shared_query *query, int32_t position, int32_t type,
                napi_value value) {
    char what[32];
    (void)snprintf(what, sizeof what, "value %" PRId32, position);
    switch (type) {
    case SHARED_TYPE_NONE: return good(env, shared_query_bind_null(query, position));
    case SHARED_TYPE_INT:
    case SHARED_TYPE_FLOAT:
    case SHARED_TYPE_BOOL:
    case SHARED_TYPE_TIME: return bind_number(env, query, position, type, what, value);
    case SHARED_TYPE_BYTES: return bind_bytes(env, query, position, what, value);
    case SHARED_TYPE_TEXT_ARRAY: return bind_texts(env, query, position, what, value);
    case SHARED_TYPE_INT_ARRAY: return bind_integers(env, query, position, what, value);
    default: return bind_text(env, query, position, type, what, value);
    }
}
