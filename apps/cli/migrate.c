/* SPDX-License-Identifier: MIT
 * migrate.c - `lex-intel migrate`: prints what the library's migrator did. Takes turns with Alembic.
 */
#include <string.h>

#include "cli.h"

enum { TAG_MIGRATE = 1, MIGRATE_TIMEOUT_MS = 600000 };

static const char usage[] = "migrate upgrade head|+N|NNNN | migrate current";

static int upgrade(struct cli *cli, const char *target) {
    const shared_event *event;
    if (shared_migrate_upgrade(cli->client, NULL, target, TAG_MIGRATE) < 0)
        return cli_fail("migrate");
    int code = cli_wait(cli, TAG_MIGRATE, MIGRATE_TIMEOUT_MS, "migrate", &event);
    if (code != EXIT_OK) return code;
    int64_t applied = shared_event_count(event);
    printf("%lld applied %s\n", (long long)applied, shared_event_json(event));
    return EXIT_OK;
}

static int current(struct cli *cli) {
    const shared_event *event;
    if (shared_migrate_current(cli->client, NULL, TAG_MIGRATE) < 0) return cli_fail("migrate");
    int code = cli_wait(cli, TAG_MIGRATE, MIGRATE_TIMEOUT_MS, "migrate", &event);
    if (code == EXIT_OK) printf("%s\n", shared_event_json(event));
    return code;
}

int cli_migrate(struct cli *cli) {
    if (cli->count == 2 && !strcmp(cli->words[0], "upgrade")) return upgrade(cli, cli->words[1]);
    if (cli->count == 1 && !strcmp(cli->words[0], "current")) return current(cli);
    return cli_usage(usage);
}
