/* SPDX-License-Identifier: MIT
 * commit_peer.c - the peer of commit_load.c: the same rows by prepared statements of libpq, each sent and
 * waited for by itself between BEGIN and COMMIT.
 */
#include "peer_postgres.h"

enum { CHUNKS = 10 };
static const char insert_document[] = "INSERT INTO documents (id, file_name) VALUES ($1, $2)";
static const char insert_chunk[] = "INSERT INTO document_chunks (id, document_id, chunk_index,"
                                   " content) VALUES ($1, $2, $3, $4)";

static void check(PGconn *connection, PGresult *result) {
    if (PQresultStatus(result) != PGRES_COMMAND_OK) give_up(connection);
    PQclear(result);
}

static void run(PGconn *connection, const char *name, int count, const char *const *values) {
    check(connection, PQexecPrepared(connection, name, count, values, NULL, NULL, 0));
}

static void store_document(PGconn *connection, const char *id) {
    char chunk_id[64], index[16];
    check(connection, PQexec(connection, "BEGIN"));
    run(connection, "document", 2, (const char *[]){id, "lease.pdf"});
    for (int i = 0; i < CHUNKS; i++) {
        snprintf(chunk_id, sizeof chunk_id, "%.50s-%d", id, i);
        snprintf(index, sizeof index, "%d", i);
        run(connection, "chunk", 4,
            (const char *[]){chunk_id, id, index, "The tenant shall give notice in writing."});
    }
    check(connection, PQexec(connection, "COMMIT"));
}

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: commit-peer PREFIX COUNT\n"), 64;
    PGconn *connection = connect_peer();
    char id[64];
    check(connection, PQprepare(connection, "document", insert_document, 0, NULL));
    check(connection, PQprepare(connection, "chunk", insert_chunk, 0, NULL));
    snprintf(id, sizeof id, "%.40s-warm", words[1]);
    store_document(connection, id);

    double started = now_s(), cpu_started = cpu_s();
    for (int64_t i = 0; i < atoll(words[2]); i++) {
        snprintf(id, sizeof id, "%.40s-%lld", words[1], (long long)i);
        store_document(connection, id);
    }
    print_times(started, cpu_started);
    PQfinish(connection);
    return 0;
}
