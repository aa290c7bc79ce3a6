/* SPDX-License-Identifier: MIT
 * main.c - lex-intel-backend: cases, documents and their progress over HTTP. Reads the settings, opens
 * what only one process can, and lets server.c run. Never serves anything itself.
 */
#include "main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics.h"
#include "upload.h"

enum { KEEPALIVE_MS = 75000, SHUTDOWN_MS = 10000, DESCRIPTORS_OWN = 64 };

static struct settings read_settings(const shared_config *config) {
    return (struct settings){
        .host = shared_config_get(config, "BACKEND_HOST"),
        .port = shared_config_int(config, "BACKEND_PORT"),
        .processes = shared_config_int(config, "BACKEND_PROCESSES"),
        .allow_remote = shared_config_int(config, "BACKEND_ALLOW_REMOTE") != 0,
        .connections_max = shared_config_int(config, "BACKEND_CONNECTIONS_MAX"),
        .connections_per_address = shared_config_int(config, "BACKEND_CONNECTIONS_PER_ADDRESS"),
        .streams_max = shared_config_int(config, "BACKEND_STREAMS_MAX"),
        .header_timeout_ms = shared_config_int(config, "BACKEND_HEADER_TIMEOUT_MS"),
        .keepalive_ms = KEEPALIVE_MS,
        .body_rate_min = shared_config_int(config, "BACKEND_BODY_RATE_MIN"),
        .upload_bytes_max = shared_config_int(config, "MAX_UPLOAD_BYTES"),
        .ping_ms = shared_config_int(config, "STREAM_PING_S") * 1000,
        .stream_age_ms = shared_config_int(config, "STREAM_AGE_MAX_S") * 1000,
        .startup_ms = shared_config_int(config, "STARTUP_TIMEOUT_S") * 1000,
        .shutdown_ms = SHUTDOWN_MS,
        .upload_dir = shared_config_get(config, "UPLOAD_DIR"),
        .log_requests = !strcmp(shared_config_get(config, "LOG_LEVEL"), "debug"),
    };
}

static struct guard_rules read_rules(const shared_config *config) {
    const char *hosts = shared_config_get(config, "BACKEND_ALLOWED_HOSTS");
    bool remote = shared_config_int(config, "BACKEND_ALLOW_REMOTE") != 0;
    return (struct guard_rules){
        /* Reached from elsewhere it has names that only its owner knows; with a list they count. */
        .any_host = strchr(hosts, '*') ||
                    (remote && !shared_config_is_set(config, "BACKEND_ALLOWED_HOSTS")),
        .bind_host = shared_config_get(config, "BACKEND_HOST"),
        .allowed_hosts = hosts,
        .allowed_origins = shared_config_get(config, "BACKEND_ALLOWED_ORIGINS"),
    };
}

/* As many descriptors as may be had; no more connections than that leaves room for. */
static void raise_limits(struct settings *settings) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY) return;
    int64_t room = (int64_t)limit.rlim_cur - DESCRIPTORS_OWN;
    if (room < 1) room = 1;
    if (settings->connections_max > room) settings->connections_max = room;
}

static int run(struct server *server) {
    server->settings = read_settings(server->config);
    server->rules = read_rules(server->config);
    raise_limits(&server->settings);
    server->upload_fd = upload_open_folder(server->settings.upload_dir);
    if (server->upload_fd < 0) return EXIT_SETTINGS;
    server->listen_fd = socket_listen(&server->settings);
    if (server->listen_fd < 0) return EXIT_SETTINGS;
    server->metrics = metrics_new(server->settings.processes);
    if (!server->metrics) {
        shared_log("backend", SHARED_ERROR, "no memory for the metrics");
        return EXIT_FAILURE;
    }
    return server->settings.processes > 1 ? processes_run(server) : server_run(server);
}

int main(int count, char **words) {
    struct server server = {.listen_fd = -1, .upload_fd = -1};
    if (count > 1) {
        fprintf(stderr, "usage: %s (settings come from the environment: docs/config.md)\n",
                words[0]);
        return EXIT_SETTINGS;
    }
    if (shared_config_from_env(&server.config) < 0) {
        fprintf(stderr, "lex-intel-backend: %s\n", shared_error_message(shared_error_last()));
        return EXIT_SETTINGS;
    }
    shared_log_configure(server.config);
    int code = run(&server);
    metrics_free(server.metrics);
    if (server.listen_fd >= 0) close(server.listen_fd);
    if (server.upload_fd >= 0) close(server.upload_fd);
    shared_config_free(server.config);
    return code;
}
