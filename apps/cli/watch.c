/* SPDX-License-Identifier: MIT
 * watch.c - `lex-intel watch`: a bar that moves on a terminal, one line a message elsewhere.
 */
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { TAG_WATCH = 1, BAR_WIDTH = 30 };

static const char usage[] = "watch DOCUMENT_ID";

static void print_bar(int64_t percent, const char *message) {
    char bar[BAR_WIDTH + 1];
    size_t full = (size_t)(percent * BAR_WIDTH / 100);
    memset(bar, '#', full);
    memset(bar + full, '.', BAR_WIDTH - full);
    bar[BAR_WIDTH] = 0;
    printf("\r[%s] %3lld %%  %s\x1b[K", bar, (long long)percent, message);
    fflush(stdout);
}

static void print_progress(const shared_record *progress, int is_terminal) {
    int64_t percent = shared_record_int(progress, SHARED_PROGRESS_PROGRESS);
    const char *step = shared_record_text(progress, SHARED_PROGRESS_STEP);
    const char *message = shared_record_text(progress, SHARED_PROGRESS_MESSAGE);
    if (is_terminal)
        print_bar(percent, message ? message : "");
    else
        printf("%lld %s %s\n", (long long)percent, step ? step : "", message ? message : "");
    fflush(stdout);
}

int cli_watch(struct cli *cli) {
    if (cli->count != 1) return cli_usage(usage);
    int is_terminal = isatty(STDOUT_FILENO);
    int failed = 0;
    if (shared_progress_subscribe(cli->client, cli->words[0], NULL, TAG_WATCH) < 0)
        return cli_fail("watch");
    for (;;) {
        const shared_event *event;
        int code = cli_wait(cli, TAG_WATCH, -1, "watch", &event);
        if (code != EXIT_OK) return code;
        if (!shared_event_more(event)) break;
        shared_record *progress = shared_event_record(event, 0);
        if (!progress) continue;
        const char *step = shared_record_text(progress, SHARED_PROGRESS_STEP);
        failed = step && !strcmp(step, "failed");
        print_progress(progress, is_terminal);
    }
    if (is_terminal) printf("\n");
    return failed ? EXIT_FAILED : EXIT_OK;
}
