/* SPDX-License-Identifier: MIT
 * range.c - which bytes of a file a Range header asks for. Never gives more than one range: a thousand
 * of them would make a small request a large answer.
 */
#include "range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Digits at *text, at least one; what is too large is past the end of any file. */
static bool digits_parse(const char **text, uint64_t *out) {
    const char *from = *text;
    uint64_t number = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        if (number > (UINT64_MAX - 9) / 10)
            number = UINT64_MAX; /* and stays there */
        else
            number = number * 10 + (uint64_t)(**text - '0');
    }
    *out = number;
    return *text != from;
}

struct range range_parse(const char *header, uint64_t file_size) {
    const struct range whole = {.status = 200, .offset = 0, .size = file_size};
    const struct range none = {.status = 416, .offset = 0, .size = 0};
    if (!header || strncasecmp(header, "bytes=", 6) != 0) return whole;
    const char *text = header + 6;
    text += strspn(text, " \t");
    uint64_t first = 0;
    uint64_t last = 0;
    bool has_first = digits_parse(&text, &first);
    if (*text++ != '-') return whole;
    bool has_last = digits_parse(&text, &last);
    text += strspn(text, " \t");
    if (*text || (!has_first && !has_last) || (has_first && has_last && last < first)) return whole;
    if (!has_first) { /* the last so many */
        if (!last || !file_size) return none;
        uint64_t size = last < file_size ? last : file_size;
        return (struct range){.status = 206, .offset = file_size - size, .size = size};
    }
    if (first >= file_size) return none;
    if (!has_last || last >= file_size) last = file_size - 1;
    return (struct range){.status = 206, .offset = first, .size = last - first + 1};
}
