/* SPDX-License-Identifier: MIT
 * migrate.h - the files of a folder of migrations, as migrate.c takes them. Never talks to a server.
 */
#ifndef SESSION_MIGRATE_H
#define SESSION_MIGRATE_H

#include <shared/error.h>
#include <stddef.h>

enum {
    MIGRATIONS_MAX = 1000,
    MIGRATION_BYTES_MAX = 8 << 20,
    MIGRATION_NUMBER_SIZE = 5 /* "0001" */
};

struct migration {
    char number[MIGRATION_NUMBER_SIZE];
    char *path;
};

/* By number. */
struct migrations {
    struct migration *items;
    size_t count;
};

/* Reads the names NNNN-name.sql of a folder; others are passed over. SHARED_EINVALID names the folder, a
 * number that two files have, or one that is missing: they count from 0001 without a gap. */
shared_status migrations_list(const char *folder, struct migrations *out);
void migrations_finish(struct migrations *migrations);
/* Position behind the target in the list, given the current one (position behind the last applied):
 * "head", "+N", "NNNN". SHARED_EINVALID names the target; it lies never before the current one. */
shared_status migrations_target(const struct migrations *migrations, size_t current,
                                const char *target, size_t *out);
/* Position behind a version, 0 for "". SHARED_EINVALID when no file has it. */
shared_status migrations_position(const struct migrations *migrations, const char *version,
                                  size_t *out);
/* The text of a file, NUL-terminated; malloc. NULL and fail(). */
char *migration_read(const struct migration *migration);

#endif
