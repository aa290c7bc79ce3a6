/* SPDX-License-Identifier: MIT
 * test_redis_listen.c - subscriptions, by name and by pattern, at a server that misbehaves as told
 * (redis_fake.h): breaks, late confirmations, silence.
 */
#include "redis_fake.h"
#include "redis_fixture.h"

static struct fake fake;

static shared_client *fake_client(const char *timeout_ms) {
    return client_make((const char *[]){"REDIS_URL", fake.url, "REDIS_TIMEOUT_MS", timeout_ms,
                                        "RECONNECT_MS_MAX", "100", NULL});
}

static void serve_channels(struct fake *server, int fd, int index) {
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n")) return;
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    fake_say(fd, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    if (index == 0) return; /* the connection ends: the client comes again by itself */
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(channels_are_asked_for_again_after_a_break) {
    fake_start(&fake, serve_channels);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    client_until(client, &heard.messages, 2);
    ck_assert_int_eq(heard.subscribed, 2);
    ck_assert_int_eq(heard.lost, 1);
    ck_assert_int_eq(heard.error.class, SHARED_RETRYABLE);
    ck_assert(redis_is_subscribed(redis, "a"));
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static void serve_mind_changes(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd, "SUBSCRIBE\r\n$1\r\na\r\n")) return;
    if (!fake_await(server, fd, "UNSUBSCRIBE\r\n$1\r\na\r\n")) return;
    if (!fake_await(server, fd, "SUBSCRIBE\r\n$1\r\na\r\n")) return;
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    fake_say(fd, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    fake_say(fd, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nearly\r\n");
    if (!fake_await(server, fd, "SUBSCRIBE\r\n$1\r\nb\r\n")) return;
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(only_the_last_word_on_a_channel_counts) {
    fake_start(&fake, serve_mind_changes);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    while (!redis_is_connected(redis)) ck_assert_int_ge(shared_client_dispatch(client, 10), 0);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0); /* SUBSCRIBE has left */
    redis_unsubscribe(redis, "a");
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    client_until(client, &heard.messages, 1);
    ck_assert_int_eq(heard.subscribed, 0); /* the confirmation was of the first time */
    ck_assert(!redis_is_subscribed(redis, "a"));
    ck_assert_int_eq(redis_subscribe(redis, "b"), SHARED_OK);
    client_until(client, &heard.subscribed, 2);
    ck_assert(redis_is_subscribed(redis, "a"));
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

/* --- patterns ------------------------------------------------------------------------------------- */

static void serve_pattern(struct fake *server, int fd, int index) {
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd, "*2\r\n$10\r\nPSUBSCRIBE\r\n$3\r\np:*\r\n")) return;
    fake_say(fd, "*3\r\n$10\r\npsubscribe\r\n$3\r\np:*\r\n:1\r\n");
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$3\r\np:*\r\n$3\r\np:7\r\n$2\r\nhi\r\n");
    if (index == 0) return;
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(patterns_are_asked_for_again_after_a_break) {
    fake_start(&fake, serve_pattern);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe_pattern(redis, "p:*"), SHARED_OK);
    client_until(client, &heard.matched, 2);
    ck_assert_str_eq(heard.channel, "p:7");
    ck_assert_str_eq(heard.payload, "hi");
    ck_assert_int_eq(heard.lost, 1);
    ck_assert_int_eq(heard.messages, 0);
    ck_assert_int_eq(heard.subscribed, 0); /* told of channels only */
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

/* Every answer that a pattern "a" must not take for its own, and then one that is. */
static void serve_strangers(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n")) return;
    if (!fake_await(server, fd, "*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\na\r\n")) return;
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    fake_say(fd, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n");
    fake_say(fd, "*3\r\n$10\r\npsubscribe\r\n$1\r\na\r\n:2\r\n");
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$1\r\nb\r\n$1\r\nb\r\n$4\r\nnone\r\n");
    fake_say(fd, "*3\r\n$8\r\npmessage\r\n$1\r\na\r\n$5\r\nshort\r\n");
    fake_say(fd, "*3\r\n$1\r\np\r\n$1\r\na\r\n$4\r\nnone\r\n");
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\na\r\n$1\r\n2\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(a_pattern_and_a_channel_of_the_same_text_are_two) {
    fake_start(&fake, serve_strangers);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    ck_assert_int_eq(redis_subscribe_pattern(redis, "a"), SHARED_OK);
    client_until(client, &heard.messages, 1);
    ck_assert(redis_is_subscribed(redis, "a"));
    client_until(client, &heard.matched, 1);
    ck_assert_str_eq(heard.payload, "2"); /* the first that was one */
    ck_assert_int_eq(heard.messages, 1);
    ck_assert_int_eq(heard.subscribed, 1);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static void serve_pattern_ends(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd, "PSUBSCRIBE\r\n$3\r\np:*\r\n")) return;
    fake_say(fd, "*3\r\n$10\r\npsubscribe\r\n$3\r\np:*\r\n:1\r\n");
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$3\r\np:*\r\n$3\r\np:1\r\n$1\r\n1\r\n");
    if (!fake_await(server, fd, "PUNSUBSCRIBE\r\n$3\r\np:*\r\n")) return;
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$3\r\np:*\r\n$3\r\np:1\r\n$4\r\nlate\r\n");
    fake_say(fd, "*3\r\n$12\r\npunsubscribe\r\n$3\r\np:*\r\n:0\r\n");
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n");
    if (!fake_await(server, fd, "PSUBSCRIBE\r\n$3\r\np:*\r\n")) return;
    fake_say(fd, "*3\r\n$10\r\npsubscribe\r\n$3\r\np:*\r\n:1\r\n");
    fake_say(fd, "*4\r\n$8\r\npmessage\r\n$3\r\np:*\r\n$3\r\np:1\r\n$1\r\n2\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(a_pattern_is_counted_and_nothing_late_is_told) {
    fake_start(&fake, serve_pattern_ends);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe_pattern(redis, "p:*"), SHARED_OK);
    ck_assert_int_eq(redis_subscribe_pattern(redis, "p:*"), SHARED_OK);
    client_until(client, &heard.matched, 1);
    redis_unsubscribe_pattern(redis, "p:*");
    redis_unsubscribe_pattern(redis, "never wanted");
    redis_unsubscribe(redis, "p:*"); /* a channel that nobody wanted */
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    redis_unsubscribe_pattern(redis, "p:*"); /* only this is told to the server */
    ck_assert_int_eq(redis_subscribe(redis, "b"), SHARED_OK);
    client_until(client, &heard.subscribed, 1);
    ck_assert_int_eq(heard.matched, 1);
    ck_assert_int_eq(redis_subscribe_pattern(redis, "p:*"), SHARED_OK);
    client_until(client, &heard.matched, 2);
    ck_assert_str_eq(heard.payload, "2");
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static _Atomic int pongs;
static void serve_vanish(struct fake *server, int fd, int index) {
    if (!fake_greet(server, fd) || !fake_await(server, fd, "SUBSCRIBE\r\n")) return;
    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    while (fake_await(server, fd, "PING\r\n")) {
        if (index == 0) continue;
        fake_say(fd, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        pongs++;
    }
}

START_TEST(listener_finds_out_that_the_server_vanished) {
    fake_start(&fake, serve_vanish);
    shared_client *client = fake_client("200"); /* one beat */
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    client_until(client, &heard.lost, 1);
    ck_assert_int_eq(heard.error.code, SHARED_ETIMEOUT);
    client_until(client, &heard.subscribed, 2);
    while (pongs < 2) ck_assert_int_ge(shared_client_dispatch(client, 20), 0);
    ck_assert_int_eq(heard.lost, 1);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        channels_are_asked_for_again_after_a_break,
        only_the_last_word_on_a_channel_counts,
        patterns_are_asked_for_again_after_a_break,
        a_pattern_and_a_channel_of_the_same_text_are_two,
        a_pattern_is_counted_and_nothing_late_is_told,
        listener_finds_out_that_the_server_vanished,
    };
    return unit_run("redis_listen", tests, sizeof tests / sizeof *tests);
}
