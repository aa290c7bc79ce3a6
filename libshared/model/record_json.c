/* SPDX-License-Identifier: MIT
 * record_json.c - a record as a JSON object, by walking the table: what each read of the API ends in, so
 * it writes bytes into one buffer and builds no tree. Parses nothing: json.c does.
 */
#include <string.h>

#include "base/number.h"
#include "base/time.h"
#include "model/decode.h"
#include "model/json.h"

/* The form is pydantic's; a time that is none ("infinity") stays the text it is. */
static void add_time(struct buffer *out, const char *text, size_t size) {
    char shown[TIME_TEXT_SIZE];
    int64_t time_us;
    if (time_from_text(text, size, &time_us)) {
        time_to_rfc3339(time_us, shown);
        text = shown;
        size = strlen(shown);
    }
    buffer_add_json(out, text, size);
}

/* JSON has no word for NaN and the like: they are texts. */
static void add_number(struct buffer *out, const char *text, size_t size) {
    if (number_is_special(text, size))
        buffer_add_json(out, text, size);
    else
        buffer_add(out, text, size); /* the text of a number is JSON */
}

static void add_array(struct buffer *out, bool is_text, const char *text, size_t size) {
    struct decoded *decoded = decode_array(text, size);
    if (!decoded) {
        out->failed = true;
        return;
    }
    buffer_add_char(out, '[');
    for (int32_t i = 0; i < decoded_count(decoded); i++) {
        const struct entry *entry = decoded_entry(decoded, i);
        const char *value = decoded->bytes.data + entry->offset;
        if (i) buffer_add_char(out, ',');
        if (entry->null)
            buffer_add_text(out, "null");
        else if (is_text)
            buffer_add_json(out, value, entry->size);
        else
            buffer_add(out, value, entry->size);
    }
    buffer_add_char(out, ']');
    decoded_free(decoded);
}

static void add_value(struct buffer *out, int32_t type, const char *text, size_t size) {
    switch (type) {
    case SHARED_TYPE_INT:
    case SHARED_TYPE_FLOAT:
    case SHARED_TYPE_NUMERIC: add_number(out, text, size); break;
    case SHARED_TYPE_BOOL: buffer_add_text(out, *text == 't' ? "true" : "false"); break;
    case SHARED_TYPE_TIME: add_time(out, text, size); break;
    case SHARED_TYPE_JSON: buffer_add(out, text, size); break;
    case SHARED_TYPE_TEXT_ARRAY:
    case SHARED_TYPE_INT_ARRAY: add_array(out, type == SHARED_TYPE_TEXT_ARRAY, text, size); break;
    default: buffer_add_json(out, text, size); break;
    }
}

void json_from_record(struct buffer *out, const shared_record *record) {
    const struct model *model = record_model(record);
    int32_t count = shared_record_count(record);
    buffer_add_char(out, '{');
    for (int32_t i = 0; i < count; i++) {
        size_t size = 0;
        const char *text = record_value(record, i, &size);
        const char *name = model ? model->fields[i].name : shared_record_name(record, i);
        if (i) buffer_add_char(out, ',');
        buffer_add_json(out, name, strlen(name));
        buffer_add_char(out, ':');
        if (text)
            add_value(out, record_type(record, i), text, size);
        else
            buffer_add(out, "null", 4);
    }
    buffer_add_char(out, '}');
}
