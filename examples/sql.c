/* SPDX-License-Identifier: MIT
 * sql.c - runs any SQL and prints what comes back, value by value as its type has it; words are bound to
 * $1, $2, ... as text. Rows come as a stream, so a million of them take no more memory than ten.
 *
 *     ./sql 'SELECT id, created_at, tags FROM things WHERE id = $1' thing-1
 */
#include <inttypes.h>
#include <string.h>

#include "example.h"

enum { TAG_ROWS = 1, TIMEOUT_MS = 30000, ROWS_PER_EVENT = 500 };

static void show_array(shared_record *row, int32_t field) {
    for (int32_t i = 0; i < shared_record_array_count(row, field); i++) {
        printf("%s", i ? "," : "[");
        if (shared_record_array_is_null(row, field, i))
            printf("null");
        else if (shared_record_type(row, field) == SHARED_TYPE_INT_ARRAY)
            printf("%" PRId64, shared_record_array_int(row, field, i));
        else
            printf("\"%s\"", shared_record_array_text(row, field, i, NULL));
    }
    printf("]");
}

static void show_value(shared_record *row, int32_t field) {
    size_t size = 0;
    switch (shared_record_type(row, field)) {
    case SHARED_TYPE_INT: printf("%" PRId64, shared_record_int(row, field)); break;
    case SHARED_TYPE_FLOAT: printf("%g", shared_record_float(row, field)); break;
    case SHARED_TYPE_BOOL: printf("%s", shared_record_bool(row, field) ? "yes" : "no"); break;
    case SHARED_TYPE_TIME: printf("%" PRId64 " us", shared_record_time(row, field)); break;
    case SHARED_TYPE_BYTES:
        shared_record_bytes(row, field, &size);
        printf("%zu bytes", size);
        break;
    case SHARED_TYPE_TEXT_ARRAY:
    case SHARED_TYPE_INT_ARRAY: show_array(row, field); break;
    default: fwrite(shared_record_text(row, field), 1, shared_record_text_size(row, field), stdout);
    }
}

static void show_row(shared_record *row) {
    for (int32_t i = 0; i < shared_record_count(row); i++) {
        int32_t field = shared_record_field(row, i);
        printf("%s%s: ", i ? ", " : "", shared_record_name(row, field));
        if (shared_record_is_null(row, field))
            printf("null");
        else
            show_value(row, field);
    }
    printf("\n");
}

int main(int count, char **words) {
    if (count < 2) return fprintf(stderr, "usage: sql SQL [VALUE ...]\n"), 64;
    shared_client *client = connect_client();
    shared_session *session = NULL;
    shared_query *query = NULL;
    const shared_event *event = NULL;
    must(shared_session_new(client, &session), "session");
    must(shared_query_new(0, words[1], &query), "query");
    for (int i = 2; i < count; i++)
        must(shared_query_bind_text(query, i - 1, words[i], strlen(words[i])), "value");
    must(shared_query_read_only(query), "query");
    must(shared_session_stream(session, query, ROWS_PER_EVENT, TAG_ROWS), "stream");
    do {
        must(shared_client_wait(client, TAG_ROWS, TIMEOUT_MS, &event), "stream");
        for (int64_t i = 0; shared_event_more(event) && i < shared_event_count(event); i++)
            show_row(shared_event_record(event, i));
    } while (shared_event_more(event));
    printf("%lld rows\n", (long long)shared_event_count(event));
    shared_query_free(query);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
