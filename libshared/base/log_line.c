/* SPDX-License-Identifier: MIT
 * log_line.c - a message as one line. Foreign text may come by: what is no UTF-8 is replaced, control
 * characters are escaped, and what is too long says how much of it is missing. Asks for no memory, since
 * that may be what has to be said.
 */
#include "base/log_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/time.h"

enum {
    LOGGER_SIZE = 128, /* limits in bytes as written, escapes and mark included */
    NAME_SIZE = 128,
    MESSAGE_SIZE = 2048,
    VALUE_SIZE = 1024,
    VALUE_SIZE_LEAST = 64, /* a value that gets less is left out with its name */
    PAIR_FRAME_SIZE = 8,   /* quotes, comma, colon, and the '_' of a name that is taken */
    MARK_SIZE = 40,
    TAIL_SIZE = 80 /* the numbers behind the pairs, the quotes of the last one, and the end */
};

struct line {
    char *data;
    size_t size;
};

static const struct {
    int32_t level;
    const char *word;
} levels[] = {{10, "debug"}, {20, "info"}, {30, "warning"}, {40, "error"}};
enum { LEVEL_COUNT = sizeof levels / sizeof *levels };

const char *log_level_word(int32_t level) {
    const char *word = levels[0].word;
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (levels[i].level <= level) word = levels[i].word;
    return word;
}

int32_t log_level_find(const char *word, size_t size) {
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (strlen(levels[i].word) == size && !strncasecmp(levels[i].word, word, size))
            return levels[i].level;
    return -1;
}

static void add(struct line *line, const char *text) {
    size_t size = strlen(text);
    memcpy(line->data + line->size, text, size);
    line->size += size;
}

/* One character as it is written: at most 6 bytes. *step gets the bytes it has in text. */
static size_t write_character(char out[8], const char *text, size_t size, bool quoted,
                              size_t *step) {
    unsigned char c = (unsigned char)*text;
    *step = text_character_size(text, size);
    if (!*step) {
        static const unsigned char replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
        *step = 1;
        memcpy(out, replacement, sizeof replacement);
        return sizeof replacement;
    }
    unsigned code = *step == 2 && c == 0xc2 ? (unsigned char)text[1] : c;
    bool control = *step == 1 ? c < 0x20 || c == 0x7f : *step == 2 && c == 0xc2 && code < 0xa0;
    const char *letter = c ? strchr("\nn\tt\rr", c) : NULL;
    if (control && letter) {
        out[0] = '\\';
        out[1] = letter[1];
        return 2;
    }
    if (control) return (size_t)snprintf(out, 8, "\\u%04x", code);
    bool escaped = quoted && (c == '"' || c == '\\');
    if (escaped) *out = '\\';
    memcpy(out + escaped, text, *step);
    return *step + escaped;
}

/* Text of at most size_max bytes as written; what does not fit is told in a mark. */
static void add_escaped(struct line *line, const char *text, bool quoted, size_t size_max) {
    if (!text) text = "";
    size_t left = strlen(text), left_fit = left, size_fit = line->size;
    const size_t start = line->size;
    char character[8];
    while (left) {
        size_t step;
        size_t size = write_character(character, text, left, quoted, &step);
        size_t used = line->size - start;
        if (used + size > size_max) {
            line->size = size_fit;
            line->size +=
                (size_t)snprintf(line->data + size_fit, MARK_SIZE, "...[%zu bytes cut]", left_fit);
            return;
        }
        memcpy(line->data + line->size, character, size);
        line->size += size;
        text += step;
        left -= step;
        if (used + size + MARK_SIZE <= size_max) {
            size_fit = line->size;
            left_fit = left;
        }
    }
}

static void add_string(struct line *line, const char *text, size_t size_max) {
    add(line, "\"");
    add_escaped(line, text, true, size_max);
    add(line, "\"");
}

/* With all six digits, so that lines sort as texts. */
static void add_time(struct line *line, int64_t time_us) {
    char text[TIME_TEXT_SIZE];
    time_to_rfc3339(time_us, text);
    size_t whole = strcspn(text, ".Z");
    int64_t part = (time_us % 1000000 + 1000000) % 1000000;
    (void)snprintf(text + whole, sizeof text - whole, ".%06dZ", (int)part);
    add(line, text);
}

/* --- pairs ------------------------------------------------------------------------------------------ */

/* A member of that name would stand there twice. */
static bool is_own_name(const char *name) {
    static const char *const own[] = {"time", "level", "logger", "message", "lost", "pairs_cut"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (text_equal(own[i], name)) return true;
    return false;
}

/* A value of the text form that is told from what stands around it needs no quotes. */
static bool needs_quotes(const char *value) {
    if (!value || !*value) return true;
    for (const char *c = value; *c; c++)
        if (strchr(" \"=\\", *c) || (unsigned char)*c < 0x20) return true;
    return false;
}

/* There is room for the name, and for VALUE_SIZE_LEAST of the value. */
static void add_pair(struct line *line, const char *name, const char *value, bool json) {
    add(line, json ? ",\"" : " ");
    add_escaped(line, name, json, NAME_SIZE);
    if (is_own_name(name)) add(line, "_");
    add(line, json ? "\":" : "=");
    size_t room = LOG_LINE_SIZE - TAIL_SIZE - line->size;
    if (room > VALUE_SIZE) room = VALUE_SIZE;
    if (json || needs_quotes(value))
        add_string(line, value, room);
    else
        add_escaped(line, value, false, room);
}

static size_t add_rest(struct line *line, const struct log_message *message, bool json) {
    int32_t cut = 0;
    char text[TAIL_SIZE];
    for (int32_t i = 0; i < message->count; i++) {
        if (!message->names[i]) continue;
        if (line->size + NAME_SIZE + PAIR_FRAME_SIZE + VALUE_SIZE_LEAST <=
            LOG_LINE_SIZE - TAIL_SIZE)
            add_pair(line, message->names[i], message->values[i], json);
        else
            cut++;
    }
    if (cut) {
        (void)snprintf(text, sizeof text, json ? ",\"pairs_cut\":%d" : " pairs_cut=%d", cut);
        add(line, text);
    }
    if (message->lost) {
        (void)snprintf(text, sizeof text, json ? ",\"lost\":%lld" : " lost=%lld",
                       (long long)message->lost);
        add(line, text);
    }
    add(line, json ? "}\n" : "\n");
    return line->size;
}

size_t log_line_json(char out[LOG_LINE_SIZE], const struct log_message *message) {
    struct line line = {.data = out};
    add(&line, "{\"time\":\"");
    add_time(&line, message->time_us);
    add(&line, "\",\"level\":\"");
    add(&line, log_level_word(message->level));
    add(&line, "\",\"logger\":");
    add_string(&line, message->logger, LOGGER_SIZE);
    add(&line, ",\"message\":");
    add_string(&line, message->message, MESSAGE_SIZE);
    return add_rest(&line, message, true);
}

size_t log_line_text(char out[LOG_LINE_SIZE], const struct log_message *message) {
    struct line line = {.data = out};
    char level[16];
    add_time(&line, message->time_us);
    (void)snprintf(level, sizeof level, " %-7s ", log_level_word(message->level));
    add(&line, level);
    add_escaped(&line, message->logger, false, LOGGER_SIZE);
    add(&line, ": ");
    add_escaped(&line, message->message, false, MESSAGE_SIZE);
    return add_rest(&line, message, false);
}
