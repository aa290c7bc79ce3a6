/* SPDX-License-Identifier: MIT
 * url.h - where the servers are: DATABASE_URL and the Redis URLs as users write them. Pure functions;
 * every error names the variable and never shows the password.
 */
#ifndef NET_URL_H
#define NET_URL_H

#include <shared/error.h>
#include <stdbool.h>
#include <stdint.h>

/* postgresql://, postgres://, postgresql+asyncpg://, libpq's key=value -> a libpq URI or key=value text.
 * variable is the setting's name, for messages. malloc. */
shared_status url_parse_postgres(const char *variable, const char *text, char **out);

struct redis_url {
    char host[256]; /* "" with path */
    char path[108]; /* unix socket, or "" */
    uint16_t port;
    int32_t database;
    bool tls;
    bool verify; /* of tls; default true */
    char ca_file[256], certificate_file[256], key_file[256];
    char user[128];
    char password[256];
    bool warned_double_database; /* redis://host/0/0: accepted, a warning is due */
};
/* redis://, rediss://, unix://, redis+socket://, valkey://, valkeys://, with /db, ?db=, percent-decoding,
 * ssl_cert_reqs, ssl_ca_certs, ssl_certfile, ssl_keyfile. celery-wire.md section 8. */
shared_status url_parse_redis(const char *variable, const char *text, struct redis_url *out);
/* Both name the same server (not: database). */
bool url_same_server(const struct redis_url *a, const struct redis_url *b);

#endif
