/* SPDX-License-Identifier: MIT
 * boundary.c - headings, paragraphs, sentences and words of legal prose. General sentence rules (ICU's
 * among them) cut "Smith v. | Jones, 410 U.S. | 113" to pieces, so abbreviations of citations have a
 * table of their own. Never allocates.
 */
#include "boundary.h"

#include <string.h>

enum { HEADING_SIZE_MAX = 120, WORD_SIZE_MAX = 16 };

/* Words before a full stop that does not end a sentence, in lower case. */
static const char *const abbreviations[] = {
    "v",      "vs",   "no",  "nos",  "sec", "secs", "art",  "arts", "cl",   "p",    "pp",
    "para",   "inc",  "co",  "corp", "ltd", "jr",   "sr",   "mr",   "mrs",  "ms",   "dr",
    "prof",   "st",   "e.g", "i.e",  "cf",  "id",   "ibid", "al",   "et",   "etc",  "supp",
    "rev",    "stat", "ch",  "vol",  "ed",  "eds",  "cir",  "ct",   "app",  "hon",  "rep",
    "sen",    "gov",  "gen", "ex",   "rel", "u.s",  "f",    "s.ct", "f.2d", "f.3d", "f.4th",
    "f.supp", "l.ed", "d.c", "n.y",  "cal", "dist", "fed",  "r",    "civ",  "crim",
};

/* Words that open a heading, in lower case, when a number or numeral follows. */
static const char *const heading_words[] = {"article", "section", "chapter",  "part",  "title",
                                            "clause",  "exhibit", "schedule", "annex", "appendix"};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static char to_lower(char c) {
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

bool boundary_is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\f';
}

static bool is_line_end(char c) {
    return c == '\n' || c == '\f';
}

/* The word in table, compared without case. */
static bool is_word_of(const char *word, size_t size, const char *const *table, size_t count) {
    char lower[WORD_SIZE_MAX];
    if (!size || size >= sizeof lower) return false;
    for (size_t i = 0; i < size; i++) lower[i] = to_lower(word[i]);
    lower[size] = 0;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(table[i], lower)) return true;
    return false;
}

/* "1.", "1.2", "12.3.4)", "(a)", "IV." before a blank: how clauses are numbered. */
static bool is_clause_number(const char *line, size_t size) {
    size_t i = 0;
    bool digits = false;
    while (i < size && (is_digit(line[i]) || line[i] == '.')) digits |= is_digit(line[i++]);
    if (i < size && line[i] == ')') i++;
    bool marked = i && !is_digit(line[i - 1]);
    bool nested = i && memchr(line, '.', i);
    return digits && (marked || nested) && i < size && line[i] == ' ';
}

static bool is_titled(const char *line, size_t size) {
    size_t word = 0;
    while (word < size && (is_upper(line[word]) || is_lower(line[word]))) word++;
    return word < size && line[word] == ' ' && word + 1 < size &&
           (is_digit(line[word + 1]) || is_upper(line[word + 1])) && is_upper(line[0]) &&
           is_word_of(line, word, heading_words, sizeof heading_words / sizeof *heading_words);
}

/* A short line with at least four capitals and no small letter. */
static bool is_capitals(const char *line, size_t size) {
    size_t upper = 0;
    for (size_t i = 0; i < size; i++) {
        if (is_lower(line[i])) return false;
        upper += is_upper(line[i]);
    }
    return upper >= 4;
}

static bool is_heading(const char *line, size_t rest) {
    size_t size = 0;
    while (size < rest && !is_line_end(line[size])) size++;
    if (!size || size > HEADING_SIZE_MAX) return false;
    if (size >= 2 && !memcmp(line, "\xc2\xa7", 2)) return true; /* the section sign */
    return is_clause_number(line, size) || is_titled(line, size) || is_capitals(line, size);
}

/* The full stop at text[stop] belongs to an abbreviation, an initial, or a number's point. */
static bool is_abbreviation(const char *text, size_t stop) {
    size_t start = stop;
    while (start && !boundary_is_blank(text[start - 1]) && text[start - 1] != '(') start--;
    const char *word = text + start;
    size_t size = stop - start;
    if (size == 1 && is_upper(word[0])) return true;
    return is_word_of(word, size, abbreviations, sizeof abbreviations / sizeof *abbreviations);
}

/* What may open a sentence. Bytes above ASCII count: other alphabets have capitals we do not know. */
static bool opens_sentence(char c) {
    return is_upper(c) || is_digit(c) || (unsigned char)c >= 0x80 || c == '"' || c == '(' ||
           c == '\'';
}

static bool ends_sentence(const char *text, size_t position) {
    size_t end = position;
    while (end && boundary_is_blank(text[end - 1])) end--;
    if (end == position || !opens_sentence(text[position])) return false;
    while (end && (text[end - 1] == '"' || text[end - 1] == '\'' || text[end - 1] == ')')) end--;
    if (!end) return false;
    char last = text[end - 1];
    if (last == '!' || last == '?') return true;
    return last == '.' && !is_abbreviation(text, end - 1);
}

/* A form feed, or two line ends with at most blanks between them, directly before position. */
static bool ends_paragraph(const char *text, size_t position) {
    int lines = 0;
    for (size_t i = position; i && boundary_is_blank(text[i - 1]); i--) {
        if (text[i - 1] == '\f') return true;
        lines += text[i - 1] == '\n';
        if (lines == 2) return true;
    }
    return false;
}

enum boundary boundary_at(const char *text, size_t size, size_t position) {
    char before = text[position - 1];
    if (!boundary_is_blank(before) || boundary_is_blank(text[position])) return BOUNDARY_NONE;
    bool line = is_line_end(before);
    if (line && is_heading(text + position, size - position)) return BOUNDARY_HEADING;
    if (ends_paragraph(text, position)) return BOUNDARY_PARAGRAPH;
    if (ends_sentence(text, position)) return BOUNDARY_SENTENCE;
    return line ? BOUNDARY_LINE : BOUNDARY_WORD;
}
