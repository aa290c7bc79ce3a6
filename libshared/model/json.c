/* SPDX-License-Identifier: MIT
 * json.c - records from JSON by walking the table, and the few looks into foreign JSON that others
 * need. All failures are collected before anything is set. The one user of jansson on this side.
 */
#include "model/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/check.h"

/* NUL is let through here so that the message can name its field. Any value may stand at the top. */
enum { DECODE = JSON_ALLOW_NUL | JSON_DECODE_ANY };

/* A text on its way to jansson. It (2.14) passes over a byte for which it finds no memory, so that a value
 * lacks it; errno alone tells, and only until the next number is read. So it gets the text in pieces that
 * end where a word or a number may, and errno is looked at between them. */
struct pieces {
    const char *text;
    size_t size, at;
    bool scarce;
};

static size_t piece_next(void *room, size_t room_size, void *owner) {
    static const bool ends[256] = {['"'] = true, [','] = true,  ['}'] = true,  [']'] = true,
                                   [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true};
    struct pieces *pieces = owner;
    pieces->scarce = pieces->scarce || errno == ENOMEM;
    if (pieces->scarce) return 0;
    const char *from = pieces->text + pieces->at;
    size_t left = pieces->size - pieces->at, size = 0;
    if (left > room_size) left = room_size;
    while (size < left && (!size || !ends[(unsigned char)from[size]])) size++;
    if (size) memcpy(room, from, size);
    pieces->at += size;
    return size;
}

json_t *json_load_text(const char *text, size_t size, size_t flags, json_error_t *error) {
    /* jansson passes over a NUL byte behind a number or a word, too. */
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    *error = (json_error_t){.position = nul ? (int)(nul - text) + 1 : 0, .text = "NUL byte"};
    errno = 0;
    if (nul) return NULL;
    struct pieces pieces = {.text = text, .size = size};
    json_t *value = json_load_callback(piece_next, &pieces, flags, error);
    bool scarce = pieces.scarce || errno == ENOMEM;
    if (scarce) {
        json_decref(value);
        errno = ENOMEM;
    }
    return scarce ? NULL : value;
}

static json_t *decode(const char *json, size_t size, size_t flags, json_error_t *error) {
    return json_load_text(json, json ? size : 0, DECODE | flags, error);
}

/* --- one value against its field ------------------------------------------------------------------ */

/* The beginning of a value as JSON: more than a failure shows, and then what follows is not written. */
struct sample {
    size_t size;
    char text[320];
};

static int sample_add(const char *text, size_t size, void *data) {
    struct sample *sample = data;
    size_t room = sizeof sample->text - sample->size;
    size_t taken = size < room ? size : room;
    memcpy(sample->text + sample->size, text, taken);
    sample->size += taken;
    return taken == size ? 0 : -1;
}

static void sample_take(struct sample *sample, const json_t *value) {
    enum { FORM = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15) };
    sample->size = 0;
    (void)json_dump_callback(value, sample_add, sample, FORM);
}

static void check_string(const struct field *field, const char *text, size_t size) {
    if (field->type == FIELD_TIME)
        check_time(field, text, size);
    else
        check_text(field, text, size);
}

static void check_value(const struct field *field, const json_t *value) {
    bool number = field->type == FIELD_INT32 || field->type == FIELD_INT64;
    struct sample sample;
    if (json_is_null(value) && field->null) return;
    if (number && json_is_integer(value)) {
        check_int(field, json_integer_value(value));
    } else if (!number && json_is_string(value)) {
        check_string(field, json_string_value(value), json_string_length(value));
    } else {
        sample_take(&sample, value);
        check_type(field, sample.text, sample.size, true);
    }
}

/* --- a whole object ------------------------------------------------------------------------------- */

static void fail_whole(enum rule rule, const char *path, const json_t *value) {
    struct sample sample;
    sample_take(&sample, value);
    failures_add(&(struct failure){.rule = rule,
                                   .path = path,
                                   .value = sample.text,
                                   .value_size = sample.size,
                                   .value_is_json = true});
}

/* In the order of the model, as pydantic does. whole: what is needed must be there. */
static void check_fields(const struct model *model, json_t *object, bool whole) {
    struct sample sample;
    sample_take(&sample, object);
    for (int32_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        const json_t *value = json_object_get(object, field->name);
        if (value)
            check_value(field, value);
        else if (whole && !field->null && !field_is_made(field))
            check_missing(field, sample.text, sample.size);
    }
}

/* Last, as pydantic does, so that each failing field is in the list however many names are wrong. */
static void check_names(const struct model *model, json_t *object) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (model_field_find(model, name) < 0) fail_whole(RULE_EXTRA, name, value);
    }
}

static void fail_json(const json_error_t *error) {
    char place[24], addition[JSON_ERROR_TEXT_LENGTH + 48];
    (void)snprintf(place, sizeof place, "%d", error->position);
    (void)snprintf(addition, sizeof addition, " at byte %d: %s", error->position, error->text);
    failures_add(&(struct failure){.rule = RULE_JSON,
                                   .path = place,
                                   .limit = error->text,
                                   .value = "{}",
                                   .value_size = 2,
                                   .value_is_json = true,
                                   .addition = addition});
}

static json_t *decode_record(const char *json, size_t size, json_error_t *error) {
    if (size <= JSON_RECORD_SIZE_MAX) return decode(json, size, JSON_REJECT_DUPLICATES, error);
    *error = (json_error_t){.position = JSON_RECORD_SIZE_MAX};
    (void)snprintf(error->text, sizeof error->text, "%zu bytes, at most %d", size,
                   JSON_RECORD_SIZE_MAX);
    return NULL;
}

/* The object, checked; NULL after fail(). */
static json_t *object_read(const struct model *model, const char *json, size_t size, bool whole) {
    json_error_t error;
    errno = 0;
    json_t *object = decode_record(json, size, &error);
    if (!object && errno == ENOMEM) {
        (void)fail(SHARED_ENOMEM, "%s: out of memory", model->name);
        return NULL;
    }
    failures_start();
    if (!object) fail_json(&error);
    if (object && !json_is_object(object)) fail_whole(RULE_OBJECT, NULL, object);
    if (json_is_object(object)) {
        check_fields(model, object, whole);
        check_names(model, object);
    }
    if (failures_end(model) >= 0) return object;
    json_decref(object);
    return NULL;
}

static shared_status member_store(shared_record *record, int32_t index, const json_t *value) {
    int32_t field = shared_record_field(record, index);
    if (json_is_null(value)) return record_set_null(record, field);
    if (json_is_integer(value)) return record_set_int(record, field, json_integer_value(value));
    return record_set_text(record, field, json_string_value(value), json_string_length(value));
}

/* A record of the members alone. All are checked, so only memory can be missing here. */
static shared_status object_store(const struct model *model, json_t *object, shared_record **out) {
    shared_status status = record_make(model->number, out);
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (status >= 0) status = member_store(*out, model_field_find(model, name), value);
    }
    if (status >= 0) return status;
    shared_record_unref(*out);
    *out = NULL;
    return status;
}

static shared_status record_read(const struct model *model, const char *json, size_t size,
                                 bool whole, shared_record **out) {
    json_t *object = object_read(model, json, size, whole);
    if (!object) return shared_error_code(shared_error_last());
    shared_status status = object_store(model, object, out);
    json_decref(object);
    return status;
}

shared_status shared_record_from_json(int32_t model, const char *json, size_t size,
                                      shared_record **out) {
    operation_begin();
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    const struct model *found = model_find(model);
    if (!found) return fail(SHARED_EINVALID, "model: %d, must be 1 to %d", model, models_count);
    return record_read(found, json, size, true, out);
}

shared_status shared_record_merge_json(shared_record *record, const char *json, size_t size) {
    operation_begin();
    if (!record || !record_model(record))
        return fail(SHARED_EINVALID, "record is NULL or a row of raw SQL");
    shared_record *members = NULL;
    shared_status status = record_read(record_model(record), json, size, false, &members);
    if (status < 0) return status;
    record_take_changed(record, members); /* cannot fail, so it is all or none */
    shared_record_unref(members);
    return SHARED_OK;
}

/* --- looks into foreign JSON ---------------------------------------------------------------------- */

/* Whole numbers of any size, as Python writes them: where one is too big, all are read as reals. */
static json_t *decode_foreign(const char *json, size_t size) {
    json_error_t error;
    json_t *value = decode(json, size, 0, &error);
    if (value || json_error_code(&error) != json_error_numeric_overflow) return value;
    return decode(json, size, JSON_DECODE_INT_AS_REAL, &error);
}

/* A member that the caller gives back with its object; NULL: no object, or no such member. */
static json_t *member_find(const char *json, size_t size, const char *name, json_t **object) {
    *object = decode_foreign(json, size);
    return json_is_object(*object) ? json_object_get(*object, name) : NULL;
}

char *json_member_text(const char *json, size_t size, const char *name) {
    json_t *object;
    const json_t *member = member_find(json, size, name, &object);
    char *text = NULL;
    if (json_is_string(member) && strlen(json_string_value(member)) == json_string_length(member))
        text = text_copy(json_string_value(member));
    json_decref(object);
    return text;
}

/* Towards 0; one beyond the ends is the end. */
static int64_t int_of_real(double real) {
    const double end = 0x1p63;
    if (real >= end) return INT64_MAX;
    return real <= -end ? INT64_MIN : (int64_t)real;
}

bool json_member_int(const char *json, size_t size, const char *name, int64_t *out) {
    json_t *object;
    const json_t *member = member_find(json, size, name, &object);
    bool found = json_is_number(member);
    if (json_is_integer(member))
        *out = json_integer_value(member);
    else if (found)
        *out = int_of_real(json_real_value(member));
    json_decref(object);
    return found;
}

bool json_member_bool(const char *json, size_t size, const char *name) {
    json_t *object;
    const json_t *member = member_find(json, size, name, &object);
    bool value = json_is_true(member); /* a macro that looks twice */
    json_decref(object);
    return value;
}

shared_status json_check(const char *json, size_t size, char kind) {
    errno = 0; /* jansson itself does not tell every time */
    json_t *value = decode_foreign(json, size);
    bool fits = kind == '['   ? json_is_array(value)
                : kind == '{' ? json_is_object(value)
                              : value != NULL;
    bool scarce = !value && errno == ENOMEM;
    json_decref(value);
    return fits ? SHARED_OK : scarce ? SHARED_ENOMEM : SHARED_EINVALID;
}

bool json_is(const char *json, size_t size, char kind) {
    return json_check(json, size, kind) == SHARED_OK;
}
