/* SPDX-License-Identifier: MIT
 * test_celery.c - messages of real clients are read, and whatever else comes is refused by name: each row
 * of the table in reference/celery-wire.md 1.4 is one here.
 */
#include "queue/celery.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <zlib.h>

#include "base/text.h"
#include "base/time.h"
#include "captured.h"
#include "model/json.h"
#include "unit.h"

#define HEADERS "\"task\":\"add\",\"id\":\"i1\""
#define PROPERTIES                                                                                 \
    "{\"delivery_tag\":\"t1\",\"delivery_info\":{\"exchange\":\"\",\"routing_key\":\"celery\"}}"

static struct celery_message *read_text(const char *text, struct celery_refusal *refusal) {
    return celery_read(text, strlen(text), refusal);
}

/* A message with a plain body, which is JSON within a JSON text. */
static char *message_text(const char *headers, const char *body) {
    struct buffer text = {.data = NULL};
    buffer_format(&text,
                  "{\"content-type\":\"application/json\",\"headers\":{%s},\"properties\":%s",
                  headers, PROPERTIES);
    buffer_add_text(&text, ",\"body\":");
    buffer_add_json(&text, body, strlen(body));
    buffer_add_char(&text, '}');
    return buffer_take(&text);
}

static struct celery_message *read_message(const char *headers, const char *body) {
    struct celery_refusal refusal;
    char *text = message_text(headers, body);
    struct celery_message *message = read_text(text, &refusal);
    ck_assert_msg(message != NULL, "%s: %s", text, refusal.message);
    free(text);
    return message;
}

/* --- what real clients send --------------------------------------------------------------------- */

START_TEST(delay_is_read) {
    struct celery_refusal refusal;
    struct celery_message *message = read_text(captured_delay, &refusal);
    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(message->id, "5cb5266d-69c8-444c-8b7f-5cd3d3c595ab");
    ck_assert_str_eq(message->task, "capapp.add");
    ck_assert_str_eq(message->args, "[2, 3]");
    ck_assert_str_eq(message->kwargs, "{}");
    ck_assert_ptr_null(message->key);
    ck_assert_ptr_null(message->parent_id);
    ck_assert_int_eq(message->retries, 0);
    ck_assert_int_eq(message->eta_us, 0);
    ck_assert_int_eq(message->expires_us, 0);
    ck_assert(!message->ignore_result && !message->redelivered);
    celery_message_free(message);
}
END_TEST

START_TEST(every_option_is_read) {
    struct celery_refusal refusal;
    struct celery_message *message = read_text(captured_options, &refusal);
    ck_assert_ptr_nonnull(message);
    char text[TIME_TEXT_SIZE];
    time_to_isoformat(message->eta_us, text);
    ck_assert_str_eq(text, "2026-11-24T02:35:04.757472+00:00");
    time_to_isoformat(message->expires_us, text);
    ck_assert_str_eq(text, "2026-11-24T02:37:04.757472+00:00");
    ck_assert(message->ignore_result);
    celery_message_free(message);
}
END_TEST

START_TEST(the_payload_is_found) {
    struct celery_refusal refusal;
    struct celery_message *message = read_text(captured_send_task, &refusal);
    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(message->args, "[{\"document_id\": \"doc-123\"}]");
    ck_assert_str_eq(celery_argument(message, 0, "document_id"), "doc-123");
    ck_assert(!message->ignore_result); /* null: the task decides */
    celery_message_free(message);
}
END_TEST

START_TEST(arguments_are_found_by_position_and_by_name) {
    struct celery_message *message =
        read_message(HEADERS, "[[\"a\", {\"b\": {\"c\": \"d\"}, \"n\": 1}, \"x\\u0000y\"],"
                              " {\"job\": {\"document_id\": \"k\"}, \"other\": \"o\"}, null]");
    static const struct {
        int32_t position;
        const char *field, *value;
    } rows[] = {{0, NULL, "a"},           {0, "", "a"},     {1, "b.c", "d"},
                {1, "n", NULL},           {1, "z", NULL},   {1, "b", NULL},
                {2, NULL, NULL},          {0, "x", NULL},   {3, "document_id", "k"},
                {4, NULL, "o"},           {5, NULL, NULL},  {-1, "job.document_id", "k"},
                {-1, "other", "o"},       {-1, NULL, NULL}, {INT32_MAX, NULL, NULL},
                {INT32_MIN, "other", "o"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = celery_argument(message, rows[i].position, rows[i].field);
        ck_assert_msg(text_equal(value, rows[i].value), "row %zu: %s", i, value);
    }
    celery_message_free(message);
}
END_TEST

START_TEST(arguments_keep_the_text_that_was_sent) {
    static const char *const rows[] = {
        "[9007199254740993, 18446744073709551616, 123456789012345678901234567890]",
        "[1e308, -0.0, 1.50, 1E+2]",
        "[\"\\ud83d\\ude00\", \"\xf0\x9f\x98\x80\", \"\\u0000\"]",
        "[{\"__type__\": \"uuid\", \"__value__\": {\"hex\": \"00\"}}]",
        "[ [ ] , { } , \"]}\\\"\" ]",
        "[]",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer body = {.data = NULL};
        buffer_format(&body, " [ %s , {\"k\": %s}, {}] ", rows[i], rows[i]);
        struct celery_message *message = read_message(HEADERS, body.data);
        ck_assert_str_eq(message->args, rows[i]);
        ck_assert_uint_eq(strlen(message->kwargs), strlen(rows[i]) + strlen("{\"k\": }"));
        celery_message_free(message);
        buffer_finish(&body);
    }
}
END_TEST

START_TEST(the_smallest_envelope_is_enough) {
    struct celery_refusal refusal;
    struct celery_message *message = read_text(
        "{\"body\":\"W1syLDNdLHt9LHt9XQ==\",\"content-type\":\"application/json\","
        "\"content-encoding\":\"utf-8\",\"headers\":{\"task\":\"capapp.add\",\"id\":\"u\"},"
        "\"properties\":{\"delivery_tag\":\"v\",\"delivery_info\":{\"exchange\":\"\","
        "\"routing_key\":\"celery\"},\"body_encoding\":\"base64\"}}",
        &refusal);
    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(message->args, "[2,3]");
    celery_message_free(message);
}
END_TEST

START_TEST(times_are_read_in_all_their_forms) {
    static const struct {
        const char *eta;
        int64_t eta_us;
    } rows[] = {{"null", 0},
                {"\"1970-01-01T00:00:02+00:00\"", 2000000},
                {"\"1970-01-01T00:00:02Z\"", 2000000},
                {"\"1970-01-01T02:00:02.5+02:00\"", 2500000},
                {"\"1970-01-01T00:00:02.000001\"", 2000001}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer headers = {.data = NULL};
        buffer_format(&headers, HEADERS ",\"eta\":%s", rows[i].eta);
        struct celery_message *message = read_message(headers.data, "[[], {}, {}]");
        ck_assert_int_eq(message->eta_us, rows[i].eta_us);
        celery_message_free(message);
        buffer_finish(&headers);
    }
}
END_TEST

START_TEST(protocol_1_is_read) {
    struct celery_message *message = read_message(
        "", "{\"task\": \"add\", \"id\": \"old\", \"args\": [2, 18446744073709551616],"
            " \"kwargs\": {\"a\": 1}, \"retries\": 2, \"eta\": null, \"utc\": true,"
            " \"expires\": \"2030-01-01T00:00:00+00:00\", \"callbacks\": null, \"errbacks\": null,"
            " \"timelimit\": [null, 10], \"taskset\": \"g1\", \"chord\": null}");
    ck_assert_str_eq(message->id, "old");
    ck_assert_str_eq(message->task, "add");
    ck_assert_str_eq(message->args, "[2, 18446744073709551616]");
    ck_assert_str_eq(message->kwargs, "{\"a\": 1}");
    ck_assert_str_eq(message->group_id, "g1");
    ck_assert_int_eq(message->retries, 2);
    ck_assert_int_gt(message->expires_us, 0);
    celery_message_free(message);
}
END_TEST

START_TEST(a_body_of_protocol_1_with_headers_is_read) {
    struct celery_message *message =
        read_message(HEADERS ",\"lex_key\":\"d1\"", "{\"args\": [1], \"kwargs\": null}");
    ck_assert_str_eq(message->args, "[1]");
    ck_assert_str_eq(message->kwargs, "{}");
    ck_assert_str_eq(message->key, "d1");
    celery_message_free(message);
}
END_TEST

/* --- compression ---------------------------------------------------------------------------------- */

/* A message whose body is `size` spaces around [[],{},{}], packed. */
static char *packed_message(const char *compression, size_t size) {
    char *plain = malloc(size + 16);
    memset(plain, ' ', size);
    memcpy(plain, "[[],{},{}]", 10);
    uLongf packed_size = compressBound(size);
    Bytef *packed = malloc(packed_size);
    ck_assert_int_eq(compress(packed, &packed_size, (const Bytef *)plain, size), Z_OK);
    struct buffer text = {.data = NULL};
    buffer_format(&text,
                  "{\"content-type\":\"application/json\",\"headers\":{" HEADERS
                  ",\"compression\":\"%s\"},\"properties\":{\"delivery_tag\":\"t\","
                  "\"body_encoding\":\"base64\",\"delivery_info\":{\"exchange\":\"\","
                  "\"routing_key\":\"q\"}},\"body\":\"",
                  compression);
    text_to_base64(&text, packed, packed_size);
    buffer_add_text(&text, "\"}");
    free(plain);
    free(packed);
    return buffer_take(&text);
}

START_TEST(a_compressed_body_is_unpacked) {
    struct celery_refusal refusal;
    static const size_t sizes[] = {10, 16384, 16385, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = packed_message("application/x-gzip", sizes[i]);
        struct celery_message *message = read_text(text, &refusal);
        ck_assert_msg(message != NULL, "%zu bytes: %s", sizes[i], refusal.message);
        ck_assert_str_eq(message->args, "[]");
        celery_message_free(message);
        free(text);
    }
}
END_TEST

START_TEST(the_sender_of_a_number_too_large_for_a_header_is_known) {
    struct celery_refusal refusal;
    char *text = message_text(HEADERS ",\"trace\":18446744073709551616", "[[],{},{}]");
    ck_assert_ptr_null(read_text(text, &refusal));
    ck_assert_str_eq(refusal.exc_type, "DecodeError");
    ck_assert_str_eq(refusal.id, "i1");
    free(text);
}
END_TEST

START_TEST(a_bomb_is_refused) {
    struct celery_refusal refusal;
    char *text = packed_message("gzip", CELERY_BODY_SIZE_MAX + 1);
    ck_assert_ptr_null(read_text(text, &refusal));
    ck_assert_str_eq(refusal.exc_type, "DecodeError");
    ck_assert_str_eq(refusal.id, "i1");
    free(text);
}
END_TEST

/* --- what is refused ------------------------------------------------------------------------------ */

#define WHOLE(type, headers, properties, body)                                                     \
    "{\"content-type\":" type ",\"headers\":" headers ",\"properties\":" properties                \
    ",\"body\":" body "}"
#define JSON_TYPE "\"application/json\""
#define BODY      "\"[[], {}, {}]\""

static const struct {
    const char *why, *text, *exc_type, *id, *says;
} refused[] = {
    {"pickle", WHOLE("\"application/x-python-serialize\"", "{" HEADERS "}", PROPERTIES, BODY),
     "ContentDisallowed", "i1", "application/x-python-serialize"},
    {"yaml", WHOLE("\"application/x-yaml\"", "{" HEADERS "}", PROPERTIES, BODY),
     "ContentDisallowed", "i1", "yaml"},
    {"msgpack", WHOLE("\"application/x-msgpack\"", "{" HEADERS "}", PROPERTIES, BODY),
     "ContentDisallowed", "i1", "msgpack"},
    {"text", WHOLE("\"text/plain\"", "{" HEADERS "}", PROPERTIES, BODY), "ContentDisallowed", "i1",
     "text/plain"},
    {"bzip2",
     WHOLE(JSON_TYPE, "{" HEADERS ",\"compression\":\"application/x-bz2\"}", PROPERTIES, BODY),
     "DecodeError", "i1", "compression"},
    {"compression is no text",
     WHOLE(JSON_TYPE, "{" HEADERS ",\"compression\":7}", PROPERTIES, BODY), "DecodeError", "i1",
     "compression"},
    {"not packed", WHOLE(JSON_TYPE, "{" HEADERS ",\"compression\":\"gzip\"}", PROPERTIES, BODY),
     "DecodeError", "i1", "gzip"},
    {"body is not JSON", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[\""), "DecodeError",
     "i1", "body: not JSON"},
    {"body is NaN", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[NaN], {}, {}]\""),
     "DecodeError", "i1", "body: not JSON"},
    {"body is an object", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "[[],{},{}]"),
     "DecodeError", "i1", "body: not a text"},
    {"no task", WHOLE(JSON_TYPE, "{\"id\":\"i1\"}", PROPERTIES, BODY), "InvalidTaskError", "i1",
     "no task"},
    {"no headers",
     "{\"content-type\":\"application/json\",\"properties\":" PROPERTIES ",\"body\":" BODY "}",
     "InvalidTaskError", "", "no task"},
    {"headers are a list", WHOLE(JSON_TYPE, "[]", PROPERTIES, BODY), "InvalidTaskError", "",
     "no task"},
    {"bad eta", WHOLE(JSON_TYPE, "{" HEADERS ",\"eta\":\"tomorrow\"}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "eta: tomorrow"},
    {"eta is a number", WHOLE(JSON_TYPE, "{" HEADERS ",\"eta\":12}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "eta"},
    {"bad expires", WHOLE(JSON_TYPE, "{" HEADERS ",\"expires\":\"\"}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "expires"},
    {"no id", WHOLE(JSON_TYPE, "{\"task\":\"add\"}", PROPERTIES, BODY), "InvalidTaskError", "",
     "id"},
    {"id is empty", WHOLE(JSON_TYPE, "{\"task\":\"add\",\"id\":\"\"}", PROPERTIES, BODY),
     "InvalidTaskError", "", "id"},
    {"id is a number", WHOLE(JSON_TYPE, "{\"task\":\"add\",\"id\":1}", PROPERTIES, BODY),
     "InvalidTaskError", "", "id"},
    {"id holds NUL", WHOLE(JSON_TYPE, "{\"task\":\"add\",\"id\":\"a\\u0000b\"}", PROPERTIES, BODY),
     "InvalidTaskError", "", "id"},
    {"task is null", WHOLE(JSON_TYPE, "{\"task\":null,\"id\":\"i1\"}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "task"},
    {"no delivery_tag",
     WHOLE(JSON_TYPE, "{" HEADERS "}",
           "{\"delivery_info\":{\"exchange\":\"\",\"routing_key\":\"c\"}}", BODY),
     "InvalidTaskError", "i1", "delivery_tag"},
    {"no delivery_info", WHOLE(JSON_TYPE, "{" HEADERS "}", "{\"delivery_tag\":\"t\"}", BODY),
     "InvalidTaskError", "i1", "delivery_info"},
    {"no routing_key",
     WHOLE(JSON_TYPE, "{" HEADERS "}",
           "{\"delivery_tag\":\"t\",\"delivery_info\":{\"exchange\":\"\"}}", BODY),
     "InvalidTaskError", "i1", "delivery_info"},
    {"no properties",
     "{\"content-type\":\"application/json\",\"headers\":{" HEADERS "},\"body\":" BODY "}",
     "InvalidTaskError", "i1", "properties"},
    {"list of two", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[], {}]\""),
     "InvalidTaskError", "i1", "body"},
    {"body is a number", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"7\""), "DecodeError",
     "i1", "body"},
    {"no content-type",
     "{\"headers\":{" HEADERS "},\"properties\":" PROPERTIES ",\"body\":" BODY "}", "DecodeError",
     "i1", "content-type"},
    {"latin-1",
     "{\"content-type\":\"application/json\",\"content-encoding\":\"latin-1\",\"headers\":{" HEADERS
     "},\"properties\":" PROPERTIES ",\"body\":" BODY "}",
     "DecodeError", "i1", "content-encoding"},
    {"timelimit of text",
     WHOLE(JSON_TYPE, "{" HEADERS ",\"timelimit\":[\"x\",null]}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "timelimit"},
    {"timelimit of one", WHOLE(JSON_TYPE, "{" HEADERS ",\"timelimit\":[1]}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "timelimit"},
    {"retries is text", WHOLE(JSON_TYPE, "{" HEADERS ",\"retries\":\"1\"}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "retries"},
    {"retries below 0", WHOLE(JSON_TYPE, "{" HEADERS ",\"retries\":-1}", PROPERTIES, BODY),
     "InvalidTaskError", "i1", "retries"},
    {"retries over the limit",
     WHOLE(JSON_TYPE, "{" HEADERS ",\"retries\":1000001}", PROPERTIES, BODY), "InvalidTaskError",
     "i1", "retries"},
    {"args is an object", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[{}, {}, {}]\""),
     "InvalidTaskError", "i1", "arguments"},
    {"kwargs is a list", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[], [], {}]\""),
     "InvalidTaskError", "i1", "keyword"},
    {"chord",
     WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[], {}, {\\\"chord\\\": {\\\"a\\\": 1}}]\""),
     "InvalidTaskError", "i1", "chord"},
    {"chain", WHOLE(JSON_TYPE, "{" HEADERS "}", PROPERTIES, "\"[[], {}, {\\\"chain\\\": [1]}]\""),
     "InvalidTaskError", "i1", "chain"},
    {"not JSON", "hello", "DecodeError", "", "not JSON"},
    {"empty", "", "DecodeError", "", "not JSON"},
    {"cut", "{\"body\":", "DecodeError", "", "not JSON"},
    {"a list", "[]", "DecodeError", "", "object"},
    {"not UTF-8", "{\"body\":\"\xff\"}", "DecodeError", "", "not JSON"},
    {"not base64",
     WHOLE(JSON_TYPE, "{" HEADERS "}",
           "{\"delivery_tag\":\"t\",\"body_encoding\":\"base64\",\"delivery_info\":{\"exchange\":"
           "\"\","
           "\"routing_key\":\"c\"}}",
           "\"###\""),
     "DecodeError", "i1", "base64"},
    {"unknown body_encoding",
     WHOLE(
         JSON_TYPE, "{" HEADERS "}",
         "{\"delivery_tag\":\"t\",\"body_encoding\":\"rot13\",\"delivery_info\":{\"exchange\":\"\","
         "\"routing_key\":\"c\"}}",
         BODY),
     "DecodeError", "i1", "rot13"},
};

START_TEST(what_celery_dies_of_is_refused_by_name) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct celery_refusal refusal;
        struct celery_message *message = read_text(refused[i].text, &refusal);
        ck_assert_msg(message == NULL, "%s: was read", refused[i].why);
        ck_assert_msg(text_equal(refusal.exc_type, refused[i].exc_type), "%s: %s", refused[i].why,
                      refusal.exc_type);
        ck_assert_msg(text_equal(refusal.id, refused[i].id), "%s: id %s", refused[i].why,
                      refusal.id);
        ck_assert_msg(strstr(refusal.message, refused[i].says) != NULL, "%s: %s", refused[i].why,
                      refusal.message);
    }
}
END_TEST

START_TEST(names_at_the_limit_are_read_and_above_it_refused) {
    char id[CELERY_NAME_SIZE_MAX + 2];
    for (size_t size = CELERY_NAME_SIZE_MAX; size <= CELERY_NAME_SIZE_MAX + 1; size++) {
        memset(id, 'x', size);
        id[size] = '\0';
        struct buffer headers = {.data = NULL};
        buffer_format(&headers, "\"task\":\"add\",\"id\":\"%s\"", id);
        char *text = message_text(headers.data, "[[], {}, {}]");
        struct celery_refusal refusal;
        struct celery_message *message = read_text(text, &refusal);
        ck_assert_int_eq(message != NULL, size == CELERY_NAME_SIZE_MAX);
        celery_message_free(message);
        free(text);
        buffer_finish(&headers);
    }
}
END_TEST

START_TEST(deep_nesting_is_refused) {
    struct buffer body = {.data = NULL};
    buffer_add_char(&body, '[');
    for (int i = 0; i < 100000; i++) buffer_add_char(&body, '[');
    char *text = message_text(HEADERS, body.data);
    struct celery_refusal refusal;
    ck_assert_ptr_null(read_text(text, &refusal));
    ck_assert_str_eq(refusal.exc_type, "DecodeError");
    free(text);
    buffer_finish(&body);
}
END_TEST

/* --- retry ------------------------------------------------------------------------------------------ */

START_TEST(a_retry_is_the_same_task_later) {
    struct celery_refusal refusal;
    struct celery_message *message = read_text(captured_send_task, &refusal), *again;
    struct buffer text = {.data = NULL};
    celery_write_retry(&text, message, 1795487432112960, "tag-2", "gen1@here");
    again = celery_read(text.data, text.size, &refusal);
    ck_assert_ptr_nonnull(again);
    ck_assert_str_eq(again->id, message->id);
    ck_assert_str_eq(again->task, message->task);
    ck_assert_str_eq(again->args, message->args);
    ck_assert_str_eq(again->parent_id, message->id);
    ck_assert_int_eq(again->retries, 1);
    ck_assert_int_eq(again->eta_us, 1795487432112960);
    ck_assert_ptr_nonnull(strstr(text.data, "\"delivery_tag\": \"tag-2\""));
    ck_assert_ptr_nonnull(strstr(text.data, "\"origin\": \"gen1@here\""));
    ck_assert_ptr_nonnull(strstr(text.data, "\"eta\": \"2026-11-24T02:30:32.112960+00:00\""));
    ck_assert_ptr_nonnull(
        strstr(text.data, "\"root_id\": \"d58a3a35-a897-4d9f-9a03-18155858b957\""));
    celery_message_free(again);
    celery_message_free(message);
    buffer_finish(&text);
}
END_TEST

START_TEST(a_retry_of_protocol_1_is_protocol_2) {
    struct celery_message *message =
        read_message("", "{\"task\":\"add\",\"id\":\"old\",\"args\":[18446744073709551616],"
                         "\"kwargs\":{\"a\":1},\"retries\":3}");
    struct celery_refusal refusal;
    struct buffer text = {.data = NULL};
    celery_write_retry(&text, message, 1000000, "tag-2", "gen1@here");
    struct celery_message *again = celery_read(text.data, text.size, &refusal);
    ck_assert_msg(again != NULL, "%s", refusal.message);
    ck_assert_str_eq(again->args, "[18446744073709551616]");
    ck_assert_str_eq(again->kwargs, "{\"a\":1}");
    ck_assert_int_eq(again->retries, 4);
    ck_assert_ptr_nonnull(strstr(text.data, "\"task\": \"add\""));
    celery_message_free(again);
    celery_message_free(message);
    buffer_finish(&text);
}
END_TEST

START_TEST(a_retry_is_no_redelivery) {
    struct celery_message *message =
        read_message(HEADERS ",\"redelivered\":true,\"x\":\"1\"", "[[], {}, {}]");
    ck_assert(message->redelivered);
    struct buffer text = {.data = NULL};
    celery_write_retry(&text, message, 1000000, "tag-2", "gen1@here");
    ck_assert_ptr_null(strstr(text.data, "redelivered"));
    ck_assert_ptr_nonnull(strstr(text.data, "\"x\": \"1\""));
    celery_message_free(message);
    buffer_finish(&text);
}
END_TEST

START_TEST(json_is_told_from_what_is_not) {
    static const struct {
        const char *text;
        char kind;
        bool is;
    } rows[] = {
        {"[]", '[', true}, {"{}", '[', false},        {"{}", '{', true},
        {"3", 0, true},    {"3", '[', false},         {"", 0, false},
        {"[", '[', false}, {"[] []", '[', false},     {"null", 0, true},
        {"NaN", 0, false}, {"\"\\ud800\"", 0, false}, {"[18446744073709551616]", '[', true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(celery_is_json(rows[i].text, strlen(rows[i].text), rows[i].kind) ==
                          rows[i].is,
                      "%s", rows[i].text);
}
END_TEST

/* --- memory for jansson, all but one piece of it --------------------------------------------------------- */

static long pieces_left; /* until one is not there; below zero: all are */

static void *scarce_piece(size_t size) {
    if (pieces_left-- != 0) return malloc(size);
    errno = ENOMEM;
    return NULL;
}

/* jansson itself leaves out what it has no room for, and the body would not be base64 any more. */
START_TEST(no_message_is_refused_for_want_of_memory) {
    struct celery_refusal refusal;
    struct celery_message *message = NULL;
    json_set_alloc_funcs(scarce_piece, free);
    long runs = 0;
    for (; !message; runs++) {
        pieces_left = runs;
        message = read_text(captured_delay, &refusal);
        if (!message) ck_assert_msg(!refusal.exc_type, "%s", refusal.message);
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(runs, 50);
    ck_assert_str_eq(message->args, "[2, 3]");
    celery_message_free(message);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        delay_is_read,
        no_message_is_refused_for_want_of_memory,
        every_option_is_read,
        the_payload_is_found,
        arguments_are_found_by_position_and_by_name,
        arguments_keep_the_text_that_was_sent,
        the_smallest_envelope_is_enough,
        times_are_read_in_all_their_forms,
        protocol_1_is_read,
        a_body_of_protocol_1_with_headers_is_read,
        a_compressed_body_is_unpacked,
        the_sender_of_a_number_too_large_for_a_header_is_known,
        a_bomb_is_refused,
        what_celery_dies_of_is_refused_by_name,
        names_at_the_limit_are_read_and_above_it_refused,
        deep_nesting_is_refused,
        a_retry_is_the_same_task_later,
        a_retry_of_protocol_1_is_protocol_2,
        a_retry_is_no_redelivery,
        json_is_told_from_what_is_not,
    };
    return unit_run("celery", tests, sizeof tests / sizeof *tests);
}
