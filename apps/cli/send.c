/* SPDX-License-Identifier: MIT
 * send.c - `lex-intel send`: puts a task on the queue as any Celery client would, and prints its id, or
 * with --wait its result.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { TAG_SEND = 1, TAG_RESULT };
enum { SEND_TIMEOUT_MS = 30000, WAIT_S_MAX = 86400 };

static const char usage[] = "send TASK JSON [--wait SECONDS]";

/* The text is a list of arguments as it stands, and anything else the one argument. malloc. */
static char *make_arguments(const char *json) {
    const char *first = json + strspn(json, " \t\r\n");
    size_t size = strlen(json) + 3;
    char *arguments = malloc(size);
    if (arguments) snprintf(arguments, size, *first == '[' ? "%s" : "[%s]", json);
    return arguments;
}

static int wait_result(struct cli *cli, const char *id, long seconds) {
    const shared_event *event;
    if (shared_queue_result(cli->client, id, seconds * 1000, TAG_RESULT) < 0)
        return cli_fail("result");
    int code = cli_wait(cli, TAG_RESULT, -1, "result", &event);
    if (code != EXIT_OK) return code;
    printf("%s\n", shared_event_json(event));
    return strstr(shared_event_json(event), "\"status\": \"SUCCESS\"") ||
                   strstr(shared_event_json(event), "\"status\":\"SUCCESS\"")
               ? EXIT_OK
               : EXIT_FAILED;
}

static int send_task(struct cli *cli, const char *arguments, long wait_s) {
    const shared_event *event;
    if (shared_queue_send(cli->client, NULL, cli->words[0], arguments, NULL, TAG_SEND) < 0)
        return cli_fail("send");
    int code = cli_wait(cli, TAG_SEND, SEND_TIMEOUT_MS, "send", &event);
    if (code != EXIT_OK) return code;
    char id[64];
    snprintf(id, sizeof id, "%s", shared_event_id(event));
    printf("%s\n", id);
    return wait_s ? wait_result(cli, id, wait_s) : EXIT_OK;
}

int cli_send(struct cli *cli) {
    long wait_s = 0;
    if (cli->count == 4 && !strcmp(cli->words[2], "--wait")) {
        char *end;
        wait_s = strtol(cli->words[3], &end, 10);
        if (*end || wait_s < 1 || wait_s > WAIT_S_MAX) return cli_usage(usage);
    } else if (cli->count != 2) {
        return cli_usage(usage);
    }
    char *arguments = make_arguments(cli->words[1]);
    if (!arguments) return cli_fail("send");
    int code = send_task(cli, arguments, wait_s);
    free(arguments);
    return code;
}
