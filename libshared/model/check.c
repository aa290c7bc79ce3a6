/* SPDX-License-Identifier: MIT
 * check.c - the rules of the table against values. Keeps nothing: failures.c does, and it has the words.
 */
#include "model/check.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

enum { NUMBER_SIZE = 24, TEXT_SHOWN_LENGTH = 40 };

/* One rule with a number for a limit; seen is what was held against it. */
static void fail_limit(const struct field *field, enum rule rule, int64_t limit, int64_t seen,
                       const char *text, size_t size) {
    char limit_text[NUMBER_SIZE], seen_text[NUMBER_SIZE], addition[NUMBER_SIZE + 8];
    (void)snprintf(limit_text, sizeof limit_text, "%lld", (long long)limit);
    (void)snprintf(seen_text, sizeof seen_text, "%lld", (long long)seen);
    (void)snprintf(addition, sizeof addition, ", not %s", seen_text);
    failures_add(&(struct failure){.rule = rule,
                                   .path = field->name,
                                   .limit = limit_text,
                                   .value = text ? text : seen_text,
                                   .value_size = text ? size : strlen(seen_text),
                                   .value_is_json = !text,
                                   .addition = addition});
}

static void check_length(const struct field *field, const char *text, size_t size) {
    int64_t length = (int64_t)text_length(text, size);
    if (field->has_min && length < field->min)
        fail_limit(field, RULE_STRING_SHORT, field->min, length, text, size);
    if (field->has_max && length > field->max)
        fail_limit(field, RULE_STRING_LONG, field->max, length, text, size);
}

static void fail_word(const struct field *field, const char *value, size_t size, bool is_json) {
    char listed[256] = "", addition[4 * TEXT_SHOWN_LENGTH + 16];
    for (const char *const *word = field->words; *word; word++) {
        size_t used = strlen(listed);
        const char *before = word == field->words ? "" : word[1] ? ", " : " or ";
        (void)snprintf(listed + used, sizeof listed - used, "%s'%s'", before, *word);
    }
    (void)snprintf(addition, sizeof addition, is_json ? ", not %.*s" : ", not '%.*s'",
                   (int)text_cut(value, size, TEXT_SHOWN_LENGTH), value);
    failures_add(&(struct failure){.rule = RULE_WORD,
                                   .path = field->name,
                                   .limit = listed,
                                   .value = value,
                                   .value_size = size,
                                   .value_is_json = is_json,
                                   .addition = addition});
}

static void check_word(const struct field *field, const char *text, size_t size) {
    for (const char *const *word = field->words; *word; word++)
        if (strlen(*word) == size && !memcmp(*word, text, size)) return;
    fail_word(field, text, size, false);
}

void check_text(const struct field *field, const char *text, size_t size) {
    int64_t number;
    if (field->type != FIELD_ENUM && !text_is_utf8(text, size)) { /* such a text is no word */
        failures_add(
            &(struct failure){.rule = memchr(text, '\0', size) ? RULE_STRING_NUL : RULE_STRING_UTF8,
                              .path = field->name,
                              .value = text,
                              .value_size = size});
        return;
    }
    switch (field->type) {
    case FIELD_TEXT: check_length(field, text, size); break;
    case FIELD_ENUM: check_word(field, text, size); break;
    case FIELD_INT32:
    case FIELD_INT64:
        if (text_to_int(text, size, INT64_MIN, INT64_MAX, &number)) check_int(field, number);
        break;
    case FIELD_TIME: break; /* a record takes no text for a time that is none */
    }
}

void check_int(const struct field *field, int64_t number) {
    int64_t least = field->type == FIELD_INT32 ? INT32_MIN : INT64_MIN;
    int64_t most = field->type == FIELD_INT32 ? INT32_MAX : INT64_MAX;
    if (field->has_min && field->min > least) least = field->min;
    if (field->has_max && field->max < most) most = field->max;
    if (number < least) fail_limit(field, RULE_LEAST, least, number, NULL, 0);
    if (number > most) fail_limit(field, RULE_MOST, most, number, NULL, 0);
}

void check_time(const struct field *field, const char *text, size_t size) {
    int64_t time_us;
    if (memchr(text, '\0', size) || !text_is_utf8(text, size))
        check_text(field, text, size);
    else if (!time_from_text(text, size, &time_us))
        failures_add(&(struct failure){.rule = RULE_TIME_TEXT,
                                       .path = field->name,
                                       .limit = "as RFC 3339 has them, of the years 1 to 9999",
                                       .value = text,
                                       .value_size = size});
}

void check_type(const struct field *field, const char *value, size_t size, bool is_json) {
    static const enum rule rules[] = {[FIELD_TEXT] = RULE_STRING,
                                      [FIELD_ENUM] = RULE_WORD,
                                      [FIELD_INT32] = RULE_INT,
                                      [FIELD_INT64] = RULE_INT,
                                      [FIELD_TIME] = RULE_TIME};
    enum rule rule = rules[field->type];
    if (rule == RULE_INT && !is_json) rule = RULE_INT_TEXT;
    if (rule == RULE_WORD)
        fail_word(field, value, size, is_json);
    else
        failures_add(&(struct failure){.rule = rule,
                                       .path = field->name,
                                       .value = value,
                                       .value_size = size,
                                       .value_is_json = is_json});
}

void check_missing(const struct field *field, const char *whole, size_t size) {
    failures_add(&(struct failure){.rule = RULE_MISSING,
                                   .path = field->name,
                                   .value = whole,
                                   .value_size = size,
                                   .value_is_json = true});
}
