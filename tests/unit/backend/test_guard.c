/* SPDX-License-Identifier: MIT
 * test_guard.c - shapes of requests that must not get in, by table.
 */
#include <string.h>

#include "guard.h"
#include "unit.h"

struct header {
    const char *name, *value;
    size_t value_size; /* 0: strlen */
};

static int check_head(const char *method, const char *target, const char *version,
                      const struct header *headers, struct guard *guard) {
    *guard = (struct guard){0};
    for (; headers->name; headers++) {
        size_t size = headers->value_size ? headers->value_size : strlen(headers->value);
        guard_header(guard, headers->name, strlen(headers->name), headers->value, size);
    }
    return guard_check(guard, method, target, version);
}

#define HOST                                                                                       \
    { "Host", "localhost:8000", 0 } /* a macro, since C17 has no constant for an initialiser */

static const struct {
    int status;
    const char *method, *target, *version;
    struct header headers[5];
} heads[] = {
    {0, "GET", "/", "HTTP/1.1", {HOST}},
    {0, "GET", "/a?b=%20", "HTTP/1.0", {HOST}},
    {0, "GET", "/", "HTTP/1.0", {{0}}},
    {0, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "12", 0}}},
    {0, "POST", "/", "HTTP/1.1", {HOST, {"transfer-encoding", "Chunked", 0}}},
    {0, "GET", "/", "HTTP/1.1", {{"Host", "[::1]:8000", 0}}},
    {0, "GET", "/", "HTTP/1.1", {HOST, {"X-Text", "caf\xc3\xa9\ttab", 0}}},
    {0, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "999999999999999999", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "1000000000000000000", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "+1", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "-1", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "-0", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "0x10", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "1, 1", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "1", 0}, {"Content-Length", "1", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length", "1", 0}, {"content-length", "2", 0}}},
    {400,
     "POST",
     "/",
     "HTTP/1.1",
     {HOST, {"Content-Length", "1", 0}, {"Transfer-Encoding", "chunked", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Transfer-Encoding", "identity", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Transfer-Encoding", "gzip, chunked", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Transfer-Encoding", "", 0}}},
    {400,
     "POST",
     "/",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "chunked", 0}, {"Transfer-Encoding", "chunked", 0}}},
    {400, "POST", "/", "HTTP/1.0", {HOST, {"Transfer-Encoding", "chunked", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Transfer-Encoding ", "chunked", 0}}},
    {400,
     "POST",
     "/",
     "HTTP/1.1",
     {HOST, {"Transfer-Encodingchunked", "", 0}, {"Content-Length", "1", 0}}},
    {400, "POST", "/", "HTTP/1.1", {HOST, {"Content-Length2", "1", 0}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, {"X y", "1", 0}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, {"", "1", 0}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, {"X", "a\rb", 0}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, {"X", "a\0b", 3}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, {"X", "a\x7f", 0}}},
    {400, "GET", "/", "HTTP/1.1", {HOST, HOST}},
    {400, "GET", "/", "HTTP/1.0", {HOST, HOST}},
    {400, "GET", "/", "HTTP/1.1", {{0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "a@b", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "a/c", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "a, b", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "a:b", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "[]", 0}}},
    {400, "GET", "/", "HTTP/1.1", {{"Host", "[g]", 0}}},
    {400, "GET", "http://localhost/", "HTTP/1.1", {HOST}},
    {400, "OPTIONS", "*", "HTTP/1.1", {HOST}},
    {400, "GET", "", "HTTP/1.1", {HOST}},
    {400, "GET", "/a b", "HTTP/1.1", {HOST}},
    {400, "GET", "/a#b", "HTTP/1.1", {HOST}},
    {400, "GET", "/a\tb", "HTTP/1.1", {HOST}},
    {405, "TRACE", "/", "HTTP/1.1", {HOST}},
    {405, "CONNECT", "/", "HTTP/1.1", {HOST}},
    {405, "get", "/", "HTTP/1.1", {HOST}},
    {505, "GET", "/", "HTTP/1.2", {HOST}},
    {505, "GET", "/", "HTTP/2.0", {HOST}},
    {505, "GET", "/", "", {HOST}},
};

START_TEST(heads_are_let_in_or_refused) {
    struct guard guard;
    int status = check_head(heads[_i].method, heads[_i].target, heads[_i].version,
                            heads[_i].headers, &guard);
    ck_assert_int_eq(status, heads[_i].status);
    ck_assert_int_eq(guard.reason != NULL, status != 0);
}
END_TEST

START_TEST(length_and_encoding_are_read) {
    struct guard guard;
    const struct header sized[] = {HOST, {"Content-Length", "0042", 0}, {0}};
    ck_assert_int_eq(check_head("POST", "/", "HTTP/1.1", sized, &guard), 0);
    ck_assert_uint_eq(guard.content_length, 42);
    ck_assert(!guard.chunked);
    const struct header chunked[] = {HOST, {"Transfer-Encoding", "chunked", 0}, {0}};
    ck_assert_int_eq(check_head("POST", "/", "HTTP/1.1", chunked, &guard), 0);
    ck_assert(guard.chunked);
}
END_TEST

static const struct {
    int status;
    const char *method, *host, *origin, *site;
} places[] = {
    {0, "GET", "localhost:8000", NULL, NULL},
    {0, "GET", "LOCALHOST", "https://evil.example",
     "cross-site"}, /* reading is the browser's to refuse */
    {0, "POST", "127.0.0.1:8000", NULL, NULL},
    {0, "POST", "127.0.0.1:8000", "http://127.0.0.1:8000", "same-origin"},
    {0, "POST", "[::1]:8000", "http://[::1]:8000", NULL},
    {0, "POST", "localhost", NULL, "none"},
    {0, "DELETE", "app.example", "https://app.example", "same-origin"},
    {0, "POST", "localhost", "https://front.example", "cross-site"},
    {0, "POST", "other.example:81", NULL, NULL},
    {0, "GET", NULL, NULL, NULL},
    {403, "GET", "evil.example", NULL, NULL},
    {403, "GET", "localhost.evil.example", NULL, NULL},
    {403, "GET", "other.example", NULL, NULL},
    {403, "POST", "localhost", "https://evil.example", NULL},
    {403, "POST", "localhost", "https://evil.example", "same-origin"},
    {403, "POST", "localhost", "null", NULL},
    {403, "POST", "localhost", "", NULL},
    {403, "POST", "localhost:8000", "http://localhost:8001", NULL},
    {403, "PATCH", "localhost", NULL, "cross-site"},
    {403, "DELETE", "localhost", NULL, "same-site"},
    {403, "POST", "localhost", "http://localhost", "same-site"},
};

START_TEST(places_are_let_in_or_refused) {
    const struct guard_rules rules = {.bind_host = "127.0.0.1",
                                      .allowed_hosts = "app.example, other.example:81",
                                      .allowed_origins = "https://front.example"};
    struct guard guard = {0};
    const char *host = places[_i].host;
    const char *origin = places[_i].origin;
    const char *site = places[_i].site;
    if (host) guard_header(&guard, "Host", 4, host, strlen(host));
    if (origin) guard_header(&guard, "Origin", 6, origin, strlen(origin));
    if (site) guard_header(&guard, "Sec-Fetch-Site", 14, site, strlen(site));
    ck_assert_int_eq(guard_access(&guard, &rules, places[_i].method), places[_i].status);
    ck_assert_int_eq(guard.reason != NULL, places[_i].status != 0);
}
END_TEST

START_TEST(any_host_is_served_when_told) {
    const struct guard_rules rules = {.any_host = true};
    struct guard guard = {0};
    guard_header(&guard, "Host", 4, "any.example", 11);
    guard_header(&guard, "Origin", 6, "https://any.example", 19);
    ck_assert_int_eq(guard_access(&guard, &rules, "POST"), 0);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("guard");
    tcase_add_loop_test(tests, heads_are_let_in_or_refused, 0, (int)(sizeof heads / sizeof *heads));
    tcase_add_test(tests, length_and_encoding_are_read);
    tcase_add_loop_test(tests, places_are_let_in_or_refused, 0,
                        (int)(sizeof places / sizeof *places));
    tcase_add_test(tests, any_host_is_served_when_told);
    return unit_run_case("guard", tests);
}
