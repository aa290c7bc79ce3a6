/* SPDX-License-Identifier: MIT
 * config.h - what the folders to the right need of the settings beyond <shared/config.h>.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <shared/config.h>
#include <stdbool.h>
#include <stddef.h>

/* All defaults. */
shared_status config_new(shared_config **out);
/* Keeps a sentence for shared_config_hint. */
void config_add_hint(shared_config *config, const char *text);
/* shared_config_set without its name: an error belongs to the public function that calls. */
shared_status config_set(shared_config *config, const char *name, const char *value);
/* A copy of its own, without the hints. NULL without memory (fail() was called). */
shared_config *config_copy(const shared_config *config);
/* What holds between settings: a lease is longer than the pause between its renewals, ... */
shared_status config_check(const shared_config *config);
/* A URL with its password (user:PASSWORD@, and ?password=, and key=value form) replaced by "***". It
 * hides too much rather than too little. */
void config_mask_url(const char *url, char *out, size_t out_size);

enum { QUEUE_NAME_SIZE = 201 }; /* with the NUL */
/* Whether a queue may be called so, by QUEUE_NAME or by whoever names one. */
bool queue_name_valid(const char *name);

#endif
