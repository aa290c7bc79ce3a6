/* SPDX-License-Identifier: MIT
 * lookup.c - names to addresses by getaddrinfo, on a helper thread. Never caches: the system does.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "net/resolver.h"

static struct lookup *lookup_of(struct job *job) {
    return (struct lookup *)((char *)job - offsetof(struct lookup, job));
}

static void lookup_work(struct job *job) {
    struct lookup *lookup = lookup_of(job);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    lookup->status = getaddrinfo(lookup->host, NULL, &hints, &found);
    if (lookup->status != 0) return;
    for (struct addrinfo *at = found; at && lookup->count < RESOLVER_ADDRESSES_MAX;
         at = at->ai_next) {
        int status = getnameinfo(at->ai_addr, at->ai_addrlen, lookup->addresses[lookup->count],
                                 RESOLVER_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST);
        if (status == 0) lookup->count++;
    }
    if (lookup->count == 0) lookup->status = EAI_NONAME;
    freeaddrinfo(found);
}

static void lookup_done(struct job *job) {
    struct lookup *lookup = lookup_of(job);
    if (job->orphaned) lookup->owner = NULL;
    lookup->finish(lookup);
}

bool lookup_is_numeric(const char *host) {
    char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

void lookup_error(const struct lookup *lookup, const char *what, struct shared_error *error) {
    /* A name that is not known now may be known in a minute: clusters name services as they start. */
    error_set(error, SHARED_SYSTEM, SHARED_ECLOSED, "%s: host %s: %s", what, lookup->host,
              gai_strerror(lookup->status));
}

shared_status lookup_start(shared_client *client, struct lookup *lookup, const char *host) {
    if (strlen(host) >= sizeof lookup->host)
        return fail(SHARED_EINVALID, "host: %zu bytes, at most %zu", strlen(host),
                    sizeof lookup->host - 1);
    (void)snprintf(lookup->host, sizeof lookup->host, "%s", host);
    lookup->count = 0;
    lookup->status = 0;
    lookup->job = (struct job){.work = lookup_work, .finish = lookup_done};
    return resolver_submit(client, CLIENT_RESOLVER, &lookup->job);
}
