/* SPDX-License-Identifier: MIT
 * load.h - what the load programs share: settings from the environment, a clock, a word at the end. They use
 * libshared as any program does, by its headers.
 */
#ifndef LOAD_H
#define LOAD_H

#include <inttypes.h>
#include <shared.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn static inline void load_die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, shared_error_message(shared_error_last()));
    exit(EXIT_FAILURE);
}

/* What must hold; not an assert, which a release build leaves out. */
static inline void load_require(bool holds, const char *what) {
    if (!holds) load_die(what);
}

static inline int64_t load_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline shared_client *load_client(void) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    load_require(shared_config_from_env(&config) == SHARED_OK, "settings");
    shared_log_configure(config);
    load_require(shared_client_new(config, &client) == SHARED_OK, "client");
    shared_config_free(config);
    return client;
}

static inline shared_session *load_session(shared_client *client) {
    shared_session *session = NULL;
    load_require(shared_session_new(client, &session) == SHARED_OK, "session");
    return session;
}

#endif
