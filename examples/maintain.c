/* SPDX-License-Identifier: MIT
 * maintain.c - statements that no transaction takes, one program at a time: a session that keeps its
 * connection holds a lock of PostgreSQL's sessions, then runs VACUUM and shows what it works on.
 *
 *     ./maintain documents
 */
#include <string.h>

#include "example.h"

enum { TAG_QUERY = 1, TIMEOUT_MS = 600000 };

static shared_client *client;
static shared_session *session;
static const shared_event *event;

static void run(const char *sql, const char *value) {
    shared_query *query = NULL;
    must(shared_query_new(0, sql, &query), sql);
    if (value) must(shared_query_bind_text(query, 1, value, strlen(value)), sql);
    must(shared_query_autocommit(query), sql);
    must(shared_session_query(session, query, TAG_QUERY), sql);
    must(shared_client_wait(client, TAG_QUERY, TIMEOUT_MS, &event), sql);
    shared_query_free(query);
}

/* Columns have names and types also where there is no row. */
static void show_columns(void) {
    for (int32_t i = 0; i < shared_event_columns(event); i++)
        printf("%s of type %lld\n", shared_event_column_name(event, i),
               (long long)shared_event_column_type(event, i));
}

int main(int count, char **words) {
    char sql[128];
    if (count != 2 || strspn(words[1], "abcdefghijklmnopqrstuvwxyz_") != strlen(words[1]))
        return fprintf(stderr, "usage: maintain TABLE\n"), 64;
    snprintf(sql, sizeof sql, "VACUUM (ANALYZE) %.60s", words[1]);
    client = connect_client();
    must(shared_session_new(client, &session), "session");
    must(shared_session_pin(session), "pin");
    run("SELECT pg_advisory_lock(hashtext($1))", words[1]);
    run(sql, NULL);
    printf("%s\n", sql);
    snprintf(sql, sizeof sql, "SELECT * FROM %.60s WHERE false", words[1]);
    run(sql, NULL);
    show_columns();
    run("SELECT pg_advisory_unlock(hashtext($1))", words[1]);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
