/* SPDX-License-Identifier: MIT
 * test_query_text.c - placeholders of SQL texts, by table.
 */
#include "session/query.h"
#include "unit.h"

START_TEST(the_highest_placeholder_is_found_outside_of_quotes_and_comments) {
    static const struct {
        const char *sql;
        int32_t highest;
    } rows[] = {
        {"", 0},
        {"SELECT 1", 0},
        {"id = $1", 1},
        {"$2 = $1", 2},
        {"a = $12 AND b = $3", 12},
        {"x = '$9'", 0},
        {"x = 'it''s $9' AND y = $1", 1},
        {"x = E'\\'$9' AND y = $1", 1},
        {"x = e'\\\\' AND y = $2", 2},
        {"x = 'a\\' AND y = $2", 2},
        {"\"odd $9\" = $1", 1},
        {"x = $1 -- or $9", 1},
        {"x = $1 -- or $9\n AND y = $2", 2},
        {"x = $1 /* $9 /* $8 */ $7 */ AND y = $2", 2},
        {"x = $$ $9 $$ AND y = $1", 1},
        {"x = $body$ $9 $$ $8 $body$ AND y = $1", 1},
        {"foo$9 = $1", 1},
        {"x = $", 0},
        {"x = $a", 0},
        {"x = '$9", 0},
        {"x = $a$ $9", 0},
        {"x /* $9", 0},
        {"$0", 0},
        {"$99999999999999999999", 1000000},
        {"\xc3\xa9$9 = $1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(query_placeholders(rows[i].sql) == rows[i].highest, "%s: %d", rows[i].sql,
                      query_placeholders(rows[i].sql));
}
END_TEST

START_TEST(what_begins_or_ends_a_transaction_is_known_by_its_first_word) {
    static const struct {
        const char *sql, *call; /* NULL: it does neither */
    } rows[] = {
        {"COMMIT", "commit"},
        {"commit;", "commit"},
        {" /* a */ -- b\n ; Begin ISOLATION LEVEL SERIALIZABLE", "begin"},
        {"START TRANSACTION", "begin"},
        {"end", "commit"},
        {"ABORT", "rollback"},
        {"ROLLBACK TO SAVEPOINT a", "rollback"},
        {"SAVEPOINT a", "savepoint"},
        {"RELEASE a", "release"},
        {"PREPARE TRANSACTION 'x'", "commit"},
        {"PREPARE p AS SELECT 1", NULL},
        {"COMMIT PREPARED 'x'", NULL},
        {"ROLLBACK /* of */ PREPARED 'x'", NULL},
        {"SELECT 1 -- COMMIT", NULL},
        {"committed", NULL},
        {"\"COMMIT\"", NULL},
        {"(SELECT 1)", NULL},
        {"/* COMMIT", NULL},
        {"-", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *call = query_transaction_call(rows[i].sql);
        bool equal = call && rows[i].call ? !strcmp(call, rows[i].call) : call == rows[i].call;
        ck_assert_msg(equal, "%s: %s", rows[i].sql, call ? call : "NULL");
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        the_highest_placeholder_is_found_outside_of_quotes_and_comments,
        what_begins_or_ends_a_transaction_is_known_by_its_first_word,
    };
    return unit_run("query_text", tests, sizeof tests / sizeof *tests);
}
