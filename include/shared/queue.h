/* SPDX-License-Identifier: MIT
 * queue.h - both ends of the Celery wire (protocol 2 on Redis): any Celery client can send to our
 * workers, and ours to Celery's.
 *
 * A task that was accepted runs at least once. A claim is one atomic step and a lease that the client
 * renews by itself; when its holder dies, another worker has the task within 30 s.
 *
 *     shared_queue_consume(client, "celery", 2, 1);
 *     ... SHARED_EVENT_TASK: shared_task *task = shared_task_ref(shared_event_task(event));
 *     shared_task_succeed(task, "{\"pages\":3}", 2);
 *     shared_task_unref(task);
 */
#ifndef SHARED_QUEUE_H
#define SHARED_QUEUE_H

#include <shared/api.h>
#include <shared/client.h>
#include <shared/event.h>

SHARED_BEGIN

/** A task on its way out: name, arguments, options. Knows no client; belongs to one thread at a time. */
typedef struct shared_message shared_message;

/** Sends a task. queue NULL: the setting QUEUE_NAME. args_json: JSON list of positional arguments, at
 *  most 23 MiB (with keyword arguments). key (or NULL) names the thing the task is about. DONE:
 *  shared_event_id() is the task's id. For work that belongs to a database change use
 *  shared_session_enqueue. Added in 0.1.0. */
SHARED_API shared_status shared_queue_send(shared_client *client, const char *queue,
                                           const char *task, const char *args_json, const char *key,
                                           uint64_t tag);
/** A task with options, to be sent by shared_queue_send_message. Its id is chosen here. Free it with
 *  shared_message_free. Added in 0.1.0.
 *
 *     shared_message_new("extract_text_from_document", "[{\"document_id\":\"doc-1\"}]", &message);
 *     shared_message_set_countdown(message, 60000);
 *     shared_message_set_priority(message, 3);
 *     shared_queue_send_message(client, NULL, message, tag);
 *     shared_message_free(message); */
SHARED_API shared_status shared_message_new(const char *task, const char *args_json,
                                            shared_message **out);
/** Accepts NULL. Added in 0.1.0. */
SHARED_API void shared_message_free(shared_message *message);
/** The id that the task will have. Lives until it is set anew. Added in 0.1.0. */
SHARED_API const char *shared_message_id(const shared_message *message);
/** An id of your own, 1 to 255 bytes. Whether it was used before is yours to know. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_id(shared_message *message, const char *id);
/** Keyword arguments, a JSON object. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_kwargs(shared_message *message,
                                                   const char *kwargs_json);
/** What the task is about, as of shared_queue_send. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_key(shared_message *message, const char *key);
/** Not before this moment (microseconds since 1970, UTC); 0: at once. Takes the place of a countdown. A
 *  consumer of ours renews its hold on a task that waits; a Celery worker whose visibility_timeout is
 *  shorter than the wait runs it more than once. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_eta(shared_message *message, int64_t time_us);
/** Not before so long after it is sent, at most ten years; 0: at once. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_countdown(shared_message *message, int64_t delay_ms);
/** Not run after this moment (microseconds since 1970, UTC): its result is then REVOKED, "expired".
 *  0: never. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_expires(shared_message *message, int64_t time_us);
/** The same from the moment it is sent, at most ten years; 0: never. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_expires_in(shared_message *message, int64_t delay_ms);
/** 0 (first, as without it) to 9 (last). The queue has four lists, of 0-2, 3-5, 6-8 and 9, as kombu's
 *  default priority_steps has; within one the older comes first. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_priority(shared_message *message, int32_t priority);
/** How long it may run, at most a year; 0: as the worker has it. A Celery worker raises
 *  SoftTimeLimitExceeded at the soft one and kills the run at the hard one. soft_ms may not be more than
 *  hard_ms when both are given. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_time_limits(shared_message *message, int64_t soft_ms,
                                                        int64_t hard_ms);
/** 1: no result is stored, and nobody can wait for one. Added in 0.1.0. */
SHARED_API shared_status shared_message_set_ignore_result(shared_message *message, int32_t ignore);
/** Sends a message. DONE: shared_event_id() is the task's id (of one over 63 bytes the beginning). The
 *  message stays yours; sent once more, as after a failure that leaves open whether it arrived, it is the
 *  same task again. Added in 0.1.0. */
SHARED_API shared_status shared_queue_send_message(shared_client *client, const char *queue,
                                                   const shared_message *message, uint64_t tag);
/** Waits for the result of a task: DONE, shared_event_json() is Celery's result object
 *  {"status":"SUCCESS","result":...}. SHARED_ETIMEOUT after timeout_ms. Added in 0.1.0. */
SHARED_API shared_status shared_queue_result(shared_client *client, const char *task_id,
                                             int64_t timeout_ms, uint64_t tag);
/** TASK events, at most prefetch unfinished at a time, until cancelled: then no more are claimed, and
 *  DONE comes when none is claimed any more on its way in. Tasks already given stay yours.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_queue_consume(shared_client *client, const char *queue,
                                              int32_t prefetch, uint64_t tag);
/** Says which task names this consumer knows. A message with another name gets FAILURE NotRegistered.
 *  Call before consume; without it every name is given out. Added in 0.1.0. */
SHARED_API shared_status shared_queue_register(shared_client *client, const char *task);
/** Sends what sessions enqueued: at once after each commit of this client, and every OUTBOX_SWEEP_S what
 *  any client on this database stored that long ago and nobody sent, as after a crash. Until cancelled.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_queue_relay(shared_client *client, uint64_t tag);
/** Which of these keys have no task that waits or runs: DONE, json is the list of them. One whose message
 *  Redis lost, but not the key, is told once it is older than VISIBILITY_TIMEOUT_S and the queue is
 *  empty, or has come to messages sent later; after 24 times that in any case. Added in 0.1.0. */
SHARED_API shared_status shared_queue_missing(shared_client *client, const char *queue,
                                              const char *const *keys, size_t count, uint64_t tag);
/** DONE, json {"waiting":n,"claimed":n,"dead":n,"outbox":n}. Added in 0.1.0. */
SHARED_API shared_status shared_queue_stats(shared_client *client, const char *queue, uint64_t tag);

/** Messages that were set aside because they cannot be run: unreadable, of a name that no consumer
 *  knows, too large, or their holders died three times. At most DEAD_LIST_LENGTH are kept, then the
 *  oldest goes; the same bytes are one entry. The newest come first, at most limit (1 to 100) of them;
 *  after: the id of the last one seen, or NULL for the first ones (SHARED_ENOTFOUND when it is gone).
 *  DONE: count, and json, one entry a line:
 *  [{"id":"<SHA-1 of the message>","task_id":...,"name":...,"reason":"...","time":"...","size":n,
 *  "message":"..."}]. task_id and name are null when the message does not say; message is null when it
 *  is over 65536 bytes, or not UTF-8: then "base64" has it. Added in 0.1.0. */
SHARED_API shared_status shared_queue_dead(shared_client *client, const char *queue,
                                           const char *after, int32_t limit, uint64_t tag);
/** Puts a message that was set aside back into its queue, behind the others, its bytes unchanged. id: that
 *  of the entry or of the task; NULL: all that are there now. DONE: count of them. SHARED_ENOTFOUND: no
 *  such entry. A FAILURE that was stored stays until the task ends anew. Added in 0.1.0. */
SHARED_API shared_status shared_queue_dead_requeue(shared_client *client, const char *queue,
                                                   const char *id, uint64_t tag);
/** Forgets a message that was set aside, or with id NULL all. As shared_queue_dead_requeue.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_queue_dead_drop(shared_client *client, const char *queue,
                                                const char *id, uint64_t tag);

/** One more owner; returns task. Added in 0.1.0. */
SHARED_API shared_task *shared_task_ref(shared_task *task);
/** One owner less; the last one's unfinished task goes back to the queue. Added in 0.1.0. */
SHARED_API void shared_task_unref(shared_task *task);
/** Added in 0.1.0. */
SHARED_API const char *shared_task_id(const shared_task *task);
/** Added in 0.1.0. */
SHARED_API const char *shared_task_name(const shared_task *task);
/** Positional arguments, a JSON list. Added in 0.1.0. */
SHARED_API const char *shared_task_args(const shared_task *task);
/** Keyword arguments, a JSON object. Added in 0.1.0. */
SHARED_API const char *shared_task_kwargs(const shared_task *task);
/** Text of args[position].field, or of kwargs.NAME.field ..., the way to a payload without a JSON
 *  parser: shared_task_argument(task, 0, "document_id"). NULL when absent or not text.
 *  Added in 0.1.0. */
SHARED_API const char *shared_task_argument(const shared_task *task, int32_t position,
                                            const char *field);
/** How many retries came before, 0 at first. Added in 0.1.0. */
SHARED_API int32_t shared_task_attempt(const shared_task *task);
/** When it was not to run before, microseconds since 1970; 0: at once. Added in 0.1.0. */
SHARED_API int64_t shared_task_eta(const shared_task *task);
/** After when it is not to be run, microseconds since 1970; 0: never. It was looked at before the task
 *  was given to you. Added in 0.1.0. */
SHARED_API int64_t shared_task_expires(const shared_task *task);
/** How long its sender lets it run before it should come to an end; 0: not said. Keeping it is the
 *  worker's matter. Added in 0.1.0. */
SHARED_API int64_t shared_task_soft_limit_ms(const shared_task *task);
/** How long its sender lets it run at all; 0: not said. Added in 0.1.0. */
SHARED_API int64_t shared_task_hard_limit_ms(const shared_task *task);
/** 0 to 9. Added in 0.1.0. */
SHARED_API int32_t shared_task_priority(const shared_task *task);
/** 1 when it may have been run before: a holder died, or its sender is not sure. A task whose result is
 *  SUCCESS already is not given to you. Added in 0.1.0. */
SHARED_API int32_t shared_task_is_redelivered(const shared_task *task);
/** The queue it came from. Added in 0.1.0. */
SHARED_API const char *shared_task_queue(const shared_task *task);
/** As its sender wrote it, mostly the id; "": absent. Added in 0.1.0. */
SHARED_API const char *shared_task_correlation_id(const shared_task *task);
/** As its sender wrote it; "": absent. Added in 0.1.0. */
SHARED_API const char *shared_task_reply_to(const shared_task *task);
/** The task that all this began with; "": absent. Added in 0.1.0. */
SHARED_API const char *shared_task_root_id(const shared_task *task);
/** The task that sent this one; of a retry itself; "": absent. Added in 0.1.0. */
SHARED_API const char *shared_task_parent_id(const shared_task *task);
/** 1 when a retryable failure now would be the last one. Added in 0.1.0. */
SHARED_API int32_t shared_task_is_last(const shared_task *task);
/** 1 while the claim is ours as far as we know. Added in 0.1.0. */
SHARED_API int32_t shared_task_is_held(const shared_task *task);
/** Stores the result (JSON), then gives up the claim. DONE; SHARED_ECONFLICT when the claim was taken
 *  over by another worker. Where the result cannot be stored, after LEASE_S of trying if that might help,
 *  the claim is given up all the same, since the work is done: the event's error is then that of
 *  CELERY_RESULT_BACKEND, and who waits for the result hears nothing. The same holds for
 *  shared_task_fail and shared_task_retry. Added in 0.1.0. */
SHARED_API shared_status shared_task_succeed(shared_task *task, const char *result_json,
                                             uint64_t tag);
/** SHARED_PERMANENT: FAILURE with shared.errors.PermanentError(message). SHARED_RETRYABLE: the same id
 *  again after 60, 120, 240, 480 s, then FAILURE with RetryableError. Added in 0.1.0. */
SHARED_API shared_status shared_task_fail(shared_task *task, int32_t error_class,
                                          const char *message, uint64_t tag);
/** As a retryable failure, with a delay of your own (0 to a year) instead of the growing one: the same
 *  id again, its state RETRY meanwhile. When no retry is left it is FAILURE with RetryableError(message).
 *  Added in 0.1.0. */
SHARED_API shared_status shared_task_retry(shared_task *task, int64_t delay_ms, const char *message,
                                           uint64_t tag);
/** Back to the head of the queue, without a retry used up. Added in 0.1.0. */
SHARED_API shared_status shared_task_hand_back(shared_task *task, uint64_t tag);

SHARED_END

#endif
