/* SPDX-License-Identifier: MIT
 * test_chunk.c - the promises of chunk.h, on prose by example and on random text by property.
 */
#include <string.h>

#include "boundary.h"
#include "chunk.h"
#include "unit.h"

static const struct page_mark first_page[] = {{0, 1}};

static struct chunk_list cut(const char *text, int64_t size, int64_t overlap) {
    struct chunk_list list = {0};
    struct chunk_rules rules = {.size = size, .overlap = overlap};
    ck_assert(chunk_cut(text, strlen(text), first_page, 1, &rules, &list));
    return list;
}

static void assert_chunk(const struct chunk_list *list, size_t index, const char *text,
                         const char *expected) {
    ck_assert_uint_lt(index, list->count);
    const struct chunk *chunk = &list->items[index];
    ck_assert_msg(chunk->size == strlen(expected) &&
                      !memcmp(text + chunk->start, expected, chunk->size),
                  "chunk %zu: \"%.*s\", expected \"%s\"", index, (int)chunk->size,
                  text + chunk->start, expected);
}

START_TEST(blank_text_has_no_chunk) {
    struct chunk_list list = cut(" \n\f\t ", 10, 0);
    ck_assert_uint_eq(list.count, 0);
    chunk_list_finish(&list);
}
END_TEST

START_TEST(short_text_is_one_trimmed_chunk) {
    const char *text = "\n  A will.  \n";
    struct chunk_list list = cut(text, 100, 10);
    ck_assert_uint_eq(list.count, 1);
    assert_chunk(&list, 0, text, "A will.");
    ck_assert_int_eq(list.items[0].char_start, 3);
    ck_assert_int_eq(list.items[0].char_end, 10);
    chunk_list_finish(&list);
}
END_TEST

START_TEST(paragraph_beats_sentence_and_word) {
    const char *text = "One two. Three four.\n\nFive six. Seven eight nine ten.";
    struct chunk_list list = cut(text, 32, 0);
    assert_chunk(&list, 0, text, "One two. Three four.");
    assert_chunk(&list, 1, text, "Five six. Seven eight nine ten.");
    chunk_list_finish(&list);
}
END_TEST

START_TEST(heading_beats_paragraph) {
    const char *text =
        "Some words of the recital here.\n\nMore of it.\nARTICLE II\nThe parties agree.";
    struct chunk_list list = cut(text, 60, 20);
    assert_chunk(&list, 0, text, "Some words of the recital here.\n\nMore of it.");
    assert_chunk(&list, 1, text, "ARTICLE II\nThe parties agree.");
    chunk_list_finish(&list);
}
END_TEST

START_TEST(citation_is_not_cut_at_its_full_stops) {
    const char *text =
        "In Smith v. Jones, 410 U.S. 113 (1973), the court held so. It was affirmed later on.";
    struct chunk_list list = cut(text, 70, 0);
    assert_chunk(&list, 0, text, "In Smith v. Jones, 410 U.S. 113 (1973), the court held so.");
    chunk_list_finish(&list);
}
END_TEST

START_TEST(overlap_starts_at_a_sentence) {
    const char *text =
        "Alpha beta gamma delta. Short one. Epsilon zeta eta theta iota kappa lambda.";
    struct chunk_list list = cut(text, 36, 12);
    assert_chunk(&list, 0, text, "Alpha beta gamma delta. Short one.");
    assert_chunk(&list, 1, text, "Short one. Epsilon zeta eta theta");
    chunk_list_finish(&list);
}
END_TEST

START_TEST(letter_keeps_its_accent) {
    char text[64] = "";
    for (int i = 0; i < 16; i++) strcat(text, "e\xcc\x81"); /* e and a combining acute */
    struct chunk_list list = cut(text, 5, 0);
    for (size_t i = 0; i < list.count; i++) ck_assert_int_eq(text[list.items[i].start], 'e');
    chunk_list_finish(&list);
}
END_TEST

START_TEST(pages_of_a_chunk_are_known) {
    const char *text = "First page.\fSecond page.\fThird page is here.";
    const struct page_mark marks[] = {{0, 1}, {12, 2}, {25, 4}};
    struct chunk_list list = {0};
    struct chunk_rules rules = {.size = 30, .overlap = 0};
    ck_assert(chunk_cut(text, strlen(text), marks, 3, &rules, &list));
    ck_assert_uint_eq(list.count, 2);
    ck_assert_int_eq(list.items[0].page_from, 1);
    ck_assert_int_eq(list.items[0].page_to, 2);
    ck_assert_int_eq(list.items[1].page_from, 4);
    ck_assert_int_eq(list.items[1].page_to, 4);
    chunk_list_finish(&list);
}
END_TEST

static const struct {
    const char *text;
    size_t position;
    enum boundary level;
} boundaries[] = {
    {"ab", 1, BOUNDARY_NONE},
    {"a b", 2, BOUNDARY_WORD},
    {"a  b", 2, BOUNDARY_NONE},
    {"a.\nb", 3, BOUNDARY_LINE},
    {"End. Next", 5, BOUNDARY_SENTENCE},
    {"\"End.\" Next", 7, BOUNDARY_SENTENCE},
    {"p. 12", 3, BOUNDARY_WORD},
    {"J. Doe", 3, BOUNDARY_WORD},
    {"12. the", 4, BOUNDARY_WORD},
    {"a\n\nb", 3, BOUNDARY_PARAGRAPH},
    {"a\n \nb", 4, BOUNDARY_PARAGRAPH},
    {"a\fb", 2, BOUNDARY_PARAGRAPH},
    {"a\n1.2 Terms", 2, BOUNDARY_HEADING},
    {"a\n12) Terms", 2, BOUNDARY_HEADING},
    {"a\nSection 4", 2, BOUNDARY_HEADING},
    {"a\nGOVERNING LAW", 2, BOUNDARY_HEADING},
    {"a\n\xc2\xa7 12 Law", 2, BOUNDARY_HEADING},
    {"a\nsection 4", 2, BOUNDARY_LINE},
    {"a\n12 men", 2, BOUNDARY_LINE},
};

START_TEST(boundary_has_its_level) {
    ck_assert_int_eq(
        boundary_at(boundaries[_i].text, strlen(boundaries[_i].text), boundaries[_i].position),
        boundaries[_i].level);
}
END_TEST

/* --- property: any text, any rules ------------------------------------------------------------- */

static uint32_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static size_t make_text(char *text, size_t room) {
    static const char *const pieces[] = {
        "a",         "word ", ". ",         "\n",       "\n\n",         "\f",
        "A",         "1.",    " ",          "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8f\x9b",
        "e\xcc\x81", "v. ",   "SECTION 1\n"};
    size_t size = 0;
    while (size + 16 < room) {
        const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
        memcpy(text + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}

static int64_t count_characters(const char *text, size_t size) {
    int64_t count = 0;
    for (size_t i = 0; i < size; i++) count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static void assert_promises(const char *text, size_t size, const struct chunk_rules *rules,
                            const struct chunk_list *list) {
    size_t covered = 0, start = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct chunk *chunk = &list->items[i];
        ck_assert(i == 0 || chunk->start > start);
        ck_assert_uint_gt(chunk->start + chunk->size, covered); /* in no chunk before it */
        start = chunk->start;
        ck_assert_uint_le(chunk->start + chunk->size, size);
        ck_assert_int_eq(chunk->char_start, count_characters(text, chunk->start));
        ck_assert_int_eq(chunk->char_end - chunk->char_start,
                         count_characters(text + chunk->start, chunk->size));
        ck_assert_int_le(chunk->char_end - chunk->char_start, rules->size);
        ck_assert(!boundary_is_blank(text[chunk->start]));
        ck_assert(!boundary_is_blank(text[chunk->start + chunk->size - 1]));
        for (size_t at = covered; at < chunk->start; at++) ck_assert(boundary_is_blank(text[at]));
        covered = chunk->start + chunk->size;
    }
    for (size_t at = covered; at < size; at++) ck_assert(boundary_is_blank(text[at]));
}

static void check_random(uint32_t number) {
    char text[3000];
    seed = number;
    size_t size = make_text(text, 16 + draw(sizeof text - 16));
    struct chunk_rules rules = {.size = 2 + draw(300)};
    rules.overlap = draw((uint32_t)rules.size); /* as the settings allow */
    struct chunk_list list = {0}, again = {0};
    ck_assert(chunk_cut(text, size, first_page, 1, &rules, &list));
    assert_promises(text, size, &rules, &list);
    ck_assert(chunk_cut(text, size, first_page, 1, &rules, &again));
    ck_assert_uint_eq(list.count, again.count);
    ck_assert(!list.count || !memcmp(list.items, again.items, list.count * sizeof *list.items));
    chunk_list_finish(&list);
    chunk_list_finish(&again);
}

enum { TEXTS = 2000, PROCESSES = 20 }; /* a process a text takes longer than the text */

START_TEST(random_text_keeps_every_promise) {
    for (int i = _i; i < TEXTS; i += PROCESSES) check_random((uint32_t)i);
}
END_TEST

int main(void) {
    TCase *example = tcase_create("chunk");
    tcase_add_test(example, blank_text_has_no_chunk);
    tcase_add_test(example, short_text_is_one_trimmed_chunk);
    tcase_add_test(example, paragraph_beats_sentence_and_word);
    tcase_add_test(example, heading_beats_paragraph);
    tcase_add_test(example, citation_is_not_cut_at_its_full_stops);
    tcase_add_test(example, overlap_starts_at_a_sentence);
    tcase_add_test(example, letter_keeps_its_accent);
    tcase_add_test(example, pages_of_a_chunk_are_known);
    tcase_add_loop_test(example, boundary_has_its_level, 0, sizeof boundaries / sizeof *boundaries);
    tcase_add_loop_test(example, random_text_keeps_every_promise, 0, PROCESSES);
    return unit_run_case("chunk", example);
}
