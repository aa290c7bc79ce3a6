/* SPDX-License-Identifier: MIT
 * poll.c - a client in a loop of your own: asks both servers for a sign of life every so often, and leaves
 * at Ctrl-C, or after so many rounds. What is not answered within a round is cancelled.
 *
 *     ./poll 10 500        ten rounds, one each 500 ms
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "example.h"

enum {
    TAG_TIMER = 1,
    TAG_FIRST
}; /* then two a round: even ones for PostgreSQL, odd ones for Redis */

static shared_client *client;
static volatile sig_atomic_t stopped;

/* The one function of a client that a signal handler may call: the loop's poll returns. */
static void stop(int number) {
    (void)number;
    stopped = true;
    shared_client_wake(client);
}

static void show(const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    printf("%s: %s\n", shared_event_tag(event) % 2 ? "Redis" : "PostgreSQL",
           error ? shared_error_message(error) : "well");
    fflush(stdout);
}

static void start_round(long round, long pause_ms) {
    uint64_t tag = TAG_FIRST + 2 * (uint64_t)round;
    if (round >
        0) { /* SHARED_ENOTFOUND when it was answered; else its event says that it was cancelled */
        shared_client_cancel(client, tag - 2);
        shared_client_cancel(client, tag - 1);
    }
    must(shared_client_timer(client, pause_ms, TAG_TIMER), "timer");
    must(shared_client_ping(client, SHARED_POSTGRES, tag), "ping");
    must(shared_client_ping(client, SHARED_REDIS, tag + 1), "ping");
}

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: poll ROUNDS PAUSE_MS\n"), 64;
    long rounds = strtol(words[1], NULL, 10), pause_ms = strtol(words[2], NULL, 10), round = 0;
    client = connect_client();
    signal(SIGINT, stop);
    start_round(round, pause_ms);
    while (round < rounds && !stopped) {
        struct pollfd descriptor = {.fd = shared_client_fd(client), .events = POLLIN};
        if (poll(&descriptor, 1, -1) < 0) continue; /* a signal */
        must(shared_client_dispatch(client, 0), "dispatch");
        for (const shared_event *event; (event = shared_client_next(client));) {
            if (shared_event_tag(event) != TAG_TIMER)
                show(event);
            else if (++round < rounds)
                start_round(round, pause_ms);
        }
    }
    shared_client_free(client);
    return 0;
}
