/* SPDX-License-Identifier: MIT
 * record.h - inside of a record, and rows: the seam by which a database answer lends its values.
 */
#ifndef MODEL_RECORD_H
#define MODEL_RECORD_H

#include <shared/record.h>
#include <stdatomic.h>

#include "model/model.h"

/* A counted answer of the database. net/ makes them; records hold them. */
struct rows;
struct rows_methods {
    int64_t (*count)(const struct rows *rows);
    int32_t (*columns)(const struct rows *rows);
    const char *(*name)(const struct rows *rows, int32_t column);
    uint32_t (*type)(const struct rows *rows, int32_t column); /* of PostgreSQL; NULL: not known */
    /* NULL: null. NUL-terminated text; *size gets its bytes. */
    const char *(*value)(const struct rows *rows, int64_t row, int32_t column, size_t *size);
    void (*free)(struct rows *rows);
};
struct rows {
    const struct rows_methods *methods;
    _Atomic int32_t references; /* starts at 1 */
};
struct rows *rows_ref(struct rows *rows);
void rows_unref(struct rows *rows); /* accepts NULL */

/* A record that reads row number row; refs rows. Model 0: any columns. Columns of a model's row stand
 * in the order of its fields (statement_select). NULL without memory. */
shared_record *record_from_row(int32_t model, struct rows *rows, int64_t row);

/* The public functions without their names: an error belongs to the public function that calls. */
shared_status record_make(int32_t model, shared_record **out);
shared_status record_set_int(shared_record *record, int32_t field, int64_t number);
shared_status record_set_time(shared_record *record, int32_t field, int64_t time_us);
shared_status record_set_text(shared_record *record, int32_t field, const char *text, size_t size);
shared_status record_set_null(shared_record *record, int32_t field);
shared_status record_check(const shared_record *record);

/* For statement.c: value as the database's text, NULL when null. */
const char *record_value(const shared_record *record, int32_t index, size_t *size);
/* Position of a field or column; -1: another model's, or past the last. */
int32_t record_index(const shared_record *record, int32_t field);
/* SHARED_TYPE_... of a field or column by position. */
int32_t record_type(const shared_record *record, int32_t index);
const struct rows *record_rows(const shared_record *record); /* NULL: of no answer */
/* What values of a raw row were decoded to. */
struct decoded;
struct decoded **record_decoded(shared_record *record);
bool record_is_changed(const shared_record *record, int32_t index);
/* The rules for the changed fields alone: SHARED_ESCHEMA names each that fails; SHARED_EINVALID: the key of a
 * row that was read is not what it was. */
shared_status record_check_changed(const shared_record *record);
/* Moves what was set in source, of the same model, over to record. */
void record_take_changed(shared_record *record, shared_record *source);
/* Becomes a record that reads row number row of its own model: what was set before is forgotten. Refs rows. */
void record_take_row(shared_record *record, struct rows *rows, int64_t row);
/* What is set is on its way to the database and counts as changed no more, until it is undone. */
void record_send(shared_record *record);
void record_undo_send(shared_record *record);
/* It is stored, and the record reads row number row, or is left as it is (rows NULL). What was set after it
 * was sent stays, and stays changed. */
void record_end_send(shared_record *record, struct rows *rows, int64_t row);
const struct model *record_model(const shared_record *record);

#endif
