/* SPDX-License-Identifier: MIT
 * test_pool.c - who gets which connection and when, what is done to one that comes back, and what is
 * said while the server is away.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "pool_fixture.h"

START_TEST(reads_share_a_connection) {
    open_with(NULL, NULL);
    struct probe first, second;
    read_one(&first, "SELECT pg_backend_pid()");
    read_one(&second, "SELECT pg_backend_pid()");
    probe_succeeded(&first);
    ck_assert_str_eq(first.text, second.text);
    shared_client_free(client);
}
END_TEST

START_TEST(many_reads_at_once_use_the_shared_ones_and_no_more) {
    enum { COUNT = 200 };
    static struct probe probes[COUNT];
    open_with("POOL_SHARED", "2");
    for (int round = 0; round < 2; round++) { /* in the second both stand */
        for (int i = 0; i < COUNT; i++) {
            probe_init(&probes[i], "SELECT pg_backend_pid()");
            pool_read(pool, &probes[i].operation);
        }
        for (int i = 0; i < COUNT; i++) UNTIL(client, probes[i].done);
    }
    const char *one = probes[0].text, *two = NULL;
    int on_two = 0;
    for (int i = 0; i < COUNT; i++) {
        probe_succeeded(&probes[i]);
        if (!strcmp(probes[i].text, one)) continue;
        if (!two) two = probes[i].text;
        ck_assert_str_eq(probes[i].text, two);
        on_two++;
    }
    ck_assert_int_gt(on_two, COUNT / 4);
    shared_client_free(client);
}
END_TEST

START_TEST(a_connection_comes_back_and_is_given_again) {
    open_with(NULL, NULL);
    struct postgres *postgres = get();
    int backend = backend_of(postgres);
    pool_release(pool, postgres);
    postgres = get();
    ck_assert_int_eq(backend_of(postgres), backend);
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(an_open_transaction_is_rolled_back_before_the_next_one_gets_it) {
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    struct probe probe;
    run_on(postgres, &probe, "BEGIN");
    run_on(postgres, &probe, "CREATE TABLE left_over (id int)");
    probe_succeeded(&probe);
    pool_release(pool, postgres);
    postgres = get();
    ck_assert_int_eq(postgres_transaction(postgres), 'I');
    run_on(postgres, &probe, "SELECT to_regclass('left_over') IS NULL");
    ck_assert_str_eq(probe.text, "t");
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(a_connection_with_work_under_way_is_not_used_before_it_ends) {
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    struct probe slow;
    probe_init(&slow, "SELECT pg_sleep(0.2)");
    postgres_send(postgres, &slow.operation);
    pool_release(pool, postgres);
    struct asked asked;
    ask(&asked);
    ck_assert(!asked.done);
    UNTIL(client, asked.done);
    ck_assert(slow.done);
    pool_release(pool, asked.postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(who_waits_is_served_in_order) {
    enum { COUNT = 5 };
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    struct asked asked[COUNT];
    asked_order = 0;
    for (int i = 0; i < COUNT; i++) ask(&asked[i]);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(!asked[i].done);
        pool_release(pool, postgres);
        UNTIL(client, asked[i].done);
        postgres = asked[i].postgres;
        ck_assert_int_eq(asked[i].order, i + 1);
    }
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(an_exhausted_pool_is_busy_after_its_wait) {
    shared_config *config = test_config();
    ck_assert_int_eq(shared_config_set(config, "POOL_SIZE", "1"), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "POOL_WAIT_MS", "50"), SHARED_OK);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    pool = client_pool(client);
    /* The first one connects within the wait, or the test's machine is very slow: then it asks again. */
    struct asked asked;
    do {
        ask(&asked);
        UNTIL(client, asked.done);
    } while (!asked.postgres);
    struct asked late;
    ask(&late);
    UNTIL(client, late.done);
    ck_assert_ptr_null(late.postgres);
    ck_assert_int_eq(late.error.code, SHARED_EBUSY);
    ck_assert_int_eq(late.error.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(late.error.message, "POOL_SIZE = 1"));
    pool_release(pool, asked.postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(a_forgotten_claim_is_not_answered) {
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    struct asked first, second;
    ask(&first);
    ask(&second);
    pool_forget(pool, &first.claim);
    pool_release(pool, postgres);
    UNTIL(client, second.done);
    ck_assert(!first.done);
    pool_release(pool, second.postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(a_broken_connection_is_thrown_away_and_replaced) {
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    int backend = backend_of(postgres);
    test_terminate(backend);
    UNTIL(client, !postgres_is_ready(postgres));
    pool_release(pool, postgres);
    postgres = get();
    ck_assert_int_ne(backend_of(postgres), backend);
    pool_release(pool, postgres);
    shared_client_free(client);
}
END_TEST

START_TEST(a_shared_connection_that_was_killed_is_replaced_at_the_next_read) {
    open_with(NULL, NULL);
    struct probe probe;
    read_one(&probe, "SELECT pg_backend_pid()");
    test_terminate(atoi(probe.text));
    /* Its end may not have arrived yet: then one read tells of it, as it should. */
    for (int i = 0; i < 2; i++) {
        read_one(&probe, "SELECT 'again'");
        if (!probe.failed) break;
        ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    }
    ck_assert_str_eq(probe.text, "again");
    shared_client_free(client);
}
END_TEST

/* A socket on a free port of the address, which gets the port. */
static int listen_at(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, size), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static void open_where_nobody_listens(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)close(listen_at(&address));
    char url[64];
    (void)snprintf(url, sizeof url, "postgresql://u@127.0.0.1:%d/d", ntohs(address.sin_port));
    open_with("DATABASE_URL", url);
}

START_TEST(while_the_server_is_away_everybody_is_told_at_once) {
    open_where_nobody_listens();
    struct probe probe;
    read_one(&probe, "SELECT 1");
    ck_assert_int_eq(probe.error.code, SHARED_ECLOSED);
    ck_assert_int_eq(probe.error.class, SHARED_RETRYABLE);
    /* Within the pause: from the next dispatch, without a new attempt. */
    struct probe second;
    probe_init(&second, "SELECT 1");
    pool_read(pool, &second.operation);
    ck_assert(!second.done);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    ck_assert(second.done);
    ck_assert_str_eq(second.error.message, probe.error.message);
    struct asked asked;
    ask(&asked);
    ck_assert(asked.done);
    ck_assert_int_eq(asked.error.code, SHARED_ECLOSED);
    shared_client_free(client);
}
END_TEST

START_TEST(pauses_between_attempts_grow_up_to_their_bound) {
    enum { ATTEMPTS = 5 };
    static const int64_t gap_ms_min[ATTEMPTS] = {0, 25, 50, 100,
                                                 100}; /* half of what was drawn from */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = listen_at(&address);
    char url[64];
    (void)snprintf(url, sizeof url, "postgresql://u@127.0.0.1:%d/d", ntohs(address.sin_port));
    shared_config *config = test_config();
    ck_assert_int_eq(shared_config_set(config, "DATABASE_URL", url), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "RECONNECT_MS_MAX", "200"), SHARED_OK);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    pool = client_pool(client);
    int64_t before_ms = time_monotonic_ms();
    for (int i = 0; i < ATTEMPTS;) {
        struct probe probe;
        probe_init(&probe, "SELECT 1");
        pool_read(pool, &probe.operation);
        ck_assert_int_ge(shared_client_dispatch(client, 1), 0);
        int peer = probe.done ? -1 : accept(fd, NULL, NULL); /* refused while it pauses */
        if (peer >= 0) (void)close(peer);
        UNTIL(client, probe.done);
        ck_assert(probe.failed);
        if (peer < 0) continue;
        int64_t now_ms = time_monotonic_ms();
        ck_assert_int_ge(now_ms - before_ms, gap_ms_min[i++]);
        before_ms = now_ms;
    }
    (void)close(fd);
    shared_client_free(client);
}
END_TEST

START_TEST(idle_connections_are_closed_after_a_while) {
    open_with("POOL_IDLE_S", "1");
    struct probe probe;
    read_one(&probe, "SELECT 1");
    pool_release(pool, get());
    shared_client *other = test_client(NULL, NULL);
    struct pool *other_pool = client_pool(other);
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    struct probe look = {0};
    while (strcmp(look.text, "1") != 0) { /* the one that asks */
        ck_assert_int_ge(shared_client_dispatch(client, 20), 0);
        probe_init(&look, "SELECT count(*) FROM pg_stat_activity"
                          " WHERE application_name = 'lex-intel'");
        pool_read(other_pool, &look.operation);
        UNTIL(other, look.done);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
    }
    shared_client_free(other);
    shared_client_free(client);
}
END_TEST

START_TEST(freeing_the_client_ends_everything) {
    open_with("POOL_SIZE", "1");
    struct postgres *postgres = get();
    struct probe on_own, read;
    struct asked asked;
    ask(&asked);
    probe_init(&on_own, "SELECT pg_sleep(60)");
    postgres_send(postgres, &on_own.operation);
    probe_init(&read, "SELECT pg_sleep(60)");
    pool_read(pool, &read.operation);
    ck_assert_int_ge(shared_client_dispatch(client, 50), 0);
    shared_client_free(client);
    ck_assert(asked.done && on_own.done && read.done);
    ck_assert_int_eq(asked.error.code, SHARED_ECANCELLED);
    ck_assert_int_eq(read.error.code, SHARED_ECANCELLED);
}
END_TEST

START_TEST(a_url_that_is_wrong_is_told_at_once) {
    client = test_client("DATABASE_URL", "mysql://u:SECRET@host/d");
    ck_assert_ptr_null(client_pool(client));
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "DATABASE_URL"));
    ck_assert_ptr_null(strstr(shared_error_message(shared_error_last()), "SECRET"));
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        reads_share_a_connection,
        many_reads_at_once_use_the_shared_ones_and_no_more,
        a_connection_comes_back_and_is_given_again,
        an_open_transaction_is_rolled_back_before_the_next_one_gets_it,
        a_connection_with_work_under_way_is_not_used_before_it_ends,
        who_waits_is_served_in_order,
        an_exhausted_pool_is_busy_after_its_wait,
        a_forgotten_claim_is_not_answered,
        a_broken_connection_is_thrown_away_and_replaced,
        a_shared_connection_that_was_killed_is_replaced_at_the_next_read,
        while_the_server_is_away_everybody_is_told_at_once,
        pauses_between_attempts_grow_up_to_their_bound,
        idle_connections_are_closed_after_a_while,
        freeing_the_client_ends_everything,
        a_url_that_is_wrong_is_told_at_once,
    };
    return unit_run("pool", tests, sizeof tests / sizeof *tests);
}
