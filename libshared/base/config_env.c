/* SPDX-License-Identifier: MIT
 * config_env.c - settings from the environment: values, secrets that stand in files, and names that are
 * most likely misspelt. Changes nothing in the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "base/near.h"
#include "base/settings.h"
#include "base/text.h"

extern char **environ;

enum { NAME_SIZE = 64, HINT_SIZE = 160 };

/* --- secrets in files ------------------------------------------------------------------------------- */

/* The whole file, or one byte more than a value may have. -1: errno. */
static ssize_t file_read(const char *path, char *out, size_t size) {
    size_t used = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    while (used < size && got) {
        got = read(fd, out + used, size - used);
        if (got < 0 && errno != EINTR) break;
        if (got > 0) used += (size_t)got;
    }
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return got < 0 ? -1 : (ssize_t)used;
}

/* The line that a file holds. Never shown: it has a password. */
static shared_status secret_read(const char *name, const char *path, char *out, size_t size_max) {
    ssize_t size = file_read(path, out, size_max + 1);
    if (size < 0) return fail(SHARED_EINVALID, "%s: %.200s: %s", name, path, strerror(errno));
    if ((size_t)size > size_max)
        return fail(SHARED_EINVALID, "%s: %.200s: more than %zu bytes", name, path, size_max);
    while (size && (out[size - 1] == '\n' || out[size - 1] == '\r')) size--;
    out[size] = '\0';
    if (!size || strlen(out) != (size_t)size || strpbrk(out, "\n\r"))
        return fail(SHARED_EINVALID, "%s: %.200s: must hold one line of text", name, path);
    return SHARED_OK;
}

/* What DATABASE_URL_FILE names, for DATABASE_URL: an environment is shown to many eyes. */
static shared_status secret_set(shared_config *config, const struct setting *setting) {
    char name[NAME_SIZE], value[SETTING_VALUE_SIZE_MAX + 2];
    (void)snprintf(name, sizeof name, "%s_FILE", setting->name);
    const char *path = getenv(name);
    if (!path || !*path) return SHARED_OK;
    if (shared_config_is_set(config, setting->name))
        return fail(SHARED_EINVALID, "%s: %s is set too; which one is meant?", name, setting->name);
    shared_status status = secret_read(name, path, value, SETTING_VALUE_SIZE_MAX);
    return status < 0 ? status : config_set(config, setting->name, value);
}

/* --- names that are most likely misspelt ------------------------------------------------------------ */

/* The name of an entry "NAME=value". false: longer than any of ours. */
static bool entry_name(const char *entry, char name[NAME_SIZE]) {
    size_t size = strcspn(entry, "=");
    if (size >= NAME_SIZE) return false;
    memcpy(name, entry, size);
    name[size] = '\0';
    return true;
}

static bool is_secret(const char *name) {
    char file[NAME_SIZE];
    for (int32_t i = 0; i < settings_count; i++) {
        if (settings[i].kind != SETTING_URL) continue;
        (void)snprintf(file, sizeof file, "%s_FILE", settings[i].name);
        if (!strcmp(file, name)) return true;
    }
    return false;
}

/* A name of ours that is none is told at once, since its value is missed; one that is somebody else's but
 * looks like a setting that nobody set only to who asks. */
static void examine(shared_config *config, const char *entry) {
    char name[NAME_SIZE], hint[HINT_SIZE];
    if (!entry_name(entry, name) || shared_config_get(config, name) || is_secret(name)) return;
    bool ours = text_starts(name, "LEX_");
    const char *nearest = near_setting(name, ours ? near_limit(strlen(name)) : 1);
    if (!ours && (!nearest || shared_config_is_set(config, nearest))) return;
    (void)snprintf(hint, sizeof hint, "%s is not a setting%s%s%s", name,
                   nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    config_add_hint(config, hint);
    if (ours) log_format("config", SHARED_WARNING, "%s", hint);
}

/* One setting from the environment, in either form. */
static shared_status setting_read(shared_config *config, const struct setting *setting) {
    const char *value = getenv(setting->name);
    shared_status status = value ? config_set(config, setting->name, value) : SHARED_OK;
    if (status >= 0 && setting->kind == SETTING_URL) status = secret_set(config, setting);
    return status;
}

/* All of them; SHARED_EINVALID tells every wrong one, so that nobody has to mend and try them singly. */
static shared_status settings_read(shared_config *config) {
    char told[ERROR_MESSAGE_SIZE] = "";
    shared_status first = SHARED_OK;
    for (int32_t i = 0; i < settings_count; i++) {
        shared_status status = setting_read(config, &settings[i]);
        if (status == SHARED_ENOMEM) return status;
        if (status >= 0) continue;
        first = status;
        size_t used = strlen(told);
        (void)snprintf(told + used, sizeof told - used, "%s%s", used ? "; " : "",
                       shared_error_message(shared_error_last()));
    }
    return first < 0 ? fail(first, "%s", told) : config_check(config);
}

shared_status shared_config_from_env(shared_config **out) {
    operation_begin();
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    shared_status status = config_new(out);
    if (status >= 0) status = settings_read(*out);
    for (char **entry = environ; status >= 0 && entry && *entry; entry++) examine(*out, *entry);
    if (status >= 0) return status;
    shared_config_free(*out);
    *out = NULL;
    return status;
}
