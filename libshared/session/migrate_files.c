/* SPDX-License-Identifier: MIT
 * migrate_files.c - which migrations there are and which are wanted. Reads files, never a server.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "session/migrate.h"

enum { DIGITS = MIGRATION_NUMBER_SIZE - 1 };

/* NNNN-name.sql */
static int is_migration(const struct dirent *entry) {
    const char *name = entry->d_name;
    size_t size = strlen(name);
    return strspn(name, "0123456789") == DIGITS && name[DIGITS] == '-' && size > DIGITS + 5 &&
           !strcmp(name + size - 4, ".sql");
}

static bool add_file(struct migrations *migrations, const char *folder, const char *name) {
    struct migration *item = &migrations->items[migrations->count];
    size_t size = strlen(folder) + strlen(name) + 2;
    memcpy(item->number, name, DIGITS);
    item->path = malloc(size);
    if (!item->path) return false;
    snprintf(item->path, size, "%s/%s", folder, name);
    migrations->count++;
    return true;
}

static shared_status check_number(const struct migrations *migrations, size_t index) {
    char expected[16];
    snprintf(expected, sizeof expected, "%04zu", index + 1);
    if (!strcmp(migrations->items[index].number, expected)) return SHARED_OK;
    return fail(SHARED_EINVALID, "%s: number %s expected; migrations count from 0001, each once",
                migrations->items[index].path, expected);
}

static shared_status take_names(const char *folder, struct dirent **names, int count,
                                struct migrations *out) {
    out->items = calloc((size_t)count + 1, sizeof *out->items);
    if (!out->items) return fail(SHARED_ENOMEM, "no memory for %d migrations", count);
    for (int i = 0; i < count; i++) {
        if (!add_file(out, folder, names[i]->d_name))
            return fail(SHARED_ENOMEM, "no memory for %d migrations", count);
        shared_status status = check_number(out, (size_t)i);
        if (status < 0) return status;
    }
    return SHARED_OK;
}

shared_status migrations_list(const char *folder, struct migrations *out) {
    struct dirent **names = NULL;
    *out = (struct migrations){0};
    int count = scandir(folder, &names, is_migration, alphasort);
    if (count < 0)
        return fail(errno == ENOMEM ? SHARED_ENOMEM : SHARED_EINVALID, "migrations folder %s: %s",
                    folder, strerror(errno));
    shared_status status = SHARED_OK;
    if (count == 0 || count > MIGRATIONS_MAX)
        status =
            fail(SHARED_EINVALID, "migrations folder %s: %d files NNNN-name.sql, 1 to %d expected",
                 folder, count, MIGRATIONS_MAX);
    else
        status = take_names(folder, names, count, out);
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    if (status < 0) migrations_finish(out);
    return status;
}

void migrations_finish(struct migrations *migrations) {
    for (size_t i = 0; i < migrations->count; i++) free(migrations->items[i].path);
    free(migrations->items);
    *migrations = (struct migrations){0};
}

shared_status migrations_position(const struct migrations *migrations, const char *version,
                                  size_t *out) {
    *out = 0;
    if (!*version) return SHARED_OK;
    for (size_t i = 0; i < migrations->count; i++) {
        *out = i + 1;
        if (!strcmp(migrations->items[i].number, version)) return SHARED_OK;
    }
    return fail(SHARED_EINVALID, "version \"%.64s\": no migration has it; they end at %s", version,
                migrations->count ? migrations->items[migrations->count - 1].number : "none");
}

shared_status migrations_target(const struct migrations *migrations, size_t current,
                                const char *target, size_t *out) {
    size_t size = strlen(target);
    int64_t number = 0, last = (int64_t)migrations->count;
    if (!strcmp(target, "head"))
        number = last;
    else if (target[0] == '+' && text_to_int(target + 1, size - 1, 1, last, &number))
        number += (int64_t)current;
    else if (size != DIGITS || !text_to_int(target, size, 1, last, &number))
        return fail(SHARED_EINVALID,
                    "target \"%.64s\": \"head\", \"+N\" or 0001 to %04lld expected", target,
                    (long long)last);
    if (number > last || number < (int64_t)current)
        return fail(SHARED_EINVALID,
                    "target \"%.64s\" is number %lld; the database is at %zu of %lld", target,
                    (long long)number, current, (long long)last);
    *out = (size_t)number;
    return SHARED_OK;
}

/* The file's bytes and a NUL; NULL and fail(). */
static char *read_whole(FILE *file, const char *path) {
    struct stat status;
    if (fstat(fileno(file), &status) || status.st_size > MIGRATION_BYTES_MAX) {
        (void)fail(SHARED_EINVALID, "%s: larger than %d bytes", path, MIGRATION_BYTES_MAX);
        return NULL;
    }
    char *text = calloc(1, (size_t)status.st_size + 1);
    if (!text) {
        (void)fail(SHARED_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    if (fread(text, 1, (size_t)status.st_size, file) == (size_t)status.st_size) return text;
    (void)fail(SHARED_EINVALID, "%s: cannot be read: %s", path, strerror(errno));
    free(text);
    return NULL;
}

char *migration_read(const struct migration *migration) {
    FILE *file = fopen(migration->path, "re");
    if (!file) {
        (void)fail(errno == ENOMEM ? SHARED_ENOMEM : SHARED_EINVALID, "%s: cannot be read: %s",
                   migration->path, strerror(errno));
        return NULL;
    }
    char *text = read_whole(file, migration->path);
    (void)fclose(file);
    return text;
}
