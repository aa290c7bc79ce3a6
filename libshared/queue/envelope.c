/* SPDX-License-Identifier: MIT
 * envelope.c - the text of a new Celery message. Same members, order and spacing as Celery 5.7's, so
 * that tools and eyes find what they know. Never checks its input: produce.c does.
 */
#include "queue/envelope.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "queue/repr.h"

static void add_text(struct buffer *out, const char *before, const char *text) {
    buffer_add_text(out, before);
    buffer_add_json(out, text, strlen(text));
}

static const char *kwargs_of(const struct envelope *envelope) {
    return envelope->kwargs_json ? envelope->kwargs_json : "{}";
}

static void add_body(struct buffer *out, const struct envelope *envelope) {
    struct buffer body = {.data = NULL};
    buffer_format(&body,
                  "[%s, %s, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, "
                  "\"chord\": null}]",
                  envelope->args_json, kwargs_of(envelope));
    buffer_add_text(out, "{\"body\": \"");
    if (body.failed)
        out->failed = true;
    else
        text_to_base64(out, body.data, body.size);
    buffer_add_text(out,
                    "\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\"");
    buffer_finish(&body);
}

static void add_time(struct buffer *out, const char *before, int64_t time_us) {
    char text[TIME_TEXT_SIZE];
    if (time_us) time_to_isoformat(time_us, text);
    buffer_format(out, time_us ? "%s\"%s\"" : "%snull", before, text);
}

/* Seconds: a whole number where it is one. */
static void add_limit(struct buffer *out, int64_t limit_ms) {
    if (limit_ms <= 0)
        buffer_add_text(out, "null");
    else if (limit_ms % 1000 == 0)
        buffer_format(out, "%" PRId64, limit_ms / 1000);
    else
        buffer_format(out, "%" PRId64 ".%03d", limit_ms / 1000, (int)(limit_ms % 1000));
}

static void add_repr(struct buffer *out, const char *before, const char *json, const char *other) {
    struct buffer repr = {.data = NULL};
    repr_from_json(&repr, json, strlen(json), REPR_SIZE_MAX);
    add_text(out, before, repr.failed ? other : repr.data);
    buffer_finish(&repr);
}

static void add_headers(struct buffer *out, const struct envelope *envelope) {
    add_text(out, ", \"headers\": {\"lang\": \"py\", \"task\": ", envelope->task);
    add_text(out, ", \"id\": ", envelope->id);
    add_time(out, ", \"shadow\": null, \"eta\": ", envelope->eta_us);
    add_time(out, ", \"expires\": ", envelope->expires_us);
    buffer_add_text(out,
                    ", \"group\": null, \"group_index\": null, \"retries\": 0, \"timelimit\": [");
    add_limit(out, envelope->hard_ms);
    buffer_add_text(out, ", ");
    add_limit(out, envelope->soft_ms);
    add_text(out, "], \"root_id\": ", envelope->id);
    add_repr(out, ", \"parent_id\": null, \"argsrepr\": ", envelope->args_json, "[...]");
    if (envelope->kwargs_json)
        add_repr(out, ", \"kwargsrepr\": ", envelope->kwargs_json, "{...}");
    else
        buffer_add_text(out, ", \"kwargsrepr\": \"{}\"");
    add_text(out, ", \"origin\": ", envelope->origin);
    buffer_format(out,
                  ", \"ignore_result\": %s, \"replaced_task_nesting\": 0, "
                  "\"stamped_headers\": null, \"stamps\": {}",
                  envelope->ignore_result ? "true" : "null");
    if (envelope->key) add_text(out, ", \"lex_key\": ", envelope->key);
    if (envelope->redelivered) buffer_add_text(out, ", \"redelivered\": true");
    buffer_add_char(out, '}');
}

void envelope_write(struct buffer *out, const struct envelope *envelope) {
    char delivery_tag[UUID_TEXT_SIZE];
    uuid_make_v4(delivery_tag);
    add_body(out, envelope);
    add_headers(out, envelope);
    add_text(out, ", \"properties\": {\"correlation_id\": ", envelope->id);
    add_text(out, ", \"reply_to\": ", envelope->reply_to);
    add_text(out,
             ", \"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": ",
             envelope->queue);
    if (envelope->redelivered) buffer_add_text(out, ", \"redelivered\": true");
    buffer_format(out, "}, \"priority\": %d", (int)envelope->priority);
    if (envelope->expires_us)
        buffer_format(out, ", \"expiration\": \"%" PRId64 "\"", envelope->expires_in_ms);
    add_text(out, ", \"body_encoding\": \"base64\", \"delivery_tag\": ", delivery_tag);
    buffer_add_text(out, "}}");
}
