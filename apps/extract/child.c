/* SPDX-License-Identifier: MIT
 * child.c - enters the sandbox, takes one document from the data socket, writes its pages as
 * frames. Never opens, creates or runs anything; what it cannot do it says in a frame and ends.
 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "detect.h"

enum { DATA = 0, EXIT_WORKER_GONE = 3 };

/* ---- the data socket */

static void send_parts(struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t sent = writev(DATA, parts, count);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) _exit(EXIT_WORKER_GONE);
        for (; count > 0 && (size_t)sent >= parts->iov_len; parts++, count--)
            sent -= (ssize_t)parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= (size_t)sent;
        }
    }
}

static void send_small(const uint8_t *frame, size_t size) {
    uint8_t bytes[FRAME_SMALL_BYTES_MAX];
    memcpy(bytes, frame, size);
    send_parts(&(struct iovec){.iov_base = bytes, .iov_len = size}, 1);
}

static void send_text(enum frame_type type, uint32_t page, uint32_t word, char *text, size_t size) {
    uint8_t head[FRAME_SMALL_BYTES_MAX];
    size_t head_size = frame_encode_text_head(head, type, page, word, size);
    struct iovec parts[] = {{.iov_base = head, .iov_len = head_size},
                            {.iov_base = text, .iov_len = size}};
    send_parts(parts, size ? 2 : 1);
}

static _Noreturn void fail(struct fault *fault) {
    send_text(FRAME_ERROR, 0, fault->code, fault->sentence, strlen(fault->sentence));
    _exit(0);
}

static void receive(uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t got = read(DATA, bytes, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) _exit(EXIT_WORKER_GONE);
        bytes += got;
        size -= (size_t)got;
    }
}

/* ---- one document */

static struct frame_start receive_start(void) {
    uint8_t bytes[FRAME_START_BYTES];
    receive(bytes, sizeof bytes);
    struct frame_start start;
    const char *wrong = frame_decode_start(bytes, &start);
    if (!wrong) return start;
    struct fault fault;
    fault_set(&fault, EXTRACT_INTERNAL, "The worker sent a wrong order: %s.", wrong);
    fail(&fault);
}

static const uint8_t *receive_document(uint64_t size) {
    if (!size) return (const uint8_t *)"";
    void *bytes =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        struct fault fault;
        fault_set(&fault, EXTRACT_TOO_LARGE,
                  "This file of %llu MiB is larger than the memory that may be used to read it.",
                  (unsigned long long)(size >> 20));
        fail(&fault);
    }
    receive(bytes, (size_t)size);
    return bytes;
}

static bool read_page(const struct format *format, struct document *document, uint32_t page,
                      struct text *text, struct fault *fault) {
    text_clear(text);
    if (!format->read_page(document, page, text, fault)) return false;
    enum text_state state = text_close(text);
    if (state == TEXT_TOO_LONG)
        return fault_set(fault, EXTRACT_TOO_LARGE,
                         "Page %u has more than %zu bytes of text, the most that is allowed.", page,
                         text->size_max);
    if (state == TEXT_NO_MEMORY)
        return fault_set(fault, EXTRACT_INTERNAL, "There was no memory for page %u.", page);
    return true;
}

static void send_pages(const struct format *format, struct document *document,
                       const struct frame_start *start) {
    uint32_t read = 0, failed = 0;
    uint64_t bytes = 0;
    struct text text;
    struct fault fault;
    text_init(&text, start->page_text_bytes_max);
    for (uint32_t page = start->first_page; page <= document->page_count; page++) {
        sandbox_arm_timer(start->page_cpu_ms);
        if (!read_page(format, document, page, &text, &fault)) {
            failed++;
            send_text(FRAME_PAGE_FAILED, page, fault.code, fault.sentence, strlen(fault.sentence));
            continue;
        }
        bytes += text.size;
        if (bytes > start->text_bytes_max) {
            fault_set(&fault, EXTRACT_TOO_LARGE,
                      "This document has more than %llu bytes of text, the most that is allowed.",
                      (unsigned long long)start->text_bytes_max);
            fail(&fault);
        }
        read++;
        send_text(FRAME_PAGE, page, FRAME_SOURCE_TEXT, text.bytes, text.size);
    }
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    send_small(frame, frame_encode_end(frame, read, failed));
}

static void read_document(const struct frame_start *start) {
    struct document document = {
        .bytes = receive_document(start->document_bytes),
        .size = (size_t)start->document_bytes,
        .pages_max = start->pages_max,
    };
    struct fault fault;
    sandbox_arm_timer(start->page_cpu_ms);
    const struct format *format = detect_format(&document, &fault);
    if (!format || !format->open(&document, &fault)) fail(&fault);
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    send_small(frame, frame_encode_info(frame, format->kind, document.page_count));
    send_pages(format, &document, start);
}

/* The zygote blocks signals for its own use, and a child needs none of that. */
static void reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_run(int data, const struct sandbox *sandbox, const struct sandbox_limits *limits) {
    char problem[SANDBOX_PROBLEM_BYTES] = "";
    reset_signals();
    if (!sandbox_isolate_descriptors(data)) _exit(EXIT_WORKER_GONE);
    if (!sandbox_enter(sandbox, limits, problem)) {
        struct fault fault;
        fault_set(&fault, EXTRACT_INTERNAL, "The sandbox is unavailable: %s.", problem);
        fail(&fault);
    }
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    send_small(frame, frame_encode_hello(frame, sandbox->wanted, sandbox->landlock_abi));
    struct frame_start start = receive_start();
    read_document(&start);
    _exit(0);
}
