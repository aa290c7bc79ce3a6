/* SPDX-License-Identifier: MIT
 * test_json.c - records from JSON: what is taken, what each wrong text is told, all or none.
 */
#include <errno.h>
#include <jansson.h>
#include <shared/record.h>
#include <string.h>

#include "base/text.h"
#include "model/json.h"
#include "unit.h"

static shared_status read_case(const char *json, shared_record **out) {
    return shared_record_from_json(SHARED_CASE, json, strlen(json), out);
}

START_TEST(an_object_becomes_a_record) {
    shared_record *record;
    ck_assert_int_eq(
        read_case(" {\"title\": \"Dupont c\\u002f\\ud83d\\ude00\", \"description\": null}",
                  &record),
        SHARED_OK);
    ck_assert_str_eq(shared_record_text(record, SHARED_CASE_TITLE), "Dupont c/\xf0\x9f\x98\x80");
    ck_assert_int_eq(shared_record_is_null(record, SHARED_CASE_DESCRIPTION), 1);
    ck_assert_int_eq(shared_record_is_null(record, SHARED_CASE_ID), 1);
    shared_record_unref(record);
}
END_TEST

START_TEST(whole_numbers_keep_all_their_64_bits) {
    static const char json[] =
        "{\"id\":\"d\",\"file_name\":\"f\",\"byte_size\":9223372036854775807}";
    shared_record *record;
    ck_assert_int_eq(shared_record_from_json(SHARED_DOCUMENT, json, sizeof json - 1, &record), 0);
    ck_assert_int_eq(shared_record_int(record, SHARED_DOCUMENT_BYTE_SIZE), INT64_MAX);
    shared_record_unref(record);
}
END_TEST

START_TEST(only_the_given_size_is_read) {
    shared_record *record;
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, "{\"title\":\"t\"}garbage", 13, &record),
                     SHARED_OK);
    shared_record_unref(record);
}
END_TEST

/* Written down from pydantic 2.14 in strict mode, with FastAPI's "body"; ctx of a time and of JSON that is
 * none is ours. Each row is a whole entry, in pydantic's order of the keys. */
#define STATUS "'pending', 'processing', 'completed' or 'failed'"
#define ENTRY(type, loc, msg, rest)                                                                \
    "[{\"type\":\"" type "\",\"loc\":[\"body\"" loc "],\"msg\":\"" msg "\",\"input\":" rest "}]"
static const struct {
    int32_t model;
    const char *json;
    const char *failures;
} failing[] = {
    {SHARED_CASE, "{}", ENTRY("missing", ",\"title\"", "Field required", "{}")},
    {SHARED_CASE, "{\"id\": \"c\"}",
     ENTRY("missing", ",\"title\"", "Field required", "{\"id\":\"c\"}")},
    {SHARED_CASE, "{\"title\":\"\"}",
     ENTRY("string_too_short", ",\"title\"", "String should have at least 1 character",
           "\"\",\"ctx\":{\"min_length\":1}")},
    {SHARED_DOCUMENT, "{\"file_name\":\"f\",\"sha256\":\"x\"}",
     ENTRY("string_too_short", ",\"sha256\"", "String should have at least 64 characters",
           "\"x\",\"ctx\":{\"min_length\":64}")},
    {SHARED_DOCUMENT,
     "{\"file_name\":\"f\",\"error_code\":\""
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
     ENTRY("string_too_long", ",\"error_code\"", "String should have at most 64 characters",
           "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\","
           "\"ctx\":{\"max_length\":64}")},
    {SHARED_CASE, "{\"title\":1}",
     ENTRY("string_type", ",\"title\"", "Input should be a valid string", "1")},
    {SHARED_CASE, "{\"title\":null}",
     ENTRY("string_type", ",\"title\"", "Input should be a valid string", "null")},
    {SHARED_CASE, "{\"title\":[1,{\"a\":true}]}",
     ENTRY("string_type", ",\"title\"", "Input should be a valid string", "[1,{\"a\":true}]")},
    {SHARED_CASE, "{\"title\":\"a\\u0000b\"}",
     ENTRY("string_nul", ",\"title\"", "String should not contain NUL", "\"a?b\"")},
    {SHARED_CASE, "{\"title\":\"t\",\"tilte\":[1]}",
     ENTRY("extra_forbidden", ",\"tilte\"", "Extra inputs are not permitted", "[1]")},
    {SHARED_CASE, "{\"title\":\"t\",\"created_at\":\"yesterday\"}",
     ENTRY("datetime_parsing", ",\"created_at\"",
           "Input should be a valid datetime, as RFC 3339 has them, of the years 1 to 9999",
           "\"yesterday\",\"ctx\":{\"error\":\"as RFC 3339 has them, of the years 1 to "
           "9999\"}")},
    {SHARED_CASE, "{\"title\":\"t\",\"created_at\":5}",
     ENTRY("datetime_type", ",\"created_at\"", "Input should be a valid datetime", "5")},
    {SHARED_PROGRESS, "{\"progress\":\"5\",\"step\":\"s\",\"message\":\"\"}",
     ENTRY("int_type", ",\"progress\"", "Input should be a valid integer", "\"5\"")},
    {SHARED_PROGRESS, "{\"progress\":5.5,\"step\":\"s\",\"message\":\"\"}",
     ENTRY("int_type", ",\"progress\"", "Input should be a valid integer", "5.5")},
    {SHARED_PROGRESS, "{\"progress\":true,\"step\":\"s\",\"message\":\"\"}",
     ENTRY("int_type", ",\"progress\"", "Input should be a valid integer", "true")},
    {SHARED_PROGRESS, "{\"progress\":101,\"step\":\"s\",\"message\":\"\"}",
     ENTRY("less_than_equal", ",\"progress\"", "Input should be less than or equal to 100",
           "101,\"ctx\":{\"le\":100}")},
    {SHARED_PROGRESS, "{\"progress\":-1,\"step\":\"s\",\"message\":\"\"}",
     ENTRY("greater_than_equal", ",\"progress\"", "Input should be greater than or equal to 0",
           "-1,\"ctx\":{\"ge\":0}")},
    {SHARED_DOCUMENT, "{\"file_name\":\"f\",\"extraction_status\":\"done\"}",
     ENTRY("enum", ",\"extraction_status\"", "Input should be " STATUS,
           "\"done\",\"ctx\":{\"expected\":\"" STATUS "\"}")},
    {SHARED_DOCUMENT, "{\"file_name\":\"f\",\"extraction_status\":5}",
     ENTRY("enum", ",\"extraction_status\"", "Input should be " STATUS,
           "5,\"ctx\":{\"expected\":\"" STATUS "\"}")},
    {SHARED_EXTRACTION_JOB, "{\"document_id\":\"\"}",
     ENTRY("string_too_short", ",\"document_id\"", "String should have at least 1 character",
           "\"\",\"ctx\":{\"min_length\":1}")},
    {SHARED_ERROR_BODY, "{\"detail\":{}}",
     ENTRY("string_type", ",\"detail\"", "Input should be a valid string", "{}")},
    {SHARED_CASE, "[1]",
     ENTRY("model_attributes_type", "",
           "Input should be a valid dictionary or object to extract fields from", "[1]")},
    {SHARED_CASE, "\"text\"",
     ENTRY("model_attributes_type", "",
           "Input should be a valid dictionary or object to extract fields from", "\"text\"")},
    {SHARED_CASE, "{\"title\":\"t\"",
     ENTRY("json_invalid", ",12", "JSON decode error",
           "{},\"ctx\":{\"error\":\"'}' expected near end of file\"}")},
};

START_TEST(each_wrong_text_is_told_as_pydantic_does) {
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        shared_record *record;
        ck_assert_msg(shared_record_from_json(failing[i].model, failing[i].json,
                                              strlen(failing[i].json), &record) == SHARED_ESCHEMA,
                      "%s", failing[i].json);
        ck_assert_ptr_null(record);
        ck_assert_str_eq(shared_record_failures(), failing[i].failures);
        ck_assert_int_eq(shared_failure_count(), 1);
    }
}
END_TEST

/* Rule, path, value and limit of each, without a parser of JSON. */
START_TEST(each_failure_is_told_in_parts) {
    static const char json[] = "{\"progress\":101,\"step\":\"\",\"more\":{\"a\":1}}";
    static const char *const parts[][5] = {
        {"progress", "less_than_equal", "101", "100", "Input should be less than or equal to 100"},
        {"step", "string_too_short", "", "1", "String should have at least 1 character"},
        {"message", "missing", "{\"progress\":101,\"step\":\"\",\"more\":{\"a\":1}}", "",
         "Field required"},
        {"more", "extra_forbidden", "{\"a\":1}", "", "Extra inputs are not permitted"},
        {"", "", "", "", ""},
    };
    shared_record *record;
    ck_assert_int_eq(shared_record_from_json(SHARED_PROGRESS, json, sizeof json - 1, &record),
                     SHARED_ESCHEMA);
    ck_assert_int_eq(shared_failure_count(), 4);
    for (int32_t i = 0; i < 5; i++) {
        ck_assert_str_eq(shared_failure_path(i), parts[i][0]);
        ck_assert_str_eq(shared_failure_rule(i), parts[i][1]);
        ck_assert_str_eq(shared_failure_value(i), parts[i][2]);
        ck_assert_str_eq(shared_failure_limit(i), parts[i][3]);
        ck_assert_str_eq(shared_failure_message(i), parts[i][4]);
    }
    ck_assert_str_eq(shared_failure_path(-1), "");
}
END_TEST

/* Each field of a model can be wrong at once, whatever else stands there. */
START_TEST(no_failing_field_is_left_out_for_names_that_are_none) {
    struct buffer json = {0};
    buffer_add_char(&json, '{');
    for (int i = 0; i < 500; i++) buffer_format(&json, "\"name_%d\":\"%0100d\",", i, i);
    const struct model *model = model_find(SHARED_DOCUMENT);
    for (int32_t i = 0; i < model->count; i++)
        buffer_format(&json, "%s\"%s\":[\"%0200d\"]", i ? "," : "", model->fields[i].name, i);
    buffer_add_char(&json, '}');
    shared_record *record;
    ck_assert_int_eq(shared_record_from_json(SHARED_DOCUMENT, json.data, json.size, &record),
                     SHARED_ESCHEMA);
    for (int32_t i = 0; i < model->count; i++)
        ck_assert_str_eq(shared_failure_path(i), model->fields[i].name);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "516 failures, of which"));
    const char *failures = shared_record_failures();
    ck_assert(json_is(failures, strlen(failures), '['));
    ck_assert_ptr_nonnull(strstr(failures, "\"updated_at\""));
    buffer_finish(&json);
}
END_TEST

START_TEST(json_is_bounded_in_names_depth_and_size) {
    static const char twice[] = "{\"title\":\"a\",\"title\":\"b\"}";
    enum { DEPTH = 100000 };
    char *deep = malloc(DEPTH);
    shared_record *record;
    ck_assert_ptr_nonnull(deep);
    ck_assert_int_eq(read_case(twice, &record), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "case: JSON decode error at byte 20: duplicate object key near '\"title\"'");
    memset(deep, '[', DEPTH);
    memcpy(deep, "{\"title\":", 9);
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, deep, DEPTH, &record), SHARED_ESCHEMA);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_error_last()), "maximum parsing depth"));
    memset(deep + 9, '[', 1000);
    memset(deep + 1009, ']', 1000);
    deep[2009] = '}';
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, deep, 2010, &record), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_failure_rule(0), "string_type");
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, "{}", (size_t)1 << 31, &record),
                     SHARED_ESCHEMA);
    ck_assert_str_eq(
        shared_error_message(shared_error_last()),
        "case: JSON decode error at byte 1073741824: 2147483648 bytes, at most 1073741824");
    free(deep);
}
END_TEST

START_TEST(what_is_no_json_is_told_as_such) {
    static const char *const rows[] = {
        "",
        "{",
        "{\"title\":\"t\"}x",
        "{'title':'t'}",
        "nul",
        "{\"title\":\"\xff\"}",
        "{\"title\":\"\\ud800\"}",
        "{\"title\":99999999999999999999}",
        "{\"title\":\"a\\nb\\\xde\xa3\\\"}", /* the message quotes half a character */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shared_record *record;
        ck_assert_msg(read_case(rows[i], &record) == SHARED_ESCHEMA, "%s", rows[i]);
        ck_assert_ptr_null(record);
        ck_assert_msg(strstr(shared_record_failures(), "\"type\":\"json_invalid\"") != NULL, "%s",
                      rows[i]);
        const char *failures = shared_record_failures();
        ck_assert(json_is(failures, strlen(failures), '['));
        ck_assert(text_starts(shared_error_message(shared_error_last()),
                              "case: JSON decode error at byte "));
    }
}
END_TEST

START_TEST(all_failures_are_told_at_once) {
    shared_record *record;
    ck_assert_int_eq(read_case("{\"id\":\"\",\"description\":7,\"more\":1}", &record),
                     SHARED_ESCHEMA);
    ck_assert_str_eq(
        shared_error_message(shared_error_last()),
        "case: id: String should have at least 1 character, not 0; title: Field required; "
        "description: Input should be a valid string; more: Extra inputs are not permitted");
}
END_TEST

START_TEST(many_wrong_names_are_bounded) {
    struct buffer json = {0};
    buffer_add_char(&json, '{');
    for (int i = 0; i < 5000; i++) buffer_format(&json, "\"name_%d\":1,", i);
    buffer_add_text(&json, "\"title\":\"t\"}");
    shared_record *record;
    ck_assert_int_eq(read_case(json.data, &record), SHARED_ESCHEMA);
    const char *failures = shared_record_failures();
    ck_assert_uint_lt(strlen(failures), 16384);
    ck_assert(json_is(failures, strlen(failures), '['));
    buffer_finish(&json);
}
END_TEST

START_TEST(lengths_count_characters_up_to_the_limit) {
    struct buffer json = {0};
    for (int length = 255; length <= 256; length++) {
        buffer_clear(&json);
        buffer_add_text(&json, "{\"title\":\"");
        for (int i = 0; i < length; i++) buffer_add_text(&json, "\xf0\x9f\x98\x80");
        buffer_add_text(&json, "\"}");
        shared_record *record;
        ck_assert_int_eq(read_case(json.data, &record), length > 255 ? SHARED_ESCHEMA : SHARED_OK);
        shared_record_unref(record);
    }
    ck_assert_str_eq(shared_error_message(shared_error_last()),
                     "case: title: String should have at most 255 characters, not 256");
    buffer_finish(&json);
}
END_TEST

START_TEST(merge_sets_what_is_named_and_nothing_else) {
    shared_record *record;
    ck_assert_int_eq(read_case("{\"title\":\"t\",\"description\":\"d\"}", &record), SHARED_OK);
    record_send(record);
    static const char json[] = "{\"description\":null}";
    ck_assert_int_eq(shared_record_merge_json(record, json, sizeof json - 1), SHARED_OK);
    ck_assert_str_eq(shared_record_text(record, SHARED_CASE_TITLE), "t");
    ck_assert_int_eq(shared_record_is_null(record, SHARED_CASE_DESCRIPTION), 1);
    ck_assert(record_is_changed(record, 2));
    ck_assert(!record_is_changed(record, 1));
    ck_assert_int_eq(shared_record_merge_json(record, "{}", 2), SHARED_OK);
    shared_record_unref(record);
}
END_TEST

START_TEST(a_merge_that_fails_sets_nothing) {
    shared_record *record;
    ck_assert_int_eq(read_case("{\"title\":\"t\",\"description\":\"d\"}", &record), SHARED_OK);
    record_send(record);
    static const char json[] = "{\"description\":\"new\",\"title\":\"\"}";
    ck_assert_int_eq(shared_record_merge_json(record, json, sizeof json - 1), SHARED_ESCHEMA);
    ck_assert_str_eq(shared_record_text(record, SHARED_CASE_DESCRIPTION), "d");
    ck_assert(!record_is_changed(record, 2));
    ck_assert_int_eq(shared_record_merge_json(NULL, json, 2), SHARED_EINVALID);
    shared_record_unref(record);
}
END_TEST

START_TEST(wrong_calls_are_answered) {
    shared_record *record;
    ck_assert_int_eq(shared_record_from_json(99, "{}", 2, &record), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, "{}", 2, NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_record_from_json(SHARED_CASE, NULL, 5, &record), SHARED_ESCHEMA);
    ck_assert_ptr_null(record);
}
END_TEST

START_TEST(depth_is_bounded) {
    enum { DEPTH = 100000 };
    char *json = malloc(DEPTH);
    ck_assert_ptr_nonnull(json);
    memset(json, '[', DEPTH);
    ck_assert(!json_is(json, DEPTH, 0));
    free(json);
}
END_TEST

START_TEST(looks_into_foreign_json) {
    static const char json[] = "{\"step\":\"s\",\"n\":-9223372036854775808,\"final\":true,\"no\":"
                               "false,\"nul\":\"a\\u0000\"}";
    const size_t size = sizeof json - 1;
    int64_t number = 7;
    char *text = json_member_text(json, size, "step");
    ck_assert_str_eq(text, "s");
    free(text);
    ck_assert_ptr_null(json_member_text(json, size, "n"));
    ck_assert_ptr_null(json_member_text(json, size, "nul"));
    ck_assert_ptr_null(json_member_text(json, size, "absent"));
    ck_assert_ptr_null(json_member_text("[1]", 3, "step"));
    ck_assert_ptr_null(json_member_text("{", 1, "step"));
    ck_assert(json_member_int(json, size, "n", &number));
    ck_assert_int_eq(number, INT64_MIN);
    ck_assert(!json_member_int(json, size, "step", &number));
    static const struct {
        const char *json;
        int64_t number;
    } reals[] = {{"{\"n\":1.5}", 1},
                 {"{\"n\":-1e2}", -100},
                 {"{\"n\":1e300}", INT64_MAX},
                 {"{\"n\":-99999999999999999999}", INT64_MIN},
                 {"{\"n\":7,\"other\":99999999999999999999}", 7}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        ck_assert(json_member_int(reals[i].json, strlen(reals[i].json), "n", &number));
        ck_assert_int_eq(number, reals[i].number);
    }
    ck_assert(json_member_bool(json, size, "final"));
    ck_assert(!json_member_bool(json, size, "no"));
    ck_assert(!json_member_bool(json, size, "step"));
    ck_assert(!json_member_bool("nonsense", 8, "final"));
}
END_TEST

START_TEST(kinds_of_json) {
    ck_assert(json_is("[1]", 3, '['));
    ck_assert(!json_is("[1]", 3, '{'));
    ck_assert(!json_is("[1\0]", 4, '['));
    ck_assert(json_is("{}", 2, '{'));
    ck_assert(json_is("1", 1, 0));
    ck_assert(json_is("null", 4, 0));
    ck_assert(!json_is("", 0, 0));
    ck_assert(!json_is("[1", 2, '['));
    ck_assert(!json_is("[1] 2", 5, '['));
}
END_TEST

/* --- memory for jansson, all but one piece of it --------------------------------------------------------- */

static long pieces_left; /* until one is not there; below zero: all are */

static void *scarce_piece(size_t size) {
    if (pieces_left-- != 0) return malloc(size);
    errno = ENOMEM;
    return NULL;
}

/* jansson itself leaves out what it has no room for. */
START_TEST(no_text_is_cut_for_want_of_memory) {
    static const char json[] = "{\"title\":\"a text for which jansson has to make room twice\"}";
    shared_record *record = NULL;
    shared_status status = SHARED_ENOMEM;
    json_set_alloc_funcs(scarce_piece, free);
    long runs = 0;
    for (; status != SHARED_OK; runs++) {
        pieces_left = runs;
        status = read_case(json, &record);
        ck_assert(status == SHARED_OK || status == SHARED_ENOMEM);
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(runs, 5);
    ck_assert_str_eq(shared_record_text(record, SHARED_CASE_TITLE),
                     "a text for which jansson has to make room twice");
    shared_record_unref(record);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        an_object_becomes_a_record,
        no_text_is_cut_for_want_of_memory,
        whole_numbers_keep_all_their_64_bits,
        only_the_given_size_is_read,
        each_wrong_text_is_told_as_pydantic_does,
        each_failure_is_told_in_parts,
        no_failing_field_is_left_out_for_names_that_are_none,
        json_is_bounded_in_names_depth_and_size,
        what_is_no_json_is_told_as_such,
        all_failures_are_told_at_once,
        many_wrong_names_are_bounded,
        lengths_count_characters_up_to_the_limit,
        merge_sets_what_is_named_and_nothing_else,
        a_merge_that_fails_sets_nothing,
        wrong_calls_are_answered,
        depth_is_bounded,
        looks_into_foreign_json,
        kinds_of_json,
    };
    return unit_run("json", tests, sizeof tests / sizeof *tests);
}
