/* SPDX-License-Identifier: MIT
 * list.c - answers of many rows. One row more than asked for tells whether there is a next page. Never
 * pastes a value into SQL.
 */
#include "list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cursor.h"

enum { LIMIT_PRESET = 50, LIMIT_MAX = 200 };

bool list_limit(struct request *request) {
    request->limit = LIMIT_PRESET;
    return request_number(request, "limit", 1, LIMIT_MAX, &request->limit);
}

void list_where_plain(struct list_query *list, const char *condition) {
    size_t used = strlen(list->sql);
    snprintf(list->sql + used, sizeof list->sql - used, "%s%s", used ? " AND " : "", condition);
}

void list_where(struct list_query *list, const char *condition, const char *value) {
    char numbered[128];
    snprintf(numbered, sizeof numbered, "%s = $%" PRId32, condition, list->count + 1);
    list_where_plain(list, numbered);
    list->values[list->count++] = value;
}

static shared_status list_bind(const struct list_query *list, shared_query *query) {
    shared_status status = SHARED_OK;
    for (int32_t i = 0; i < list->count && status >= 0; i++)
        status = shared_query_bind_text(query, i + 1, list->values[i], strlen(list->values[i]));
    return status;
}

static void list_ask(struct list_query *list, shared_status status, shared_query *query,
                     const char *order, request_step *step) {
    if (status >= 0) status = list_bind(list, query);
    if (status >= 0) status = shared_query_order(query, order);
    if (status >= 0) status = shared_query_limit(query, list->request->limit + 1);
    if (status < 0) {
        shared_query_free(query);
        query = NULL;
    }
    request_query(list->request, query, step);
}

static void newest_show(struct request *request, const shared_event *event) {
    list_show(request, event, 0);
}

void list_newest(struct list_query *list) {
    struct cursor cursor = {0};
    const char *after = target_argument(&list->request->target, "after");
    char condition[160];
    if (after && *after) {
        if (!cursor_read(after, &cursor)) {
            reply_field(list->request, "query", "after", "value_error",
                        "after: this is no `next` of ours");
            return;
        }
        snprintf(condition, sizeof condition,
                 "(created_at, id) < (timestamptz 'epoch' + $%d::bigint * interval '1 "
                 "microsecond', $%d)",
                 (int)list->count + 1, (int)list->count + 2);
        list_where_plain(list, condition);
    }
    shared_query *query = NULL;
    shared_status status = shared_query_new(list->model, list->sql, &query);
    if (status >= 0 && *cursor.id)
        status = shared_query_bind_int(query, list->count + 1, cursor.time_us);
    if (status >= 0 && *cursor.id)
        status = shared_query_bind_text(query, list->count + 2, cursor.id, strlen(cursor.id));
    list_ask(list, status, query, "created_at DESC, id DESC", newest_show);
}

void list_numbered(struct list_query *list, const char *field, int64_t least, request_step *step) {
    int64_t after = least - 1;
    if (!list_limit(list->request) ||
        !request_number(list->request, "after", least - 1, INT32_MAX, &after))
        return;
    char text[64];
    snprintf(text, sizeof text, "%s > $%d::bigint", field, (int)list->count + 1);
    list_where_plain(list, text);
    snprintf(text, sizeof text, "%s ASC", field);
    shared_query *query = NULL;
    shared_status status = shared_query_new(list->model, list->sql, &query);
    if (status >= 0) status = shared_query_bind_int(query, list->count + 1, after);
    list_ask(list, status, query, text, step);
}

static void add_cursor(struct text *body, const shared_record *record, int32_t field) {
    int32_t model = shared_record_model(record);
    text_add_string(body, "\"");
    if (field) {
        text_format(body, "%" PRId64, shared_record_int(record, field));
    } else {
        bool is_case = model == SHARED_CASE;
        int32_t time = is_case ? SHARED_CASE_CREATED_AT : SHARED_DOCUMENT_CREATED_AT;
        cursor_write(body, shared_record_time(record, time),
                     shared_record_text(record, is_case ? SHARED_CASE_ID : SHARED_DOCUMENT_ID));
    }
    text_add_string(body, "\"");
}

void list_show(struct request *request, const shared_event *event, int32_t cursor_field) {
    if (request_failed(request, event)) return;
    int64_t count = shared_event_count(event);
    int64_t shown = count < request->limit ? count : request->limit;
    struct text body = {0};
    text_add_string(&body, "{\"items\":[");
    for (int64_t i = 0; i < shown; i++) {
        const char *json = shared_record_json(shared_event_record(event, i));
        if (i) text_add(&body, ",", 1);
        if (json)
            text_add_string(&body, json);
        else
            body.failed = true;
    }
    text_add_string(&body, "],\"next\":");
    if (count > shown)
        add_cursor(&body, shared_event_record(event, shown - 1), cursor_field);
    else
        text_add_string(&body, "null");
    text_add_string(&body, "}");
    reply_json(request, 200, &body);
}
