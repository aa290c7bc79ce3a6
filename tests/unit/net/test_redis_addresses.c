/* SPDX-License-Identifier: MIT
 * test_redis_addresses.c - names: those with several addresses, of which not all are of use, and those with none.
 */
#include <dlfcn.h>
#include <netdb.h>

#include "redis_fake.h"
#include "redis_fixture.h"

static struct fake fake;

static void serve_one_ping(struct fake *server, int fd, int index) {
    (void)index;
    if (fake_greet(server, fd) && fake_await(server, fd, "PING\r\n")) fake_say(fd, "+PONG\r\n");
}

START_TEST(name_with_several_addresses_finds_the_one_that_answers) {
    fake_start(&fake, serve_one_ping); /* 127.0.0.1 only; localhost may be ::1 first */
    char url[64];
    (void)snprintf(url, sizeof url, "redis://localhost:%d", fake.port);
    shared_client *client = client_make((const char *[]){"REDIS_URL", url, NULL});
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_msg(asked.error.code == 0, "%s", asked.error.message);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

/* Instead of libc's: a name with two addresses, of which the fake server has the second. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    __typeof__(getaddrinfo) *libcs;
    *(void **)&libcs = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(name, "two.addresses") != 0) return libcs(name, service, hints, found);
    int status = libcs("127.0.0.2", service, hints, found);
    return status ? status : libcs("127.0.0.1", service, hints, &(*found)->ai_next);
}

static const char *first_says; /* to the greeting; NULL: nothing */

static void serve_first(struct fake *first, int fd, int index) {
    (void)index;
    if (!fake_await(first, fd, "lex-intel\r\n")) return;
    if (first_says)
        fake_say(fd, first_says);
    else
        (void)fake_await(first, fd, "for ever");
}

static void ask_two_addresses(struct asked *asked, const char *says) {
    static struct fake first;
    char url[64];
    first_says = says;
    fake_start(&fake, serve_one_ping);
    fake_start_at(&first, INADDR_LOOPBACK + 1, fake.port, serve_first);
    (void)snprintf(url, sizeof url, "redis://two.addresses:%d", fake.port);
    shared_client *client =
        client_make((const char *[]){"REDIS_URL", url, "CONNECT_TIMEOUT_MS", "1000", NULL});
    ask_ping(redis_of(client, REDIS_PROGRESS), asked);
    client_until(client, &asked->finished, 1);
    ck_assert_int_eq(atomic_load(&first.served), 1);
    shared_client_free(client);
    fake_stop(&first);
    fake_stop(&fake);
}

START_TEST(an_address_that_does_not_greet_leaves_time_for_the_next) {
    static const char *const says[] = {NULL, "", "-LOADING later\r\n", "nonsense\r\n"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct asked asked;
        ask_two_addresses(&asked, says[i]);
        ck_assert_msg(asked.error.code == 0, "%zu: %s", i, asked.error.message);
    }
}
END_TEST

START_TEST(a_password_that_is_wrong_is_told_by_the_first_address) {
    struct asked asked;
    ask_two_addresses(&asked, "-WRONGPASS of another\r\n");
    ck_assert_int_eq(asked.error.class, SHARED_PERMANENT);
    ck_assert_int_eq(atomic_load(&fake.served), 0);
}
END_TEST

START_TEST(unknown_name_is_told) {
    shared_client *client =
        client_make((const char *[]){"REDIS_URL", "redis://no..such..name", NULL});
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, SHARED_ECLOSED);
    ck_assert_ptr_nonnull(strstr(asked.error.message, "REDIS_URL: host no..such..name: "));
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        name_with_several_addresses_finds_the_one_that_answers,
        an_address_that_does_not_greet_leaves_time_for_the_next,
        a_password_that_is_wrong_is_told_by_the_first_address,
        unknown_name_is_told,
    };
    return unit_run("redis_addresses", tests, sizeof tests / sizeof *tests);
}
