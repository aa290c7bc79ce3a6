/* SPDX-License-Identifier: MIT
 * record.c - the values of one row: lent by the answer of the database that brought it, or owned once
 * they were set. Every value is kept as the text that the database takes. Never talks to a server, and
 * knows no model by name.
 */
#include "model/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "model/check.h"
#include "model/decode.h"
#include "model/json.h"

enum { SMALL_SIZE = 40 }; /* holds each number, time and UUID, so that these need no allocation */
_Static_assert((int)SMALL_SIZE >= (int)TIME_TEXT_SIZE, "a time is small");
_Static_assert((int)SMALL_SIZE >= (int)UUID_TEXT_SIZE, "a UUID is small");

struct value {
    char *heap; /* NULL: it is in small */
    size_t size;
    char small[SMALL_SIZE];
};

struct shared_record {
    _Atomic int32_t references;
    uint32_t owned;            /* bit of a field: its value is in values, or null */
    uint32_t nulls;            /* of an owned one: null */
    uint32_t changed;          /* set since it was read or sent */
    uint32_t sent;             /* changed before that, and neither stored nor undone by now */
    const struct model *model; /* NULL: a row of raw SQL */
    struct rows *rows;         /* NULL: everything is owned */
    int64_t row;
    struct decoded *decoded; /* values of a raw row */
    struct buffer json;      /* what shared_record_json returned; size 0: to be made anew */
    /* One for each field of the model, behind the record. Not const with the record: text of a lent
     * time is written here when asked for. */
    struct value *values;
};

static uint32_t bit(int32_t index) {
    return UINT32_C(1) << index;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct rows *rows_ref(struct rows *rows) {
    atomic_fetch_add_explicit(&rows->references, 1, memory_order_relaxed);
    return rows;
}

void rows_unref(struct rows *rows) {
    if (!rows) return;
    if (atomic_fetch_sub_explicit(&rows->references, 1, memory_order_acq_rel) == 1)
        rows->methods->free(rows);
}

static shared_record *record_new(const struct model *model) {
    size_t values_size = model ? (size_t)model->count * sizeof(struct value) : 0;
    size_t head_size = (sizeof(shared_record) + _Alignof(struct value) - 1) /
                       _Alignof(struct value) * _Alignof(struct value);
    char *memory =
        malloc(head_size + values_size); /* bits say which values are there: no zeroing */
    if (!memory) return NULL;
    shared_record *record = (void *)memory;
    *record = (shared_record){.references = 1, .model = model};
    record->values = (void *)(memory + head_size);
    return record;
}

shared_status record_make(int32_t model, shared_record **out) {
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    const struct model *found = model_find(model);
    if (!found) return fail(SHARED_EINVALID, "model: %d, must be 1 to %d", model, models_count);
    *out = record_new(found);
    if (!*out) return fail(SHARED_ENOMEM, "a record of %s: out of memory", found->name);
    (*out)->owned = (*out)->nulls = UINT32_MAX;
    return SHARED_OK;
}

shared_status shared_record_new(int32_t model, shared_record **out) {
    operation_begin();
    return record_make(model, out);
}

shared_record *record_from_row(int32_t model, struct rows *rows, int64_t row) {
    shared_record *record = record_new(model_find(model));
    if (!record) return NULL;
    record->rows = rows_ref(rows);
    record->row = row;
    return record;
}

shared_record *shared_record_ref(shared_record *record) {
    if (record) atomic_fetch_add_explicit(&record->references, 1, memory_order_relaxed);
    return record;
}

static void value_forget(shared_record *record, int32_t index) {
    if ((record->owned & ~record->nulls) & bit(index)) free(record->values[index].heap);
}

void shared_record_unref(shared_record *record) {
    if (!record) return;
    if (atomic_fetch_sub_explicit(&record->references, 1, memory_order_acq_rel) > 1) return;
    for (int32_t i = 0; record->model && i < record->model->count; i++) value_forget(record, i);
    decoded_free(record->decoded);
    rows_unref(record->rows);
    buffer_finish(&record->json);
    free(record);
}

/* --- what it is ----------------------------------------------------------------------------------- */

const struct model *record_model(const shared_record *record) {
    return record->model;
}

const struct rows *record_rows(const shared_record *record) {
    return record->rows;
}

struct decoded **record_decoded(shared_record *record) {
    return &record->decoded;
}

bool record_is_changed(const shared_record *record, int32_t index) {
    return record->changed & bit(index);
}

void record_send(shared_record *record) {
    record->sent |= record->changed;
    record->changed = 0;
}

void record_undo_send(shared_record *record) {
    record->changed |= record->sent;
    record->sent = 0;
}

int32_t shared_record_model(const shared_record *record) {
    return record && record->model ? record->model->number : 0;
}

int32_t shared_record_count(const shared_record *record) {
    if (!record) return 0;
    return record->model ? record->model->count : record->rows->methods->columns(record->rows);
}

int32_t shared_record_field(const shared_record *record, int32_t index) {
    if (index < 0 || index >= shared_record_count(record)) return -1;
    return record->model ? record->model->number << 8 | (index + 1) : index;
}

int32_t record_index(const shared_record *record, int32_t field) {
    if (!record) return -1;
    if (record->model) return model_field_index(record->model, field);
    return field >= 0 && field < shared_record_count(record) ? field : -1;
}

const char *shared_record_name(const shared_record *record, int32_t field) {
    int32_t index = record_index(record, field);
    if (index < 0) return "";
    return record->model ? record->model->fields[index].name
                         : record->rows->methods->name(record->rows, index);
}

/* --- reading -------------------------------------------------------------------------------------- */

const char *record_value(const shared_record *record, int32_t index, size_t *size) {
    if (record->owned & bit(index & 31)) { /* a raw row owns nothing, so its index may be any */
        if (record->nulls & bit(index)) return NULL;
        const struct value *value = &record->values[index];
        *size = value->size;
        return value->heap ? value->heap : value->small;
    }
    const struct rows_methods *methods = record->rows->methods;
    if (index >= methods->columns(record->rows)) return NULL;
    return methods->value(record->rows, record->row, index, size);
}

/* The value, and its type; a column of a raw row is text. NULL: null, absent, or another model's. */
static const char *value_of(const shared_record *record, int32_t field, size_t *size,
                            enum field_type *type) {
    if (record && !record->model) { /* owns nothing; what a select in SQL reads most, so short */
        const struct rows *rows = record->rows;
        bool is_there = field >= 0 && field < rows->methods->columns(rows);
        *type = FIELD_TEXT;
        return is_there ? rows->methods->value(rows, record->row, field, size) : NULL;
    }
    int32_t index = record_index(record, field);
    *type = index >= 0 ? record->model->fields[index].type : FIELD_TEXT;
    return index >= 0 ? record_value(record, index, size) : NULL;
}

int32_t shared_record_is_null(const shared_record *record, int32_t field) {
    size_t size;
    enum field_type type;
    return value_of(record, field, &size, &type) == NULL;
}

/* The text, and its size. A time that the database lent is turned into RFC 3339, as ours are. */
static const char *text_of(const shared_record *record, int32_t field, size_t *size) {
    enum field_type type;
    int64_t time_us;
    *size = 0;
    const char *text = value_of(record, field, size, &type);
    if (!text || type != FIELD_TIME || !time_from_text(text, *size, &time_us)) return text;
    struct value *value = &record->values[record_index(record, field)];
    if (text == value->small) return text;
    time_to_rfc3339(time_us, value->small);
    *size = strlen(value->small);
    return value->small;
}

const char *shared_record_text(const shared_record *record, int32_t field) {
    size_t size;
    return text_of(record, field, &size);
}

size_t shared_record_text_size(const shared_record *record, int32_t field) {
    size_t size;
    return text_of(record, field, &size) ? size : 0;
}

int64_t shared_record_int(const shared_record *record, int32_t field) {
    size_t size;
    enum field_type type;
    int64_t number = 0;
    const char *text = value_of(record, field, &size, &type);
    return text && text_to_int(text, size, INT64_MIN, INT64_MAX, &number) ? number : 0;
}

/* PostgreSQL's times that no calendar has; a date is its first microsecond. */
static bool time_of_raw(const char *text, size_t size, int64_t *time_us) {
    static const char midnight[] = " 00:00:00";
    char with_clock[TIME_TEXT_SIZE];
    if (time_from_text(text, size, time_us)) return true;
    if (!strcmp(text, "infinity")) *time_us = INT64_MAX;
    if (!strcmp(text, "-infinity")) *time_us = INT64_MIN;
    if (*time_us) return true;
    if (size != sizeof "2026-11-24" - 1) return false;
    memcpy(with_clock, text, size);
    memcpy(with_clock + size, midnight, sizeof midnight);
    return time_from_text(with_clock, size + sizeof midnight - 1, time_us);
}

int64_t shared_record_time(const shared_record *record, int32_t field) {
    size_t size;
    enum field_type type;
    int64_t time_us = 0;
    const char *text = value_of(record, field, &size, &type);
    bool may_be = text && (type == FIELD_TIME || !record->model);
    return may_be && time_of_raw(text, size, &time_us) ? time_us : 0;
}

/* --- writing -------------------------------------------------------------------------------------- */

/* A value that its type can hold: text as the database takes it, NULL: null. */
static shared_status store(shared_record *record, int32_t index, const char *text, size_t size) {
    struct value *value = &record->values[index];
    char *heap = NULL;
    if (text && size >= SMALL_SIZE) {
        heap = text_copy_size(text, size);
        if (!heap)
            return fail(SHARED_ENOMEM, "%s: out of memory", record->model->fields[index].name);
    } else if (text) {
        memmove(value->small, text, size); /* may be this very value */
        value->small[size] = '\0';
    }
    value_forget(record, index);
    value->heap = heap;
    value->size = size;
    record->owned |= bit(index);
    record->changed |= bit(index);
    record->nulls = text ? record->nulls & ~bit(index) : record->nulls | bit(index);
    record->json.size = 0;
    return SHARED_OK;
}

void record_take_changed(shared_record *record, shared_record *source) {
    for (int32_t i = 0; i < source->model->count; i++) {
        if (!record_is_changed(source, i)) continue;
        value_forget(record, i);
        record->values[i] = source->values[i];
        record->nulls = (record->nulls & ~bit(i)) | (source->nulls & bit(i));
        source->nulls |= bit(i); /* it owns the text no more */
    }
    record->owned |= source->changed;
    record->changed |= source->changed;
    source->changed = 0;
    record->json.size = 0;
}

void record_end_send(shared_record *record, struct rows *rows, int64_t row) {
    record->sent = 0;
    if (!rows) return;
    for (int32_t i = 0; i < record->model->count; i++)
        if (!record_is_changed(record, i)) value_forget(record, i);
    struct rows *before = record->rows;
    record->rows = rows_ref(rows);
    record->row = row;
    record->owned = record->changed;
    record->nulls &= record->changed;
    record->json.size = 0;
    rows_unref(before); /* last: it may be the same answer */
}

void record_take_row(shared_record *record, struct rows *rows, int64_t row) {
    for (int32_t i = 0; i < record->model->count; i++) value_forget(record, i);
    record->owned = record->nulls = record->changed = 0;
    record_end_send(record, rows, row);
}

/* The field to be set; NULL after fail(). */
static const struct field *field_to_set(const shared_record *record, int32_t field,
                                        int32_t *index) {
    if (!record) {
        fail(SHARED_EINVALID, "record is NULL");
        return NULL;
    }
    if (!record->model) {
        fail(SHARED_EINVALID, "a row of raw SQL cannot be changed");
        return NULL;
    }
    *index = model_field_index(record->model, field);
    if (*index >= 0) return &record->model->fields[*index];
    fail(SHARED_EINVALID, "field 0x%x: not one of %s", (unsigned)field, record->model->name);
    return NULL;
}

static bool is_number(const struct field *field) {
    return field->type == FIELD_INT32 || field->type == FIELD_INT64;
}

shared_status record_set_int(shared_record *record, int32_t field, int64_t number) {
    int32_t index;
    const struct field *found = field_to_set(record, field, &index);
    if (!found) return SHARED_EINVALID;
    char text[24];
    size_t size = (size_t)snprintf(text, sizeof text, "%lld", (long long)number);
    if (!is_number(found)) {
        failures_start();
        check_type(found, text, size, true);
        return failures_end(record->model);
    }
    if (found->type == FIELD_INT32 && (number < INT32_MIN || number > INT32_MAX)) {
        failures_start();
        check_int(found, number);
        return failures_end(record->model);
    }
    return store(record, index, text, size);
}

shared_status shared_record_set_int(shared_record *record, int32_t field, int64_t number) {
    operation_begin();
    return record_set_int(record, field, number);
}

shared_status record_set_time(shared_record *record, int32_t field, int64_t time_us) {
    int32_t index;
    const struct field *found = field_to_set(record, field, &index);
    if (!found) return SHARED_EINVALID;
    char text[TIME_TEXT_SIZE];
    bool in_range = time_us >= TIME_MIN_US && time_us <= TIME_MAX_US;
    if (found->type == FIELD_TIME && in_range) {
        time_to_rfc3339(time_us, text);
        return store(record, index, text, strlen(text));
    }
    (void)snprintf(text, sizeof text, "%lld", (long long)time_us);
    failures_start();
    if (found->type == FIELD_TIME)
        check_time(found, text, strlen(text)); /* no text of digits alone is a time */
    else
        check_type(found, text, strlen(text), true);
    return failures_end(record->model);
}

shared_status shared_record_set_time(shared_record *record, int32_t field, int64_t time_us) {
    operation_begin();
    return record_set_time(record, field, time_us);
}

shared_status record_set_text(shared_record *record, int32_t field, const char *text, size_t size) {
    int32_t index;
    int64_t number;
    const struct field *found = field_to_set(record, field, &index);
    if (!found) return SHARED_EINVALID;
    if (!text) return fail(SHARED_EINVALID, "%s: text is NULL", found->name);
    if (is_number(found) && text_to_int(text, size, INT64_MIN, INT64_MAX, &number))
        return record_set_int(record, field, number);
    if (found->type == FIELD_TIME && time_from_text(text, size, &number))
        return record_set_time(record, field, number);
    if (!is_number(found) && found->type != FIELD_TIME && text_is_utf8(text, size))
        return store(record, index, text, size);
    failures_start();
    if (is_number(found))
        check_type(found, text, size, false);
    else if (found->type == FIELD_TIME)
        check_time(found, text, size);
    else
        check_text(found, text, size);
    return failures_end(record->model);
}

shared_status shared_record_set_text(shared_record *record, int32_t field, const char *text,
                                     size_t size) {
    operation_begin();
    return record_set_text(record, field, text, size);
}

shared_status record_set_null(shared_record *record, int32_t field) {
    int32_t index;
    if (!field_to_set(record, field, &index)) return SHARED_EINVALID;
    return store(record, index, NULL, 0);
}

shared_status shared_record_set_null(shared_record *record, int32_t field) {
    operation_begin();
    return record_set_null(record, field);
}

/* --- rules and JSON ------------------------------------------------------------------------------- */

/* absent: a field that somebody makes later may be null. */
static void check_field(const shared_record *record, int32_t index, bool absent) {
    const struct field *field = &record->model->fields[index];
    size_t size = 0;
    const char *text = record_value(record, index, &size);
    if (text)
        check_text(field, text, size);
    else if (!field->null && !(absent && field_is_made(field)))
        check_missing(field, NULL, 0);
}

shared_status record_check(const shared_record *record) {
    if (!record || !record->model) return fail(SHARED_EINVALID, "record is NULL or of raw SQL");
    failures_start();
    for (int32_t i = 0; i < record->model->count; i++) check_field(record, i, true);
    return failures_end(record->model);
}

shared_status shared_record_check(const shared_record *record) {
    operation_begin();
    return record_check(record);
}

/* It was read, and what was set as its key is another one. */
static bool is_other_key(const shared_record *record, int32_t index) {
    if (!record->model->fields[index].key || !record->rows || !record_is_changed(record, index))
        return false;
    size_t size = 0, read_size = 0;
    const char *text = record_value(record, index, &size);
    const char *read = record->rows->methods->value(record->rows, record->row, index, &read_size);
    return !text || !read || size != read_size || memcmp(text, read, size) != 0;
}

shared_status record_check_changed(const shared_record *record) {
    for (int32_t i = 0; i < record->model->count; i++)
        if (is_other_key(record, i))
            return fail(SHARED_EINVALID, "%s: %s is a key and cannot be changed",
                        record->model->name, record->model->fields[i].name);
    failures_start();
    for (int32_t i = 0; i < record->model->count; i++)
        if (record_is_changed(record, i)) check_field(record, i, false);
    return failures_end(record->model);
}

const char *shared_record_json(shared_record *record) {
    if (!record) return NULL;
    if (!record->json.size) {
        buffer_clear(&record->json);
        json_from_record(&record->json, record);
    }
    return record->json.failed ? NULL : record->json.data;
}
