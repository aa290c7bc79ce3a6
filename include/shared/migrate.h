/* SPDX-License-Identifier: MIT
 * migrate.h - the schema's versions: files NNNN-name.sql, each applied in one transaction under an
 * advisory lock; the version is kept in the table alembic_version, so that Alembic can take turns.
 */
#ifndef SHARED_MIGRATE_H
#define SHARED_MIGRATE_H

#include <shared/api.h>
#include <shared/client.h>

SHARED_BEGIN

/** Applies the files of directory (NULL: the setting LEX_MIGRATIONS_DIR) up to target: "head", "+N" or
 *  "NNNN". DONE: count is how many were applied, json {"from":"0001","to":"0003"}. Added in 0.1.0. */
SHARED_API shared_status shared_migrate_upgrade(shared_client *client, const char *directory,
                                                const char *target, uint64_t tag);
/** DONE: json {"current":"0003" or null,"head":"0003"}; count is how many are to be applied.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_migrate_current(shared_client *client, const char *directory,
                                                uint64_t tag);

SHARED_END

#endif
