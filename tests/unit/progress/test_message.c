/* SPDX-License-Identifier: MIT
 * test_message.c - the text of progress messages: ours, Python's, and what is neither.
 */
#include "progress/message.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "unit.h"

static struct message *read_text(const char *json) {
    return message_read(json, strlen(json), NULL, true);
}

START_TEST(ours_has_its_members_in_order) {
    struct buffer text = {.data = NULL};
    message_write(&text, 45, "extracting", "page \"5\"\n");
    ck_assert_str_eq(text.data,
                     "{\"progress\":45,\"step\":\"extracting\",\"message\":\"page \\\"5\\\"\\n\"}");
    buffer_clear(&text);
    message_write(&text, 100, "completed", "Done");
    ck_assert_str_eq(
        text.data, "{\"progress\":100,\"step\":\"completed\",\"message\":\"Done\",\"final\":true}");
    buffer_finish(&text);
}
END_TEST

START_TEST(an_id_comes_last) {
    static const struct {
        const char *json, *id;
        bool replayed;
        const char *wanted;
    } rows[] = {{"{\"a\":1}", "5-1", true, "{\"a\":1,\"id\":\"5-1\"}"},
                {"{\"a\":1} \n", "5-1", false, "{\"a\":1,\"id\":\"5-1\",\"replayed\":false}"},
                {"{\"a\":1}", NULL, false, "{\"a\":1,\"replayed\":false}"},
                {"{}", "5-1", true, "{\"id\":\"5-1\"}"},
                {"{}", NULL, false, "{\"replayed\":false}"},
                {" { }", "5-1", true, "{\"id\":\"5-1\"}"},
                {"{\"a\":\n1}", "5-1", true, "{\"a\": 1,\"id\":\"5-1\"}"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer text = {.data = NULL};
        message_add_id(&text, rows[i].json, strlen(rows[i].json), rows[i].id, rows[i].replayed);
        ck_assert_str_eq(text.data, rows[i].wanted);
        buffer_finish(&text);
    }
}
END_TEST

START_TEST(a_message_is_a_row_of_its_shape) {
    struct message *message = read_text("{\"progress\":45,\"step\":\"chunking\",\"message\":\"m\","
                                        "\"id\":\"1795487262421-7\"}");
    ck_assert_ptr_nonnull(message);
    ck_assert(message->has_id && !message->final);
    ck_assert_uint_eq(message->id.ms, 1795487262421u);
    ck_assert_uint_eq(message->id.number, 7);
    shared_record *record = record_from_row(SHARED_PROGRESS, &message->rows, 0);
    ck_assert_int_eq(shared_record_int(record, SHARED_PROGRESS_PROGRESS), 45);
    ck_assert_str_eq(shared_record_text(record, SHARED_PROGRESS_STEP), "chunking");
    ck_assert_str_eq(shared_record_text(record, SHARED_PROGRESS_MESSAGE), "m");
    message_unref(message);
    ck_assert_str_eq(shared_record_text(record, SHARED_PROGRESS_MESSAGE), "m");
    shared_record_unref(record);
}
END_TEST

START_TEST(pythons_messages_pass_as_they_are) {
    static const char text[] =
        "{\"progress\": 45.5, \"step\": \"page 5 of 10\", \"extra\": [1, 2]}";
    struct message *message = read_text(text);
    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(message->json, text);
    ck_assert(!message->has_id && !message->final);
    message_unref(message);
}
END_TEST

START_TEST(final_is_said_or_follows_from_the_step) {
    static const struct {
        const char *json;
        bool final;
    } rows[] = {{"{\"step\":\"completed\"}", true}, {"{\"step\":\"failed\"}", true},
                {"{\"step\":\"storing\"}", false},  {"{\"final\":true}", true},
                {"{\"final\":false}", false},       {"{\"final\":1}", false},
                {"{\"progress\":100}", false},      {"{\"step\":5}", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message *message = read_text(rows[i].json);
        ck_assert_msg(message && message->final == rows[i].final, "%s", rows[i].json);
        message_unref(message);
    }
}
END_TEST

START_TEST(one_message_is_one_line) {
    struct message *message = read_text("{\r\n  \"step\": \"x\\r\\n\"\n}");
    ck_assert_ptr_nonnull(message);
    ck_assert_ptr_null(strpbrk(message->json, "\r\n"));
    ck_assert_str_eq(message->step, "x\r\n");
    message_unref(message);
}
END_TEST

START_TEST(what_is_no_message_is_not_heard) {
    static const char *const rows[] = {"", "hello", "[]", "3", "{", "{\"a\":\"\xff\"}", "null"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) ck_assert_ptr_null(read_text(rows[i]));
    struct buffer large = {.data = NULL};
    buffer_add_text(&large, "{\"message\":\"");
    while (large.size < MESSAGE_SIZE_MAX - 2) buffer_add_char(&large, 'x');
    buffer_add_text(&large, "\"}");
    struct message *message = message_read(large.data, large.size, NULL, true);
    ck_assert_ptr_nonnull(message);
    message_unref(message);
    buffer_add_char(&large, ' ');
    ck_assert_ptr_null(message_read(large.data, large.size, NULL, true));
    buffer_finish(&large);
}
END_TEST

START_TEST(any_number_of_python_is_a_percentage) {
    static const struct {
        const char *json, *percent;
    } cases[] = {{"{\"progress\":45.0}", "45"},
                 {"{\"progress\":66.7}", "66"},
                 {"{\"progress\":1e2}", "100"},
                 {"{\"progress\":-0.5}", "0"},
                 {"{\"progress\":1e300}", "100"},
                 {"{\"progress\":99999999999999999999}", "100"},
                 {"{\"progress\":-99999999999999999999}", "0"},
                 {"{\"progress\":45,\"bytes\":99999999999999999999}", "45"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message *message = read_text(cases[i].json);
        ck_assert_msg(message != NULL, "%s", cases[i].json);
        ck_assert_str_eq(message->percent, cases[i].percent);
        message_unref(message);
    }
}
END_TEST

START_TEST(ids_are_read_and_ordered) {
    static const char *const valid[] = {
        "0-0", "0-1", "1-0", "1-18446744073709551615", "2-0", "18446744073709551615-0"};
    static const char *const invalid[] = {"",
                                          "5",
                                          "-",
                                          "5-",
                                          "-5",
                                          "5-5-5",
                                          "5-x",
                                          " 5-5",
                                          "5-5 ",
                                          "+5-5",
                                          "5.5-5",
                                          "5-18446744073709551616",
                                          "0000000000000000000000000000000000000000000000-0"};
    struct stream_id before, id;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        ck_assert_msg(stream_id_read(valid[i], &id), "%s", valid[i]);
        if (i) ck_assert_int_lt(stream_id_compare(before, id), 0);
        if (i) ck_assert_int_gt(stream_id_compare(id, before), 0);
        ck_assert_int_eq(stream_id_compare(id, id), 0);
        before = id;
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        ck_assert_msg(!stream_id_read(invalid[i], &id), "%s", invalid[i]);
    ck_assert(!stream_id_read(NULL, &id));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        ours_has_its_members_in_order,          an_id_comes_last,
        a_message_is_a_row_of_its_shape,        pythons_messages_pass_as_they_are,
        final_is_said_or_follows_from_the_step, one_message_is_one_line,
        what_is_no_message_is_not_heard,        ids_are_read_and_ordered,
        any_number_of_python_is_a_percentage,
    };
    return unit_run("message", tests, sizeof tests / sizeof *tests);
}
