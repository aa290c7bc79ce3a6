/* SPDX-License-Identifier: MIT
 * guard.h - which requests are let in at all, decided from their head alone: first whether the head is
 * one that every HTTP program reads alike (libmicrohttpd 0.9.75 lets smuggled requests through even
 * when told to be strict), then whether it came from where it may. Pure functions.
 */
#ifndef BACKEND_GUARD_H
#define BACKEND_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_TARGET_SIZE_MAX = 12 * 1024, GUARD_ARGUMENTS_MAX = 256 };

/* What one pass over the headers found. Pointers go into the request. */
struct guard {
    int hosts, lengths, encodings;
    bool chunked;
    uint64_t content_length; /* 0 without one */
    const char *host;
    size_t host_size;
    const char *origin;
    size_t origin_size;
    const char *fetch_site;
    size_t fetch_site_size;
    const char *reason; /* why it is refused, a sentence; NULL: nothing found */
};

/* Where a request may come from. Lists are separated by commas or spaces; "" lists nothing. */
struct guard_rules {
    bool any_host;               /* not bound to loopback and no list of hosts: any name is ours */
    const char *bind_host;       /* BACKEND_HOST */
    const char *allowed_hosts;   /* BACKEND_ALLOWED_HOSTS */
    const char *allowed_origins; /* BACKEND_ALLOWED_ORIGINS */
};

/* One header, as often as there are headers; start with an empty struct. */
void guard_header(struct guard *guard, const char *name, size_t name_size, const char *value,
                  size_t value_size);
/* After the last header: 0, or the status to refuse with; then guard->reason is set and the connection
 * must be closed. */
int guard_check(struct guard *guard, const char *method, const char *target, const char *version);
/* Host allow-list, and for methods that change something Sec-Fetch-Site and Origin: 0 or 403. */
int guard_access(struct guard *guard, const struct guard_rules *rules, const char *method);
/* An origin of the list, or that of the page itself. */
bool guard_origin_allowed(const struct guard *guard, const struct guard_rules *rules);

#endif
