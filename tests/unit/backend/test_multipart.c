/* SPDX-License-Identifier: MIT
 * test_multipart.c - forms whole, cut at every byte, and wrong in every way the parser knows.
 */
#include <stdio.h>
#include <string.h>

#include "multipart.h"
#include "text.h"
#include "unit.h"

/* Writes down what it is told: "name|file_name|type:data;" a part. */
struct recorder {
    struct multipart_owner owner;
    struct text text;
    int32_t stop_at; /* -1: never; 0: at the first part; 1: at its data; 2: at its end */
};

static bool record_part(struct multipart_owner *owner, const struct multipart_part *part) {
    struct recorder *recorder = (struct recorder *)owner;
    text_add(&recorder->text, part->name, part->name_size);
    text_add(&recorder->text, "|", 1);
    if (part->file_name)
        text_add(&recorder->text, part->file_name, part->file_name_size);
    else
        text_add(&recorder->text, "-", 1);
    text_add(&recorder->text, "|", 1);
    text_add(&recorder->text, part->content_type ? part->content_type : "",
             part->content_type_size);
    text_add(&recorder->text, ":", 1);
    return recorder->stop_at != 0;
}

static bool record_data(struct multipart_owner *owner, const char *bytes, size_t size) {
    struct recorder *recorder = (struct recorder *)owner;
    text_add(&recorder->text, bytes, size);
    return recorder->stop_at != 1;
}

static bool record_end(struct multipart_owner *owner) {
    struct recorder *recorder = (struct recorder *)owner;
    text_add(&recorder->text, ";", 1);
    return recorder->stop_at != 2;
}

static const struct multipart_owner methods = {record_part, record_data, record_end};

static bool run(const char *body, size_t size, size_t cut, struct recorder *recorder,
                struct multipart *multipart) {
    text_clear(&recorder->text);
    ck_assert(multipart_start(multipart, "multipart/form-data; boundary=b", &recorder->owner));
    return multipart_feed(multipart, body, cut) &&
           multipart_feed(multipart, body + cut, size - cut);
}

static const struct {
    const char *body, *recorded;
} good[] = {
    {"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: "
     "application/pdf\r\n\r\nhello\r\n--b--\r\n",
     "file|a.pdf|application/pdf:hello;"},
    {"--b\r\nContent-Disposition: form-data; "
     "name=id\r\n\r\nd1\r\n--b\r\ncontent-disposition:form-data; "
     "name=file; filename=x\r\n\r\n\r\n--b--",
     "id|-|:d1;file|x|:;"},
    {"preamble\r\n--b  \r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n--b--epilogue",
     "f|-|:x;"},
    {"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n--b--", "f|-|:;"},
    {"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\r\n\r\n-\r\n--\r\n--a\r\n--b--",
     "f|-|:\r\r\n\r\n-\r\n--\r\n--a;"},
    {"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\n\r\n--b--", "f|-|:\r\n;"},
    {"--b\r\nContent-Disposition: form-data; name=f; filename=\"a\\\"b\"; "
     "filename*=UTF-8''%E2%82%AC\r\n\r\n\r\n"
     "--b--",
     "f|\xe2\x82\xac|:;"},
    {"--b--", ""},
};

START_TEST(forms_are_read_however_cut) {
    struct recorder recorder = {.owner = methods, .stop_at = -1};
    size_t size = strlen(good[_i].body);
    for (size_t cut = 0; cut <= size; cut++) {
        struct multipart multipart;
        ck_assert(run(good[_i].body, size, cut, &recorder, &multipart));
        ck_assert(multipart_is_complete(&multipart));
        ck_assert_str_eq(recorder.text.data ? recorder.text.data : "", good[_i].recorded);
        multipart_finish(&multipart);
    }
    text_finish(&recorder.text);
}
END_TEST

START_TEST(forms_are_read_byte_by_byte) {
    struct recorder recorder = {.owner = methods, .stop_at = -1};
    struct multipart multipart;
    ck_assert(multipart_start(&multipart, "multipart/form-data; boundary=b", &recorder.owner));
    for (const char *c = good[_i].body; *c; c++) ck_assert(multipart_feed(&multipart, c, 1));
    ck_assert(multipart_is_complete(&multipart));
    ck_assert_str_eq(recorder.text.data ? recorder.text.data : "", good[_i].recorded);
    multipart_finish(&multipart);
    text_finish(&recorder.text);
}
END_TEST

START_TEST(truncated_forms_are_not_complete) {
    struct recorder recorder = {.owner = methods, .stop_at = -1};
    const char *body = good[0].body;
    size_t end = strlen(body) - 2; /* behind "--b--" */
    for (size_t size = 0; size < end; size++) {
        struct multipart multipart;
        ck_assert(run(body, size, size / 2, &recorder, &multipart));
        ck_assert(!multipart_is_complete(&multipart));
        multipart_finish(&multipart);
    }
    text_finish(&recorder.text);
}
END_TEST

static const char *const wrong[] = {
    "--b\nx",
    "--bxy",
    "--b\r\nContent-Disposition: form-data; name=f\n\r\n\r\n--b--",
    "--b\r\nno colon\r\n\r\n\r\n--b--",
    "--b\r\n\r\nno head\r\n--b--",
    "--b\r\nContent-Disposition: attachment; name=f\r\n\r\n\r\n--b--",
    "--b\r\nContent-Disposition: form-data; filename=f\r\n\r\n\r\n--b--",
    "--b\r\nContent-Disposition: form-data; name=\"f\r\n\r\n\r\n--b--",
    "--b\r\nContent-Disposition: form-data; name=f; filename=\"f\r\n\r\n\r\n--b--",
    "--b\r\nContent-Disposition: form-data; name=f\r\nContent-Disposition: form-data; "
    "name=g\r\n\r\n\r\n--b--",
    "--b\r\nContent-Disposition: form-data; name=f\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\n\r\n--b--",
};

START_TEST(wrong_forms_are_told_however_cut) {
    struct recorder recorder = {.owner = methods, .stop_at = -1};
    size_t size = strlen(wrong[_i]);
    for (size_t cut = 0; cut <= size; cut++) {
        struct multipart multipart;
        ck_assert(!run(wrong[_i], size, cut, &recorder, &multipart));
        ck_assert_ptr_nonnull(multipart.error);
        ck_assert(!multipart_feed(&multipart, "more", 4));
        multipart_finish(&multipart);
    }
    text_finish(&recorder.text);
}
END_TEST

static bool feed_many(struct multipart *multipart, const char *bytes, size_t times) {
    for (size_t i = 0; i < times; i++)
        if (!multipart_feed(multipart, bytes, strlen(bytes))) return false;
    return true;
}

START_TEST(each_bound_holds) {
    static const char head[] = "--b\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\n";
    const struct {
        const char *start, *again;
        size_t good, bad; /* times `again` still fits, and does not */
        const char *named;
    } rows[] = {
        {"", head, MULTIPART_PARTS_MAX, MULTIPART_PARTS_MAX + 1, "20"},
        {"", "01234567", MULTIPART_AROUND_MAX / 8, MULTIPART_AROUND_MAX / 8 + 1, "8192"},
        {"--b--", "01234567", MULTIPART_AROUND_MAX / 8, MULTIPART_AROUND_MAX / 8 + 1, "8192"},
        {"--b", "        ", MULTIPART_AROUND_MAX / 8, MULTIPART_AROUND_MAX / 8 + 1, "spaces"},
        {"--b\r\n", "X: 45678901234\r\n", MULTIPART_HEADERS_MAX / 17, MULTIPART_HEADERS_MAX / 16,
         "16384"},
    };
    struct recorder recorder = {.owner = methods, .stop_at = -1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct multipart multipart;
        ck_assert(multipart_start(&multipart, "multipart/form-data; boundary=b", &recorder.owner));
        ck_assert(multipart_feed(&multipart, rows[i].start, strlen(rows[i].start)));
        ck_assert(feed_many(&multipart, rows[i].again, rows[i].good));
        ck_assert(!feed_many(&multipart, rows[i].again, rows[i].bad - rows[i].good + 1));
        ck_assert_ptr_nonnull(strstr(multipart.error, rows[i].named));
        multipart_finish(&multipart);
    }
    text_finish(&recorder.text);
}
END_TEST

START_TEST(owner_can_stop_it) {
    for (int32_t stop_at = 0; stop_at < 3; stop_at++) {
        struct recorder recorder = {.owner = methods, .stop_at = stop_at};
        struct multipart multipart;
        ck_assert(!run(good[0].body, strlen(good[0].body), 7, &recorder, &multipart));
        ck_assert_ptr_null(multipart.error);
        multipart_finish(&multipart);
        text_finish(&recorder.text);
    }
}
END_TEST

static const struct {
    const char *content_type;
    bool good;
} types[] = {
    {"multipart/form-data; boundary=b", true},
    {"Multipart/Form-Data;boundary=\"a b:c\"", true},
    {"multipart/form-data; charset=utf-8; boundary=x", true},
    {"multipart/form-data; "
     "boundary=1234567890123456789012345678901234567890123456789012345678901234567890",
     true},
    {"multipart/form-data; "
     "boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
     false},
    {"multipart/form-data; boundary=", false},
    {"multipart/form-data; boundary=\"a \"", false},
    {"multipart/form-data; boundary=\"a\\\"b\"", false},
    {"multipart/form-data", false},
    {"multipart/mixed; boundary=b", false},
    {"application/json", false},
    {NULL, false},
};

START_TEST(types_are_taken_or_not) {
    struct recorder recorder = {.owner = methods};
    struct multipart multipart;
    ck_assert_int_eq(multipart_start(&multipart, types[_i].content_type, &recorder.owner),
                     types[_i].good);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("multipart");
    tcase_add_loop_test(tests, forms_are_read_however_cut, 0, (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(tests, forms_are_read_byte_by_byte, 0, (int)(sizeof good / sizeof *good));
    tcase_add_test(tests, truncated_forms_are_not_complete);
    tcase_add_loop_test(tests, wrong_forms_are_told_however_cut, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(tests, each_bound_holds);
    tcase_add_test(tests, owner_can_stop_it);
    tcase_add_loop_test(tests, types_are_taken_or_not, 0, (int)(sizeof types / sizeof *types));
    return unit_run_case("multipart", tests);
}
