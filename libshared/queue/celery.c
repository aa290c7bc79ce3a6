/* SPDX-License-Identifier: MIT
 * celery.c - a Celery message read into its parts, and written again for a retry. The rules are those
 * of celery/worker/strategy.py and kombu, except that nothing makes us crash, loop or wait: what the
 * real worker dies of is refused here, by name. Never does I/O; args stay the text that was sent, since
 * no reader of numbers keeps all that Python writes.
 */
#include "queue/celery.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "model/json.h"
#include "queue/inflate.h"

enum { RETRIES_MAX = 1000000, PRIORITY_MAX = 9, LIMIT_S_MAX = 1000000000 };

/* Bodies may hold whole numbers of any length: they are read as reals, only to check and to look up. */
static const size_t body_flags = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;

struct celery_json {
    json_t *envelope;      /* as it came; of protocol 1: turned into protocol 2 */
    json_t *args, *kwargs; /* borrowed from body */
    json_t *body;
};

struct reader {
    json_t *envelope, *headers, *properties, *body;
    json_t *fields;     /* where task, id, eta, ... are: headers, or the body of protocol 1 */
    struct buffer text; /* of the body */
    struct celery_refusal *refusal;
};

enum refusal_kind { DECODE, CONTENT, INVALID };

__attribute__((format(printf, 3, 4))) static bool refuse(struct reader *reader,
                                                         enum refusal_kind kind, const char *format,
                                                         ...) {
    static const struct {
        const char *type, *module;
    } kinds[] = {[DECODE] = {"DecodeError", "kombu.exceptions"},
                 [CONTENT] = {"ContentDisallowed", "kombu.exceptions"},
                 [INVALID] = {"InvalidTaskError", "celery.exceptions"}};
    struct celery_refusal *refusal = reader->refusal;
    refusal->exc_type = kinds[kind].type;
    refusal->exc_module = kinds[kind].module;
    va_list list;
    va_start(list, format);
    int size = vsnprintf(refusal->message, sizeof refusal->message, format, list);
    va_end(list);
    if (size >= (int)sizeof refusal->message) size = (int)sizeof refusal->message - 1;
    while (size > 0 && !text_is_utf8(refusal->message, (size_t)size)) size--;
    refusal->message[size > 0 ? size : 0] = '\0';
    return false;
}

/* Not the message's fault: exc_type stays NULL, and the message stays in the queue. */
static bool no_memory(struct reader *reader) {
    reader->refusal->exc_type = NULL;
    return false;
}

/* What jansson says about text that it cannot read; a want of memory it tells without a word, or calls a
 * wrong token. */
static bool refuse_text(struct reader *reader, const char *name, const json_error_t *error) {
    bool memory =
        json_error_code(error) == json_error_out_of_memory || !*error->text || errno == ENOMEM;
    if (memory) return no_memory(reader);
    return refuse(reader, DECODE, "%s: not JSON: %s", name, error->text);
}

/* --- texts of JSON -------------------------------------------------------------------------- */

/* A member that is text, of at most so many bytes, and without NUL; else NULL. */
static const char *bounded_text(json_t *object, const char *name, size_t size_max) {
    json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    return text && size <= size_max && strlen(text) == size ? text : NULL;
}

static const char *short_text(json_t *object, const char *name) {
    return bounded_text(object, name, CELERY_NAME_SIZE_MAX);
}

static bool is_absent(json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return !value || json_is_null(value);
}

struct slice {
    const char *text; /* NULL: not there */
    size_t size;
};

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* Behind the value at `at`, in text that jansson has found valid. */
static const char *skip_value(const char *at, const char *end) {
    int32_t depth = 0;
    for (; at < end; at++) {
        if (*at == '"') {
            for (at++; at < end && *at != '"'; at++)
                if (*at == '\\') at++;
            if (depth == 0) return at + 1;
        } else if (*at == '[' || *at == '{') {
            depth++;
        } else if (*at == ']' || *at == '}') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && strchr(", \t\r\n", *at)) {
            return at;
        }
    }
    return end;
}

/* Item number index of a list, or the value of the last member called name of an object. */
static struct slice slice_of(struct slice whole, size_t index, const char *name) {
    const char *end = whole.text + whole.size;
    const char *at = skip_space(skip_space(whole.text, end) + 1, end);
    struct slice found = {.text = NULL};
    for (size_t i = 0; at < end && *at != ']' && *at != '}'; i++) {
        bool wanted = i == index && !name;
        if (name) {
            const char *key = at + 1;
            at = skip_value(at, end);
            wanted = (size_t)(at - 1 - key) == strlen(name) && memcmp(key, name, strlen(name)) == 0;
            at = skip_space(skip_space(at, end) + 1, end);
        }
        const char *value = at;
        at = skip_value(at, end);
        if (wanted) found = (struct slice){.text = value, .size = (size_t)(at - value)};
        at = skip_space(at, end);
        if (at < end && *at == ',') at = skip_space(at + 1, end);
    }
    return found;
}

shared_status celery_json_check(const char *text, size_t size, char kind) {
    json_error_t error;
    errno = 0; /* jansson itself does not tell every time */
    json_t *value = json_load_text(text, size, body_flags | JSON_DECODE_ANY, &error);
    bool fits =
        value && (kind == '[' ? json_is_array(value) : kind != '{' || json_is_object(value));
    bool scarce = !value && errno == ENOMEM;
    json_decref(value);
    return fits ? SHARED_OK : scarce ? SHARED_ENOMEM : SHARED_EINVALID;
}

bool celery_is_json(const char *text, size_t size, char kind) {
    return celery_json_check(text, size, kind) == SHARED_OK;
}

/* --- the envelope ----------------------------------------------------------------------------- */

static void take_id(struct reader *reader, json_t *headers) {
    const char *id = short_text(headers, "id");
    if (id) memcpy(reader->refusal->id, id, strlen(id) + 1);
}

/* A whole number that is too large for us, in a header of the sender's own: a retry could not write it
 * again. Its sender hears of it. */
static void learn_id(struct reader *reader, const char *raw, size_t size) {
    json_error_t error;
    json_t *envelope = json_load_text(raw, size, body_flags, &error);
    take_id(reader, json_object_get(envelope, "headers"));
    json_decref(envelope);
}

static bool read_envelope(struct reader *reader, const char *raw, size_t size) {
    json_error_t error;
    reader->envelope = json_load_text(raw, size, JSON_ALLOW_NUL, &error);
    if (!reader->envelope) {
        if (json_error_code(&error) == json_error_numeric_overflow) learn_id(reader, raw, size);
        return refuse_text(reader, "message", &error);
    }
    if (!json_is_object(reader->envelope))
        return refuse(reader, DECODE, "message: not a JSON object");
    reader->headers = json_object_get(reader->envelope, "headers");
    reader->properties = json_object_get(reader->envelope, "properties");
    take_id(reader, reader->headers);
    if (!json_is_object(reader->properties))
        return refuse(reader, INVALID, "message: no properties");
    if (!short_text(reader->properties, "delivery_tag"))
        return refuse(reader, INVALID,
                      "properties.delivery_tag: absent, or no text of at most %d bytes",
                      CELERY_NAME_SIZE_MAX);
    json_t *info = json_object_get(reader->properties, "delivery_info");
    if (!json_is_string(json_object_get(info, "exchange")) ||
        !json_is_string(json_object_get(info, "routing_key")))
        return refuse(reader, INVALID, "properties.delivery_info: no exchange and routing_key");
    return true;
}

static bool read_content(struct reader *reader) {
    json_t *type = json_object_get(reader->envelope, "content-type");
    if (!json_is_string(type)) return refuse(reader, DECODE, "content-type: absent");
    if (strcmp(json_string_value(type), "application/json") != 0)
        return refuse(reader, CONTENT,
                      "Refusing to deserialize untrusted content of type %.100s (accepted: json)",
                      json_string_value(type));
    json_t *encoding = json_object_get(reader->envelope, "content-encoding");
    static const char *const accepted[] = {"utf-8", "UTF-8", "utf8", "us-ascii", "ascii"};
    if (!encoding || json_is_null(encoding)) return true;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        if (json_is_string(encoding) && strcmp(json_string_value(encoding), accepted[i]) == 0)
            return true;
    return refuse(reader, DECODE, "content-encoding: not utf-8");
}

/* Of a compressed body the text replaces the stream. */
static bool unpack_body(struct reader *reader) {
    json_t *method = json_object_get(reader->headers, "compression");
    if (!method || json_is_null(method)) return true;
    static const char *const zlib_names[] = {"application/x-gzip", "gzip", "zlib"};
    const char *name = json_string_value(method);
    bool known = false;
    for (size_t i = 0; name && i < sizeof zlib_names / sizeof *zlib_names; i++)
        known |= strcmp(name, zlib_names[i]) == 0;
    if (!known)
        return refuse(reader, DECODE, "compression: %.100s, not gzip", name ? name : "not a text");
    struct buffer packed = reader->text;
    reader->text = (struct buffer){.data = NULL};
    bool unpacked = inflate_text(&reader->text, packed.data, packed.size, CELERY_BODY_SIZE_MAX);
    buffer_finish(&packed);
    if (unpacked) return true;
    if (reader->text.failed) return no_memory(reader);
    return refuse(reader, DECODE, "body: no whole gzip stream of at most %d bytes",
                  CELERY_BODY_SIZE_MAX);
}

static bool read_body(struct reader *reader) {
    json_t *body = json_object_get(reader->envelope, "body");
    if (!json_is_string(body)) return refuse(reader, DECODE, "body: not a text");
    const char *text = json_string_value(body);
    size_t size = json_string_length(body);
    if (is_absent(reader->properties, "body_encoding")) {
        buffer_add(&reader->text, text, size);
    } else {
        const char *encoding = short_text(reader->properties, "body_encoding");
        if (!encoding || strcmp(encoding, "base64") != 0)
            return refuse(reader, DECODE, "body_encoding: %.100s, not base64",
                          encoding ? encoding : "not a text");
        errno = 0;
        if (!text_from_base64(&reader->text, text, size) && !reader->text.failed)
            return errno == ENOMEM ? no_memory(reader) : refuse(reader, DECODE, "body: not base64");
    }
    if (reader->text.failed) return no_memory(reader);
    if (!unpack_body(reader)) return false;
    json_error_t error;
    reader->body = json_load_text(reader->text.data ? reader->text.data : "", reader->text.size,
                                  body_flags, &error);
    return reader->body || refuse_text(reader, "body", &error);
}

/* --- protocol 1 becomes protocol 2 ------------------------------------------------------------ */

static void add_member(struct buffer *out, struct slice whole, const char *name,
                       const char *other) {
    struct slice value = slice_of(whole, 0, name);
    if (value.text && strncmp(value.text, "null", 4) != 0)
        buffer_add(out, value.text, value.size);
    else
        buffer_add_text(out, other);
}

/* {"args": ..., "kwargs": ..., "callbacks": ...} to [args, kwargs, {...}]: texts move, unchanged. */
static bool convert_body(struct reader *reader) {
    struct slice whole = {.text = reader->text.data, .size = reader->text.size};
    struct buffer list = {.data = NULL};
    buffer_add_char(&list, '[');
    add_member(&list, whole, "args", "[]");
    buffer_add_text(&list, ", ");
    add_member(&list, whole, "kwargs", "{}");
    static const char *const embedded[] = {"callbacks", "errbacks", "chord"};
    buffer_add_text(&list, ", {\"chain\": null");
    for (size_t i = 0; i < sizeof embedded / sizeof *embedded; i++) {
        buffer_format(&list, ", \"%s\": ", embedded[i]);
        add_member(&list, whole, embedded[i], "null");
    }
    buffer_add_text(&list, "}]");
    struct buffer encoded = {.data = NULL};
    text_to_base64(&encoded, list.data, list.size);
    buffer_finish(&reader->text);
    reader->text = list;
    bool done =
        !list.failed && !encoded.failed &&
        json_object_set_new(reader->envelope, "body", json_stringn(encoded.data, encoded.size)) ==
            0 &&
        json_object_set_new(reader->properties, "body_encoding", json_string("base64")) == 0;
    buffer_finish(&encoded);
    json_error_t error;
    json_t *body = done ? json_load_text(list.data, list.size, body_flags, &error) : NULL;
    json_decref(reader->body);
    reader->body = body;
    return body || no_memory(reader);
}

/* Fields of protocol 1 move to where protocol 2 has them. */
static bool convert_fields(struct reader *reader) {
    static const struct {
        const char *from, *to;
    } moves[] = {{"task", "task"},    {"id", "id"},           {"id", "root_id"},
                 {"eta", "eta"},      {"expires", "expires"}, {"timelimit", "timelimit"},
                 {"taskset", "group"}};
    json_t *headers = json_object();
    bool done = headers && json_object_set_new(headers, "lang", json_string("py")) == 0;
    for (size_t i = 0; i < sizeof moves / sizeof *moves && done; i++) {
        json_t *value = json_object_get(reader->body, moves[i].from);
        done = json_object_set_new(headers, moves[i].to,
                                   value ? json_incref(value) : json_null()) == 0;
    }
    json_t *retries = json_object_get(reader->body, "retries");
    if (done && json_is_number(retries))
        done = json_object_set_new(headers, "retries",
                                   json_integer((json_int_t)json_number_value(retries))) == 0;
    if (!done || json_object_set_new(reader->envelope, "headers", headers) < 0)
        return no_memory(reader);
    reader->headers = headers;
    return true;
}

/* Whatever the protocol: afterwards fields are in the headers and the body is a list of three. */
static bool read_protocol(struct reader *reader) {
    bool named = json_object_get(reader->headers, "task") != NULL;
    if (!named && !json_is_string(json_object_get(reader->body, "task")))
        return refuse(reader, INVALID, "message: no task, neither in the headers nor in the body");
    if (!named && !convert_fields(reader)) return false;
    if (json_is_object(reader->body) && !convert_body(reader)) return false;
    reader->fields = reader->headers;
    if (json_array_size(reader->body) == 3) return true;
    return refuse(reader, INVALID, "body: not a list of args, kwargs and options");
}

/* --- the fields ------------------------------------------------------------------------------- */

static bool read_time(struct reader *reader, const char *name, int64_t *out) {
    json_t *value = json_object_get(reader->fields, name);
    *out = 0;
    if (!value || json_is_null(value)) return true;
    if (json_is_string(value) &&
        time_from_text(json_string_value(value), json_string_length(value), out))
        return true;
    return refuse(reader, INVALID, "%s: %.60s, not a time in ISO 8601", name,
                  json_is_string(value) ? json_string_value(value) : "not a text");
}

/* Seconds, 0 for none; more than any task may take is as good as the most. */
static int64_t limit_ms(json_t *limit) {
    const double most = LIMIT_S_MAX;
    double seconds = json_number_value(limit);
    if (!(seconds > 0)) return 0;
    return (int64_t)((seconds < most ? seconds : most) * 1000 + 0.5);
}

/* The hard one first. */
static bool read_limits(struct reader *reader, struct celery_message *message) {
    json_t *limits = json_object_get(reader->fields, "timelimit");
    if (!limits || json_is_null(limits)) return true;
    bool fits = json_array_size(limits) == 2;
    for (size_t i = 0; i < 2 && fits; i++) {
        json_t *limit = json_array_get(limits, i);
        fits = json_is_null(limit) || json_is_number(limit);
    }
    message->hard_ms = limit_ms(json_array_get(limits, 0));
    message->soft_ms = limit_ms(json_array_get(limits, 1));
    return fits || refuse(reader, INVALID, "timelimit: not a list of two numbers");
}

/* As kombu has it: what is no number is 0, and one beyond the ends is the end. */
static int32_t read_priority(const struct reader *reader) {
    double number = json_number_value(json_object_get(reader->properties, "priority"));
    if (!(number > 0)) return 0;
    return number < (double)PRIORITY_MAX ? (int32_t)number : PRIORITY_MAX;
}

static bool read_retries(struct reader *reader, int32_t *out) {
    json_t *value = json_object_get(reader->fields, "retries");
    *out = 0;
    if (!value || json_is_null(value)) return true;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= (double)RETRIES_MAX))
        return refuse(reader, INVALID, "retries: not a number from 0 to %d", RETRIES_MAX);
    *out = (int32_t)number;
    return true;
}

/* Work that is to follow this task: dropping it in silence would let its sender wait for ever. */
static bool read_options(struct reader *reader) {
    static const char *const following[] = {"callbacks", "errbacks", "chain", "chord"};
    json_t *options = json_array_get(reader->body, 2);
    for (size_t i = 0; i < sizeof following / sizeof *following; i++) {
        json_t *value = json_object_get(options, following[i]);
        if (value && !json_is_null(value) && json_array_size(value) + json_object_size(value) > 0)
            return refuse(reader, INVALID, "%s: not supported by this worker", following[i]);
    }
    return true;
}

static bool read_fields(struct reader *reader, struct celery_message *message) {
    const char *id = short_text(reader->fields, "id"), *task = short_text(reader->fields, "task");
    if (id) memcpy(reader->refusal->id, id, strlen(id) + 1);
    if (!id || !*id)
        return refuse(reader, INVALID, "id: absent, or no text of at most %d bytes",
                      CELERY_NAME_SIZE_MAX);
    if (!task || !*task)
        return refuse(reader, INVALID, "task: no text of at most %d bytes", CELERY_NAME_SIZE_MAX);
    if (!json_is_array(json_array_get(reader->body, 0)))
        return refuse(reader, INVALID, "Task arguments must be a list or tuple");
    if (!json_is_object(json_array_get(reader->body, 1)))
        return refuse(reader, INVALID, "Task keyword arguments must be a mapping");
    message->ignore_result = json_is_true(json_object_get(reader->fields, "ignore_result"));
    message->redelivered = json_is_true(json_object_get(reader->fields, "redelivered"));
    message->priority = read_priority(reader);
    return read_time(reader, "eta", &message->eta_us) &&
           read_time(reader, "expires", &message->expires_us) && read_limits(reader, message) &&
           read_retries(reader, &message->retries) && read_options(reader);
}

/* --- the message ------------------------------------------------------------------------------ */

/* Takes over envelope and body, copies the texts. */
static bool keep(struct reader *reader, struct celery_message *message) {
    struct slice whole = {.text = reader->text.data, .size = reader->text.size};
    struct slice args = slice_of(whole, 0, NULL), kwargs = slice_of(whole, 1, NULL);
    const char *key = bounded_text(reader->fields, "lex_key", CELERY_KEY_SIZE_MAX);
    const char *parent = short_text(reader->fields, "parent_id");
    const char *group = short_text(reader->fields, "group");
    message->id = text_copy(short_text(reader->fields, "id"));
    message->task = text_copy(short_text(reader->fields, "task"));
    message->key = text_copy(key && *key ? key : NULL);
    message->parent_id = text_copy(parent);
    message->group_id = text_copy(group);
    message->args = text_copy_size(args.text, args.size);
    message->kwargs = text_copy_size(kwargs.text, kwargs.size);
    message->json = calloc(1, sizeof *message->json);
    if (!message->id || !message->task || !message->args || !message->kwargs || !message->json)
        return false;
    *message->json = (struct celery_json){.envelope = reader->envelope,
                                          .body = reader->body,
                                          .args = json_array_get(reader->body, 0),
                                          .kwargs = json_array_get(reader->body, 1)};
    reader->envelope = reader->body = NULL;
    return true;
}

struct celery_message *celery_read(const char *raw, size_t size, struct celery_refusal *refusal) {
    *refusal = (struct celery_refusal){.exc_type = NULL};
    struct reader reader = {.refusal = refusal};
    struct celery_message *message = calloc(1, sizeof *message);
    bool fits = message && read_envelope(&reader, raw, size) && read_content(&reader) &&
                read_body(&reader) && read_protocol(&reader) && read_fields(&reader, message);
    if (fits && !keep(&reader, message)) fits = no_memory(&reader);
    if (!fits) {
        celery_message_free(message);
        message = NULL;
    }
    json_decref(reader.envelope);
    json_decref(reader.body);
    buffer_finish(&reader.text);
    return message;
}

void celery_message_free(struct celery_message *message) {
    if (!message) return;
    if (message->json) {
        json_decref(message->json->envelope);
        json_decref(message->json->body);
    }
    free(message->json);
    free(message->id);
    free(message->task);
    free(message->key);
    free(message->parent_id);
    free(message->group_id);
    free(message->args);
    free(message->kwargs);
    free(message);
}

/* Positional argument number position; behind them keyword arguments, as they were sent. */
static json_t *argument_at(const struct celery_message *message, int32_t position) {
    size_t count = json_array_size(message->json->args);
    if ((size_t)position < count) return json_array_get(message->json->args, (size_t)position);
    void *member = json_object_iter(message->json->kwargs);
    for (size_t i = count; member && i < (size_t)position; i++)
        member = json_object_iter_next(message->json->kwargs, member);
    return json_object_iter_value(member);
}

const char *celery_argument(const struct celery_message *message, int32_t position,
                            const char *field) {
    json_t *value = position < 0 ? message->json->kwargs : argument_at(message, position);
    while (value && field && *field) {
        char name[CELERY_NAME_SIZE_MAX + 1];
        size_t size = strcspn(field, ".");
        if (size >= sizeof name) return NULL;
        memcpy(name, field, size);
        name[size] = '\0';
        value = json_object_get(value, name);
        field += size + (field[size] == '.');
    }
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

const char *celery_property(const struct celery_message *message, const char *name) {
    json_t *envelope = message->json->envelope;
    json_t *value = json_object_get(json_object_get(envelope, "properties"), name);
    if (!value) value = json_object_get(json_object_get(envelope, "headers"), name);
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* --- retry -------------------------------------------------------------------------------------- */

static int add_to_buffer(const char *data, size_t size, void *out) {
    buffer_add(out, data, size);
    return 0;
}

/* A copy of a member of object, put in its place, so that the original stays as it is. */
static json_t *copy_member(json_t *object, const char *name) {
    json_t *copy = json_copy(json_object_get(object, name));
    return copy && json_object_set_new(object, name, copy) == 0 ? copy : NULL;
}

void celery_write_retry(struct buffer *out, const struct celery_message *message, int64_t eta_us,
                        const char *delivery_tag, const char *origin) {
    char eta[TIME_TEXT_SIZE];
    time_to_isoformat(eta_us, eta);
    json_t *envelope = json_copy(message->json->envelope);
    json_t *headers = copy_member(envelope, "headers");
    json_t *properties = copy_member(envelope, "properties");
    json_t *info = copy_member(properties, "delivery_info");
    json_object_del(headers, "redelivered");
    json_object_del(info, "redelivered");
    bool done = info &&
                json_object_set_new(headers, "retries", json_integer(message->retries + 1)) == 0 &&
                json_object_set_new(headers, "eta", json_string(eta)) == 0 &&
                json_object_set_new(headers, "parent_id", json_string(message->id)) == 0 &&
                json_object_set_new(properties, "delivery_tag", json_string(delivery_tag)) == 0 &&
                json_object_set_new(properties, "origin", json_string(origin)) == 0 &&
                json_dump_callback(envelope, add_to_buffer, out, JSON_ENSURE_ASCII) == 0;
    if (!done) out->failed = true;
    json_decref(envelope);
}
