/* SPDX-License-Identifier: MIT
 * client_fixture.h - a client with the settings that a test wants, and how tests wait: on the client's
 * descriptor, with a deadline, never by sleeping.
 */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include <poll.h>
#include <shared.h>
#include <stdbool.h>

#include "base/time.h"
#include "net/client.h"
#include "unit.h"

enum { PATIENCE_MS = 10000 };

/* Settings of the machine must not decide a test. settings: name, value, name, value, NULL. */
static inline shared_client *client_make(const char *const *settings) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    for (int32_t i = 0; shared_config_name(i); i++) (void)unsetenv(shared_config_name(i));
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    for (; settings && *settings; settings += 2)
        ck_assert_msg(shared_config_set(config, settings[0], settings[1]) == SHARED_OK, "%s",
                      shared_error_message(shared_error_last()));
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    return client;
}

static inline bool client_readable(const shared_client *client) {
    struct pollfd poll_fd = {.fd = shared_client_fd(client), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

/* Dispatches until *flag, which a callback sets, is at least wanted. */
static inline void client_until(shared_client *client, const int *flag, int wanted) {
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    while (*flag < wanted) {
        ck_assert_msg(time_monotonic_ms() < end_ms, "waited too long: %d, wanted %d", *flag,
                      wanted);
        ck_assert_int_ge(shared_client_dispatch(client, 20), 0);
    }
}

#endif
