/* SPDX-License-Identifier: MIT
 * query_text.c - which placeholders a text of SQL has, so that each gets a value, which way its COPY goes, and
 * whether it would end or begin a transaction. Knows quotes, brackets and comments, and nothing else of SQL.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "session/query.h"

enum { NUMBER_MAX = 1000000 };

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Behind a text that ends with end; the end of sql when it never does. */
static const char *skip_to(const char *sql, const char *end) {
    const char *found = strstr(sql, end);
    return found ? found + strlen(end) : sql + strlen(sql);
}

/* Behind '...', where E'...' has \' too, and "...". A doubled quote looks like a second text: as well. */
static const char *skip_quoted(const char *sql, bool escapes) {
    char quote = *sql++;
    while (*sql && *sql != quote) sql += escapes && *sql == '\\' && sql[1] ? 2 : 1;
    return *sql ? sql + 1 : sql;
}

static const char *skip_block_comment(const char *sql) {
    int depth = 0;
    do {
        bool opens = sql[0] == '/' && sql[1] == '*', closes = sql[0] == '*' && sql[1] == '/';
        depth += opens - closes;
        sql += opens || closes ? 2 : 1;
    } while (depth && *sql);
    return sql;
}

/* Behind $tag$...$tag$, or NULL when the dollar begins no such text. */
static const char *skip_dollar_quoted(const char *sql) {
    char tag[66];
    size_t size = 1;
    while (isalnum((unsigned char)sql[size]) || sql[size] == '_') size++;
    if (sql[size] != '$' || isdigit((unsigned char)sql[1]) || size + 2 > sizeof tag) return NULL;
    memcpy(tag, sql, size + 1);
    tag[size + 1] = '\0';
    return skip_to(sql + size + 1, tag);
}

static int32_t number_at(const char **sql) {
    int32_t number = 0;
    for (++*sql; isdigit((unsigned char)**sql); ++*sql)
        number = number < NUMBER_MAX ? number * 10 + (**sql - '0') : NUMBER_MAX;
    return number;
}

/* Behind the quoted text or comment that begins here; NULL: none does. */
static const char *skip_aside(const char *start, const char *sql) {
    bool in_word = sql > start && is_word(sql[-1]);
    if (*sql == '\'' || *sql == '"') {
        bool escapes = *sql == '\'' && sql > start && (sql[-1] == 'E' || sql[-1] == 'e');
        return skip_quoted(sql, escapes);
    }
    if (sql[0] == '-' && sql[1] == '-') return skip_to(sql, "\n");
    if (sql[0] == '/' && sql[1] == '*') return skip_block_comment(sql);
    return *sql == '$' && !in_word ? skip_dollar_quoted(sql) : NULL;
}

int32_t query_placeholders(const char *sql) {
    int32_t highest = 0;
    for (const char *start = sql; *sql;) {
        bool in_word = sql > start && is_word(sql[-1]);
        const char *behind = skip_aside(start, sql);
        if (behind) {
            sql = behind;
        } else if (*sql == '$' && !in_word && isdigit((unsigned char)sql[1])) {
            int32_t number = number_at(&sql);
            if (number > highest) highest = number;
        } else {
            sql++;
        }
    }
    return highest;
}

static bool is(const char *word, size_t size, const char *keyword) {
    return size == strlen(keyword) && !strncasecmp(word, keyword, size);
}

/* --- transactions --------------------------------------------------------------------------------- */

/* The next word, behind comments and semicolons; size 0: something else comes. */
static const char *find_word(const char *start, const char *sql, size_t *size) {
    for (const char *behind; *sql; sql = behind) {
        bool is_space = isspace((unsigned char)*sql) || *sql == ';';
        bool is_comment = (*sql == '-' || *sql == '/') && skip_aside(start, sql);
        if (!is_space && !is_comment) break;
        behind = is_space ? sql + 1 : skip_aside(start, sql);
    }
    for (*size = 0; is_word(sql[*size]);) ++*size;
    return sql;
}

const char *query_transaction_call(const char *sql) {
    static const struct {
        const char *verb, *call;
    } verbs[] = {
        {"ABORT", "rollback"},    {"BEGIN", "begin"},         {"COMMIT", "commit"},
        {"END", "commit"},        {"PREPARE", "commit"},      {"RELEASE", "release"},
        {"ROLLBACK", "rollback"}, {"SAVEPOINT", "savepoint"}, {"START", "begin"},
    };
    size_t size, next_size;
    const char *word = find_word(sql, sql, &size);
    const char *next = find_word(sql, word + size, &next_size);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!is(word, size, verbs[i].verb)) continue;
        if (is(word, size, "PREPARE")) return is(next, next_size, "TRANSACTION") ? "commit" : NULL;
        return is(next, next_size, "PREPARED") ? NULL : verbs[i].call; /* another transaction's */
    }
    return NULL;
}

/* --- COPY ----------------------------------------------------------------------------------------- */

enum expected { EXPECT_COPY, EXPECT_WAY, EXPECT_END, EXPECT_NOTHING };

/* A word outside of brackets; false: it rules out a COPY of bytes to or from us. */
static bool take_word(enum expected *expected, char *way, const char *word, size_t size) {
    switch (*expected) {
    case EXPECT_COPY: *expected = EXPECT_WAY; return is(word, size, "COPY");
    case EXPECT_WAY:
        *way = is(word, size, "FROM") ? 'i' : is(word, size, "TO") ? 'o' : '\0';
        if (*way) *expected = EXPECT_END;
        return true;
    case EXPECT_END:
        *expected = EXPECT_NOTHING;
        return is(word, size, "STDIN") || is(word, size, "STDOUT");
    default: return true;
    }
}

/* A quoted text names a table, or a file. */
static bool may_be_quoted(enum expected expected, char quote) {
    return (quote != '\'' && quote != '"') || (expected != EXPECT_COPY && expected != EXPECT_END);
}

char query_copy_way(const char *sql) {
    enum expected expected = EXPECT_COPY;
    char way = '\0';
    int depth = 0;
    for (const char *start = sql; *sql && expected != EXPECT_NOTHING;) {
        const char *behind = skip_aside(start, sql);
        size_t size = 0;
        if (behind) {
            if (!depth && !may_be_quoted(expected, *sql)) return '\0';
            sql = behind;
            continue;
        }
        depth += (*sql == '(') - (*sql == ')');
        while (is_word(sql[size])) size++;
        if (size && !depth && !take_word(&expected, &way, sql, size)) return '\0';
        sql += size ? size : 1;
    }
    return expected == EXPECT_NOTHING ? way : '\0';
}
