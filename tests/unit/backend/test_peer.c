/* SPDX-License-Identifier: MIT
 * test_peer.c - how long a connection may be slow, on a clock of ours.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static struct server server;
static struct peer *peer;
static int client;

static void connect_both(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, size), 0);
    server = (struct server){.peers = peers_new(), .settings.body_rate_min = 1024};
    peer = peer_new(&server, accept(listener, NULL, NULL));
    close(listener);
}

static void close_both(void) {
    close(peer_fd(peer));
    close(client);
    peer_free(&server, peer);
    peers_free(server.peers);
}

/* The server sends, and the client takes it. */
static void move_bytes(size_t size) {
    static char bytes[128 * 1024];
    ck_assert_int_eq(send(peer_fd(peer), bytes, size, 0), (ssize_t)size);
    ck_assert_int_eq(recv(client, bytes, size, MSG_WAITALL), (ssize_t)size);
}

/* A second at a time, as the server does it. */
static void sweep_until(int64_t now_ms) {
    for (; server.now_ms < now_ms; server.now_ms += 1000) peers_sweep(&server);
    peers_sweep(&server);
}

static bool is_open(void) {
    char byte;
    return recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

START_TEST(the_reader_of_an_answer_may_pause_a_minute) {
    peer_enter(&server, peer, PEER_ANSWER);
    move_bytes(100000);
    sweep_until(60000);
    move_bytes(100000);
    sweep_until(119000);
    ck_assert(is_open());
    sweep_until(180000);
    ck_assert(!is_open());
}
END_TEST

START_TEST(an_answer_that_drips_is_cut) {
    peer_enter(&server, peer, PEER_ANSWER);
    move_bytes(100000);
    sweep_until(60000);
    move_bytes(60 * 1024 - 1);
    sweep_until(120000);
    ck_assert(!is_open());
}
END_TEST

START_TEST(a_body_that_drips_is_cut_after_ten_seconds) {
    char text[64] = "";
    peer_enter(&server, peer, PEER_BODY);
    peer_received(peer, 10240);
    sweep_until(10000);
    ck_assert(is_open());
    peer_received(peer, 10239);
    sweep_until(20000);
    ck_assert_int_gt(recv(client, text, sizeof text - 1, 0), 0);
    ck_assert_ptr_nonnull(strstr(text, " 408 "));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("peer");
    tcase_add_checked_fixture(tests, connect_both, close_both);
    tcase_add_test(tests, the_reader_of_an_answer_may_pause_a_minute);
    tcase_add_test(tests, an_answer_that_drips_is_cut);
    tcase_add_test(tests, a_body_that_drips_is_cut_after_ten_seconds);
    return unit_run_case("peer", tests);
}
