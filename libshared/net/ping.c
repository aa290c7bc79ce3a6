/* SPDX-License-Identifier: MIT
 * ping.c - asks one server for a sign of life within CONNECT_TIMEOUT_MS. Never keeps anything from it.
 */
#include <stdlib.h>

#include "net/pool.h"
#include "net/redis.h"

struct ping {
    struct command command;
    struct operation operation;
    struct request *request; /* NULL: it ended before the answer came */
    const struct server *server;
};

struct server {
    int32_t domain;
    const char *variable;
    shared_status (*send)(shared_client *client, struct ping *ping);
    enum redis_role role;
};

static void ping_over(struct ping *ping, const struct shared_error *error) {
    struct request *request = ping->request;
    free(ping);
    if (!request) return;
    if (error)
        request_fail(request, error);
    else
        request_end(request);
}

static void redis_answered(struct command *command, const struct reply *reply,
                           const struct shared_error *error) {
    (void)reply;
    ping_over((struct ping *)((char *)command - offsetof(struct ping, command)), error);
}

static void postgres_answered(struct operation *operation, struct rows *rows, int64_t touched,
                              const struct shared_error *error) {
    (void)rows;
    (void)touched;
    ping_over((struct ping *)((char *)operation - offsetof(struct ping, operation)), error);
}

static void ping_cancel(struct request *request, const struct shared_error *why) {
    struct ping *ping = request->owner;
    ping->request =
        NULL; /* its memory stays until the server, or the end of the connection, answers */
    struct shared_error error = *why;
    if (why->code == SHARED_ETIMEOUT)
        error_set(&error, SHARED_SYSTEM, SHARED_ETIMEOUT,
                  "%s: the server gave no sign of life in time", ping->server->variable);
    request_fail(request, &error);
}

static shared_status redis_ping(shared_client *client, struct ping *ping) {
    struct redis *redis = client_redis(client, ping->server->role);
    if (!redis) return shared_error_code(shared_error_last());
    ping->command.finish = redis_answered;
    redis_send(redis, &ping->command, 1, (const char *[]){"PING"}, NULL);
    return SHARED_OK;
}

static shared_status postgres_ping(shared_client *client, struct ping *ping) {
    struct pool *pool = client_pool(client);
    if (!pool) return shared_error_code(shared_error_last());
    ping->operation = (struct operation){.sql = "SELECT 1",
                                         .prepare = true,
                                         .sync = true,
                                         .repeatable = true,
                                         .finish = postgres_answered};
    pool_read(pool, &ping->operation);
    return SHARED_OK;
}

static const struct server servers[] = {
    {SHARED_POSTGRES, "DATABASE_URL", .send = postgres_ping},
    {SHARED_REDIS, "REDIS_URL", redis_ping, REDIS_PROGRESS},
    {SHARED_TASK, "CELERY_RESULT_BACKEND", redis_ping, REDIS_RESULT},
};

static shared_status ping_send(shared_client *client, const struct server *server, uint64_t tag) {
    struct ping *ping = calloc(1, sizeof *ping);
    if (!ping) return fail(SHARED_ENOMEM, "ping: out of memory");
    ping->server = server;
    int64_t timeout_ms = client_setting(client, "CONNECT_TIMEOUT_MS");
    ping->request = request_new(client, tag, timeout_ms, ping_cancel, ping);
    if (!ping->request) {
        free(ping);
        return shared_error_code(shared_error_last());
    }
    shared_status status = server->send(client, ping);
    if (status < 0) {
        request_drop(ping->request);
        free(ping);
    }
    return status;
}

shared_status shared_client_ping(shared_client *client, int32_t domain, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (servers[i].domain == domain) return ping_send(client, &servers[i], tag);
    return fail(SHARED_EINVALID, "domain: %d, not SHARED_POSTGRES, SHARED_REDIS or SHARED_TASK",
                (int)domain);
}
