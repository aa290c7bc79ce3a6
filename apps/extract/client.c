/* SPDX-License-Identifier: MIT
 * client.c - drives a zygote and one child of it, blocking. Never trusts what they answer.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 10000, PIECE_BYTES = 64 << 10 };

const struct client_limits client_default_limits = {
    .pages_max = 10000,
    .page_text_bytes_max = 4 << 20,
    .page_cpu_ms = 10000,
    .cpu_s_max = 600,
    .text_bytes_max = (uint64_t)256 << 20,
    .memory_bytes_max = (uint64_t)1 << 30,
    .patience_ms = 30000,
};

/* One document under way. */
struct reading {
    struct client *client;
    int data; /* our end, -1 when closed */
    const uint8_t *unsent;
    size_t unsent_size;
    uint8_t start_frame[FRAME_SMALL_BYTES_MAX];
    size_t start_sent, start_size;
    bool may_send, gone, ended;
    int patience_ms;
    struct frame_reader reader;
    void (*on_frame)(const struct frame *frame, void *context);
    void *context;
    struct client_result *result;
};

/* ---- the zygote */

static bool receive_control(struct client *client, int timeout_ms,
                            struct extract_control *message) {
    struct pollfd ready = {.fd = client->control, .events = POLLIN};
    if (poll(&ready, 1, timeout_ms) != 1) return false;
    uint8_t bytes[EXTRACT_CONTROL_BYTES + 1];
    ssize_t size = recv(client->control, bytes, sizeof bytes, 0);
    return size > 0 && !extract_control_decode(bytes, (size_t)size, message);
}

static bool send_control(struct client *client, const struct extract_control *message, int data) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    extract_control_encode(bytes, message);
    memcpy(CMSG_DATA(&control.header), &data, sizeof data);
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (data >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
    }
    return sendmsg(client->control, &header, MSG_NOSIGNAL) == (ssize_t)sizeof bytes;
}

static bool spawn(struct client *client, const char *program, int control) {
    char name[] = "lex-intel-extract", option[] = "--without-sandbox";
    char *arguments[] = {name, client->sandbox_wanted ? NULL : option, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    bool spawned =
        posix_spawn_file_actions_adddup2(&actions, control, EXTRACT_CONTROL_FD) == 0 &&
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
        posix_spawn(&client->zygote, program, &actions, NULL, arguments, environment) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return spawned;
}

bool client_start(struct client *client, const char *program, bool sandbox) {
    *client = (struct client){.control = -1, .sandbox_wanted = sandbox};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
    bool spawned = spawn(client, program, pair[1]);
    close(pair[1]);
    client->control = pair[0];
    if (spawned && receive_control(client, READY_MS, &client->ready) &&
        client->ready.type == EXTRACT_READY)
        return true;
    client_finish(client);
    return false;
}

int client_finish(struct client *client) {
    int status = -1;
    if (client->control >= 0) close(client->control);
    client->control = -1;
    if (client->zygote > 0) waitpid(client->zygote, &status, 0);
    client->zygote = 0;
    return status;
}

/* ---- one document */

static bool set_result(struct reading *reading, enum extract_code code, const char *sentence,
                       size_t size) {
    reading->ended = true;
    reading->result->code = code;
    snprintf(reading->result->sentence, sizeof reading->result->sentence, "%.*s", (int)size,
             sentence);
    return false;
}

static bool distrust(struct reading *reading, const char *why) {
    send_control(reading->client,
                 &(struct extract_control){.type = EXTRACT_KILL, .serial = reading->client->serial},
                 -1);
    return set_result(reading, EXTRACT_INTERNAL, why, strlen(why));
}

/* What the kernel says, not what the child says. */
static bool is_boxed(pid_t pid) {
    char path[40], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t size = read(file, status, sizeof status - 1);
    close(file);
    status[size > 0 ? size : 0] = '\0';
    return strstr(status, "\nSeccomp:\t2\n") && strstr(status, "\nNoNewPrivs:\t1\n");
}

static bool on_hello(struct reading *reading) {
    reading->result->box_seen = is_boxed(reading->result->pid);
    if (reading->client->sandbox_wanted && !reading->result->box_seen)
        return distrust(reading, "the kernel does not see the child in its sandbox");
    reading->may_send = true;
    return true;
}

static bool handle_frame(struct reading *reading, const struct frame *frame) {
    struct client_result *result = reading->result;
    if (frame->type == FRAME_HELLO) return on_hello(reading);
    if (frame->type == FRAME_ERROR)
        return set_result(reading, frame->code, frame->text, frame->text_size);
    if (frame->type == FRAME_END) {
        result->pages_read = frame->pages_read;
        result->pages_failed = frame->pages_failed;
        return set_result(reading, EXTRACT_NO_ERROR, "", 0);
    }
    if (frame->type == FRAME_INFO) {
        result->kind = (enum frame_kind)frame->kind;
        result->page_count = frame->page_count;
    }
    if (reading->on_frame) reading->on_frame(frame, reading->context);
    return true;
}

static void close_data(struct reading *reading) {
    if (reading->data >= 0) close(reading->data);
    reading->data = -1;
}

static void receive_frames(struct reading *reading) {
    uint8_t piece[PIECE_BYTES];
    ssize_t got = recv(reading->data, piece, sizeof piece, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) close_data(reading);
    const uint8_t *at = piece;
    size_t left = got > 0 ? (size_t)got : 0;
    while (left > 0 && !reading->ended) {
        size_t used;
        struct frame frame;
        enum frame_result result = frame_reader_feed(&reading->reader, at, left, &used, &frame);
        at += used;
        left -= used;
        if (result == FRAME_BROKEN) distrust(reading, reading->reader.violation);
        if (result == FRAME_READY) handle_frame(reading, &frame);
    }
}

/* START, then the document. */
static void send_some(struct reading *reading) {
    const uint8_t *bytes = reading->start_frame + reading->start_sent;
    size_t size = reading->start_size - reading->start_sent;
    bool head = size > 0;
    if (!head) bytes = reading->unsent, size = reading->unsent_size;
    ssize_t sent = send(reading->data, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) reading->may_send = false;
    if (sent <= 0) return;
    if (head) {
        reading->start_sent += (size_t)sent;
    } else {
        reading->unsent += sent;
        reading->unsent_size -= (size_t)sent;
    }
    reading->may_send = reading->start_sent < reading->start_size || reading->unsent_size > 0;
}

static void handle_control(struct reading *reading, const struct extract_control *message) {
    struct client_result *result = reading->result;
    if (message->serial != reading->client->serial) return;
    if (message->type == EXTRACT_REFUSED) {
        reading->gone = true;
        set_result(reading, EXTRACT_INTERNAL, strerror(message->status), 80);
    } else if (message->type == EXTRACT_BORN) {
        result->pid = message->pid;
    } else if (message->type == EXTRACT_GONE) {
        reading->gone = true;
        result->wait_status = message->status;
        result->cpu_ms = message->cpu_ms;
        result->rss_bytes = message->rss_bytes;
    }
}

/* Until the child is gone and all it wrote is read; false when the zygote does not answer. */
static bool turn(struct reading *reading) {
    short events = (short)(POLLIN | (reading->may_send ? POLLOUT : 0));
    /* HELLO waits for BORN, which brings the pid to look at. */
    bool look = reading->data >= 0 && reading->result->pid;
    struct pollfd ready[] = {{.fd = reading->client->control, .events = POLLIN},
                             {.fd = look ? reading->data : -1, .events = events}};
    int count = poll(ready, 2, reading->patience_ms);
    if (count < 0) return errno == EINTR;
    if (count == 0) {
        bool again = !reading->ended;
        distrust(reading, "it was silent for too long");
        reading->result->code = EXTRACT_PAGE_TIMEOUT;
        return again;
    }
    if (ready[1].revents & POLLOUT) send_some(reading);
    if (ready[1].revents & (POLLIN | POLLHUP | POLLERR)) receive_frames(reading);
    struct extract_control message;
    if (!ready[0].revents) return true;
    if (!receive_control(reading->client, 0, &message)) return false;
    handle_control(reading, &message);
    return true;
}

static bool begin(struct reading *reading, const struct client_limits *limits,
                  const struct frame_start *start) {
    int pair[2];
    reading->data = -1;
    reading->start_size = frame_encode_start(reading->start_frame, start);
    frame_reader_init(&reading->reader, start);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
    reading->data = pair[0];
    bool sent = send_control(reading->client,
                             &(struct extract_control){
                                 .type = EXTRACT_NEW,
                                 .serial = ++reading->client->serial,
                                 .memory_bytes_max = limits->memory_bytes_max,
                                 .cpu_s_max = limits->cpu_s_max,
                             },
                             pair[1]);
    close(pair[1]);
    return sent;
}

bool client_read(struct client *client, const void *bytes, size_t size,
                 const struct client_limits *limits, uint32_t first_page,
                 void (*on_frame)(const struct frame *frame, void *context), void *context,
                 struct client_result *result) {
    struct frame_start start = {
        .first_page = first_page,
        .pages_max = limits->pages_max,
        .page_text_bytes_max = limits->page_text_bytes_max,
        .page_cpu_ms = limits->page_cpu_ms,
        .text_bytes_max = limits->text_bytes_max,
        .document_bytes = size,
    };
    struct reading reading = {
        .client = client,
        .unsent = bytes,
        .unsent_size = size,
        .patience_ms = limits->patience_ms,
        .on_frame = on_frame,
        .context = context,
        .result = result,
    };
    *result = (struct client_result){0};
    bool alive = begin(&reading, limits, &start);
    while (alive && !(reading.gone && reading.data < 0)) alive = turn(&reading);
    if (!alive && !reading.ended)
        set_result(&reading, EXTRACT_INTERNAL, "the zygote does not answer", 80);
    if (!reading.ended) {
        result->code = extract_death_code(result->wait_status);
        extract_death_describe(result->wait_status, result->sentence, sizeof result->sentence);
    }
    close_data(&reading);
    frame_reader_finish(&reading.reader);
    return alive;
}
