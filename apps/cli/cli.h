/* SPDX-License-Identifier: MIT
 * cli.h - what the commands of `lex-intel` share. Each command is one file and one row of main.c's table.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <shared.h>
#include <stdio.h>

/* Exit codes, as sysexits.h has them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69, EXIT_SETTINGS = 78 };

struct cli {
    shared_config *config;
    shared_client *client;
    int count; /* words behind the command's name */
    char **words;
};

int cli_migrate(struct cli *cli);
int cli_send(struct cli *cli);
int cli_watch(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_dead(struct cli *cli);

/* Prints the last error of this thread, or of the event, and returns the exit code that fits it. */
int cli_fail(const char *what);
int cli_fail_event(const char *what, const shared_event *event);
/* Waits for the last event of a tag; an exit code, EXIT_OK with the event. Prints what went wrong. */
int cli_wait(struct cli *cli, uint64_t tag, int32_t timeout_ms, const char *what,
             const shared_event **out);
/* Says how a command is called; returns EXIT_USAGE. */
int cli_usage(const char *usage);

#endif
