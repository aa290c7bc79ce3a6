/* SPDX-License-Identifier: MIT
 * calls.h - what is under way in the library: which tag belongs to whom. An owner that goes away
 * forgets its tag; the events that still come are then dropped.
 */
#ifndef BACKEND_CALLS_H
#define BACKEND_CALLS_H

#include "server.h"

typedef void call_answer(void *owner, const shared_event *event);

struct calls *calls_new(void);
void calls_free(struct calls *calls);
/* A tag for one request to the library; answer is called for each of its events. 0 without memory. */
uint64_t call_start(struct server *server, call_answer *answer, void *owner);
/* The library did not accept the request: no event will come. */
void call_drop(struct server *server, uint64_t tag);
/* The owner goes away. Accepts 0. */
void call_forget(struct server *server, uint64_t tag);
/* The same, and the library is asked to stop it. */
void call_cancel(struct server *server, uint64_t tag);
/* Hands an event to its owner. */
void calls_answer(struct server *server, const shared_event *event);

#endif
