/* SPDX-License-Identifier: MIT
 * evil_extract.c - a helper that has been taken over: speaks the protocol of apps/extract/frame.h, but does
 * what the document says. For tests of the worker, which must survive each act. Never sandboxed.
 *
 * A document is lines of text: "pages 10", then "page 7 die", "open die", ... Pages without an act are sent
 * as they should be, with the text "Page N".
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"

enum { SCRIPT_SIZE_MAX = 4096, TURN_MS = 5 };

static int data; /* the child's socket */

/* --- what a child says ------------------------------------------------------------------------------ */

static void say(const void *bytes, size_t size) {
    if (write(data, bytes, size) != (ssize_t)size) _exit(1);
}

static void say_page(uint32_t page, const char *text, size_t size) {
    uint8_t head[FRAME_SMALL_BYTES_MAX];
    say(head, frame_encode_text_head(head, FRAME_PAGE, page, FRAME_SOURCE_TEXT, size));
    say(text, size);
}

static void say_good_page(uint32_t page) {
    char text[32];
    int size = snprintf(text, sizeof text, "Page %u", page);
    say_page(page, text, (size_t)size);
}

static void act_die(uint32_t page) {
    (void)page;
    raise(SIGKILL);
}

static void act_abort(uint32_t page) {
    (void)page;
    abort();
}

static void act_leave(uint32_t page) {
    (void)page;
    _exit(0);
}

static void act_stall(uint32_t page) {
    (void)page;
    for (;;) pause();
}

static void act_half(uint32_t page) {
    uint8_t head[FRAME_SMALL_BYTES_MAX];
    say(head, frame_encode_text_head(head, FRAME_PAGE, page, FRAME_SOURCE_TEXT, 1000) - 3);
    _exit(0);
}

static void act_huge(uint32_t page) {
    uint8_t head[FRAME_SMALL_BYTES_MAX];
    size_t size = frame_encode_text_head(head, FRAME_PAGE, page, FRAME_SOURCE_TEXT, 10);
    memset(head, 0xff, 4); /* the size it announces */
    say(head, size);
    act_stall(page);
}

static void act_noise(uint32_t page) {
    char noise[512];
    memset(noise, (int)page | 0x80, sizeof noise);
    say(noise, sizeof noise);
    act_stall(page);
}

static void act_skip(uint32_t page) {
    say_good_page(page + 1);
}

static void act_again(uint32_t page) {
    say_good_page(page - 1);
}

static void act_zero(uint32_t page) {
    say_page(page, "a\0b", 3);
}

static void act_broken(uint32_t page) {
    say_page(page, "a\xff\xfe", 3);
}

static void act_end(uint32_t page) {
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    say(frame, frame_encode_end(frame, page, 0));
}

static const struct {
    const char *name;
    void (*act)(uint32_t page);
} acts[] = {
    {"die", act_die},     {"abort", act_abort}, {"leave", act_leave},   {"stall", act_stall},
    {"half", act_half},   {"huge", act_huge},   {"noise", act_noise},   {"skip", act_skip},
    {"again", act_again}, {"zero", act_zero},   {"broken", act_broken}, {"end", act_end},
};

/* Does what the script has for a place ("open", "page 7"); false: nothing. */
static int act_of(const char *script, const char *place, uint32_t page) {
    char wanted[64];
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        snprintf(wanted, sizeof wanted, "\n%s %s\n", place, acts[i].name);
        if (!strstr(script, wanted)) continue;
        acts[i].act(page);
        return 1;
    }
    return 0;
}

static int act_of_page(const char *script, uint32_t page) {
    char place[32];
    snprintf(place, sizeof place, "page %u", page);
    return act_of(script, place, page);
}

static void read_all(void *into, size_t size) {
    if (recv(data, into, size, MSG_WAITALL) != (ssize_t)size) _exit(1);
}

static _Noreturn void run_child(void) {
    uint8_t frame[FRAME_SMALL_BYTES_MAX], start_bytes[FRAME_START_BYTES];
    struct frame_start start;
    char script[SCRIPT_SIZE_MAX] = "\n";
    uint32_t pages = 0;
    say(frame, frame_encode_hello(frame, false, 0));
    read_all(start_bytes, sizeof start_bytes);
    if (frame_decode_start(start_bytes, &start) || start.document_bytes > sizeof script - 2)
        _exit(1);
    read_all(script + 1, start.document_bytes);
    if (sscanf(script, " pages %u", &pages) != 1) _exit(1);
    act_of(script, "open", 0);
    say(frame, frame_encode_info(frame, FRAME_KIND_PDF, pages));
    for (uint32_t page = start.first_page; page <= pages; page++)
        if (!act_of_page(script, page)) say_good_page(page);
    uint32_t read = start.first_page > pages ? 0 : pages - start.first_page + 1;
    say(frame, frame_encode_end(frame, read, 0));
    _exit(0);
}

/* --- the zygote, one child at a time ---------------------------------------------------------------- */

static void tell(const struct extract_control *message) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    extract_control_encode(bytes, message);
    if (write(EXTRACT_CONTROL_FD, bytes, sizeof bytes) != (ssize_t)sizeof bytes) exit(0);
}

/* Takes a message and, with NEW, the socket that comes along; false: nothing came. */
static int take(struct extract_control *message, int *descriptor) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } rights = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = rights.bytes,
                            .msg_controllen = sizeof rights.bytes};
    ssize_t size = recvmsg(EXTRACT_CONTROL_FD, &header, MSG_DONTWAIT);
    if (size == 0) exit(0);
    if (size < 0 || extract_control_decode(bytes, (size_t)size, message)) return 0;
    if (CMSG_FIRSTHDR(&header))
        memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof *descriptor);
    return 1;
}

static pid_t start_child(const struct extract_control *message, int descriptor) {
    pid_t child = fork();
    if (!child) {
        data = descriptor;
        close(EXTRACT_CONTROL_FD);
        run_child();
    }
    close(descriptor);
    tell(&(struct extract_control){.type = EXTRACT_BORN, .serial = message->serial, .pid = child});
    return child;
}

int main(void) {
    pid_t child = 0;
    uint64_t serial = 0;
    tell(&(struct extract_control){.type = EXTRACT_READY, .version = EXTRACT_VERSION});
    for (;;) {
        struct extract_control message;
        int descriptor = -1, status;
        poll(&(struct pollfd){.fd = EXTRACT_CONTROL_FD, .events = POLLIN}, 1, TURN_MS);
        if (take(&message, &descriptor)) {
            if (message.type == EXTRACT_NEW) {
                serial = message.serial;
                child = start_child(&message, descriptor);
            } else if (message.type == EXTRACT_KILL && child && message.serial == serial) {
                kill(child, SIGKILL);
            }
        }
        if (!child || waitpid(child, &status, WNOHANG) != child) continue;
        tell(&(struct extract_control){
            .type = EXTRACT_GONE, .serial = serial, .pid = child, .status = status});
        child = 0;
    }
}
