/* SPDX-License-Identifier: MIT
 * test_inflate.c - packed bodies: whole ones, broken ones, and those that grow beyond the limit.
 */
#include "queue/inflate.h"

#include <string.h>
#include <zlib.h>

#include "unit.h"

enum { LETTERS = 100000 }; /* several steps of unpacking */
static char letters[LETTERS], packed[LETTERS];

/* Not of one letter, so that the packed text takes several steps too. */
static size_t pack(size_t size) {
    uint32_t drawn = 1;
    for (size_t i = 0; i < size; i++) {
        drawn = drawn * 1103515245 + 12345;
        letters[i] = (char)('a' + (drawn >> 16) % 16);
    }
    uLongf packed_size = sizeof packed;
    ck_assert_int_eq(compress((Bytef *)packed, &packed_size, (const Bytef *)letters, (uLong)size),
                     Z_OK);
    return packed_size;
}

static bool unpack(size_t packed_size, size_t size_max, size_t size) {
    struct buffer out = {.data = NULL};
    bool done = inflate_text(&out, packed, packed_size, size_max);
    if (done) ck_assert_uint_eq(out.size, size);
    if (done && size) ck_assert_mem_eq(out.data, letters, size);
    ck_assert_uint_le(out.size, size_max + 16384);
    buffer_finish(&out);
    return done;
}

START_TEST(what_was_packed_comes_back_up_to_the_limit) {
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, LETTERS};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t packed_size = pack(sizes[i]);
        ck_assert(unpack(packed_size, LETTERS, sizes[i]));
        ck_assert(unpack(packed_size, sizes[i], sizes[i]));
        if (sizes[i]) ck_assert(!unpack(packed_size, sizes[i] - 1, 0));
    }
}
END_TEST

START_TEST(a_stream_that_is_cut_short_anywhere_is_refused) {
    size_t packed_size = pack(200);
    for (size_t i = 0; i < packed_size; i++) ck_assert(!unpack(i, LETTERS, 0));
    ck_assert(unpack(packed_size, LETTERS, 200));
}
END_TEST

START_TEST(a_byte_that_was_changed_anywhere_is_noticed) {
    size_t packed_size = pack(200);
    for (size_t i = 0; i < packed_size; i++) {
        packed[i] ^= 0x55;
        ck_assert_msg(!unpack(packed_size, LETTERS, 0), "byte %zu", i);
        packed[i] ^= 0x55;
    }
}
END_TEST

START_TEST(a_text_that_is_not_packed_is_refused) {
    struct buffer out = {.data = NULL};
    ck_assert(!inflate_text(&out, "[[1], {}, null]", 15, LETTERS));
    ck_assert(!inflate_text(&out, "", (size_t)INT32_MAX + 1, LETTERS));
    buffer_finish(&out);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        what_was_packed_comes_back_up_to_the_limit,
        a_stream_that_is_cut_short_anywhere_is_refused,
        a_byte_that_was_changed_anywhere_is_noticed,
        a_text_that_is_not_packed_is_refused,
    };
    return unit_run("inflate", tests, sizeof tests / sizeof *tests);
}
