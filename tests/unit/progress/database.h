/* SPDX-License-Identifier: MIT
 * database.h - psql as a function, on the private PostgreSQL that with-servers started.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <libpq-fe.h>

#include "world.h"

static PGconn *world_postgres;

/* First value of the first row as text, "" when there is none. */
__attribute__((unused)) static const char *sql_say(const char *sql) {
    static char text[4096];
    if (!world_postgres) {
        world_postgres = PQconnectdb(getenv("TEST_DATABASE_URL"));
        PQclear(PQexec(world_postgres, "SET client_min_messages = warning"));
    }
    PGresult *result = PQexec(world_postgres, sql);
    ExecStatusType status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%.200s: %s", sql,
                  PQerrorMessage(world_postgres));
    snprintf(text, sizeof text, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return text;
}

/* Empty tables, as the first migration makes them. */
__attribute__((unused)) static void database_begin(void) {
    const char *root = getenv("TEST_SOURCE_ROOT");
    char path[4096], *sql = calloc(1, 1 << 20);
    snprintf(path, sizeof path, "%s/deploy/migrations/0001-initial.sql", root ? root : ".");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_uint_gt(fread(sql, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    sql_say("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    sql_say(sql);
    free(sql);
}

#endif
