/* SPDX-License-Identifier: MIT
 * settings.h - the rows of the one table of settings. Only config.c reads them.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdint.h>

enum setting_kind {
    SETTING_TEXT = 1,
    SETTING_INT,
    SETTING_BOOL, /* 0 or 1; true, false, on, off, yes, no are taken too */
    SETTING_URL,  /* its password is masked; net/url.c parses it */
    SETTING_PATH,
    SETTING_WORD,   /* one of words */
    SETTING_LEVELS, /* name=level,name=level */
    SETTING_QUEUE,  /* queue_name_valid */
};

struct setting {
    const char *name;
    const char *preset; /* "" when there is none */
    enum setting_kind kind;
    int32_t database;         /* of a derived URL: the one it names */
    const char *derived_from; /* name of the setting whose value makes the default, or NULL */
    int64_t min, max;         /* of a number */
    const char *unit;         /* of a number, or NULL */
    const char *words;        /* of a word, set apart by spaces */
    const char *help;         /* a sentence without unit and range */
};

extern const struct setting settings[];
extern const int32_t settings_count;

/* Pairs that must be in order: the first is less than, or with `equal` at most, the second. */
struct setting_order {
    const char *less;
    const char *more;
    int32_t equal;
};
extern const struct setting_order setting_orders[];
extern const int32_t setting_orders_count;

/* The settings from this one on, up to that of the next row. */
struct setting_group {
    const char *first;
    const char *heading;
};
extern const struct setting_group setting_groups[];
extern const int32_t setting_groups_count;

enum { SETTINGS_MAX = 128, SETTING_VALUE_SIZE_MAX = 4096 };

#endif
