/* SPDX-License-Identifier: MIT
 * test_names.c - a table of names through growth, removal and reuse.
 */
#include "progress/names.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { COUNT = 5000 };

struct thing {
    struct name name;
    char text[16];
};

START_TEST(what_was_added_is_found_until_it_is_removed) {
    struct names names = {.slots = NULL};
    struct thing *things = calloc(COUNT, sizeof *things);
    ck_assert_ptr_null(names_find(&names, "0"));
    for (int i = 0; i < COUNT; i++) {
        snprintf(things[i].text, sizeof things[i].text, "%d", i);
        ck_assert(names_add(&names, &things[i].name, things[i].text));
    }
    ck_assert_uint_eq(names.count, COUNT);
    ck_assert_uint_ge(names.slot_count, COUNT / 2);
    for (int i = 0; i < COUNT; i += 2) names_remove(&names, &things[i].name);
    for (int i = 0; i < COUNT; i++) {
        struct name *found = names_find(&names, things[i].text);
        ck_assert_ptr_eq(found, i % 2 ? &things[i].name : NULL);
    }
    ck_assert_ptr_null(names_find(&names, "5000"));
    for (int i = 1; i < COUNT; i += 2) names_remove(&names, &things[i].name);
    ck_assert_uint_eq(names.count, 0);
    names_finish(&names);
    ck_assert_ptr_null(names_find(&names, "1"));
    free(things);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_was_added_is_found_until_it_is_removed};
    return unit_run("names", tests, sizeof tests / sizeof *tests);
}
