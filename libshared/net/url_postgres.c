/* SPDX-License-Identifier: MIT
 * url_postgres.c - DATABASE_URL as Python services write it, made into what libpq reads. libpq's own
 * parser has the last word. Never opens a connection, and never quotes a part of the URL in an error:
 * a password that was not encoded may stand anywhere.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "net/url.h"

/* Parameters of SQLAlchemy and asyncpg that libpq does not know, and what they are called there; NULL:
 * they say nothing to us. */
static const struct {
    const char *name, *libpq;
} parameters[] = {
    {"ssl", "sslmode"},        {"timeout", "connect_timeout"},
    {"command_timeout", NULL}, {"statement_cache_size", NULL},
    {"async_fallback", NULL},  {"prepared_statement_cache_size", NULL},
    {"server_settings", NULL}, {"prepared_statement_name_func", NULL},
};

/* One "name=value" behind '?' or '&'. */
static void parameter_add(struct buffer *out, const char *text, size_t size) {
    static const char truth[] = "ssl=true";
    size_t name_size = strcspn(text, "=");
    if (size == sizeof truth - 1 && memcmp(text, truth, size) == 0) {
        buffer_add_text(out, "sslmode=require&");
        return;
    }
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (name_size != strlen(parameters[i].name)) continue;
        if (memcmp(text, parameters[i].name, name_size) != 0) continue;
        if (!parameters[i].libpq) return;
        buffer_add_text(out, parameters[i].libpq);
        text += name_size;
        size -= name_size;
        break;
    }
    buffer_add(out, text, size);
    buffer_add_char(out, '&');
}

static void parameters_add(struct buffer *out, const char *query) {
    buffer_add_char(out, '?');
    while (*query) {
        size_t size = strcspn(query, "&");
        if (size) parameter_add(out, query, size);
        query += size + (query[size] == '&');
    }
    out->size--; /* the last '&', or the '?' of a query that says nothing */
    out->data[out->size] = '\0';
}

/* Behind "postgresql" or "postgres": "://" or "+driver://". NULL: another scheme. */
static const char *scheme_end(const char *text) {
    if (text_starts(text, "postgresql"))
        text += strlen("postgresql");
    else if (text_starts(text, "postgres"))
        text += strlen("postgres");
    else
        return NULL;
    if (*text == '+') text += 1 + strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return text_starts(text, "://") ? text + 3 : NULL;
}

static void url_add(struct buffer *out, const char *rest) {
    /* libpq takes everything up to an '@' for user and password, also a '?'. */
    size_t user_size = strcspn(rest, "@/");
    const char *query = strchr(rest[user_size] == '@' ? rest + user_size : rest, '?');
    buffer_add_text(out, "postgresql://");
    buffer_add(out, rest, query ? (size_t)(query - rest) : strlen(rest));
    if (query && !out->failed) parameters_add(out, query + 1);
}

/* The first quote that may be of the user's text: of libpq's own words some have one, and in other languages
 * its quotes are no ASCII. */
static size_t find_quote(const char *reason) {
    static const char *const own[] = {"matching \"]\"", "missing \"=\"", "separator \"=\""};
    size_t at = 0;
    while (reason[at] && reason[at] != '"' && !((unsigned char)reason[at] & 0x80)) at++;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        size_t before = strcspn(own[i], "\"");
        if (at < before || !text_starts(reason + at - before, own[i])) continue;
        at += strlen(own[i]) - before;
        return at + strcspn(reason + at, "\"");
    }
    return at;
}

/* libpq's reason, without what it quotes of the URL: up to the last quote, since a password may hold some. */
static void reason_add(struct buffer *out, const char *reason) {
    size_t start = find_quote(reason);
    const char *last = strrchr(reason + start, '"');
    const char *tail = last ? last + 1 : "";
    buffer_add(out, reason, reason[start] ? start : strcspn(reason, "\n"));
    if (reason[start]) buffer_add_text(out, "(hidden)");
    buffer_add(out, tail, strcspn(tail, "\n"));
}

static bool ports_are_numbers(const char *ports) {
    for (;;) {
        int64_t port;
        size_t size = strcspn(ports, ",");
        if (size && !text_to_int(ports, size, 1, 65535, &port)) return false;
        if (!ports[size]) return true;
        ports += size + 1;
    }
}

/* What libpq would find out, and quote, only when it connects: mostly a password with '@' or '/' in it, of
 * which it takes a part for host or port. NULL: nothing. */
static const char *options_fault(const PQconninfoOption *options) {
    for (; options->keyword; options++) {
        const char *value = options->val ? options->val : "";
        if (strcmp(options->keyword, "port") == 0 && !ports_are_numbers(value))
            return "the port is not a number from 1 to 65535";
        bool is_socket = *value == '/' || *value == '@';
        if (strcmp(options->keyword, "host") == 0 && !is_socket && strchr(value, '@'))
            return "the host has an '@' in it";
    }
    return NULL;
}

static shared_status check(const char *variable, const char *text) {
    char *reason = NULL;
    errno = 0;
    PQconninfoOption *options = PQconninfoParse(text, &reason);
    if (options) {
        const char *fault = options_fault(options);
        PQconninfoFree(options);
        if (!fault) return SHARED_OK;
        return fail(
            SHARED_EINVALID,
            "%s: not a PostgreSQL address: %s (in a password, '@' is written %%40 and '/' is "
            "written %%2F)",
            variable, fault);
    }
    if (!reason || errno == ENOMEM) { /* libpq tells that only in words, and in any language */
        PQfreemem(reason);
        return fail(SHARED_ENOMEM, "%s: out of memory", variable);
    }
    struct buffer shown = {0};
    reason_add(&shown, reason);
    PQfreemem(reason);
    shared_status status = fail(SHARED_EINVALID, "%s: not a PostgreSQL address: %s", variable,
                                shown.data && !shown.failed ? shown.data : "libpq refuses it");
    buffer_finish(&shown);
    return status;
}

static bool has_scheme(const char *text) {
    return text_starts(text + strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+"),
                       "://");
}

shared_status url_parse_postgres(const char *variable, const char *text, char **out) {
    *out = NULL;
    if (!text || !*text) return fail(SHARED_EINVALID, "%s: not set", variable);
    struct buffer made = {0};
    const char *rest = scheme_end(text);
    if (rest) {
        url_add(&made, rest);
    } else if (has_scheme(text) || !strchr(text, '=')) {
        char shown[256];
        config_mask_url(text, shown, sizeof shown);
        return fail(SHARED_EINVALID,
                    "%s: \"%s\" begins with neither postgresql:// nor postgres:// and is not in "
                    "libpq's key=value form",
                    variable, has_scheme(text) ? shown : "(hidden)");
    } else {
        buffer_add_text(&made, text);
    }
    if (made.failed) {
        buffer_finish(&made);
        return fail(SHARED_ENOMEM, "%s: out of memory", variable);
    }
    shared_status status = check(variable, made.data);
    if (status == SHARED_OK) *out = buffer_take(&made);
    buffer_finish(&made);
    return status;
}
