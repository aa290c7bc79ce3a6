/* SPDX-License-Identifier: MIT
 * query_order.c - the order of a model query, and the condition for what comes behind a row in it: pages by
 * key, which neither skip a row nor bring one twice while others write. Never runs anything.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "session/query.h"

enum { ORDER_SIZE_MAX = 1024 };

/* --- order ---------------------------------------------------------------------------------------- */

/* The next word; false at the end of text or at a comma. */
static bool word_next(const char **text, char *out, size_t out_size) {
    while (isspace((unsigned char)**text)) ++*text;
    size_t size = strcspn(*text, ", \t\r\n");
    if (!size || size >= out_size) return false;
    memcpy(out, *text, size);
    out[size] = '\0';
    *text += size;
    while (isspace((unsigned char)**text)) ++*text;
    return true;
}

static bool is_ordered(const struct order *orders, int32_t count, int32_t index) {
    for (int32_t i = 0; i < count; i++)
        if (orders[i].index == index) return true;
    return false;
}

/* One "created_at DESC". */
static bool order_part(struct order *orders, int32_t *count, const struct model *model,
                       const char **text) {
    char name[64], way[8] = "ASC";
    if (!word_next(text, name, sizeof name)) return false;
    int32_t index = model_field_find(model, name);
    if (index < 0 || is_ordered(orders, *count, index)) return false;
    if (**text && **text != ',' && !word_next(text, way, sizeof way)) return false;
    bool down = !strcasecmp(way, "DESC");
    if (!down && strcasecmp(way, "ASC") != 0) return false;
    orders[(*count)++] = (struct order){.index = (uint8_t)index, .down = down};
    return true;
}

shared_status shared_query_order(shared_query *query, const char *order) {
    operation_begin();
    shared_status status = query_check_model(query, "order");
    if (status < 0) return status;
    const char *text = order ? order : "";
    struct order orders[MODEL_FIELDS_MAX];
    int32_t count = 0;
    bool good = strlen(text) <= ORDER_SIZE_MAX;
    do {
        good = good && order_part(orders, &count, query->model, &text);
    } while (good && *text == ',' && text++);
    if (!good || *text)
        return fail(SHARED_EINVALID,
                    "order: \"%.100s\", must be fields of %s, each with ASC or DESC, none twice",
                    order ? order : "", query->model->name);
    memcpy(query->orders, orders, sizeof query->orders);
    query->order_count = count;
    parameters_clear(&query->after);
    return SHARED_OK;
}

/* The parts that were asked for, and the key where it is not among them; their number. */
static int32_t order_whole(const shared_query *query, struct order orders[MODEL_FIELDS_MAX]) {
    int32_t count = query->order_count;
    memcpy(orders, query->orders, sizeof query->orders);
    for (int32_t i = 0; i < query->model->count; i++)
        if (query->model->fields[i].key && !is_ordered(orders, count, i))
            orders[count++] = (struct order){.index = (uint8_t)i};
    return count;
}

void query_order_build(const shared_query *query, struct buffer *sql) {
    struct order orders[MODEL_FIELDS_MAX];
    if (!query->order_count && !query->limit && !query->is_paged) return;
    int32_t count = order_whole(query, orders);
    for (int32_t i = 0; i < count; i++)
        buffer_format(sql, "%s%s%s", i ? ", " : " ORDER BY ",
                      query->model->fields[orders[i].index].name, orders[i].down ? " DESC" : "");
}

/* --- what comes behind a row ---------------------------------------------------------------------- */

static shared_status after_fill(shared_query *query, const shared_record *record,
                                const struct order *orders, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        size_t size = 0;
        const struct field *field = &query->model->fields[orders[i].index];
        const char *text = record_value(record, orders[i].index, &size);
        if (!text && field->key)
            return fail(SHARED_EINVALID, "after: the key %s of the record is null", field->name);
        if (!parameters_set_text(&query->after, i, text, size))
            return fail(SHARED_ENOMEM, "query: out of memory");
    }
    return SHARED_OK;
}

shared_status shared_query_after(shared_query *query, const shared_record *record) {
    operation_begin();
    struct order orders[MODEL_FIELDS_MAX];
    shared_status status = query_check_model(query, "after");
    if (status < 0) return status;
    int32_t count = order_whole(query, orders);
    if (record && record_model(record) != query->model)
        return fail(SHARED_EINVALID, "after: the record is not a %s", query->model->name);
    if (query->placeholders + count + 1 > PARAMETERS_MAX)
        return fail(SHARED_EINVALID, "after: $%d and %d values of the order, at most %d in all",
                    query->placeholders, count, PARAMETERS_MAX - 1);
    parameters_clear(&query->after);
    if (record) status = after_fill(query, record, orders, count);
    if (status < 0)
        parameters_clear(&query->after);
    else
        query->is_paged = true;
    return status;
}

/* One part of the order, and the place of its value. */
struct part {
    const struct field *field;
    bool down;
    int32_t place; /* 0: the row has null there */
};

static void add_equal(struct buffer *sql, const struct part *part) {
    if (part->place)
        buffer_format(sql, "%s = $%d", part->field->name, part->place);
    else
        buffer_format(sql, "%s IS NULL", part->field->name);
}

/* NULLs come last when ascending and first when descending, as PostgreSQL has it. */
static void add_behind(struct buffer *sql, const struct part *part) {
    const char *name = part->field->name;
    if (!part->place)
        buffer_format(sql, "%s IS NOT NULL", name);
    else if (part->down)
        buffer_format(sql, "%s < $%d", name, part->place);
    else if (part->field->null)
        buffer_format(sql, "(%s > $%d OR %s IS NULL)", name, part->place, name);
    else
        buffer_format(sql, "%s > $%d", name, part->place);
}

/* "a > $1 OR (a = $1 AND b < $2)" */
static void add_alternatives(struct buffer *sql, const struct part *parts, int32_t count) {
    const char *before = "";
    for (int32_t i = 0; i < count; i++) {
        if (!parts[i].place && !parts[i].down) continue; /* nothing comes behind the last null */
        buffer_format(sql, "%s(", before);
        for (int32_t j = 0; j < i; j++) {
            add_equal(sql, &parts[j]);
            buffer_add_text(sql, " AND ");
        }
        add_behind(sql, &parts[i]);
        buffer_add_char(sql, ')');
        before = " OR ";
    }
}

/* "(a, b) > ($1, $2)": an index serves it as it stands. */
static void add_row(struct buffer *sql, const struct part *parts, int32_t count) {
    for (int32_t i = 0; i < count; i++)
        buffer_format(sql, "%s%s", i ? ", " : "(", parts[i].field->name);
    buffer_add_text(sql, parts[0].down ? ") < (" : ") > (");
    for (int32_t i = 0; i < count; i++) buffer_format(sql, "%s$%d", i ? ", " : "", parts[i].place);
    buffer_add_char(sql, ')');
}

void query_after_build(const shared_query *query, struct buffer *sql) {
    struct order orders[MODEL_FIELDS_MAX];
    struct part parts[MODEL_FIELDS_MAX] = {0};
    int32_t count = order_whole(query, orders), place = query->placeholders;
    bool is_row = true;
    for (int32_t i = 0; i < count; i++) {
        bool is_null = !parameters_value(&query->after, i);
        parts[i] = (struct part){.field = &query->model->fields[orders[i].index],
                                 .down = orders[i].down,
                                 .place = is_null ? 0 : ++place};
        if (parts[i].down != parts[0].down || parts[i].field->null) is_row = false;
    }
    if (is_row) {
        add_row(sql, parts, count);
        return;
    }
    /* What an index on the first field can use. */
    if (!parts[0].field->null)
        buffer_format(sql, "%s %s $%d AND (", parts[0].field->name,
                      parts[0].down ? "<=" : ">=", parts[0].place);
    add_alternatives(sql, parts, count);
    if (!parts[0].field->null) buffer_add_char(sql, ')');
}
