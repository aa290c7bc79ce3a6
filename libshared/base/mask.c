/* SPDX-License-Identifier: MIT
 * mask.c - hides the passwords of URLs and of libpq's key=value form. Understands as little as it must:
 * a password may hold '@', '/' and '?' that should have been encoded, so in doubt it hides too much.
 */
#include "base/mask.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/config.h"

static const char hidden[] = "***";

/* What follows "password=" up to its end: '&' in a URL; in key=value form a space, outside of quotes. */
static size_t value_size(const char *value, bool is_url) {
    if (is_url) return strcspn(value, "&");
    const char *at = value;
    while (*at == ' ') at++;
    bool quoted = *at == '\'';
    if (quoted) at++;
    while (*at && (quoted ? *at != '\'' : !isspace((unsigned char)*at)))
        at += *at == '\\' && at[1] ? 2 : 1;
    return (size_t)(at - value) + (quoted && *at);
}

/* Size of "password =" at text, with the spaces that libpq allows; 0: something else stands there. */
static size_t name_size(const char *text) {
    static const char *const names[] = {"password", "passwd"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i]);
        if (strncasecmp(text, names[i], size) != 0) continue;
        size += strspn(text + size, " ");
        if (text[size] == '=') return size + 1;
    }
    return 0;
}

/* The rest of the text, with each value of a password parameter hidden. */
static void add_parameters(struct buffer *out, const char *text, bool is_url) {
    while (*text) {
        size_t size = name_size(text);
        buffer_add(out, text, size ? size : 1);
        text += size ? size : 1;
        if (!size) continue;
        buffer_add_text(out, hidden);
        text += value_size(text, is_url);
    }
}

void mask_add(struct buffer *out, const char *url) {
    const char *authority = strstr(url, "://");
    const char *colon = authority ? strchr(authority + 3, ':') : NULL;
    const char *at = authority ? strrchr(authority, '@') : NULL;
    buffer_add(out, "", 0); /* an empty value is a text too */
    if (colon && at && colon < at) {
        buffer_add(out, url, (size_t)(colon + 1 - url));
        buffer_add_text(out, hidden);
        /* An '@' behind a '?': of the user's password, or of one in the parameters? */
        if (memchr(colon, '?', (size_t)(at - colon))) return;
        url = at;
    }
    add_parameters(out, url, authority != NULL);
}

void config_mask_url(const char *url, char *out, size_t out_size) {
    struct buffer masked = {0};
    mask_add(&masked, url);
    (void)snprintf(out, out_size, "%s", masked.failed ? hidden : masked.data);
    buffer_finish(&masked);
}
