/* SPDX-License-Identifier: MIT
 * fake_rows.h - an answer of a database that never was: a table of texts, NULL for null.
 */
#ifndef FAKE_ROWS_H
#define FAKE_ROWS_H

#include <string.h>

#include "model/record.h"

struct fake_rows {
    struct rows rows;
    int32_t columns;
    int64_t count;
    const char *const *names;  /* of columns, or NULL */
    const char *const *values; /* row by row */
    int frees;
};

static inline int64_t fake_count(const struct rows *rows) {
    return ((const struct fake_rows *)rows)->count;
}

static inline int32_t fake_columns(const struct rows *rows) {
    return ((const struct fake_rows *)rows)->columns;
}

static inline const char *fake_name(const struct rows *rows, int32_t column) {
    const struct fake_rows *fake = (const struct fake_rows *)rows;
    return fake->names ? fake->names[column] : "";
}

static inline const char *fake_value(const struct rows *rows, int64_t row, int32_t column,
                                     size_t *size) {
    const struct fake_rows *fake = (const struct fake_rows *)rows;
    const char *value = fake->values[row * fake->columns + column];
    *size = value ? strlen(value) : 0;
    return value;
}

static inline void fake_free(struct rows *rows) {
    ((struct fake_rows *)rows)->frees++;
}

static const struct rows_methods fake_methods = {
    .count = fake_count,
    .columns = fake_columns,
    .name = fake_name,
    .value = fake_value,
    .free = fake_free,
};

static inline struct fake_rows fake_rows(int32_t columns, int64_t count,
                                         const char *const *values) {
    return (struct fake_rows){
        .rows = {.methods = &fake_methods, .references = 1},
        .columns = columns,
        .count = count,
        .values = values,
    };
}

/* A row of documents as the database gives it. */
static const char *const document_values[] = {
    "doc-123",
    NULL,
    "will \"final\".pdf",
    "application/pdf",
    "12345",
    NULL,
    "ab/abc",
    "completed",
    "200",
    "0",
    NULL,
    NULL,
    NULL,
    "3",
    "2026-11-24 10:00:00+00",
    "2026-11-24 12:00:00.5+02",
};
static const char *const document_json =
    "{\"id\":\"doc-123\",\"case_id\":null,\"file_name\":\"will \\\"final\\\".pdf\","
    "\"content_type\":\"application/pdf\",\"byte_size\":12345,\"sha256\":null,"
    "\"file_path\":\"ab/abc\",\"extraction_status\":\"completed\",\"page_count\":200,"
    "\"pages_failed\":0,\"error\":null,\"error_class\":null,\"error_code\":null,\"attempt\":3,"
    "\"created_at\":\"2026-11-24T10:00:00Z\",\"updated_at\":\"2026-11-24T10:00:00."
    "500000Z\"}";

#endif
