/* SPDX-License-Identifier: MIT
 * log.c - which messages are written, and where to: stderr, in one write a line, or sinks. Opens no file
 * and keeps nothing back. log_line.c has the form.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log_line.h"
#include "base/text.h"
#include "base/time.h"

enum { FORMATTED_SIZE = 1024, LOGGER_SIZE = 64, INTERRUPTS_MAX = 16 };

/* A level by name is one word, the hash of the name with the level as its last byte, so that it is read
 * whole without a lock; 0: none. */
static _Atomic uint64_t level_rules[LOG_RULES_MAX];
static _Atomic int32_t level_root = SHARED_INFO;
static _Atomic int32_t level_written =
    SHARED_INFO;                                   /* the least that stderr may get of any logger */
static _Atomic int32_t level_captured = INT32_MAX; /* and a sink */
static _Atomic int32_t level_least =
    SHARED_INFO; /* of both: below it nothing has to be looked at */
static _Atomic bool as_text;
static _Atomic int64_t lost;

/* Guards the sinks, and who changes levels. Held over a fork, so that the child finds it free. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_sink *sinks;

static void find_least(void) {
    level_least = level_captured < level_written ? level_captured : level_written;
}

/* --- levels by name ----------------------------------------------------------------------------------- */

/* FNV-1a, without the byte that is the level's. Never 0. */
static uint64_t name_hash(const char *name, size_t size) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    return (hash | UINT64_C(1) << 63) & ~UINT64_C(0xff);
}

/* The next "name=level" of a list: its rule, 0 when it is none. *text goes behind it. */
static uint64_t rule_next(const char **text) {
    *text += strspn(*text, ", ");
    const char *name = *text;
    size_t size = strcspn(name, "=, ");
    *text = name + strcspn(name, ", ");
    const char *word = name + size + 1;
    if (name[size] != '=' || !size || word > *text) return 0;
    int32_t level = log_level_find(word, (size_t)(*text - word));
    return level < 0 ? 0 : name_hash(name, size) | (uint64_t)level;
}

bool log_levels_valid(const char *text) {
    int32_t count = 0;
    for (text += strspn(text, ", "); *text; text += strspn(text, ", "))
        if (!rule_next(&text) || ++count > LOG_RULES_MAX) return false;
    return true;
}

/* The level of the longest beginning of the name, up to a dot, that has one. */
static int32_t level_of(const char *logger) {
    if (!level_rules[0]) return level_root;
    for (size_t size = strlen(logger); size; size--) {
        if (logger[size] && logger[size] != '.') continue;
        uint64_t hash = name_hash(logger, size);
        for (int32_t i = 0; i < LOG_RULES_MAX; i++) {
            uint64_t rule = level_rules[i];
            if (!rule) break;
            if ((rule & ~UINT64_C(0xff)) == hash) return (int32_t)(rule & 0xff);
        }
    }
    return level_root;
}

static bool is_written(const char *logger, int32_t level) {
    return level >= level_written && level >= level_of(logger);
}

int32_t shared_log_enabled(const char *logger, int32_t level) {
    if (level < level_least) return 0;
    return level >= level_captured || is_written(logger ? logger : "", level);
}

/* --- sinks, and the lock ------------------------------------------------------------------------------ */

void log_sinks_lock(void) {
    (void)pthread_mutex_lock(&mutex);
}

void log_sinks_unlock(void) {
    (void)pthread_mutex_unlock(&mutex);
}

static void find_captured(void) {
    int32_t captured = INT32_MAX;
    for (const struct log_sink *sink = sinks; sink; sink = sink->next)
        if (sink->level < captured) captured = sink->level;
    level_captured = captured;
    find_least();
}

/* Those who took lines belong to the parent. */
static void fork_child(void) {
    sinks = NULL;
    find_captured();
    log_sinks_unlock();
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_status;

static void fork_watch(void) {
    fork_status = pthread_atfork(log_sinks_lock, log_sinks_unlock, fork_child);
}

/* --- settings ----------------------------------------------------------------------------------------- */

void shared_log_configure(const shared_config *config) {
    const char *level = shared_config_get(config, "LOG_LEVEL");
    const char *text = shared_config_get(config, "LOG_LEVELS");
    if (!level || !text) return;
    uint64_t rules[LOG_RULES_MAX] = {0};
    int32_t count = 0, root = log_level_find(level, strlen(level)), least = root;
    for (; *text && count < LOG_RULES_MAX; count++) {
        rules[count] = rule_next(&text);
        if (!rules[count]) break;
        if ((int32_t)(rules[count] & 0xff) < least) least = (int32_t)(rules[count] & 0xff);
    }
    (void)pthread_once(&fork_once, fork_watch); /* or a child might wait for this thread for ever */
    (void)pthread_mutex_lock(&mutex);
    level_root = root;
    for (int32_t i = 0; i < LOG_RULES_MAX; i++) level_rules[i] = rules[i];
    level_written = least;
    as_text = text_equal(shared_config_get(config, "LOG_FORMAT"), "text");
    find_least();
    (void)pthread_mutex_unlock(&mutex);
}

/* --- who takes lines ---------------------------------------------------------------------------------- */

shared_status log_sink_add(struct log_sink *sink) {
    (void)pthread_once(&fork_once, fork_watch);
    if (fork_status) return fail(SHARED_ENOMEM, "log: a fork cannot be watched");
    log_sinks_lock();
    sink->next = sinks;
    sinks = sink;
    find_captured();
    log_sinks_unlock();
    return SHARED_OK;
}

void log_sink_remove(struct log_sink *sink) {
    log_sinks_lock();
    struct log_sink **place = &sinks;
    while (*place && *place != sink) place = &(*place)->next;
    if (*place) *place = sink->next;
    find_captured();
    log_sinks_unlock();
}

/* false: none wanted it. */
static bool capture(const struct log_message *message) {
    char line[LOG_LINE_SIZE];
    size_t size = log_line_json(line, message) - 1;
    bool taken = false;
    log_sinks_lock();
    for (struct log_sink *sink = sinks; sink; sink = sink->next) {
        if (message->level < sink->level) continue;
        sink->take(sink, line, size);
        taken = true;
    }
    log_sinks_unlock();
    return taken;
}

/* --- writing ------------------------------------------------------------------------------------------ */

/* Nowhere to say at once that a line could not be said: the next one does. */
static void write_line(struct log_message *message) {
    char line[LOG_LINE_SIZE];
    message->lost = atomic_exchange(&lost, 0);
    size_t size = as_text ? log_line_text(line, message) : log_line_json(line, message);
    ssize_t written = -1;
    for (int i = 0; i < INTERRUPTS_MAX && written < 0; i++) {
        written = write(STDERR_FILENO, line, size);
        if (written < 0 && errno != EINTR) break;
    }
    if (written != (ssize_t)size) (void)atomic_fetch_add(&lost, message->lost + 1);
}

void shared_log_pairs(const char *logger, int32_t level, const char *message,
                      const char *const *names, const char *const *values, int32_t count) {
    if (level < level_least) return;
    int saved = errno; /* a caller may still want to look at it */
    struct log_message whole = {.level = level,
                                .logger = logger ? logger : "",
                                .message = message,
                                .names = names,
                                .values = values,
                                .count = names && values ? count : 0};
    bool captured = level >= level_captured;
    if (captured || is_written(whole.logger, level)) {
        whole.time_us = time_wall_us();
        captured = captured && capture(&whole);
        if (!captured && is_written(whole.logger, level)) write_line(&whole);
    }
    errno = saved;
}

void shared_log_with(const char *logger, int32_t level, const char *message, const char *name,
                     const char *value) {
    shared_log_pairs(logger, level, message, &name, &value, 1);
}

void shared_log(const char *logger, int32_t level, const char *message) {
    shared_log_pairs(logger, level, message, NULL, NULL, 0);
}

void log_format(const char *logger, int32_t level, const char *format, ...) {
    if (level < level_least) return;
    char message[FORMATTED_SIZE], name[LOGGER_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)snprintf(name, sizeof name, "shared.%s", logger);
    shared_log(name, level, message);
}
