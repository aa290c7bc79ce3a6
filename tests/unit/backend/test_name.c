/* SPDX-License-Identifier: MIT
 * test_name.c - names of files: cleaned, read from headers, written to headers.
 */
#include <string.h>

#include "name.h"
#include "unit.h"

static const struct {
    const char *raw;
    size_t size;      /* 0: strlen */
    const char *name; /* NULL: refused */
} names[] = {
    {"will.pdf", 0, "will.pdf"},
    {"../../etc/passwd", 0, "passwd"},
    {"C:\\dir\\will.pdf", 0, "will.pdf"},
    {"a/b\\c.pdf", 0, "c.pdf"},
    {" spaced name .pdf ", 0, "spaced name .pdf"},
    {"line\r\nbreak.pdf", 0, "linebreak.pdf"},
    {"na\xc3\xafve \xe2\x82\xac.pdf", 0, "na\xc3\xafve \xe2\x82\xac.pdf"},
    {"\xe2\x80\xae"
     "fdp.exe",
     0, "fdp.exe"},
    {"c1\xc2\x85.pdf", 0, "c1.pdf"},
    {"a\"b.pdf", 0, "a\"b.pdf"},
    {".hidden", 0, ".hidden"},
    {"...", 0, "..."},
    {"", 0, NULL},
    {"   ", 0, NULL},
    {".", 0, NULL},
    {"..", 0, NULL},
    {"dir/", 0, NULL},
    {"a\0b", 3, NULL},
    {"\xff.pdf", 0, NULL},
};

START_TEST(names_are_cleaned) {
    char out[NAME_SIZE_MAX + 1];
    size_t size = names[_i].size ? names[_i].size : strlen(names[_i].raw);
    const char *error = name_clean(names[_i].raw, size, out);
    ck_assert_int_eq(error == NULL, names[_i].name != NULL);
    if (!error) ck_assert_str_eq(out, names[_i].name);
}
END_TEST

START_TEST(names_have_at_most_255_characters) {
    char raw[256 * 3];
    char out[NAME_SIZE_MAX + 1];
    for (int i = 0; i < 256; i++) memcpy(raw + 3 * i, "\xe2\x82\xac", 3);
    ck_assert_ptr_null(name_clean(raw, 255 * 3, out));
    ck_assert_uint_eq(strlen(out), 255 * 3);
    ck_assert_ptr_nonnull(strstr(name_clean(raw, 256 * 3, out), "255"));
}
END_TEST

static const struct {
    const char *header, *parameter, *value; /* NULL: absent or unreadable */
} parameters[] = {
    {"form-data; name=\"file\"; filename=\"a.pdf\"", "filename", "a.pdf"},
    {"form-data; name=\"file\"; filename=\"a.pdf\"", "name", "file"},
    {"form-data; NAME=file;FileName = a.pdf ", "filename", "a.pdf"},
    {"form-data; filename=\"a\\\"b.pdf\"", "filename", "a\"b.pdf"},
    {"form-data; filename=\"a%22b%41.pdf\"", "filename", "a\"b%41.pdf"},
    {"form-data; filename=\"C:\\x\\\\y.pdf\"", "filename", "C:\\x\\y.pdf"},
    {"form-data; filename=\"a;name=b\"; name=c", "name", "c"},
    {"form-data; filename=\"\"", "filename", ""},
    {"form-data; filename=\"endless", "filename", NULL},
    {"form-data; filename", "filename", NULL},
    {"form-data", "filename", NULL},
    {"form-data; filename*=UTF-8''x", "filename", NULL},
    {"multipart/form-data; boundary=----x; charset=utf-8", "boundary", "----x"},
    {"multipart/form-data; a=\"1234567890123456789012345678901234567890123456789012345678901234\"; "
     "boundary=b",
     "boundary", "b"},
};

START_TEST(parameters_are_read) {
    char out[64];
    const char *header = parameters[_i].header;
    long size = name_parameter(header, strlen(header), parameters[_i].parameter, out, sizeof out);
    if (!parameters[_i].value) {
        ck_assert_int_lt(size, 0);
        return;
    }
    ck_assert_int_eq(size, (long)strlen(parameters[_i].value));
    ck_assert_mem_eq(out, parameters[_i].value, (size_t)size);
}
END_TEST

static const struct {
    const char *raw, *value;
} extended[] = {
    {"UTF-8''na%C3%AFve.pdf", "na\xc3\xafve.pdf"},
    {"utf-8'en'a.pdf", "a.pdf"},
    {"ISO-8859-1''na%EFve", "na\xc3\xafve"},
    {"UTF-8''", ""},
    {"UTF-8'a", NULL},
    {"UTF-8''%4", NULL},
    {"UTF-16''a", NULL},
    {"a.pdf", NULL},
};

START_TEST(extended_values_are_read) {
    char out[64];
    long size = name_extended(extended[_i].raw, strlen(extended[_i].raw), out, sizeof out);
    ck_assert_int_eq(size, extended[_i].value ? (long)strlen(extended[_i].value) : -1);
    if (size > 0) ck_assert_mem_eq(out, extended[_i].value, (size_t)size);
}
END_TEST

static const struct {
    const char *name, *header;
} headers[] = {
    {"will.pdf", "attachment; filename=\"will.pdf\"; filename*=UTF-8''will.pdf"},
    {"a b.pdf", "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"},
    {"a\"b\\c%.pdf", "attachment; filename=\"a_b_c_.pdf\"; filename*=UTF-8''a%22b%5Cc%25.pdf"},
    {"na\xc3\xafve", "attachment; filename=\"na_ve\"; filename*=UTF-8''na%C3%AFve"},
};

START_TEST(dispositions_are_one_ascii_line) {
    struct text text = {0};
    name_disposition(&text, headers[_i].name);
    ck_assert_str_eq(text.data, headers[_i].header);
    text_finish(&text);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("name");
    tcase_add_loop_test(tests, names_are_cleaned, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(tests, names_have_at_most_255_characters);
    tcase_add_loop_test(tests, parameters_are_read, 0,
                        (int)(sizeof parameters / sizeof *parameters));
    tcase_add_loop_test(tests, extended_values_are_read, 0,
                        (int)(sizeof extended / sizeof *extended));
    tcase_add_loop_test(tests, dispositions_are_one_ascii_line, 0,
                        (int)(sizeof headers / sizeof *headers));
    return unit_run_case("name", tests);
}
