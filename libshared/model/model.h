/* SPDX-License-Identifier: MIT
 * model.h - the made table of models and its types. models.c is written by models.py from models.txt.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <shared/models.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type { FIELD_TEXT = 1, FIELD_INT32, FIELD_INT64, FIELD_ENUM, FIELD_TIME };

struct field {
    const char *name;
    enum field_type type;
    int32_t reference; /* model referred to, 0: none */
    bool null;         /* may be null */
    bool key;          /* part of the primary key */
    bool server;       /* made by the database when absent */
    bool input;        /* a client of the API may set it */
    bool cascade;      /* goes with what it refers to */
    bool has_min, has_max;
    int64_t min, max;         /* characters of a text, value of a number */
    const char *preset;       /* default as text, or NULL */
    const char *const *words; /* of an enum, NULL-terminated */
    const char *unique;       /* name of the constraint it is part of, or NULL */
    const char *meaning;
};

struct model {
    const char *name;
    const char *table; /* NULL: a shape without a table */
    int32_t number;
    int32_t count;
    const struct field *fields;
    const char *select;        /* "SELECT columns FROM table", the columns in the order of fields */
    const char *select_by_key; /* the same with "WHERE id = $1" */
    const char *meaning;
    int32_t key_count; /* fields of the key; each stands in select_by_key in their order */
};

extern const struct model models[];
extern const int32_t models_count;

enum { MODEL_FIELDS_MAX = 32 };

/* NULL when there is no such model. Shapes are found too. */
const struct model *model_find(int32_t number);
const struct model *model_find_name(const char *name);
/* Position of a public field number (model << 8 | position + 1) in the model; -1: another model's. */
int32_t model_field_index(const struct model *model, int32_t field);
/* Position of a field by its name; -1: there is none. */
int32_t model_field_find(const struct model *model, const char *name);
/* Somebody makes a value when there is none: the database, or the session for an id of its own. */
bool field_is_made(const struct field *field);

#endif
