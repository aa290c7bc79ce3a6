/* SPDX-License-Identifier: MIT
 * meta.c - the text that the result backend keeps of a task, as Celery 5.7 writes it. Never stores it.
 */
#include "queue/meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "model/json.h"

static void add_text(struct buffer *out, const char *before, const char *text) {
    buffer_add_text(out, before);
    buffer_add_json(out, text, strlen(text));
}

/* From "children" to the end. date_done is null while the task may still run. */
static void add_rest(struct buffer *out, struct meta_owner owner, const char *children, bool done) {
    buffer_format(out, ", \"children\": %s, \"date_done\": ", children);
    char now[TIME_TEXT_SIZE];
    time_to_isoformat(time_wall_us(), now);
    if (done)
        add_text(out, "", now);
    else
        buffer_add_text(out, "null");
    if (owner.group_id) add_text(out, ", \"group_id\": ", owner.group_id);
    if (owner.parent_id) add_text(out, ", \"parent_id\": ", owner.parent_id);
    add_text(out, ", \"task_id\": ", owner.id);
    buffer_add_char(out, '}');
}

static void add_exception(struct buffer *out, const char *status, struct meta_exception exception) {
    buffer_format(out, "{\"status\": \"%s\", \"result\": {\"exc_type\": ", status);
    buffer_add_json(out, exception.type, strlen(exception.type));
    add_text(out, ", \"exc_message\": [", exception.message);
    add_text(out, "], \"exc_module\": ", exception.module);
    buffer_add_char(out, '}');
}

static void add_traceback(struct buffer *out, struct meta_exception exception) {
    struct buffer text = {.data = NULL};
    buffer_format(&text, "%s.%s: %s\n", exception.module, exception.type, exception.message);
    buffer_add_text(out, ", \"traceback\": ");
    if (text.failed)
        out->failed = true;
    else
        buffer_add_json(out, text.data, text.size);
    buffer_finish(&text);
}

void meta_write_success(struct buffer *out, struct meta_owner owner, const char *result_json) {
    buffer_add_text(out, "{\"status\": \"SUCCESS\", \"result\": ");
    buffer_add_text(out, result_json);
    buffer_add_text(out, ", \"traceback\": null");
    add_rest(out, owner, "[]", true);
}

void meta_write_failure(struct buffer *out, struct meta_owner owner,
                        struct meta_exception exception) {
    add_exception(out, "FAILURE", exception);
    add_traceback(out, exception);
    add_rest(out, owner, "[]", true);
}

void meta_write_retry(struct buffer *out, struct meta_owner owner,
                      struct meta_exception exception) {
    struct buffer children = {.data = NULL};
    add_text(&children, "[[[", owner.id);
    buffer_add_text(&children, ", null], null]]");
    add_exception(out, "RETRY", exception);
    add_traceback(out, exception);
    add_rest(out, owner, children.failed ? "[]" : children.data, false);
    buffer_finish(&children);
}

void meta_write_revoked(struct buffer *out, struct meta_owner owner, const char *why) {
    struct meta_exception exception = {
        .type = "TaskRevokedError", .module = "celery.exceptions", .message = why};
    add_exception(out, "REVOKED", exception);
    buffer_add_text(out, ", \"traceback\": null");
    add_rest(out, owner, "[]", true);
}

/* Celery writes the status first; then the result need not be read, which may hold what only Python
 * takes for JSON (NaN, numbers of any length). */
static char *read_status(const char *json, size_t size) {
    static const char first[] = "{\"status\": \"";
    if (size <= sizeof first || memcmp(json, first, sizeof first - 1) != 0)
        return json_member_text(json, size, "status");
    const char *word = json + sizeof first - 1;
    const char *quote = memchr(word, '"', size - (sizeof first - 1));
    return quote ? text_copy_size(word, (size_t)(quote - word)) : NULL;
}

static bool has_status(const char *json, size_t size, const char *const *words) {
    char *status = read_status(json, size);
    bool found = false;
    for (; *words && !found; words++) found = text_equal(status, *words);
    free(status);
    return found;
}

bool meta_is_ready(const char *json, size_t size) {
    static const char *const ready[] = {"SUCCESS", "FAILURE", "REVOKED", NULL};
    return text_is_utf8(json, size) && has_status(json, size, ready);
}

bool meta_is_success(const char *json, size_t size) {
    static const char *const success[] = {"SUCCESS", NULL};
    return has_status(json, size, success);
}
