/* SPDX-License-Identifier: MIT
 * load.h - what the load programs share: end with a sentence when a call fails, clocks, and the line that
 * a benchmark reads.
 */
#ifndef LOAD_H
#define LOAD_H

#include <shared.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { LOAD_TIMEOUT_MS = 120000 };

static inline void must(shared_status status) {
    if (status >= 0) return;
    fprintf(stderr, "%s\n", shared_error_message(shared_error_last()));
    exit(1);
}

static inline void must_go_well(const shared_event *event) {
    if (event && !shared_event_error(event)) return;
    fprintf(stderr, "%s\n", shared_error_message(shared_event_error(event)));
    exit(1);
}

/* The event of the tag, which must have gone well. */
static inline const shared_event *wait_done(shared_client *client, uint64_t tag) {
    const shared_event *event = NULL;
    if (shared_client_wait(client, tag, LOAD_TIMEOUT_MS, &event) < 0 && !event)
        must(SHARED_ETIMEOUT);
    must_go_well(event);
    return event;
}

static inline shared_client *connect_client(void) {
    shared_config *config = NULL;
    shared_client *client = NULL;
    must(shared_config_from_env(&config));
    must(shared_client_new(config, &client));
    shared_config_free(config);
    return client;
}

static inline double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of this process, user and system. */
static inline double cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void print_times(double started_s, double cpu_started_s) {
    printf("{\"seconds\": %.6f, \"cpu\": %.6f}\n", now_s() - started_s, cpu_s() - cpu_started_s);
}

#endif
