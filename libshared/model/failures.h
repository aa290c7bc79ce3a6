/* SPDX-License-Identifier: MIT
 * failures.h - what a value or a whole record was refused for: this thread's list, as a FastAPI 422 body's
 * and by index. Knows the words of each rule, and checks nothing itself: check.c and json.c do.
 */
#ifndef MODEL_FAILURES_H
#define MODEL_FAILURES_H

#include <shared/error.h>
#include <stddef.h>

#include "model/model.h"

/* Rows of the table in failures.c: pydantic's type, message and name of the limit. */
enum rule {
    RULE_MISSING,
    RULE_EXTRA,
    RULE_STRING,
    RULE_STRING_SHORT,
    RULE_STRING_LONG,
    RULE_STRING_UTF8,
    RULE_STRING_NUL, /* ours: PostgreSQL takes none */
    RULE_WORD,
    RULE_INT,
    RULE_INT_TEXT,
    RULE_LEAST,
    RULE_MOST,
    RULE_TIME,
    RULE_TIME_TEXT,
    RULE_OBJECT,
    RULE_JSON,
    RULE_COUNT
};

struct failure {
    enum rule rule;
    const char *path;  /* name of the field; NULL: the whole */
    const char *limit; /* text of the limit, for a rule that has one */
    const char *value; /* NULL: null */
    size_t value_size;
    bool value_is_json;   /* a number, a list, ...; else text, which may be any bytes */
    const char *addition; /* what the error's message says behind the rule's own, or NULL */
};

void failures_start(void);
void failures_add(const struct failure *failure);
/* SHARED_OK, or SHARED_ESCHEMA with all failures in one message. */
shared_status failures_end(const struct model *model);

#endif
