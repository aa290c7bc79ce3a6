/* SPDX-License-Identifier: MIT
 * config_doc.c - prints docs/config.md from the table of settings, through the public functions alone.
 * Reads no environment.
 */
#include <shared/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] =
    "# Settings\n"
    "Made from the table in `libshared/base/settings.c`; `tests/abi` fails when this page is "
    "stale.\n"
    "All programs and libshared read them from the environment. An empty value means the default; "
    "a\n"
    "wrong one stops the program with a sentence that names it, its limit, and the nearest word "
    "that\n"
    "is valid. `lex-intel doctor` shows the values in force, with passwords masked, and the names "
    "of\n"
    "the environment that are most likely misspelt; of these a name `LEX_...` is a warning in the "
    "log.\n"
    "\n"
    "A URL may stand in a file of one line instead, as Docker's secrets do, so that its password "
    "is\n"
    "not in the environment: `DATABASE_URL_FILE=/run/secrets/database_url`, and so for the other\n"
    "three. It is an error to set both.\n";

/* Defaults that depend on where the package was installed. */
static const char *const installed[] = {"LEX_EXTRACT_PROGRAM", "LEX_MIGRATIONS_DIR"};

static void print_default(const shared_config *config, const char *name) {
    const char *value = shared_config_get(config, name);
    for (size_t i = 0; i < sizeof installed / sizeof *installed; i++)
        if (!strcmp(installed[i], name)) value = "where it was installed";
    printf(*value && strcmp(value, "where it was installed") != 0 ? "`%s`" : "%s", value);
}

int main(void) {
    clearenv();
    shared_config *config;
    if (shared_config_from_env(&config) < 0) return EXIT_FAILURE;
    fputs(head, stdout);
    const char *name, *group = "";
    for (int32_t i = 0; (name = shared_config_name(i)); i++) {
        if (strcmp(shared_config_group(name), group) != 0) {
            group = shared_config_group(name);
            printf("\n## %s\n| Setting | Default | Meaning |\n|---|---|---|\n", group);
        }
        printf("| `%s` | ", name);
        print_default(config, name);
        printf(" | %s |\n", shared_config_help(name));
    }
    shared_config_free(config);
    return EXIT_SUCCESS;
}
