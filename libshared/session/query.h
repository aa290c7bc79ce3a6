/* SPDX-License-Identifier: MIT
 * query.h - what session.c needs of a query. Private to session/.
 */
#ifndef SESSION_QUERY_H
#define SESSION_QUERY_H

#include <shared/query.h>
#include <stdbool.h>

#include "model/statement.h"

struct shared_query {
    const struct model *model; /* NULL: sql is a whole statement */
    char *sql;                 /* or a condition, or NULL */
    int64_t limit;             /* 0: none */
    int32_t placeholders;      /* highest number in sql */
    bool read_only, autocommit;
    int32_t strength, wait; /* of a lock; strength 0: none */
    int32_t order_count;
    struct order {
        uint8_t index; /* of a field */
        bool down;
    } orders[MODEL_FIELDS_MAX];
    bool is_paged;           /* after holds what the rows come behind */
    struct parameters after; /* a value for each part of the whole order */
    struct parameters parameters;
};

/* Fills an empty statement: text and values as they are now. SHARED_EINVALID: a value is bound that the
 * text has no place for; SHARED_ENOMEM. */
shared_status query_build(const shared_query *query, struct statement *out);
bool query_only_reads(const shared_query *query);
int32_t query_model(const shared_query *query);

shared_status query_check_model(const shared_query *query, const char *what);

/* query_order.c: " ORDER BY ..." when there is one, and the condition for what comes behind after. */
void query_order_build(const shared_query *query, struct buffer *sql);
void query_after_build(const shared_query *query, struct buffer *sql);

/* query_text.c: highest $n of a text, outside of quotes and comments. */
int32_t query_placeholders(const char *sql);
/* "commit" of shared_session_commit, when the text would do that behind the session's back; NULL: it would not. */
const char *query_transaction_call(const char *sql);
/* 'i': it is COPY ... FROM STDIN, 'o': COPY ... TO STDOUT, 0: neither. */
char query_copy_way(const char *sql);
/* query.c: SHARED_EINVALID unless it is a COPY that way. */
shared_status query_check_copy(const char *sql, bool in);

#endif
