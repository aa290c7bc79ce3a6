/* SPDX-License-Identifier: MIT
 * test_cut.c - the line to the server is cut after the n-th byte of a commit, in both directions: whatever
 * the session then says of the outcome must be true. Every CUT_STRIDE-th byte is tried, 7 by default.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

enum { LINES_MAX = 16, BLOCK = 4096 };

/* A proxy on a thread of its own: relays until a budget is used up, then resets both sides. */
struct line {
    int ends[2]; /* client, server; -1: free */
};
static struct proxy {
    int listener;
    struct sockaddr_in server;
    _Atomic long budget[2]; /* bytes from the client, from the server; below zero: any */
    _Atomic long passed[2];
    _Atomic bool over;
    struct line lines[LINES_MAX];
} proxy;

static void line_reset(struct line *line) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(line->ends[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        (void)close(line->ends[i]);
        line->ends[i] = -1;
    }
}

static void send_all(int fd, const char *bytes, ssize_t size) {
    for (ssize_t sent = 0, done; sent < size; sent += done)
        if ((done = send(fd, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL)) <= 0) return;
}

/* Passes on what came from one end, as much as is allowed. */
static void line_relay(struct line *line, int from) {
    char block[BLOCK];
    ssize_t size = recv(line->ends[from], block, sizeof block, 0);
    if (size <= 0) {
        line_reset(line);
        return;
    }
    long budget = atomic_load(&proxy.budget[from]);
    bool cuts = budget >= 0 && size >= budget;
    if (cuts) size = budget;
    if (budget >= 0) atomic_fetch_sub(&proxy.budget[from], size);
    atomic_fetch_add(&proxy.passed[from], size);
    send_all(line->ends[1 - from], block, size);
    if (!cuts) return;
    atomic_store(&proxy.budget[from], -1);
    line_reset(line);
}

static void line_open(void) {
    int client_end = accept(proxy.listener, NULL, NULL);
    int server_end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct line *line = proxy.lines;
    while (line->ends[0] >= 0) line++;
    *line = (struct line){{client_end, server_end}};
    if (connect(server_end, (struct sockaddr *)&proxy.server, sizeof proxy.server) < 0)
        line_reset(line);
}

static void *proxy_run(void *argument) {
    while (!atomic_load(&proxy.over)) {
        struct pollfd polled[1 + 2 * LINES_MAX] = {{.fd = proxy.listener, .events = POLLIN}};
        for (int i = 0; i < 2 * LINES_MAX; i++)
            polled[1 + i] = (struct pollfd){.fd = proxy.lines[i / 2].ends[i % 2], .events = POLLIN};
        (void)poll(polled, 1 + 2 * LINES_MAX, 20);
        for (int i = 0; i < 2 * LINES_MAX; i++)
            if (polled[1 + i].revents && proxy.lines[i / 2].ends[i % 2] == polled[1 + i].fd)
                line_relay(&proxy.lines[i / 2], i % 2);
        if (polled[0].revents) line_open();
    }
    return argument;
}

/* One connection, so that it is the one that is cut. */
static shared_client *client_of_one(const char *url) {
    shared_config *config = test_config();
    shared_client *made = NULL;
    OK(shared_config_set(config, "DATABASE_URL", url));
    OK(shared_config_set(config, "POOL_SIZE", "1"));
    OK(shared_config_set(config, "RECONNECT_MS_MAX", "10"));
    OK(shared_client_new(config, &made));
    shared_config_free(config);
    return made;
}

/* Starts it before TEST_DATABASE_URL, and returns a client that goes through it. */
static shared_client *client_through(pthread_t *thread) {
    char user[64], password[64], port[16], database[64], url[300];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(sscanf(getenv("TEST_DATABASE_URL"),
                            "postgresql://%63[^:]:%63[^@]@127.0.0.1:%15[^/]/%63s", user, password,
                            port, database),
                     4);
    proxy.server = address;
    proxy.server.sin_port = htons((uint16_t)atoi(port));
    proxy.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(proxy.listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(proxy.listener, 16), 0);
    ck_assert_int_eq(getsockname(proxy.listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < LINES_MAX; i++) proxy.lines[i] = (struct line){{-1, -1}};
    for (int i = 0; i < 2; i++) atomic_store(&proxy.budget[i], -1);
    ck_assert_int_eq(pthread_create(thread, NULL, proxy_run, NULL), 0);
    (void)snprintf(url, sizeof url, "postgresql://%s:%s@127.0.0.1:%d/%s?application_name=cut", user,
                   password, ntohs(address.sin_port), database);
    return client_of_one(url);
}

/* The server has noticed: what it did not commit by now it never will. */
static void wait_until_gone(shared_client *direct) {
    struct probe probe = {0};
    while (strcmp(probe.text, "0") != 0) {
        probe_init(&probe, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cut'");
        pool_read(client_pool(direct), &probe.operation);
        UNTIL(direct, probe.done);
        probe_succeeded(&probe);
    }
}

static int count_rows(shared_client *direct, const char *id) {
    struct probe probe;
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM documents WHERE id = '%s'", id);
    probe_init(&probe, sql);
    probe.operation.prepare = false;
    pool_read(client_pool(direct), &probe.operation);
    UNTIL(direct, probe.done);
    probe_succeeded(&probe);
    return atoi(probe.text);
}

/* A commit of one row, of changes alone or with BEGIN and COMMIT around; its status. */
static int32_t store(const char *id, bool with_begin) {
    const shared_event *event = NULL;
    shared_record *record = lab_document(id);
    OK(shared_session_add(session, record));
    shared_record_unref(record);
    if (with_begin) lab_query("SELECT 1", 0);
    OK(shared_session_commit(session, 1));
    shared_status status = shared_client_wait(client, 1, LAB_WAIT_MS, &event);
    ck_assert_ptr_nonnull(event);
    return status;
}

static void check_outcome(shared_client *direct, const char *id, int32_t status, long cut) {
    wait_until_gone(direct);
    int rows = count_rows(direct, id);
    bool told_right = status == SHARED_EUNKNOWN || (status == SHARED_OK && rows == 1) ||
                      (status == SHARED_ECLOSED && rows == 0);
    ck_assert_msg(told_right, "cut after %ld bytes: status %d, but %d rows", cut, status, rows);
}

/* Cuts further and further behind, until a commit gets through whole; how often each outcome came. */
static void cut_everywhere(int direction, bool with_begin) {
    const char *said = getenv("CUT_STRIDE");
    long stride = said ? atol(said) : 7;
    int outcomes[3] = {0}; /* committed, closed, unknown */
    pthread_t thread;
    test_run_aside("TRUNCATE documents, document_pages, document_chunks");
    shared_client *direct = test_client(NULL, NULL);
    client = client_through(&thread);
    OK(shared_session_new(client, &session));
    for (long cut = 1; !outcomes[0]; cut += stride) {
        char id[32];
        (void)snprintf(id, sizeof id, "warm-%ld", cut);
        while (store(id, with_begin) != SHARED_OK)
            continue; /* a connection that stands, and prepared */
        atomic_store(&proxy.budget[direction], cut);
        (void)snprintf(id, sizeof id, "doc-%ld", cut);
        int32_t status = store(id, with_begin);
        bool whole = atomic_exchange(&proxy.budget[direction], -1) >= 0;
        if (!whole) check_outcome(direct, id, status, cut);
        if (whole) ck_assert_int_eq(status, SHARED_OK);
        outcomes[0] += whole;
        outcomes[1] += status == SHARED_ECLOSED;
        outcomes[2] += status == SHARED_EUNKNOWN;
        ck_assert_int_lt(cut, 100000);
    }
    /* Early cuts upwards are known to have done nothing; cuts of the answer leave doubt. */
    ck_assert_int_gt(outcomes[2], 5);
    atomic_store(&proxy.over, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (int i = 0; i < LINES_MAX; i++)
        if (proxy.lines[i].ends[0] >= 0) line_reset(&proxy.lines[i]);
    (void)close(proxy.listener);
    shared_client_free(direct);
    lab_close();
}

START_TEST(a_batch_cut_on_its_way_to_the_server_is_told_truly) {
    cut_everywhere(0, false);
}
END_TEST

START_TEST(a_batch_whose_answer_is_cut_is_told_truly) {
    cut_everywhere(1, false);
}
END_TEST

START_TEST(a_transaction_cut_on_its_way_to_the_server_is_told_truly) {
    cut_everywhere(0, true);
}
END_TEST

START_TEST(a_transaction_whose_answer_is_cut_is_told_truly) {
    cut_everywhere(1, true);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_batch_cut_on_its_way_to_the_server_is_told_truly,
        a_batch_whose_answer_is_cut_is_told_truly,
        a_transaction_cut_on_its_way_to_the_server_is_told_truly,
        a_transaction_whose_answer_is_cut_is_told_truly,
    };
    return lab_run("cut", tests, sizeof tests / sizeof *tests);
}
