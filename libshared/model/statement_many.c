/* SPDX-License-Identifier: MIT
 * statement_many.c - many records of one model as one statement: a list for each column. Its text
 * depends on the columns alone, so one prepared statement serves batches of any size, and it may stand
 * in a pipeline, where COPY may not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/statement.h"

/* Room for one column's values of all records. */
struct column {
    const char **texts;
    size_t *sizes;
    int64_t *numbers;
    bool *nulls;
};

static void column_finish(struct column *column) {
    free(column->texts);
    free(column->sizes);
    free(column->numbers);
    free(column->nulls);
}

static bool column_init(struct column *column, size_t count) {
    *column = (struct column){
        .texts = calloc(count, sizeof *column->texts),
        .sizes = calloc(count, sizeof *column->sizes),
        .numbers = calloc(count, sizeof *column->numbers),
        .nulls = calloc(count, sizeof *column->nulls),
    };
    return column->texts && column->sizes && column->numbers && column->nulls;
}

static bool is_number(const struct field *field) {
    return field->type == FIELD_INT32 || field->type == FIELD_INT64;
}

/* Collects the values of a field; a default that the table knows stands in for what is absent. false:
 * no record has one. */
static bool column_read(struct column *column, const struct field *field, int32_t index,
                        shared_record *const *records, size_t count) {
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        const char *text = record_value(records[i], index, &size);
        found |= text != NULL;
        if (!text && field->preset) {
            text = field->preset;
            size = strlen(text);
        }
        column->texts[i] = text;
        column->sizes[i] = size;
        column->nulls[i] = !text;
        if (text && is_number(field))
            (void)text_to_int(text, size, INT64_MIN, INT64_MAX, &column->numbers[i]);
    }
    return found;
}

static bool column_set(struct parameters *parameters, const struct column *column,
                       const struct field *field, size_t count) {
    int32_t place = parameters->count;
    if (is_number(field))
        return parameters_set_int_array(parameters, place, column->numbers, column->nulls, count);
    return parameters_set_text_array(parameters, place, column->texts, column->sizes, count);
}

/* How a column of the lists becomes one of the table. */
static void value_add(struct buffer *values, const struct field *field) {
    const char *comma = values->size ? "," : "";
    if (field->server)
        buffer_format(values, "%scoalesce(%s::timestamptz,now())", comma, field->name);
    else if (field->type == FIELD_TIME)
        buffer_format(values, "%s%s::timestamptz", comma, field->name);
    else
        buffer_format(values, "%s%s", comma, field->name);
}

/* "id,content", "$1,$2", and what is selected. */
struct parts {
    struct buffer names, places, values;
};

static bool parts_make(struct parts *parts, struct parameters *parameters, struct column *column,
                       shared_record *const *records, size_t count) {
    const struct model *model = record_model(records[0]);
    for (int32_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (!column_read(column, field, i, records, count)) continue;
        if (!column_set(parameters, column, field, count)) return false;
        int32_t place = parameters->count;
        buffer_format(&parts->names, "%s%s", place > 1 ? "," : "", field->name);
        buffer_format(&parts->places, "%s$%d", place > 1 ? "," : "", place);
        value_add(&parts->values, field);
    }
    return !parts->names.failed && !parts->places.failed && !parts->values.failed;
}

static shared_status records_check(shared_record *const *records, size_t count) {
    if (!count) return fail(SHARED_EINVALID, "no record to insert");
    const struct model *model = record_model(records[0]);
    if (!model || !model->table) return fail(SHARED_EINVALID, "records of a model without a table");
    for (size_t i = 1; i < count; i++)
        if (record_model(records[i]) != model)
            return fail(SHARED_EINVALID, "record %zu is not of %s as the first one is", i,
                        model->name);
    return SHARED_OK;
}

shared_status statement_insert_many(struct statement *statement, shared_record *const *records,
                                    size_t count) {
    shared_status status = records_check(records, count);
    if (status < 0) return status;
    const struct model *model = record_model(records[0]);
    struct column column;
    struct parts parts = {0};
    bool made = column_init(&column, count) &&
                parts_make(&parts, &statement->parameters, &column, records, count);
    column_finish(&column);
    if (made && statement->parameters.count)
        buffer_format(&statement->sql, "INSERT INTO %s (%s) SELECT %s FROM unnest(%s) AS new(%s)",
                      model->table, parts.names.data, parts.values.data, parts.places.data,
                      parts.names.data);
    buffer_finish(&parts.names);
    buffer_finish(&parts.places);
    buffer_finish(&parts.values);
    if (!made || statement->sql.failed)
        return fail(SHARED_ENOMEM, "%zu records of %s: out of memory, or more than 2 GB", count,
                    model->name);
    if (!statement->parameters.count)
        return fail(SHARED_EINVALID, "%s: no field is set", model->name);
    return SHARED_OK;
}
