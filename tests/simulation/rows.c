/* SPDX-License-Identifier: MIT
 * rows.c - answers of the simulated database as the library reads them, and lists in PostgreSQL's binary form as
 * it sends them. No statement.
 */
#include <stdlib.h>
#include <string.h>

#include "database.h"

struct sim_rows {
    struct rows base;
    int32_t columns;
    int64_t count, count_max;
    const char **values;
};

static int64_t rows_count(const struct rows *rows) {
    return ((const struct sim_rows *)rows)->count;
}

static int32_t rows_columns(const struct rows *rows) {
    return ((const struct sim_rows *)rows)->columns;
}

static const char *rows_name(const struct rows *rows, int32_t column) {
    (void)rows;
    (void)column;
    return "column";
}

static const char *rows_value(const struct rows *rows, int64_t row, int32_t column, size_t *size) {
    const struct sim_rows *own = (const struct sim_rows *)rows;
    const char *value = own->values[row * own->columns + column];
    *size = value ? strlen(value) : 0;
    return value;
}

/* The run's memory goes all together. */
static void rows_free(struct rows *rows) {
    (void)rows;
}

static const struct rows_methods methods = {.count = rows_count,
                                            .columns = rows_columns,
                                            .name = rows_name,
                                            .value = rows_value,
                                            .free = rows_free};

struct rows *rows_new(int32_t columns, int64_t count_max) {
    struct sim_rows *rows = sim_alloc(sizeof *rows);
    rows->base.methods = &methods;
    rows->base.references = 1;
    rows->columns = columns;
    rows->count_max = count_max;
    rows->values = sim_alloc((size_t)(columns * count_max + 1) * sizeof *rows->values);
    return &rows->base;
}

void rows_add(struct rows *rows, const char *const *values) {
    struct sim_rows *own = (struct sim_rows *)rows;
    SIM_CHECK(own->count < own->count_max);
    for (int32_t i = 0; i < own->columns; i++)
        own->values[own->count * own->columns + i] = values[i];
    own->count++;
}

static uint32_t take_u32(const unsigned char **at) {
    const unsigned char *bytes = *at;
    *at += 4;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Head of an array of one dimension: the number of its elements. */
static int32_t array_head(const struct parameters *parameters, int32_t index,
                          const unsigned char **at) {
    *at = (const unsigned char *)parameters_value(parameters, index);
    SIM_CHECK(*at != NULL && parameters->binary[index]);
    uint32_t dimensions = take_u32(at);
    (void)take_u32(at);
    (void)take_u32(at);
    if (!dimensions) return 0;
    int32_t count = (int32_t)take_u32(at);
    (void)take_u32(at);
    return count;
}

int32_t array_texts(const struct parameters *parameters, int32_t index, const char **out,
                    int32_t most) {
    const unsigned char *at;
    int32_t count = array_head(parameters, index, &at);
    SIM_CHECK(count <= most);
    for (int32_t i = 0; i < count; i++) {
        uint32_t size = take_u32(&at);
        out[i] = size == UINT32_MAX ? NULL : sim_copy((const char *)at, size);
        if (size != UINT32_MAX) at += size;
    }
    return count;
}

int32_t array_ints(const struct parameters *parameters, int32_t index, int64_t *out, int32_t most) {
    const unsigned char *at;
    int32_t count = array_head(parameters, index, &at);
    SIM_CHECK(count <= most);
    for (int32_t i = 0; i < count; i++) {
        SIM_CHECK(take_u32(&at) == sizeof *out);
        uint64_t high = take_u32(&at);
        out[i] = (int64_t)(high << 32 | take_u32(&at));
    }
    return count;
}

int64_t parameter_int(const struct parameters *parameters, int32_t index) {
    const char *text = parameters_value(parameters, index);
    SIM_CHECK(text != NULL);
    return strtoll(text, NULL, 10);
}
