/* SPDX-License-Identifier: MIT
 * test_migrate_files.c - which migrations a folder holds, and which of them a target means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/migrate.h"
#include "unit.h"

static char folder[64];

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/migrate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(files_are_taken_by_number_and_others_passed_over) {
    struct migrations migrations;
    put("0002-second.sql", "SELECT 2");
    put("0001-first.sql", "SELECT 1");
    put("README.md", "");
    put("0003.sql", "");
    ck_assert_int_eq(migrations_list(folder, &migrations), SHARED_OK);
    ck_assert_uint_eq(migrations.count, 2);
    ck_assert_str_eq(migrations.items[0].number, "0001");
    char *text = migration_read(&migrations.items[1]);
    ck_assert_str_eq(text, "SELECT 2");
    free(text);
    migrations_finish(&migrations);
}
END_TEST

static const struct {
    const char *names[3];
    const char *named; /* in the message */
} refused[] = {
    {{NULL}, "0 files"},
    {{"0002-a.sql"}, "0001"},
    {{"0001-a.sql", "0003-b.sql"}, "0002"},
    {{"0001-a.sql", "0001-b.sql"}, "0002"},
};

START_TEST(folder_with_a_gap_is_refused) {
    struct migrations migrations;
    for (int i = 0; i < 3 && refused[_i].names[i]; i++) put(refused[_i].names[i], "");
    ck_assert_int_eq(migrations_list(folder, &migrations), SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), refused[_i].named));
}
END_TEST

static const struct {
    size_t current;
    const char *target;
    int64_t end; /* -1: refused */
} targets[] = {
    {0, "head", 3}, {3, "head", 3}, {1, "+1", 2},  {1, "+2", 3},    {0, "0002", 2},
    {2, "0002", 2}, {2, "+2", -1},  {0, "+0", -1}, {2, "0001", -1}, {0, "0004", -1},
    {0, "2", -1},   {0, "", -1},    {0, "-1", -1}, {0, "+x", -1},   {0, "base", -1},
};

START_TEST(target_is_a_number_of_a_migration) {
    struct migration items[] = {{.number = "0001"}, {.number = "0002"}, {.number = "0003"}};
    struct migrations migrations = {.items = items, .count = 3};
    size_t end = 99;
    shared_status status =
        migrations_target(&migrations, targets[_i].current, targets[_i].target, &end);
    ck_assert_int_eq(status, targets[_i].end < 0 ? SHARED_EINVALID : SHARED_OK);
    if (targets[_i].end >= 0) ck_assert_int_eq((int64_t)end, targets[_i].end);
}
END_TEST

START_TEST(version_that_no_file_has_is_named) {
    struct migration items[] = {{.number = "0001"}};
    struct migrations migrations = {.items = items, .count = 1};
    size_t position = 99;
    ck_assert_int_eq(migrations_position(&migrations, "", &position), SHARED_OK);
    ck_assert_uint_eq(position, 0);
    ck_assert_int_eq(migrations_position(&migrations, "0001", &position), SHARED_OK);
    ck_assert_uint_eq(position, 1);
    ck_assert_int_eq(migrations_position(&migrations, "abc123", &position), SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "abc123"));
}
END_TEST

int main(void) {
    TCase *files = tcase_create("files"), *targets_case = tcase_create("targets");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, files_are_taken_by_number_and_others_passed_over);
    tcase_add_loop_test(files, folder_with_a_gap_is_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_loop_test(targets_case, target_is_a_number_of_a_migration, 0,
                        sizeof targets / sizeof *targets);
    tcase_add_test(targets_case, version_that_no_file_has_is_named);
    int failed = unit_run_case("migrate_files", files);
    return failed ? failed : unit_run_case("migrate_targets", targets_case);
}
