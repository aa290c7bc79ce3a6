/* SPDX-License-Identifier: MIT
 * settings.c - shows every setting with its value and what it means, as `lex-intel doctor` does, and what
 * is loaded. NAME=VALUE words are set first, with the checks of the environment.
 *
 *     ./settings POOL_SIZE=20 LOG_LEVEL=debug
 */
#include <string.h>

#include "example.h"

static void set(shared_config *config, const char *word) {
    char name[64];
    const char *equals = strchr(word, '=');
    size_t size = equals ? (size_t)(equals - word) : sizeof name;
    if (size >= sizeof name) {
        fprintf(stderr, "%s: not NAME=VALUE\n", word);
        exit(64);
    }
    memcpy(name, word, size);
    name[size] = '\0';
    must(shared_config_set(config, name, equals + 1), "settings");
}

static void show_all(shared_config *config) {
    const char *group = "", *name;
    for (int32_t i = 0; (name = shared_config_name(i)); i++) {
        if (strcmp(group, shared_config_group(name)) != 0) {
            group = shared_config_group(name);
            printf("\n%s\n", group);
        }
        printf("%c %s=%s\n    %s\n", shared_config_is_set(config, name) ? '*' : ' ', name,
               shared_config_safe(config, name), shared_config_help(name));
    }
}

int main(int count, char **words) {
    shared_config *config = NULL;
    must(shared_config_from_env(&config), "settings");
    for (int i = 1; i < count; i++) set(config, words[i]);
    shared_log_configure(config);

    printf("libshared %s %s headers\n%s\n", shared_version_text(),
           shared_version() == SHARED_VERSION ? "with its own" : "with other", shared_build_info());
    show_all(config);
    const char *hint;
    for (int32_t i = 0; (hint = shared_config_hint(config, i)); i++) printf("%s\n", hint);

    if (shared_log_enabled("example", SHARED_DEBUG))
        shared_log("example", SHARED_DEBUG, "all shown");
    if (!*shared_config_get(config, "DATABASE_URL"))
        shared_log_with("example", SHARED_WARNING, "a setting is missing", "name", "DATABASE_URL");
    if (shared_config_int(config, "POOL_SIZE") > 100) {
        const char *names[] = {"name", "value"};
        const char *values[] = {"POOL_SIZE", shared_config_get(config, "POOL_SIZE")};
        shared_log_pairs("example", SHARED_WARNING, "more than a server likes", names, values, 2);
    }
    shared_config_free(config);
    return 0;
}
