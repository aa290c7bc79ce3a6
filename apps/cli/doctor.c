/* SPDX-License-Identifier: MIT
 * doctor.c - `lex-intel doctor`: one line a check, and for what is wrong what to do about it. Changes
 * nothing. Exit code 1 when a check failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum {
    TAG_CHECK = 1,
    CHECK_TIMEOUT_MS = 10000,
    DISK_BYTES_LOW = 1 << 30 /* an upload of the default limit, four times */
};

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_SKIPPED, VERDICT_FAILED };

static const char *const verdict_words[] = {"ok", "warning", "skipped", "FAILED"};

struct doctor {
    struct cli *cli;
    int failed, warned;
};

/* A server, and what to do when it is not there, or there is no use in trying again. */
struct server {
    int32_t domain;
    const char *name, *when_away, *when_wrong;
};

static void report(struct doctor *doctor, enum verdict verdict, const char *name,
                   const char *finding, const char *advice) {
    doctor->failed += verdict == VERDICT_FAILED;
    doctor->warned += verdict == VERDICT_WARNING;
    printf("%-8s %-22s %s\n", verdict_words[verdict], name, finding);
    if (verdict != VERDICT_OK && advice) printf("%-8s %-22s -> %s\n", "", "", advice);
}

/* The last event of TAG_CHECK, or NULL after reporting the failure. */
static const shared_event *wait_check(struct doctor *doctor, shared_status started,
                                      const char *name, const char *when_away,
                                      const char *when_wrong) {
    const shared_event *event = NULL;
    if (started >= 0)
        started = shared_client_wait(doctor->cli->client, TAG_CHECK, CHECK_TIMEOUT_MS, &event);
    if (started >= 0) return event;
    const shared_error *error = event ? shared_event_error(event) : shared_error_last();
    bool away = shared_error_class(error) == SHARED_RETRYABLE;
    report(doctor, VERDICT_FAILED, name, shared_error_message(error),
           away ? when_away : when_wrong);
    return NULL;
}

static void check_settings(struct doctor *doctor) {
    shared_config *config = doctor->cli->config;
    const char *name, *group = "";
    for (int32_t i = 0; (name = shared_config_name(i)); i++) {
        if (strcmp(shared_config_group(name), group) != 0)
            printf("settings: %s\n", group = shared_config_group(name));
        printf("  %-28s %-8s %s\n", name, shared_config_is_set(config, name) ? "set" : "default",
               shared_config_safe(config, name));
    }
    printf("\nchecks\n");
    const char *hint;
    for (int32_t i = 0; (hint = shared_config_hint(config, i)); i++)
        report(doctor, VERDICT_WARNING, "settings", hint, "correct the name, or take it away");
}

static bool check_server(struct doctor *doctor, const struct server *server) {
    shared_status status = shared_client_ping(doctor->cli->client, server->domain, TAG_CHECK);
    bool answers = wait_check(doctor, status, server->name, server->when_away, server->when_wrong);
    if (answers) report(doctor, VERDICT_OK, server->name, "answers", NULL);
    return answers;
}

static void check_schema(struct doctor *doctor) {
    shared_status status = shared_migrate_current(doctor->cli->client, NULL, TAG_CHECK);
    const char *advice = "check DATABASE_URL and LEX_MIGRATIONS_DIR";
    const shared_event *event = wait_check(doctor, status, "schema", advice, advice);
    if (!event) return;
    enum verdict verdict = shared_event_count(event) ? VERDICT_FAILED : VERDICT_OK;
    report(doctor, verdict, "schema", shared_event_json(event),
           "run: lex-intel migrate upgrade head");
}

static void check_queue(struct doctor *doctor) {
    shared_status status = shared_queue_stats(doctor->cli->client, NULL, TAG_CHECK);
    const char *advice = "check CELERY_BROKER_URL and the schema";
    const shared_event *event = wait_check(doctor, status, "queue", advice, advice);
    if (event) report(doctor, VERDICT_OK, "queue", shared_event_json(event), NULL);
}

static void check_tables(struct doctor *doctor, bool reached) {
    if (reached) {
        check_schema(doctor);
        check_queue(doctor);
        return;
    }
    report(doctor, VERDICT_SKIPPED, "schema", "PostgreSQL has to answer first", NULL);
    report(doctor, VERDICT_SKIPPED, "queue", "PostgreSQL has to answer first", NULL);
}

static void check_uploads(struct doctor *doctor) {
    const char *path = shared_config_get(doctor->cli->config, "UPLOAD_DIR");
    struct statvfs space;
    char finding[256];
    if (!path || access(path, R_OK | W_OK | X_OK) || statvfs(path, &space)) {
        snprintf(finding, sizeof finding, "%.200s: not a folder that can be written",
                 path ? path : "");
        report(doctor, VERDICT_FAILED, "uploads", finding,
               "make the folder UPLOAD_DIR names, owned by this user");
        return;
    }
    unsigned long long free_bytes = (unsigned long long)space.f_bavail * space.f_frsize;
    snprintf(finding, sizeof finding, "%.160s, %llu MiB free", path, free_bytes >> 20);
    report(doctor, free_bytes < DISK_BYTES_LOW ? VERDICT_WARNING : VERDICT_OK, "uploads", finding,
           "free some space: uploads answer 507 when the disk is full");
}

/* Starts `PROGRAM OPTION` with both outputs into a pipe. 0 or an errno. */
static int start_check(const char *program, char *option, int output, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    char name[] = "lex-intel-extract";
    char *const words[] = {name, option, NULL};
    int code = posix_spawn_file_actions_init(&actions);
    if (code) return code;
    code = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    if (!code) code = posix_spawn(pid, program, &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* Its first line and its wait status; -1 and the reason when it cannot be run. */
static int run_check(const char *program, char *option, char *line, int size) {
    int ends[2], status = -1;
    pid_t pid = -1;
    if (pipe2(ends, O_CLOEXEC)) return -1;
    int code = start_check(program, option, ends[1], &pid);
    (void)close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    if (code)
        (void)snprintf(line, (size_t)size, "%s: %s", program, strerror(code));
    else if (output && fgets(line, size, output))
        line[strcspn(line, "\n")] = 0;
    (void)(output ? fclose(output) : close(ends[0]));
    if (!code && waitpid(pid, &status, 0) != pid) status = -1;
    return status;
}

/* The one line of `PROGRAM --check` says in what state the sandbox is; where it is not wanted, that the program
 * runs is all there is to check. */
static void check_sandbox(struct doctor *doctor) {
    const char *program = shared_config_get(doctor->cli->config, "LEX_EXTRACT_PROGRAM");
    bool off = !strcmp(shared_config_get(doctor->cli->config, "LEX_SANDBOX"), "off");
    char line[512] = "", check[] = "--check", version[] = "--version";
    if (!program || !*program) {
        report(doctor, VERDICT_FAILED, "sandbox", "LEX_EXTRACT_PROGRAM names no program",
               "set LEX_EXTRACT_PROGRAM to the path of lex-intel-extract");
        return;
    }
    if (access(program, X_OK)) {
        snprintf(line, sizeof line, "%.400s: %s", program, strerror(errno));
        report(doctor, VERDICT_FAILED, "sandbox", line,
               "set LEX_EXTRACT_PROGRAM to the path of lex-intel-extract");
        return;
    }
    int status = run_check(program, off ? version : check, line, sizeof line);
    if (off && !status)
        report(doctor, VERDICT_WARNING, "sandbox",
               "off by LEX_SANDBOX: documents are read without a sandbox",
               "set LEX_SANDBOX=on wherever the kernel offers Landlock and seccomp");
    else
        report(doctor, status ? VERDICT_FAILED : VERDICT_OK, "sandbox", *line ? line : program,
               off ? "set LEX_EXTRACT_PROGRAM to the path of lex-intel-extract"
                   : "the kernel must offer Landlock and seccomp; LEX_SANDBOX=off runs without, at "
                     "your risk");
}

int cli_doctor(struct cli *cli) {
    if (cli->count) return cli_usage("doctor");
    struct doctor doctor = {.cli = cli};
    check_settings(&doctor);
    static const struct server servers[] = {
        {SHARED_POSTGRES, "postgresql", "start PostgreSQL, or correct DATABASE_URL",
         "correct DATABASE_URL"},
        {SHARED_REDIS, "redis", "start Redis, or correct REDIS_URL", "correct REDIS_URL"},
        {SHARED_TASK, "results", "start that Redis, or correct CELERY_RESULT_BACKEND",
         "correct CELERY_RESULT_BACKEND: results are kept in Redis only"},
    };
    bool tables = check_server(&doctor, &servers[0]);
    (void)check_server(&doctor, &servers[1]);
    (void)check_server(&doctor, &servers[2]);
    check_tables(&doctor, tables);
    check_uploads(&doctor);
    check_sandbox(&doctor);
    printf("\n%s\n", doctor.failed   ? "something must be mended"
                     : doctor.warned ? "nothing failed; see the warnings"
                                     : "all is well");
    return doctor.failed ? EXIT_FAILED : EXIT_OK;
}
