/* SPDX-License-Identifier: MIT
 * query_bind.c - values of a query's placeholders, checked where they come in. Never part of the text.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time.h"
#include "model/json.h"
#include "session/query.h"

static shared_status check_place(const shared_query *query, int32_t position) {
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    if (position < 1 || position > query->placeholders)
        return fail(SHARED_EINVALID, "position: $%d, but the text has %s$%d", position,
                    query->placeholders ? "only $1 to " : "no more than ", query->placeholders);
    return SHARED_OK;
}

static shared_status bound(bool done, int32_t position) {
    if (done) return SHARED_OK;
    return fail(SHARED_ENOMEM, "$%d: out of memory, or more than 1 GB", position);
}

shared_status shared_query_bind_text(shared_query *query, int32_t position, const char *text,
                                     size_t size) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!text)
        return fail(SHARED_EINVALID, "$%d: text is NULL; use shared_query_bind_null", position);
    if (!text_is_utf8(text, size))
        return fail(SHARED_EINVALID, "$%d: must be UTF-8 without NUL", position);
    return bound(parameters_set_text(&query->parameters, position - 1, text, size), position);
}

shared_status shared_query_bind_int(shared_query *query, int32_t position, int64_t number) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    return bound(parameters_set_int(&query->parameters, position - 1, number), position);
}

shared_status shared_query_bind_null(shared_query *query, int32_t position) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    return bound(parameters_set_text(&query->parameters, position - 1, NULL, 0), position);
}

shared_status shared_query_bind_text_array(shared_query *query, int32_t position,
                                           const char *const *texts, size_t count) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!texts && count) return fail(SHARED_EINVALID, "$%d: texts is NULL", position);
    for (size_t i = 0; i < count; i++)
        if (texts[i] && !text_is_utf8(texts[i], strlen(texts[i])))
            return fail(SHARED_EINVALID, "$%d: entry %zu must be UTF-8", position, i);
    return bound(parameters_set_text_array(&query->parameters, position - 1, texts, NULL, count),
                 position);
}

shared_status shared_query_bind_int_array(shared_query *query, int32_t position,
                                          const int64_t *numbers, size_t count) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!numbers && count) return fail(SHARED_EINVALID, "$%d: numbers is NULL", position);
    return bound(parameters_set_int_array(&query->parameters, position - 1, numbers, NULL, count),
                 position);
}

/* Of a type that we name: SELECT $1 is of it too. */
static shared_status bind_typed(shared_query *query, int32_t position, uint32_t type,
                                const void *data, size_t size) {
    return bound(parameters_set_typed(&query->parameters, position - 1, type, data, size),
                 position);
}

shared_status shared_query_bind_float(shared_query *query, int32_t position, double number) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    char text[NUMBER_TEXT_SIZE];
    number_from_double(number, text);
    return bind_typed(query, position, OID_FLOAT8, text, strlen(text));
}

shared_status shared_query_bind_bool(shared_query *query, int32_t position, int32_t truth) {
    operation_begin();
    shared_status status = check_place(query, position);
    return status < 0 ? status : bind_typed(query, position, OID_BOOL, truth ? "t" : "f", 1);
}

shared_status shared_query_bind_numeric(shared_query *query, int32_t position, const char *text) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    size_t size = text ? strlen(text) : 0;
    if (!text || (!number_is_decimal(text, size) && !number_is_special(text, size)))
        return fail(SHARED_EINVALID,
                    "$%d: \"%.40s\" is no numeric: digits with a sign, a point and an exponent, or"
                    " NaN, Infinity, -Infinity",
                    position, text ? text : "");
    return bind_typed(query, position, OID_NUMERIC, text, size);
}

shared_status shared_query_bind_time(shared_query *query, int32_t position, int64_t time_us) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    char text[TIME_TEXT_SIZE] = "infinity";
    if (time_us == INT64_MIN) memcpy(text, "-infinity", sizeof "-infinity");
    if (time_us != INT64_MIN && time_us != INT64_MAX) {
        if (time_us < TIME_MIN_US || time_us > TIME_MAX_US)
            return fail(SHARED_EINVALID,
                        "$%d: %" PRId64 " microseconds, must be of the years 1 to 9999", position,
                        time_us);
        time_to_rfc3339(time_us, text);
    }
    return bind_typed(query, position, OID_TIMESTAMPTZ, text, strlen(text));
}

/* "019a1b2c-....-....-....-............", letters of either case. */
static bool is_uuid(const char *text) {
    for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char *allowed = is_dash ? "-" : "0123456789abcdefABCDEF";
        if (!text[i] || !strchr(allowed, text[i])) return false;
    }
    return !text[UUID_TEXT_SIZE - 1];
}

shared_status shared_query_bind_uuid(shared_query *query, int32_t position, const char *uuid) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!uuid || !is_uuid(uuid))
        return fail(SHARED_EINVALID, "$%d: \"%.40s\" is no UUID of 36 characters", position,
                    uuid ? uuid : "");
    return bound(parameters_set_text(&query->parameters, position - 1, uuid, UUID_TEXT_SIZE - 1),
                 position);
}

shared_status shared_query_bind_json(shared_query *query, int32_t position, const char *json,
                                     size_t size) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!json || !text_is_utf8(json, size) || !json_has_syntax(json, size))
        return fail(SHARED_EINVALID, "$%d: is not JSON in UTF-8, or more than 4096 deep", position);
    return bound(parameters_set_text(&query->parameters, position - 1, json, size), position);
}

shared_status shared_query_bind_bytes(shared_query *query, int32_t position, const void *data,
                                      size_t size) {
    operation_begin();
    shared_status status = check_place(query, position);
    if (status < 0) return status;
    if (!data && size) return fail(SHARED_EINVALID, "$%d: data is NULL", position);
    return bind_typed(query, position, OID_BYTEA, data ? data : "", size);
}
