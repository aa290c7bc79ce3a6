/* SPDX-License-Identifier: MIT
 * record.h - one case, document, page or chunk; or one row of raw SQL (model 0, whose fields are the
 * columns 0, 1, ...). Counted: ref and unref from any thread; everything else in one thread at a time.
 * A record that came from the database points into the answer, so reading copies nothing.
 *
 *     shared_record *document;
 *     shared_record_new(SHARED_DOCUMENT, &document);
 *     shared_record_set_text(document, SHARED_DOCUMENT_FILE_NAME, "will.pdf", 8);
 *     shared_session_add(session, document);
 *     shared_record_unref(document);
 *
 * A field of another model reads as null, and setting it is SHARED_EINVALID.
 */
#ifndef SHARED_RECORD_H
#define SHARED_RECORD_H

#include <shared/api.h>
#include <shared/error.h>
#include <shared/event.h>
#include <shared/models.h>

SHARED_BEGIN

/** What a value is. Numbers stay; later versions may add some, so take what you do not know for
 *  SHARED_TYPE_OTHER. */
enum {
    SHARED_TYPE_NONE = 0,        /**< there is no such field */
    SHARED_TYPE_OTHER = 1,       /**< any other type: its text is PostgreSQL's */
    SHARED_TYPE_TEXT = 2,        /**< text, varchar, char, name, and the words of a model */
    SHARED_TYPE_INT = 3,         /**< smallint, integer, bigint, oid */
    SHARED_TYPE_FLOAT = 4,       /**< real, double precision */
    SHARED_TYPE_BOOL = 5,        /**< boolean */
    SHARED_TYPE_NUMERIC = 6,     /**< numeric: its text is exact, shared_record_float the nearest */
    SHARED_TYPE_TIME = 7,        /**< timestamptz; timestamp, which counts as UTC */
    SHARED_TYPE_DATE = 8,        /**< date */
    SHARED_TYPE_UUID = 9,        /**< uuid */
    SHARED_TYPE_JSON = 10,       /**< json, jsonb */
    SHARED_TYPE_BYTES = 11,      /**< bytea */
    SHARED_TYPE_TEXT_ARRAY = 12, /**< text[] and arrays of the other text types */
    SHARED_TYPE_INT_ARRAY = 13   /**< smallint[], integer[], bigint[] */
};

/** An empty record: every field null. Added in 0.1.0. */
SHARED_API shared_status shared_record_new(int32_t model, shared_record **out);
/** From a JSON object. SHARED_ESCHEMA names each failing field, its value and its rule. Unknown names
 *  and names that come twice are refused, so is JSON of more than 1 GiB or 2048 levels.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_record_from_json(int32_t model, const char *json, size_t size,
                                                 shared_record **out);
/** Sets the fields named in a JSON object, with the checks of from_json; all or none.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_record_merge_json(shared_record *record, const char *json,
                                                  size_t size);
/** One more owner; returns record. Added in 0.1.0. */
SHARED_API shared_record *shared_record_ref(shared_record *record);
/** One owner less; the last frees it. Accepts NULL. Added in 0.1.0. */
SHARED_API void shared_record_unref(shared_record *record);
/** SHARED_CASE ..., or 0 for a row of raw SQL. Added in 0.1.0. */
SHARED_API int32_t shared_record_model(const shared_record *record);
/** Number of fields or columns. Added in 0.1.0. */
SHARED_API int32_t shared_record_count(const shared_record *record);
/** Field id of column number index: of a model row its SHARED_... number, of a raw row index itself.
 *  -1 past the end. Added in 0.1.0. */
SHARED_API int32_t shared_record_field(const shared_record *record, int32_t index);
/** Name of a field or column, "" when there is none. Added in 0.1.0. */
SHARED_API const char *shared_record_name(const shared_record *record, int32_t field);
/** SHARED_TYPE_... of a field or column, also when it is null. Added in 0.1.0. */
SHARED_API int32_t shared_record_type(const shared_record *record, int32_t field);
/** 1 when null or absent. Added in 0.1.0. */
SHARED_API int32_t shared_record_is_null(const shared_record *record, int32_t field);
/** Value as text, NULL when null; any type reads as text. Valid until the field changes.
 *  Added in 0.1.0. */
SHARED_API const char *shared_record_text(const shared_record *record, int32_t field);
/** Its size in bytes. Added in 0.1.0. */
SHARED_API size_t shared_record_text_size(const shared_record *record, int32_t field);
/** Value as a number, 0 when null or none. Added in 0.1.0. */
SHARED_API int64_t shared_record_int(const shared_record *record, int32_t field);
/** Any number, also a numeric or a whole one, as the nearest double; NaN and the infinities too.
 *  0 when null or none. Added in 0.1.0. */
SHARED_API double shared_record_float(const shared_record *record, int32_t field);
/** 1 when true; 0 when false, null, or no boolean. Added in 0.1.0. */
SHARED_API int32_t shared_record_bool(const shared_record *record, int32_t field);
/** A time, microseconds since 1970 UTC, of a date its midnight; INT64_MAX for infinity and INT64_MIN
 *  for -infinity. 0 when null, none, or outside of the years 1 to 9999. Added in 0.1.0. */
SHARED_API int64_t shared_record_time(const shared_record *record, int32_t field);
/** The bytes of a bytea column of a raw row, a NUL behind them; size (or NULL) gets their number. NULL
 *  when null, no bytea, or memory ran out. Decoded once; valid as long as the record.
 *  Added in 0.1.0. */
SHARED_API const void *shared_record_bytes(shared_record *record, int32_t field, size_t *size);
/** Entries of a TEXT_ARRAY or INT_ARRAY column of a raw row, 0 when null or no array. Those of more than
 *  one dimension stand in order, row by row. Added in 0.1.0. */
SHARED_API int32_t shared_record_array_count(shared_record *record, int32_t field);
/** 1 when entry number index (from 0) is NULL, or there is none. Added in 0.1.0. */
SHARED_API int32_t shared_record_array_is_null(shared_record *record, int32_t field, int32_t index);
/** An entry as text, NULL when it is NULL or there is none; size (or NULL) gets its bytes. Valid as long
 *  as the record. Added in 0.1.0. */
SHARED_API const char *shared_record_array_text(shared_record *record, int32_t field, int32_t index,
                                                size_t *size);
/** An entry as a number, 0 when NULL or none. Added in 0.1.0. */
SHARED_API int64_t shared_record_array_int(shared_record *record, int32_t field, int32_t index);
/** Added in 0.1.0. */
SHARED_API shared_status shared_record_set_text(shared_record *record, int32_t field,
                                                const char *text, size_t size);
/** Added in 0.1.0. */
SHARED_API shared_status shared_record_set_int(shared_record *record, int32_t field,
                                               int64_t number);
/** Microseconds since 1970 UTC. Added in 0.1.0. */
SHARED_API shared_status shared_record_set_time(shared_record *record, int32_t field,
                                                int64_t time_us);
/** Added in 0.1.0. */
SHARED_API shared_status shared_record_set_null(shared_record *record, int32_t field);
/** All rules of the model: SHARED_ESCHEMA names every failing field. Fields made by the server may be
 *  absent. Added in 0.1.0. */
SHARED_API shared_status shared_record_check(const shared_record *record);
/** JSON object of all fields; times as RFC 3339 in UTC. Of a raw row each column is what its type is:
 *  numbers (exact, as PostgreSQL writes them; NaN and the infinities are text), true and false, JSON as
 *  it stands, arrays as lists, all else as text. Valid until the record changes; NULL when
 *  memory ran out. Added in 0.1.0. */
SHARED_API const char *shared_record_json(shared_record *record);
/** The failures of the last check in this thread as a FastAPI 422 body's list, with pydantic's words:
 *  [{"type":"string_too_long","loc":["body","title"],"msg":"String should have at most 255 characters",
 *  "input":"...","ctx":{"max_length":255}}]. "[]" when there was none. At most 64 failures and 16 KiB; the
 *  error's message says when there were more. An input of more than 64 characters is cut, ends in "...",
 *  and is then a text whatever it was. Rules that pydantic has not: string_nul. Valid until the next call
 *  in this thread. Added in 0.1.0. */
SHARED_API const char *shared_record_failures(void);
/** Number of failures in that list: they are told by the functions below too, from index 0, and with
 *  "" where there is none. What is returned is valid until the next check in this thread.
 *
 *      if (shared_record_check(document) == SHARED_ESCHEMA)
 *          for (int32_t i = 0; i < shared_failure_count(); i++)
 *              printf("%s: %s\n", shared_failure_path(i), shared_failure_message(i));
 *
 *  Added in 0.1.0. */
SHARED_API int32_t shared_failure_count(void);
/** Name of the field, "" for the whole object; of JSON that is none the byte where it breaks off.
 *  Added in 0.1.0. */
SHARED_API const char *shared_failure_path(int32_t index);
/** The rule, pydantic's type: missing, extra_forbidden, string_type, string_too_short, string_too_long,
 *  string_unicode, string_nul, enum, int_type, int_parsing, greater_than_equal, less_than_equal,
 *  datetime_type, datetime_parsing, model_attributes_type or json_invalid. Added in 0.1.0. */
SHARED_API const char *shared_failure_rule(int32_t index);
/** A sentence with the limit: "String should have at most 255 characters". Added in 0.1.0. */
SHARED_API const char *shared_failure_message(int32_t index);
/** The value, at most its first 64 characters: a text as it is, anything else as JSON.
 *  Added in 0.1.0. */
SHARED_API const char *shared_failure_value(int32_t index);
/** The limit, as "255" or "'text', 'ocr' or 'failed'"; "" for a rule that has none. Added in 0.1.0. */
SHARED_API const char *shared_failure_limit(int32_t index);

SHARED_END

#endif
