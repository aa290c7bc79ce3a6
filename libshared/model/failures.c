/* SPDX-License-Identifier: MIT
 * failures.c - this thread's list of failures, and the words of each rule. They are pydantic's, since
 * clients of the API know them. Keeps all in fixed room: what finds none is counted in the message.
 */
#include "model/failures.h"

#include <shared/record.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

/* Room for every field of a model, wrong at once, and for names that are none. */
enum { FAILURES_MAX = 64, TEXTS_SIZE = 8192, LIST_SIZE = 16384 };
enum {
    PATH_SIZE = 80,
    LIMIT_SIZE = 256,
    MESSAGE_SIZE = 320,
    VALUE_LENGTH_MAX = 64,
    VALUE_SIZE = 300
};

/* "{}" in a message is the limit, "{s}" an s unless the limit is 1. */
static const struct {
    const char *type;
    const char *message;
    const char *limit_name; /* in ctx; NULL: the rule has no limit */
    bool limit_is_text;
} rules[RULE_COUNT] = {
    [RULE_MISSING] = {.type = "missing", .message = "Field required"},
    [RULE_EXTRA] = {.type = "extra_forbidden", .message = "Extra inputs are not permitted"},
    [RULE_STRING] = {.type = "string_type", .message = "Input should be a valid string"},
    [RULE_STRING_SHORT] = {.type = "string_too_short",
                           .message = "String should have at least {} character{s}",
                           .limit_name = "min_length"},
    [RULE_STRING_LONG] = {.type = "string_too_long",
                          .message = "String should have at most {} character{s}",
                          .limit_name = "max_length"},
    [RULE_STRING_UTF8] = {.type = "string_unicode",
                          .message = "Input should be a valid string, unable to parse raw "
                                     "data as a unicode string"},
    [RULE_STRING_NUL] = {.type = "string_nul", .message = "String should not contain NUL"},
    [RULE_WORD] = {.type = "enum",
                   .message = "Input should be {}",
                   .limit_name = "expected",
                   .limit_is_text = true},
    [RULE_INT] = {.type = "int_type", .message = "Input should be a valid integer"},
    [RULE_INT_TEXT] = {.type = "int_parsing",
                       .message =
                           "Input should be a valid integer, unable to parse string as an integer"},
    [RULE_LEAST] = {.type = "greater_than_equal",
                    .message = "Input should be greater than or equal to {}",
                    .limit_name = "ge"},
    [RULE_MOST] = {.type = "less_than_equal",
                   .message = "Input should be less than or equal to {}",
                   .limit_name = "le"},
    [RULE_TIME] = {.type = "datetime_type", .message = "Input should be a valid datetime"},
    [RULE_TIME_TEXT] = {.type = "datetime_parsing",
                        .message = "Input should be a valid datetime, {}",
                        .limit_name = "error",
                        .limit_is_text = true},
    [RULE_OBJECT] = {.type = "model_attributes_type",
                     .message =
                         "Input should be a valid dictionary or object to extract fields from"},
    [RULE_JSON] = {.type = "json_invalid",
                   .message = "JSON decode error",
                   .limit_name = "error",
                   .limit_is_text = true},
};

/* Offsets into texts. */
struct entry {
    enum rule rule;
    bool value_is_json;
    size_t path, message, value, limit;
};

static _Thread_local struct {
    int32_t count; /* of entries; more were found when it is less than found */
    int32_t found;
    size_t size; /* of texts */
    struct entry entries[FAILURES_MAX];
    char texts[TEXTS_SIZE];
    char message[ERROR_MESSAGE_SIZE];
} failures;

void failures_start(void) {
    failures.count = failures.found = 0;
    failures.size = 0;
    failures.message[0] = '\0';
}

/* --- one failure ------------------------------------------------------------------------------------ */

static void write_message(char out[MESSAGE_SIZE], enum rule rule, const char *limit) {
    const char *text = rules[rule].message;
    size_t size = 0;
    while (*text && size + 1 < MESSAGE_SIZE) {
        const char *part = text;
        size_t part_size = strcspn(text, "{");
        if (part_size) {
            text += part_size;
        } else if (text_starts(text, "{}")) {
            part = limit, part_size = strlen(limit);
            text += 2;
        } else {
            part = "s", part_size = strcmp(limit, "1") != 0;
            text += 3;
        }
        if (part_size > MESSAGE_SIZE - 1 - size) part_size = MESSAGE_SIZE - 1 - size;
        memcpy(out + size, part, part_size);
        size += part_size;
    }
    out[size] = '\0';
}

/* A value as it is shown: its first characters, and JSON that was cut is only text. */
static void write_value(char out[VALUE_SIZE], const struct failure *failure, bool *is_json) {
    static const char mark[] = "...";
    const char *value = failure->value ? failure->value : "null";
    size_t size = failure->value ? failure->value_size : strlen(value);
    size_t shown = size;
    *is_json = failure->value_is_json || !failure->value;
    if (size > VALUE_LENGTH_MAX) {
        shown = text_cut(value, size, VALUE_LENGTH_MAX);
        if (shown > VALUE_SIZE - sizeof mark) shown = VALUE_SIZE - sizeof mark;
    }
    memcpy(out, value, shown);
    memcpy(out + shown, shown < size ? mark : "", shown < size ? sizeof mark : 1);
    if (shown < size) *is_json = false;
    if (*is_json) return;
    for (size_t i = 0; i < shown; i++)
        if (!out[i]) out[i] = '?'; /* a text that holds NUL is told from one that ends */
    text_tidy(out);
}

/* false: no room. */
static bool keep_text(const char *text, size_t *offset) {
    size_t size = strlen(text) + 1;
    if (size > TEXTS_SIZE - failures.size) return false;
    *offset = failures.size;
    memcpy(failures.texts + failures.size, text, size);
    failures.size += size;
    return true;
}

static void add_to_message(const char *path, const char *message, const char *addition) {
    size_t used = strlen(failures.message);
    (void)snprintf(failures.message + used, sizeof failures.message - used, "%s%s%s%s%s",
                   used ? "; " : "", path, *path ? ": " : "", message, addition);
    text_tidy(failures.message); /* it quotes what a client sent, and may be cut in a character */
}

void failures_add(const struct failure *failure) {
    char path[PATH_SIZE], limit[LIMIT_SIZE], message[MESSAGE_SIZE], value[VALUE_SIZE];
    struct entry entry = {.rule = failure->rule};
    (void)snprintf(path, sizeof path, "%s", failure->path ? failure->path : "");
    (void)snprintf(limit, sizeof limit, "%s", failure->limit ? failure->limit : "");
    text_tidy(path);
    text_tidy(limit); /* what is wrong with JSON is told with a piece of it, cut anywhere */
    write_message(message, failure->rule, limit);
    write_value(value, failure, &entry.value_is_json);
    const char *addition = failure->addition ? failure->addition : "";
    add_to_message(failure->rule == RULE_JSON ? "" : path, message, addition);
    failures.found++;
    if (failures.count == FAILURES_MAX) return;
    size_t before = failures.size;
    if (keep_text(path, &entry.path) && keep_text(message, &entry.message) &&
        keep_text(value, &entry.value) && keep_text(limit, &entry.limit))
        failures.entries[failures.count++] = entry;
    else
        failures.size = before;
}

shared_status failures_end(const struct model *model) {
    if (!failures.found) return SHARED_OK;
    int32_t more = failures.found - failures.count;
    if (more > 0)
        return fail(SHARED_ESCHEMA, "%s: %d failures, of which %d are listed: %s", model->name,
                    failures.found, failures.count, failures.message);
    return fail(SHARED_ESCHEMA, "%s: %s", model->name, failures.message);
}

/* --- the list --------------------------------------------------------------------------------------- */

static void add_text(struct buffer *out, const char *text) {
    buffer_add_json(out, text, strlen(text));
}

/* Keys and their order are those of FastAPI. */
static void write_entry(struct buffer *out, const struct entry *entry) {
    const char *path = failures.texts + entry->path;
    const char *value = failures.texts + entry->value;
    const char *limit = failures.texts + entry->limit;
    buffer_add_text(out, "{\"type\":");
    add_text(out, rules[entry->rule].type);
    buffer_add_text(out, ",\"loc\":[\"body\"");
    if (*path) buffer_add_char(out, ',');
    if (entry->rule == RULE_JSON)
        buffer_add_text(out, path); /* where the text breaks off */
    else if (*path)
        add_text(out, path);
    buffer_add_text(out, "],\"msg\":");
    add_text(out, failures.texts + entry->message);
    buffer_add_text(out, ",\"input\":");
    if (entry->value_is_json)
        buffer_add_text(out, value);
    else
        add_text(out, value);
    if (rules[entry->rule].limit_name) {
        buffer_format(out, ",\"ctx\":{\"%s\":", rules[entry->rule].limit_name);
        if (rules[entry->rule].limit_is_text)
            add_text(out, limit);
        else
            buffer_add_text(out, limit);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, '}');
}

const char *shared_record_failures(void) {
    static _Thread_local char list[LIST_SIZE];
    struct buffer entry = {0};
    size_t size = 1;
    list[0] = '[';
    for (int32_t i = 0; i < failures.count; i++) {
        buffer_clear(&entry);
        if (size > 1) buffer_add_char(&entry, ',');
        write_entry(&entry, &failures.entries[i]);
        if (entry.failed || entry.size > LIST_SIZE - size - 2) continue;
        memcpy(list + size, entry.data, entry.size);
        size += entry.size;
    }
    memcpy(list + size, "]", 2);
    buffer_finish(&entry);
    return list;
}

static const struct entry *find(int32_t index) {
    return index >= 0 && index < failures.count ? &failures.entries[index] : NULL;
}

int32_t shared_failure_count(void) {
    return failures.count;
}

const char *shared_failure_path(int32_t index) {
    const struct entry *entry = find(index);
    return entry ? failures.texts + entry->path : "";
}

const char *shared_failure_rule(int32_t index) {
    const struct entry *entry = find(index);
    return entry ? rules[entry->rule].type : "";
}

const char *shared_failure_message(int32_t index) {
    const struct entry *entry = find(index);
    return entry ? failures.texts + entry->message : "";
}

const char *shared_failure_value(int32_t index) {
    const struct entry *entry = find(index);
    return entry ? failures.texts + entry->value : "";
}

const char *shared_failure_limit(int32_t index) {
    const struct entry *entry = find(index);
    return entry ? failures.texts + entry->limit : "";
}
