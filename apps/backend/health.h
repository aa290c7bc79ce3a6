/* SPDX-License-Identifier: MIT
 * health.h - whether the servers answer: asked every two seconds, so that a probe costs nothing and is
 * never held up by what it asks about.
 */
#ifndef BACKEND_HEALTH_H
#define BACKEND_HEALTH_H

#include "server.h"

enum health_part { HEALTH_POSTGRES, HEALTH_REDIS, HEALTH_RELAY };

struct health *health_new(void);
void health_free(struct server *server);
/* Asks again when it is time to; starts what waits for the servers (the relay). */
void health_tick(struct server *server);
/* The server answers; the relay runs. */
bool health_has(const struct server *server, enum health_part part);
/* Both servers have answered once since the start. */
bool health_is_started(const struct server *server);
/* 0: go on. Else the exit code: they did not answer in time, or said what no time mends (logged). */
int health_verdict(const struct server *server);

#endif
