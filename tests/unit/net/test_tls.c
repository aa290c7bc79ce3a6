/* SPDX-License-Identifier: MIT
 * test_tls.c - rediss:// to a real Redis: its certificate is verified, chain and name, unless the URL says
 * otherwise. Certificates are made by the test. Without redis-server and openssl there is nothing to test.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "redis_server.h"

static struct server server;
static int port;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...) {
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    ck_assert_msg(system(command) == 0, "%s", command);
}

/* One authority and one server's certificate, for localhost and 127.0.0.1. */
static void certificates_make(void) {
    const char *at = server.folder;
    run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=Test authority' "
        "-keyout %s/ca.key -out %s/ca.pem 2>/dev/null",
        at, at);
    run("openssl req -newkey rsa:2048 -nodes -subj '/CN=server' -keyout %s/s.key -out %s/s.csr "
        "2>/dev/null",
        at, at);
    run("echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >%s/s.ext", at);
    run("openssl x509 -req -in %s/s.csr -CA %s/ca.pem -CAkey %s/ca.key -CAcreateserial -days 2 "
        "-extfile %s/s.ext -out %s/s.pem 2>/dev/null",
        at, at, at, at, at);
}

static int port_free(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void tls_server_start(void) {
    char number[16], certificate[96], key[96], authority[96];
    server_folder(&server);
    certificates_make();
    port = port_free();
    (void)snprintf(number, sizeof number, "%d", port);
    (void)snprintf(certificate, sizeof certificate, "%s/s.pem", server.folder);
    (void)snprintf(key, sizeof key, "%s/s.key", server.folder);
    (void)snprintf(authority, sizeof authority, "%s/ca.pem", server.folder);
    server_run(&server, (const char *[]){"--tls-port", number, "--tls-cert-file", certificate,
                                         "--tls-key-file", key, "--tls-ca-cert-file", authority,
                                         "--tls-auth-clients", "no", NULL});
    shared_client *client = client_make((const char *[]){"REDIS_URL", server.url, NULL});
    server_await(client, redis_of(client, REDIS_PROGRESS));
    shared_client_free(client);
}

static shared_client *tls_client(const char *host, const char *options) {
    char url[256];
    (void)snprintf(url, sizeof url, "rediss://:pw@%s:%d/0?%s", host, port, options);
    return client_make((const char *[]){"REDIS_URL", url, "CONNECT_TIMEOUT_MS", "1000", NULL});
}

static struct shared_error error_of(const char *host, const char *options) {
    shared_client *client = tls_client(host, options);
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    shared_client_free(client);
    return asked.error;
}

START_TEST(certificate_of_a_known_authority_is_accepted) {
    tls_server_start();
    char options[128];
    (void)snprintf(options, sizeof options, "ssl_ca_certs=%s/ca.pem", server.folder);
    struct shared_error error = error_of("localhost", options);
    ck_assert_msg(error.code == 0, "%s", error.message);
    error = error_of("127.0.0.1", options);
    ck_assert_msg(error.code == 0, "%s", error.message);
    server_end(&server);
}
END_TEST

START_TEST(others_are_refused_for_good) {
    tls_server_start();
    char options[128];
    struct shared_error error = error_of("localhost", "");
    ck_assert_int_eq(error.class, SHARED_PERMANENT);
    ck_assert_ptr_nonnull(strstr(error.message, "its certificate is not accepted"));
    /* A name that leads there and is not in the certificate. */
    (void)snprintf(options, sizeof options, "ssl_ca_certs=%s/ca.pem", server.folder);
    error = error_of("127.0.0.2", options);
    ck_assert_int_eq(error.class, SHARED_PERMANENT);
    ck_assert_msg(strstr(error.message, "IP address mismatch") != NULL, "%s", error.message);
    error = error_of("127.0.0.2", "ssl_cert_reqs=none");
    ck_assert_msg(error.code == 0, "%s", error.message);
    server_end(&server);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named) {
    tls_server_start();
    struct shared_error error = error_of("localhost", "ssl_ca_certs=/no/such/file");
    ck_assert_int_eq(error.class, SHARED_PERMANENT);
    ck_assert_msg(strstr(error.message, "ssl_ca_certs cannot be used") != NULL, "%s",
                  error.message);
    error = error_of("localhost", "ssl_certfile=/no/such/file");
    ck_assert_msg(strstr(error.message, "ssl_certfile cannot be used") != NULL, "%s",
                  error.message);
    server_end(&server);
}
END_TEST

START_TEST(bare_server_is_told_from_a_tls_one) {
    server_folder(&server);
    port = port_free();
    char number[16];
    (void)snprintf(number, sizeof number, "%d", port);
    server_run(&server, (const char *[]){"--port", number, NULL});
    shared_client *client = client_make((const char *[]){"REDIS_URL", server.url, NULL});
    server_await(client, redis_of(client, REDIS_PROGRESS));
    shared_client_free(client);
    struct shared_error error = error_of("localhost", "ssl_cert_reqs=none");
    ck_assert_int_ne(error.code, 0);
    ck_assert_msg(strstr(error.message, "TLS") != NULL, "%s", error.message);
    server_end(&server);
}
END_TEST

static char large[4 << 20];
static int large_seen;
static void large_finish(struct command *command, const struct reply *reply,
                         const struct shared_error *error) {
    (void)command;
    ck_assert_ptr_null(error);
    ck_assert_uint_eq(reply->size, sizeof large);
    ck_assert_mem_eq(reply->text, large, sizeof large);
    large_seen++;
}

START_TEST(large_values_and_many_commands_pass) {
    enum { COUNT = 2000 };
    static struct asked asked[COUNT];
    tls_server_start();
    shared_client *client = tls_client("localhost", "ssl_cert_reqs=none");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 31 >> 3);
    struct asked set = {.command.finish = asked_finish};
    redis_send(redis, &set.command, 3, (const char *[]){"SET", "key", large},
               (const size_t[]){3, 3, sizeof large});
    struct command get = {.finish = large_finish};
    redis_send(redis, &get, 2, (const char *[]){"GET", "key"}, NULL);
    for (int i = 0; i < COUNT; i++) ask(redis, &asked[i], 2, (const char *[]){"INCR", "n"});
    client_until(client, &asked_count, COUNT + 1);
    ck_assert_int_eq(large_seen, 1);
    for (int i = 0; i < COUNT; i++) ck_assert_int_eq(asked[i].integer, i + 1);
    server_kill(&server);
    ask_ping(redis, &asked[0]);
    client_until(client, &asked[0].finished, 1);
    ck_assert_int_eq(asked[0].error.class, SHARED_RETRYABLE);
    shared_client_free(client);
    server_remove(&server);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        certificate_of_a_known_authority_is_accepted, others_are_refused_for_good,
        files_that_cannot_be_read_are_named,          bare_server_is_told_from_a_tls_one,
        large_values_and_many_commands_pass,
    };
    if (!program_exists("redis-server") || !program_exists("openssl")) return 77;
    return unit_run("tls", tests, sizeof tests / sizeof *tests);
}
