/* SPDX-License-Identifier: MIT
 * redis_roles.c - which connection serves which purpose: the table of roles, and the client's set of
 * connections. Never connects: the first command does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/redis_private.h"

enum { SHARES_MAX = 2 };

static const struct {
    const char *variable;
    bool listens;
    int32_t share_count;
    enum redis_role
        shares[SHARES_MAX]; /* whose connection it uses when server and database are alike */
} roles[REDIS_ROLES] = {
    [REDIS_PROGRESS] = {.variable = "REDIS_URL"},
    [REDIS_LISTEN] = {.variable = "REDIS_URL", .listens = true},
    [REDIS_BROKER] = {"CELERY_BROKER_URL", false, 1, {REDIS_PROGRESS}},
    [REDIS_BLOCK] = {.variable = "CELERY_BROKER_URL"},
    [REDIS_RESULT] = {"CELERY_RESULT_BACKEND", false, 2, {REDIS_BROKER, REDIS_PROGRESS}},
    [REDIS_RESULT_LISTEN] = {.variable = "CELERY_RESULT_BACKEND", .listens = true},
};

struct connections {
    struct redis *by_role[REDIS_ROLES]; /* may be another role's */
    struct redis *own[REDIS_ROLES];
};

static void connections_stop(void *state) {
    struct connections *connections = state;
    for (int32_t i = 0; i < REDIS_ROLES; i++) redis_free(connections->own[i]);
    free(connections);
}

static struct connections *connections_get(shared_client *client) {
    struct connections *connections = client_state(client, CLIENT_REDIS);
    if (connections) return connections;
    if (client_is_ending(client)) {
        (void)fail(SHARED_ECANCELLED, "client: it is being freed");
        return NULL;
    }
    connections = calloc(1, sizeof *connections);
    if (connections)
        client_set_state(client, CLIENT_REDIS, connections, connections_stop);
    else
        (void)fail(SHARED_ENOMEM, "redis: out of memory");
    return connections;
}

static shared_status role_url(const shared_client *client, enum redis_role role,
                              struct redis_url *out) {
    const char *variable = roles[role].variable;
    return url_parse_redis(variable, shared_config_get(client_config(client), variable), out);
}

/* The role whose connection does too, or role itself. */
static enum redis_role role_shared(const shared_client *client, enum redis_role role,
                                   const struct redis_url *url) {
    for (int32_t i = 0; i < roles[role].share_count; i++) {
        enum redis_role other = roles[role].shares[i];
        struct redis_url theirs;
        if (role_url(client, other, &theirs) < 0) continue;
        if (url_same_server(url, &theirs) && url->database == theirs.database) return other;
    }
    return role;
}

struct redis *client_redis(shared_client *client, enum redis_role role) {
    struct connections *connections = connections_get(client);
    if (!connections) return NULL;
    if (connections->by_role[role]) return connections->by_role[role];
    struct redis_url url;
    if (role_url(client, role, &url) < 0) return NULL;
    enum redis_role other = role_shared(client, role, &url);
    if (other != role) return connections->by_role[role] = client_redis(client, other);
    if (url.warned_double_database)
        log_format("redis", SHARED_WARNING, "%s: names its database twice; once is enough",
                   roles[role].variable);
    struct redis *redis = redis_new(client, roles[role].variable, &url);
    if (redis) redis->listens = roles[role].listens;
    connections->own[role] = redis;
    return connections->by_role[role] = redis;
}
