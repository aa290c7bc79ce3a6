/* SPDX-License-Identifier: MIT
 * statement.c - SQL for one record, by walking the table. Names come from the table alone and values
 * travel as parameters, so nothing is quoted. Never talks to a server.
 */
#include "model/statement.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

void statement_finish(struct statement *statement) {
    buffer_finish(&statement->sql);
    parameters_finish(&statement->parameters);
}

const char *statement_select(const struct model *model) {
    return model->select;
}

const char *statement_select_by_key(const struct model *model) {
    return model->select_by_key;
}

static shared_status model_check(const struct model *model) {
    if (model && model->table) return SHARED_OK;
    return fail(SHARED_EINVALID, "%s has no table", model ? model->name : "a row of raw SQL");
}

/* SHARED_OK, or what was missing while the statement was built. */
static shared_status statement_end(const struct statement *statement, bool complete) {
    if (complete && !statement->sql.failed) return SHARED_OK;
    return fail(SHARED_ENOMEM, "a statement: out of memory");
}

/* The next parameter gets the value of a field, and its number is returned, from 1. */
static int32_t value_add(struct statement *statement, const shared_record *record, int32_t index,
                         bool *complete) {
    size_t size = 0;
    const char *text = record_value(record, index, &size);
    int32_t place = statement->parameters.count;
    if (!parameters_set_text(&statement->parameters, place, text, size)) *complete = false;
    return place + 1;
}

static bool is_null(const shared_record *record, int32_t index) {
    size_t size;
    return record_value(record, index, &size) == NULL;
}

shared_status statement_insert(struct statement *statement, const shared_record *record) {
    const struct model *model = record_model(record);
    shared_status status = model_check(model);
    if (status < 0) return status;
    bool complete = true;
    buffer_format(&statement->sql, "INSERT INTO %s (", model->table);
    for (int32_t i = 0; i < model->count; i++) {
        if (is_null(record, i)) continue; /* the column's default, or null */
        int32_t place = value_add(statement, record, i, &complete);
        buffer_format(&statement->sql, "%s%s", place > 1 ? "," : "", model->fields[i].name);
    }
    int32_t count = statement->parameters.count;
    if (!count && complete) return fail(SHARED_EINVALID, "%s: no field is set", model->name);
    buffer_add_text(&statement->sql, ") VALUES (");
    for (int32_t i = 1; i <= count; i++)
        buffer_format(&statement->sql, "%s$%d", i > 1 ? "," : "", i);
    buffer_add_char(&statement->sql, ')');
    return statement_end(statement, complete);
}

void statement_select_by_keys(struct statement *statement, const struct model *model) {
    int32_t key = 0;
    while (!model->fields[key].key) key++;
    buffer_format(&statement->sql,
                  "%s JOIN unnest($1) WITH ORDINALITY AS wanted(wanted_key, wanted_place)"
                  " ON %s = wanted_key ORDER BY wanted_place",
                  model->select, model->fields[key].name);
}

shared_status statement_key(struct statement *statement, const shared_record *record) {
    const struct model *model = record_model(record);
    bool complete = true;
    for (int32_t i = 0; i < model->count; i++) {
        if (!model->fields[i].key) continue;
        if (is_null(record, i))
            return fail(SHARED_EINVALID, "%s: the key %s is null", model->name,
                        model->fields[i].name);
        (void)value_add(statement, record, i, &complete);
    }
    return statement_end(statement, complete);
}

/* " WHERE id = $3": the row of the record's key. */
static shared_status where_add(struct statement *statement, const shared_record *record,
                               bool *complete) {
    const struct model *model = record_model(record);
    const char *before = " WHERE ";
    for (int32_t i = 0; i < model->count; i++) {
        if (!model->fields[i].key) continue;
        if (is_null(record, i))
            return fail(SHARED_EINVALID, "%s: the key %s is null", model->name,
                        model->fields[i].name);
        int32_t place = value_add(statement, record, i, complete);
        buffer_format(&statement->sql, "%s%s = $%d", before, model->fields[i].name, place);
        before = " AND ";
    }
    return SHARED_OK;
}

/* "updated_at" tells of every change, unless the caller set it. */
static const char *const touched_name = "updated_at";

static void set_add(struct statement *statement, const shared_record *record, bool *complete) {
    const struct model *model = record_model(record);
    for (int32_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (!record_is_changed(record, i)) continue;
        if (field->key) continue; /* says which row */
        int32_t place = value_add(statement, record, i, complete);
        buffer_format(&statement->sql, "%s%s = $%d", place > 1 ? ", " : "", field->name, place);
    }
    int32_t touched = model_field_find(model, touched_name);
    if (statement->parameters.count && touched >= 0 && !record_is_changed(record, touched))
        buffer_format(&statement->sql, ", %s = now()", touched_name);
}

shared_status statement_update(struct statement *statement, const shared_record *record) {
    const struct model *model = record_model(record);
    shared_status status = model_check(model);
    if (status >= 0) status = record_check_changed(record);
    if (status < 0) return status;
    bool complete = true;
    buffer_format(&statement->sql, "UPDATE %s SET ", model->table);
    set_add(statement, record, &complete);
    if (!statement->parameters.count && complete) {
        buffer_clear(&statement->sql); /* nothing to do, and nothing to send */
        return SHARED_OK;
    }
    status = where_add(statement, record, &complete);
    return status < 0 ? status : statement_end(statement, complete);
}

shared_status statement_delete(struct statement *statement, const shared_record *record) {
    const struct model *model = record_model(record);
    shared_status status = model_check(model);
    if (status < 0) return status;
    bool complete = true;
    buffer_format(&statement->sql, "DELETE FROM %s", model->table);
    status = where_add(statement, record, &complete);
    return status < 0 ? status : statement_end(statement, complete);
}
