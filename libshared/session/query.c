/* SPDX-License-Identifier: MIT
 * query.c - what to ask, as the user builds it up, and its SQL. Values are never part of the text. Never
 * runs anything: session.c does.
 */
#include "session/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum { SQL_SIZE_MAX = 1024 * 1024 };

/* --- life ----------------------------------------------------------------------------------------- */

static shared_status check_bytes(const char *sql, size_t size) {
    if (size > SQL_SIZE_MAX)
        return fail(SHARED_EINVALID, "sql: %zu bytes, at most %d", size, SQL_SIZE_MAX);
    return text_is_utf8(sql ? sql : "", size) ? SHARED_OK
                                              : fail(SHARED_EINVALID, "sql: is not UTF-8");
}

shared_status query_check_copy(const char *sql, bool in) {
    shared_status status = check_bytes(sql, sql ? strlen(sql) : 0);
    if (status < 0) return status;
    char way = sql ? query_copy_way(sql) : '\0', wanted = in ? 'i' : 'o';
    if (way == wanted) return SHARED_OK;
    if (way)
        return fail(SHARED_EINVALID, "sql: is a COPY %s, which shared_session_copy_%s runs",
                    way == 'i' ? "FROM STDIN" : "TO STDOUT", way == 'i' ? "in" : "out");
    return fail(SHARED_EINVALID, "sql: \"%.100s\" is no COPY ... %s", sql ? sql : "",
                in ? "FROM STDIN" : "TO STDOUT");
}

static shared_status check_text(const struct model *model, const char *sql) {
    size_t size = sql ? strlen(sql) : 0;
    if (!model && !size)
        return fail(SHARED_EINVALID, "sql: a query without a model needs a statement");
    shared_status status = check_bytes(sql, size);
    if (status < 0) return status;
    const char *call = model ? NULL : query_transaction_call(sql);
    if (call)
        return fail(SHARED_EINVALID,
                    "sql: \"%.40s\" begins or ends a transaction: that is for shared_session_%s",
                    sql, call);
    int32_t placeholders = sql ? query_placeholders(sql) : 0;
    int32_t placeholders_max = model ? PARAMETERS_MAX - 1 : PARAMETERS_MAX; /* one is for LIMIT */
    if (placeholders > placeholders_max)
        return fail(SHARED_EINVALID, "sql: has $%d, at most $%d", placeholders, placeholders_max);
    return SHARED_OK;
}

shared_status shared_query_new(int32_t model, const char *sql, shared_query **out) {
    operation_begin();
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    const struct model *found = model ? model_find(model) : NULL;
    if (model && (!found || !found->table))
        return fail(SHARED_EINVALID, "model: %d has no table", model);
    shared_status status = check_text(found, sql);
    if (status < 0) return status;
    shared_query *query = calloc(1, sizeof *query);
    if (!query) return fail(SHARED_ENOMEM, "query: out of memory");
    query->model = found;
    bool has_text = sql && *sql;
    query->sql = has_text ? text_copy(sql) : NULL;
    query->placeholders = has_text ? query_placeholders(sql) : 0;
    if (has_text && !query->sql) {
        free(query);
        return fail(SHARED_ENOMEM, "query: out of memory");
    }
    *out = query;
    return SHARED_OK;
}

void shared_query_free(shared_query *query) {
    if (!query) return;
    parameters_finish(&query->parameters);
    free(query->sql);
    parameters_finish(&query->after);
    free(query);
}

/* --- shape of the answer -------------------------------------------------------------------------- */

shared_status query_check_model(const shared_query *query, const char *what) {
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    if (!query->model)
        return fail(SHARED_EINVALID, "%s: a query without a model has its own in its text", what);
    return SHARED_OK;
}

shared_status shared_query_limit(shared_query *query, int64_t rows) {
    operation_begin();
    shared_status status = query_check_model(query, "limit");
    if (status < 0) return status;
    if (rows < 1) return fail(SHARED_EINVALID, "limit: %" PRId64 ", at least 1", rows);
    query->limit = rows;
    return SHARED_OK;
}

shared_status shared_query_lock(shared_query *query, int32_t strength, int32_t wait) {
    operation_begin();
    shared_status status = query_check_model(query, "lock");
    if (status < 0) return status;
    if (strength < 0 || strength > SHARED_FOR_KEY_SHARE)
        return fail(SHARED_EINVALID, "strength: %d, must be 0 to %d", strength,
                    SHARED_FOR_KEY_SHARE);
    if (wait < SHARED_WAIT || wait > SHARED_SKIP_LOCKED)
        return fail(SHARED_EINVALID, "wait: %d, must be 0 to %d", wait, SHARED_SKIP_LOCKED);
    query->strength = strength;
    query->wait = wait;
    return SHARED_OK;
}

shared_status shared_query_read_only(shared_query *query) {
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    query->read_only = true;
    return SHARED_OK;
}

shared_status shared_query_autocommit(shared_query *query) {
    operation_begin();
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    if (query->model) return fail(SHARED_EINVALID, "autocommit: only for raw SQL (model 0)");
    query->autocommit = true;
    return SHARED_OK;
}

/* --- for the session ------------------------------------------------------------------------------ */

bool query_only_reads(const shared_query *query) {
    return query->model ? !query->strength : query->read_only;
}

int32_t query_model(const shared_query *query) {
    return query->model ? query->model->number : 0;
}

static void text_build(const shared_query *query, struct buffer *sql, int32_t limit_place) {
    static const char *const strengths[] = {
        "", " FOR UPDATE", " FOR NO KEY UPDATE", " FOR SHARE", " FOR KEY SHARE",
    };
    static const char *const waits[] = {"", " NOWAIT", " SKIP LOCKED"};
    if (!query->model) {
        buffer_add_text(sql, query->sql);
        return;
    }
    buffer_add_text(sql, statement_select(query->model));
    /* The line ends in case the condition does with a comment. */
    if (query->sql) buffer_format(sql, " WHERE (%s\n)", query->sql);
    if (query->after.count) {
        buffer_add_text(sql, query->sql ? " AND (" : " WHERE (");
        query_after_build(query, sql);
        buffer_add_char(sql, ')');
    }
    query_order_build(query, sql);
    if (query->limit) buffer_format(sql, " LIMIT $%d", limit_place);
    if (query->strength) buffer_format(sql, "%s%s", strengths[query->strength], waits[query->wait]);
}

/* Behind the user's own come those of after, and the limit. */
static bool values_build(const shared_query *query, struct parameters *out) {
    const struct parameters *after = &query->after;
    int32_t last = query->placeholders - 1;
    bool complete = parameters_copy(out, &query->parameters);
    if (complete && last >= 0 && out->count <= last)
        complete = parameters_set_text(out, last, NULL, 0);
    for (int32_t i = 0; complete && i < after->count; i++) {
        const char *value = parameters_value(after, i);
        if (value) complete = parameters_set_text(out, out->count, value, (size_t)after->size[i]);
    }
    if (complete && query->limit) complete = parameters_set_int(out, out->count, query->limit);
    return complete;
}

shared_status query_build(const shared_query *query, struct statement *out) {
    bool complete = values_build(query, &out->parameters);
    text_build(query, &out->sql, out->parameters.count);
    if (complete && !out->sql.failed) return SHARED_OK;
    return fail(SHARED_ENOMEM, "query: out of memory");
}
