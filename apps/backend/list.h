/* SPDX-License-Identifier: MIT
 * list.h - answers of many rows: {"items":[...],"next":cursor or null}.
 */
#ifndef BACKEND_LIST_H
#define BACKEND_LIST_H

#include "request.h"

enum { LIST_CONDITIONS_SIZE = 512 };

/* A query that grows by conditions; each value takes the next number. */
struct list_query {
    struct request *request;
    int32_t model;
    char sql[LIST_CONDITIONS_SIZE];
    int32_t count;
    const char *values[8];
};

/* limit from the query string, 1-200, 50 when absent. false: answered. */
bool list_limit(struct request *request);
/* A condition with one value, "name = $%d". */
void list_where(struct list_query *list, const char *condition, const char *value);
/* A condition without a value. */
void list_where_plain(struct list_query *list, const char *condition);
/* Newest first, from the cursor in `after` on; asks and answers. */
void list_newest(struct list_query *list);
/* By a whole number, from `after` on: pages and chunks. least: the lowest number there can be. */
void list_numbered(struct list_query *list, const char *field, int64_t least, request_step *step);
/* Answers with the rows. cursor_field 0: the cursor is the moment and the id; else that number. */
void list_show(struct request *request, const shared_event *event, int32_t cursor_field);

#endif
