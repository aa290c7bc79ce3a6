/* SPDX-License-Identifier: MIT
 * stream_load.c - viewers and publisher in one process and one clock: opens VIEWERS event streams of each
 * of DOCUMENTS (live-0, live-1, ...) over plain HTTP, publishes MESSAGES of progress through libshared,
 * the documents in turn and PAUSE_MS apart, and measures until each viewer of its document has a message.
 * A message names its run: a viewer's first event is the document's state, and that is of the run before.
 * Prints one JSON line. Loopback only; ends by itself.
 *
 *     stream-load http://127.0.0.1:8000 DOCUMENTS VIEWERS MESSAGES PAUSE_MS BACKEND_PID
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <shared.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { VIEWERS_MAX = 4000, MESSAGES_MAX = 10000, PATIENCE_MS = 10000 };

struct load {
    int epoll;
    int documents, viewers, messages, pause_ms, backend;
    int sockets[VIEWERS_MAX];
    int heard[VIEWERS_MAX]; /* number of the newest message a viewer has */
    double latency_ms[MESSAGES_MAX];
    shared_client *client;
};

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void die(const char *what) {
    fprintf(stderr, "stream-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_viewer(const char *host, int port, int document) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET /documents/live-%d/progress HTTP/1.1\r\nHost: %s:%d\r\n"
                        "Accept: text/event-stream\r\n\r\n",
                        document, host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) die("send");
    return fd;
}

/* What the messages of this run begin with; a number follows. */
static const char *message_head(void) {
    static char head[64];
    if (!*head) snprintf(head, sizeof head, "run %d, message ", (int)getpid());
    return head;
}

/* Reads what is there; the number in its newest message of this run, 0: none, -1: the end. */
static int read_newest(int fd) {
    char text[8192];
    const char *head = message_head();
    ssize_t size = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    if (size <= 0) return size == 0 ? -1 : 0;
    text[size] = 0;
    int newest = 0;
    for (const char *at = text; (at = strstr(at, head));) {
        at += strlen(head);
        int number = atoi(at);
        if (number > newest) newest = number;
    }
    return newest;
}

/* Takes what viewers got; how many have message number, which is of one document, now. */
static int gather(struct load *load, int number, int timeout_ms) {
    struct epoll_event events[256];
    int count = epoll_wait(load->epoll, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        uint32_t viewer = events[i].data.u32;
        int newest = read_newest(load->sockets[viewer]);
        if (newest < 0) epoll_ctl(load->epoll, EPOLL_CTL_DEL, load->sockets[viewer], NULL);
        if (newest > load->heard[viewer]) load->heard[viewer] = newest;
    }
    int served = 0;
    for (int i = number % load->documents; i < load->documents * load->viewers;
         i += load->documents)
        served += load->heard[i] >= number;
    return served;
}

static void publish(struct load *load, int number) {
    char document[32], message[128];
    snprintf(document, sizeof document, "live-%d", number % load->documents);
    snprintf(message, sizeof message, "%s%d.", message_head(), number);
    int percent = 1 + number * 88 / load->messages;
    if (shared_progress_publish(load->client, document, percent, "extracting", message, 0) < 0)
        exit(fprintf(stderr, "publish: %s\n", shared_error_message(shared_error_last())));
    shared_client_dispatch(load->client, 0);
}

/* One message out, until all have it; the library's own descriptor is served meanwhile. */
static int measure(struct load *load, int number) {
    double started = now_ms();
    int served = 0;
    publish(load, number);
    while (served < load->viewers && now_ms() - started < (double)PATIENCE_MS) {
        served = gather(load, number, 1);
        shared_client_dispatch(load->client, 0);
        while (shared_client_next(load->client)) continue;
    }
    load->latency_ms[number - 1] = now_ms() - started;
    return served;
}

static void rest(struct load *load, int milliseconds) {
    double until = now_ms() + milliseconds;
    while (now_ms() < until) {
        struct pollfd poller = {.fd = shared_client_fd(load->client), .events = POLLIN};
        poll(&poller, 1, 1);
        shared_client_dispatch(load->client, 0);
        while (shared_client_next(load->client)) continue;
        gather(load, 0, 0);
    }
}

static long resident_kb(int pid) {
    char path[64], line[256];
    long found = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = pid ? fopen(path, "re") : NULL;
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmRSS: %ld", &found);
    if (status) fclose(status);
    return found;
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void open_viewers(struct load *load, const char *url) {
    char host[64];
    int port;
    if (sscanf(url, "http://%63[^:]:%d", host, &port) != 2) die("URL must be http://HOST:PORT");
    for (int i = 0; i < load->documents * load->viewers; i++) {
        load->sockets[i] = open_viewer(host, port, i % load->documents);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->sockets[i], &event)) die("epoll");
    }
}

static void connect_client(struct load *load) {
    shared_config *config = NULL;
    if (shared_config_from_env(&config) < 0 || shared_client_new(config, &load->client) < 0)
        exit(fprintf(stderr, "client: %s\n", shared_error_message(shared_error_last())));
    shared_config_free(config);
}

/* The fewest viewers that had a message. */
static int run(struct load *load) {
    int served = load->viewers;
    for (int number = 1; number <= load->messages; number++) {
        int heard = measure(load, number);
        if (heard < served) served = heard;
        rest(load, load->pause_ms);
    }
    qsort(load->latency_ms, (size_t)load->messages, sizeof *load->latency_ms, compare);
    return served;
}

static void read_words(struct load *load, char **words) {
    *load = (struct load){.epoll = epoll_create1(EPOLL_CLOEXEC),
                          .documents = atoi(words[2]),
                          .viewers = atoi(words[3]),
                          .messages = atoi(words[4]),
                          .pause_ms = atoi(words[5]),
                          .backend = atoi(words[6])};
    bool good = load->documents > 0 && load->viewers > 0 && load->messages > 0 &&
                load->documents <= VIEWERS_MAX && load->viewers <= VIEWERS_MAX / load->documents &&
                load->messages <= MESSAGES_MAX;
    if (!good)
        exit(fprintf(stderr, "at most %d viewers, %d messages\n", VIEWERS_MAX, MESSAGES_MAX));
}

int main(int count, char **words) {
    static struct load load;
    if (count != 7)
        return fprintf(stderr,
                       "usage: stream-load URL DOCUMENTS VIEWERS MESSAGES PAUSE_MS BACKEND_PID\n"),
               64;
    read_words(&load, words);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){8192, 8192});
    connect_client(&load);
    open_viewers(&load, words[1]);
    rest(&load, 1000);
    int served = run(&load);
    printf("{\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"served\": %d, \"resident_kb\": %ld}\n",
           load.latency_ms[load.messages / 2], load.latency_ms[load.messages * 99 / 100], served,
           resident_kb(load.backend));
    shared_client_free(load.client);
    return 0;
}
