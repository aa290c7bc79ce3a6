/* SPDX-License-Identifier: MIT
 * rows.h - what crosses between the library and JavaScript in one call instead of one a cell: events with their rows,
 * records from values, values as binds. NULL: an exception is pending.
 */
#ifndef NODE_ROWS_H
#define NODE_ROWS_H

#include <node_api.h>
#include <shared.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SWIG
/* Of the generated half: handles that JavaScript owns; each takes the caller's reference. */
napi_value task_handle(napi_env env, shared_task *task);
napi_value record_handle(napi_env env, shared_record *record);
#endif

/* What JavaScript's side gives once an environment: make_error(class, domain, code, sqlstate, message, detail, hint,
 * operation) -> the error. */
napi_value setup(napi_env env, napi_value make_error);
/* What drain() works with, one for each client: [cursor, cells, flags]: where it has got to in an answer of many rows, and
 * two ArrayBuffers that it writes rows to. */
napi_value cursor_new(napi_env env);
/* Dispatches without waiting. [again, list, then of each event: tag, more, kind, count, payload, error, first, rows].
 * Its rows stand in the cells (values.h) from `first` on, so they are to be read before the next call. payload: of rows
 * of SQL [names, types], of those of a model null; of a message [id, json, document]; a task; else null. more 2: the next
 * event is the same one, with its further rows. again true: call once more, in a later turn of the loop; so much is made
 * in one call that it takes some milliseconds at most. */
napi_value drain(napi_env env, shared_client *client, napi_value cursor);
/* A record of these values, in the order of the fields; undefined is not set. */
napi_value record_from_values(napi_env env, int32_t model, napi_value values);
/* Adds (how 0) or updates (1) or deletes (2) a record of these values; the record. */
napi_value session_change(napi_env env, shared_session *session, int32_t model, napi_value values,
                          int32_t how);
/* Copies records to the session: their values one behind the other. */
napi_value session_copy_all(napi_env env, shared_session *session, int32_t model,
                            napi_value values);
/* Its values, in the order of the fields; bit n of bigs: field n is a BigInt. */
napi_value record_values(napi_env env, shared_record *record, int32_t bigs);
/* Binds [type, value, type, value ...], from $1 on. */
napi_value query_bind_all(napi_env env, shared_query *query, napi_value values);

#ifdef __cplusplus
}
#endif
#endif
