/* SPDX-License-Identifier: MIT
 * values.c - a value of every type to the database and back: bound by position, never pasted into text.
 */
#include <string.h>

#include "example.h"

enum { TAG_QUERY = 1, TIMEOUT_MS = 5000 };

static const char sql[] =
    "SELECT $1::text AS a_text, $2::bigint AS a_number, $3 AS a_float, $4 AS a_truth,"
    " $5 AS a_numeric, $6 AS a_time, $7::uuid AS a_uuid, $8::jsonb AS some_json,"
    " $9 AS some_bytes, $10 AS texts, $11 AS numbers, $12::text AS nothing";

static void bind_all(shared_query *query) {
    static const char *const texts[] = {"plaintiff", NULL, "defendant"};
    static const int64_t numbers[] = {1, -2, 9007199254740993};
    static const char json[] = "{\"pages\":[1,2]}";
    must(shared_query_bind_text(query, 1, "Smith v. Jones", 14), "text");
    must(shared_query_bind_int(query, 2, 9007199254740993), "number");
    must(shared_query_bind_float(query, 3, 0.1), "float");
    must(shared_query_bind_bool(query, 4, 1), "truth");
    must(shared_query_bind_numeric(query, 5, "12345678901234567890.05"), "numeric");
    must(shared_query_bind_time(query, 6, 1795000000000000), "time");
    must(shared_query_bind_uuid(query, 7, "01a20e3d-6569-71c2-a7d6-2bc2f4244082"), "uuid");
    must(shared_query_bind_json(query, 8, json, strlen(json)), "json");
    must(shared_query_bind_bytes(query, 9, "\x00\xff", 2), "bytes");
    must(shared_query_bind_text_array(query, 10, texts, 3), "texts");
    must(shared_query_bind_int_array(query, 11, numbers, 3), "numbers");
    must(shared_query_bind_null(query, 12), "nothing");
}

int main(void) {
    shared_client *client = connect_client();
    shared_session *session = NULL;
    shared_query *query = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    must(shared_query_new(0, sql, &query), "query");
    bind_all(query);
    must(shared_session_query(session, query, TAG_QUERY), "query");
    must(shared_client_wait(client, TAG_QUERY, TIMEOUT_MS, &event), "query");
    shared_record *row = shared_event_record(event, 0);
    printf("%s\n", shared_record_json(row));
    printf("model %d: a row of raw SQL\n", shared_record_model(row));
    shared_query_free(query);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
