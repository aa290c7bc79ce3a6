/* SPDX-License-Identifier: MIT
 * error.c - the error object, and the one table that says which failures may pass by themselves.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static _Thread_local struct shared_error last;
static _Thread_local const char *operation;

/* --- the table of classes ------------------------------------------------------------------------- */

/* Code -> what it means when nothing more is known, and the domain of fail(). */
static const struct {
    int32_t code;
    int32_t class;
    int32_t domain;
} codes[] = {
    {SHARED_EINVALID, SHARED_PERMANENT, SHARED_CALLER},
    {SHARED_ENOTFOUND, SHARED_PERMANENT, SHARED_CALLER},
    {SHARED_ECONFLICT, SHARED_PERMANENT, SHARED_CALLER},
    {SHARED_EBUSY, SHARED_RETRYABLE, SHARED_SYSTEM},
    {SHARED_ECLOSED, SHARED_RETRYABLE, SHARED_SYSTEM},
    {SHARED_ETIMEOUT, SHARED_RETRYABLE, SHARED_SYSTEM},
    {SHARED_ENOMEM, SHARED_RETRYABLE, SHARED_SYSTEM},
    {SHARED_ESCHEMA, SHARED_PERMANENT, SHARED_SCHEMA},
    {SHARED_EREMOTE, SHARED_PERMANENT, SHARED_SYSTEM},
    {SHARED_EFORKED, SHARED_PERMANENT, SHARED_CALLER},
    {SHARED_ECANCELLED, SHARED_RETRYABLE, SHARED_CALLER},
    {SHARED_EUNKNOWN, SHARED_RETRYABLE, SHARED_POSTGRES},
};

#define AGAIN  "run the whole transaction again"
#define POOLER "a pooler in transaction mode: set STATEMENT_CACHE=0"

/* Class and code of what a server or the system says. `key` is the beginning of an SQLSTATE, or the
 * first words of a Redis reply. Wide rows first, exceptions after: the last row that fits decides.
 * What no row fits is permanent, and SHARED_EREMOTE. */
struct text_row {
    const char *key;
    int32_t class;
    int32_t code;
    const char *hint; /* what to do; NULL: the server says it, or nothing need be done */
};

static const struct text_row sqlstates[] = {
    {"08", SHARED_RETRYABLE, SHARED_ECLOSED, NULL}, /* connection exception */
    {"08P01", SHARED_RETRYABLE, SHARED_ECLOSED,     /* and whatever PgBouncer has to say */
     "if PgBouncer does not take options: set ignore_startup_parameters = options there"},
    {"23503", SHARED_PERMANENT, SHARED_ECONFLICT, NULL}, /* foreign key */
    {"23505", SHARED_PERMANENT, SHARED_ECONFLICT, NULL}, /* unique */
    {"23P01", SHARED_PERMANENT, SHARED_ECONFLICT, NULL}, /* exclusion */
    {"26000", SHARED_RETRYABLE, SHARED_EREMOTE,
     POOLER},                                           /* the server forgot a prepared statement */
    {"40001", SHARED_RETRYABLE, SHARED_EREMOTE, AGAIN}, /* serialization failure */
    {"40P01", SHARED_RETRYABLE, SHARED_EREMOTE, AGAIN}, /* deadlock */
    {"42P05", SHARED_RETRYABLE, SHARED_EREMOTE, POOLER}, /* it was prepared by somebody else */
    {"53", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},      /* what the server runs out of */
    {"53100", SHARED_RETRYABLE, SHARED_EREMOTE, "make room on the disk of PostgreSQL"},
    {"53200", SHARED_RETRYABLE, SHARED_EREMOTE,
     "PostgreSQL needs more memory, or fewer connections"},
    {"53300", SHARED_RETRYABLE, SHARED_EREMOTE,
     "raise max_connections of PostgreSQL, or lower POOL_SIZE and POOL_SHARED"},
    {"53400", SHARED_RETRYABLE, SHARED_EREMOTE,
     "raise the limit at PostgreSQL that the message names"},
    {"55P03", SHARED_RETRYABLE, SHARED_EREMOTE, AGAIN}, /* lock not available */
    /* Of the server's own accord; of one that we cancelled see error_set_ours. */
    {"57014", SHARED_PERMANENT, SHARED_EREMOTE,
     "raise statement_timeout at PostgreSQL, unless somebody cancelled it there"},
    {"57P01", SHARED_RETRYABLE, SHARED_ECLOSED, NULL}, /* administrator's shutdown */
    {"57P02", SHARED_RETRYABLE, SHARED_ECLOSED, NULL}, /* crash of another process */
    {"57P03", SHARED_RETRYABLE, SHARED_ECLOSED, NULL}, /* cannot connect now */
    {"LX001", SHARED_PERMANENT, SHARED_ECONFLICT,
     "stop: another attempt has the document"}, /* document_fence() */
};

static const struct text_row replies[] = {
    {"LOADING", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},
    {"READONLY", SHARED_RETRYABLE, SHARED_EREMOTE, "the URL must lead to the primary Redis"},
    {"BUSY", SHARED_RETRYABLE, SHARED_EREMOTE, "a script blocks Redis: SCRIPT KILL ends it"},
    {"TRYAGAIN", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},
    {"CLUSTERDOWN", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},
    {"MASTERDOWN", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},
    {"NOREPLICAS", SHARED_RETRYABLE, SHARED_EREMOTE, NULL},
    {"MISCONF", SHARED_RETRYABLE, SHARED_EREMOTE,
     "Redis cannot save: look at its disk and its log"},
    {"OOM", SHARED_RETRYABLE, SHARED_EREMOTE, "raise maxmemory of Redis"},
    {"UNBLOCKED", SHARED_RETRYABLE, SHARED_EREMOTE,
     NULL}, /* a replica now, while a command waited */
    {"ERR max number of clients reached", SHARED_RETRYABLE, SHARED_EREMOTE,
     "raise maxclients of Redis"},
    {"NOAUTH", SHARED_PERMANENT, SHARED_EREMOTE, "the URL needs the password of Redis"},
    {"WRONGPASS", SHARED_PERMANENT, SHARED_EREMOTE, "the URL has not the password of Redis"},
};

/* What is not here is permanent, and SHARED_EREMOTE. */
static const struct {
    int number;
    int32_t code;
} retryable_errnos[] =
    {
        {EAGAIN, SHARED_EREMOTE},        {EINTR, SHARED_EREMOTE},
        {EBUSY, SHARED_EREMOTE},         {ETIMEDOUT, SHARED_ETIMEOUT},
        {ENOMEM, SHARED_ENOMEM},         {ENOBUFS, SHARED_ENOMEM},
        {EMFILE, SHARED_EREMOTE},        {ENFILE, SHARED_EREMOTE},
        {ENOSPC, SHARED_EREMOTE},        {EDQUOT, SHARED_EREMOTE},
        {ESTALE, SHARED_EREMOTE},        {ECONNREFUSED, SHARED_ECLOSED},
        {ECONNRESET, SHARED_ECLOSED},    {ECONNABORTED, SHARED_ECLOSED},
        {EPIPE, SHARED_ECLOSED},         {ENOTCONN, SHARED_ECLOSED},
        {ESHUTDOWN, SHARED_ECLOSED},     {ENETDOWN, SHARED_ECLOSED},
        {ENETUNREACH, SHARED_ECLOSED},   {ENETRESET, SHARED_ECLOSED},
        {EHOSTDOWN, SHARED_ECLOSED},     {EHOSTUNREACH, SHARED_ECLOSED},
        {EADDRNOTAVAIL, SHARED_EREMOTE}, /* all local ports are in use */
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The beginning of an SQLSTATE fits, the words of a reply fit up to a space or its end. */
static bool row_fits(const struct text_row *row, const char *text, bool words) {
    if (!text || !text_starts(text, row->key)) return false;
    char next = text[strlen(row->key)];
    return !words || next == ' ' || next == '\0';
}

static struct text_row row_find(const struct text_row *rows, size_t count, const char *text,
                                bool words) {
    struct text_row found = {.class = SHARED_PERMANENT, .code = SHARED_EREMOTE};
    for (size_t i = 0; i < count; i++)
        if (row_fits(&rows[i], text, words)) found = rows[i];
    return found;
}

static struct text_row sqlstate_find(const char *sqlstate) {
    bool whole = sqlstate && strlen(sqlstate) == 5; /* "53" alone is no SQLSTATE */
    return row_find(sqlstates, COUNT(sqlstates), whole ? sqlstate : NULL, false);
}

static struct text_row errno_find(int number) {
    for (size_t i = 0; i < COUNT(retryable_errnos); i++)
        if (retryable_errnos[i].number == number)
            return (struct text_row){.class = SHARED_RETRYABLE, .code = retryable_errnos[i].code};
    return (struct text_row){.class = SHARED_PERMANENT, .code = SHARED_EREMOTE};
}

static struct text_row reply_find(const char *reply) {
    return row_find(replies, COUNT(replies), reply, true);
}

int32_t shared_classify_sqlstate(const char *sqlstate) {
    return sqlstate_find(sqlstate).class;
}

int32_t shared_classify_errno(int32_t number) {
    return errno_find(number).class;
}

int32_t shared_classify_redis(const char *reply) {
    return reply_find(reply).class;
}

/* --- making errors -------------------------------------------------------------------------------- */

/* Cuts a text that was longer than its room on a character boundary, and makes it one clean line. */
static void text_settle(char *text, size_t room, size_t wanted) {
    if (wanted >= room) {
        size_t size = room - 1;
        while (size && ((unsigned char)text[size - 1] & 0xc0) == 0x80) size--;
        if (size && (unsigned char)text[size - 1] >= 0xc0) size--; /* its first byte */
        text[size] = '\0';
    }
    text_tidy(text);
}

static void text_set(char *text, size_t room, const char *value) {
    int wanted = snprintf(text, room, "%s", value ? value : "");
    text_settle(text, room, wanted < 0 ? 0 : (size_t)wanted);
}

__attribute__((format(printf, 2, 0))) static void message_set(struct shared_error *error,
                                                              const char *format,
                                                              va_list arguments) {
    int wanted = vsnprintf(error->message, sizeof error->message, format, arguments);
    if (wanted < 0) wanted = 0;
    text_settle(error->message, sizeof error->message, (size_t)wanted);
}

/* The values may point into `error` itself, so it is written last. */
__attribute__((format(printf, 4, 0))) static void error_fill(struct shared_error *error,
                                                             int32_t domain, int32_t code,
                                                             const char *format,
                                                             va_list arguments) {
    struct shared_error made = {.class = SHARED_PERMANENT, .domain = SHARED_CALLER, .code = code};
    for (size_t i = 0; i < COUNT(codes); i++) {
        if (codes[i].code != code) continue;
        made.class = codes[i].class;
        made.domain = codes[i].domain;
    }
    if (domain) made.domain = domain;
    message_set(&made, format, arguments);
    *error = made;
}

void operation_begin_in(const char *function) {
    if (text_starts(function, "shared_")) operation = function;
}

const char *operation_current(void) {
    return operation;
}

shared_status fail_in(const char *function, int32_t code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error_fill(&last, 0, code, format, arguments);
    va_end(arguments);
    last.operation = text_starts(function, "shared_") ? function : operation;
    return code;
}

shared_status fail_with(const struct shared_error *error) {
    if (error != &last) last = *error;
    if (!last.operation) last.operation = operation;
    return last.code;
}

void error_set(struct shared_error *error, int32_t domain, int32_t code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error_fill(error, domain, code, format, arguments);
    va_end(arguments);
}

void error_set_errno(struct shared_error *error, int number, const char *what) {
    struct text_row row = errno_find(number);
    char reason[128];
    error_set(error, SHARED_SYSTEM, row.code, "%s: %s", what,
              strerror_r(number, reason, sizeof reason));
    error->class = row.class;
}

void error_set_postgres(struct shared_error *error, const char *sqlstate, const char *message,
                        const char *detail) {
    struct text_row row = sqlstate_find(sqlstate);
    struct shared_error made = {.class = row.class, .domain = SHARED_POSTGRES, .code = row.code};
    text_set(made.sqlstate, sizeof made.sqlstate, sqlstate);
    text_set(made.message, sizeof made.message, message);
    text_set(made.detail, sizeof made.detail, detail);
    text_set(made.hint, sizeof made.hint, row.hint);
    *error = made;
}

void error_set_ours(struct shared_error *error) {
    error->code = SHARED_ECANCELLED;
    error->class = SHARED_RETRYABLE;
    error->hint[0] = '\0';
}

void error_add_hint(struct shared_error *error, const char *hint) {
    if (hint && *hint) text_set(error->hint, sizeof error->hint, hint);
}

/* Only where the server gives no detail: with one it names the constraint in its message. */
void error_add_names(struct shared_error *error, const char *constraint, const char *table,
                     const char *column) {
    bool says = constraint && *constraint, of_column = column && *column;
    if (*error->detail || !table || !*table || (!says && !of_column)) return;
    int wanted = snprintf(error->detail, sizeof error->detail, "%s %s of table %s",
                          says ? "constraint" : "column", says ? constraint : column, table);
    text_settle(error->detail, sizeof error->detail, wanted < 0 ? 0 : (size_t)wanted);
}

void error_set_redis(struct shared_error *error, const char *reply) {
    struct text_row row = reply_find(reply);
    error_set(error, SHARED_REDIS, row.code, "%s", reply ? reply : "");
    error->class = row.class;
    text_set(error->hint, sizeof error->hint, row.hint);
}

_Noreturn void check_failed(const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "libshared: %s:%d: check failed: %s\n", file, line, condition);
    abort();
}

/* --- reading errors ------------------------------------------------------------------------------- */

const shared_error *shared_error_last(void) {
    return &last;
}

int32_t shared_error_class(const shared_error *error) {
    return error ? error->class : 0;
}

int32_t shared_error_domain(const shared_error *error) {
    return error ? error->domain : 0;
}

int32_t shared_error_code(const shared_error *error) {
    return error ? error->code : SHARED_OK;
}

const char *shared_error_sqlstate(const shared_error *error) {
    return error ? error->sqlstate : "";
}

const char *shared_error_message(const shared_error *error) {
    return error ? error->message : "";
}

const char *shared_error_detail(const shared_error *error) {
    return error ? error->detail : "";
}

const char *shared_error_hint(const shared_error *error) {
    return error ? error->hint : "";
}

const char *shared_error_operation(const shared_error *error) {
    return error && error->operation ? error->operation : "";
}
