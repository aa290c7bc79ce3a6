/* SPDX-License-Identifier: MIT
 * celery.c - fuzz target: any bytes as a Celery message. What is read must survive a retry unchanged; what
 * is refused must say why.
 */
#include "queue/celery.h"

#include "base/error.h"
#include "base/text.h"
#include "fuzz.h"
#include "queue/repr.h"

static void check_retry(const struct celery_message *message) {
    struct celery_refusal refusal;
    struct buffer text = {.data = NULL};
    celery_write_retry(&text, message, 1795487432112960, "tag", "gen1@fuzz");
    SHARED_CHECK(!text.failed);
    struct celery_message *again = celery_read(text.data, text.size, &refusal);
    SHARED_CHECK(again != NULL);
    SHARED_CHECK(text_equal(again->id, message->id) && text_equal(again->task, message->task));
    SHARED_CHECK(text_equal(again->args, message->args) &&
                 text_equal(again->kwargs, message->kwargs));
    SHARED_CHECK(again->retries == message->retries + 1);
    celery_message_free(again);
    buffer_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct celery_refusal refusal;
    struct celery_message *message = celery_read((const char *)data, size, &refusal);
    if (!message) {
        SHARED_CHECK(refusal.exc_type && *refusal.message);
        SHARED_CHECK(text_is_utf8(refusal.message, strlen(refusal.message)));
        return 0;
    }
    SHARED_CHECK(celery_is_json(message->args, strlen(message->args), '['));
    SHARED_CHECK(celery_is_json(message->kwargs, strlen(message->kwargs), '{'));
    struct buffer repr = {.data = NULL};
    repr_from_json(&repr, message->args, strlen(message->args), REPR_SIZE_MAX);
    SHARED_CHECK(text_is_utf8(repr.data, repr.size));
    buffer_finish(&repr);
    (void)celery_argument(message, 0, "document_id");
    (void)celery_argument(message, -1, "a.b");
    if (message->retries < 1000000) check_retry(message);
    celery_message_free(message);
    return 0;
}
