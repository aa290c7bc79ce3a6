/* SPDX-License-Identifier: MIT
 * target.c - the request target taken apart. Never resolves "..": segments are names, not folders.
 */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Decodes [from, to) in place and ends it with a NUL, for which a separator made room. */
static enum target_status decode(char *from, char *to, bool plus_is_space) {
    char *out = from;
    for (char *in = from; in < to; in++) {
        if (*in == '%') {
            int high = to - in > 2 ? hex_value(in[1]) : -1;
            int low = to - in > 2 ? hex_value(in[2]) : -1;
            if (high < 0 || low < 0) return TARGET_BAD_ESCAPE;
            *out++ = (char)(high * 16 + low);
            in += 2;
        } else {
            bool space = *in == '+' && plus_is_space;
            *out++ = *in;
            if (space) out[-1] = ' ';
        }
    }
    *out = '\0';
    return utf8_is_text(from, (size_t)(out - from), NULL) ? TARGET_OK : TARGET_BAD_TEXT;
}

static enum target_status segments_parse(struct target *target, char *path, char *end) {
    for (char *from = path; from < end;) {
        char *to = memchr(from + 1, '/', (size_t)(end - from - 1));
        if (!to) to = end;
        char *segment = from + 1; /* behind the slash */
        from = to;
        if (!target->segment_count && to - segment == 3 && !memcmp(segment, "api", 3) &&
            path == segment - 1) {
            target->below_api = true;
            continue;
        }
        if (to == end && segment == end && !target->segment_count) break; /* "/" and "/api/" */
        if (target->segment_count == TARGET_SEGMENTS_MAX) return TARGET_TOO_LONG;
        /* The next segment's slash becomes this one's NUL only after it was passed. */
        target->segments[target->segment_count++] = segment;
    }
    return TARGET_OK;
}

static enum target_status segments_decode(struct target *target, char *end) {
    for (int32_t i = target->segment_count - 1; i >= 0; i--) {
        char *from = target->bytes + (target->segments[i] - target->bytes);
        char *to = i + 1 < target->segment_count
                       ? target->bytes + (target->segments[i + 1] - target->bytes) - 1
                       : end;
        enum target_status status = decode(from, to, false);
        if (status != TARGET_OK) return status;
    }
    return TARGET_OK;
}

static enum target_status argument_add(struct target *target, char *from, char *to) {
    if (target->argument_count == TARGET_ARGUMENTS_MAX) return TARGET_TOO_LONG;
    if (target->argument_count == target->argument_capacity) {
        int32_t capacity = target->argument_capacity ? target->argument_capacity * 4 : 4;
        void *more = realloc(target->arguments, (size_t)capacity * sizeof *target->arguments);
        if (!more) return TARGET_NO_MEMORY;
        target->arguments = more;
        target->argument_capacity = capacity;
    }
    char *equals = memchr(from, '=', (size_t)(to - from));
    enum target_status status = decode(from, equals ? equals : to, true);
    if (status == TARGET_OK && equals) status = decode(equals + 1, to, true);
    target->arguments[target->argument_count++] =
        (struct target_argument){.name = from, .value = equals ? equals + 1 : ""};
    return status;
}

static enum target_status query_parse(struct target *target, char *query, char *end) {
    while (query < end) {
        char *to = memchr(query, '&', (size_t)(end - query));
        if (!to) to = end;
        enum target_status status = to > query ? argument_add(target, query, to) : TARGET_OK;
        if (status != TARGET_OK) return status;
        query = to + 1;
    }
    return TARGET_OK;
}

/* What must be percent-encoded on the wire, and is not. */
static bool has_raw_control(const char *raw) {
    for (; *raw; raw++)
        if ((unsigned char)*raw <= 0x20 || *raw == 0x7f || *raw == '#') return true;
    return false;
}

enum target_status target_parse(struct target *target, const char *raw) {
    *target = (struct target){.bytes = strdup(raw)};
    if (!target->bytes) return TARGET_NO_MEMORY;
    if (has_raw_control(raw)) return TARGET_BAD_ESCAPE;
    char *end = target->bytes + strlen(target->bytes);
    char *query = strchr(target->bytes, '?');
    char *path_end = query ? query : end;
    enum target_status status = segments_parse(target, target->bytes, path_end);
    if (status == TARGET_OK) status = segments_decode(target, path_end);
    if (status == TARGET_OK && query) status = query_parse(target, query + 1, end);
    return status;
}

void target_finish(struct target *target) {
    free(target->bytes);
    free(target->arguments);
    *target = (struct target){0};
}

const char *target_argument(const struct target *target, const char *name) {
    for (int32_t i = 0; i < target->argument_count; i++)
        if (!strcmp(target->arguments[i].name, name)) return target->arguments[i].value;
    return NULL;
}

bool target_match(const struct target *target, const char *pattern, const char **value) {
    int32_t index = 0;
    while (*pattern == '/' && pattern[1]) {
        const char *word = pattern + 1;
        size_t size = strcspn(word, "/");
        pattern = word + size;
        if (index == target->segment_count) return false;
        const char *segment = target->segments[index++];
        if (*word == '{') {
            if (!*segment) return false;
            *value = segment;
        } else if (strncmp(segment, word, size) != 0 || segment[size]) {
            return false;
        }
    }
    return index == target->segment_count;
}

void target_escape(struct text *out, const char *segment) {
    for (const char *c = segment; *c; c++) {
        bool letter = (*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z');
        if (letter || strchr("-._~", *c))
            text_add(out, c, 1);
        else
            text_format(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}
