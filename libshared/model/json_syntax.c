/* SPDX-License-Identifier: MIT
 * json_syntax.c - whether a text is JSON, and nothing more: numbers of any size and names that come twice are
 * (jansson refuses the first, and we the second where models are read). Makes nothing, and needs no stack.
 */
#include <stdint.h>
#include <string.h>

#include "model/json.h"

enum { DEPTH_MAX = 4096 };

struct scan {
    const char *at, *end;
    int32_t depth;
    uint8_t is_object[DEPTH_MAX / 8]; /* bit of a depth */
};

static void skip_space(struct scan *scan) {
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at) scan->at++;
}

static bool take(struct scan *scan, char c) {
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c) return false;
    scan->at++;
    return true;
}

static bool take_word(struct scan *scan, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) return false;
    scan->at += size;
    return true;
}

static bool is_digit(const struct scan *scan) {
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool take_digits(struct scan *scan) {
    if (!is_digit(scan)) return false;
    while (is_digit(scan)) scan->at++;
    return true;
}

static bool take_number(struct scan *scan) {
    (void)take_word(scan, "-");
    if (!take_word(scan, "0") && !take_digits(scan)) return false;
    if (take_word(scan, ".") && !take_digits(scan)) return false;
    if (!take_word(scan, "e") && !take_word(scan, "E")) return true;
    if (!take_word(scan, "-")) (void)take_word(scan, "+");
    return take_digits(scan);
}

/* Behind a backslash. */
static bool take_escape(struct scan *scan) {
    if (scan->at == scan->end || !*scan->at || !strchr("\"\\/bfnrtu", *scan->at)) return false;
    if (*scan->at++ != 'u') return true;
    for (int i = 0; i < 4; i++, scan->at++)
        if (scan->at == scan->end || !*scan->at || !strchr("0123456789abcdefABCDEF", *scan->at))
            return false;
    return true;
}

static bool take_string(struct scan *scan) {
    if (!take(scan, '"')) return false;
    while (scan->at < scan->end && (unsigned char)*scan->at >= ' ') {
        char c = *scan->at++;
        if (c == '"') return true;
        if (c == '\\' && !take_escape(scan)) return false;
    }
    return false;
}

static bool top_is_object(const struct scan *scan) {
    int32_t top = scan->depth - 1;
    return scan->is_object[top / 8] >> (top % 8) & 1;
}

static bool push(struct scan *scan, bool is_object) {
    if (scan->depth == DEPTH_MAX) return false;
    uint8_t bit = (uint8_t)(1u << (scan->depth % 8));
    uint8_t *byte = &scan->is_object[scan->depth / 8];
    *byte = (uint8_t)(is_object ? *byte | bit : *byte & ~bit);
    scan->depth++;
    return true;
}

static bool pop(struct scan *scan) {
    scan->depth--;
    return true;
}

static bool take_name(struct scan *scan) {
    return take_string(scan) && take(scan, ':');
}

/* A value up to the first one within it; *opened: that one comes next. */
static bool take_value(struct scan *scan, bool *opened) {
    *opened = false;
    skip_space(scan);
    bool is_object = take_word(scan, "{");
    if (is_object || take_word(scan, "[")) {
        if (!push(scan, is_object)) return false;
        if (take(scan, is_object ? '}' : ']')) return pop(scan);
        *opened = !is_object || take_name(scan);
        return *opened;
    }
    if (scan->at < scan->end && *scan->at == '"') return take_string(scan);
    return take_word(scan, "true") || take_word(scan, "false") || take_word(scan, "null") ||
           take_number(scan);
}

/* What follows a value; *more: another one does. */
static bool take_ends(struct scan *scan, bool *more) {
    *more = false;
    while (scan->depth) {
        bool is_object = top_is_object(scan);
        if (take(scan, ',')) {
            *more = !is_object || take_name(scan);
            return *more;
        }
        if (!take(scan, is_object ? '}' : ']')) return false;
        scan->depth--;
    }
    skip_space(scan);
    return scan->at == scan->end;
}

bool json_has_syntax(const char *json, size_t size) {
    struct scan scan = {.at = json, .end = json + size};
    for (bool opened, more;;) {
        if (!take_value(&scan, &opened)) return false;
        if (opened) continue;
        if (!take_ends(&scan, &more)) return false;
        if (!more) return true;
    }
}
