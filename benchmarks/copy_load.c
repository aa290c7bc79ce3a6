/* SPDX-License-Identifier: MIT
 * copy_load.c - copies a file into a table by COPY, as `psql \copy` does, and prints the seconds until it is
 * committed. The connection is open before the clock starts.
 */
#include <string.h>

#include "load.h"

enum { TAG_PING = 1, TAG_COPY, TAG_COMMIT, TAG_WRITE, PIECE = 256 * 1024 };

/* Two pieces at a time: one is sent while the other is read. */
static void write_file(shared_client *client, shared_session *session, FILE *file) {
    static char piece[PIECE];
    for (uint64_t number = 0;; number++) {
        size_t size = fread(piece, 1, sizeof piece, file);
        if (number >= 2) (void)wait_done(client, TAG_WRITE + number % 2);
        if (!size) break;
        must(shared_session_copy_write(session, piece, size, TAG_WRITE + number % 2));
    }
    must(shared_session_copy_end(session, NULL));
}

int main(int count, char **words) {
    shared_session *session = NULL;
    FILE *file = count == 3 ? fopen(words[2], "r") : NULL;
    if (!file) return fprintf(stderr, "usage: copy-load SQL FILE\n"), 64;
    shared_client *client = connect_client();
    must(shared_session_new(client, &session));
    must(shared_session_begin(session, SHARED_READ_COMMITTED, 0));
    must(shared_session_commit(session, TAG_PING));
    (void)wait_done(client, TAG_PING);

    double started = now_s(), cpu_started = cpu_s();
    must(shared_session_copy_in(session, words[1], TAG_COPY));
    write_file(client, session, file);
    must(shared_session_commit(session, TAG_COMMIT));
    (void)wait_done(client, TAG_COPY);
    (void)wait_done(client, TAG_COMMIT);
    print_times(started, cpu_started);

    (void)fclose(file);
    shared_session_free(session);
    shared_client_free(client);
    return 0;
}
