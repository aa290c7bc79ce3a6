/* SPDX-License-Identifier: MIT
 * test_redis_server.c - a connection to a real Redis: commands, deep pipelines, scripts, subscriptions, a
 * server that is killed and comes back. Without a redis-server there is nothing to test.
 */
#include "redis_server.h"

static struct server server;

static shared_client *server_client(void) {
    return client_make((const char *[]){"REDIS_URL", server.url, "RECONNECT_MS_MAX", "50", NULL});
}

START_TEST(commands_are_answered_in_order) {
    enum { COUNT = 10000 };
    static struct asked asked[COUNT];
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    asked_count = 0;
    for (int i = 0; i < COUNT; i++) ask(redis, &asked[i], 2, (const char *[]){"INCR", "n"});
    client_until(client, &asked_count, COUNT);
    for (int i = 0; i < COUNT; i++) ck_assert_int_eq(asked[i].integer, i + 1);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(bytes_of_any_kind_come_back) {
    static const char binary[] = "a\0b\r\n$3\xff";
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    struct asked set = {.command.finish = asked_finish}, get, length, missing;
    const char *words[] = {"SET", "key", binary};
    redis_send(redis, &set.command, 3, words, (const size_t[]){3, 3, sizeof binary - 1});
    ask(redis, &length, 2, (const char *[]){"STRLEN", "key"});
    ask(redis, &get, 2, (const char *[]){"GET", "key"});
    ask(redis, &missing, 2, (const char *[]){"GET", "other"});
    asked_count = 0;
    client_until(client, &asked_count, 4);
    ck_assert_int_eq(length.integer, sizeof binary - 1);
    ck_assert_mem_eq(get.text, "a", 2);
    ck_assert_int_eq(missing.type, REPLY_NULL);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

static char large[8 << 20];
static int large_seen;
static void large_finish(struct command *command, const struct reply *reply,
                         const struct shared_error *error) {
    (void)command;
    ck_assert_ptr_null(error);
    ck_assert_uint_eq(reply->size, sizeof large);
    ck_assert_mem_eq(reply->text, large, sizeof large);
    large_seen++;
}

START_TEST(large_values_pass_both_ways) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 31 >> 3);
    struct asked set = {.command.finish = asked_finish};
    redis_send(redis, &set.command, 3, (const char *[]){"SET", "key", large},
               (const size_t[]){3, 3, sizeof large});
    struct command get = {.finish = large_finish};
    redis_send(redis, &get, 2, (const char *[]){"GET", "key"}, NULL);
    client_until(client, &large_seen, 1);
    ck_assert_int_eq(set.error.code, 0);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

static const struct script adder = {.name = "adder",
                                    .text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"};

START_TEST(scripts_survive_a_flush_and_a_restart) {
    enum { COUNT = 200 };
    static struct asked asked[COUNT];
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    asked_count = 0;
    for (int i = 0; i < COUNT; i++) {
        struct asked flush;
        asked[i] = (struct asked){.command.finish = asked_finish};
        redis_run(redis, &adder, &asked[i].command, 1, 2, (const char *[]){"sum", "2"}, NULL);
        if (i % 50 != 49) continue;
        ask(redis, &flush, 2, (const char *[]){"SCRIPT", "FLUSH"});
        client_until(client, &flush.finished, 1);
    }
    client_until(client, &asked_count, COUNT + COUNT / 50);
    for (int i = 0; i < COUNT; i++)
        ck_assert_msg(asked[i].error.code == 0, "%s", asked[i].error.message);
    struct asked sum;
    ask(redis, &sum, 2, (const char *[]){"GET", "sum"});
    client_until(client, &sum.finished, 1);
    ck_assert_str_eq(sum.text, "400");
    server_kill(&server);
    server_run(&server, NULL);
    server_await(client, redis);
    asked[0] = (struct asked){.command.finish = asked_finish};
    redis_run(redis, &adder, &asked[0].command, 1, 2, (const char *[]){"sum", "2"}, NULL);
    client_until(client, &asked[0].finished, 1);
    ck_assert_int_eq(asked[0].integer, 2);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(killed_server_fails_what_is_under_way_and_is_found_again) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    struct asked block = {.command.finish = asked_finish};
    redis_send_blocking(redis, &block.command, 5000, 3, (const char *[]){"BRPOP", "none", "5"},
                        NULL);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    server_kill(&server);
    client_until(client, &block.finished, 1);
    ck_assert_int_eq(block.error.code, SHARED_ECLOSED);
    ck_assert_int_eq(block.error.class, SHARED_RETRYABLE);
    ck_assert(block.command.sent);
    server_run(&server, NULL);
    server_await(client, redis);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(child_of_fork_frees_without_a_byte_on_the_wire) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    server_await(client, redis);
    struct asked asked;
    ask(redis, &asked, 2,
        (const char *[]){"INCR", "n"}); /* queued: the child must not send it too */
    pid_t child = fork();
    if (child == 0) {
        shared_client_free(client);
        _exit(asked.error.code == SHARED_ECANCELLED ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.integer, 1);
    ask(redis, &asked, 2, (const char *[]){"INCR", "n"});
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.integer, 2);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(wrong_password_is_told_without_it) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    server_await(client, redis_of(client, REDIS_PROGRESS));
    shared_client_free(client);
    char url[128];
    (void)snprintf(url, sizeof url, "unix://:guess@%s", server.socket);
    client = client_make((const char *[]){"REDIS_URL", url, NULL});
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.class, SHARED_PERMANENT);
    ck_assert_ptr_nonnull(strstr(asked.error.message, "REDIS_URL: "));
    ck_assert_ptr_nonnull(strstr(asked.error.message, "WRONGPASS"));
    ck_assert_ptr_null(strstr(asked.error.message, "guess"));
    shared_client_free(client);
    (void)snprintf(url, sizeof url, "unix://%s", server.socket);
    client = client_make((const char *[]){"REDIS_URL", url, NULL});
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_ptr_nonnull(strstr(asked.error.message, "NOAUTH"));
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(unknown_database_fails_the_connection) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    server_await(client, redis_of(client, REDIS_PROGRESS));
    shared_client_free(client);
    char url[160];
    (void)snprintf(url, sizeof url, "%s?db=99", server.url);
    client = client_make((const char *[]){"REDIS_URL", url, NULL});
    struct asked asked;
    ask(redis_of(client, REDIS_PROGRESS), &asked, 2, (const char *[]){"INCR", "n"});
    client_until(client, &asked.finished, 1);
    ck_assert_ptr_nonnull(strstr(asked.error.message, "DB index is out of range"));
    ck_assert(!asked.command.sent);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

/* --- subscriptions -------------------------------------------------------------------------------- */
static int64_t publish(shared_client *client, const char *channel, const char *text) {
    struct asked asked;
    ask(redis_of(client, REDIS_PROGRESS), &asked, 3, (const char *[]){"PUBLISH", channel, text});
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, 0);
    return asked.integer;
}

START_TEST(listener_hears_and_hears_again_after_a_restart) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    server_await(client, redis_of(client, REDIS_PROGRESS));
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "progress:1"), SHARED_OK);
    client_until(client, &heard.subscribed, 1);
    ck_assert_int_eq(publish(client, "progress:1", "first"), 1);
    client_until(client, &heard.messages, 1);
    ck_assert_str_eq(heard.channel, "progress:1");
    ck_assert_str_eq(heard.payload, "first");
    server_kill(&server);
    client_until(client, &heard.lost, 1);
    server_run(&server, NULL);
    client_until(client, &heard.subscribed, 2);
    server_await(client, redis_of(client, REDIS_PROGRESS));
    ck_assert_int_eq(publish(client, "progress:1", "second"), 1);
    client_until(client, &heard.messages, 2);
    ck_assert_str_eq(heard.payload, "second");
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(channels_are_counted) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    server_await(client, redis_of(client, REDIS_PROGRESS));
    redis_listen(redis, heard_by());
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    ck_assert_int_eq(redis_subscribe(redis, "a"), SHARED_OK);
    client_until(client, &heard.subscribed, 1);
    redis_unsubscribe(redis, "a");
    redis_unsubscribe(redis, "never wanted");
    ck_assert(redis_is_subscribed(redis, "a"));
    ck_assert_int_eq(publish(client, "a", "x"), 1);
    redis_unsubscribe(redis, "a");
    redis_unsubscribe(redis, "a");
    ck_assert(!redis_is_subscribed(redis, "a"));
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    while (publish(client, "a", "y") > 0) ck_assert_int_lt(time_monotonic_ms(), end_ms);
    /* Away and back within one dispatch: nothing goes over the wire, and yet it is told. */
    ck_assert_int_eq(redis_subscribe(redis, "b"), SHARED_OK);
    client_until(client, &heard.subscribed, 2);
    redis_unsubscribe(redis, "b");
    ck_assert_int_eq(redis_subscribe(redis, "b"), SHARED_OK);
    client_until(client, &heard.subscribed, 3);
    ck_assert_int_eq(publish(client, "b", "z"), 1);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

START_TEST(ten_thousand_channels) {
    enum { COUNT = 10000 };
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_LISTEN);
    server_await(client, redis_of(client, REDIS_PROGRESS));
    redis_listen(redis, heard_by());
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "progress:%d", i);
        ck_assert_int_eq(redis_subscribe(redis, name), SHARED_OK);
    }
    client_until(client, &heard.subscribed, COUNT);
    ck_assert_int_eq(publish(client, "progress:7777", "x"), 1);
    client_until(client, &heard.messages, 1);
    for (int i = 0; i < COUNT; i += 2) {
        (void)snprintf(name, sizeof name, "progress:%d", i);
        redis_unsubscribe(redis, name);
    }
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    while (publish(client, "progress:0", "x") > 0) ck_assert_int_lt(time_monotonic_ms(), end_ms);
    server_kill(&server);
    client_until(client, &heard.lost, 1);
    server_run(&server, NULL);
    client_until(client, &heard.subscribed, COUNT + COUNT / 2); /* only those still wanted */
    shared_client_free(client);
    server_end(&server);
}
END_TEST

/* Redis ends a wait like that, by itself, with a reply that is in the table of classes. */
START_TEST(a_waiting_command_is_unblocked_when_its_server_becomes_a_replica) {
    server_start(&server, NULL);
    shared_client *client = server_client();
    struct redis *redis = redis_of(client, REDIS_PROGRESS), *block = redis_of(client, REDIS_BLOCK);
    server_await(client, redis);
    struct asked waits = {.command.finish = asked_finish}, asked;
    redis_send_blocking(block, &waits.command, 20000, 3, (const char *[]){"BLPOP", "key", "20"},
                        NULL);
    do {
        ask(redis, &asked, 2, (const char *[]){"INFO", "clients"});
        client_until(client, &asked.finished, 1);
    } while (!strstr(asked.text, "blocked_clients:1"));
    ask(redis, &asked, 3, (const char *[]){"REPLICAOF", "127.0.0.1", "1"});
    client_until(client, &waits.finished, 1);
    ck_assert_msg(!strncmp(waits.error.message, "UNBLOCKED", 9), "%s", waits.error.message);
    ck_assert_int_eq(waits.error.class, SHARED_RETRYABLE);
    ck_assert_int_eq(waits.error.code, SHARED_EREMOTE);
    shared_client_free(client);
    server_end(&server);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_waiting_command_is_unblocked_when_its_server_becomes_a_replica,
        commands_are_answered_in_order,
        bytes_of_any_kind_come_back,
        large_values_pass_both_ways,
        scripts_survive_a_flush_and_a_restart,
        killed_server_fails_what_is_under_way_and_is_found_again,
        child_of_fork_frees_without_a_byte_on_the_wire,
        wrong_password_is_told_without_it,
        unknown_database_fails_the_connection,
        listener_hears_and_hears_again_after_a_restart,
        channels_are_counted,
        ten_thousand_channels,
    };
    if (!program_exists("redis-server")) return 77;
    return unit_run("redis_server", tests, sizeof tests / sizeof *tests);
}
