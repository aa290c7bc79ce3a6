/* SPDX-License-Identifier: MIT
 * frame.c - fuzz target: any bytes from a child of lex-intel-extract, and any control message. The
 * first byte says what right frames stand before the rest, the second one how the stream is cut;
 * whole and cut it must read the same, and what passes must keep every promise of frame.h.
 */
#include "frame.h"

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16, PREFIXES = 4 };

static const struct frame_start limits = {
    .first_page = 2,
    .pages_max = 20,
    .page_text_bytes_max = 300,
    .page_cpu_ms = 1000,
    .text_bytes_max = 1000,
};

/* What was read of one stream. */
struct reading {
    uint64_t digest;
    uint32_t next_page, pages_read, pages_failed;
    uint64_t text_bytes;
    bool done;
    char violation[sizeof((struct frame_reader *)0)->violation];
};

static void digest(struct reading *reading, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) reading->digest = (reading->digest ^ at[i]) * 0x100000001B3u;
}

static void check_frame(struct reading *reading, const struct frame *frame) {
    const uint32_t numbers[] = {(uint32_t)frame->type, frame->page,       frame->kind,
                                frame->page_count,     frame->pages_read, (uint32_t)frame->code};
    digest(reading, numbers, sizeof numbers);
    if (frame->text) digest(reading, frame->text, frame->text_size);
    require(!frame->text || frame_text_is_valid(frame->text, frame->text_size));
    require(frame->page_count <= limits.pages_max);
    if (frame->type != FRAME_PAGE && frame->type != FRAME_PAGE_FAILED) return;
    require(frame->page == reading->next_page++);
    if (frame->type == FRAME_PAGE) {
        reading->pages_read++;
        reading->text_bytes += frame->text_size;
        require(frame->text_size <= limits.page_text_bytes_max);
        require(reading->text_bytes <= limits.text_bytes_max);
    } else {
        reading->pages_failed++;
        require(*extract_code_word(frame->code) && frame->text_size > 0);
    }
}

static struct reading read_stream(const uint8_t *bytes, size_t size, size_t step) {
    struct reading reading = {.next_page = limits.first_page};
    struct frame_reader reader;
    frame_reader_init(&reader, &limits);
    for (size_t at = 0; at < size;) {
        size_t part = size - at < step ? size - at : step, used;
        struct frame frame = {.page = 0};
        enum frame_result result = frame_reader_feed(&reader, bytes + at, part, &used, &frame);
        if (result == FRAME_BROKEN) break;
        require(used > 0 && used <= part);
        at += used;
        if (result == FRAME_READY) check_frame(&reading, &frame);
        require(reader.payload_capacity <= (size_t)2 * INPUT_MAX);
    }
    reading.done = frame_reader_is_done(&reader);
    require(!reading.done || !reader.violation[0]);
    memcpy(reading.violation, reader.violation, sizeof reading.violation);
    frame_reader_finish(&reader);
    return reading;
}

static size_t put_prefix(uint8_t *out, int kind) {
    size_t size = 0;
    if (kind > 0) size += frame_encode_hello(out, true, 7);
    if (kind > 1) size += frame_encode_info(out + size, FRAME_KIND_PDF, kind == 2 ? 2 : 20);
    return size;
}

static void check_control(const uint8_t *data, size_t size) {
    struct extract_control control;
    if (extract_control_decode(data, size, &control)) return;
    uint8_t again[EXTRACT_CONTROL_BYTES];
    extract_control_encode(again, &control);
    require(memcmp(again, data, sizeof again) == 0);
}

static void check_start(const uint8_t *data, size_t size) {
    struct frame_start start;
    uint8_t again[FRAME_SMALL_BYTES_MAX];
    if (size < FRAME_START_BYTES || frame_decode_start(data, &start)) return;
    require(frame_encode_start(again, &start) == FRAME_START_BYTES);
    require(memcmp(again, data, FRAME_START_BYTES) == 0);
    require(start.first_page && start.pages_max && start.pages_max <= EXTRACT_PAGES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t stream[INPUT_MAX + FRAME_SMALL_BYTES_MAX * 2];
    check_control(data, size);
    check_start(data, size);
    if (size < 2 || size > INPUT_MAX) return 0;
    size_t stream_size = put_prefix(stream, data[0] % PREFIXES);
    memcpy(stream + stream_size, data + 2, size - 2);
    stream_size += size - 2;
    struct reading whole = read_stream(stream, stream_size, stream_size);
    struct reading cut = read_stream(stream, stream_size, (size_t)data[1] + 1);
    require(whole.digest == cut.digest && whole.done == cut.done);
    require(whole.pages_read == cut.pages_read && whole.pages_failed == cut.pages_failed);
    require(strcmp(whole.violation, cut.violation) == 0);
    return 0;
}
