/* SPDX-License-Identifier: MIT
 * reader.c - the data socket's side of apps/extract/frame.h. Decides nothing about the job but when its
 * child must die.
 */
#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"
#include "worker.h"

enum {
    READ_SIZE = 65536,
    SEND_SIZE = 1 << 20,
    WALL_FACTOR = 3, /* a page's wall clock per its CPU time: others run here too */
    WALL_MS_MORE = 2000
};

void reader_init(struct reader *reader, struct worker *worker, struct job *job) {
    *reader = (struct reader){.worker = worker, .job = job, .socket = -1, .watch = {.fd = -1}};
}

static void restart_clock(struct reader *reader) {
    reader->due_ms = loop_now_ms() + reader->worker->limits.page_ms * WALL_FACTOR + WALL_MS_MORE;
}

void reader_stop(struct reader *reader) {
    if (reader->socket < 0) return;
    loop_remove(&reader->worker->loop, &reader->watch);
    close(reader->socket);
    zygote_forget(&reader->worker->zygote, reader);
    frame_reader_finish(&reader->frames);
    reader_init(reader, reader->worker, reader->job);
}

/* --- the child's end ------------------------------------------------------------------------------ */

/* Its last byte is read and its wait status known: what ended it? */
static void handle_end(struct reader *reader) {
    char how[128] = "the reader was killed: a page took too long";
    if (!reader->ended || !reader->gone) return;
    bool timeout =
        reader->timed_out || extract_death_code(reader->wait_status) == EXTRACT_PAGE_TIMEOUT;
    if (!reader->timed_out) extract_death_describe(reader->wait_status, how, sizeof how);
    job_on_death(reader->job, timeout, how);
}

void reader_on_gone(struct reader *reader, int wait_status) {
    reader->gone = true;
    reader->wait_status = wait_status;
    handle_end(reader);
}

static void handle_eof(struct reader *reader) {
    reader->ended = true;
    loop_remove(&reader->worker->loop, &reader->watch);
    if (!reader->gone) zygote_kill(&reader->worker->zygote, reader); /* closed, but alive? */
    handle_end(reader);
}

void reader_on_unborn(struct reader *reader) {
    job_fail(reader->job, "internal", NULL);
}

/* --- into the child ------------------------------------------------------------------------------- */

/* Whether the kernel says that the child cannot leave its box. */
static bool is_boxed(pid_t child) {
    char path[64], line[256];
    int seccomp = 0, no_new_privileges = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)child);
    FILE *status = fopen(path, "re");
    if (!status) return false;
    while (fgets(line, sizeof line, status)) {
        seccomp |= !strcmp(line, "Seccomp:\t2\n");
        no_new_privileges |= !strcmp(line, "NoNewPrivs:\t1\n");
    }
    fclose(status);
    return seccomp && no_new_privileges;
}

static bool is_box_wanted(const struct reader *reader) {
    return strcmp(shared_config_get(reader->worker->config, "LEX_SANDBOX"), "off") != 0;
}

/* Sends what the socket takes; -1: it takes no more ever, 1: all is sent. */
static int send_some(struct reader *reader) {
    while (reader->start_sent < reader->start_size) {
        ssize_t sent = send(reader->socket, reader->start + reader->start_sent,
                            reader->start_size - reader->start_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) return sent < 0 && errno == EAGAIN ? 0 : -1;
        reader->start_sent += (size_t)sent;
    }
    while (reader->file_sent < reader->task.file_size) {
        off_t offset = reader->file_sent;
        int64_t left = reader->task.file_size - reader->file_sent;
        ssize_t sent = sendfile(reader->socket, reader->task.file, &offset,
                                left < SEND_SIZE ? (size_t)left : SEND_SIZE);
        if (sent <= 0) return sent < 0 && errno == EAGAIN ? 0 : -1;
        reader->file_sent += sent;
    }
    return 1;
}

static uint32_t events_of(const struct reader *reader) {
    return (uint32_t)EPOLLIN | (reader->sending ? (uint32_t)EPOLLOUT : 0u);
}

static void send_document(struct reader *reader) {
    int result = send_some(reader);
    restart_clock(reader);
    if (result == 0) return;
    reader->sending = false; /* on failure its last words may still be to read, or it is gone */
    if (reader->watch.fd >= 0)
        loop_change(&reader->worker->loop, &reader->watch, events_of(reader));
}

/* Both must have come: the pid from the zygote, and HELLO from the child. */
static void start_sending(struct reader *reader) {
    if (!reader->child || !reader->in_box) return;
    if (is_box_wanted(reader) && !is_boxed(reader->child)) {
        shared_log("extract", SHARED_ERROR, "a helper is not in its sandbox: it gets no document");
        job_fail(reader->job, "internal", NULL);
        return;
    }
    reader->sending = true;
    loop_change(&reader->worker->loop, &reader->watch, events_of(reader));
}

void reader_on_born(struct reader *reader, pid_t child) {
    reader->child = child;
    start_sending(reader);
}

/* --- out of the child ----------------------------------------------------------------------------- */

static void handle_page_failed(struct reader *reader, const struct frame *frame) {
    char sentence[EXTRACT_SENTENCE_BYTES_MAX + 1];
    snprintf(sentence, sizeof sentence, "%.*s", (int)frame->text_size, frame->text);
    job_on_page_failed(reader->job, frame->page, extract_code_word(frame->code), sentence);
}

static void handle_error(struct reader *reader, const struct frame *frame) {
    char sentence[EXTRACT_SENTENCE_BYTES_MAX + 1];
    snprintf(sentence, sizeof sentence, "%.*s", (int)frame->text_size, frame->text);
    job_on_refused(reader->job, extract_code_word(frame->code), frame->text_size ? sentence : NULL);
}

/* Any of these may stop the reader. */
static void handle_frame(struct reader *reader, const struct frame *frame) {
    restart_clock(reader);
    switch (frame->type) {
    case FRAME_HELLO:
        reader->in_box = true;
        start_sending(reader);
        break;
    case FRAME_INFO: job_on_info(reader->job, frame->page_count); break;
    case FRAME_PAGE: job_on_page(reader->job, frame->page, frame->text, frame->text_size); break;
    case FRAME_PAGE_FAILED: handle_page_failed(reader, frame); break;
    case FRAME_END: job_on_end(reader->job); break;
    case FRAME_ERROR: handle_error(reader, frame); break;
    default: break;
    }
}

static void handle_violation(struct reader *reader) {
    shared_log_with("extract", SHARED_ERROR, "a helper broke the protocol", "violation",
                    reader->frames.violation);
    job_on_death(reader->job, false, "the reader spoke nonsense");
}

/* Feeds what was read; stops when the reader was. */
static void feed(struct reader *reader, const uint8_t *bytes, size_t size) {
    uint64_t serial = reader->serial;
    while (size) {
        size_t used = 0;
        struct frame frame;
        enum frame_result result = frame_reader_feed(&reader->frames, bytes, size, &used, &frame);
        bytes += used;
        size -= used;
        if (result == FRAME_BROKEN) {
            handle_violation(reader);
            return;
        }
        if (result == FRAME_READY) handle_frame(reader, &frame);
        if (reader->socket < 0 || reader->serial != serial) return;
    }
}

static void on_data(struct watch *watch, uint32_t events) {
    struct reader *reader = (struct reader *)((char *)watch - offsetof(struct reader, watch));
    if (events & EPOLLOUT && reader->sending) send_document(reader);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    static uint8_t bytes[READ_SIZE];
    ssize_t size = recv(reader->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0)
        feed(reader, bytes, (size_t)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        handle_eof(reader);
}

/* --- life ------------------------------------------------------------------------------------------- */

static void make_start(struct reader *reader) {
    const shared_config *config = reader->worker->config;
    struct frame_start start = {
        .first_page = (uint32_t)reader->task.first_page,
        .pages_max = (uint32_t)shared_config_int(config, "PAGES_MAX"),
        .page_text_bytes_max = (uint32_t)shared_config_int(config, "PAGE_TEXT_BYTES_MAX"),
        .page_cpu_ms = (uint32_t)reader->worker->limits.page_ms,
        .text_bytes_max = (uint64_t)reader->worker->limits.text_bytes,
        .document_bytes = (uint64_t)reader->task.file_size,
    };
    reader->start_size = frame_encode_start(reader->start, &start);
    frame_reader_init(&reader->frames, &start);
}

bool reader_start(struct reader *reader, const struct reader_task *task) {
    int sockets[2];
    struct worker *worker = reader->worker;
    reader_stop(reader);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) return false;
    reader->socket = sockets[0];
    reader->task = *task;
    make_start(reader);
    restart_clock(reader);
    bool started = loop_add(&worker->loop, &reader->watch, sockets[0], EPOLLIN, on_data);
    if (!started) close(sockets[1]);
    started = started && zygote_fork(&worker->zygote, reader, sockets[1]);
    if (!started) reader_stop(reader);
    return started;
}

/* Out of the epoll altogether: a hang-up would be told again and again. */
void reader_pause(struct reader *reader) {
    if (reader->socket < 0 || reader->paused || reader->ended) return;
    reader->paused = true;
    loop_remove(&reader->worker->loop, &reader->watch);
}

void reader_resume(struct reader *reader) {
    if (reader->socket < 0 || !reader->paused) return;
    reader->paused = false;
    restart_clock(reader);
    if (!loop_add(&reader->worker->loop, &reader->watch, reader->socket, events_of(reader),
                  on_data))
        job_fail(reader->job, "internal", NULL);
}

void reader_tick(struct reader *reader, int64_t now_ms) {
    if (reader->socket < 0 || reader->paused || reader->timed_out || now_ms < reader->due_ms)
        return;
    reader->timed_out = true;
    zygote_kill(&reader->worker->zygote, reader);
}
