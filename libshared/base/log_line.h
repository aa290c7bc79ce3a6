/* SPDX-License-Identifier: MIT
 * log_line.h - a message as one line of JSON or text, in fixed room. Writes nothing anywhere.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>

/* What a pipe takes as one: PIPE_BUF. */
enum { LOG_LINE_SIZE = 4096 };

struct log_message {
    int64_t time_us;
    int32_t level;
    const char *logger;
    const char *message;
    const char *const *names;
    const char *const *values;
    int32_t count;
    int64_t lost; /* lines before this one; 0 is not said */
};

/* Bytes written, of which the last is a line feed. */
size_t log_line_json(char out[LOG_LINE_SIZE], const struct log_message *message);
size_t log_line_text(char out[LOG_LINE_SIZE], const struct log_message *message);
/* The word of the highest level that is not above. */
const char *log_level_word(int32_t level);
/* Its number; -1: no such word. Any case. */
int32_t log_level_find(const char *word, size_t size);

#endif
