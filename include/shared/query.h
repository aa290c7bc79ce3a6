/* SPDX-License-Identifier: MIT
 * query.h - what to ask: rows of a model by conditions, or SQL as it stands (model 0). Values are
 * bound by position, never pasted into text. A query may be run many times and by many sessions.
 *
 *     shared_query_new(SHARED_DOCUMENT, "case_id = $1 AND extraction_status = $2", &query);
 *     shared_query_bind_text(query, 1, "case-1", 6);
 *     shared_query_bind_text(query, 2, "failed", 6);
 *     shared_query_order(query, "created_at DESC, id DESC");
 *     shared_query_limit(query, 50);
 */
#ifndef SHARED_QUERY_H
#define SHARED_QUERY_H

#include <shared/api.h>
#include <shared/error.h>
#include <shared/record.h>

SHARED_BEGIN

/** A question. Belongs to one thread at a time. */
typedef struct shared_query shared_query;

/** Strength of shared_query_lock, from the strongest. */
enum {
    SHARED_FOR_UPDATE = 1,
    SHARED_FOR_NO_KEY_UPDATE = 2,
    SHARED_FOR_SHARE = 3,
    SHARED_FOR_KEY_SHARE = 4
};
/** Rows that others have locked: wait for them, fail at once, or leave them out. */
enum { SHARED_WAIT = 0, SHARED_NOWAIT = 1, SHARED_SKIP_LOCKED = 2 };

/** With a model: sql is the condition after WHERE ("" or NULL: all rows). With model 0: a whole
 *  statement. Placeholders $1, $2, ... SHARED_EINVALID: one that begins or ends a transaction or savepoint,
 *  which the session's own functions do. Added in 0.1.0. */
SHARED_API shared_status shared_query_new(int32_t model, const char *sql, shared_query **out);
/** Value of $position (from 1, at most 65535). Without a bind a placeholder is NULL. A text, number, UUID
 *  or JSON is of the type that its place in the statement asks for; where nothing asks (SELECT $1) it is
 *  text: write $1::bigint. The other kinds bring their type. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_text(shared_query *query, int32_t position,
                                                const char *text, size_t size);
/** Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_int(shared_query *query, int32_t position,
                                               int64_t number);
/** Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_null(shared_query *query, int32_t position);
/** A double precision, exactly; NaN and the infinities too. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_float(shared_query *query, int32_t position,
                                                 double number);
/** A boolean: 0 is false. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_bool(shared_query *query, int32_t position,
                                                int32_t truth);
/** A numeric of any length: "-12.50", "1e-7", "NaN". SHARED_EINVALID: not a number.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_numeric(shared_query *query, int32_t position,
                                                   const char *text);
/** A timestamptz: microseconds since 1970 UTC, of the years 1 to 9999; INT64_MAX is infinity and
 *  INT64_MIN -infinity. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_time(shared_query *query, int32_t position,
                                                int64_t time_us);
/** A UUID, 36 characters; of type uuid or text, as its place has it. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_uuid(shared_query *query, int32_t position,
                                                const char *uuid);
/** JSON, of type json, jsonb or text, as its place has it. Its syntax is checked here; PostgreSQL may
 *  refuse more, as half of a surrogate pair in a jsonb (SQLSTATE 22P02). Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_json(shared_query *query, int32_t position,
                                                const char *json, size_t size);
/** A bytea. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_bytes(shared_query *query, int32_t position,
                                                 const void *data, size_t size);
/** A text[]: an entry may be NULL. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_text_array(shared_query *query, int32_t position,
                                                      const char *const *texts, size_t count);
/** A bigint[]. Added in 0.1.0. */
SHARED_API shared_status shared_query_bind_int_array(shared_query *query, int32_t position,
                                                     const int64_t *numbers, size_t count);
/** ORDER BY of a model query: names of fields, each with ASC or DESC, none twice. The key is put behind
 *  them where it is not named, so that the order is a whole one. NULLs are last when ascending, first
 *  when descending. Forgets shared_query_after. Added in 0.1.0. */
SHARED_API shared_status shared_query_order(shared_query *query, const char *order);
/** At most so many rows of a model query. Added in 0.1.0. */
SHARED_API shared_status shared_query_limit(shared_query *query, int64_t rows);
/** The rows that come behind this one in the query's order: the next page, however many rows were added
 *  or deleted meanwhile. What the record shows now is kept; it must have a key. NULL: from the start.
 *  Without an order that of the key counts. Added in 0.1.0.
 *
 *     shared_query_after(query, shared_event_record(page, shared_event_count(page) - 1)); */
SHARED_API shared_status shared_query_after(shared_query *query, const shared_record *record);
/** The rows of a model query are locked until the session's transaction ends, which the query opens.
 *  strength: SHARED_FOR_... or 0 for none; wait: what becomes of rows that others have locked.
 *  SHARED_NOWAIT fails with SQLSTATE 55P03. Added in 0.1.0. */
SHARED_API shared_status shared_query_lock(shared_query *query, int32_t strength, int32_t wait);
/** Says that raw SQL only reads, so an idle session may run it on a shared connection.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_query_read_only(shared_query *query);
/** Says that raw SQL is a transaction of its own, without BEGIN: what it changes is stored when its answer
 *  comes, and it may be what no transaction takes (VACUUM, CREATE DATABASE, CREATE INDEX CONCURRENTLY). The
 *  session runs it on a connection of its own; SHARED_EINVALID from shared_session_query while a transaction is
 *  open or changes wait. If the connection breaks before the answer the error is SHARED_EUNKNOWN.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_query_autocommit(shared_query *query);
/** Accepts NULL. Added in 0.1.0. */
SHARED_API void shared_query_free(shared_query *query);

SHARED_END

#endif
