/* SPDX-License-Identifier: MIT
 * name.c - names of files. Never opens one.
 */
#include "name.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* U+202A-202E and U+2066-2069 turn the direction of writing, so "fdp.exe" can look like "exe.pdf". */
static bool is_direction(const char *c, size_t size) {
    return size == 3 && (unsigned char)c[0] == 0xe2 &&
           (((unsigned char)c[1] == 0x80 && (unsigned char)c[2] >= 0xaa &&
             (unsigned char)c[2] <= 0xae) ||
            ((unsigned char)c[1] == 0x81 && (unsigned char)c[2] >= 0xa6 &&
             (unsigned char)c[2] <= 0xa9));
}

static bool is_control(const char *c, size_t size) {
    unsigned char first = (unsigned char)c[0];
    return first < 0x20 || first == 0x7f ||
           (size == 2 && first == 0xc2 && (unsigned char)c[1] < 0xa0); /* C1 */
}

const char *name_clean(const char *raw, size_t size, char out[NAME_SIZE_MAX + 1]) {
    if (memchr(raw, '\0', size)) return "The file name holds a NUL.";
    if (!utf8_is_text(raw, size, NULL)) return "The file name is not UTF-8.";
    const char *name = raw;
    for (const char *c = raw; c < raw + size; c++)
        if (*c == '/' || *c == '\\') name = c + 1;
    size_t length = 0;
    size_t used = 0;
    for (const char *c = name, *end = raw + size; c < end;) {
        size_t step = utf8_size(c, (size_t)(end - c));
        bool kept = !is_control(c, step) && !is_direction(c, step) && (used || *c != ' ');
        if (kept && ++length > NAME_LENGTH_MAX)
            return "The file name has more than 255 characters.";
        if (kept) memcpy(out + used, c, step);
        if (kept) used += step;
        c += step;
    }
    while (used && out[used - 1] == ' ') used--;
    out[used] = '\0';
    if (!used || !strcmp(out, ".") || !strcmp(out, "..")) return "The file has no name.";
    return NULL;
}

void name_disposition(struct text *out, const char *name) {
    static const char plain[] =
        "!#$&+-.^_`|~"; /* attr-char of RFC 8187 that are no letters or digits */
    text_add_string(out, "attachment; filename=\"");
    for (const char *c = name; *c; c++) {
        bool shown = *c >= 0x20 && *c < 0x7f && *c != '"' && *c != '\\' && *c != '%';
        bool starts = ((unsigned char)*c & 0xc0) != 0x80; /* one _ a character, not a byte */
        if (shown)
            text_add(out, c, 1);
        else if (starts)
            text_add(out, "_", 1);
    }
    text_add_string(out, "\"; filename*=UTF-8''");
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z');
        if (letter || strchr(plain, *c))
            text_add(out, c, 1);
        else
            text_format(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* A quoted string from behind its quote. Browsers write %22 for a quote and leave backslashes alone;
 * curl escapes both: so only \" and \\ are escapes, and C:\x keeps its backslash. */
static long quoted_read(const char **text, const char *end, char *out, size_t out_size) {
    size_t used = 0;
    const char *c = *text;
    for (; c < end && *c != '"'; c++) {
        char byte = *c;
        if (*c == '\\' && end - c > 1 && (c[1] == '"' || c[1] == '\\')) {
            byte = *++c;
        } else if (end - c > 2 && !memcmp(c, "%22", 3)) {
            byte = '"';
            c += 2;
        }
        if (used == out_size) return -2;
        out[used++] = byte;
    }
    if (c == end) return -2;
    *text = c + 1;
    return (long)used;
}

static long token_read(const char **text, const char *end, char *out, size_t out_size) {
    const char *from = *text;
    while (*text < end && **text != ';' && **text != ' ' && **text != '\t') ++*text;
    size_t size = (size_t)(*text - from);
    if (size > out_size) return -2;
    memcpy(out, from, size);
    return (long)size;
}

long name_parameter(const char *header, size_t header_size, const char *parameter, char *out,
                    size_t out_size) {
    const char *end = header + header_size;
    const char *c = memchr(header, ';', header_size);
    while (c && c < end) {
        while (c < end && (*c == ';' || *c == ' ' || *c == '\t')) c++;
        const char *name = c;
        while (c < end && *c != '=' && *c != ';') c++;
        size_t name_size = (size_t)(c - name);
        while (name_size && (name[name_size - 1] == ' ' || name[name_size - 1] == '\t'))
            name_size--;
        if (c == end || *c == ';') continue;
        c++; /* = */
        while (c < end && (*c == ' ' || *c == '\t')) c++;
        bool quoted = c < end && *c == '"';
        if (quoted) c++;
        /* A value that is not asked for is read over, so that a ; inside its quotes ends nothing. */
        bool wanted = equal_fold(name, name_size, parameter);
        const char *from = c;
        long size =
            quoted ? quoted_read(&c, end, out, out_size) : token_read(&c, end, out, out_size);
        if (wanted) return size;
        if (size == -2 && quoted) { /* too long for out, or endless: look for its end */
            for (c = from; c < end && *c != '"'; c++)
                if (*c == '\\' && end - c > 1) c++;
            if (c == end) return -2;
            c++;
        }
    }
    return -1;
}

static size_t latin1_add(char *out, unsigned char byte) {
    if (byte < 0x80) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = (char)(0xc0 | byte >> 6);
    out[1] = (char)(0x80 | (byte & 0x3f));
    return 2;
}

long name_extended(const char *value, size_t size, char *out, size_t out_size) {
    const char *end = value + size;
    const char *quote = memchr(value, '\'', size);
    if (!quote) return -1;
    size_t charset_size = (size_t)(quote - value);
    bool latin1 = equal_fold(value, charset_size, "ISO-8859-1");
    if (!latin1 && !equal_fold(value, charset_size, "UTF-8")) return -1;
    const char *c = memchr(quote + 1, '\'', (size_t)(end - quote) - 1);
    if (!c) return -1;
    size_t used = 0;
    for (c++; c < end; c++) {
        unsigned char byte = (unsigned char)*c;
        if (*c == '%') {
            int high = end - c > 2 ? hex_value(c[1]) : -1;
            int low = end - c > 2 ? hex_value(c[2]) : -1;
            if (high < 0 || low < 0) return -1;
            byte = (unsigned char)(high * 16 + low);
            c += 2;
        }
        if (used + 2 > out_size) return -1;
        if (latin1)
            used += latin1_add(out + used, byte);
        else
            out[used++] = (char)byte;
    }
    return (long)used;
}
