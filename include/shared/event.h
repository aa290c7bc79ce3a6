/* SPDX-License-Identifier: MIT
 * event.h - what became of the request that carried this tag. Borrowed from the client: an event and
 * what it points to live until the next shared_client_next() or shared_client_wait(). All accessors
 * accept NULL and answer 0, NULL or "".
 *
 *     switch (shared_event_kind(event)) {
 *     case SHARED_EVENT_ROWS: for (int64_t i = 0; i < shared_event_count(event); i++) ...
 *     }
 */
#ifndef SHARED_EVENT_H
#define SHARED_EVENT_H

#include <shared/api.h>
#include <shared/client.h>

SHARED_BEGIN

/** A row; record.h. */
typedef struct shared_record shared_record;
/** A claimed task; queue.h. */
typedef struct shared_task shared_task;

/** Kind. More will be added: ignore the ones you do not know. */
enum {
    SHARED_EVENT_DONE = 1, /**< the request ended; count says how much was touched */
    SHARED_EVENT_ROWS,     /**< rows: count of them, each a record */
    SHARED_EVENT_PROGRESS, /**< a progress message: json and id */
    SHARED_EVENT_TASK,     /**< a task to work on */
    SHARED_EVENT_LOG,      /**< a captured line of the log: json and record */
    SHARED_EVENT_DATA      /**< bytes of shared_session_copy_out */
};

/** SHARED_EVENT_... Added in 0.1.0. */
SHARED_API int32_t shared_event_kind(const shared_event *event);
/** The tag the request was made with. Added in 0.1.0. */
SHARED_API uint64_t shared_event_tag(const shared_event *event);
/** 1: this tag will come again; 0: this was its last event. Added in 0.1.0. */
SHARED_API int32_t shared_event_more(const shared_event *event);
/** Rows in this event, rows touched, or listeners reached; 1 of a PROGRESS or LOG event; bytes of a DATA event; of
 *  a DONE that ends a stream or a COPY all its rows. Added in 0.1.0. */
SHARED_API int64_t shared_event_count(const shared_event *event);
/** Row number index (from 0) of a ROWS event; the message of a PROGRESS event (index 0), as a record of
 *  the shape SHARED_PROGRESS; the line of a LOG event, as a SHARED_LOG_LINE; or NULL. ref it to keep it. Added in 0.1.0. */
SHARED_API shared_record *shared_event_record(const shared_event *event, int64_t index);
/** Columns of a ROWS event, also of one without rows. Added in 0.1.0. */
SHARED_API int32_t shared_event_columns(const shared_event *event);
/** Name of column number index (from 0), "" when there is none. Added in 0.1.0. */
SHARED_API const char *shared_event_column_name(const shared_event *event, int32_t index);
/** Its type as PostgreSQL numbers them (pg_type.oid), 0 when there is none. Added in 0.1.0. */
SHARED_API int64_t shared_event_column_type(const shared_event *event, int32_t index);
/** Stream id of a progress message (for Last-Event-ID), id of a task sent; "" otherwise.
 *  Added in 0.1.0. */
SHARED_API const char *shared_event_id(const shared_event *event);
/** The document that an event of shared_progress_subscribe_many or _all tells of; "" otherwise. Added in 0.1.0. */
SHARED_API const char *shared_event_document(const shared_event *event);
/** Progress message, line of the log, task result or statistics as JSON text; "" otherwise. Added in 0.1.0. */
SHARED_API const char *shared_event_json(const shared_event *event);
/** Bytes of a DATA event as PostgreSQL sent them, whole rows of COPY; size (or NULL) gets their number. Of any
 *  other event "" and 0. Added in 0.1.0. */
SHARED_API const char *shared_event_data(const shared_event *event, size_t *size);
/** The task of a TASK event. ref it to keep it. Added in 0.1.0. */
SHARED_API shared_task *shared_event_task(const shared_event *event);
/** NULL: it went well. Added in 0.1.0. */
SHARED_API const shared_error *shared_event_error(const shared_event *event);

SHARED_END

#endif
