/* SPDX-License-Identifier: MIT
 * linger.h - connections that were taken out of libmicrohttpd to say one last thing: the answer goes
 * out, our side is closed, and what the client still sends is read and dropped for a while, since one
 * that is busy sending (Python's http.client, node's fetch) sees an answer only if its sending works.
 */
#ifndef BACKEND_LINGER_H
#define BACKEND_LINGER_H

#include "server.h"
#include "text.h"

struct lingers *lingers_new(void);
void lingers_free(struct lingers *lingers);
/* Takes fd and bytes over. */
void linger_start(struct server *server, int fd, struct text *bytes);
void lingers_sweep(struct server *server);
int lingers_open(const struct lingers *lingers);

#endif
