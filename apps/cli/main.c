/* SPDX-License-Identifier: MIT
 * main.c - `lex-intel COMMAND ...`: the table of commands, and what they share. Talks to servers only
 * through <shared.h>.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cli.h"

struct command {
    const char *name;
    int (*run)(struct cli *cli);
    const char *usage;
    const char *help;
};

static const struct command commands[] = {
    {"migrate", cli_migrate, "migrate upgrade head|+N|NNNN | migrate current",
     "brings the database's tables up to date, or says where they are"},
    {"send", cli_send, "send TASK JSON [--wait SECONDS]",
     "sends a task; JSON is the list of arguments, or the one argument"},
    {"watch", cli_watch, "watch DOCUMENT_ID", "shows a document's progress until it ends"},
    {"dead", cli_dead, "dead list|requeue|drop [--queue QUEUE] [ID|--all]",
     "shows tasks that were set aside, puts them back, or drops them"},
    {"doctor", cli_doctor, "doctor",
     "checks settings, servers, schema and sandbox, says what to mend"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static int print_help(FILE *to, int code) {
    fprintf(to, "lex-intel %s\n\nusage: lex-intel COMMAND ...\n\n", shared_version_text());
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-52s %s\n", commands[i].usage, commands[i].help);
    fprintf(
        to,
        "\nSettings come from the environment: DATABASE_URL, REDIS_URL, ... (docs/config.md).\n");
    return code;
}

static bool is_help(const char *word) {
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* Whether one of the words behind a command asks for help: then nothing is done. */
static bool asks_for_help(int count, char **words) {
    for (int i = 0; i < count; i++)
        if (is_help(words[i])) return true;
    return false;
}

static int print_command_help(const struct command *command) {
    printf("usage: lex-intel %s\n\n%s\n", command->usage, command->help);
    return EXIT_OK;
}

static int exit_code_of(const shared_error *error) {
    return shared_error_class(error) == SHARED_RETRYABLE ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

int cli_fail(const char *what) {
    const shared_error *error = shared_error_last();
    fprintf(stderr, "lex-intel: %s: %s\n", what, shared_error_message(error));
    return exit_code_of(error);
}

int cli_fail_event(const char *what, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    fprintf(stderr, "lex-intel: %s: %s\n", what, shared_error_message(error));
    if (*shared_error_detail(error)) fprintf(stderr, "  %s\n", shared_error_detail(error));
    return exit_code_of(error);
}

int cli_wait(struct cli *cli, uint64_t tag, int32_t timeout_ms, const char *what,
             const shared_event **out) {
    *out = NULL;
    shared_status status = shared_client_wait(cli->client, tag, timeout_ms, out);
    if (status >= 0) return EXIT_OK;
    return *out ? cli_fail_event(what, *out) : cli_fail(what);
}

int cli_usage(const char *usage) {
    fprintf(stderr, "usage: lex-intel %s\n", usage);
    return EXIT_USAGE;
}

static int run(const struct command *command, int count, char **words) {
    struct cli cli = {.count = count, .words = words};
    if (shared_config_from_env(&cli.config) < 0) {
        cli_fail("settings");
        return EXIT_SETTINGS;
    }
    shared_log_configure(cli.config);
    int code = EXIT_FAILED;
    if (shared_client_new(cli.config, &cli.client) < 0)
        code = cli_fail("client");
    else
        code = command->run(&cli);
    shared_client_free(cli.client);
    shared_config_free(cli.config);
    return code;
}

/* Of the program, as compiled, and of the library, as loaded. With --verbose: and of all that is in
 * this process, for a report of a fault. */
static int print_version(const char *word) {
    printf("lex-intel %d.%d.%d, libshared %s\n", SHARED_VERSION >> 16, SHARED_VERSION >> 8 & 0xff,
           SHARED_VERSION & 0xff, shared_version_text());
    if (!strcmp(word, "--verbose")) printf("%s\n", shared_build_info());
    return EXIT_OK;
}

/* What was printed to nowhere, as onto a full disk, was not said. */
static int told(int code) {
    if (!fflush(stdout) && !ferror(stdout)) return code;
    fprintf(stderr, "lex-intel: standard output: %s\n", strerror(errno));
    return code ? code : EXIT_FAILED;
}

static int run_words(int count, char **words) {
    if (count < 2) return print_help(stderr, EXIT_USAGE);
    const char *name = words[1];
    if (is_help(name) || !strcmp(name, "help")) return print_help(stdout, EXIT_OK);
    if (!strcmp(name, "--version")) return print_version(count > 2 ? words[2] : "");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        if (asks_for_help(count - 2, words + 2)) return print_command_help(&commands[i]);
        return run(&commands[i], count - 2, words + 2);
    }
    fprintf(stderr, "lex-intel: there is no command \"%s\"\n\n", name);
    return print_help(stderr, EXIT_USAGE);
}

int main(int count, char **words) {
    return told(run_words(count, words));
}
