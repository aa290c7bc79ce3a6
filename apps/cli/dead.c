/* SPDX-License-Identifier: MIT
 * dead.c - `lex-intel dead`: what was set aside because it cannot be run; puts it back, or drops it.
 * Shows what messages say escaped, as they came from anybody.
 */
#include <string.h>

#include "cli.h"

enum { TAG_DEAD = 1, DEAD_TIMEOUT_MS = 60000, AT_ONCE = 100, PAGES_MAX = 1000, ID_SIZE = 41 };

static const char usage[] = "dead list|requeue|drop [--queue QUEUE] [ID|--all]";

struct dead {
    struct cli *cli;
    const char *what;
    const char *queue; /* NULL: QUEUE_NAME */
    const char *id;    /* NULL: all */
    int all;
};

/* The value of a member in a line that the library wrote, without its quotes; "" when it is null. */
static const char *member(const char *line, const char *name, int *size) {
    char start[32];
    snprintf(start, sizeof start, "\"%s\":", name);
    const char *value = strstr(line, start); /* within a text the quotes would be escaped */
    *size = 0;
    if (!value || !strncmp(value + strlen(start), "null", 4)) return "";
    value += strlen(start);
    if (*value != '"') {
        *size = (int)strspn(value, "0123456789");
        return value;
    }
    for (const char *at = ++value; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++;
        *size = (int)(at + 1 - value);
    }
    return value;
}

static void print_entry(const char *line) {
    static const char *const names[] = {"id", "time", "size", "name", "task_id", "reason"};
    enum { ID, TIME, SIZE, NAME, TASK, REASON, COUNT };
    const char *values[COUNT];
    int sizes[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = member(line, names[i], &sizes[i]);
    printf("%.*s  %.*s  %.*s bytes\n", sizes[ID], values[ID], sizes[TIME], values[TIME],
           sizes[SIZE], values[SIZE]);
    printf("  task    %.*s %.*s\n", sizes[NAME] ? sizes[NAME] : 1, sizes[NAME] ? values[NAME] : "?",
           sizes[TASK], values[TASK]);
    printf("  reason  %.*s\n", sizes[REASON] ? sizes[REASON] : 9,
           sizes[REASON] ? values[REASON] : "not known");
}

/* Prints a page, one entry a line; keeps the id of the last one. */
static void print_page(const char *json, char last[ID_SIZE]) {
    for (const char *line = strchr(json, '\n'); line && line[1] == '{';
         line = strchr(line + 1, '\n')) {
        int size;
        const char *id = member(line, "id", &size);
        snprintf(last, ID_SIZE, "%.*s", size, id);
        print_entry(line);
    }
}

static int list(struct dead *dead) {
    char last[ID_SIZE] = "";
    long long total = 0;
    for (int page = 0; page < PAGES_MAX; page++) {
        const shared_event *event;
        if (shared_queue_dead(dead->cli->client, dead->queue, page ? last : NULL, AT_ONCE,
                              TAG_DEAD) < 0)
            return cli_fail("dead");
        int code = cli_wait(dead->cli, TAG_DEAD, DEAD_TIMEOUT_MS, "dead", &event);
        if (code != EXIT_OK) return code;
        print_page(shared_event_json(event), last);
        total += shared_event_count(event);
        if (shared_event_count(event) < AT_ONCE) break;
    }
    printf("%lld set aside\n", total);
    return EXIT_OK;
}

static int move(struct dead *dead) {
    int back = !strcmp(dead->what, "requeue");
    shared_client *client = dead->cli->client;
    const shared_event *event;
    shared_status status = back ? shared_queue_dead_requeue(client, dead->queue, dead->id, TAG_DEAD)
                                : shared_queue_dead_drop(client, dead->queue, dead->id, TAG_DEAD);
    if (status < 0) return cli_fail("dead");
    int code = cli_wait(dead->cli, TAG_DEAD, DEAD_TIMEOUT_MS, "dead", &event);
    if (code != EXIT_OK) return code;
    printf("%lld %s\n", (long long)shared_event_count(event), back ? "put back" : "dropped");
    return EXIT_OK;
}

/* 0: not so. */
static int read_words(struct dead *dead, int count, char **words) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(words[i], "--queue") && i + 1 < count && !dead->queue)
            dead->queue = words[++i];
        else if (!strcmp(words[i], "--all") && !dead->id)
            dead->all = 1;
        else if (*words[i] != '-' && !dead->id && !dead->all)
            dead->id = words[i];
        else
            return 0;
    }
    return 1;
}

int cli_dead(struct cli *cli) {
    struct dead dead = {.cli = cli, .what = cli->count ? cli->words[0] : ""};
    if (!cli->count || !read_words(&dead, cli->count - 1, cli->words + 1)) return cli_usage(usage);
    int named = dead.id || dead.all;
    if (!strcmp(dead.what, "list") && !named) return list(&dead);
    if ((!strcmp(dead.what, "requeue") || !strcmp(dead.what, "drop")) && named) return move(&dead);
    return cli_usage(usage);
}
