/* SPDX-License-Identifier: MIT
 * config.c - a set of values for the table of settings. Never shows a password in a message, and reads no
 * environment: config_env.c does. What a URL means is net/url.c's.
 */
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/near.h"
#include "base/settings.h"
#include "base/text.h"

enum { HINTS_MAX = 16 };

struct shared_config {
    char *set[SETTINGS_MAX];     /* NULL: the default */
    char *derived[SETTINGS_MAX]; /* defaults made from another setting */
    struct buffer safe;          /* what shared_config_safe returned */
    char *hints[HINTS_MAX];
    int32_t hint_count;
};

static int32_t setting_find(const char *name) {
    for (int32_t i = 0; name && i < settings_count; i++)
        if (!strcmp(settings[i].name, name)) return i;
    return -1;
}

/* --- values --------------------------------------------------------------------------------------- */

/* The word of a list "on off" that value is, in any case, up to a space or the end; NULL: none. */
static const char *word_find(const char *words, const char *value) {
    size_t size = strlen(value);
    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " ");
        if (length == size && !strncasecmp(word, value, size)) return word;
        word += length + strspn(word + length, " ");
    }
    return NULL;
}

/* "1" or "0"; NULL: neither. */
static const char *bool_find(const char *value) {
    if (word_find("1 true on yes", value)) return "1";
    return word_find("0 false off no", value) ? "0" : NULL;
}

/* "no" is nearer to "on" by its letters, and means off. */
static const char *nearest_word(const char *words, const char *value, size_t *size) {
    const char *truth = bool_find(value);
    const char *meant = truth ? word_find(words, *truth == '1' ? "on" : "off") : NULL;
    if (!meant) return near_word(words, value, size);
    *size = strcspn(meant, " ");
    return meant;
}

static shared_status refuse_word(const struct setting *setting, const char *value,
                                 const char *wanted, const char *words) {
    size_t size = 0;
    const char *nearest = nearest_word(words, value, &size);
    return fail(SHARED_EINVALID, "%s: \"%s\", must be %s%s%.*s%s", setting->name, value, wanted,
                nearest ? "; did you mean " : "", (int)size, nearest ? nearest : "",
                nearest ? "?" : "");
}

static shared_status refuse(const struct setting *setting, const char *value) {
    char shown[128], wanted[128];
    if (setting->kind == SETTING_URL)
        config_mask_url(value, shown, sizeof shown);
    else
        (void)snprintf(shown, sizeof shown, "%s", value);
    if (setting->kind == SETTING_INT)
        return fail(SHARED_EINVALID, "%s: \"%s\", must be a whole number from %lld to %lld%s%s",
                    setting->name, shown, (long long)setting->min, (long long)setting->max,
                    setting->unit ? " " : "", setting->unit ? setting->unit : "");
    if (setting->kind == SETTING_BOOL)
        return refuse_word(setting, shown, "0 or 1", "0 1 true false on off yes no");
    if (setting->kind == SETTING_WORD) {
        (void)snprintf(wanted, sizeof wanted, "one of: %s", setting->words);
        return refuse_word(setting, shown, wanted, setting->words);
    }
    if (setting->kind == SETTING_LEVELS)
        return fail(SHARED_EINVALID,
                    "%s: \"%s\", must be name=level,name=level, at most %d of them; a level is one "
                    "of: debug info warning error",
                    setting->name, shown, LOG_RULES_MAX);
    if (setting->kind == SETTING_QUEUE)
        return fail(SHARED_EINVALID,
                    "%s: \"%.100s\", must be 1 to %d bytes of UTF-8 without spaces, quotes and "
                    "backslashes",
                    setting->name, shown, QUEUE_NAME_SIZE - 1);
    return fail(SHARED_EINVALID, "%s: \"%.40s...\", must be UTF-8 of at most %d bytes",
                setting->name, shown, SETTING_VALUE_SIZE_MAX);
}

bool queue_name_valid(const char *name) {
    size_t size = strlen(name);
    bool fits = size > 0 && size < QUEUE_NAME_SIZE && text_is_utf8(name, size);
    for (const char *at = name; *at && fits; at++)
        fits = (unsigned char)*at > ' ' && *at != '"' && *at != '\\';
    return fits;
}

/* Whether the value is one of the setting's kind, and then its normal form, whose first bytes count. */
static const char *value_find(const struct setting *setting, const char *value, size_t *size) {
    int64_t number;
    *size = strlen(value);
    if (*size > SETTING_VALUE_SIZE_MAX || !text_is_utf8(value, *size)) return NULL;
    switch (setting->kind) {
    case SETTING_INT:
        return text_to_int(value, *size, setting->min, setting->max, &number) ? value : NULL;
    case SETTING_BOOL: *size = 1; return bool_find(value);
    case SETTING_WORD: return word_find(setting->words, value);
    case SETTING_LEVELS: return log_levels_valid(value) ? value : NULL;
    case SETTING_QUEUE: return queue_name_valid(value) ? value : NULL;
    case SETTING_TEXT:
    case SETTING_URL:
    case SETTING_PATH: break;
    }
    return value;
}

static shared_status value_make(const struct setting *setting, const char *value, char **out) {
    size_t size;
    const char *normal = value_find(setting, value, &size);
    if (!normal) return refuse(setting, value);
    *out = text_copy_size(normal, size);
    return *out ? SHARED_OK : fail(SHARED_ENOMEM, "%s: out of memory", setting->name);
}

/* --- defaults made from another setting ----------------------------------------------------------- */

/* Appends the parameters of a URL, from its '?' on, without those that name a database. */
static void parameters_add(struct buffer *out, const char *query) {
    char separator = '?';
    while (*query) {
        const char *parameter = query + 1; /* behind '?' or '&' */
        size_t size = strcspn(parameter, "&");
        query = parameter + size;
        if (!size || text_starts(parameter, "db=") || text_starts(parameter, "virtual_host="))
            continue;
        buffer_add_char(out, separator);
        buffer_add(out, parameter, size);
        separator = '&';
    }
}

/* redis://host:6379/7?x=1 with another database. A socket's path is not a database: there it is a
 * parameter. malloc. */
static char *url_with_database(const char *url, int32_t database) {
    struct buffer out = {0};
    const char *authority = strstr(url, "://");
    const char *query = url + strcspn(url, "?");
    bool kombu = text_starts(url, "redis+socket:");
    if (kombu || !authority || text_starts(url, "unix:")) {
        buffer_add(&out, url, (size_t)(query - url));
        parameters_add(&out, query);
        bool more = out.size > (size_t)(query - url);
        buffer_format(&out, "%c%s=%d", more ? '&' : '?', kombu ? "virtual_host" : "db", database);
        return buffer_take(&out);
    }
    buffer_add(&out, url, (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?"));
    buffer_format(&out, "/%d", database);
    parameters_add(&out, query);
    return buffer_take(&out);
}

/* All defaults that follow from a value of setting number source: whole, or SHARED_ENOMEM and none. */
static shared_status derive_all(shared_config *config, int32_t source, const char *value) {
    char *made[SETTINGS_MAX] = {NULL};
    bool complete = true;
    for (int32_t i = 0; i < settings_count; i++) {
        if (!text_equal(settings[i].derived_from, settings[source].name)) continue;
        made[i] = *value ? url_with_database(value, settings[i].database) : text_copy("");
        complete = complete && made[i];
    }
    for (int32_t i = 0; i < settings_count; i++) {
        if (!made[i]) continue;
        if (complete) {
            char *old = config->derived[i];
            config->derived[i] = made[i];
            made[i] = old;
        }
        free(made[i]);
    }
    return complete ? SHARED_OK : fail(SHARED_ENOMEM, "%s: out of memory", settings[source].name);
}

/* --- the whole ------------------------------------------------------------------------------------ */

shared_status config_new(shared_config **out) {
    *out = calloc(1, sizeof **out);
    return *out ? SHARED_OK : fail(SHARED_ENOMEM, "settings: out of memory");
}

shared_status config_check(const shared_config *config) {
    for (int32_t i = 0; i < setting_orders_count; i++) {
        const struct setting_order *order = &setting_orders[i];
        int64_t less = shared_config_int(config, order->less);
        int64_t more = shared_config_int(config, order->more);
        if (less < more || (order->equal && less == more)) continue;
        return fail(SHARED_EINVALID, "%s: %lld, must be %s %s, which is %lld", order->less,
                    (long long)less, order->equal ? "at most" : "less than", order->more,
                    (long long)more);
    }
    return SHARED_OK;
}

static shared_status refuse_name(const char *name) {
    const char *nearest = near_setting(name, near_limit(strlen(name)));
    return fail(SHARED_EINVALID, "%.80s is not a setting%s%s%s", name,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

shared_status config_set(shared_config *config, const char *name, const char *value) {
    if (!config || !name || !value) return fail(SHARED_EINVALID, "config, name or value is NULL");
    int32_t index = setting_find(name);
    if (index < 0) return refuse_name(name);
    char *made = NULL;
    /* An empty value means the default: compose files pass variables on that nobody set. */
    shared_status status = *value ? value_make(&settings[index], value, &made) : SHARED_OK;
    if (status >= 0) status = derive_all(config, index, made ? made : settings[index].preset);
    if (status < 0) {
        free(made);
        return status;
    }
    free(config->set[index]);
    config->set[index] = made;
    return SHARED_OK;
}

shared_status shared_config_set(shared_config *config, const char *name, const char *value) {
    operation_begin();
    return config_set(config, name, value);
}

shared_config *config_copy(const shared_config *config) {
    shared_config *copy;
    shared_status status = config_new(&copy);
    for (int32_t i = 0; status >= 0 && i < settings_count; i++)
        if (config->set[i]) status = config_set(copy, settings[i].name, config->set[i]);
    if (status >= 0) return copy;
    shared_config_free(copy);
    return NULL;
}

void shared_config_free(shared_config *config) {
    if (!config) return;
    for (int32_t i = 0; i < settings_count; i++) {
        free(config->set[i]);
        free(config->derived[i]);
    }
    for (int32_t i = 0; i < config->hint_count; i++) free(config->hints[i]);
    buffer_finish(&config->safe);
    free(config);
}

/* --- reading -------------------------------------------------------------------------------------- */

static const char *value_of(const shared_config *config, int32_t index) {
    if (config->set[index]) return config->set[index];
    return config->derived[index] ? config->derived[index] : settings[index].preset;
}

const char *shared_config_get(const shared_config *config, const char *name) {
    int32_t index = setting_find(name);
    return config && index >= 0 ? value_of(config, index) : NULL;
}

int64_t shared_config_int(const shared_config *config, const char *name) {
    const char *value = shared_config_get(config, name);
    int64_t number = 0;
    if (value) (void)text_to_int(value, strlen(value), INT64_MIN, INT64_MAX, &number);
    return number;
}

const char *shared_config_safe(shared_config *config, const char *name) {
    int32_t index = setting_find(name);
    if (!config || index < 0) return NULL;
    const char *value = value_of(config, index);
    if (settings[index].kind != SETTING_URL) return value;
    buffer_clear(&config->safe);
    mask_add(&config->safe, value);
    return config->safe.failed ? "***" : config->safe.data;
}

const char *shared_config_name(int32_t index) {
    return index >= 0 && index < settings_count ? settings[index].name : NULL;
}

const char *shared_config_help(const char *name) {
    static _Thread_local char help[512];
    int32_t index = setting_find(name);
    if (index < 0) return "";
    const struct setting *setting = &settings[index];
    if (setting->kind == SETTING_INT)
        (void)snprintf(help, sizeof help, "%s (%lld to %lld%s%s).", setting->help,
                       (long long)setting->min, (long long)setting->max, setting->unit ? " " : "",
                       setting->unit ? setting->unit : "");
    else if (setting->kind == SETTING_BOOL || setting->kind == SETTING_WORD)
        (void)snprintf(help, sizeof help, "%s (one of: %s).", setting->help,
                       setting->words ? setting->words : "0 1");
    else
        (void)snprintf(help, sizeof help, "%s.", setting->help);
    return help;
}

const char *shared_config_group(const char *name) {
    const char *heading = "";
    int32_t index = setting_find(name);
    for (int32_t i = 0; i < setting_groups_count; i++)
        if (setting_find(setting_groups[i].first) <= index) heading = setting_groups[i].heading;
    return heading;
}

int32_t shared_config_is_set(const shared_config *config, const char *name) {
    int32_t index = setting_find(name);
    return config && index >= 0 && config->set[index];
}

/* --- hints ------------------------------------------------------------------------------------------ */

void config_add_hint(shared_config *config, const char *text) {
    if (config->hint_count == HINTS_MAX) return;
    char *hint = text_copy(text);
    if (hint) config->hints[config->hint_count++] = hint; /* or it is not said: it is only a hint */
}

const char *shared_config_hint(const shared_config *config, int32_t index) {
    return config && index >= 0 && index < config->hint_count ? config->hints[index] : NULL;
}
