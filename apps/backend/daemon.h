/* SPDX-License-Identifier: MIT
 * daemon.h - libmicrohttpd inside our loop: it parses, we decide. The only file besides reply.c and
 * request.c that knows it.
 */
#ifndef BACKEND_DAEMON_H
#define BACKEND_DAEMON_H

#include "server.h"

/* false: it did not start (logged). */
bool daemon_start(struct server *server);
/* Moves requests. true: there is more to do at once. */
bool daemon_run(struct server *server);
/* Accepts no more connections: the next ones are refused. */
void daemon_quiesce(struct server *server);
void daemon_stop(struct server *server);

#endif
