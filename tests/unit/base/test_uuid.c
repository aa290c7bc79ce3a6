/* SPDX-License-Identifier: MIT
 * test_uuid.c - form, order and uniqueness of identifiers, also among threads and after a fork.
 */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "unit.h"

static void assert_form(const char *uuid, char version) {
    ck_assert_uint_eq(strlen(uuid), UUID_TEXT_SIZE - 1);
    for (size_t i = 0; i < UUID_TEXT_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        ck_assert_msg(dash ? uuid[i] == '-' : strchr("0123456789abcdef", uuid[i]) != NULL, "%s",
                      uuid);
    }
    ck_assert_msg(uuid[14] == version && strchr("89ab", uuid[19]), "%s", uuid);
}

START_TEST(version_and_variant_stand_in_their_places) {
    char uuid[UUID_TEXT_SIZE];
    for (int i = 0; i < 1000; i++) {
        uuid_make_v4(uuid);
        assert_form(uuid, '4');
        uuid_make_v7(uuid);
        assert_form(uuid, '7');
    }
}
END_TEST

START_TEST(v7_begins_with_the_time) {
    char uuid[UUID_TEXT_SIZE], digits[13];
    int64_t before = time_wall_us() / 1000;
    uuid_make_v7(uuid);
    int64_t after = time_wall_us() / 1000;
    memcpy(digits, uuid, 8);
    memcpy(digits + 8, uuid + 9, 4);
    digits[12] = '\0';
    int64_t told = strtoll(digits, NULL, 16);
    ck_assert_int_ge(told, before);
    ck_assert_int_le(told, after);
}
END_TEST

START_TEST(v7_only_rises_within_the_process) {
    char last[UUID_TEXT_SIZE] = "", uuid[UUID_TEXT_SIZE];
    for (int i = 0; i < 20000; i++) { /* more than fit into a millisecond's counter */
        uuid_make_v7(uuid);
        ck_assert_str_gt(uuid, last);
        memcpy(last, uuid, sizeof last);
    }
}
END_TEST

enum { THREADS = 4, EACH = 5000 };
static char made[THREADS * EACH][UUID_TEXT_SIZE];

static void *make_many(void *first) {
    char(*at)[UUID_TEXT_SIZE] = first;
    for (int i = 0; i < EACH; i++) uuid_make_v7(at[i]);
    return NULL;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

START_TEST(threads_never_make_the_same) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_many, made + i * EACH), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    qsort(made, THREADS * EACH, UUID_TEXT_SIZE, compare);
    for (int i = 1; i < THREADS * EACH; i++) ck_assert_str_ne(made[i - 1], made[i]);
}
END_TEST

START_TEST(a_forked_child_makes_others) {
    int ends[2];
    char here[UUID_TEXT_SIZE], there[UUID_TEXT_SIZE];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        uuid_make_v4(there);
        _exit(write(ends[1], there, sizeof there) == (ssize_t)sizeof there ? 0 : 1);
    }
    uuid_make_v4(here);
    ck_assert_int_eq(read(ends[0], there, sizeof there), (ssize_t)sizeof there);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_str_ne(here, there);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        version_and_variant_stand_in_their_places,
        v7_begins_with_the_time,
        v7_only_rises_within_the_process,
        threads_never_make_the_same,
        a_forked_child_makes_others,
    };
    return unit_run("uuid", tests, sizeof tests / sizeof *tests);
}
