/* SPDX-License-Identifier: MIT
 * client.h - the worker's part of frame.h in its simplest form: one zygote, one document at a time,
 * waiting. For --read, --check and the tests; the worker has its own, which waits for nothing.
 *
 *     struct client client;
 *     if (!client_start(&client, "/proc/self/exe", true)) ...
 *     client_read(&client, bytes, size, &client_default_limits, 1, on_frame, context, &result);
 *     client_finish(&client);
 */
#ifndef EXTRACT_CLIENT_H
#define EXTRACT_CLIENT_H

#include <sys/types.h>

#include "frame.h"

struct client_limits {
    uint32_t pages_max, page_text_bytes_max, page_cpu_ms, cpu_s_max;
    uint64_t text_bytes_max, memory_bytes_max;
    int patience_ms; /* wall clock between two frames, then the child is killed */
};

extern const struct client_limits client_default_limits;

struct client {
    int control;
    pid_t zygote;
    uint64_t serial;
    bool sandbox_wanted;
    struct extract_control ready; /* what the zygote said of itself */
};

/* How a document ended. */
struct client_result {
    enum extract_code code; /* EXTRACT_NO_ERROR: END came */
    char sentence[EXTRACT_SENTENCE_BYTES_MAX + 1];
    pid_t pid;
    int wait_status;
    bool box_seen; /* the kernel says Seccomp: 2 and NoNewPrivs: 1 of the child */
    enum frame_kind kind;
    uint32_t page_count, pages_read, pages_failed, cpu_ms;
    uint64_t rss_bytes;
};

bool client_start(struct client *client, const char *program, bool sandbox);
/* Closes the control socket and waits for the zygote; its exit status. */
int client_finish(struct client *client);

/* on_frame gets INFO, PAGE and PAGE_FAILED. False: the zygote itself failed, as the result says. */
bool client_read(struct client *client, const void *bytes, size_t size,
                 const struct client_limits *limits, uint32_t first_page,
                 void (*on_frame)(const struct frame *frame, void *context), void *context,
                 struct client_result *result);

#endif
