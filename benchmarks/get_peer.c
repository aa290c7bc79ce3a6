/* SPDX-License-Identifier: MIT
 * get_peer.c - the peer of get_load.c: libpq's pipeline mode and nothing else. A Sync for each 32 reads,
 * as libshared groups them; a prepared statement; poll.
 */
#include <poll.h>

#include "peer_postgres.h"

enum { GROUP = 32 };
static const char statement[] =
    "SELECT id, case_id, file_name, content_type, byte_size, sha256, file_path, extraction_status,"
    " page_count, pages_failed, error, error_class, error_code, attempt, created_at, updated_at"
    " FROM documents WHERE id = $1";

static void send_group(PGconn *connection, const char *id) {
    for (int i = 0; i < GROUP; i++)
        if (!PQsendQueryPrepared(connection, "get", 1, &id, NULL, NULL, 0)) give_up(connection);
    if (!PQpipelineSync(connection)) give_up(connection);
}

/* Waits until the socket moves; reads what came. */
static void turn(PGconn *connection) {
    int unsent = PQflush(connection);
    struct pollfd socket = {.fd = PQsocket(connection),
                            .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
    if (unsent < 0 || poll(&socket, 1, -1) < 0 || !PQconsumeInput(connection)) give_up(connection);
}

/* Results that are there by now: each query's rows, then NULL; two of those in a row: no more. */
static int64_t take(PGconn *connection) {
    int64_t rows = 0;
    for (int nothing = 0; nothing < 2 && !PQisBusy(connection);) {
        PGresult *result = PQgetResult(connection);
        ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
        nothing = result ? 0 : nothing + 1;
        if (status == PGRES_FATAL_ERROR) give_up(connection);
        if (status == PGRES_TUPLES_OK && PQgetvalue(result, 0, 2)) rows++;
        PQclear(result);
    }
    return rows;
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: get-peer DOCUMENT COUNT IN_FLIGHT\n"), 64;
    PGconn *connection = connect_peer();
    PQclear(PQprepare(connection, "get", statement, 0, NULL));
    if (PQsetnonblocking(connection, 1) || !PQenterPipelineMode(connection)) give_up(connection);

    int64_t wanted = atoll(words[2]), in_flight = atoll(words[3]), asked = 0, done = 0;
    double started = now_s(), cpu_started = cpu_s();
    while (done < wanted) {
        for (; asked < wanted && asked + GROUP - done <= in_flight; asked += GROUP)
            send_group(connection, words[1]);
        turn(connection);
        done += take(connection);
    }
    print_times(started, cpu_started);
    PQfinish(connection);
    return 0;
}
