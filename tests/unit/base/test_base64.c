/* SPDX-License-Identifier: MIT
 * test_base64.c - RFC 4648's own examples, every byte there and back, and what is refused.
 */
#include <string.h>

#include "base/text.h"
#include "unit.h"

START_TEST(examples_of_the_rfc_go_both_ways) {
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer text = {0}, bytes = {0};
        text_to_base64(&text, rows[i][0], strlen(rows[i][0]));
        ck_assert_uint_eq(text.size, strlen(rows[i][1]));
        if (text.size) ck_assert_str_eq(text.data, rows[i][1]);
        ck_assert(text_from_base64(&bytes, rows[i][1], strlen(rows[i][1])));
        ck_assert_uint_eq(bytes.size, strlen(rows[i][0]));
        if (bytes.size) ck_assert_mem_eq(bytes.data, rows[i][0], bytes.size);
        buffer_finish(&text);
        buffer_finish(&bytes);
    }
}
END_TEST

START_TEST(every_byte_survives_at_every_length) {
    unsigned char data[258];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 7 + 3);
    for (size_t size = 0; size <= sizeof data; size++) {
        struct buffer text = {0}, bytes = {0};
        text_to_base64(&text, data, size);
        ck_assert(text_from_base64(&bytes, text.data ? text.data : "", text.size));
        ck_assert_uint_eq(bytes.size, size);
        if (size) ck_assert_mem_eq(bytes.data, data, size);
        buffer_finish(&text);
        buffer_finish(&bytes);
    }
}
END_TEST

START_TEST(what_is_not_base64_adds_nothing) {
    static const char *const rows[] = {
        "Z",     "Zg",   "Zg=",  "====", "=g==",     "Z===",  "Zg=v",       "Zm9 ",
        "Zm9\n", "Zm-_", "Zh==", "Zm9=", "Zg==Zg==", "Zm9vZ", "\xc3\xa4zz",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer bytes = {0};
        buffer_add_text(&bytes, "kept");
        ck_assert_msg(!text_from_base64(&bytes, rows[i], strlen(rows[i])), "\"%s\"", rows[i]);
        ck_assert_str_eq(bytes.data, "kept");
        buffer_finish(&bytes);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        examples_of_the_rfc_go_both_ways,
        every_byte_survives_at_every_length,
        what_is_not_base64_adds_nothing,
    };
    return unit_run("base64", tests, sizeof tests / sizeof *tests);
}
