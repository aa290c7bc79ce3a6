/* SPDX-License-Identifier: MIT
 * session.h - a unit of work on the database. Costs nothing until it must: reads of an idle session
 * share a few pipelined connections, each read its own transaction. A connection of its own, and
 * BEGIN, come with the first of: a query while changes are pending, raw SQL, or shared_session_begin.
 * A commit of pending changes alone is one round trip, all or nothing.
 *
 *     shared_session_add(session, document);
 *     shared_session_enqueue(session, "extract_text_from_document", "[{\"document_id\":\"d1\"}]", "d1");
 *     shared_session_commit(session, 7);               DONE 7: the document and the task are stored
 *
 * Stored tasks are sent by a relay (shared_queue_relay): this client's, right after the commit, or that of
 * any other process on the same database, as each backend and worker is one. Without a relay they wait.
 *
 * Requests of one session run in the order they were made and need not be waited for one by one; with
 * tag 0 a failure is told by the commit. After a failure inside a transaction every further request
 * fails until rollback, or until shared_session_rollback_to a savepoint from before it. A lost connection
 * leaves nothing behind; if it broke while COMMIT was under way the error is SHARED_EUNKNOWN.
 *
 * Changes wait until a flush: each get, query, refresh, savepoint and commit writes them first, so it
 * sees them. A record shows what the server stored of it (defaults, times) after the commit.
 */
#ifndef SHARED_SESSION_H
#define SHARED_SESSION_H

#include <shared/api.h>
#include <shared/client.h>
#include <shared/query.h>
#include <shared/record.h>

SHARED_BEGIN

/** A unit of work. Belongs to its client, and to its thread. */
typedef struct shared_session shared_session;

/** Isolation of shared_session_begin. */
enum { SHARED_READ_COMMITTED = 0, SHARED_REPEATABLE_READ = 1, SHARED_SERIALIZABLE = 2 };
/** Flags of shared_session_begin. PostgreSQL heeds SHARED_DEFERRABLE only with SHARED_SERIALIZABLE and
 *  SHARED_READ_ONLY: the transaction waits for a snapshot that can never fail with 40001. */
enum { SHARED_READ_ONLY = 1, SHARED_DEFERRABLE = 2 };

/** Added in 0.1.0. */
SHARED_API shared_status shared_session_new(shared_client *client, shared_session **out);
/** From now on the session keeps its connection between transactions, until it is freed: what is set or made there
 *  for a session of PostgreSQL's stays (SET, temporary tables, advisory locks), and its reads see that too: they
 *  go by themselves on that connection, and a stream or COPY to the user opens a transaction there, which is
 *  then to be ended. It counts for POOL_SIZE all that time. One that broke, or was cancelled in the middle of a statement, is replaced. What was set is not undone
 *  when the connection goes back to the pool: RESET or DISCARD it. Added in 0.1.0. */
SHARED_API shared_status shared_session_pin(shared_session *session);
/** ROWS: the row of that key, or count 0. Added in 0.1.0. */
SHARED_API shared_status shared_session_get(shared_session *session, int32_t model, const char *id,
                                            uint64_t tag);
/** ROWS: the rows of these keys in the order of ids, of at most 10000. One that is not there is left
 *  out; an id given twice brings its row twice. Added in 0.1.0. */
SHARED_API shared_status shared_session_get_many(shared_session *session, int32_t model,
                                                 const char *const *ids, size_t count,
                                                 uint64_t tag);
/** DONE, count 1: the record shows its row as it is stored now, and what was set in it since is
 *  forgotten. SHARED_ENOTFOUND: the row is gone, and the record is as it was. The session holds a
 *  reference until then; do not touch the record meanwhile. Inside a transaction it shows what that
 *  transaction sees, also after a rollback, until it is refreshed again. Added in 0.1.0. */
SHARED_API shared_status shared_session_refresh(shared_session *session, shared_record *record,
                                                uint64_t tag);
/** The record is inserted at the next flush. It is checked now (SHARED_ESCHEMA); a key that is null
 *  gets a UUIDv7. The session holds a reference. Added in 0.1.0. */
SHARED_API shared_status shared_session_add(shared_session *session, shared_record *record);
/** As add, for many rows of one model: they go as one bulk statement. Added in 0.1.0. */
SHARED_API shared_status shared_session_copy(shared_session *session, shared_record *record);
/** The fields set since the record was read, or flushed, are written at the next flush. What is set while a flush
 *  or commit is under way is not in it and stays set. The key says which row: SHARED_EINVALID when another
 *  one was set in a record that was read. Added in 0.1.0. */
SHARED_API shared_status shared_session_update(shared_session *session, shared_record *record);
/** The row is deleted at the next flush. Added in 0.1.0. */
SHARED_API shared_status shared_session_delete(shared_session *session, shared_record *record);
/** A task that is sent if and only if this session commits (transactional outbox): the commit stores it,
 *  and a relay sends it, see shared_queue_relay. It goes to the queue that QUEUE_NAME says in this client,
 *  whoever sends it. args_json: JSON list of positional arguments. key (or NULL) names the thing the task
 *  is about, for shared_queue_missing. Added in 0.1.0. */
SHARED_API shared_status shared_session_enqueue(shared_session *session, const char *task,
                                                const char *args_json, const char *key);
/** BEGIN with an isolation level and flags, 0: none. SHARED_EINVALID when a transaction is open or
 *  changes wait. Nothing is sent before the first request. Added in 0.1.0. */
SHARED_API shared_status shared_session_begin(shared_session *session, int32_t isolation,
                                              int32_t flags);
/** Writes pending changes, in a transaction that is then open. DONE: count is the rows touched by them.
 *  Without changes it waits for the requests before it, with none either it is done at once.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_session_flush(shared_session *session, uint64_t tag);
/** Marks a place to roll back to, behind pending changes, which are written first. SHARED_EINVALID when
 *  no transaction is open and no change waits. name: 1 to 63 bytes of UTF-8; a name may come again and
 *  hides the one before. At most 64 are open at a time (SHARED_EBUSY). In a transaction that has failed:
 *  its error. Added in 0.1.0. */
SHARED_API shared_status shared_session_savepoint(shared_session *session, const char *name);
/** Undoes what was asked for since the savepoint, and forgets pending changes and tasks made since. The
 *  savepoint stays, those made behind it go. A transaction that failed since is usable again. DONE.
 *  Records whose changes are undone keep what was set in them and may be added or updated again.
 *  SHARED_EINVALID: no such savepoint, and nothing has changed. Added in 0.1.0. */
SHARED_API shared_status shared_session_rollback_to(shared_session *session, const char *name,
                                                    uint64_t tag);
/** Forgets a savepoint, and those behind it; what was done since stays. SHARED_EINVALID as above.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_session_release(shared_session *session, const char *name);
/** Runs a query: ROWS with all rows, or DONE with the rows touched. Pending changes are flushed
 *  first. Added in 0.1.0. */
SHARED_API shared_status shared_session_query(shared_session *session, const shared_query *query,
                                              uint64_t tag);
/** As query, for more rows than memory should hold: ROWS events of at most rows_per_event rows each (1 to
 *  STREAM_ROWS_MAX), with shared_event_more() == 1, then DONE with the number of all rows. The server reads on
 *  only when fewer than two of them wait to be taken, so a slow reader costs no memory. The query must be a
 *  SELECT, VALUES or WITH that changes nothing, or one of a model; it sees the rows as they were when it
 *  began. tag must not be 0. Events are taken in their order, so a reader that must let one stream wait while
 *  others go on gives it a client of its own.
 *
 *  With no transaction open and nothing pending, a stream has a connection and a transaction of its own (read
 *  only if the query is said to be), and the session may go on with other requests between two events.
 *  Otherwise pending changes are flushed and it runs in the open transaction: other statements may come
 *  between two events, a commit waits until all its events were taken, a rollback ends it. Cancelled by
 *  shared_client_cancel it leaves the transaction as it is. DATABASE_TIMEOUT_MS is for each batch.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_session_stream(shared_session *session, const shared_query *query,
                                               int32_t rows_per_event, uint64_t tag);
/** Runs a COPY ... TO STDOUT: SHARED_EVENT_DATA events (shared_event_data) of whole rows, about 64 KB each, in
 *  the format that sql asks for, then DONE with the number of rows. Where it runs, what may come between two
 *  events, and that a slow reader costs no memory, is as with shared_session_stream; but the connection does
 *  nothing else meanwhile, so in an open transaction other requests wait until its events were taken, and
 *  cancelled it fails the transaction. SHARED_EINVALID: sql is anything else. tag must not be 0.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_session_copy_out(shared_session *session, const char *sql,
                                                 uint64_t tag);
/** Begins a COPY ... FROM STDIN in the open transaction, or in a new one that is to be committed like any
 *  other: nothing is stored before shared_session_commit says so. Pending changes are flushed first. Then
 *  come shared_session_copy_write and, at last, shared_session_copy_end, after which tag ends with DONE and the
 *  number of rows, or with the server's error, whose detail names the line; an error may come before the
 *  end. Other requests of the session wait until then; a rollback ends it. One can be open at a time.
 *  SHARED_EINVALID: sql is anything else. Added in 0.1.0. */
SHARED_API shared_status shared_session_copy_in(shared_session *session, const char *sql,
                                                uint64_t tag);
/** The next bytes of the open COPY, in the format that its sql says, cut anywhere; they are copied. DONE of tag
 *  (count: size) when they are with the kernel: waiting for it is how to go no faster than the server takes
 *  them. SHARED_EBUSY: more than COPY_BYTES_MAX would wait; nothing was accepted. When the COPY has failed
 *  its error is returned. Added in 0.1.0. */
SHARED_API shared_status shared_session_copy_write(shared_session *session, const char *bytes,
                                                   size_t size, uint64_t tag);
/** Ends the open COPY. error_message NULL: the data is whole. Otherwise the server undoes it and says
 *  error_message (up to 1000 bytes) in its error, as if the data had been bad. Added in 0.1.0. */
SHARED_API shared_status shared_session_copy_end(shared_session *session,
                                                 const char *error_message);
/** Writes pending changes and commits. DONE: count is the rows touched by the changes. An update or
 *  delete whose row is gone is SHARED_ENOTFOUND, and nothing is committed. Added in 0.1.0. */
SHARED_API shared_status shared_session_commit(shared_session *session, uint64_t tag);
/** Forgets pending changes and rolls back. Added in 0.1.0. */
SHARED_API shared_status shared_session_rollback(shared_session *session, uint64_t tag);
/** Rolls back what is open; requests under way end with SHARED_ECANCELLED. Accepts NULL.
 *  Added in 0.1.0. */
SHARED_API void shared_session_free(shared_session *session);

SHARED_END

#endif
