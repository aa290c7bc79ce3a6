/* SPDX-License-Identifier: MIT
 * url_redis.c - REDIS_URL, CELERY_BROKER_URL and CELERY_RESULT_BACKEND: whatever Celery's broker or its
 * result backend accepts. Never quotes a part of the URL in an error, only the whole with its password
 * masked: a password that was not encoded may stand anywhere.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "net/url.h"

enum { PORT_DEFAULT = 6379, DATABASE_MAX = 65535 };

static const struct {
    const char *scheme;
    bool tls, path;
} schemes[] = {
    {.scheme = "redis://"},
    {.scheme = "rediss://", .tls = true},
    {.scheme = "valkey://"},
    {.scheme = "valkeys://", .tls = true},
    {.scheme = "unix://", .path = true},
    {.scheme = "redis+socket://", .path = true},
};

/* A piece of the URL, and what the error says about it. */
struct span {
    const char *text;
    size_t size;
};

struct parser {
    const char *variable, *url;
    struct redis_url *out;
    bool has_path;
};

static shared_status refuse(const struct parser *parser, const char *what) {
    char shown[256];
    config_mask_url(parser->url, shown, sizeof shown);
    return fail(SHARED_EINVALID, "%s: \"%s\": %s", parser->variable, shown, what);
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Percent-decodes span into out; what names the piece. */
static shared_status decode(const struct parser *parser, const char *what, struct span span,
                            char *out, size_t out_size) {
    char message[128];
    size_t size = 0;
    for (size_t i = 0; i < span.size; i++) {
        char c = span.text[i];
        if (c == '%') {
            int high = i + 2 < span.size ? hex_digit(span.text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(span.text[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                (void)snprintf(message, sizeof message, "the %s has a '%%' that is not %%XX", what);
                return refuse(parser, message);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (size + 1 >= out_size) {
            (void)snprintf(message, sizeof message, "the %s is longer than %zu bytes", what,
                           out_size - 1);
            return refuse(parser, message);
        }
        out[size++] = c;
    }
    out[size] = '\0';
    return SHARED_OK;
}

static struct span span_cut(struct span *rest, size_t size) {
    struct span head = {rest->text, size};
    rest->text += size;
    rest->size -= size;
    return head;
}

/* Offset of the first of any of set, or the size. */
static size_t span_find(struct span span, const char *set) {
    size_t at = 0;
    while (at < span.size && !strchr(set, span.text[at])) at++;
    return at;
}

/* --- user:password@host:port ---------------------------------------------------------------------- */
static shared_status parse_user(const struct parser *parser, struct span span) {
    size_t colon = span_find(span, ":");
    struct span user = span_cut(&span, colon);
    shared_status status =
        decode(parser, "user", user, parser->out->user, sizeof parser->out->user);
    if (status < 0 || span.size == 0) return status;
    (void)span_cut(&span, 1);
    return decode(parser, "password", span, parser->out->password, sizeof parser->out->password);
}

static shared_status parse_host(const struct parser *parser, struct span span) {
    struct redis_url *out = parser->out;
    struct span host;
    if (span.size > 0 && span.text[0] == '[') {
        size_t end = span_find(span, "]");
        if (end == span.size) return refuse(parser, "the address in [ ] has no end");
        host = span_cut(&span, end + 1);
        host = (struct span){host.text + 1, host.size - 2};
    } else {
        host = span_cut(&span, span_find(span, ":"));
    }
    shared_status status = decode(parser, "host", host, out->host, sizeof out->host);
    if (status < 0) return status;
    if (!out->host[0]) (void)snprintf(out->host, sizeof out->host, "localhost");
    if (span.size == 0) return SHARED_OK;
    int64_t port = 0;
    if (span.text[0] != ':' || !text_to_int(span.text + 1, span.size - 1, 1, 65535, &port))
        return refuse(parser, "the port is not a number from 1 to 65535");
    out->port = (uint16_t)port;
    return SHARED_OK;
}

static shared_status parse_authority(const struct parser *parser, struct span span) {
    size_t at = span.size;
    while (at > 0 && span.text[at - 1] != '@') at--; /* the last one: passwords may hold others */
    if (at > 0) {
        struct span user = span_cut(&span, at);
        user.size--;
        shared_status status = parse_user(parser, user);
        if (status < 0) return status;
    }
    if (!parser->has_path) return parse_host(parser, span);
    return span.size == 0 ? SHARED_OK
                          : refuse(parser, "the path of the socket must begin with '/'");
}

/* --- /database ------------------------------------------------------------------------------------ */
static shared_status parse_number(const struct parser *parser, struct span span, int32_t *out) {
    int64_t number = 0;
    if (!text_to_int(span.text, span.size, 0, DATABASE_MAX, &number))
        return refuse(parser, "the database is not a number from 0 to 65535");
    *out = (int32_t)number;
    return SHARED_OK;
}

static shared_status parse_database(const struct parser *parser, struct span span) {
    while (span.size > 0 && span.text[0] == '/') (void)span_cut(&span, 1);
    while (span.size > 0 && span.text[span.size - 1] == '/') span.size--;
    if (span.size == 0) return SHARED_OK;
    struct span first = span_cut(&span, span_find(span, "/"));
    shared_status status = parse_number(parser, first, &parser->out->database);
    if (status < 0 || span.size == 0) return status;
    /* "${REDIS_URL}/0", and REDIS_URL has a database already. */
    (void)span_cut(&span, 1);
    int32_t second = 0;
    status = parse_number(parser, span, &second);
    if (status < 0) return status;
    if (second != parser->out->database) return refuse(parser, "it names two different databases");
    parser->out->warned_double_database = true;
    return SHARED_OK;
}

/* --- ?name=value&... ------------------------------------------------------------------------------ */
static bool span_is(struct span span, const char *text) {
    return span.size == strlen(text) && strncasecmp(span.text, text, span.size) == 0;
}

static shared_status set_verify(const struct parser *parser, struct span value) {
    static const struct {
        const char *word;
        bool verify;
    } words[] = {{"required", true},      {"cert_required", true}, {"optional", true},
                 {"cert_optional", true}, {"none", false},         {"cert_none", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_is(value, words[i].word)) continue;
        parser->out->verify = words[i].verify;
        return SHARED_OK;
    }
    return refuse(parser, "ssl_cert_reqs is none of required, optional, none");
}

static shared_status set_database(const struct parser *parser, struct span value) {
    while (value.size > 0 && value.text[0] == '/') (void)span_cut(&value, 1);
    return parse_number(parser, value, &parser->out->database);
}

static shared_status set_ca(const struct parser *parser, struct span value) {
    return decode(parser, "ssl_ca_certs", value, parser->out->ca_file, sizeof parser->out->ca_file);
}

static shared_status set_certificate(const struct parser *parser, struct span value) {
    return decode(parser, "ssl_certfile", value, parser->out->certificate_file,
                  sizeof parser->out->certificate_file);
}

static shared_status set_key(const struct parser *parser, struct span value) {
    return decode(parser, "ssl_keyfile", value, parser->out->key_file,
                  sizeof parser->out->key_file);
}

static shared_status set_user(const struct parser *parser, struct span value) {
    return decode(parser, "user", value, parser->out->user, sizeof parser->out->user);
}

static shared_status set_password(const struct parser *parser, struct span value) {
    return decode(parser, "password", value, parser->out->password, sizeof parser->out->password);
}

/* Others (socket_timeout, health_check_interval, ...) steer Python's client and say nothing to us. */
static const struct {
    const char *name;
    shared_status (*set)(const struct parser *parser, struct span value);
} options[] = {
    {"db", set_database},     {"virtual_host", set_database},    {"ssl_cert_reqs", set_verify},
    {"ssl_ca_certs", set_ca}, {"ssl_certfile", set_certificate}, {"ssl_keyfile", set_key},
    {"username", set_user},   {"password", set_password},
};

static shared_status parse_query(const struct parser *parser, struct span span) {
    while (span.size > 0) {
        (void)span_cut(&span, 1); /* '?' or '&' */
        struct span value = span_cut(&span, span_find(span, "&"));
        struct span name = span_cut(&value, span_find(value, "="));
        if (value.size > 0) (void)span_cut(&value, 1);
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            if (!span_is(name, options[i].name)) continue;
            shared_status status = options[i].set(parser, value);
            if (status < 0) return status;
        }
    }
    return SHARED_OK;
}

static shared_status parse_path(const struct parser *parser, struct span span) {
    if (!parser->has_path) return parse_database(parser, span);
    if (span.size == 0) return refuse(parser, "the path of the socket is missing");
    return decode(parser, "path of the socket", span, parser->out->path, sizeof parser->out->path);
}

static shared_status parse(const struct parser *parser, struct span rest) {
    struct span query = {rest.text, rest.size};
    query = (struct span){rest.text, span_find(query, "#")}; /* a fragment says nothing */
    rest = span_cut(&query, span_find(query, "?"));
    struct span authority = span_cut(&rest, span_find(rest, "/"));
    shared_status status = parse_authority(parser, authority);
    if (status == SHARED_OK) status = parse_path(parser, rest);
    if (status == SHARED_OK) status = parse_query(parser, query);
    return status;
}

shared_status url_parse_redis(const char *variable, const char *text, struct redis_url *out) {
    *out = (struct redis_url){.port = PORT_DEFAULT, .verify = true};
    if (!text || !*text) return fail(SHARED_EINVALID, "%s: not set", variable);
    struct parser parser = {.variable = variable, .url = text, .out = out};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i].scheme);
        if (strncasecmp(text, schemes[i].scheme, size) != 0) continue;
        out->tls = schemes[i].tls;
        parser.has_path = schemes[i].path;
        return parse(&parser, (struct span){text + size, strlen(text + size)});
    }
    if (text_starts(text, "sentinel://"))
        return refuse(&parser, "Redis Sentinel is not supported; give the address of the master");
    if (!strstr(text, "://"))
        return fail(SHARED_EINVALID, "%s: no redis://, rediss:// or unix:// at its beginning",
                    variable);
    return refuse(&parser, "it begins with none of redis://, rediss://, valkey://, valkeys://, "
                           "unix://, redis+socket://");
}

bool url_same_server(const struct redis_url *a, const struct redis_url *b) {
    return text_equal(a->host, b->host) && text_equal(a->path, b->path) && a->port == b->port &&
           a->tls == b->tls && a->verify == b->verify && text_equal(a->ca_file, b->ca_file) &&
           text_equal(a->certificate_file, b->certificate_file) &&
           text_equal(a->key_file, b->key_file) && text_equal(a->user, b->user) &&
           text_equal(a->password, b->password);
}
