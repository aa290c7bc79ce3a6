/* SPDX-License-Identifier: MIT
 * test_url.c - what users write as addresses of their servers, by table: what it means, or why it is
 * refused, always with the variable's name and never with the password.
 */
#include <string.h>

#include "net/url.h"
#include "unit.h"

#include "base/error.h"

struct redis_row {
    const char *text;
    struct redis_url expected; /* port 0: 6379 */
};

static const struct redis_row redis_rows[] = {
    {"redis://h:1234", {.host = "h", .port = 1234}},
    {"redis://h:1234/", {.host = "h", .port = 1234}},
    {"redis://h//", {.host = "h"}},
    {"redis://h/3", {.host = "h", .database = 3}},
    {"redis://h/3/", {.host = "h", .database = 3}},
    {"REDIS://h/3", {.host = "h", .database = 3}},
    {"redis://", {.host = "localhost"}},
    {"redis:///2", {.host = "localhost", .database = 2}},
    {"redis://:7000/2", {.host = "localhost", .port = 7000, .database = 2}},
    {"redis://:pw%40x@h/1", {.host = "h", .database = 1, .password = "pw@x"}},
    {"redis://user:pw@h/1", {.host = "h", .database = 1, .user = "user", .password = "pw"}},
    {"redis://user:p@w:x@h", {.host = "h", .user = "user", .password = "p@w:x"}},
    {"redis://user@h", {.host = "h", .user = "user"}},
    {"redis://[::1]:7000/1", {.host = "::1", .port = 7000, .database = 1}},
    {"redis://[fe80::1%25eth0]", {.host = "fe80::1%eth0"}},
    {"redis://h/0/0", {.host = "h", .warned_double_database = true}},
    {"redis://h/5/5", {.host = "h", .database = 5, .warned_double_database = true}},
    {"redis://h/1?socket_timeout=3", {.host = "h", .database = 1}},
    {"redis://h?db=4", {.host = "h", .database = 4}},
    {"redis://h/1#part", {.host = "h", .database = 1}},
    {"redis://h?username=u&password=p%2Fw", {.host = "h", .user = "u", .password = "p/w"}},
    {"valkey://h", {.host = "h"}},
    {"valkeys://h", {.host = "h", .tls = true}},
    {"rediss://h/0", {.host = "h", .tls = true}},
    {"rediss://h?ssl_cert_reqs=required", {.host = "h", .tls = true}},
    {"rediss://h?ssl_cert_reqs=CERT_REQUIRED", {.host = "h", .tls = true}},
    {"rediss://h/0?ssl_ca_certs=%2Fca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
     {.host = "h",
      .tls = true,
      .ca_file = "/ca.pem",
      .certificate_file = "/c.pem",
      .key_file = "/k.pem"}},
    {"unix:///run/redis.sock", {.path = "/run/redis.sock"}},
    {"unix:///run/redis.sock?db=2", {.path = "/run/redis.sock", .database = 2}},
    {"unix://user:pw@/a%20b", {.path = "/a b", .user = "user", .password = "pw"}},
    {"redis+socket:///run/redis.sock?virtual_host=2", {.path = "/run/redis.sock", .database = 2}},
    {"redis+socket:///run/redis.sock?virtual_host=/3", {.path = "/run/redis.sock", .database = 3}},
};

START_TEST(redis_urls_are_understood) {
    for (size_t i = 0; i < sizeof redis_rows / sizeof *redis_rows; i++) {
        const struct redis_url *expected = &redis_rows[i].expected;
        struct redis_url url;
        const char *text = redis_rows[i].text;
        ck_assert_msg(url_parse_redis("REDIS_URL", text, &url) == SHARED_OK, "%s: %s", text,
                      shared_error_message(shared_error_last()));
        ck_assert_msg(strcmp(url.host, expected->host) == 0, "%s: host %s", text, url.host);
        ck_assert_str_eq(url.path, expected->path);
        ck_assert_uint_eq(url.port, expected->port ? expected->port : 6379);
        ck_assert_msg(url.database == expected->database, "%s: database %d", text, url.database);
        ck_assert_int_eq(url.tls, expected->tls);
        ck_assert(url.verify);
        ck_assert_str_eq(url.user, expected->user);
        ck_assert_str_eq(url.password, expected->password);
        ck_assert_str_eq(url.ca_file, expected->ca_file);
        ck_assert_str_eq(url.certificate_file, expected->certificate_file);
        ck_assert_str_eq(url.key_file, expected->key_file);
        ck_assert_int_eq(url.warned_double_database, expected->warned_double_database);
    }
}
END_TEST

START_TEST(verification_is_given_up_only_on_request) {
    struct redis_url url;
    ck_assert_int_eq(url_parse_redis("REDIS_URL", "rediss://h?ssl_cert_reqs=none", &url),
                     SHARED_OK);
    ck_assert(!url.verify);
    ck_assert_int_eq(url_parse_redis("REDIS_URL", "rediss://h?ssl_cert_reqs=CERT_NONE", &url),
                     SHARED_OK);
    ck_assert(!url.verify);
    ck_assert_int_eq(url_parse_redis("REDIS_URL", "rediss://h?ssl_cert_reqs=optional", &url),
                     SHARED_OK);
    ck_assert(url.verify);
}
END_TEST

/* text, and a piece of the reason. */
static const char *const redis_refused[][2] = {
    {"", "not set"},
    {"localhost:6379", "no redis://"},
    {"http://:secret@h", "begins with none of"},
    {"sentinel://:secret@a:26379;sentinel://b:26379/0", "Sentinel"},
    {"redis://:secret@h/0/1", "two different databases"},
    {"redis://:secret@h/0/x", "database"},
    {"redis://:secret@h/celery", "database"},
    {"redis://:secret@h/-1", "database"},
    {"redis://:secret@h/99999999999", "database"},
    {"redis://:secret@h:0", "port"},
    {"redis://:secret@h:65536", "port"},
    {"redis://:secret@h:x", "port"},
    {"redis://:secret@[::1", "no end"},
    {"redis://:secret@[::1]x", "port"},
    {"redis://:secret%zz@h", "password has a '%'"},
    {"redis://:secret%00@h", "password has a '%'"},
    {"redis://:secret%4@h", "password has a '%'"},
    {"redis://:sec/secret@h/0", "port"},
    {"rediss://:secret@h?ssl_cert_reqs=maybe", "ssl_cert_reqs"},
    {"unix://", "path of the socket"},
    {"unix://run/redis.sock", "path of the socket"},
    {"unix:///a?db=secret", "database"},
};

START_TEST(bad_redis_urls_are_refused_without_their_password) {
    for (size_t i = 0; i < sizeof redis_refused / sizeof *redis_refused; i++) {
        struct redis_url url;
        const char *text = redis_refused[i][0];
        ck_assert_msg(url_parse_redis("CELERY_BROKER_URL", text, &url) == SHARED_EINVALID, "%s",
                      text);
        const char *message = shared_error_message(shared_error_last());
        ck_assert_msg(strncmp(message, "CELERY_BROKER_URL: ", 19) == 0, "%s", message);
        ck_assert_msg(strstr(message, redis_refused[i][1]) != NULL, "%s: %s", text, message);
        if (strchr(text, '@')) ck_assert_msg(!strstr(message, "secret"), "%s", message);
    }
}
END_TEST

START_TEST(long_pieces_are_refused_with_their_limit) {
    struct redis_url url;
    char text[1200] = "redis://:";
    memset(text + 9, 'p', 300);
    strncat(text, "@h", 3);
    ck_assert_int_eq(url_parse_redis("REDIS_URL", text, &url), SHARED_EINVALID);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "longer than 255 bytes"));
    ck_assert_ptr_null(strstr(shared_error_message(shared_error_last()), "ppp"));
    memset(text, 0, sizeof text);
    strncat(text, "unix:///", 9);
    memset(text + 8, 's', 200);
    ck_assert_int_eq(url_parse_redis("REDIS_URL", text, &url), SHARED_EINVALID);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "longer than 107 bytes"));
}
END_TEST

START_TEST(same_server_whatever_the_database) {
    struct redis_url a, b;
    ck_assert_int_eq(url_parse_redis("A", "redis://:pw@h:6379/0", &a), SHARED_OK);
    ck_assert_int_eq(url_parse_redis("B", "redis://:pw@h/1", &b), SHARED_OK);
    ck_assert(url_same_server(&a, &b));
    static const char *const others[] = {"redis://:px@h", "redis://:pw@i",  "redis://:pw@h:7",
                                         "redis://h",     "rediss://:pw@h", "redis://u:pw@h",
                                         "unix://:pw@/h"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_int_eq(url_parse_redis("B", others[i], &b), SHARED_OK);
        ck_assert_msg(!url_same_server(&a, &b), "%s", others[i]);
    }
}
END_TEST

/* --- PostgreSQL ----------------------------------------------------------------------------------- */
static const char *const postgres_rows[][2] = {
    {"postgresql://u:p@h:5432/db", "postgresql://u:p@h:5432/db"},
    {"postgres://u@h/db", "postgresql://u@h/db"},
    {"postgresql+asyncpg://u:p%40x@h/db", "postgresql://u:p%40x@h/db"},
    {"postgresql+psycopg2://h/db", "postgresql://h/db"},
    {"postgresql+asyncpg://h/db?ssl=require", "postgresql://h/db?sslmode=require"},
    {"postgresql+asyncpg://h/db?ssl=true&timeout=5",
     "postgresql://h/db?sslmode=require&connect_timeout=5"},
    {"postgresql+asyncpg://h/db?prepared_statement_cache_size=0", "postgresql://h/db"},
    {"postgresql+asyncpg://h/db?command_timeout=3&sslmode=disable",
     "postgresql://h/db?sslmode=disable"},
    {"postgresql://h1:1,h2:2/db?target_session_attrs=read-write",
     "postgresql://h1:1,h2:2/db?target_session_attrs=read-write"},
    {"postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"},
    {"postgresql://", "postgresql://"},
    {"postgresql+asyncpg://u:p?timeout=3@h/db?timeout=4",
     "postgresql://u:p?timeout=3@h/db?connect_timeout=4"},
    {"host=h dbname=db password='a b'", "host=h dbname=db password='a b'"},
    {"host=h password=x://y", "host=h password=x://y"},
};

START_TEST(postgres_urls_become_libpqs) {
    for (size_t i = 0; i < sizeof postgres_rows / sizeof *postgres_rows; i++) {
        char *out = NULL;
        ck_assert_msg(url_parse_postgres("DATABASE_URL", postgres_rows[i][0], &out) == SHARED_OK,
                      "%s: %s", postgres_rows[i][0], shared_error_message(shared_error_last()));
        ck_assert_str_eq(out, postgres_rows[i][1]);
        free(out);
    }
}
END_TEST

static const char *const postgres_refused[] = {
    "",
    "secret",
    "mysql://u:secret@h/db",
    "postgresql+:secret@h",
    "postgresql://u:secret%zz@h/db",
    "postgresql://u:secret@[::1/db",
    "postgresql://u:a\"secret%zz@h/db",
    "postgresql://u:secret/b@h/db",
    "postgresql://u:a@secret@h/db",
    "postgresql://u:p@h:99999/db",
    "host=h password=a\"secret port",
    "host=h password=a secret",
    "host=h secret=a",
    "host=h password='secret",
};

START_TEST(bad_postgres_urls_are_refused_without_their_password) {
    for (size_t i = 0; i < sizeof postgres_refused / sizeof *postgres_refused; i++) {
        char *out = (char *)1;
        ck_assert_msg(url_parse_postgres("DATABASE_URL", postgres_refused[i], &out) ==
                          SHARED_EINVALID,
                      "%s", postgres_refused[i]);
        ck_assert_ptr_null(out);
        const char *message = shared_error_message(shared_error_last());
        ck_assert_msg(strncmp(message, "DATABASE_URL: ", 14) == 0, "%s", message);
        ck_assert_msg(!strstr(message, "secret"), "%s: %s", postgres_refused[i], message);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        redis_urls_are_understood,
        verification_is_given_up_only_on_request,
        bad_redis_urls_are_refused_without_their_password,
        long_pieces_are_refused_with_their_limit,
        same_server_whatever_the_database,
        postgres_urls_become_libpqs,
        bad_postgres_urls_are_refused_without_their_password,
    };
    return unit_run("url", tests, sizeof tests / sizeof *tests);
}
