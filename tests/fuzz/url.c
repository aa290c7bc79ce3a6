/* SPDX-License-Identifier: MIT
 * url.c - fuzz target: DATABASE_URL and the Redis URLs. The first byte says whether the input is the whole
 * URL, or stands around a password. What is refused names the variable and never shows the password; what
 * is taken keeps its bounds.
 */
#include "net/url.h"

#include <stdio.h>

#include "base/config.h"
#include "fuzz.h"

enum { TEXT_MAX = 4096 };
static const char secret[] = "S3CR3T";

static void check_refusal(const char *variable) {
    const char *message = shared_error_message(shared_error_last());
    require(strncmp(message, variable, strlen(variable)) == 0);
    require(!strstr(message, secret));
}

static void check_postgres(const char *text) {
    char *made;
    char *again;
    if (url_parse_postgres("DATABASE_URL", text, &made) < 0) {
        require(!made);
        check_refusal("DATABASE_URL");
        return;
    }
    require(url_parse_postgres("DATABASE_URL", made, &again) == SHARED_OK);
    require(strcmp(made, again) == 0);
    free(made);
    free(again);
}

static void check_redis(const char *text) {
    struct redis_url url;
    if (url_parse_redis("REDIS_URL", text, &url) < 0) {
        check_refusal("REDIS_URL");
        return;
    }
    require(*url.path ? *url.path == '/' : *url.host && url.port > 0);
    require(strlen(url.host) < sizeof url.host && strlen(url.password) < sizeof url.password);
    require(url.database >= 0 && url_same_server(&url, &url));
}

/* "scheme://user:" part "S3CR3T" part "@host" part, cut where the input has line feeds. */
static void check_planted(const char *scheme, const char *input) {
    char text[TEXT_MAX];
    char shown[TEXT_MAX];
    size_t first = strcspn(input, "\n");
    const char *rest = input + first + (input[first] == '\n');
    size_t second = strcspn(rest, "\n");
    const char *last = rest + second + (rest[second] == '\n');
    int size = snprintf(text, sizeof text, "%s://user:%.*s%s%.*s@host%s", scheme, (int)first, input,
                        secret, (int)second, rest, last);
    if (size < 0 || (size_t)size >= sizeof text) return;
    config_mask_url(text, shown, sizeof shown);
    require(!strstr(shown, secret));
    check_postgres(text);
    check_redis(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const schemes[] = {"redis",      "rediss",           "unix",
                                          "postgresql", "postgres+asyncpg", "http"};
    if (!size || size > TEXT_MAX) return 0;
    char *text = fuzz_text(data + 1, size - 1);
    if (!strstr(text, secret)) {
        size_t shape = *data % (1 + sizeof schemes / sizeof *schemes);
        if (shape) {
            check_planted(schemes[shape - 1], text);
        } else {
            check_postgres(text);
            check_redis(text);
        }
    }
    free(text);
    return 0;
}
