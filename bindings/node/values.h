/* SPDX-License-Identifier: MIT
 * values.h - one value between the library and JavaScript, both ways. Times are microseconds and JSON is its text
 * here: values.js makes objects of them.
 */
#ifndef NODE_VALUES_H
#define NODE_VALUES_H

#include <node_api.h>
#include <shared.h>
#include <stdbool.h>
#include <stdint.h>

/* What a cell is; cells.js has the same numbers. */
enum {
    CELL_NUMBER, /* as it stands */
    CELL_NULL,
    CELL_BIG,    /* 64 bits, to be a BigInt */
    CELL_LISTED, /* the number of an entry of the list: texts, and all that is no number */
    CELL_FALSE,
    CELL_TRUE
};

/* Rows as JavaScript reads them: a value made by Node-API and put into an array takes five times as long as a number
 * that is written where JavaScript can see it. */
struct cells {
    double *numbers; /* and 64 bits, in the same places */
    uint8_t *flags;  /* CELL_... */
    napi_value list;
    uint32_t listed;
};

/* A column of an answer: its type is asked once, and the last short text is kept, since rows that belong together often
 * have the same. */
struct column {
    int32_t field;
    int32_t type;
    bool is_big; /* 64 bits: BigInt */
    char last_text[48];
    uint32_t last; /* its entry of the list, from 1 */
};

/* Columns of an event's rows, of its first row; NULL without memory. free() it. */
struct column *columns_new(const shared_event *event, const shared_record *record);
/* Columns of a record by itself: bit n of bigs says that field n has 64 bits. */
struct column *columns_of(const shared_record *record, int32_t bigs);
/* Writes cell number `cell`. false: an exception is pending. bytes: how many it had are added. */
bool cell_write(napi_env env, shared_record *record, struct column *column, struct cells *cells,
                uint32_t cell, size_t *bytes);
/* NULL: an exception is pending. */
napi_value value_of(napi_env env, shared_record *record, const struct column *column);
/* undefined leaves the field alone. false and an exception that names the field. */
bool value_set(napi_env env, shared_record *record, int32_t field, napi_value value);
/* type: SHARED_TYPE_..., as sql.js chose it for the value. */
bool value_bind(napi_env env, shared_query *query, int32_t position, int32_t type,
                napi_value value);

#endif
