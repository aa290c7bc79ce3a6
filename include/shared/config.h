/* SPDX-License-Identifier: MIT
 * config.h - settings by the names of the environment. One table (libshared/base/settings.c) holds each
 * setting's name, default, range and meaning; docs/config.md and `lex-intel doctor` are made from it.
 *
 *     shared_config *config;
 *     if (shared_config_from_env(&config) < 0) exit_with(shared_error_last());
 *     int64_t limit = shared_config_int(config, "MAX_UPLOAD_BYTES");
 */
#ifndef SHARED_CONFIG_H
#define SHARED_CONFIG_H

#include <shared/api.h>
#include <shared/error.h>

SHARED_BEGIN

/** A set of settings. Belongs to one thread at a time. */
typedef struct shared_config shared_config;

/** Reads the environment; what is absent or empty gets its default. A URL may stand in a file instead, so
 *  that its password is not in the environment: DATABASE_URL_FILE=/run/secrets/database names a file of one
 *  line. SHARED_EINVALID names each wrong variable, its value (passwords masked), the range with its unit, and
 *  for a word that is none the nearest one. A name LEX_... that is no setting is a warning in the log, since
 *  it may be another version's. Added in 0.1.0. */
SHARED_API shared_status shared_config_from_env(shared_config **out);
/** Sets one setting, with the checks of the environment's; "" means the default. SHARED_EINVALID for a
 *  name that is none says the nearest one. How two settings stand to each other is checked by
 *  shared_client_new, when all are set. Added in 0.1.0. */
SHARED_API shared_status shared_config_set(shared_config *config, const char *name,
                                           const char *value);
/** Value as text, "" when it has none; NULL when there is no such setting. Added in 0.1.0. */
SHARED_API const char *shared_config_get(const shared_config *config, const char *name);
/** Value as a number; 0 when the setting is not a number. Added in 0.1.0. */
SHARED_API int64_t shared_config_int(const shared_config *config, const char *name);
/** Value fit for logs: passwords are replaced by "***". Valid until the next call. Added in 0.1.0. */
SHARED_API const char *shared_config_safe(shared_config *config, const char *name);
/** Name of setting number index, NULL past the last: to walk over all. Added in 0.1.0. */
SHARED_API const char *shared_config_name(int32_t index);
/** The heading that it stands under: "PostgreSQL". Settings of one heading follow each other; "" when
 *  there is no such setting. Added in 0.1.0. */
SHARED_API const char *shared_config_group(const char *name);
/** Meaning of a setting in a sentence, with its unit and range. Added in 0.1.0. */
SHARED_API const char *shared_config_help(const char *name);
/** 1 when the value was set, 0 when it is the default. Added in 0.1.0. */
SHARED_API int32_t shared_config_is_set(const shared_config *config, const char *name);
/** Names of the environment that are most likely misspelt, a sentence each, from index 0; NULL past the
 *  last: "LEX_SANBOX is not a setting; did you mean LEX_SANDBOX?". Besides names LEX_... those that are one
 *  letter away from a setting that nobody set: DATABSE_URL. At most 16. Added in 0.1.0. */
SHARED_API const char *shared_config_hint(const shared_config *config, int32_t index);
/** Accepts NULL. Added in 0.1.0. */
SHARED_API void shared_config_free(shared_config *config);

SHARED_END

#endif
