/* SPDX-License-Identifier: MIT
 * charset.c - byte order marks, UTF-8, UTF-16 without a mark, else windows-1252. Never reads a
 * file.
 */
#include "charset.h"

#include <string.h>

enum { REPLACEMENT = 0xFFFD, SAMPLE_BYTES = 64 << 10, END_OF_FILE = 0x1A };

const char *charset_name(enum charset charset) {
    static const char *const names[CHARSET_COUNT] = {"binary",   "unknown",     "UTF-8",
                                                     "UTF-16LE", "UTF-16BE",    "UTF-32LE",
                                                     "UTF-32BE", "windows-1252"};
    return names[charset];
}

/* UTF-32LE before UTF-16LE, whose mark it starts with. */
static const struct mark {
    const char *bytes;
    size_t size;
    enum charset charset;
} marks[] = {
    {"\xEF\xBB\xBF", 3, CHARSET_UTF8},    {"\xFF\xFE\0\0", 4, CHARSET_UTF32LE},
    {"\0\0\xFE\xFF", 4, CHARSET_UTF32BE}, {"\xFF\xFE", 2, CHARSET_UTF16LE},
    {"\xFE\xFF", 2, CHARSET_UTF16BE},
};

/* ---- decoding */

/* 0x80-0x9F; 0: not assigned. */
static const uint16_t windows1252_high[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

static uint32_t next_windows1252(const uint8_t *bytes, size_t *offset) {
    uint8_t byte = bytes[(*offset)++];
    if (byte < 0x80 || byte >= 0xA0) return byte;
    uint32_t c = windows1252_high[byte - 0x80];
    return c ? c : REPLACEMENT;
}

static uint32_t next_utf8(const uint8_t *bytes, size_t size, size_t *offset) {
    const uint8_t *at = bytes + (*offset)++;
    uint8_t lead = at[0];
    if (lead < 0x80) return lead;
    if (lead < 0xC2 || lead > 0xF4) return REPLACEMENT;
    size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t c = lead & (0x3Fu >> more);
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 0; i < more; i++, low = 0x80, high = 0xBF) {
        /* One U+FFFD for the longest good start, as the Unicode standard and browsers do. */
        if (*offset == size || bytes[*offset] < low || bytes[*offset] > high) return REPLACEMENT;
        c = c << 6 | (bytes[(*offset)++] & 0x3Fu);
    }
    return c;
}

static uint32_t unit16(const uint8_t *at, bool big) {
    return big ? (uint32_t)at[0] << 8 | at[1] : (uint32_t)at[1] << 8 | at[0];
}

static uint32_t next_utf16(const uint8_t *bytes, size_t size, size_t *offset, bool big) {
    size_t left = size - *offset;
    if (left < 2) {
        *offset = size;
        return REPLACEMENT;
    }
    uint32_t c = unit16(bytes + *offset, big);
    *offset += 2;
    if (c < 0xD800 || c > 0xDFFF) return c;
    if (c > 0xDBFF || left < 4) return REPLACEMENT;
    uint32_t low = unit16(bytes + *offset, big);
    if (low < 0xDC00 || low > 0xDFFF) return REPLACEMENT;
    *offset += 2;
    return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

static uint32_t next_utf32(const uint8_t *bytes, size_t size, size_t *offset, bool big) {
    if (size - *offset < 4) {
        *offset = size;
        return REPLACEMENT;
    }
    uint32_t first = unit16(bytes + *offset, big), second = unit16(bytes + *offset + 2, big);
    *offset += 4;
    uint32_t c = big ? first << 16 | second : second << 16 | first;
    return c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? REPLACEMENT : c;
}

uint32_t charset_next(enum charset charset, const uint8_t *bytes, size_t size, size_t *offset) {
    switch (charset) {
    case CHARSET_UTF8: return next_utf8(bytes, size, offset);
    case CHARSET_UTF16LE: return next_utf16(bytes, size, offset, false);
    case CHARSET_UTF16BE: return next_utf16(bytes, size, offset, true);
    case CHARSET_UTF32LE: return next_utf32(bytes, size, offset, false);
    case CHARSET_UTF32BE: return next_utf32(bytes, size, offset, true);
    default: return next_windows1252(bytes, offset);
    }
}

/* ---- guessing */

struct census {
    size_t controls; /* C0 that no text has */
    size_t high;     /* bytes from 0x80 */
    size_t blank;
    size_t unassigned;           /* in windows-1252 */
    size_t zero_even, zero_odd;  /* NUL bytes by their place */
    size_t sequences, malformed; /* read as UTF-8: characters of several bytes, and what is none */
};

static void count_byte(struct census *census, uint8_t byte, size_t place) {
    if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f' ||
        byte == '\v') {
        census->blank++;
    } else if (byte == 0) {
        census->controls++;
        *(place % 2 ? &census->zero_odd : &census->zero_even) += 1;
    } else if (byte < 0x20 || byte == 0x7F) {
        census->controls++;
    } else if (byte >= 0x80) {
        census->high++;
        census->unassigned += byte < 0xA0 && !windows1252_high[byte - 0x80];
    }
}

/* A character that the end of the file cuts off is nothing that another encoding would explain better. */
static bool is_cut_off(const uint8_t *bytes, size_t size, size_t before, size_t offset) {
    return offset == size && bytes[before] >= 0xC2 && bytes[before] <= 0xF4;
}

static struct census take_census(const uint8_t *bytes, size_t size) {
    struct census census = {0};
    for (size_t i = 0; i < size; i++) count_byte(&census, bytes[i], i);
    if (!census.high) return census;
    for (size_t offset = 0; offset < size;) {
        size_t before = offset;
        uint32_t c = next_utf8(bytes, size, &offset);
        if (c == REPLACEMENT && (offset - before < 3 || bytes[before] != 0xEF))
            census.malformed += !is_cut_off(bytes, size, before, offset);
        else if (c >= 0x80)
            census.sequences++;
    }
    return census;
}

/* Text without a mark whose every second byte is mostly NUL: western text in UTF-16. */
static enum charset guess_utf16(const struct census *census, size_t size) {
    if (size % 2) return CHARSET_BINARY;
    size_t few = size / 64, many = size * 3 / 8;
    size_t other_controls = census->controls - census->zero_even - census->zero_odd;
    if (other_controls > few) return CHARSET_BINARY;
    if (census->zero_odd >= many && census->zero_even <= few) return CHARSET_UTF16LE;
    if (census->zero_even >= many && census->zero_odd <= few) return CHARSET_UTF16BE;
    return CHARSET_BINARY;
}

/* Stray controls (a form feed's cousins, an escape) make no binary; a share of them does. */
static bool has_few_controls(const struct census *census, size_t size) {
    return census->controls * 100 <= size;
}

/* More than three of ten letters beyond ASCII is no western language: Cyrillic, Greek, Chinese ...
 * in an old encoding, which windows-1252 would turn into nonsense. */
static bool looks_western(const struct census *census, size_t size) {
    size_t written = size - census->blank;
    return census->high * 10 <= written * 3 && census->unassigned * 100 <= census->high;
}

/* DOS ends a text, or fills its last block, with Ctrl-Z. */
static size_t size_of_text(const uint8_t *bytes, size_t size) {
    while (size > 1 && bytes[size - 1] == END_OF_FILE) size--;
    return size;
}

/* A few damaged bytes among good characters are still UTF-8: in another encoding the good ones would be
 * rare accidents. */
static bool looks_utf8(const struct census *census) {
    return !census->high || (census->sequences && census->malformed * 2 <= census->sequences);
}

enum charset charset_guess(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (size >= marks[i].size && memcmp(bytes, marks[i].bytes, marks[i].size) == 0)
            return marks[i].charset;
    struct census sample = take_census(bytes, size < SAMPLE_BYTES ? size : SAMPLE_BYTES);
    if (sample.zero_even + sample.zero_odd > 0) {
        enum charset charset = guess_utf16(&sample, size < SAMPLE_BYTES ? size : SAMPLE_BYTES);
        if (charset != CHARSET_BINARY) return charset;
    }
    size = size_of_text(bytes, size);
    struct census census = take_census(bytes, size);
    if (!has_few_controls(&census, size)) return CHARSET_BINARY;
    if (looks_utf8(&census)) return CHARSET_UTF8;
    if (census.zero_even + census.zero_odd > 0) return CHARSET_BINARY;
    return looks_western(&census, size) ? CHARSET_WINDOWS1252 : CHARSET_UNKNOWN;
}
