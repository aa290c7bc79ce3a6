/* SPDX-License-Identifier: MIT
 * parameters.c - the values of a statement: text, or for lists PostgreSQL's binary form of an array, so
 * that nothing has to be quoted. Knows no SQL.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/statement.h"

enum { ROOM_MIN = 8 };

void parameters_finish(struct parameters *parameters) {
    buffer_finish(&parameters->bytes);
    free(parameters->offset);
    *parameters = (struct parameters){0};
}

void parameters_clear(struct parameters *parameters) {
    buffer_clear(&parameters->bytes);
    parameters->count = 0;
}

/* Copies the places in use. */
static void places_copy(struct parameters *target, const struct parameters *source) {
    size_t count = (size_t)source->count;
    if (!count) return;
    memcpy(target->offset, source->offset, count * sizeof *target->offset);
    memcpy(target->size, source->size, count * sizeof *target->size);
    memcpy(target->type, source->type, count * sizeof *target->type);
    memcpy(target->binary, source->binary, count * sizeof *target->binary);
}

static bool places_reserve(struct parameters *parameters, int32_t count) {
    if (count <= parameters->room) return true;
    int32_t room = parameters->room ? parameters->room : ROOM_MIN;
    while (room < count) room *= 2;
    struct parameters grown = *parameters;
    size_t places = (size_t)room;
    grown.room = room;
    grown.offset = malloc(places * (sizeof *grown.offset + sizeof *grown.size + sizeof *grown.type +
                                    sizeof *grown.binary));
    if (!grown.offset) return false;
    grown.size = (int32_t *)(grown.offset + places);
    grown.type = (uint32_t *)(grown.size + places);
    grown.binary = (uint8_t *)(grown.type + places);
    places_copy(&grown, parameters);
    free(parameters->offset);
    *parameters = grown;
    return true;
}

/* Makes place index the newest value; places skipped on the way are null. */
static bool place_open(struct parameters *parameters, int32_t index, uint32_t type) {
    if (index < 0 || index >= PARAMETERS_MAX || !places_reserve(parameters, index + 1))
        return false;
    for (; parameters->count <= index; parameters->count++) {
        parameters->offset[parameters->count] = SIZE_MAX;
        parameters->size[parameters->count] = 0;
        parameters->type[parameters->count] = OID_UNKNOWN;
        parameters->binary[parameters->count] = 0;
    }
    parameters->offset[index] = SIZE_MAX;
    parameters->size[index] = 0;
    parameters->type[index] = type;
    parameters->binary[index] =
        type == OID_TEXT_ARRAY || type == OID_INT8_ARRAY || type == OID_BYTEA;
    return true;
}

/* What was added to bytes since start is the value. */
static bool place_close(struct parameters *parameters, int32_t index, size_t start) {
    struct buffer *bytes = &parameters->bytes;
    size_t size = bytes->size - start;
    buffer_add_char(bytes, '\0');
    if (bytes->failed || size > INT_MAX) return false;
    parameters->offset[index] = start;
    parameters->size[index] = (int32_t)size;
    return true;
}

bool parameters_set_text(struct parameters *parameters, int32_t index, const char *text,
                         size_t size) {
    if (!place_open(parameters, index, OID_UNKNOWN)) return false;
    if (!text) return true;
    size_t start = parameters->bytes.size;
    buffer_add(&parameters->bytes, text, size);
    return place_close(parameters, index, start);
}

bool parameters_set_typed(struct parameters *parameters, int32_t index, uint32_t type,
                          const void *data, size_t size) {
    if (!place_open(parameters, index, type)) return false;
    size_t start = parameters->bytes.size;
    buffer_add(&parameters->bytes, data, size);
    return place_close(parameters, index, start);
}

bool parameters_set_int(struct parameters *parameters, int32_t index, int64_t number) {
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)number);
    return parameters_set_text(parameters, index, text, (size_t)size);
}

static void add_int32(struct buffer *bytes, uint32_t number) {
    uint32_t swapped = htonl(number);
    buffer_add(bytes, &swapped, sizeof swapped);
}

/* Head of an array of one dimension that begins at 1: dimensions, flags, type, count, first. */
static void add_array_head(struct buffer *bytes, uint32_t type, size_t count, bool has_null) {
    add_int32(bytes, count ? 1 : 0);
    add_int32(bytes, has_null);
    add_int32(bytes, type);
    if (!count) return;
    add_int32(bytes, (uint32_t)count);
    add_int32(bytes, 1);
}

bool parameters_set_text_array(struct parameters *parameters, int32_t index,
                               const char *const *texts, const size_t *sizes, size_t count) {
    if (count > INT_MAX || !place_open(parameters, index, OID_TEXT_ARRAY)) return false;
    struct buffer *bytes = &parameters->bytes;
    size_t start = bytes->size;
    bool has_null = false;
    for (size_t i = 0; i < count; i++) has_null |= !texts[i];
    add_array_head(bytes, OID_TEXT, count, has_null);
    for (size_t i = 0; i < count; i++) {
        if (!texts[i]) {
            add_int32(bytes, UINT32_MAX); /* size -1: null */
            continue;
        }
        size_t size = sizes ? sizes[i] : strlen(texts[i]);
        if (size > INT_MAX) return false;
        add_int32(bytes, (uint32_t)size);
        buffer_add(bytes, texts[i], size);
    }
    return place_close(parameters, index, start);
}

bool parameters_set_int_array(struct parameters *parameters, int32_t index, const int64_t *numbers,
                              const bool *nulls, size_t count) {
    if (count > INT_MAX || !place_open(parameters, index, OID_INT8_ARRAY)) return false;
    struct buffer *bytes = &parameters->bytes;
    size_t start = bytes->size;
    bool has_null = false;
    for (size_t i = 0; nulls && i < count; i++) has_null |= nulls[i];
    add_array_head(bytes, OID_INT8, count, has_null);
    for (size_t i = 0; i < count; i++) {
        if (nulls && nulls[i]) {
            add_int32(bytes, UINT32_MAX);
            continue;
        }
        uint64_t number = (uint64_t)numbers[i];
        add_int32(bytes, sizeof number);
        add_int32(bytes, (uint32_t)(number >> 32));
        add_int32(bytes, (uint32_t)number);
    }
    return place_close(parameters, index, start);
}

bool parameters_copy(struct parameters *target, const struct parameters *source) {
    parameters_clear(target);
    if (!places_reserve(target, source->count)) return false;
    buffer_add(&target->bytes, source->bytes.data, source->bytes.size);
    places_copy(target, source);
    target->count = source->count;
    return !target->bytes.failed;
}

const char *parameters_value(const struct parameters *parameters, int32_t index) {
    bool there = index >= 0 && index < parameters->count && parameters->offset[index] != SIZE_MAX;
    return there ? parameters->bytes.data + parameters->offset[index] : NULL;
}
