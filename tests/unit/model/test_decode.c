/* SPDX-License-Identifier: MIT
 * test_decode.c - texts of bytea and arrays, also such as no server writes: read as far as they go.
 */
#include <stdint.h>
#include <string.h>

#include "model/decode.h"
#include "unit.h"

static void check_bytes(const char *text, const char *expected, size_t size) {
    struct decoded *decoded = decode_bytes(text, strlen(text));
    ck_assert_ptr_nonnull(decoded);
    ck_assert_uint_eq(decoded->bytes.size, size);
    ck_assert_int_eq(memcmp(decoded->bytes.data, expected, size + 1), 0); /* and the NUL */
    decoded_free(decoded);
}

START_TEST(both_forms_of_bytes_are_read) {
    check_bytes("\\x", "", 0);
    check_bytes("\\x00ffAb", "\0\xff\xab", 3);
    check_bytes("\\x0", "", 0);
    check_bytes("\\x41zz42", "A", 1);
    check_bytes("", "", 0);
    check_bytes("a\\\\b\\000\\377", "a\\b\0\xff", 5);
    check_bytes("\\", "\\", 1);
    check_bytes("\\40", "40", 2);
    check_bytes("\\400", "400", 3);
}
END_TEST

/* Entries set apart by "|", NULL as "~". */
static void check_array(const char *text, const char *expected) {
    char shown[200] = "";
    struct decoded *decoded = decode_array(text, strlen(text));
    ck_assert_ptr_nonnull(decoded);
    for (int32_t i = 0; i < decoded_count(decoded); i++) {
        const struct entry *entry = decoded_entry(decoded, i);
        const char *value = decoded->bytes.data + entry->offset;
        ck_assert_uint_eq(strlen(value), entry->size);
        strncat(shown, entry->null ? "~" : value, sizeof shown - strlen(shown) - 2);
        strncat(shown, "|", 2);
    }
    ck_assert_str_eq(shown, expected);
    ck_assert_ptr_null(decoded_entry(decoded, decoded_count(decoded)));
    ck_assert_ptr_null(decoded_entry(decoded, -1));
    decoded_free(decoded);
}

START_TEST(arrays_are_read_entry_by_entry) {
    check_array("{}", "");
    check_array("{a}", "a|");
    check_array("{a,\"\",NULL,\"NULL\",null,nullx}", "a||~|NULL|~|nullx|");
    check_array("{\"a\\\"b\",\"\\\\\",\"{,}\"}", "a\"b|\\|{,}|");
    check_array("{{1,2},{3,NULL}}", "1|2|3|~|");
    check_array("[0:1][2:2]={{x},{y}}", "x|y|");
}
END_TEST

START_TEST(broken_arrays_are_read_as_far_as_they_go) {
    check_array("", "");
    check_array("abc", "");
    check_array("{", "");
    check_array("{a", "a|");
    check_array("{\"a", "a|");
    check_array("{\"a\\", "a\\|");
    check_array("{a}b", "a|b|");
}
END_TEST

static uint64_t state = 1;
static uint32_t draw(uint32_t below) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1Du) >> 32) % below;
}

START_TEST(random_texts_end_within_their_size) {
    static const char letters[] = "{}\",\\NULLx07=[:]";
    for (int i = 0; i < 200000; i++) {
        size_t size = draw(12);
        char *text = malloc(size + 1); /* its end is watched by ASan */
        ck_assert_ptr_nonnull(text);
        for (size_t j = 0; j < size; j++) text[j] = letters[draw(sizeof letters - 1)];
        text[size] = '\0';
        struct decoded *array = decode_array(text, size), *bytes = decode_bytes(text, size);
        ck_assert_int_le(decoded_count(array), (int)size);
        ck_assert_uint_le(bytes->bytes.size, size);
        decoded_free(array);
        decoded_free(bytes);
        free(text);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        both_forms_of_bytes_are_read,
        arrays_are_read_entry_by_entry,
        broken_arrays_are_read_as_far_as_they_go,
        random_texts_end_within_their_size,
    };
    return unit_run("decode", tests, sizeof tests / sizeof *tests);
}
