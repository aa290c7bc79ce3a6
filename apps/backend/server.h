/* SPDX-License-Identifier: MIT
 * server.h - one process of the backend: what its parts share. Each part keeps its own state behind a
 * pointer here; one thread runs them all, but for disk.c's helper.
 */
#ifndef BACKEND_SERVER_H
#define BACKEND_SERVER_H

#include <shared.h>

#include "guard.h"
#include "loop.h"

/* Settings, read once. */
struct settings {
    const char *host;
    int64_t port;
    int64_t processes;
    bool allow_remote;
    int64_t connections_max;
    int64_t connections_per_address; /* 0: any */
    int64_t streams_max;
    int64_t header_timeout_ms;
    int64_t keepalive_ms;
    int64_t body_rate_min; /* bytes a second, over a window (peer.c) */
    int64_t upload_bytes_max;
    int64_t ping_ms;
    int64_t stream_age_ms;
    int64_t startup_ms;
    int64_t shutdown_ms;
    const char *upload_dir;
    bool log_requests;
};

struct MHD_Daemon;

struct server {
    shared_config *config;
    struct settings settings;
    struct guard_rules rules;
    shared_client *client;
    struct loop loop;
    struct MHD_Daemon *daemon;
    int listen_fd;
    int upload_fd;  /* UPLOAD_DIR */
    int64_t now_ms; /* monotonic, of this turn */
    bool stopping;
    bool daemon_due; /* libmicrohttpd has something to do */
    bool asked;      /* something was asked of the client since its last dispatch */
    struct calls *calls;
    struct requests *requests;
    struct peers *peers;
    struct lingers *lingers;
    struct streams *streams;
    struct disk *disk;
    struct health *health;
    struct metrics *metrics; /* of all processes */
    int64_t slot;            /* of this one in them */
};

/* Makes every part and runs until a signal; an exit code. */
int server_run(struct server *server);

#endif
