/* SPDX-License-Identifier: MIT
 * test_sse.c - whatever a message holds, it is one event.
 */
#include <string.h>

#include "sse.h"
#include "unit.h"

static const struct {
    const char *id, *json, *document_id, *text;
} events[] = {
    {"1-0", "{\"a\":1}", NULL, "id: 1-0\ndata: {\"a\":1}\n\n"},
    {"", "{}", NULL, "data: {}\n\n"},
    {NULL, "{}", "d1", "data: {\"document_id\":\"d1\"}\n\n"},
    {NULL, "{ \"a\":1}", "d\"1", "data: {\"document_id\":\"d\\\"1\",\"a\":1}\n\n"},
    {"1\nid: 2", "{\r\n\"a\": 1\n}", NULL, "id: 1 id: 2\ndata: {  \"a\": 1 }\n\n"},
    {NULL, "{\"a\":\"\xe2\x80\xa8\"}", NULL, "data: {\"a\":\"\xe2\x80\xa8\"}\n\n"},
    {NULL, "[1]", "d1", "data: [1]\n\n"},
};

START_TEST(events_are_written) {
    struct text text = {0};
    sse_event(&text, events[_i].id, events[_i].json, events[_i].document_id);
    ck_assert_str_eq(text.data, events[_i].text);
    text_finish(&text);
}
END_TEST

START_TEST(marks_come_back) {
    struct sse_marks marks = {0};
    struct sse_marks again;
    char text[SSE_MARKS_TEXT_SIZE];
    sse_marks_set(&marks, 0);
    sse_marks_set(&marks, 9);
    sse_marks_set(&marks, 199);
    sse_marks_write(&marks, 200, text);
    ck_assert_uint_eq(strlen(text), 51);
    sse_marks_read(&again, text);
    ck_assert_mem_eq(&marks, &again, sizeof marks);
    ck_assert(sse_marks_has(&again, 9) && !sse_marks_has(&again, 8));
    sse_marks_write(&marks, 1, text);
    ck_assert_str_eq(text, "f1");
}
END_TEST

static const char *const foreign[] = {NULL,
                                      "",
                                      "f",
                                      "f1g",
                                      "1795487262421-0",
                                      "x1",
                                      "f000000000000000000000000000000000000000000000000001"};

START_TEST(what_is_no_mark_marks_nothing) {
    struct sse_marks none = {0};
    struct sse_marks marks;
    sse_marks_read(&marks, foreign[_i]);
    ck_assert_mem_eq(&marks, &none, sizeof marks);
}
END_TEST

START_TEST(answers_have_a_length_or_no_body) {
    struct text text = {0};
    sse_answer(&text, 404, "application/json", "", "{}", 2);
    ck_assert_ptr_nonnull(strstr(text.data, "HTTP/1.1 404 Not Found\r\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "Content-Length: 2\r\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "\r\n\r\n{}"));
    text_clear(&text);
    sse_answer(&text, 204, "application/json", "", "{}", 2);
    ck_assert_ptr_null(strstr(text.data, "Content-Length"));
    ck_assert_str_eq(text.data + text.size - 4, "\r\n\r\n");
    text_finish(&text);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("sse");
    tcase_add_loop_test(tests, events_are_written, 0, (int)(sizeof events / sizeof *events));
    tcase_add_test(tests, marks_come_back);
    tcase_add_loop_test(tests, what_is_no_mark_marks_nothing, 0,
                        (int)(sizeof foreign / sizeof *foreign));
    tcase_add_test(tests, answers_have_a_length_or_no_body);
    return unit_run_case("sse", tests);
}
