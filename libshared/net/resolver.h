/* SPDX-License-Identifier: MIT
 * resolver.h - the two helper threads of a client, one each for the two calls that block and have no other form:
 * getaddrinfo and PQcancel. PQcancel knows no end when a server takes it and falls silent, so no name may wait
 * behind it. Each is started when first needed; numeric addresses and sockets need none.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>

#include "net/client.h"

enum { RESOLVER_ADDRESSES_MAX = 8, RESOLVER_ADDRESS_SIZE = 48 };

struct job {
    void (*work)(struct job *job);   /* on a helper thread; touches nothing but the job */
    void (*finish)(struct job *job); /* on the client's thread; frees the job */
    bool orphaned;                   /* the client was freed: finish frees only, on any thread */
    struct job *next;
};
/* slot: CLIENT_RESOLVER or CLIENT_CANCELLER. Takes the job over; finish is always called. shared_client_free
 * does not wait for a slow one: its finish comes when its work is done, with `orphaned` set. SHARED_EBUSY when
 * 64 wait, SHARED_ENOMEM, SHARED_EREMOTE without a thread: then the job stays the caller's. */
shared_status resolver_submit(shared_client *client, enum client_slot slot, struct job *job);
/* true: its work had not begun and never will; it is the caller's again, and finish will not be called. */
bool resolver_withdraw(shared_client *client, enum client_slot slot, struct job *job);

/* A name looked up. finish gets the numeric addresses, or count 0 and the status; it frees lookup. */
struct lookup {
    struct job job;
    char host[256];
    char addresses[RESOLVER_ADDRESSES_MAX][RESOLVER_ADDRESS_SIZE];
    int32_t count;
    int status; /* of getaddrinfo */
    void (*finish)(struct lookup *lookup);
    void *owner; /* NULL: the asker has gone; finish frees only */
};
/* An IPv4 or IPv6 address: needs no lookup. */
bool lookup_is_numeric(const char *host);
/* Why it found nothing, retryable: "WHAT: host HOST: Name or service not known". */
void lookup_error(const struct lookup *lookup, const char *what, struct shared_error *error);
/* lookup (malloc, with finish and owner set) is taken over unless this fails. */
shared_status lookup_start(shared_client *client, struct lookup *lookup, const char *host);

#endif
