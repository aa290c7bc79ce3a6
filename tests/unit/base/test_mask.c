/* SPDX-License-Identifier: MIT
 * test_mask.c - no part of a password gets through, whatever a URL looks like.
 */
#include <string.h>

#include "base/config.h"
#include "unit.h"

START_TEST(urls_keep_everything_but_the_password) {
    static const char *const rows[][2] = {
        {"", ""},
        {"redis://localhost:6379/0", "redis://localhost:6379/0"},
        {"redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"},
        {"redis://user:secret@h/1?x=1", "redis://user:***@h/1?x=1"},
        {"postgresql://u:secret@h:5432/db?sslmode=require",
         "postgresql://u:***@h:5432/db?sslmode=require"},
        {"postgresql+asyncpg://u:secret@h/db", "postgresql+asyncpg://u:***@h/db"},
        {"postgresql://u@h/db?password=secret&x=1", "postgresql://u@h/db?password=***&x=1"},
        {"postgresql://u@h/db?sslpassword=secret", "postgresql://u@h/db?sslpassword=***"},
        {"postgresql://u@h:5432/db", "postgresql://u@h:5432/db"},
        {"host=h user=u password=secret dbname=d", "host=h user=u password=*** dbname=d"},
        {"host=h PASSWORD = 'sec ret\\'s' dbname=d", "host=h PASSWORD =*** dbname=d"},
        {"password=secret", "password=***"},
        {"password='secret", "password=***"},
        {"password=sec\\ ret host=h", "password=*** host=h"},
        {"not a url at all", "not a url at all"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shown[256];
        config_mask_url(rows[i][0], shown, sizeof shown);
        ck_assert_str_eq(shown, rows[i][1]);
    }
}
END_TEST

/* What a careless author may write: the parts of the password are "sec" and "ret" in each. */
START_TEST(a_password_with_wild_characters_is_hidden_whole) {
    static const char *const rows[] = {
        "redis://:sec@ret@h:6379/0",
        "redis://:sec/ret@h:6379/0",
        "redis://:sec?ret@h:6379/0",
        "redis://:sec#ret@h:6379/0",
        "redis://:sec:ret@h:6379/0",
        "redis://:sec password=ret@h:6379/0",
        "postgresql://u:x@h/db?password=sec@ret",
        "postgresql://u:x@h/db?password=sec?ret",
        "postgresql://u@h:1/db?password=sec@ret&sslpassword=sec@ret",
        "password=sec@ret://x host=h",
        "password='sec ret' host=h",
        "password = sec\\'ret host=h",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shown[256];
        config_mask_url(rows[i], shown, sizeof shown);
        ck_assert_msg(!strstr(shown, "sec") && !strstr(shown, "ret"), "%s -> %s", rows[i], shown);
    }
}
END_TEST

START_TEST(a_small_room_is_kept) {
    char shown[8];
    config_mask_url("redis://:secret@localhost", shown, sizeof shown);
    ck_assert_str_eq(shown, "redis:/");
    config_mask_url("redis://:secret@localhost", NULL, 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        urls_keep_everything_but_the_password,
        a_password_with_wild_characters_is_hidden_whole,
        a_small_room_is_kept,
    };
    return unit_run("mask", tests, sizeof tests / sizeof *tests);
}
