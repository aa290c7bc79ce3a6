/* SPDX-License-Identifier: MIT
 * log.h - for the library's own background work (reconnects, sweeps), and for who captures lines; what a
 * call returns as an error is never logged too.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <shared/log.h>
#include <stdbool.h>

/* Of the library: the logger's name gets "shared." before it. */
__attribute__((format(printf, 3, 4))) void log_format(const char *logger, int32_t level,
                                                      const char *format, ...);

/* --- levels by name: LOG_LEVELS --------------------------------------------------------------- */
enum { LOG_RULES_MAX = 32 };
/* Whether text is "name=level,name=level". */
bool log_levels_valid(const char *text);

/* --- sinks: where captured lines go ----------------------------------------------------------- */
struct log_sink {
    int32_t level; /* the least that is taken */
    /* The line as JSON, without a line feed. From any thread, one at a time; it must not log. */
    void (*take)(struct log_sink *sink, const char *json, size_t size);
    struct log_sink *next;
};
/* SHARED_OK, or ENOMEM when a fork could not be watched. */
shared_status log_sink_add(struct log_sink *sink);
/* After it returned no thread is inside take. One that is none is passed over. */
void log_sink_remove(struct log_sink *sink);
/* While locked no sink is taken from: for what take shares with its owner. */
void log_sinks_lock(void);
void log_sinks_unlock(void);

#endif
