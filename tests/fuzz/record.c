/* SPDX-License-Identifier: MIT
 * record.c - fuzz target: any bytes as the JSON of a record, as a time and as base64. What is taken keeps
 * every rule and survives its own output; what is refused says why, in JSON and in UTF-8.
 */
#include <shared/record.h>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "fuzz.h"
#include "model/json.h"
#include "model/statement.h"

static void check_refusal(shared_status status) {
    const char *failures = shared_record_failures();
    const char *message = shared_error_message(shared_error_last());
    SHARED_CHECK(status == SHARED_ESCHEMA);
    SHARED_CHECK(json_is(failures, strlen(failures), '[') && strlen(failures) > 2);
    SHARED_CHECK(*message && text_is_utf8(message, strlen(message)));
    SHARED_CHECK(shared_failure_count() > 0);
    for (int32_t i = 0; i < shared_failure_count(); i++) {
        const char *value = shared_failure_value(i);
        SHARED_CHECK(*shared_failure_rule(i) && *shared_failure_message(i));
        SHARED_CHECK(text_is_utf8(value, strlen(value)) && strlen(value) < 300);
        SHARED_CHECK(text_is_utf8(shared_failure_path(i), strlen(shared_failure_path(i))));
    }
}

static void check_record(shared_record *record) {
    struct statement insert = {0};
    shared_record *again;
    const char *json = shared_record_json(record);
    SHARED_CHECK(shared_record_check(record) == SHARED_OK);
    SHARED_CHECK(json_is(json, strlen(json), '{'));
    struct buffer kept = {0}; /* without the fields that are null: they may be absent, not null */
    const char *separator = "{";
    for (int32_t i = 0; i < shared_record_count(record); i++) {
        int32_t field = shared_record_field(record, i);
        if (shared_record_is_null(record, field)) continue;
        const char *name = shared_record_name(record, field);
        buffer_format(&kept, "%s\"%s\":", separator, name);
        bool number = json_member_int(json, strlen(json), name, &(int64_t){0});
        const char *text = shared_record_text(record, field);
        if (number)
            buffer_add_text(&kept, text);
        else
            buffer_add_json(&kept, text, shared_record_text_size(record, field));
        separator = ",";
    }
    buffer_add_text(&kept, *separator == '{' ? "{}" : "}");
    int32_t model = shared_record_model(record);
    SHARED_CHECK(shared_record_from_json(model, kept.data, kept.size, &again) == SHARED_OK);
    SHARED_CHECK(!strcmp(shared_record_json(again), json));
    if (model_find(model)->table)
        SHARED_CHECK(statement_insert(&insert, record) == SHARED_OK || !insert.parameters.count);
    statement_finish(&insert);
    buffer_finish(&kept);
    shared_record_unref(again);
}

static void check_time(const char *text, size_t size) {
    int64_t time_us, again;
    char shown[TIME_TEXT_SIZE];
    if (!time_from_text(text, size, &time_us)) return;
    time_to_rfc3339(time_us, shown);
    SHARED_CHECK(time_from_text(shown, strlen(shown), &again) && again == time_us);
}

static void check_base64(const char *text, size_t size) {
    struct buffer bytes = {0}, again = {0};
    if (text_from_base64(&bytes, text, size)) {
        text_to_base64(&again, bytes.data, bytes.size);
        SHARED_CHECK(again.size == size && !memcmp(again.data, text, size));
    }
    buffer_finish(&bytes);
    buffer_finish(&again);
}

/* The first byte chooses the model. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const char *text = (const char *)data + 1;
    int32_t model = 1 + (*data & 15) % models_count; /* seeds keep theirs when one is added */
    shared_record *record;
    shared_status status = shared_record_from_json(model, text, size - 1, &record);
    if (status >= 0)
        check_record(record);
    else
        check_refusal(status);
    check_time(text, size - 1);
    check_base64(text, size - 1);
    shared_record_unref(record);
    return 0;
}
