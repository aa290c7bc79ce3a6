/* SPDX-License-Identifier: MIT
 * postgres_result.c - what libpq hands out, in our terms: rows that point into a PGresult, and errors.
 * Never copies a value, and decides no class: base/error.c does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "net/postgres_private.h"

/* --- rows ----------------------------------------------------------------------------------------- */

struct result_rows {
    struct rows rows; /* first */
    PGresult *result;
};

static const PGresult *result_of(const struct rows *rows) {
    return ((const struct result_rows *)rows)->result;
}

static int64_t result_count(const struct rows *rows) {
    return PQntuples(result_of(rows));
}

static int32_t result_columns(const struct rows *rows) {
    return PQnfields(result_of(rows));
}

static const char *result_name(const struct rows *rows, int32_t column) {
    return PQfname(result_of(rows), column);
}

static uint32_t result_type(const struct rows *rows, int32_t column) {
    return PQftype(result_of(rows), column);
}

static const char *result_value(const struct rows *rows, int64_t row, int32_t column,
                                size_t *size) {
    const PGresult *result = result_of(rows);
    *size = (size_t)PQgetlength(result, (int)row, column);
    if (!*size && PQgetisnull(result, (int)row, column)) return NULL;
    return PQgetvalue(result, (int)row, column);
}

static void result_free(struct rows *rows) {
    PQclear(((struct result_rows *)rows)->result);
    free(rows);
}

static const struct rows_methods result_methods = {
    .count = result_count,
    .columns = result_columns,
    .name = result_name,
    .type = result_type,
    .value = result_value,
    .free = result_free,
};

struct rows *rows_from_result(PGresult *result) {
    struct result_rows *rows = malloc(sizeof *rows);
    if (!rows) {
        PQclear(result);
        return NULL;
    }
    *rows = (struct result_rows){.rows = {.methods = &result_methods, .references = 1},
                                 .result = result};
    return &rows->rows;
}

/* --- errors --------------------------------------------------------------------------------------- */

static const char *field(const PGresult *result, int code) {
    const char *text = PQresultErrorField(result, code);
    return text ? text : "";
}

void error_from_result(struct shared_error *error, const PGresult *result) {
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!*message) message = PQresultErrorMessage(result); /* libpq's own */
    error_set_postgres(error, field(result, PG_DIAG_SQLSTATE), message,
                       field(result, PG_DIAG_MESSAGE_DETAIL));
    error_add_hint(error, field(result, PG_DIAG_MESSAGE_HINT));
    error_add_names(error, field(result, PG_DIAG_CONSTRAINT_NAME),
                    field(result, PG_DIAG_TABLE_NAME), field(result, PG_DIAG_COLUMN_NAME));
}

void error_add_context(struct shared_error *error, const PGresult *result) {
    const char *context = field(result, PG_DIAG_CONTEXT);
    size_t size = strlen(error->detail);
    if (*context)
        (void)snprintf(error->detail + size, sizeof error->detail - size, "%s%s", size ? "; " : "",
                       context);
}

/* The server said nothing: the connection broke under the statement, or libpq had no memory. */
bool result_is_of_libpq(const PGresult *result) {
    return !*field(result, PG_DIAG_SQLSTATE);
}

bool result_is_fatal(const PGresult *result) {
    const char *severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return !strcmp(severity, "FATAL") || !strcmp(severity, "PANIC");
}

/* A migration changed what its columns are, somebody (a pooler, DISCARD ALL) made the server forget it, or
 * it is there already, as another client of a pooler prepared it. 0A000 stands for much else, so it counts only from where plans are checked. */
bool result_is_stale(const PGresult *result) {
    const char *sqlstate = field(result, PG_DIAG_SQLSTATE);
    if (!strcmp(sqlstate, "26000") || !strcmp(sqlstate, "42P05")) return true;
    return !strcmp(sqlstate, "0A000") &&
           !strcmp(field(result, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery");
}

bool result_shows_pooler(const PGresult *result) {
    return !strcmp(field(result, PG_DIAG_SQLSTATE), "42P05");
}

static bool is_sqlstate(const char *text) {
    for (int32_t i = 0; i < 5; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return text[5] == ':';
}

/* The last ":  28P01: " of a text, which is there because connections start out PQERRORS_VERBOSE; in every
 * language. Cuts it out, and the LOCATION line behind it. */
static void sqlstate_cut(char *text, char sqlstate[6]) {
    sqlstate[0] = '\0';
    char *found = NULL;
    for (char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  "))
        if (is_sqlstate(at + 3)) found = at + 1;
    if (!found) return;
    memcpy(sqlstate, found + 2, 5);
    sqlstate[5] = '\0';
    memmove(found + 1, found + 9, strlen(found + 9) + 1);
    char *line = strchr(found, '\n');
    if (line) *line = '\0';
}

static void newlines_cut(char *text) {
    for (size_t size = strlen(text); size && text[size - 1] == '\n'; size--) text[size - 1] = '\0';
}

void error_from_connection(struct shared_error *error, const PGconn *connection, const char *what) {
    char sqlstate[6], text[ERROR_MESSAGE_SIZE];
    const char *said = PQerrorMessage(connection);
    (void)snprintf(text, sizeof text, "%s", said && *said ? said : what);
    sqlstate_cut(text, sqlstate);
    newlines_cut(text);
    if (*sqlstate)
        error_set_postgres(error, sqlstate, text, NULL);
    else
        error_set(error, SHARED_POSTGRES, SHARED_ECLOSED, "%s", text);
}

/* Between statements the server has only this way to say why it hangs up; in a hurry, after a crash or
 * at an immediate shutdown, it says so as a mere warning (57P0x). */
void postgres_notice(void *owner, const PGresult *result) {
    struct postgres *postgres = owner;
    postgres->notice_count++;
    if (result_is_fatal(result) || text_starts(field(result, PG_DIAG_SQLSTATE), "57P0")) {
        error_from_result(&postgres->cause, result);
        postgres->has_cause = true;
    } else {
        log_format("postgres", SHARED_DEBUG, "%s", field(result, PG_DIAG_MESSAGE_PRIMARY));
    }
}
