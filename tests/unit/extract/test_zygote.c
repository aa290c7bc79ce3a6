/* SPDX-License-Identifier: MIT
 * test_zygote.c - the process that bears the children: what each is born with, how each can end,
 * and that nothing is left of any.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "sandbox.h"
#include "unit.h"

enum { DEADLINE_MS = 20000, MANY = 200 };

static struct client client;

static void setup(bool sandbox) {
    ck_assert(client_start(&client, EXTRACT_PROGRAM, sandbox));
}

/* ---- a child held between its birth and its document */

struct held {
    pid_t pid;
    int data;
    uint64_t serial;
};

static void send_order(const struct extract_control *order, const int *descriptors, int count) {
    uint8_t bytes[EXTRACT_CONTROL_BYTES];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN((size_t)count * sizeof(int))}};
    extract_control_encode(bytes, order);
    if (count) memcpy(CMSG_DATA(&control.header), descriptors, (size_t)count * sizeof(int));
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(client.control, &message, MSG_NOSIGNAL), sizeof bytes);
}

static struct extract_control receive(void) {
    struct pollfd ready = {.fd = client.control, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, DEADLINE_MS), 1);
    uint8_t bytes[EXTRACT_CONTROL_BYTES + 1];
    struct extract_control message;
    ssize_t size = recv(client.control, bytes, sizeof bytes, 0);
    ck_assert_int_gt(size, 0);
    ck_assert_ptr_null(extract_control_decode(bytes, (size_t)size, &message));
    return message;
}

static const struct extract_control new_order = {
    .type = EXTRACT_NEW, .memory_bytes_max = (uint64_t)1 << 30, .cpu_s_max = 60};

/* The answer to an order of a new child; the descriptors are closed here. */
static struct extract_control ask(uint64_t serial, const int *descriptors, int count) {
    struct extract_control order = new_order;
    order.serial = serial;
    send_order(&order, descriptors, count);
    struct extract_control answer = receive();
    ck_assert_uint_eq(answer.serial, serial);
    return answer;
}

static void read_exactly(int file, void *bytes, size_t size) {
    struct pollfd ready = {.fd = file, .events = POLLIN};
    for (size_t at = 0; at < size;) {
        ck_assert_int_eq(poll(&ready, 1, DEADLINE_MS), 1);
        ssize_t got = read(file, (char *)bytes + at, size - at);
        ck_assert_int_gt(got, 0);
        at += (size_t)got;
    }
}

static struct held hold(uint64_t serial) {
    int pair[2];
    uint8_t hello[FRAME_HEADER_BYTES + 12];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct extract_control born = ask(serial, &pair[1], 1);
    ck_assert_uint_eq(born.type, EXTRACT_BORN);
    close(pair[1]);
    read_exactly(pair[0], hello, sizeof hello);
    ck_assert_int_eq(hello[4], FRAME_HELLO);
    return (struct held){.pid = born.pid, .data = pair[0], .serial = serial};
}

static int end_of(const struct held *held) {
    struct extract_control gone = receive();
    ck_assert_uint_eq(gone.type, EXTRACT_GONE);
    ck_assert_uint_eq(gone.serial, held->serial);
    ck_assert_int_eq(gone.pid, held->pid);
    ck_assert(kill(held->pid, 0) == -1 && errno == ESRCH);
    close(held->data);
    return gone.status;
}

/* ---- what /proc says */

static int count_entries(pid_t pid, const char *folder, char *last, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, folder);
    DIR *directory = opendir(path);
    ck_assert_msg(directory != NULL, "%s", path);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(last, size, "%s", entry->d_name);
        count++;
    }
    closedir(directory);
    return count;
}

static size_t read_proc(pid_t pid, const char *name, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY);
    ck_assert_int_ge(file, 0);
    ssize_t got = read(file, out, size - 1);
    ck_assert_int_ge(got, 0);
    out[got] = '\0';
    close(file);
    return (size_t)got;
}

START_TEST(a_child_has_one_descriptor_no_environment_and_its_box) {
    char text[8192];
    setenv("DATABASE_URL", "postgresql://secret", 1);
    setup(true);
    ck_assert_uint_eq(client.ready.sandboxed, 1);
    ck_assert_uint_ge(client.ready.landlock_abi, 1);
    struct held held = hold(7);
    if (!sandbox_is_relaxed) {
        ck_assert_int_eq(count_entries(held.pid, "fd", text, sizeof text), 1);
        ck_assert_str_eq(text, "0");
    }
    ck_assert_uint_eq(read_proc(held.pid, "environ", text, sizeof text), 0);
    ck_assert_uint_eq(read_proc(client.zygote, "environ", text, sizeof text), 0);
    read_proc(held.pid, "status", text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\nSeccomp:\t2\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nNoNewPrivs:\t1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nThreads:\t1\n"));
    read_proc(held.pid, "limits", text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "Max core file size        0                    0"));
    ck_assert_ptr_nonnull(strstr(text, "Max file size             0                    0"));
    ck_assert_ptr_nonnull(strstr(text, "Max processes             0                    0"));
    ck_assert_ptr_nonnull(strstr(text, "Max open files            0                    0"));
    ck_assert_ptr_nonnull(strstr(text, "Max cpu time              60                   61"));
    if (!sandbox_is_relaxed) ck_assert_ptr_nonnull(strstr(text, "1073741824           1073741824"));
    close(held.data);
    held.data = -1;
    ck_assert(WIFEXITED(end_of(&held)));
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(without_a_sandbox_only_when_told) {
    char text[8192];
    setup(false);
    ck_assert_uint_eq(client.ready.sandboxed, 0);
    struct held held = hold(1);
    read_proc(held.pid, "status", text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\nSeccomp:\t0\n"));
    close(held.data);
    held.data = -1;
    end_of(&held);
    struct outcome outcome = outcome_of(&client, "text", 4, NULL, 1);
    ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
    ck_assert(!outcome.result.box_seen);
    outcome_free(&outcome);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

/* ---- how children end */

START_TEST(a_child_that_is_told_to_dies) {
    setup(true);
    struct held a = hold(1), b = hold(2);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 99}, NULL, 0);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 1}, NULL, 0);
    int status = end_of(&a);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(kill(b.pid, 0), 0);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 1}, NULL, 0);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 2}, NULL, 0);
    end_of(&b);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(a_stopped_child_dies_too) {
    setup(true);
    struct held held = hold(1);
    ck_assert_int_eq(kill(held.pid, SIGSTOP), 0);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 1}, NULL, 0);
    ck_assert_int_eq(WTERMSIG(end_of(&held)), SIGKILL);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

/* What the worker may send wrong or not at all. */
static void expect_end_after(const struct frame_start *start, size_t bytes, const char *says) {
    struct held held = hold(1);
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    char said[600] = "";
    size_t size = frame_encode_start(frame, start);
    if (bytes < size) size = bytes;
    ck_assert_int_eq(write(held.data, frame, size), (ssize_t)size);
    shutdown(held.data, SHUT_WR);
    struct pollfd ready = {.fd = held.data, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, DEADLINE_MS), 1);
    ssize_t got = read(held.data, said, sizeof said - 1);
    if (says) {
        ck_assert_int_gt(got, FRAME_HEADER_BYTES);
        ck_assert_int_eq(said[4], FRAME_ERROR);
        ck_assert_msg(strstr(said + FRAME_HEADER_BYTES + FRAME_PREFIX_BYTES, says), "%s",
                      said + FRAME_HEADER_BYTES + FRAME_PREFIX_BYTES);
    } else {
        ck_assert_int_eq(got, 0);
    }
    ck_assert(WIFEXITED(end_of(&held)));
}

START_TEST(a_child_whose_worker_falls_silent_or_mad_ends) {
    static const struct frame_start good = {1, 10, 100, 1000, 1000, 50};
    struct frame_start bad = good;
    bad.first_page = 0;
    setup(true);
    expect_end_after(&good, 0, NULL);                     /* no START */
    expect_end_after(&good, FRAME_START_BYTES - 1, NULL); /* half a START */
    expect_end_after(&good, FRAME_START_BYTES, NULL);     /* no document */
    expect_end_after(&bad, FRAME_START_BYTES, "first_page is 0");
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(a_child_whose_reader_vanishes_ends) {
    setup(true);
    struct held held = hold(1);
    uint8_t frame[FRAME_SMALL_BYTES_MAX];
    enum { SIZE = 4 << 20 };
    char *text = malloc(SIZE);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', SIZE);
    struct frame_start start = {1, 1000, 1 << 20, 10000, 64 << 20, SIZE};
    size_t size = frame_encode_start(frame, &start);
    ck_assert_int_eq(send(held.data, frame, size, MSG_NOSIGNAL), (ssize_t)size);
    for (size_t at = 0; at < SIZE;) {
        ssize_t sent = send(held.data, text + at, SIZE - at, MSG_NOSIGNAL);
        ck_assert_int_gt(sent, 0);
        at += (size_t)sent;
    }
    char piece[100];
    read_exactly(held.data, piece,
                 sizeof piece); /* it is writing, and far more than the socket holds */
    close(held.data);
    held.data = -1;
    int status = end_of(&held);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    free(text);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

/* ---- how it all ends */

static void expect_gone(pid_t pid) {
    for (int waited = 0; kill(pid, 0) == 0; waited++) {
        ck_assert_int_lt(waited, DEADLINE_MS);
        poll(NULL, 0, 1); /* it is nobody's child of ours: there is nothing to wait on */
    }
}

START_TEST(when_the_worker_goes_all_children_go) {
    setup(true);
    struct held a = hold(1), b = hold(2);
    kill(b.pid, SIGSTOP);
    ck_assert_int_eq(client_finish(&client), 0);
    ck_assert(kill(a.pid, 0) == -1 && kill(b.pid, 0) == -1);
}
END_TEST

START_TEST(when_the_zygote_is_killed_all_children_go) {
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that this test can see them off */
    setup(true);
    struct held a = hold(1), b = hold(2);
    kill(client.zygote, SIGKILL);
    ck_assert(WIFSIGNALED(client_finish(&client)));
    ck_assert_int_eq(waitpid(a.pid, NULL, 0), a.pid);
    ck_assert_int_eq(waitpid(b.pid, NULL, 0), b.pid);
    expect_gone(a.pid);
}
END_TEST

START_TEST(nonsense_on_the_control_socket_ends_the_zygote) {
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {{"x", 1}, {"\2\0\0\0", 4}, {"\377\377\377\377", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setup(true);
        struct held held = hold(1);
        ck_assert_int_eq(send(client.control, rows[i].bytes, rows[i].size, 0),
                         (ssize_t)rows[i].size);
        int status;
        ck_assert_int_eq(waitpid(client.zygote, &status, 0), client.zygote);
        ck_assert_int_eq(status, 0);
        expect_gone(held.pid);
        close(held.data);
        client.zygote = 0;
        client_finish(&client);
    }
}
END_TEST

START_TEST(a_child_without_a_socket_is_refused) {
    setup(true);
    struct extract_control answer = ask(5, NULL, 0);
    ck_assert_uint_eq(answer.type, EXTRACT_REFUSED);
    ck_assert_int_eq(answer.status, EBADF);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(there_are_so_many_children_and_no_more) {
    static struct held held[EXTRACT_CHILDREN_MAX];
    int pair[2];
    setup(true);
    for (uint64_t i = 0; i < EXTRACT_CHILDREN_MAX; i++) held[i] = hold(i + 1);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct extract_control answer = ask(1000, &pair[1], 1);
    ck_assert_uint_eq(answer.type, EXTRACT_REFUSED);
    ck_assert_int_eq(answer.status, EAGAIN);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 9}, NULL, 0);
    end_of(&held[8]);
    ck_assert_uint_eq(ask(1001, &pair[1], 1).type, EXTRACT_BORN);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(two_hundred_documents_leave_nothing) {
    char text[512];
    struct pdf pdf = {0};
    pdf_plain(&pdf, 2);
    setup(true);
    int descriptors = count_entries(client.zygote, "fd", text, sizeof text);
    for (int i = 0; i < MANY; i++) {
        bool broken = i % 5 == 4;
        struct outcome outcome = outcome_of(&client, pdf.bytes, broken ? 40 : pdf.size, NULL, 1);
        ck_assert_int_eq(outcome.result.code, broken ? EXTRACT_FILE_DAMAGED : EXTRACT_NO_ERROR);
        outcome_free(&outcome);
    }
    ck_assert_int_eq(count_entries(client.zygote, "fd", text, sizeof text), descriptors);
    char children[64];
    snprintf(children, sizeof children, "task/%d/children", (int)client.zygote);
    ck_assert_uint_eq(read_proc(client.zygote, children, text, sizeof text), 0);
    ck_assert_int_eq(client_finish(&client), 0);
    pdf_free(&pdf);
}
END_TEST

START_TEST(a_later_document_sees_nothing_of_an_earlier_one) {
    static const char canary[] = "canary-7f3a91c2-of-the-first-client";
    setup(true);
    struct outcome outcome = outcome_of(&client, canary, sizeof canary - 1, NULL, 1);
    ck_assert_str_eq(outcome.pages[0], canary);
    outcome_free(&outcome);
    struct held held = hold(1000);
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)held.pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "/proc/%d/mem", (int)held.pid);
    int memory = open(path, O_RDONLY);
    ck_assert(maps && memory >= 0);
    size_t searched = 0;
    while (fgets(line, sizeof line, maps)) {
        char *end;
        unsigned long from = strtoul(line, &end, 16);
        unsigned long to = strtoul(end + 1, &end, 16);
        if (end[1] != 'r' || end[2] != 'w' || to - from > 64 << 20) continue;
        char *copy = malloc(to - from);
        ck_assert_ptr_nonnull(copy);
        ssize_t got = pread(memory, copy, to - from, (off_t)from);
        if (got > 0) ck_assert_ptr_null(memmem(copy, (size_t)got, canary, sizeof canary - 1));
        searched += got > 0 ? (size_t)got : 0;
        free(copy);
    }
    ck_assert_uint_gt(searched, 100000);
    fclose(maps);
    close(memory);
    send_order(&(struct extract_control){.type = EXTRACT_KILL, .serial = 1000}, NULL, 0);
    end_of(&held);
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

START_TEST(reading_goes_on_at_any_page) {
    struct pdf pdf = {0};
    pdf_plain(&pdf, 6);
    setup(true);
    for (uint32_t first = 1; first <= 8; first++) {
        struct outcome outcome = outcome_of(&client, pdf.bytes, pdf.size, NULL, first);
        ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
        ck_assert_uint_eq(outcome.result.page_count, 6);
        ck_assert_uint_eq(outcome.count, first > 6 ? 0 : 7 - first);
        for (uint32_t i = 0; i < outcome.count; i++) {
            char expected[40];
            snprintf(expected, sizeof expected, "Page %u of the text.", first + i);
            ck_assert_str_eq(outcome.pages[i], expected);
        }
        outcome_free(&outcome);
    }
    ck_assert_int_eq(client_finish(&client), 0);
    pdf_free(&pdf);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_child_has_one_descriptor_no_environment_and_its_box,
        without_a_sandbox_only_when_told,
        a_child_that_is_told_to_dies,
        a_stopped_child_dies_too,
        a_child_whose_worker_falls_silent_or_mad_ends,
        a_child_whose_reader_vanishes_ends,
        when_the_worker_goes_all_children_go,
        when_the_zygote_is_killed_all_children_go,
        nonsense_on_the_control_socket_ends_the_zygote,
        a_child_without_a_socket_is_refused,
        there_are_so_many_children_and_no_more,
        two_hundred_documents_leave_nothing,
        a_later_document_sees_nothing_of_an_earlier_one,
        reading_goes_on_at_any_page,
    };
    return unit_run("extract-zygote", tests, sizeof tests / sizeof *tests);
}
