/* SPDX-License-Identifier: MIT
 * runner.c - runs a fuzz target without libFuzzer: each file of a folder, and each beginning of it, since
 * foreign bytes may end anywhere. Finds nothing new; keeps what was found from coming back.
 */
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

enum { SEED_SIZE_MAX = 64 << 10, PATH_SIZE = 4096 };

/* A copy of its own size, so that a sanitizer sees a step past its end. */
static void run_beginning(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    require(copy != NULL);
    if (size) memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static bool run_file(const char *path) {
    static uint8_t bytes[SEED_SIZE_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    bool whole = size < sizeof bytes && !ferror(file);
    (void)fclose(file);
    if (!whole) fprintf(stderr, "%s: cannot be read, or has %zu bytes or more\n", path, size);
    for (size_t i = 0; whole && i <= size; i++) run_beginning(bytes, i);
    return whole;
}

int main(int count, char **words) {
    char path[PATH_SIZE];
    int files = 0;
    DIR *folder = count == 2 ? opendir(words[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", words[0]);
        return EXIT_FAILURE;
    }
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", words[1], entry->d_name);
        if (!run_file(path)) return EXIT_FAILURE;
        files++;
    }
    (void)closedir(folder);
    printf("%d files and all their beginnings\n", files);
    return files ? EXIT_SUCCESS : EXIT_FAILURE;
}
