/* SPDX-License-Identifier: MIT
 * example.h - what the examples share: say what failed, and leave.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <shared.h>
#include <stdio.h>
#include <stdlib.h>

static inline void must(shared_status status, const char *what) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", what, shared_error_message(shared_error_last()));
    exit(1);
}

/* A client with the settings of the environment: DATABASE_URL, REDIS_URL, ... */
static inline shared_client *connect_client(void) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    must(shared_config_from_env(&config), "settings");
    must(shared_client_new(config, &client), "client");
    shared_config_free(config);
    return client;
}

#endif
