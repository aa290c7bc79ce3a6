/* SPDX-License-Identifier: MIT
 * log.h - one line a message, to stderr or, once captured, to a client's queue of events. Any thread,
 * but no signal handler.
 *
 *     {"time":"2026-11-24T10:00:00.123456Z","level":"warning","logger":"shared.queue","message":"..."}
 *     2026-11-24T10:00:00.123456Z warning shared.queue: ... document_id=doc-1        (LOG_FORMAT=text)
 *
 * A logger is a name of words set apart by dots. LOG_LEVEL is the least level that is written;
 * LOG_LEVELS says it for a name and all below it, as Python's logging does:
 * LOG_LEVELS="shared=warning,shared.redis=debug".
 *
 * A line is at most 4096 bytes and goes out in one write, so lines of threads and processes never mix in
 * a pipe. A message of more than 2048 bytes or a value of more than 1024 as written ends in
 * "...[N bytes cut]"; pairs for which no room is left are counted in "pairs_cut". A line that stderr does
 * not take is lost, and the next one says how many were: "lost". What is not UTF-8 becomes U+FFFD, control
 * characters are escaped. No memory is asked for, and errno is kept.
 *
 * What the library itself says, below the name "shared": config (a name like LEX_SANBOX that is no
 * setting), postgres (notices of the server; a cancel that failed), redis (a URL with two databases),
 * progress (what others publish and is no message, once a minute at most with their number; a listener to
 * all documents that is behind), queue (messages set aside, tasks that others took over, results that
 * cannot be stored, claims, renewals and sweeps that fail), relay (tasks of the outbox that cannot be
 * sent, or were sent late). It never logs what a call or an event returns as an error: that is for you to
 * say.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <shared/api.h>
#include <shared/client.h>
#include <shared/config.h>

SHARED_BEGIN

/** Levels. Any number may be one: it is written with the word of the highest that is not above it. */
enum { SHARED_DEBUG = 10, SHARED_INFO = 20, SHARED_WARNING = 30, SHARED_ERROR = 40 };

/** Levels and form from LOG_LEVEL, LOG_LEVELS and LOG_FORMAT, for the whole process; before it: info and
 *  JSON. Any thread, at any time. Added in 0.1.0. */
SHARED_API void shared_log_configure(const shared_config *config);
/** Writes a message, unless its level is off for its logger. NULL counts as "". Added in 0.1.0. */
SHARED_API void shared_log(const char *logger, int32_t level, const char *message);
/** The same with one pair of context, e.g. "document_id", "doc-123". Added in 0.1.0. */
SHARED_API void shared_log_with(const char *logger, int32_t level, const char *message,
                                const char *name, const char *value);
/** The same with count pairs. A pair whose name is NULL is left out; a name that the line has itself
 *  (time, level, logger, message, lost, pairs_cut) gets a '_' behind it. Added in 0.1.0. */
SHARED_API void shared_log_pairs(const char *logger, int32_t level, const char *message,
                                 const char *const *names, const char *const *values,
                                 int32_t count);
/** 1 when a message of this level would go somewhere: to spare the work of making it. A level that is
 *  off everywhere is answered in a few nanoseconds, here and by the functions above. Added in 0.1.0. */
SHARED_API int32_t shared_log_enabled(const char *logger, int32_t level);
/** From now on each line of at least this level, of any thread, whatever LOG_LEVEL and LOG_LEVELS say,
 *  comes as a SHARED_EVENT_LOG event of the tag, with more == 1, until shared_client_cancel. Such lines do
 *  not go to stderr; less important ones go there as before. shared_event_json is the line,
 *  shared_event_record(event, 0) a SHARED_LOG_LINE of it. Several clients may capture: each gets every line.
 *
 *  At most LOG_CAPTURE_LINES lines wait to be dispatched, and as many events to be taken; further lines are
 *  lost, and the next event says how many: SHARED_LOG_LINE_LOST. The last event's count is what was lost
 *  after the last line. Lines that wait when the client is freed are gone. In the child of a fork nothing
 *  is captured: its lines go to stderr. Costs a descriptor.
 *
 *      shared_log_capture(client, SHARED_INFO, LOG_TAG);
 *      ...
 *      if (shared_event_kind(event) == SHARED_EVENT_LOG) {
 *          shared_record *line = shared_event_record(event, 0);
 *          show(shared_record_text(line, SHARED_LOG_LINE_LEVEL),
 *               shared_record_text(line, SHARED_LOG_LINE_MESSAGE));
 *      }
 *
 *  Added in 0.1.0. */
SHARED_API shared_status shared_log_capture(shared_client *client, int32_t level, uint64_t tag);

SHARED_END

#endif
