/* SPDX-License-Identifier: MIT
 * test_frame.c - what the worker takes from a child that may be evil: each way to speak wrong is a
 * row that names the words of its refusal; right conversations pass however their bytes are cut.
 */
#include "frame.h"

#include <string.h>

#include "unit.h"

enum { PIECES_MAX = 7, STREAM_BYTES_MAX = 4096, ALMOST_4_GIB = -16 };

/* One frame, right or wrong. */
struct piece {
    uint32_t type, page, words[3];
    int word_count;
    const char *text;
    size_t text_size;
    int64_t size_error; /* added to the announced size */
    uint32_t reserved;
};

#define HELLO_OF(version, boxed)                                                                   \
    { .type = FRAME_HELLO, .words = {version, boxed, 7}, .word_count = 3 }
#define HELLO HELLO_OF(EXTRACT_VERSION, 1)
#define INFO_OF(kind, count)                                                                       \
    { .type = FRAME_INFO, .words = {kind, count}, .word_count = 2 }
#define INFO(count) INFO_OF(FRAME_KIND_PDF, count)
#define TEXT_OF(frame_type, number, word, string)                                                  \
    {                                                                                              \
        .type = frame_type, .page = number, .words = {word}, .word_count = 1, .text = string,      \
        .text_size = sizeof(string) - 1                                                            \
    }
#define PAGE(number, string)         TEXT_OF(FRAME_PAGE, number, FRAME_SOURCE_TEXT, string)
#define FAILED(number, code, string) TEXT_OF(FRAME_PAGE_FAILED, number, code, string)
#define ERROR(code, string)          TEXT_OF(FRAME_ERROR, 0, code, string)
#define END(read, failed)                                                                          \
    { .type = FRAME_END, .words = {read, failed}, .word_count = 2 }
#define DAMAGED EXTRACT_FILE_DAMAGED

static const struct frame_start limits = {
    .first_page = 1,
    .pages_max = 9,
    .page_text_bytes_max = 100,
    .page_cpu_ms = 1000,
    .text_bytes_max = 150,
    .document_bytes = 5,
};

struct stream {
    uint8_t bytes[STREAM_BYTES_MAX];
    size_t size;
};

static void put(struct stream *stream, uint64_t value, int count) {
    for (int i = 0; i < count; i++) stream->bytes[stream->size++] = (uint8_t)(value >> (8 * i));
}

static void put_piece(struct stream *stream, const struct piece *piece) {
    size_t size = piece->text_size + 4 * (size_t)piece->word_count;
    put(stream, (uint64_t)((int64_t)size + piece->size_error), 4);
    put(stream, piece->type, 2);
    put(stream, piece->reserved, 2);
    put(stream, piece->page, 4);
    for (int i = 0; i < piece->word_count; i++) put(stream, piece->words[i], 4);
    if (piece->text) memcpy(stream->bytes + stream->size, piece->text, piece->text_size);
    stream->size += piece->text_size;
}

static struct stream make(const struct piece *pieces) {
    struct stream stream = {.size = 0};
    for (int i = 0; i < PIECES_MAX && (pieces[i].type || pieces[i].word_count); i++)
        put_piece(&stream, &pieces[i]);
    return stream;
}

/* Feeds by steps of a size; returns the count of frames; the last one is in *last. */
static int feed(struct frame_reader *reader, const struct stream *stream, size_t step,
                struct frame *last) {
    int frames = 0;
    for (size_t at = 0; at < stream->size;) {
        size_t size = stream->size - at < step ? stream->size - at : step, used;
        struct frame frame;
        enum frame_result result =
            frame_reader_feed(reader, stream->bytes + at, size, &used, &frame);
        if (result == FRAME_BROKEN) return frames;
        ck_assert_uint_gt(used, 0);
        at += used;
        if (result != FRAME_READY) continue;
        frames++;
        *last = frame;
    }
    return frames;
}

/* ---- wrong */

#define LONG_40 "0123456789012345678901234567890123456789"
static const struct wrong {
    const char *name, *says;
    int good_frames; /* that are taken before */
    struct piece pieces[PIECES_MAX];
} wrongs[] = {
    /* order */
    {"INFO first", "INFO after none", 0, {INFO(1)}},
    {"PAGE first", "PAGE after none", 0, {PAGE(1, "x")}},
    {"PAGE_FAILED first", "PAGE_FAILED after none", 0, {FAILED(1, DAMAGED, "x")}},
    {"END first", "END after none", 0, {END(0, 0)}},
    {"HELLO twice", "HELLO after HELLO", 1, {HELLO, HELLO}},
    {"PAGE before INFO", "PAGE after HELLO", 1, {HELLO, PAGE(1, "x")}},
    {"PAGE_FAILED before INFO", "PAGE_FAILED after HELLO", 1, {HELLO, FAILED(1, DAMAGED, "x")}},
    {"END before INFO", "END after HELLO", 1, {HELLO, END(0, 0)}},
    {"INFO twice", "INFO after INFO", 2, {HELLO, INFO(1), INFO(1)}},
    {"INFO between pages", "INFO after PAGE", 3, {HELLO, INFO(2), PAGE(1, "x"), INFO(2)}},
    {"HELLO between pages", "HELLO after PAGE", 3, {HELLO, INFO(2), PAGE(1, "x"), HELLO}},
    {"INFO after a failed page",
     "INFO after PAGE_FAILED",
     3,
     {HELLO, INFO(2), FAILED(1, DAMAGED, "x"), INFO(2)}},
    {"PAGE after END",
     "PAGE after END",
     4,
     {HELLO, INFO(1), PAGE(1, "x"), END(1, 0), PAGE(2, "x")}},
    {"END twice", "END after END", 4, {HELLO, INFO(1), PAGE(1, "x"), END(1, 0), END(1, 0)}},
    {"ERROR after END",
     "ERROR after END",
     4,
     {HELLO, INFO(1), PAGE(1, "x"), END(1, 0), ERROR(DAMAGED, "x")}},
    {"HELLO after ERROR", "HELLO after ERROR", 2, {HELLO, ERROR(DAMAGED, "x"), HELLO}},
    {"ERROR twice", "ERROR after ERROR", 1, {ERROR(DAMAGED, "x"), ERROR(DAMAGED, "x")}},
    {"START from a child", "START after none", 0, {{.type = FRAME_START, .word_count = 3}}},
    {"START after HELLO", "START after HELLO", 1, {HELLO, {.type = FRAME_START, .word_count = 2}}},
    /* types and headers */
    {"type 0", "frame of type 0", 0, {{.type = 0, .word_count = 3}}},
    {"type 8", "frame of type 8", 0, {{.type = 8, .word_count = 3}}},
    {"type 65535", "frame of type 65535", 0, {{.type = 65535, .word_count = 3}}},
    {"reserved 1",
     "HELLO with reserved 1",
     0,
     {{.type = FRAME_HELLO, .words = {1, 1, 7}, .word_count = 3, .reserved = 1}}},
    {"PAGE with reserved",
     "PAGE with reserved 256",
     2,
     {HELLO, INFO(1), {.type = FRAME_PAGE, .page = 1, .word_count = 1, .reserved = 256}}},
    {"HELLO of a page",
     "HELLO with page 1",
     0,
     {{.type = FRAME_HELLO, .page = 1, .words = {1, 1, 7}, .word_count = 3}}},
    {"INFO of a page",
     "INFO with page 1",
     1,
     {HELLO, {.type = FRAME_INFO, .page = 1, .word_count = 2}}},
    {"END of a page",
     "END with page 1",
     3,
     {HELLO, INFO(1), PAGE(1, "x"), {.type = FRAME_END, .page = 1, .word_count = 2}}},
    {"ERROR of a page",
     "ERROR with page 3",
     1,
     {HELLO,
      {.type = FRAME_ERROR,
       .page = 3,
       .words = {2},
       .word_count = 1,
       .text = "x",
       .text_size = 1}}},
    /* sizes */
    {"HELLO of 0 bytes", "HELLO of 0 bytes", 0, {{.type = FRAME_HELLO}}},
    {"HELLO of 8 bytes", "HELLO of 8 bytes", 0, {{.type = FRAME_HELLO, .word_count = 2}}},
    {"HELLO of 13 bytes",
     "HELLO of 13 bytes",
     0,
     {{.type = FRAME_HELLO, .word_count = 3, .text = "x", .text_size = 1}}},
    {"INFO of 4 bytes", "INFO of 4 bytes", 1, {HELLO, {.type = FRAME_INFO, .word_count = 1}}},
    {"INFO of 12 bytes", "INFO of 12 bytes", 1, {HELLO, {.type = FRAME_INFO, .word_count = 3}}},
    {"END of 4 bytes",
     "END of 4 bytes",
     3,
     {HELLO, INFO(1), PAGE(1, "x"), {.type = FRAME_END, .word_count = 1}}},
    {"END of 12 bytes",
     "END of 12 bytes",
     3,
     {HELLO, INFO(1), PAGE(1, "x"), {.type = FRAME_END, .word_count = 3}}},
    {"PAGE of 0 bytes", "PAGE of 0 bytes", 2, {HELLO, INFO(1), {.type = FRAME_PAGE, .page = 1}}},
    {"PAGE of 3 bytes",
     "PAGE of 3 bytes",
     2,
     {HELLO, INFO(1), {.type = FRAME_PAGE, .page = 1, .text = "abc", .text_size = 3}}},
    {"PAGE over its limit",
     "PAGE of 124 bytes, 4 to 104",
     2,
     {HELLO, INFO(1), PAGE(1, LONG_40 LONG_40 LONG_40)}},
    {"PAGE of 2^31",
     "PAGE of 2147483648 bytes",
     2,
     {HELLO,
      INFO(1),
      {.type = FRAME_PAGE, .page = 1, .word_count = 1, .size_error = ((int64_t)1 << 31) - 4}}},
    {"PAGE of 2^32 - 1",
     "PAGE of 4294967295 bytes",
     2,
     {HELLO, INFO(1), {.type = FRAME_PAGE, .page = 1, .word_count = 1, .size_error = -5}}},
    {"PAGE of almost 2^32",
     "PAGE of 4294967284 bytes",
     2,
     {HELLO,
      INFO(1),
      {.type = FRAME_PAGE, .page = 1, .word_count = 1, .size_error = ALMOST_4_GIB}}},
    {"HELLO of 2^32 - 1",
     "HELLO of 4294967295 bytes",
     0,
     {{.type = FRAME_HELLO, .size_error = -1}}},
    {"PAGE_FAILED without a sentence",
     "PAGE_FAILED of 4 bytes",
     2,
     {HELLO, INFO(1), FAILED(1, DAMAGED, "")}},
    {"PAGE_FAILED of 2 bytes",
     "PAGE_FAILED of 2 bytes",
     2,
     {HELLO, INFO(1), {.type = FRAME_PAGE_FAILED, .page = 1, .text = "ab", .text_size = 2}}},
    {"ERROR without a sentence", "ERROR of 4 bytes", 1, {HELLO, ERROR(DAMAGED, "")}},
    {"ERROR with a long sentence",
     "ERROR of 444 bytes, 5 to 404",
     1,
     {HELLO, ERROR(DAMAGED, LONG_40 LONG_40 LONG_40 LONG_40 LONG_40 LONG_40 LONG_40 LONG_40 LONG_40
                                LONG_40 LONG_40)}},
    /* HELLO and INFO */
    {"version 0", "HELLO of version 0", 0, {HELLO_OF(0, 1)}},
    {"version 2", "HELLO of version 2", 0, {HELLO_OF(2, 1)}},
    {"sandboxed 2", "HELLO with sandboxed 2", 0, {HELLO_OF(1, 2)}},
    {"kind 0", "INFO with kind 0", 1, {HELLO, INFO_OF(0, 1)}},
    {"kind 3", "INFO with kind 3", 1, {HELLO, INFO_OF(FRAME_KIND_END, 1)}},
    {"no pages", "INFO with 0 pages, 1 to 9", 1, {HELLO, INFO(0)}},
    {"too many pages", "INFO with 10 pages, 1 to 9", 1, {HELLO, INFO(10)}},
    {"2^32 - 1 pages", "INFO with 4294967295 pages", 1, {HELLO, INFO(UINT32_MAX)}},
    /* numbers of pages */
    {"page 0", "page 0 where page 1 is next", 2, {HELLO, INFO(5), PAGE(0, "x")}},
    {"page 2 first", "page 2 where page 1 is next", 2, {HELLO, INFO(5), PAGE(2, "x")}},
    {"a gap", "page 3 where page 2 is next", 3, {HELLO, INFO(5), PAGE(1, "x"), PAGE(3, "x")}},
    {"a page twice",
     "page 1 where page 2 is next",
     3,
     {HELLO, INFO(5), PAGE(1, "x"), PAGE(1, "y")}},
    {"a failed page twice",
     "page 1 where page 2 is next",
     3,
     {HELLO, INFO(5), FAILED(1, DAMAGED, "x"), FAILED(1, DAMAGED, "x")}},
    {"a page after its failure",
     "page 1 where page 2 is next",
     3,
     {HELLO, INFO(5), FAILED(1, DAMAGED, "x"), PAGE(1, "x")}},
    {"going back",
     "page 1 where page 3 is next",
     4,
     {HELLO, INFO(5), PAGE(1, "x"), PAGE(2, "x"), PAGE(1, "x")}},
    {"page 2 of 1", "page 2 of 1", 3, {HELLO, INFO(1), PAGE(1, "x"), PAGE(2, "x")}},
    {"failed page 2 of 1",
     "page 2 of 1",
     3,
     {HELLO, INFO(1), PAGE(1, "x"), FAILED(2, DAMAGED, "x")}},
    {"page 2^32 - 1", "page 4294967295 where", 2, {HELLO, INFO(5), PAGE(UINT32_MAX, "x")}},
    {"END too early", "END before page 2 of 3", 3, {HELLO, INFO(3), PAGE(1, "x"), END(1, 0)}},
    {"END at once", "END before page 1 of 1", 2, {HELLO, INFO(1), END(0, 0)}},
    {"END with other counts",
     "END says 2 pages read and 0 failed, 1 and 1 came",
     4,
     {HELLO, INFO(2), PAGE(1, "x"), FAILED(2, DAMAGED, "x"), END(2, 0)}},
    {"END with a failure more",
     "END says 1 pages read and 1 failed, 1 and 0 came",
     3,
     {HELLO, INFO(1), PAGE(1, "x"), END(1, 1)}},
    /* texts */
    {"source 0", "page 1 with source 0", 2, {HELLO, INFO(1), TEXT_OF(FRAME_PAGE, 1, 0, "x")}},
    {"source 2", "page 1 with source 2", 2, {HELLO, INFO(1), TEXT_OF(FRAME_PAGE, 1, 2, "x")}},
    {"NUL", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "a\0b")}},
    {"NUL alone", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\0")}},
    {"control", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "a\x1b[2J")}},
    {"carriage return", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "a\r\n")}},
    {"form feed", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "a\f")}},
    {"DEL", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\x7f")}},
    {"C1 control", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\xC2\x85")}},
    {"continuation alone", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\x80")}},
    {"cut off character", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "abc\xE2\x82")}},
    {"too long a form", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\xC0\xAF")}},
    {"too long a form of 3",
     "page 1 is not valid text",
     2,
     {HELLO, INFO(1), PAGE(1, "\xE0\x80\xAF")}},
    {"too long a form of 4",
     "page 1 is not valid text",
     2,
     {HELLO, INFO(1), PAGE(1, "\xF0\x80\x80\xAF")}},
    {"surrogate", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\xED\xA0\x80")}},
    {"above U+10FFFF",
     "page 1 is not valid text",
     2,
     {HELLO, INFO(1), PAGE(1, "\xF4\x90\x80\x80")}},
    {"five bytes",
     "page 1 is not valid text",
     2,
     {HELLO, INFO(1), PAGE(1, "\xF8\x88\x80\x80\x80")}},
    {"0xFF", "page 1 is not valid text", 2, {HELLO, INFO(1), PAGE(1, "\xFF")}},
    {"second page bad",
     "page 2 is not valid text",
     3,
     {HELLO, INFO(2), PAGE(1, "fine"), PAGE(2, "\xFE")}},
    {"more text than allowed",
     "more than 150 bytes of text",
     3,
     {HELLO, INFO(2), PAGE(1, LONG_40 LONG_40), PAGE(2, LONG_40 LONG_40)}},
    /* failures */
    {"failed page without a code",
     "PAGE_FAILED with code 0",
     2,
     {HELLO, INFO(1), FAILED(1, 0, "x")}},
    {"failed page of code 12",
     "PAGE_FAILED with code 12",
     2,
     {HELLO, INFO(1), FAILED(1, EXTRACT_CODE_COUNT, "x")}},
    {"ERROR without a code", "ERROR with code 0", 1, {HELLO, ERROR(0, "x")}},
    {"ERROR of code 2^32 - 1", "ERROR with code 4294967295", 0, {ERROR(UINT32_MAX, "x")}},
    {"ERROR with NUL", "ERROR whose sentence", 1, {HELLO, ERROR(DAMAGED, "a\0b")}},
    {"ERROR in another encoding", "ERROR whose sentence", 1, {HELLO, ERROR(DAMAGED, "gr\xFC\xDF")}},
    {"failed page with an escape",
     "PAGE_FAILED whose sentence",
     2,
     {HELLO, INFO(1), FAILED(1, DAMAGED, "\x1b]0;x\x07")}},
};

START_TEST(each_wrong_conversation_is_refused_by_name) {
    static const size_t steps[] = {1, 2, 3, 5, 7, 11, 12, 13, 64, STREAM_BYTES_MAX};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *wrong = &wrongs[i];
        struct stream stream = make(wrong->pieces);
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            struct frame_reader reader;
            struct frame frame;
            frame_reader_init(&reader, &limits);
            int frames = feed(&reader, &stream, steps[k], &frame);
            ck_assert_msg(strstr(reader.violation, wrong->says), "%s by %zu: \"%s\"", wrong->name,
                          steps[k], reader.violation);
            ck_assert_msg(frames == wrong->good_frames, "%s: %d frames", wrong->name, frames);
            ck_assert(!frame_reader_is_done(&reader));
            size_t used;
            ck_assert_int_eq(frame_reader_feed(&reader, stream.bytes, 1, &used, &frame),
                             FRAME_BROKEN);
            ck_assert_uint_eq(used, 0);
            frame_reader_finish(&reader);
        }
    }
}
END_TEST

START_TEST(there_are_enough_wrong_conversations) {
    ck_assert_uint_ge(sizeof wrongs / sizeof *wrongs, 60);
}
END_TEST

/* ---- right */

static const struct right {
    const char *name;
    uint32_t first_page;
    int frames;
    struct piece pieces[PIECES_MAX];
} rights[] = {
    {"pages",
     1,
     5,
     {HELLO, INFO(2), PAGE(1, "one\n\ttab"), PAGE(2, "zw\xC3\xB6lf \xF0\x9F\x98\x80"), END(2, 0)}},
    {"a page without text", 1, 4, {HELLO, INFO(1), PAGE(1, ""), END(1, 0)}},
    {"a failed page between",
     1,
     6,
     {HELLO, INFO(3), PAGE(1, "x"), FAILED(2, EXTRACT_PAGE_TIMEOUT, "slow"), PAGE(3, "x"),
      END(2, 1)}},
    {"from page 3", 3, 5, {HELLO, INFO(4), PAGE(3, "x"), PAGE(4, "x"), END(2, 0)}},
    {"from behind the last", 5, 3, {HELLO, INFO(4), END(0, 0)}},
    {"refused at once", 1, 1, {ERROR(EXTRACT_INTERNAL, "The sandbox is unavailable.")}},
    {"refused when opened", 1, 2, {HELLO, ERROR(EXTRACT_PASSWORD_REQUIRED, "Password.")}},
    {"given up in the middle",
     1,
     4,
     {HELLO, INFO(3), PAGE(1, "x"), ERROR(EXTRACT_TOO_LARGE, "Too much text.")}},
    {"not sandboxed, and says so", 1, 4, {HELLO_OF(1, 0), INFO(1), PAGE(1, "x"), END(1, 0)}},
    {"exactly its limits",
     1,
     5,
     {HELLO, INFO(2), PAGE(1, LONG_40 LONG_40 "01234567890123456789"),
      PAGE(2, LONG_40 "0123456789"), END(2, 0)}},
};

START_TEST(right_conversations_pass_however_cut_and_no_part_of_one_is_done) {
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        const struct right *right = &rights[i];
        struct stream stream = make(right->pieces);
        struct frame_start start = limits;
        start.first_page = right->first_page;
        for (size_t cut = 0; cut <= stream.size; cut++) {
            for (size_t step = 1; step < 40; step += 13) {
                struct frame_reader reader;
                struct frame frame;
                struct stream part = stream;
                part.size = cut;
                frame_reader_init(&reader, &start);
                int frames = feed(&reader, &part, step, &frame);
                ck_assert_msg(!reader.violation[0], "%s: %s", right->name, reader.violation);
                ck_assert_msg(frame_reader_is_done(&reader) == (cut == stream.size), "%s at %zu",
                              right->name, cut);
                ck_assert(frames <= right->frames &&
                          (cut < stream.size || frames == right->frames));
                frame_reader_finish(&reader);
            }
        }
    }
}
END_TEST

START_TEST(bytes_behind_the_end_are_not_done) {
    struct stream stream = make(rights[0].pieces);
    stream.bytes[stream.size++] = 0;
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader, &limits);
    feed(&reader, &stream, 7, &frame);
    ck_assert(!frame_reader_is_done(&reader));
    frame_reader_finish(&reader);
}
END_TEST

START_TEST(a_frame_brings_its_fields) {
    struct frame_reader reader;
    struct frame frame;
    struct stream stream = make((const struct piece[PIECES_MAX]){HELLO});
    frame_reader_init(&reader, &limits);
    feed(&reader, &stream, 64, &frame);
    ck_assert(frame.type == FRAME_HELLO && frame.version == 1 && frame.sandboxed == 1 &&
              frame.landlock_abi == 7);
    stream = make((const struct piece[PIECES_MAX]){INFO_OF(FRAME_KIND_TEXT, 9)});
    feed(&reader, &stream, 64, &frame);
    ck_assert(frame.type == FRAME_INFO && frame.kind == FRAME_KIND_TEXT && frame.page_count == 9);
    stream = make((const struct piece[PIECES_MAX]){PAGE(1, "text")});
    feed(&reader, &stream, 64, &frame);
    ck_assert(frame.type == FRAME_PAGE && frame.page == 1 && frame.source == FRAME_SOURCE_TEXT);
    ck_assert_uint_eq(frame.text_size, 4);
    ck_assert_mem_eq(frame.text, "text", 4);
    stream = make((const struct piece[PIECES_MAX]){FAILED(2, EXTRACT_TOO_LARGE, "why")});
    feed(&reader, &stream, 64, &frame);
    ck_assert(frame.type == FRAME_PAGE_FAILED && frame.page == 2 &&
              frame.code == EXTRACT_TOO_LARGE);
    ck_assert_mem_eq(frame.text, "why", 3);
    frame_reader_finish(&reader);
}
END_TEST

START_TEST(an_announced_size_costs_no_memory) {
    struct frame_start start = limits;
    start.page_text_bytes_max = EXTRACT_PAGE_TEXT_BYTES_MAX;
    start.text_bytes_max = UINT64_MAX;
    struct frame_reader reader;
    struct frame frame;
    struct stream stream =
        make((const struct piece[PIECES_MAX]){HELLO,
                                              INFO(1),
                                              {.type = FRAME_PAGE,
                                               .page = 1,
                                               .words = {1},
                                               .word_count = 1,
                                               .size_error = EXTRACT_PAGE_TEXT_BYTES_MAX}});
    frame_reader_init(&reader, &start);
    feed(&reader, &stream, 64, &frame);
    ck_assert_str_eq(reader.violation, "");
    ck_assert_uint_le(reader.payload_capacity, 4096);
    frame_reader_finish(&reader);
}
END_TEST

START_TEST(a_large_page_is_let_go) {
    enum { SIZE = 1 << 20 };
    struct frame_start start = limits;
    start.page_text_bytes_max = 2 * SIZE;
    start.text_bytes_max = 2 * SIZE;
    struct frame_reader reader;
    struct frame frame;
    struct stream stream = make((const struct piece[PIECES_MAX]){HELLO, INFO(2)});
    frame_reader_init(&reader, &start);
    feed(&reader, &stream, 64, &frame);
    uint8_t head[FRAME_SMALL_BYTES_MAX], fill[4096];
    memset(fill, 'x', sizeof fill);
    size_t used, size = frame_encode_text_head(head, FRAME_PAGE, 1, FRAME_SOURCE_TEXT, SIZE);
    for (size_t at = 0; at < size; at += used)
        ck_assert_int_eq(frame_reader_feed(&reader, head + at, size - at, &used, &frame),
                         FRAME_MORE);
    for (size_t sent = 0; sent < SIZE; sent += used)
        frame_reader_feed(&reader, fill, sizeof fill, &used, &frame);
    ck_assert_uint_eq(frame.text_size, SIZE);
    stream = make((const struct piece[PIECES_MAX]){PAGE(2, "small")});
    feed(&reader, &stream, 64, &frame);
    ck_assert_str_eq(reader.violation, "");
    ck_assert_uint_le(reader.payload_capacity, 4096);
    frame_reader_finish(&reader);
}
END_TEST

/* ---- the encoders */

START_TEST(encoders_write_what_the_reader_reads) {
    struct frame_reader reader;
    struct frame frame;
    struct stream stream = {.size = 0};
    stream.size += frame_encode_hello(stream.bytes, true, 6);
    stream.size += frame_encode_info(stream.bytes + stream.size, FRAME_KIND_PDF, 2);
    stream.size += frame_encode_text_head(stream.bytes + stream.size, FRAME_PAGE, 1, 1, 2);
    memcpy(stream.bytes + stream.size, "hi", 2);
    stream.size += 2;
    stream.size += frame_encode_text_head(stream.bytes + stream.size, FRAME_PAGE_FAILED, 2, 2, 3);
    memcpy(stream.bytes + stream.size, "why", 3);
    stream.size += 3;
    stream.size += frame_encode_end(stream.bytes + stream.size, 1, 1);
    frame_reader_init(&reader, &limits);
    ck_assert_int_eq(feed(&reader, &stream, 9, &frame), 5);
    ck_assert(frame_reader_is_done(&reader));
    frame_reader_finish(&reader);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_wrong_conversation_is_refused_by_name,
        there_are_enough_wrong_conversations,
        right_conversations_pass_however_cut_and_no_part_of_one_is_done,
        bytes_behind_the_end_are_not_done,
        a_frame_brings_its_fields,
        an_announced_size_costs_no_memory,
        a_large_page_is_let_go,
        encoders_write_what_the_reader_reads,
    };
    return unit_run("extract-frame", tests, sizeof tests / sizeof *tests);
}
