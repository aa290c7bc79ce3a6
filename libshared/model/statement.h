/* SPDX-License-Identifier: MIT
 * statement.h - SQL text and its parameters, from the table of models. Never talks to a server.
 */
#ifndef MODEL_STATEMENT_H
#define MODEL_STATEMENT_H

#include "base/buffer.h"
#include "model/record.h"

enum { PARAMETERS_MAX = 65535 }; /* of PostgreSQL's protocol */

/* Type numbers of PostgreSQL that we name ourselves; 0 lets the server choose. */
enum {
    OID_UNKNOWN = 0,
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_FLOAT8 = 701,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700
};

struct parameters {
    int32_t count, room; /* places in use, and that there is memory for */
    struct buffer bytes; /* all values, each followed by a NUL */
    size_t *offset;      /* SIZE_MAX: null. The four share one piece of memory */
    int32_t *size;
    uint32_t *type;
    uint8_t *binary; /* 1: the value is in binary form (arrays, bytea) */
};
void parameters_finish(struct parameters *parameters);
void parameters_clear(struct parameters *parameters);
/* Set $index+1 (count grows to it; holes are null). text NULL: null. false: index or memory. */
bool parameters_set_text(struct parameters *parameters, int32_t index, const char *text,
                         size_t size);
bool parameters_set_int(struct parameters *parameters, int32_t index, int64_t number);
/* A value of that type, as its text; of bytea the bytes. */
bool parameters_set_typed(struct parameters *parameters, int32_t index, uint32_t type,
                          const void *data, size_t size);
bool parameters_set_text_array(struct parameters *parameters, int32_t index,
                               const char *const *texts, const size_t *sizes /* NULL: strlen */,
                               size_t count);
bool parameters_set_int_array(struct parameters *parameters, int32_t index, const int64_t *numbers,
                              const bool *nulls /* NULL: none */, size_t count);
bool parameters_copy(struct parameters *target, const struct parameters *source);
const char *parameters_value(const struct parameters *parameters, int32_t index); /* NULL: null */

struct statement {
    struct buffer sql;
    struct parameters parameters;
};
void statement_finish(struct statement *statement);

/* "SELECT columns FROM table" of a model, its fields in order. Static text, made once by models.py. */
const char *statement_select(const struct model *model);
/* "... WHERE key = $1": static text. */
const char *statement_select_by_key(const struct model *model);
/* "... JOIN unnest($1)": the rows of a list of keys, in its order, for a key of one text. Adds the text. */
void statement_select_by_keys(struct statement *statement, const struct model *model);
/* Values of the record's key, for select_by_key. SHARED_EINVALID: it is null; SHARED_ENOMEM. */
shared_status statement_key(struct statement *statement, const shared_record *record);
/* These fill an empty statement; SHARED_EINVALID, SHARED_ENOMEM, an update also SHARED_ESCHEMA. An
 * update without a change leaves sql empty: there is nothing to send. Text depends only on which
 * fields are set, so that the cache of prepared statements works. */
shared_status statement_insert(struct statement *statement, const shared_record *record);
shared_status statement_update(struct statement *statement, const shared_record *record);
shared_status statement_delete(struct statement *statement, const shared_record *record);
/* INSERT ... SELECT FROM unnest($1, ...): one statement for many records of one model. */
shared_status statement_insert_many(struct statement *statement, shared_record *const *records,
                                    size_t count);

#endif
