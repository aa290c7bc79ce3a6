/* SPDX-License-Identifier: MIT
 * test_detect.c - what a file is taken for, which encoding its text has, and where its pages begin.
 */
#include "detect.h"

#include <string.h>

#include "unit.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const struct guess {
    const char *name;
    enum charset expected;
    const uint8_t *bytes;
    size_t size;
} guesses[] = {
    {"ASCII", CHARSET_UTF8, BYTES("This Agreement is made.\r\n")},
    {"UTF-8", CHARSET_UTF8, BYTES("Caf\xC3\xA9 \xE2\x82\xAC 5")},
    {"UTF-8 of four bytes", CHARSET_UTF8, BYTES("ok \xF0\x9F\x98\x80")},
    {"UTF-8 Cyrillic", CHARSET_UTF8,
     BYTES("\xD0\x94\xD0\xBE\xD0\xB3\xD0\xBE\xD0\xB2\xD0\xBE\xD1\x80")},
    {"UTF-8 with a mark", CHARSET_UTF8, BYTES("\xEF\xBB\xBFtext")},
    {"UTF-8 with U+FFFD in it", CHARSET_UTF8, BYTES("a \xEF\xBF\xBD b")},
    {"UTF-16LE with a mark", CHARSET_UTF16LE, BYTES("\xFF\xFEt\0e\0x\0t\0")},
    {"UTF-16BE with a mark", CHARSET_UTF16BE, BYTES("\xFE\xFF\0t\0e\0x\0t")},
    {"UTF-32LE with a mark", CHARSET_UTF32LE, BYTES("\xFF\xFE\0\0t\0\0\0")},
    {"UTF-32BE with a mark", CHARSET_UTF32BE, BYTES("\0\0\xFE\xFF\0\0\0t")},
    {"UTF-16LE without", CHARSET_UTF16LE, BYTES("C\0o\0n\0t\0r\0a\0c\0t\0\r\0\n\0")},
    {"UTF-16BE without", CHARSET_UTF16BE, BYTES("\0C\0o\0n\0t\0r\0a\0c\0t\0.")},
    {"a mark alone", CHARSET_UTF8, BYTES("\xEF\xBB\xBF")},
    {"windows-1252", CHARSET_WINDOWS1252, BYTES("\x93The Seller\x94 \x96 caf\xE9")},
    {"Latin-1", CHARSET_WINDOWS1252,
     BYTES("F\xFCr die Kl\xE4gerin: Gr\xFC\xDF"
           "e")},
    {"one odd byte", CHARSET_WINDOWS1252, BYTES("caf\xE9")},
    {"tab, form feed", CHARSET_UTF8, BYTES("a\tb\fc\r\n")},
    {"KOI8-R", CHARSET_UNKNOWN, BYTES("\xE4\xCF\xC7\xCF\xD7\xCF\xD2 \xCB\xD5\xD0\xCC\xC9")},
    {"Shift-JIS", CHARSET_UNKNOWN, BYTES("\x8C\x5F\x96\xF1\x8F\x91\x82\xCC\x8D\xEC\x90\xAC")},
    {"binary", CHARSET_BINARY, BYTES("\x01\x02\x03\x04\x00\x05\xFF\xFE\x00\x80")},
    {"latin with a control", CHARSET_BINARY, BYTES("caf\xE9 \x02")},
    {"a control among much latin", CHARSET_WINDOWS1252,
     BYTES(
         "F\xFCr die Kl\xE4gerin: Gr\xFC\xDF"
         "e. The quick brown fox jumps over the lazy dog \x02 and then again over the other dog.")},
    {"a NUL among much latin", CHARSET_BINARY,
     BYTES("F\xFCr die Kl\xE4gerin: Gr\xFC\xDF"
           "e. The quick brown fox jumps over the lazy dog \0 and then again over the other dog.")},
    {"latin with the end of file of DOS", CHARSET_WINDOWS1252, BYTES("F\xFCr Sie\r\n\x1A\x1A")},
    {"ASCII with the end of file of DOS", CHARSET_UTF8, BYTES("For you\r\n\x1A")},
    {"an end of file and no text", CHARSET_BINARY, BYTES("\x1A\x1A")},
    {"latin with a soft line break", CHARSET_WINDOWS1252,
     BYTES("Stra\xDF"
           "e 5\vM\xFCnchen")},
    {"UTF-8 with one foreign byte", CHARSET_UTF8,
     BYTES("The Buyer\xE2\x80\x99s and the Seller\xE2\x80\x99s caf\xE9.")},
    {"UTF-8 cut in its last character", CHARSET_UTF8,
     BYTES("The Buyer\xE2\x80\x99s and the Seller\xE2\x80")},
    {"as much damage as characters", CHARSET_WINDOWS1252,
     BYTES("\x93 A contract of some words for \xC9\x94 and others.")},
    {"NULs", CHARSET_BINARY, BYTES("\0\0\0\0\0\0\0\0")},
    {"a NUL among much text", CHARSET_UTF8,
     BYTES("The quick brown fox jumps over the lazy dog and then again over the other dog, "
           "which does not mind at all.\0 The end of it, with some more words behind.")},
};

START_TEST(charsets_are_told_apart) {
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        enum charset found = charset_guess(guesses[i].bytes, guesses[i].size);
        ck_assert_msg(found == guesses[i].expected, "%s: %s, expected %s", guesses[i].name,
                      charset_name(found), charset_name(guesses[i].expected));
    }
}
END_TEST

START_TEST(a_damaged_byte_does_not_make_utf8_something_else) {
    char text[400];
    for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xC3\xA9", 2);
    text[200] = '\xFF';
    ck_assert_int_eq(charset_guess((const uint8_t *)text, sizeof text), CHARSET_UTF8);
    ck_assert_int_eq(charset_guess((const uint8_t *)text, sizeof text - 1), CHARSET_UTF8);
}
END_TEST

#define BAD 0xFFFD
static const struct decoding {
    const char *name;
    enum charset charset;
    const uint8_t *bytes;
    size_t size;
    uint32_t expected[8];
    size_t count;
} decodings[] = {
    {"1252 quotes, euro",
     CHARSET_WINDOWS1252,
     BYTES("\x93\x80\x94\xE9"),
     {0x201C, 0x20AC, 0x201D, 0xE9},
     4},
    {"1252 unassigned",
     CHARSET_WINDOWS1252,
     BYTES("\x81\x8D\x8F\x90\x9D"),
     {BAD, BAD, BAD, BAD, BAD},
     5},
    {"UTF-8",
     CHARSET_UTF8,
     BYTES("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
     {'a', 0xE9, 0x20AC, 0x1F600},
     4},
    {"UTF-8 too long a form",
     CHARSET_UTF8,
     BYTES("\xC0\x80"
           "a"),
     {BAD, BAD, 'a'},
     3},
    {"UTF-8 surrogate", CHARSET_UTF8, BYTES("\xED\xA0\x80"), {BAD, BAD, BAD}, 3},
    {"UTF-8 above the last", CHARSET_UTF8, BYTES("\xF4\x90\x80\x80"), {BAD, BAD, BAD, BAD}, 4},
    {"UTF-8 cut off", CHARSET_UTF8, BYTES("a\xE2\x82"), {'a', BAD}, 2},
    {"UTF-8 broken in the middle",
     CHARSET_UTF8,
     BYTES("\xE2\x82"
           "b"),
     {BAD, 'b'},
     2},
    {"UTF-16LE pair", CHARSET_UTF16LE, BYTES("\x3D\xD8\x00\xDE"), {0x1F600}, 1},
    {"UTF-16BE pair", CHARSET_UTF16BE, BYTES("\xD8\x3D\xDE\x00"), {0x1F600}, 1},
    {"UTF-16LE high alone",
     CHARSET_UTF16LE,
     BYTES("\x3D\xD8"
           "a\0"),
     {BAD, 'a'},
     2},
    {"UTF-16LE high at the end", CHARSET_UTF16LE, BYTES("\x3D\xD8"), {BAD}, 1},
    {"UTF-16LE low alone",
     CHARSET_UTF16LE,
     BYTES("\x00\xDE"
           "a\0"),
     {BAD, 'a'},
     2},
    {"UTF-16LE half a unit", CHARSET_UTF16LE, BYTES("a\0b"), {'a', BAD}, 2},
    {"UTF-32LE", CHARSET_UTF32LE, BYTES("\x00\xF6\x01\x00"), {0x1F600}, 1},
    {"UTF-32BE", CHARSET_UTF32BE, BYTES("\x00\x01\xF6\x00"), {0x1F600}, 1},
    {"UTF-32LE too large", CHARSET_UTF32LE, BYTES("\x00\x00\x11\x00"), {BAD}, 1},
    {"UTF-32LE cut off", CHARSET_UTF32LE, BYTES("a\0\0\0b\0"), {'a', BAD}, 2},
};

START_TEST(characters_are_decoded) {
    for (size_t i = 0; i < sizeof decodings / sizeof *decodings; i++) {
        const struct decoding *row = &decodings[i];
        size_t offset = 0, count = 0;
        while (offset < row->size) {
            size_t before = offset;
            uint32_t c = charset_next(row->charset, row->bytes, row->size, &offset);
            ck_assert_msg(count < row->count && c == row->expected[count],
                          "%s: character %zu is U+%04X", row->name, count, c);
            ck_assert_uint_gt(offset, before);
            count++;
        }
        ck_assert_msg(count == row->count, "%s: %zu characters", row->name, count);
    }
}
END_TEST

static const struct kind {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    const struct format *format; /* NULL: refused, and the sentence says */
    enum extract_code code;
    const char *says;
} kinds[] = {
    {"PDF", BYTES("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n1 0 obj"), &pdf_format, EXTRACT_NO_ERROR, ""},
    {"PDF behind other bytes", BYTES("mail junk\r\n%PDF-1.4\n1 0 obj\nendobj\n"), &pdf_format,
     EXTRACT_NO_ERROR, ""},
    {"a text about PDF", BYTES("The header %PDF-1.4 begins a file."), &plain_format,
     EXTRACT_NO_ERROR, ""},
    {"text", BYTES("hello"), &plain_format, EXTRACT_NO_ERROR, ""},
    {"HTML is text", BYTES("<!DOCTYPE html><p>x"), &plain_format, EXTRACT_NO_ERROR, ""},
    {"text that begins as BMP does", BYTES("BMW v. Gore, 517 U.S. 559"), &plain_format,
     EXTRACT_NO_ERROR, ""},
    {"text that begins as ID3 does", BYTES("ID3 is a tag"), &plain_format, EXTRACT_NO_ERROR, ""},
    {"empty", BYTES(""), NULL, EXTRACT_FILE_DAMAGED, "empty"},
    {"docx", BYTES("PK\3\4....word/document.xml\0\1\2"), NULL, EXTRACT_TYPE_UNSUPPORTED, "Word"},
    {"xlsx", BYTES("PK\3\4....xl/workbook.xml\0\1\2"), NULL, EXTRACT_TYPE_UNSUPPORTED, "Excel"},
    {"pptx", BYTES("PK\3\4....ppt/slides\0\1\2"), NULL, EXTRACT_TYPE_UNSUPPORTED, "PowerPoint"},
    {"odt", BYTES("PK\3\4..mimetypeapplication/vnd.oasis.opendocument.text\0\1"), NULL,
     EXTRACT_TYPE_UNSUPPORTED, "OpenDocument text"},
    {"zip", BYTES("PK\3\4\x14\0\0\0a.bin\0\1\2"), NULL, EXTRACT_TYPE_UNSUPPORTED, "ZIP"},
    {"empty zip", BYTES("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NULL,
     EXTRACT_TYPE_UNSUPPORTED, "ZIP"},
    {"doc", BYTES("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0"), NULL, EXTRACT_TYPE_UNSUPPORTED,
     "old Office"},
    {"protected docx",
     BYTES("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"),
     NULL, EXTRACT_TYPE_UNSUPPORTED, "password"},
    {"rtf", BYTES("{\\rtf1\\ansi hello}"), NULL, EXTRACT_TYPE_UNSUPPORTED, "RTF"},
    {"PostScript", BYTES("%!PS-Adobe-3.0\nshowpage"), NULL, EXTRACT_TYPE_UNSUPPORTED, "PostScript"},
    {"png", BYTES("\x89PNG\r\n\x1A\n\0\0\0\rIHDR"), NULL, EXTRACT_TYPE_UNSUPPORTED, "PNG"},
    {"jpeg", BYTES("\xFF\xD8\xFF\xE0\0\x10JFIF"), NULL, EXTRACT_TYPE_UNSUPPORTED, "JPEG"},
    {"tiff", BYTES("II*\0\x08\0\0\0"), NULL, EXTRACT_TYPE_UNSUPPORTED, "TIFF"},
    {"heic",
     BYTES("\0\0\0\x18"
           "ftypheic\0\0"),
     NULL, EXTRACT_TYPE_UNSUPPORTED, "HEIC"},
    {"mp4",
     BYTES("\0\0\0\x18"
           "ftypisom\0\0"),
     NULL, EXTRACT_TYPE_UNSUPPORTED, "video"},
    {"gzip", BYTES("\x1F\x8B\x08\0\0\0\0\0"), NULL, EXTRACT_TYPE_UNSUPPORTED, "gzip"},
    {"program",
     BYTES("\x7F"
           "ELF\2\1\1\0\0\0\0"),
     NULL, EXTRACT_TYPE_UNSUPPORTED, "program"},
    {"anything", BYTES("\x00\x01\x02\x03\x04\x05"), NULL, EXTRACT_TYPE_UNSUPPORTED, "neither"},
    {"KOI8-R", BYTES("\xE4\xCF\xC7\xCF\xD7\xCF\xD2"), NULL, EXTRACT_TYPE_UNSUPPORTED, "UTF-8"},
};

START_TEST(files_are_named_by_their_content) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *row = &kinds[i];
        struct document document = {.bytes = row->bytes, .size = row->size};
        struct fault fault = {0};
        const struct format *found = detect_format(&document, &fault);
        ck_assert_msg(found == row->format, "%s: %s", row->name, fault.sentence);
        ck_assert_msg(fault.code == row->code, "%s: code %d", row->name, fault.code);
        ck_assert_msg(strstr(fault.sentence, row->says), "%s: %s", row->name, fault.sentence);
        ck_assert(frame_text_is_valid(fault.sentence, strlen(fault.sentence)));
    }
}
END_TEST

/* ---- pages of plain text */

static struct document open_text(const char *text, size_t size, uint32_t pages_max,
                                 struct fault *fault) {
    struct document document = {.bytes = (const uint8_t *)text,
                                .size = size,
                                .pages_max = pages_max,
                                .charset = charset_guess((const uint8_t *)text, size)};
    *fault = (struct fault){0};
    plain_format.open(&document, fault);
    return document;
}

static void expect_page(struct document *document, uint32_t page, const char *expected) {
    struct text text;
    struct fault fault;
    text_init(&text, 1 << 20);
    ck_assert(plain_format.read_page(document, page, &text, &fault));
    ck_assert_int_eq(text_close(&text), TEXT_OK);
    ck_assert_uint_eq(text.size, strlen(expected));
    if (text.size) ck_assert_mem_eq(text.bytes, expected, text.size);
    text_finish(&text);
}

START_TEST(a_form_feed_ends_a_page) {
    struct fault fault;
    struct document document = open_text("one\ftwo\r\n\f\fthree\f", 17, 10, &fault);
    ck_assert_uint_eq(document.page_count, 4);
    expect_page(&document, 1, "one");
    expect_page(&document, 2, "two\n");
    expect_page(&document, 3, "");
    expect_page(&document, 4, "three");
}
END_TEST

START_TEST(a_long_text_is_cut_at_ends_of_lines_and_nothing_is_lost) {
    enum { LINES = 5000, LINE = 50, SIZE = LINES * LINE };
    static char all[SIZE];
    for (size_t i = 0; i < SIZE; i++) all[i] = (i + 1) % LINE ? (char)('a' + i / LINE % 26) : '\n';
    struct fault fault;
    struct document document = open_text(all, SIZE, 100, &fault);
    ck_assert_uint_gt(document.page_count, 2);
    struct text text;
    text_init(&text, 1 << 20);
    size_t at = 0;
    for (uint32_t page = 1; page <= document.page_count; page++) {
        text_clear(&text);
        ck_assert(plain_format.read_page(&document, page, &text, &fault));
        ck_assert_int_eq(text_close(&text), TEXT_OK);
        ck_assert(page == document.page_count || text.size >= 64 << 10);
        ck_assert_uint_le(text.size, (64 << 10) + LINE);
        ck_assert_int_eq(text.bytes[text.size - 1], '\n');
        ck_assert_mem_eq(text.bytes, all + at, text.size);
        at += text.size;
    }
    ck_assert_uint_eq(at, SIZE);
    text_finish(&text);
}
END_TEST

START_TEST(a_text_without_line_ends_is_cut_too) {
    enum { SIZE = 1 << 20 };
    char *all = malloc(SIZE);
    ck_assert_ptr_nonnull(all);
    for (size_t i = 0; i < SIZE; i += 2) memcpy(all + i, "\xC3\xA9", 2);
    struct fault fault;
    struct document document = open_text(all, SIZE, 100, &fault);
    ck_assert_uint_eq(document.page_count, (SIZE + (96 << 10) - 1) / (96 << 10));
    free(all);
}
END_TEST

START_TEST(too_many_pages_of_text_are_refused_with_the_limit) {
    char all[12];
    memset(all, '\f', sizeof all);
    struct fault fault;
    struct document document = open_text(all, sizeof all, 12, &fault);
    ck_assert_uint_eq(document.page_count, 12);
    open_text(all, sizeof all, 11, &fault);
    ck_assert_int_eq(fault.code, EXTRACT_TOO_MANY_PAGES);
    ck_assert_ptr_nonnull(strstr(fault.sentence, "11 pages"));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        charsets_are_told_apart,
        a_damaged_byte_does_not_make_utf8_something_else,
        characters_are_decoded,
        files_are_named_by_their_content,
        a_form_feed_ends_a_page,
        a_long_text_is_cut_at_ends_of_lines_and_nothing_is_lost,
        a_text_without_line_ends_is_cut_too,
        too_many_pages_of_text_are_refused_with_the_limit,
    };
    return unit_run("extract-detect", tests, sizeof tests / sizeof *tests);
}
