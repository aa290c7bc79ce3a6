/* SPDX-License-Identifier: MIT
 * test_envelope.c - a message of ours is, byte for byte, the one that Celery 5.7 sent, apart from what is
 * random.
 */
#include "queue/envelope.h"

#include <string.h>

#include "base/text.h"
#include "captured.h"
#include "queue/celery.h"
#include "unit.h"

static const struct envelope as_captured = {
    .queue = "celery",
    .task = "extract_text_from_document",
    .id = "d58a3a35-a897-4d9f-9a03-18155858b957",
    .args_json = "[{\"document_id\": \"doc-123\"}]",
    .reply_to = "71b29274-915a-3901-9eb3-72eadb1bbfb8",
    .origin = "gen6324@vm",
};

START_TEST(it_is_what_celery_sends) {
    static const char before_tag[] = "\"delivery_tag\": \"";
    struct buffer text = {.data = NULL};
    envelope_write(&text, &as_captured);
    const char *tag = strstr(text.data, before_tag);
    ck_assert_ptr_nonnull(tag);
    size_t size = (size_t)(tag - text.data) + sizeof before_tag - 1;
    ck_assert_uint_eq(text.size, strlen(captured_send_task));
    ck_assert_mem_eq(text.data, captured_send_task, size);
    ck_assert_str_eq(text.data + size + UUID_TEXT_SIZE - 1, "\"}}");
    buffer_finish(&text);
}
END_TEST

START_TEST(key_and_redelivery_travel_as_headers) {
    struct envelope envelope = as_captured;
    envelope.key = "doc \"1\"";
    envelope.redelivered = true;
    struct buffer text = {.data = NULL};
    envelope_write(&text, &envelope);
    struct celery_refusal refusal;
    struct celery_message *message = celery_read(text.data, text.size, &refusal);
    ck_assert_msg(message != NULL, "%s", refusal.message);
    ck_assert_str_eq(message->key, "doc \"1\"");
    ck_assert(message->redelivered);
    celery_message_free(message);
    buffer_finish(&text);
}
END_TEST

START_TEST(arguments_of_any_kind_arrive) {
    static const char *const rows[] = {"[]", "[null, true, 1e308, 9007199254740993]",
                                       "[\"\xf0\x9f\x98\x80 \\ud83d\\ude00 \\\\ \\\" \\u0000\"]",
                                       "[{\"a\": {\"b\": {\"c\": {\"d\": []}}}}]"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct envelope envelope = as_captured;
        envelope.args_json = rows[i];
        struct buffer text = {.data = NULL};
        envelope_write(&text, &envelope);
        struct celery_refusal refusal;
        struct celery_message *message = celery_read(text.data, text.size, &refusal);
        ck_assert_msg(message != NULL, "%s: %s", rows[i], refusal.message);
        ck_assert_str_eq(message->args, rows[i]);
        celery_message_free(message);
        buffer_finish(&text);
    }
}
END_TEST

START_TEST(a_megabyte_arrives_and_its_repr_is_short) {
    struct buffer args = {.data = NULL}, text = {.data = NULL};
    buffer_add_text(&args, "[\"");
    for (int i = 0; i < 1 << 20; i++) buffer_add_char(&args, 'x');
    buffer_add_text(&args, "\"]");
    struct envelope envelope = as_captured;
    envelope.args_json = args.data;
    envelope_write(&text, &envelope);
    struct celery_refusal refusal;
    struct celery_message *message = celery_read(text.data, text.size, &refusal);
    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(message->args, args.data);
    ck_assert_uint_lt(text.size, args.size * 4 / 3 + 2600);
    celery_message_free(message);
    buffer_finish(&args);
    buffer_finish(&text);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {it_is_what_celery_sends, key_and_redelivery_travel_as_headers,
                                  arguments_of_any_kind_arrive,
                                  a_megabyte_arrives_and_its_repr_is_short};
    return unit_run("envelope", tests, sizeof tests / sizeof *tests);
}
