/* SPDX-License-Identifier: MIT
 * progress.c - fuzz target: a message from any publisher, and an id as a viewer's Last-Event-ID. What is
 * taken is one line, is the same JSON, and can be read again.
 */
#include "progress/message.h"

#include "base/text.h"
#include "fuzz.h"
#include "model/json.h"

static void check_message(const struct message *message, bool has_id, bool replayed) {
    require(json_is(message->json, message->size, '{'));
    require(!memchr(message->json, '\n', message->size) &&
            !memchr(message->json, '\r', message->size));
    require(strlen(message->json) == message->size);
    require(message->has_id || !has_id);
    if (has_id) {
        char *id = json_member_text(message->json, message->size, "id");
        require(text_equal(id, message->id_text)); /* ours, whatever the publisher wrote */
        free(id);
    }
    require(replayed || message->size > strlen("{\"replayed\":false}") - 1);
    int64_t percent;
    require(text_to_int(message->percent, strlen(message->percent), 0, 100, &percent));
}

static void check_read(const char *json, size_t size, const char *id, bool replayed) {
    struct message *message = message_read(json, size, id, replayed);
    if (!message) return;
    check_message(message, id != NULL, replayed);
    struct message *again = message_read(message->json, message->size, NULL, true);
    require(again || message->size > MESSAGE_SIZE_MAX);
    if (again) {
        require(text_equal(again->step, message->step) && text_equal(again->text, message->text));
        require(again->final == message->final && again->has_id == message->has_id);
        require(strcmp(again->percent, message->percent) == 0);
    }
    message_unref(again);
    message_unref(message);
}

static void check_id(const char *text) {
    struct stream_id id;
    if (!stream_id_read(text, &id)) return;
    require(strlen(text) < STREAM_ID_SIZE && strspn(text, "0123456789-") == strlen(text));
    require(stream_id_compare(id, id) == 0);
}

static void check_write(const char *text, size_t size) {
    if (!text_is_utf8(text, size)) return;
    struct buffer out = {.data = NULL};
    message_write(&out, 45, text, text);
    require(json_is(out.data, out.size, '{') && !strpbrk(out.data, "\r\n"));
    char *step = json_member_text(out.data, out.size, "step");
    require(text_equal(step, text));
    free(step);
    buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *json = (const char *)data;
    check_read(json, size, NULL, true);
    check_read(json, size, "1795487432112-0", true);
    check_read(json, size, "1795487432112-0", false);
    check_read(json, size, NULL, false);
    char *text = fuzz_text(data, size);
    check_id(text);
    check_write(text, strlen(text));
    free(text);
    return 0;
}
