/* SPDX-License-Identifier: MIT
 * message.c - the text of a progress message and its parts. Python's messages are passed on as they are:
 * only line ends between tokens become spaces, so that a line of SSE can hold them. Never talks to Redis.
 */
#include "progress/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/json.h"

/* --- steps ------------------------------------------------------------------------------------------ */

static const struct step {
    const char *name;
    bool final;
} steps[] = {{"starting", false}, {"extracting", false}, {"chunking", false},
             {"storing", false},  {"completed", true},   {"failed", true}};

static const struct step *step_find(const char *name) {
    for (size_t i = 0; name && i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i].name, name) == 0) return &steps[i];
    return NULL;
}

bool step_is_known(const char *step) {
    return step_find(step) != NULL;
}

bool step_is_final(const char *step) {
    const struct step *found = step_find(step);
    return found && found->final;
}

/* --- ids ---------------------------------------------------------------------------------------------- */

static bool read_number(const char *text, size_t size, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';
        if (digit > 9 || *out > (UINT64_MAX - digit) / 10) return false;
        *out = *out * 10 + digit;
    }
    return size > 0;
}

bool stream_id_read(const char *text, struct stream_id *out) {
    const char *dash = text ? strchr(text, '-') : NULL;
    return dash && strlen(text) < STREAM_ID_SIZE &&
           read_number(text, (size_t)(dash - text), &out->ms) &&
           read_number(dash + 1, strlen(dash + 1), &out->number);
}

int stream_id_compare(struct stream_id a, struct stream_id b) {
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    if (a.number != b.number) return a.number < b.number ? -1 : 1;
    return 0;
}

/* --- text --------------------------------------------------------------------------------------------- */

void message_write(struct buffer *out, int32_t percent, const char *step, const char *message) {
    buffer_format(out, "{\"progress\":%" PRId32 ",\"step\":", percent);
    buffer_add_json(out, step, strlen(step));
    buffer_add_text(out, ",\"message\":");
    buffer_add_json(out, message, strlen(message));
    if (step_is_final(step)) buffer_add_text(out, ",\"final\":true");
    buffer_add_char(out, '}');
}

/* Inside of a JSON string there is no raw line end, so all of them are between tokens. */
static void add_line(struct buffer *out, const char *text, size_t size) {
    size_t start = out->size;
    buffer_add(out, text, size);
    if (out->failed) return;
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] == '\n' || out->data[i] == '\r') out->data[i] = ' ';
}

void message_add_id(struct buffer *out, const char *json, size_t size, const char *id,
                    bool replayed) {
    static const char blanks[] = " \t\r\n";
    while (size > 0 && strchr(blanks, *json)) json++, size--;
    while (size > 0 && json[size - 1] != '}') size--;
    if (size > 0) size--; /* inside the braces */
    while (size > 0 && strchr(blanks, json[size - 1])) size--;
    bool empty = size < 1 || json[size - 1] == '{';
    add_line(out, json, size);
    if (id) buffer_format(out, "%s\"id\":\"%s\"", empty ? "" : ",", id);
    if (!replayed) buffer_format(out, "%s\"replayed\":false", empty && !id ? "" : ",");
    buffer_add_char(out, '}');
}

/* --- a message as a row -------------------------------------------------------------------------------- */

static int64_t message_count(const struct rows *rows) {
    (void)rows;
    return 1;
}

enum { COLUMN_PERCENT, COLUMN_STEP, COLUMN_TEXT, COLUMNS };

static int32_t message_columns(const struct rows *rows) {
    (void)rows;
    return COLUMNS;
}

static const char *message_name(const struct rows *rows, int32_t column) {
    static const char *const names[COLUMNS] = {"progress", "step", "message"};
    (void)rows;
    return column >= 0 && column < COLUMNS ? names[column] : "";
}

static const char *message_value(const struct rows *rows, int64_t row, int32_t column,
                                 size_t *size) {
    const struct message *message = (const struct message *)rows;
    (void)row;
    const char *values[COLUMNS] = {message->percent, message->step, message->text};
    const char *value = column >= 0 && column < COLUMNS ? values[column] : NULL;
    if (size) *size = value ? strlen(value) : 0;
    return value;
}

static void message_free(struct rows *rows) {
    struct message *message = (struct message *)rows;
    free(message->step);
    free(message->text);
    free(message);
}

static const struct rows_methods message_methods = {.count = message_count,
                                                    .columns = message_columns,
                                                    .name = message_name,
                                                    .value = message_value,
                                                    .free = message_free};

static struct message *message_new(const char *json, size_t size) {
    struct message *message = calloc(1, sizeof *message + size + 1);
    if (!message) return NULL;
    message->rows.methods = &message_methods;
    message->rows.references = 1;
    message->size = size;
    memcpy(message->json, json, size);
    return message;
}

static void message_set_id(struct message *message, const char *id) {
    message->has_id = stream_id_read(id, &message->id);
    if (message->has_id) memcpy(message->id_text, id, strlen(id) + 1);
}

struct message *message_read(const char *json, size_t size, const char *id, bool replayed) {
    errno = 0;
    if (size > MESSAGE_SIZE_MAX || !json_is(json, size, '{')) return NULL;
    struct buffer text = {.data = NULL};
    if (id || !replayed)
        message_add_id(&text, json, size, id, replayed);
    else
        add_line(&text, json, size);
    struct message *message = text.failed ? NULL : message_new(text.data, text.size);
    buffer_finish(&text);
    if (!message) return NULL;
    char *own_id = id ? NULL : json_member_text(json, size, "id");
    if (id || own_id) message_set_id(message, id ? id : own_id);
    free(own_id);
    int64_t percent = 0;
    json_member_int(json, size, "progress", &percent);
    if (percent < 0) percent = 0;
    snprintf(message->percent, sizeof message->percent, "%d", percent > 100 ? 100 : (int)percent);
    message->step = json_member_text(json, size, "step");
    message->text = json_member_text(json, size, "message");
    message->final = json_member_bool(json, size, "final") || step_is_final(message->step);
    if (errno != ENOMEM) return message;
    message_unref(message); /* half of it would be told as the whole */
    return NULL;
}

void message_unref(struct message *message) {
    if (message) rows_unref(&message->rows);
}
