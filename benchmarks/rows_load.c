/* SPDX-License-Identifier: MIT
 * rows_load.c - streams the rows of a query into a file, as `psql -At` does, and prints the seconds and the
 * most memory that this process had.
 */
#include <string.h>

#include "load.h"

enum { TAG_PING = 1, TAG_ROWS, ROWS_PER_EVENT = 1000 };

static void write_row(FILE *file, const shared_record *row) {
    int32_t count = shared_record_count(row);
    for (int32_t i = 0; i < count; i++) {
        if (i) putc_unlocked('|', file);
        fwrite_unlocked(shared_record_text(row, i), 1, shared_record_text_size(row, i), file);
    }
    putc_unlocked('\n', file);
}

/* Most that was resident; getrusage would tell the parent's from before exec. */
static long resident_kb_max(void) {
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) kb = strtol(line + 6, NULL, 10);
    if (status) (void)fclose(status);
    return kb;
}

static int64_t write_rows(shared_client *client, FILE *file) {
    for (;;) {
        const shared_event *event = wait_done(client, TAG_ROWS);
        if (!shared_event_more(event)) return shared_event_count(event);
        for (int64_t i = 0; i < shared_event_count(event); i++)
            write_row(file, shared_event_record(event, i));
    }
}

int main(int count, char **words) {
    shared_query *query = NULL;
    shared_session *session = NULL;
    FILE *file = count == 3 ? fopen(words[2], "w") : NULL;
    if (!file) return fprintf(stderr, "usage: rows-load SQL FILE\n"), 64;
    shared_client *client = connect_client();
    must(shared_session_new(client, &session));
    must(shared_session_begin(session, SHARED_READ_COMMITTED, 0)); /* opens the connection */
    must(shared_session_commit(session, TAG_PING));
    (void)wait_done(client, TAG_PING);
    must(shared_query_new(0, words[1], &query));
    must(shared_query_read_only(query));

    double started = now_s();
    must(shared_session_stream(session, query, ROWS_PER_EVENT, TAG_ROWS));
    int64_t rows = write_rows(client, file);
    if (fclose(file) != 0) return 1;
    double seconds = now_s() - started;
    printf("{\"seconds\": %.6f, \"rows\": %lld, \"kb\": %ld}\n", seconds, (long long)rows,
           resident_kb_max());

    shared_query_free(query);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
