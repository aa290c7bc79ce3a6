/* SPDX-License-Identifier: MIT
 * test_attack.c - documents that lie, loop, explode or are broken: each ends by its named limit,
 * and what can be read of it is read.
 */
#include <stdio.h>
#include <string.h>

#include "encrypted.h"
#include "fixture.h"
#include "sandbox.h"
#include "unit.h"

#define FONT  "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
#define HELLO "BT /F 12 Tf 72 700 Td (Hello) Tj ET"

static void expect_failure(const struct outcome *outcome, enum extract_code code,
                           const char *says) {
    ck_assert_msg(outcome->result.code == code, "%s: %s", extract_code_word(outcome->result.code),
                  outcome->result.sentence);
    ck_assert_msg(strstr(outcome->result.sentence, says), "%s", outcome->result.sentence);
}

/* ---- page trees */

static const struct tree {
    const char *count, *kids;
    uint32_t pages, failed;
} trees[] = {
    {"1", "[3 0 R]", 1, 0},
    {"2147483647", "[3 0 R]", 1, 0},
    {"1000000", "[3 0 R]", 1, 0},
    {"5000", "[3 0 R 3 0 R]", 2, 0},
    {"0", "[3 0 R]", 1, 0},
    {"-5", "[3 0 R]", 1, 0},
    {"(many)", "[3 0 R]", 1, 0},
    {"3", "[3 0 R 2 0 R 3 0 R]", 2, 0},  /* the tree is a page of itself */
    {"3", "[3 0 R 99 0 R 3 0 R]", 3, 1}, /* an object that is not there */
    {"3", "[3 0 R (page) 3 0 R]", 3, 1}, /* one that is no page */
    {"4", "[3 0 R 3 0 R 3 0 R 99 0 R]", 3, 0},
};

START_TEST(page_counts_that_lie_size_nothing) {
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        struct pdf pdf = {0};
        pdf_begin(&pdf);
        pdf_pages(&pdf, trees[i].count, trees[i].kids);
        pdf_page(&pdf, HELLO);
        pdf_end(&pdf, "");
        struct outcome outcome = outcome_once(&pdf, NULL);
        ck_assert_msg(outcome.result.code == EXTRACT_NO_ERROR, "%s: %s", trees[i].kids,
                      outcome.result.sentence);
        ck_assert_msg(outcome.result.page_count == trees[i].pages, "/Count %s %s: %u pages",
                      trees[i].count, trees[i].kids, outcome.result.page_count);
        ck_assert_uint_eq(outcome.result.pages_failed, trees[i].failed);
        ck_assert_uint_le(outcome.result.rss_bytes, 256 << 20);
        ck_assert_str_eq(outcome.pages[0], "Hello");
        outcome_free(&outcome);
        pdf_free(&pdf);
    }
}
END_TEST

START_TEST(a_failed_page_between_good_ones_is_named) {
    struct pdf pdf = {0};
    pdf_begin(&pdf);
    pdf_pages(&pdf, "3", "[3 0 R 99 0 R 3 0 R]");
    pdf_page(&pdf, HELLO);
    pdf_end(&pdf, "");
    struct outcome outcome = outcome_once(&pdf, NULL);
    ck_assert_str_eq(outcome.pages[0], "Hello");
    ck_assert_ptr_null(outcome.pages[1]);
    ck_assert_str_eq(outcome.failures[1], "file_damaged: Page 2 is damaged and could not be read.");
    ck_assert_str_eq(outcome.pages[2], "Hello");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(too_many_pages_are_refused_with_count_and_limit) {
    struct pdf pdf = {0};
    pdf_plain(&pdf, 12);
    struct client_limits limits = client_default_limits;
    limits.pages_max = 11;
    struct outcome outcome = outcome_once(&pdf, &limits);
    expect_failure(&outcome, EXTRACT_TOO_MANY_PAGES, "12 pages, more than the 11");
    ck_assert_uint_eq(outcome.count, 0);
    outcome_free(&outcome);
    limits.pages_max = 12;
    outcome = outcome_once(&pdf, &limits);
    ck_assert_uint_eq(outcome.result.pages_read, 12);
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

/* ---- what never ends, what grows */

START_TEST(a_page_that_never_ends_ends_by_its_limit_and_later_pages_are_read) {
    struct pdf pdf = {0};
    pdf_bomb(&pdf);
    struct client_limits limits = client_default_limits;
    limits.page_cpu_ms = 200;
    struct client client;
    ck_assert(client_start(&client, EXTRACT_PROGRAM, true));
    struct outcome outcome = outcome_of(&client, pdf.bytes, pdf.size, &limits, 1);
    expect_failure(&outcome, EXTRACT_PAGE_TIMEOUT, "SIGPROF: the page's limit");
    ck_assert_uint_eq(outcome.count, 1);
    ck_assert_str_eq(outcome.pages[0], "Before");
    ck_assert_uint_le(outcome.result.cpu_ms, 1200);
    outcome_free(&outcome);
    outcome = outcome_of(&client, pdf.bytes, pdf.size, &limits, 3);
    ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
    ck_assert_uint_eq(outcome.first, 3);
    ck_assert_str_eq(outcome.pages[0], "After");
    outcome_free(&outcome);
    ck_assert_int_eq(client_finish(&client), 0);
    pdf_free(&pdf);
}
END_TEST

START_TEST(a_document_may_use_so_much_time_and_no_more) {
    struct pdf pdf = {0};
    pdf_bomb(&pdf);
    struct client_limits limits = client_default_limits;
    limits.cpu_s_max = 1;
    limits.memory_bytes_max = (uint64_t)8 << 30;
    struct outcome outcome = outcome_once(&pdf, &limits);
    expect_failure(&outcome, EXTRACT_TOTAL_TIMEOUT, "SIGXCPU: the document's limit");
    ck_assert_uint_le(outcome.result.cpu_ms, 2200);
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(memory_has_a_limit_and_its_death_a_name) {
    if (sandbox_is_relaxed) return; /* AddressSanitizer does without that limit */
    struct pdf pdf = {0};
    pdf_bomb(&pdf);
    struct client_limits limits = client_default_limits;
    limits.memory_bytes_max = (uint64_t)160 << 20;
    struct outcome outcome = outcome_once(&pdf, &limits);
    expect_failure(&outcome, EXTRACT_EXTRACTOR_KILLED,
                   "PDFium gave up: most often the memory limit");
    ck_assert_uint_le(outcome.result.rss_bytes, 160 << 20);
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(a_document_larger_than_the_memory_is_refused) {
    if (sandbox_is_relaxed) return;
    struct pdf pdf = {0};
    pdf_plain(&pdf, 1);
    enum { BALLAST = 100 << 20 };
    char *ballast = calloc(1, BALLAST);
    ck_assert_ptr_nonnull(ballast);
    pdf_raw(&pdf, ballast, BALLAST);
    free(ballast);
    struct client_limits limits = client_default_limits;
    limits.memory_bytes_max = (uint64_t)100 << 20;
    struct outcome outcome = outcome_once(&pdf, &limits);
    expect_failure(&outcome, EXTRACT_TOO_LARGE, "This file of 100 MiB");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(text_has_a_limit_for_a_page_and_for_all) {
    struct pdf pdf = {0};
    pdf_plain(&pdf, 5); /* 19 bytes each */
    struct client_limits limits = client_default_limits;
    limits.page_text_bytes_max = 18;
    struct outcome outcome = outcome_once(&pdf, &limits);
    ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
    ck_assert_uint_eq(outcome.result.pages_failed, 5);
    ck_assert_str_eq(outcome.failures[0],
                     "too_large: Page 1 has more than 18 bytes of text, the most that is allowed.");
    outcome_free(&outcome);
    limits.page_text_bytes_max = 19;
    limits.text_bytes_max = 3 * 19;
    outcome = outcome_once(&pdf, &limits);
    expect_failure(&outcome, EXTRACT_TOO_LARGE, "more than 57 bytes of text");
    ck_assert_uint_eq(outcome.count, 3);
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

/* ---- characters */

START_TEST(characters_from_a_hostile_font_are_in_normal_form) {
    static const char map[] =
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        "1 begincodespacerange <00><FF> endcodespacerange\n"
        "8 beginbfchar <41><0000> <42><D800> <43><D83DDE00> <44><FB01> <45><00AD> <46><202E>\n"
        "<47><FFFE> <48><001B> endbfchar endcmap end end";
    struct pdf pdf = {0};
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_page_with(&pdf,
                  "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 5 0 R>>>>",
                  "BT /F 12 Tf 72 700 Td (aAbBcCdDeEfFgGhHi) Tj ET");
    pdf_stream(&pdf, "", map, sizeof map - 1);
    pdf_end(&pdf, "");
    struct outcome outcome = outcome_once(&pdf, NULL);
    ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
    ck_assert_str_eq(outcome.pages[0], "ab\xEF\xBF\xBD"
                                       "c\xF0\x9F\x98\x80"
                                       "dfiefg\xEF\xBF\xBDhi");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(a_hyphen_at_the_end_of_a_line_stays_with_its_line_end) {
    struct pdf pdf = {0};
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_page(&pdf, "BT /F 12 Tf 72 700 Td (The extra-) Tj 0 -14 Td (ordinary day) Tj "
                   "0 -14 Td (next line.) Tj ET");
    pdf_end(&pdf, "");
    struct outcome outcome = outcome_once(&pdf, NULL);
    ck_assert_str_eq(outcome.pages[0], "The extra-\nordinary day\nnext line.");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

START_TEST(filled_fields_and_typewriter_text_are_text_of_the_page) {
    static const char *const shown[] = {"Filled value", "Typed note"};
    struct pdf pdf = {0};
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_object(&pdf,
               "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<" FONT
               ">>/Annots[6 0 R 8 0 R 9 0 R]>>");
    pdf_stream(&pdf, "", "BT /F 12 Tf 72 700 Td (Plaintiff:) Tj ET", 40);
    for (int i = 0; i < 2; i++) {
        char content[80];
        snprintf(content, sizeof content, "BT /F 12 Tf 2 5 Td (%s) Tj ET", shown[i]);
        pdf_stream(&pdf, "/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<<" FONT ">>",
                   content, strlen(content));
        pdf_object(&pdf,
                   "<</Type/Annot/Subtype/%s/FT/Tx/T(x)/Rect[72 %d 272 %d]/F 4/AP<</N %d 0 R>>>>",
                   i ? "FreeText" : "Widget", 600 - 20 * i, 620 - 20 * i, 5 + 2 * i);
    }
    pdf_object(&pdf, "<</Type/Annot/Subtype/Text/Contents(Hidden remark)/Rect[0 0 9 9]>>");
    pdf_end(&pdf, "");
    struct outcome outcome = outcome_once(&pdf, NULL);
    ck_assert_int_eq(outcome.result.code, EXTRACT_NO_ERROR);
    ck_assert_str_eq(outcome.pages[0], "Plaintiff:\nFilled value Typed note");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

/* Object 6 is an appearance that shows "Filled in", 7 one that shows nothing. */
static const struct annotation {
    const char *form, *annotation, *text;
} annotations[] = {
    {"/NeedAppearances true", "/Subtype/Widget/FT/Tx/T(x)/V(Filled in)", "Form:\nFilled in"},
    {"/NeedAppearances true", "/Subtype/Widget/FT/Tx/T(x)/V(Filled in)/AP<</N 7 0 R>>",
     "Form:\nFilled in"},
    {"/NeedAppearances true", "/Subtype/Widget/FT/Tx/T(x)/V<FEFF041F04400438043204350442>",
     "Form:\nПривет"},
    {"/NeedAppearances true",
     "/Subtype/Widget/FT/Ch/Ff 131072/T(x)/Opt[(a)(Filled in)]/V(Filled in)", "Form:\nFilled in"},
    {"", "/Subtype/Widget/FT/Tx/T(x)/V(Filled in)", "Form:\nFilled in"},
    {"", "/Subtype/Widget/FT/Tx/T(x)/V(Other)/AP<</N 6 0 R>>", "Form:\nFilled in"},
    {"", "/Subtype/Widget/FT/Tx/T(x)/V(Filled in)/DA(/Missing 12 Tf 0 g)", "Form:\nFilled in"},
    {"", "/Subtype/FreeText/Contents(Filled in)", "Form:\nFilled in"},
    {"", "/Subtype/Watermark/AP<</N 6 0 R>>", "Form:\nFilled in"},
    {"", "/Subtype/Redact/AP<</N 6 0 R>>", "Form:\nFilled in"},
    {"", "/Subtype/Line/AP<</N 6 0 R>>", "Form:\nFilled in"},
    {"", "/Subtype/Widget/FT/Tx/T(x)/V(Hidden)/F 2", "Form:"},
    {"", "/Subtype/Popup/Contents(Remark)/AP<</N 6 0 R>>", "Form:"},
    {"", "/Subtype/Highlight/QuadPoints[72 620 272 620 72 600 272 600]/Contents(Remark)", "Form:"},
};

static void make_annotated(struct pdf *pdf, const struct annotation *annotation) {
    static const char page[] = "BT /F 12 Tf 72 700 Td (Form:) Tj ET",
                      shown[] = "BT /F 12 Tf 2 5 Td (Filled in) Tj ET";
    static const char appearance[] =
        "/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<<" FONT ">>";
    pdf_begin(pdf);
    pdf_object(pdf,
               "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]%s/DR<<" FONT
               ">>/DA(/F 12 Tf 0 g)>>>>",
               annotation->form);
    pdf_object(pdf, "<</Type/Pages/Count 1/Kids[3 0 R]>>");
    pdf_object(pdf,
               "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<" FONT
               ">>/Annots[5 0 R]>>");
    pdf_stream(pdf, "", page, sizeof page - 1);
    pdf_object(pdf, "<</Type/Annot/Rect[72 600 272 620]%s%s>>", annotation->annotation,
               strstr(annotation->annotation, "/DA") ? "" : "/DA(/F 12 Tf 0 g)");
    pdf_stream(pdf, appearance, shown, sizeof shown - 1);
    pdf_stream(pdf, appearance, "", 0);
    pdf_end(pdf, "");
}

START_TEST(what_annotations_show_is_text_of_the_page) {
    for (size_t i = 0; i < sizeof annotations / sizeof *annotations; i++) {
        struct pdf pdf = {0};
        make_annotated(&pdf, &annotations[i]);
        struct outcome outcome = outcome_once(&pdf, NULL);
        ck_assert_msg(outcome.result.code == EXTRACT_NO_ERROR, "%s: %s", annotations[i].annotation,
                      outcome.result.sentence);
        ck_assert_msg(!strcmp(outcome.pages[0], annotations[i].text), "%s %s: %s",
                      annotations[i].form, annotations[i].annotation, outcome.pages[0]);
        outcome_free(&outcome);
        pdf_free(&pdf);
    }
}
END_TEST

/* ---- encrypted */

static struct outcome read_encrypted(const char *o, const char *u, const char *content_hex) {
    struct pdf pdf = {0};
    char content[200], trailer[600];
    size_t size = 0;
    for (; content_hex[2 * size]; size++) {
        char digits[] = {content_hex[2 * size], content_hex[2 * size + 1], 0};
        content[size] = (char)strtoul(digits, NULL, 16);
    }
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_object(&pdf, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources"
                     "<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>");
    pdf_stream(&pdf, "", content, size);
    snprintf(trailer, sizeof trailer,
             "/ID[<31c1b9a2><31c1b9a2>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>", o,
             u);
    pdf_end(&pdf, trailer);
    struct outcome outcome = outcome_once(&pdf, NULL);
    pdf_free(&pdf);
    return outcome;
}

START_TEST(a_users_password_is_asked_for) {
    struct outcome outcome = read_encrypted(USER_O, USER_U, USER_CONTENT);
    expect_failure(&outcome, EXTRACT_PASSWORD_REQUIRED, "protected by a password");
    outcome_free(&outcome);
}
END_TEST

START_TEST(an_owners_password_is_not_needed) {
    struct outcome outcome = read_encrypted(OWNER_O, OWNER_U, OWNER_CONTENT);
    ck_assert_msg(outcome.result.code == EXTRACT_NO_ERROR, "%s", outcome.result.sentence);
    ck_assert_str_eq(outcome.pages[0], "Owner only");
    outcome_free(&outcome);
}
END_TEST

START_TEST(other_encryption_is_named) {
    struct pdf pdf = {0};
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_page(&pdf, HELLO);
    pdf_end(&pdf, "/ID[<00><00>]/Encrypt<</Filter/Adobe.PubSec/SubFilter/adbe.pkcs7.s4/V 1>>");
    struct outcome outcome = outcome_once(&pdf, NULL);
    expect_failure(&outcome, EXTRACT_PASSWORD_REQUIRED, "without protection");
    outcome_free(&outcome);
    pdf_free(&pdf);
}
END_TEST

/* ---- broken */

START_TEST(a_file_cut_anywhere_is_read_or_called_damaged) {
    struct pdf pdf = {0};
    pdf_plain(&pdf, 2);
    struct client client;
    ck_assert(client_start(&client, EXTRACT_PROGRAM, true));
    for (size_t size = 8; size < pdf.size; size += 13) {
        struct outcome outcome = outcome_of(&client, pdf.bytes, size, NULL, 1);
        ck_assert_msg(outcome.result.code == EXTRACT_NO_ERROR ||
                          outcome.result.code == EXTRACT_FILE_DAMAGED,
                      "%zu bytes: %s", size, outcome.result.sentence);
        outcome_free(&outcome);
    }
    ck_assert_int_eq(client_finish(&client), 0);
    pdf_free(&pdf);
}
END_TEST

static void flip(char *byte, size_t bit) {
    *byte = (char)(uint8_t)((uint8_t)*byte ^ 1u << bit);
}

START_TEST(a_flipped_bit_never_costs_the_zygote) {
    struct pdf pdf = {0};
    pdf_plain(&pdf, 3);
    struct client client;
    ck_assert(client_start(&client, EXTRACT_PROGRAM, true));
    for (size_t bit = 0; bit < 8 * pdf.size; bit += 29) {
        flip(&pdf.bytes[bit / 8], bit % 8);
        struct outcome outcome = outcome_of(&client, pdf.bytes, pdf.size, NULL, 1);
        ck_assert(outcome.result.code < EXTRACT_CODE_COUNT);
        ck_assert(outcome.result.code == EXTRACT_NO_ERROR || outcome.result.sentence[0]);
        outcome_free(&outcome);
        flip(&pdf.bytes[bit / 8], bit % 8);
    }
    ck_assert_int_eq(client_finish(&client), 0);
    pdf_free(&pdf);
}
END_TEST

START_TEST(arrays_nested_200000_deep_do_not_kill) {
    struct pdf pdf = {0};
    enum { DEPTH = 200000 };
    char *nest = malloc(2 * DEPTH);
    ck_assert_ptr_nonnull(nest);
    memset(nest, '[', DEPTH);
    memset(nest + DEPTH, ']', DEPTH);
    pdf_begin(&pdf);
    pdf_pages(&pdf, "1", "[3 0 R]");
    pdf_page(&pdf, HELLO);
    pdf.offsets[++pdf.objects] = pdf.size;
    pdf_raw(&pdf, "5 0 obj\n", 8);
    pdf_raw(&pdf, nest, 2 * DEPTH);
    pdf_raw(&pdf, "\nendobj\n", 8);
    pdf_end(&pdf, "/Info 5 0 R");
    struct outcome outcome = outcome_once(&pdf, NULL);
    ck_assert_msg(outcome.result.code == EXTRACT_NO_ERROR, "%s", outcome.result.sentence);
    ck_assert_str_eq(outcome.pages[0], "Hello");
    outcome_free(&outcome);
    free(nest);
    pdf_free(&pdf);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        page_counts_that_lie_size_nothing,
        a_failed_page_between_good_ones_is_named,
        too_many_pages_are_refused_with_count_and_limit,
        a_page_that_never_ends_ends_by_its_limit_and_later_pages_are_read,
        a_document_may_use_so_much_time_and_no_more,
        memory_has_a_limit_and_its_death_a_name,
        a_document_larger_than_the_memory_is_refused,
        text_has_a_limit_for_a_page_and_for_all,
        characters_from_a_hostile_font_are_in_normal_form,
        a_hyphen_at_the_end_of_a_line_stays_with_its_line_end,
        filled_fields_and_typewriter_text_are_text_of_the_page,
        what_annotations_show_is_text_of_the_page,
        a_users_password_is_asked_for,
        an_owners_password_is_not_needed,
        other_encryption_is_named,
        a_file_cut_anywhere_is_read_or_called_damaged,
        a_flipped_bit_never_costs_the_zygote,
        arrays_nested_200000_deep_do_not_kill,
    };
    return unit_run("extract-attack", tests, sizeof tests / sizeof *tests);
}
