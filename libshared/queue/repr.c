/* SPDX-License-Identifier: MIT
 * repr.c - JSON text as Python would print it, by the rules of celery/utils/saferepr.py: strings in
 * single quotes, three levels deep, cut after so many characters. Never parsed by anybody.
 */
#include "queue/repr.h"

#include <string.h>

#include "base/text.h"

struct walk {
    struct buffer *out;
    const char *at, *end;
    int32_t left; /* characters that may still be written */
    int32_t level;
    char closing[REPR_LEVELS_MAX + 1];
    bool cut;
};

static void walk_write(struct walk *walk, const char *text, size_t size) {
    buffer_add(walk->out, text, size);
    walk->left -= (int32_t)text_length(text, size);
}

/* The text is full: say so, close what is open, stop. */
static void walk_cut(struct walk *walk) {
    buffer_add_text(walk->out, ", ...");
    while (walk->level > 0) buffer_add_char(walk->out, walk->closing[--walk->level]);
    walk->cut = true;
}

static uint32_t read_hex4(const char *at) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        code = code << 4 | (digit & 15);
    }
    return code;
}

static void add_code_point(struct buffer *out, uint32_t code) {
    if (code == 0 || (code >= 0xd800 && code < 0xe000)) code = 0xfffd; /* no text holds these */
    char bytes[4];
    size_t size = 0;
    if (code < 0x80) {
        bytes[size++] = (char)code;
    } else if (code < 0x800) {
        bytes[size++] = (char)(0xc0 | code >> 6);
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        bytes[size++] = (char)(0xe0 | code >> 12);
        bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    } else {
        bytes[size++] = (char)(0xf0 | code >> 18);
        bytes[size++] = (char)(0x80 | (code >> 12 & 0x3f));
        bytes[size++] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[size++] = (char)(0x80 | (code & 0x3f));
    }
    buffer_add(out, bytes, size);
}

/* One escape behind its backslash; returns where it ends. */
static const char *add_escape(struct buffer *out, const char *at, const char *end) {
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    if (*at == 'u' && end - at >= 5) {
        uint32_t code = read_hex4(at + 1);
        at += 5;
        if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            code = 0x10000 + ((code & 0x3ff) << 10) + (read_hex4(at + 2) & 0x3ff);
            at += 6;
        }
        add_code_point(out, code);
        return at;
    }
    const char *letter = *at ? strchr(letters, *at) : NULL;
    buffer_add_char(out, letter ? values[letter - letters] : *at);
    return at + 1;
}

/* Decodes the string that starts at the quote. Returns where it ends. */
static const char *read_string(struct buffer *text, const char *at, const char *end) {
    for (at++; at < end && *at != '"';) {
        const char *plain = at;
        while (at < end && *at != '"' && *at != '\\') at++;
        buffer_add(text, plain, (size_t)(at - plain));
        if (at + 1 < end && *at == '\\') at = add_escape(text, at + 1, end);
    }
    return at < end ? at + 1 : end;
}

/* Bytes of the first `characters` code points. */
static size_t prefix_size(const char *text, size_t size, int32_t characters) {
    size_t at = 0;
    while (at < size && characters-- > 0) do
            at++;
        while (at < size && ((unsigned char)text[at] & 0xc0) == 0x80);
    return at;
}

static void write_string(struct walk *walk) {
    struct buffer text = {.data = NULL};
    walk->at = read_string(&text, walk->at, walk->end);
    size_t size = text.size;
    bool cut = text_length(text.data, size) >= (size_t)walk->left;
    if (cut) {
        size = prefix_size(text.data, size, walk->left);
        for (size_t i = size; i > 0; i--) { /* at the last space, as Celery does */
            if (text.data[i - 1] != ' ') continue;
            size = i - 1;
            break;
        }
    }
    walk_write(walk, "'", 1);
    for (size_t at = 0; at < size;) {
        const char *quote = memchr(text.data + at, '\'', size - at);
        size_t plain = quote ? (size_t)(quote - text.data) - at : size - at;
        walk_write(walk, text.data + at, plain);
        if (quote) walk_write(walk, "\\'", 2);
        at += plain + (quote ? 1 : 0);
    }
    if (cut) walk_write(walk, "...", 3);
    walk_write(walk, "'", 1);
    buffer_finish(&text);
}

/* A word or a number, cut as strings are. */
static void write_word(struct walk *walk, const char *text, size_t size) {
    bool cut = size >= (size_t)walk->left;
    walk_write(walk, text, cut ? (size_t)walk->left : size);
    if (cut) walk_write(walk, "...", 3);
}

static void write_scalar(struct walk *walk) {
    static const struct {
        char first;
        const char *python;
    } words[] = {{'t', "True"}, {'f', "False"}, {'n', "None"}};
    const char *start = walk->at;
    while (walk->at < walk->end && !strchr(",]} \t\r\n:", *walk->at)) walk->at++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (words[i].first != *start) continue;
        write_word(walk, words[i].python, strlen(words[i].python));
        return;
    }
    write_word(walk, start, (size_t)(walk->at - start));
}

/* Behind the bracket that closes the one at `at`. */
static const char *skip_container(const char *at, const char *end) {
    int32_t depth = 0;
    for (; at < end; at++) {
        if (*at == '"') {
            for (at++; at < end && *at != '"'; at++)
                if (*at == '\\') at++;
        } else if (*at == '[' || *at == '{') {
            depth++;
        } else if ((*at == ']' || *at == '}') && --depth == 0) {
            return at + 1;
        }
    }
    return end;
}

static void write_container(struct walk *walk) {
    bool list = *walk->at == '[';
    if (walk->level >= REPR_LEVELS_MAX) {
        walk_write(walk, list ? "[...]" : "{...}", 5);
        walk->at = skip_container(walk->at, walk->end);
        return;
    }
    walk_write(walk, walk->at++, 1);
    walk->closing[walk->level++] = list ? ']' : '}';
}

static void write_closing(struct walk *walk) {
    if (walk->level > 0) walk->level--;
    walk_write(walk, walk->at++, 1);
}

static void write_token(struct walk *walk) {
    switch (*walk->at) {
    case '"': write_string(walk); break;
    case '[':
    case '{': write_container(walk); break;
    case ',':
        walk_write(walk, ", ", 2);
        walk->at++;
        break;
    case ':':
        walk_write(walk, ": ", 2);
        walk->at++;
        break;
    default: write_scalar(walk);
    }
}

void repr_from_json(struct buffer *out, const char *json, size_t size, int32_t size_max) {
    struct walk walk = {.out = out, .at = json, .end = json + size, .left = size_max};
    while (walk.at < walk.end && !walk.cut && !out->failed) {
        if (strchr(" \t\r\n", *walk.at)) {
            walk.at++;
        } else if (*walk.at == ']' || *walk.at == '}') {
            write_closing(&walk);
        } else if (walk.left <= 0) {
            walk_cut(&walk);
        } else {
            write_token(&walk);
        }
    }
}
