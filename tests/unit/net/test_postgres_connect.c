/* SPDX-License-Identifier: MIT
 * test_postgres_connect.c - how a connection comes about, and what is said when it does not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "database.h"

static shared_client *client;
static struct postgres *postgres;
static int32_t statement_max = 256;
static bool ready, broken;
static struct shared_error why;

static void changed(struct postgres *which, const struct shared_error *error) {
    (void)which;
    ready = !error;
    broken = error != NULL;
    if (error) why = *error;
}

/* The parts of TEST_DATABASE_URL, postgresql://user:password@host:port/database. */
static char user[64], password[64], port[16], database[64];

static void url_cut(void) {
    const char *url = getenv("TEST_DATABASE_URL");
    ck_assert_ptr_nonnull(url);
    ck_assert_int_eq(sscanf(url, "postgresql://%63[^:]:%63[^@]@%*[^:]:%15[^/]/%63s", user, password,
                            port, database),
                     4);
}

static void try_with(const char *conninfo, const char *timeout_ms) {
    ready = broken = false;
    client = test_client("CONNECT_TIMEOUT_MS", timeout_ms ? timeout_ms : "15000");
    postgres = postgres_new(client, conninfo, &statement_max, changed, NULL);
    UNTIL(client, ready || broken);
}

static void close_all(void) {
    postgres_free(postgres);
    shared_client_free(client);
}

static char conninfo[512];

START_TEST(a_name_is_looked_up_by_the_helper_thread) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://%s:%s@localhost:%s/%s", user, password,
                   port, database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    close_all();
}
END_TEST

START_TEST(key_and_value_form_works_too) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%s user=%s password=%s dbname=%s application_name=mine",
                   port, user, password, database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    struct probe probe;
    probe_init(&probe, "SHOW application_name");
    postgres_send(postgres, &probe.operation);
    UNTIL(client, probe.done);
    ck_assert_str_eq(probe.text, "mine");
    close_all();
}
END_TEST

START_TEST(options_of_the_url_are_kept) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "postgresql://%s:%s@127.0.0.1:%s/%s?options=-c%%20work_mem%%3D7MB", user,
                   password, port, database);
    try_with(conninfo, NULL);
    struct probe probes[2];
    static const char *const sql[] = {"SHOW work_mem", "SHOW TimeZone"};
    static const char *const expected[] = {"7MB", "UTC"};
    for (int i = 0; i < 2; i++) {
        probe_init(&probes[i], sql[i]);
        postgres_send(postgres, &probes[i].operation);
        UNTIL(client, probes[i].done);
        ck_assert_str_eq(probes[i].text, expected[i]);
    }
    close_all();
}
END_TEST

START_TEST(a_wrong_password_is_permanent_and_never_shown) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://%s:SECRET@127.0.0.1:%s/%s", user, port,
                   database);
    try_with(conninfo, NULL);
    ck_assert(broken);
    ck_assert_str_eq(why.sqlstate, "28P01");
    ck_assert_int_eq(why.class, SHARED_PERMANENT);
    ck_assert_int_eq(why.domain, SHARED_POSTGRES);
    ck_assert_ptr_null(strstr(why.message, "SECRET"));
    ck_assert_ptr_null(strstr(why.message, "LOCATION"));
    ck_assert_ptr_null(strstr(why.message, "28P01"));
    ck_assert_ptr_nonnull(strstr(why.message, "127.0.0.1"));
    close_all();
}
END_TEST

START_TEST(a_database_that_is_missing_is_named) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://%s:%s@127.0.0.1:%s/nowhere", user,
                   password, port);
    try_with(conninfo, NULL);
    ck_assert(broken);
    ck_assert_str_eq(why.sqlstate, "3D000");
    ck_assert_ptr_nonnull(strstr(why.message, "nowhere"));
    close_all();
}
END_TEST

/* A socket that listens and never answers; its port. */
static int listen_silently(char out[16]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(out, 16, "%d", ntohs(address.sin_port));
    return fd;
}

START_TEST(a_closed_port_is_retryable_and_named) {
    char closed[16];
    (void)close(listen_silently(closed));
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://u:SECRET@127.0.0.1:%s/d", closed);
    try_with(conninfo, NULL);
    ck_assert(broken);
    ck_assert_int_eq(why.code, SHARED_ECLOSED);
    ck_assert_int_eq(why.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(why.message, closed));
    ck_assert_ptr_null(strstr(why.message, "SECRET"));
    close_all();
}
END_TEST

START_TEST(a_server_that_never_answers_ends_by_the_deadline) {
    char silent[16];
    int fd = listen_silently(silent);
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://u:p@127.0.0.1:%s/d", silent);
    try_with(conninfo, "100");
    ck_assert(broken);
    ck_assert_int_eq(why.code, SHARED_ETIMEOUT);
    ck_assert_ptr_nonnull(strstr(why.message, silent));
    (void)close(fd);
    close_all();
}
END_TEST

START_TEST(the_next_host_is_tried_when_one_is_silent_or_closed) {
    char silent[16], closed[16];
    int fd = listen_silently(silent);
    (void)close(listen_silently(closed));
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "postgresql://%s:%s@127.0.0.1:%s,localhost:%s,localhost:%s/%s", user, password,
                   silent, closed, port, database);
    try_with(conninfo, "10000"); /* of which the silent one gets a fifth */
    ck_assert_msg(ready, "%s", why.message);
    (void)close(fd);
    close_all();
}
END_TEST

START_TEST(an_empty_entry_of_a_list_is_libpqs_own) {
    (void)setenv("PGPORT", "1", 1);
    try_with("postgresql://u:SECRET@127.0.0.1,127.0.0.1/d", NULL);
    ck_assert(broken);
    ck_assert_msg(strstr(why.message, "5432") != NULL, "%s", why.message);
    close_all();
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=/nonexistent,localhost hostaddr=,127.0.0.1 port=,%s user=%s password=%s "
                   "dbname=%s",
                   port, user, password, database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    close_all();
}
END_TEST

START_TEST(hosts_and_ports_of_the_environment_are_lists_too) {
    char closed[16], ports[40];
    (void)close(listen_silently(closed));
    url_cut();
    (void)snprintf(ports, sizeof ports, "%s,%s", closed, port);
    (void)setenv("PGHOST", "127.0.0.1,localhost", 1);
    (void)setenv("PGPORT", ports, 1);
    (void)snprintf(conninfo, sizeof conninfo, "user=%s password=%s dbname=%s", user, password,
                   database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    close_all();
}
END_TEST

START_TEST(quotes_and_backslashes_stay_what_they_are) {
    struct probe probe;
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%s user=%s password=%s dbname=%s "
                   "application_name='it\\'s \\\\ mine'",
                   port, user, password, database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    probe_init(&probe, "SHOW application_name");
    postgres_send(postgres, &probe.operation);
    UNTIL(client, probe.done);
    ck_assert_str_eq(probe.text, "it's \\ mine");
    close_all();
}
END_TEST

START_TEST(what_libpq_takes_nowhere_is_permanent) {
    static const char *const faults[][2] = {
        {"host=127.0.0.1 port=1 sslmode=requir", "requir"},
        {"host=/nonexistent target_session_attrs=best", "best"},
        {"host=a.invalid,b.invalid,c.invalid port=1,2", "DATABASE_URL"},
        {"host=a.invalid hostaddr=127.0.0.1,127.0.0.2", "DATABASE_URL"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        try_with(faults[i][0], NULL);
        ck_assert(broken);
        ck_assert_msg(why.code == SHARED_EINVALID && why.class == SHARED_PERMANENT, "%s: %s",
                      faults[i][0], why.message);
        ck_assert_msg(strstr(why.message, faults[i][1]) != NULL, "%s", why.message);
        close_all();
    }
}
END_TEST

START_TEST(what_a_server_says_counts_more_than_that_another_is_closed) {
    char closed[16];
    (void)close(listen_silently(closed));
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo, "postgresql://%s:SECRET@127.0.0.1:%s,127.0.0.1:%s/%s",
                   user, port, closed, database);
    try_with(conninfo, NULL);
    ck_assert(broken);
    ck_assert_str_eq(why.sqlstate, "28P01");
    ck_assert_int_eq(why.class, SHARED_PERMANENT);
    close_all();
}
END_TEST

START_TEST(a_silent_host_hides_no_other_whatever_is_wanted_of_them) {
    static const char *const wanted[] = {"read-write", "prefer-standby"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char silent[16];
        int fd = listen_silently(silent);
        url_cut();
        (void)snprintf(conninfo, sizeof conninfo,
                       "postgresql://%s:%s@127.0.0.1:%s,localhost:%s/%s?target_session_attrs=%s",
                       user, password, silent, port, database, wanted[i]);
        try_with(conninfo, "6000"); /* of which each pass gives the silent one its share */
        ck_assert_msg(ready, "%s: %s", wanted[i], why.message);
        (void)close(fd);
        close_all();
    }
}
END_TEST

START_TEST(a_server_that_is_not_what_is_wanted_is_named) {
    url_cut();
    (void)snprintf(conninfo, sizeof conninfo,
                   "postgresql://%s:%s@127.0.0.1:%s/%s?target_session_attrs=standby", user,
                   password, port, database);
    try_with(conninfo, NULL);
    ck_assert(broken);
    ck_assert_int_eq(why.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(why.message, port));
    close_all();
}
END_TEST

START_TEST(libpq_chooses_among_hosts_by_what_they_are) {
    char closed[16];
    (void)close(listen_silently(closed));
    url_cut();
    (void)snprintf(
        conninfo, sizeof conninfo,
        "postgresql://%s:%s@localhost:%s,localhost:%s/%s?target_session_attrs=read-write", user,
        password, closed, port, database);
    try_with(conninfo, NULL);
    ck_assert_msg(ready, "%s", why.message);
    close_all();
}
END_TEST

START_TEST(an_unknown_host_is_named_and_retryable) {
    try_with("postgresql://u:SECRET@no-such-host.invalid/d", NULL);
    ck_assert(broken);
    ck_assert_int_eq(why.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(why.message, "no-such-host.invalid"));
    ck_assert_ptr_null(strstr(why.message, "SECRET"));
    close_all();
}
END_TEST

START_TEST(a_missing_unix_socket_names_its_folder) {
    try_with("host=/nonexistent/folder dbname=d", NULL);
    ck_assert(broken);
    ck_assert_int_eq(why.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(why.message, "/nonexistent/folder"));
    close_all();
}
END_TEST

START_TEST(freeing_while_a_name_is_looked_up_is_safe) {
    client = test_client(NULL, NULL);
    postgres = postgres_new(client, "postgresql://u@no-such-host.invalid/d", &statement_max,
                            changed, NULL);
    struct probe probe;
    probe_init(&probe, "SELECT 1");
    postgres_send(postgres, &probe.operation);
    ck_assert_int_ge(shared_client_dispatch(client, 0), 0);
    bool was_answered = broken; /* the helper thread was quicker than we */
    close_all();
    ck_assert_int_eq(probe.error.code, was_answered ? SHARED_ECLOSED : SHARED_ECANCELLED);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_name_is_looked_up_by_the_helper_thread,
        key_and_value_form_works_too,
        options_of_the_url_are_kept,
        a_wrong_password_is_permanent_and_never_shown,
        a_database_that_is_missing_is_named,
        a_closed_port_is_retryable_and_named,
        a_server_that_never_answers_ends_by_the_deadline,
        the_next_host_is_tried_when_one_is_silent_or_closed,
        an_empty_entry_of_a_list_is_libpqs_own,
        hosts_and_ports_of_the_environment_are_lists_too,
        quotes_and_backslashes_stay_what_they_are,
        what_libpq_takes_nowhere_is_permanent,
        what_a_server_says_counts_more_than_that_another_is_closed,
        a_silent_host_hides_no_other_whatever_is_wanted_of_them,
        a_server_that_is_not_what_is_wanted_is_named,
        libpq_chooses_among_hosts_by_what_they_are,
        an_unknown_host_is_named_and_retryable,
        a_missing_unix_socket_names_its_folder,
        freeing_while_a_name_is_looked_up_is_safe,
    };
    return unit_run("postgres_connect", tests, sizeof tests / sizeof *tests);
}
