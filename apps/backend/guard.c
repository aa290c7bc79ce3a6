/* SPDX-License-Identifier: MIT
 * guard.c - which requests are let in at all. Never looks at a body and never answers: it names the
 * status and the reason.
 */
#include "guard.h"

#include <string.h>
#include <strings.h>

#include "text.h"

enum { CONTENT_LENGTH_DIGITS_MAX = 18 }; /* fits in 63 bits */

static bool is_token(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!letter && (!c || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return size > 0;
}

static bool has_control(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
    }
    return false;
}

static void refuse(struct guard *guard, const char *reason) {
    if (!guard->reason) guard->reason = reason;
}

static void header_length(struct guard *guard, const char *value, size_t size) {
    int64_t length = 0;
    guard->lengths++;
    if (size > CONTENT_LENGTH_DIGITS_MAX || !number_parse(value, size, 0, INT64_MAX, &length) ||
        value[0] == '-')
        refuse(guard, "Content-Length is not a number of at most 18 digits.");
    guard->content_length = (uint64_t)length;
}

static void header_encoding(struct guard *guard, const char *value, size_t size) {
    guard->encodings++;
    guard->chunked = equal_fold(value, size, "chunked");
    if (!guard->chunked) refuse(guard, "Transfer-Encoding is not chunked.");
}

static void header_host(struct guard *guard, const char *value, size_t size) {
    guard->hosts++;
    guard->host = value;
    guard->host_size = size;
}

static void header_origin(struct guard *guard, const char *value, size_t size) {
    guard->origin = value;
    guard->origin_size = size;
}

static void header_fetch_site(struct guard *guard, const char *value, size_t size) {
    guard->fetch_site = value;
    guard->fetch_site_size = size;
}

void guard_header(struct guard *guard, const char *name, size_t name_size, const char *value,
                  size_t value_size) {
    static const struct {
        const char *name;
        bool framing; /* a longer name that starts with it is how a folded line looks in 0.9.75 */
        void (*take)(struct guard *guard, const char *value, size_t size);
    } known[] = {
        {"Content-Length", true, header_length},
        {"Transfer-Encoding", true, header_encoding},
        {"Host", false, header_host},
        {"Origin", false, header_origin},
        {"Sec-Fetch-Site", false, header_fetch_site},
    };
    if (!is_token(name, name_size)) refuse(guard, "The name of a header is not a token.");
    if (has_control(value, value_size)) refuse(guard, "The value of a header has control bytes.");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t size = strlen(known[i].name);
        if (name_size < size || strncasecmp(name, known[i].name, size) != 0) continue;
        if (name_size == size)
            known[i].take(guard, value, value_size);
        else if (known[i].framing)
            refuse(guard, "A header's name starts like one that frames the body.");
    }
}

static size_t host_port_size(const char *host, size_t size) {
    size_t digits = 0;
    while (digits < size && host[size - digits - 1] >= '0' && host[size - digits - 1] <= '9')
        digits++;
    return digits < size && host[size - digits - 1] == ':' ? digits + 1 : 0;
}

/* host[:port]; the host a name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(const char *host, size_t size) {
    size_t name_size = size - host_port_size(host, size);
    if (name_size >= 2 && host[0] == '[' && host[name_size - 1] == ']') {
        for (size_t i = 1; i < name_size - 1; i++)
            if (hex_value(host[i]) < 0 && host[i] != ':' && host[i] != '.') return false;
        return name_size > 2;
    }
    for (size_t i = 0; i < name_size; i++) {
        unsigned char c = (unsigned char)host[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!letter && (!c || !strchr("-._~", c))) return false;
    }
    return name_size > 0;
}

static bool method_is_known(const char *method) {
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(method, methods[i])) return true;
    return false;
}

static bool target_is_clean(const char *target) {
    for (; *target; target++)
        if ((unsigned char)*target <= 0x20 || *target == 0x7f || *target == '#') return false;
    return true;
}

int guard_check(struct guard *guard, const char *method, const char *target, const char *version) {
    bool old = !strcmp(version, "HTTP/1.0");
    const struct {
        bool refused;
        int status;
        const char *reason;
    } rules[] = {
        {guard->reason != NULL, 400, guard->reason},
        {!old && strcmp(version, "HTTP/1.1") != 0, 505,
         "Only HTTP/1.0 and HTTP/1.1 are spoken here."},
        {!method_is_known(method), 405, "This method is not known here."},
        {target[0] != '/', 400, "The request target does not start with /."},
        {!target_is_clean(target), 400,
         "The request target has bytes that must be percent-encoded."},
        {guard->lengths > 1, 400, "More than one Content-Length."},
        {guard->encodings > 1, 400, "More than one Transfer-Encoding."},
        {guard->encodings && guard->lengths, 400, "Both Content-Length and Transfer-Encoding."},
        {guard->encodings && old, 400, "Transfer-Encoding does not exist in HTTP/1.0."},
        {guard->hosts > 1, 400, "More than one Host."},
        {!guard->hosts && !old, 400, "Host is missing."}, /* old health checks send none */
        {guard->hosts && !is_host(guard->host, guard->host_size), 400, "Host is not name[:port]."},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].refused) continue;
        guard->reason = rules[i].reason;
        return rules[i].status;
    }
    return 0;
}

static bool list_has(const char *list, const char *word, size_t size) {
    while (list && *list) {
        size_t length = strcspn(list, ", ");
        if (length == size && size && !strncasecmp(list, word, size)) return true;
        list += length;
        list += strspn(list, ", ");
    }
    return false;
}

static bool host_is_allowed(const struct guard *guard, const struct guard_rules *rules) {
    static const char own[] = "localhost,127.0.0.1,[::1]";
    if (rules->any_host || !guard->hosts) return true;
    size_t name_size = guard->host_size - host_port_size(guard->host, guard->host_size);
    return list_has(own, guard->host, name_size) ||
           list_has(rules->bind_host, guard->host, name_size) ||
           list_has(rules->allowed_hosts, guard->host, name_size) ||
           list_has(rules->allowed_hosts, guard->host, guard->host_size);
}

bool guard_origin_allowed(const struct guard *guard, const struct guard_rules *rules) {
    if (list_has(rules->allowed_origins, guard->origin, guard->origin_size)) return true;
    const char *end = guard->origin + guard->origin_size;
    const char *colon = memchr(guard->origin, ':', guard->origin_size);
    if (!colon || end - colon < 3 || strncmp(colon, "://", 3) != 0) return false;
    size_t size = (size_t)(end - colon) - 3;
    return guard->host && size == guard->host_size && !strncasecmp(colon + 3, guard->host, size);
}

static bool changes_something(const char *method) {
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
           strcmp(method, "OPTIONS") != 0;
}

int guard_access(struct guard *guard, const struct guard_rules *rules, const char *method) {
    if (!host_is_allowed(guard, rules)) {
        guard->reason =
            "This Host is not served here; the setting BACKEND_ALLOWED_HOSTS lists others.";
        return 403;
    }
    if (!changes_something(method)) return 0;
    bool listed =
        guard->origin && list_has(rules->allowed_origins, guard->origin, guard->origin_size);
    bool elsewhere = guard->fetch_site &&
                     !equal_fold(guard->fetch_site, guard->fetch_site_size, "same-origin") &&
                     !equal_fold(guard->fetch_site, guard->fetch_site_size, "none");
    if ((elsewhere && !listed) || (guard->origin && !guard_origin_allowed(guard, rules))) {
        guard->reason = "A page of another origin may not change anything here; the setting "
                        "BACKEND_ALLOWED_ORIGINS lists those that may.";
        return 403;
    }
    return 0;
}
