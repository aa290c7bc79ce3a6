/* SPDX-License-Identifier: MIT
 * record_value.c - what type a value is of, and the values that are neither text nor a whole number. Never
 * changes a value: record.c does.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "model/decode.h"
#include "model/record.h"
#include "model/statement.h"

/* --- types ---------------------------------------------------------------------------------------- */

/* PostgreSQL's own types keep their numbers for ever (pg_type.dat). */
static const struct {
    uint32_t oid;
    int32_t type;
} types[] = {
    {OID_BOOL, SHARED_TYPE_BOOL},
    {OID_BYTEA, SHARED_TYPE_BYTES},
    {18, SHARED_TYPE_TEXT}, /* "char" */
    {19, SHARED_TYPE_TEXT}, /* name */
    {OID_INT8, SHARED_TYPE_INT},
    {21, SHARED_TYPE_INT}, /* int2 */
    {23, SHARED_TYPE_INT}, /* int4 */
    {OID_TEXT, SHARED_TYPE_TEXT},
    {26, SHARED_TYPE_INT},    /* oid */
    {114, SHARED_TYPE_JSON},  /* json */
    {700, SHARED_TYPE_FLOAT}, /* float4 */
    {OID_FLOAT8, SHARED_TYPE_FLOAT},
    {705, SHARED_TYPE_TEXT},        /* unknown */
    {1003, SHARED_TYPE_TEXT_ARRAY}, /* name[] */
    {1005, SHARED_TYPE_INT_ARRAY},  /* int2[] */
    {1007, SHARED_TYPE_INT_ARRAY},  /* int4[] */
    {OID_TEXT_ARRAY, SHARED_TYPE_TEXT_ARRAY},
    {1014, SHARED_TYPE_TEXT_ARRAY}, /* bpchar[] */
    {1015, SHARED_TYPE_TEXT_ARRAY}, /* varchar[] */
    {OID_INT8_ARRAY, SHARED_TYPE_INT_ARRAY},
    {1042, SHARED_TYPE_TEXT}, /* bpchar */
    {1043, SHARED_TYPE_TEXT}, /* varchar */
    {1082, SHARED_TYPE_DATE},
    {1114, SHARED_TYPE_TIME}, /* timestamp */
    {OID_TIMESTAMPTZ, SHARED_TYPE_TIME},
    {OID_NUMERIC, SHARED_TYPE_NUMERIC},
    {2950, SHARED_TYPE_UUID},
    {3802, SHARED_TYPE_JSON}, /* jsonb */
};

static int32_t type_of_column(const struct rows *rows, int32_t column) {
    uint32_t oid = rows->methods->type ? rows->methods->type(rows, column) : OID_UNKNOWN;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].oid == oid) return types[i].type;
    return SHARED_TYPE_OTHER;
}

int32_t record_type(const shared_record *record, int32_t index) {
    static const int32_t field_types[] = {[FIELD_TEXT] = SHARED_TYPE_TEXT,
                                          [FIELD_ENUM] = SHARED_TYPE_TEXT,
                                          [FIELD_INT32] = SHARED_TYPE_INT,
                                          [FIELD_INT64] = SHARED_TYPE_INT,
                                          [FIELD_TIME] = SHARED_TYPE_TIME};
    const struct model *model = record_model(record);
    return model ? field_types[model->fields[index].type]
                 : type_of_column(record_rows(record), index);
}

int32_t shared_record_type(const shared_record *record, int32_t field) {
    int32_t index = record_index(record, field);
    return index < 0 ? SHARED_TYPE_NONE : record_type(record, index);
}

/* --- single values -------------------------------------------------------------------------------- */

/* The value, if it is of that type and not null. */
static const char *value_of_type(const shared_record *record, int32_t field, int32_t type,
                                 size_t *size) {
    int32_t index = record_index(record, field);
    if (index < 0 || record_type(record, index) != type) return NULL;
    return record_value(record, index, size);
}

double shared_record_float(const shared_record *record, int32_t field) {
    size_t size = 0;
    double number = 0;
    int32_t index = record_index(record, field);
    const char *text = index < 0 ? NULL : record_value(record, index, &size);
    return text && number_to_double(text, size, &number) ? number : 0;
}

int32_t shared_record_bool(const shared_record *record, int32_t field) {
    size_t size = 0;
    const char *text = value_of_type(record, field, SHARED_TYPE_BOOL, &size);
    return text && *text == 't';
}

/* --- values that are decoded once ----------------------------------------------------------------- */

/* Of a raw row, kept with it; NULL: null, of another type, or no memory after fail(). */
static const struct decoded *decoded_of(shared_record *record, int32_t field, bool is_array) {
    int32_t index = record_index(record, field);
    if (index < 0 || record_model(record)) return NULL;
    struct decoded **list = record_decoded(record);
    for (struct decoded *decoded = *list; decoded; decoded = decoded->next)
        if (decoded->column == index) return decoded;
    int32_t type = record_type(record, index);
    bool fits = is_array ? type == SHARED_TYPE_TEXT_ARRAY || type == SHARED_TYPE_INT_ARRAY
                         : type == SHARED_TYPE_BYTES;
    size_t size = 0;
    const char *text = fits ? record_value(record, index, &size) : NULL;
    if (!text) return NULL;
    struct decoded *decoded = is_array ? decode_array(text, size) : decode_bytes(text, size);
    if (!decoded) {
        (void)fail(SHARED_ENOMEM, "%s: out of memory", shared_record_name(record, field));
        return NULL;
    }
    decoded->column = index;
    decoded->next = *list;
    *list = decoded;
    return decoded;
}

const void *shared_record_bytes(shared_record *record, int32_t field, size_t *size) {
    operation_begin();
    bool is_bytes = shared_record_type(record, field) == SHARED_TYPE_BYTES;
    const struct decoded *decoded = is_bytes ? decoded_of(record, field, false) : NULL;
    if (size) *size = decoded ? decoded->bytes.size : 0;
    return decoded ? decoded->bytes.data : NULL;
}

static const struct decoded *array_of(shared_record *record, int32_t field) {
    int32_t type = shared_record_type(record, field);
    bool is_array = type == SHARED_TYPE_TEXT_ARRAY || type == SHARED_TYPE_INT_ARRAY;
    return is_array ? decoded_of(record, field, true) : NULL;
}

/* NULL: there is none, or it is null. */
static const char *entry_of(shared_record *record, int32_t field, int32_t index, size_t *size) {
    const struct decoded *decoded = array_of(record, field);
    const struct entry *entry = decoded ? decoded_entry(decoded, index) : NULL;
    bool there = entry && !entry->null;
    *size = there ? entry->size : 0;
    return there ? decoded->bytes.data + entry->offset : NULL;
}

int32_t shared_record_array_count(shared_record *record, int32_t field) {
    operation_begin();
    const struct decoded *decoded = array_of(record, field);
    return decoded ? decoded_count(decoded) : 0;
}

int32_t shared_record_array_is_null(shared_record *record, int32_t field, int32_t index) {
    operation_begin();
    size_t size;
    return entry_of(record, field, index, &size) == NULL;
}

const char *shared_record_array_text(shared_record *record, int32_t field, int32_t index,
                                     size_t *size) {
    operation_begin();
    size_t ignored;
    return entry_of(record, field, index, size ? size : &ignored);
}

int64_t shared_record_array_int(shared_record *record, int32_t field, int32_t index) {
    operation_begin();
    size_t size;
    int64_t number = 0;
    const char *text = entry_of(record, field, index, &size);
    return text && text_to_int(text, size, INT64_MIN, INT64_MAX, &number) ? number : 0;
}
