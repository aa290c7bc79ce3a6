/* SPDX-License-Identifier: MIT
 * test_parameters.c - values of a statement: places, nulls, and PostgreSQL's binary arrays byte by byte.
 */
#include <string.h>

#include "model/statement.h"
#include "unit.h"

static void assert_bytes(const struct parameters *parameters, int32_t index, const char *bytes,
                         size_t size) {
    ck_assert_int_eq(parameters->size[index], (int)size);
    ck_assert_mem_eq(parameters_value(parameters, index), bytes, size);
}

START_TEST(places_may_be_set_in_any_order_and_holes_are_null) {
    struct parameters parameters = {0};
    ck_assert(parameters_set_text(&parameters, 2, "third", 5));
    ck_assert(parameters_set_int(&parameters, 0, INT64_MIN));
    ck_assert(parameters_set_text(&parameters, 3, NULL, 0));
    ck_assert(parameters_set_text(&parameters, 4, "", 0));
    ck_assert_int_eq(parameters.count, 5);
    ck_assert_str_eq(parameters_value(&parameters, 0), "-9223372036854775808");
    ck_assert_ptr_null(parameters_value(&parameters, 1));
    ck_assert_str_eq(parameters_value(&parameters, 2), "third");
    ck_assert_ptr_null(parameters_value(&parameters, 3));
    ck_assert_str_eq(parameters_value(&parameters, 4), "");
    ck_assert_ptr_null(parameters_value(&parameters, 5));
    ck_assert_ptr_null(parameters_value(&parameters, -1));
    for (int32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(parameters.binary[i], 0);
        ck_assert_uint_eq(parameters.type[i], OID_UNKNOWN);
    }
    parameters_finish(&parameters);
}
END_TEST

START_TEST(a_place_can_be_set_again_also_to_null) {
    struct parameters parameters = {0};
    static const int64_t numbers[] = {1};
    ck_assert(parameters_set_int_array(&parameters, 0, numbers, NULL, 1));
    ck_assert(parameters_set_text(&parameters, 0, "a longer text", 13));
    ck_assert_str_eq(parameters_value(&parameters, 0), "a longer text");
    ck_assert_int_eq(parameters.binary[0], 0);
    ck_assert(parameters_set_text(&parameters, 0, NULL, 0));
    ck_assert_ptr_null(parameters_value(&parameters, 0));
    parameters_clear(&parameters);
    ck_assert_int_eq(parameters.count, 0);
    parameters_finish(&parameters);
}
END_TEST

START_TEST(the_number_of_places_is_bounded) {
    struct parameters parameters = {0};
    ck_assert(parameters_set_text(&parameters, PARAMETERS_MAX - 1, "x", 1));
    ck_assert(!parameters_set_text(&parameters, PARAMETERS_MAX, "x", 1));
    ck_assert(!parameters_set_text(&parameters, -1, "x", 1));
    ck_assert(!parameters_set_text_array(&parameters, PARAMETERS_MAX, NULL, NULL, 0));
    ck_assert(!parameters_set_int_array(&parameters, PARAMETERS_MAX, NULL, NULL, 0));
    ck_assert_int_eq(parameters.count, PARAMETERS_MAX);
    parameters_finish(&parameters);
}
END_TEST

START_TEST(a_text_array_is_postgresql_s_binary_form) {
    struct parameters parameters = {0};
    static const char *const texts[] = {"a\\\"{", NULL, ""};
    static const char bytes[] = "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
                                "\0\0\0\4a\\\"{\xff\xff\xff\xff\0\0\0\0";
    ck_assert(parameters_set_text_array(&parameters, 0, texts, NULL, 3));
    assert_bytes(&parameters, 0, bytes, sizeof bytes - 1);
    ck_assert_uint_eq(parameters.type[0], OID_TEXT_ARRAY);
    ck_assert_int_eq(parameters.binary[0], 1);
    static const size_t sizes[] = {1, 0, 0};
    ck_assert(parameters_set_text_array(&parameters, 0, texts, sizes, 1));
    assert_bytes(&parameters, 0, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1a", 25);
    parameters_finish(&parameters);
}
END_TEST

START_TEST(a_number_array_is_postgresql_s_binary_form) {
    struct parameters parameters = {0};
    static const int64_t numbers[] = {-2, 7, 0x0102030405060708};
    static const bool nulls[] = {false, true, false};
    static const char bytes[] = "\0\0\0\1\0\0\0\1\0\0\0\x14\0\0\0\3\0\0\0\1"
                                "\0\0\0\x8\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff"
                                "\0\0\0\x8\1\2\3\4\5\6\7\x8";
    ck_assert(parameters_set_int_array(&parameters, 0, numbers, nulls, 3));
    assert_bytes(&parameters, 0, bytes, sizeof bytes - 1);
    ck_assert_uint_eq(parameters.type[0], OID_INT8_ARRAY);
    parameters_finish(&parameters);
}
END_TEST

START_TEST(an_empty_array_has_no_dimension) {
    struct parameters parameters = {0};
    ck_assert(parameters_set_text_array(&parameters, 0, NULL, NULL, 0));
    assert_bytes(&parameters, 0, "\0\0\0\0\0\0\0\0\0\0\0\x19", 12);
    ck_assert(parameters_set_int_array(&parameters, 1, NULL, NULL, 0));
    assert_bytes(&parameters, 1, "\0\0\0\0\0\0\0\0\0\0\0\x14", 12);
    parameters_finish(&parameters);
}
END_TEST

START_TEST(a_copy_is_independent) {
    struct parameters source = {0}, target = {0};
    ck_assert(parameters_copy(&target, &source));
    ck_assert_int_eq(target.count, 0);
    ck_assert(parameters_set_text(&target, 5, "old", 3));
    ck_assert(parameters_set_text(&source, 0, "one", 3));
    ck_assert(parameters_set_text(&source, 1, NULL, 0));
    ck_assert(parameters_copy(&target, &source));
    parameters_finish(&source);
    ck_assert_int_eq(target.count, 2);
    ck_assert_str_eq(parameters_value(&target, 0), "one");
    ck_assert_ptr_null(parameters_value(&target, 1));
    parameters_finish(&target);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        places_may_be_set_in_any_order_and_holes_are_null,
        a_place_can_be_set_again_also_to_null,
        the_number_of_places_is_bounded,
        a_text_array_is_postgresql_s_binary_form,
        a_number_array_is_postgresql_s_binary_form,
        an_empty_array_has_no_dimension,
        a_copy_is_independent,
    };
    return unit_run("parameters", tests, sizeof tests / sizeof *tests);
}
