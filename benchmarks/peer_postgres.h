/* SPDX-License-Identifier: MIT
 * peer_postgres.h - what the bare libpq peers share: the connection of DATABASE_URL, or the end.
 */
#ifndef PEER_POSTGRES_H
#define PEER_POSTGRES_H

#include <libpq-fe.h>

#include "load.h"

_Noreturn static inline void give_up(PGconn *connection) {
    fprintf(stderr, "%s\n", PQerrorMessage(connection));
    exit(1);
}

static inline PGconn *connect_peer(void) {
    PGconn *connection = PQconnectdb(getenv("DATABASE_URL"));
    if (PQstatus(connection) != CONNECTION_OK) give_up(connection);
    return connection;
}

#endif
