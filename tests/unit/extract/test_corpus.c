/* SPDX-License-Identifier: MIT
 * test_corpus.c - real documents, each read inside the sandbox and outside: the same text, the same
 * refusal, never a death. The folder is the first argument; where it is absent the test is skipped.
 */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "unit.h"

enum { FILES_MAX = 4096, SKIPPED = 77, DESCRIPTORS = 16 };

static const char *corpus;
static char *paths[FILES_MAX];
static int path_count;

static int add_path(const char *path, const struct stat *state, int type, struct FTW *place) {
    (void)state, (void)place;
    if (type == FTW_F && path_count < FILES_MAX) paths[path_count++] = strdup(path);
    return 0;
}

static bool ends_with(const char *path, const char *end) {
    size_t size = strlen(path);
    return size >= strlen(end) && strcmp(path + size - strlen(end), end) == 0;
}

static void compare(const char *path, const struct outcome *boxed, const struct outcome *open) {
    ck_assert_msg(boxed->result.box_seen, "%s: no box", path);
    ck_assert_msg(boxed->result.code == open->result.code, "%s: %s inside, %s outside", path,
                  boxed->result.sentence, open->result.sentence);
    ck_assert_msg(boxed->result.code != EXTRACT_EXTRACTOR_KILLED &&
                      boxed->result.code != EXTRACT_INTERNAL,
                  "%s: %s", path, boxed->result.sentence);
    ck_assert_msg(boxed->size == open->size &&
                      (!open->size || memcmp(boxed->text, open->text, open->size) == 0),
                  "%s: %zu bytes of text inside, %zu outside", path, boxed->size, open->size);
}

START_TEST(sandboxed_text_is_unsandboxed_text) {
    struct client inside, outside;
    int read = 0;
    ck_assert(client_start(&inside, EXTRACT_PROGRAM, true));
    ck_assert(client_start(&outside, EXTRACT_PROGRAM, false));
    for (int i = 0; i < path_count; i++) {
        size_t size;
        char *bytes = file_read(paths[i], &size);
        struct outcome boxed = outcome_of(&inside, bytes, size, NULL, 1);
        struct outcome open = outcome_of(&outside, bytes, size, NULL, 1);
        compare(paths[i], &boxed, &open);
        read += boxed.result.code == EXTRACT_NO_ERROR;
        outcome_free(&boxed);
        outcome_free(&open);
        free(bytes);
    }
    ck_assert_int_gt(read, 0);
    ck_assert_int_eq(client_finish(&inside), 0);
    ck_assert_int_eq(client_finish(&outside), 0);
}
END_TEST

/* By their names, which is how the collections mark them. */
static bool may_be_locked(const char *path) {
    return strstr(path, "assword") || strstr(path, "owner_user");
}

START_TEST(each_pdf_is_read_or_has_a_password) {
    struct client client;
    ck_assert(client_start(&client, EXTRACT_PROGRAM, true));
    for (int i = 0; i < path_count; i++) {
        if (!ends_with(paths[i], ".pdf")) continue;
        size_t size;
        char *bytes = file_read(paths[i], &size);
        struct outcome outcome = outcome_of(&client, bytes, size, NULL, 1);
        bool locked = outcome.result.code == EXTRACT_PASSWORD_REQUIRED && may_be_locked(paths[i]);
        ck_assert_msg(locked || outcome.result.code == EXTRACT_NO_ERROR, "%s: %s", paths[i],
                      outcome.result.sentence);
        ck_assert_msg(outcome.result.pages_failed == 0, "%s: %s", paths[i], outcome.failures[0]);
        outcome_free(&outcome);
        free(bytes);
    }
    ck_assert_int_eq(client_finish(&client), 0);
}
END_TEST

int main(int argc, char **argv) {
    corpus = argc > 1 ? argv[1] : "";
    struct stat state;
    if (stat(corpus, &state) != 0) return SKIPPED;
    if (nftw(corpus, add_path, DESCRIPTORS, FTW_PHYS) != 0) return EXIT_FAILURE;
    const TTest *const tests[] = {sandboxed_text_is_unsandboxed_text,
                                  each_pdf_is_read_or_has_a_password};
    int status = unit_run("extract-corpus", tests, sizeof tests / sizeof *tests);
    for (int i = 0; i < path_count; i++) free(paths[i]);
    return status;
}
