/* SPDX-License-Identifier: MIT
 * peer.c - our end of the Celery wire, for test_celery.py: answers tasks by their names, sends them, waits
 * for results. One line of output for what happened.
 *
 *   celery-peer consume QUEUE PREFETCH    until SIGTERM
 *   celery-peer send QUEUE TASK ARGS [KEY]
 *   celery-peer message QUEUE TASK ARGS [OPTION NUMBER] ...    countdown and expires in ms
 *   celery-peer relay NAME COUNT    enqueues so many, each in a transaction, and relays until SIGTERM
 *   celery-peer result ID TIMEOUT_MS
 */
#include <shared.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_CONSUME = 1, TAG_REQUEST, TAG_RELAY, HELD_MAX = 64, LIMIT_MS = 30000 };

static shared_client *client;
static volatile sig_atomic_t ending;

static void end(int signal_number) {
    (void)signal_number;
    ending = 1;
    shared_client_wake(client);
}

static int fail_with(const char *what) {
    fprintf(stderr, "%s: %s\n", what, shared_error_message(shared_error_last()));
    return EXIT_FAILURE;
}

/* {"args": ..., "kwargs": ..., "attempt": n} */
static shared_status echo(shared_task *task) {
    size_t size = strlen(shared_task_args(task)) + strlen(shared_task_kwargs(task)) + 80;
    char *result = malloc(size);
    if (!result) return SHARED_ENOMEM;
    snprintf(result, size, "{\"args\": %s, \"kwargs\": %s, \"attempt\": %d}",
             shared_task_args(task), shared_task_kwargs(task), (int)shared_task_attempt(task));
    shared_status status = shared_task_succeed(task, result, 0);
    free(result);
    return status;
}

/* [eta, expires, soft, hard, priority] as its sender gave them. */
static shared_status tell_options(shared_task *task) {
    char result[200];
    snprintf(result, sizeof result, "[%lld, %lld, %lld, %lld, %d]",
             (long long)shared_task_eta(task), (long long)shared_task_expires(task),
             (long long)shared_task_soft_limit_ms(task), (long long)shared_task_hard_limit_ms(task),
             (int)shared_task_priority(task));
    return shared_task_succeed(task, result, 0);
}

/* true: the task is held until the end. */
static int answer(shared_task *task) {
    const char *name = shared_task_name(task), *text = shared_task_argument(task, 0, NULL);
    shared_status status;
    printf("%s %s\n", name, shared_task_id(task));
    fflush(stdout);
    if (!strcmp(name, "peer.hold")) return 1;
    if (!strcmp(name, "peer.permanent"))
        status = shared_task_fail(task, SHARED_PERMANENT, text, 0);
    else if (!strcmp(name, "peer.retryable"))
        status = shared_task_fail(task, SHARED_RETRYABLE, text, 0);
    else if (!strcmp(name, "peer.options"))
        status = tell_options(task);
    else if (!strcmp(name, "peer.again") && shared_task_attempt(task) == 0)
        status = shared_task_retry(task, 1500, text, 0);
    else if (!strcmp(name, "peer.twice") && shared_task_attempt(task) == 0)
        status = shared_task_fail(task, SHARED_RETRYABLE, text, 0);
    else
        status = echo(task);
    if (status < 0) fail_with(name);
    return 0;
}

static int consume(char **words) {
    static const char *const names[] = {"peer.echo",      "peer.hold",  "peer.permanent",
                                        "peer.retryable", "peer.twice", "peer.options",
                                        "peer.again"};
    shared_task *held[HELD_MAX];
    int held_count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (shared_queue_register(client, names[i]) < 0) return fail_with("register");
    if (shared_queue_consume(client, words[2], atoi(words[3]), TAG_CONSUME) < 0)
        return fail_with("consume");
    printf("ready\n");
    fflush(stdout);
    while (!ending) {
        if (shared_client_dispatch(client, -1) < 0) return fail_with("dispatch");
        for (const shared_event *event; (event = shared_client_next(client));) {
            shared_task *task = shared_event_task(event);
            if (task && answer(task) && held_count < HELD_MAX)
                held[held_count++] = shared_task_ref(task);
        }
    }
    shared_client_free(client);
    while (held_count > 0) shared_task_unref(held[--held_count]);
    return EXIT_SUCCESS;
}

/* One line for each that is committed: "NAME number". */
static int relay(char **words) {
    shared_session *session;
    if (shared_queue_relay(client, TAG_RELAY) < 0) return fail_with("relay");
    if (shared_session_new(client, &session) < 0) return fail_with("session");
    for (int i = 0, count = atoi(words[3]); i < count && !ending; i++) {
        char args[100];
        const shared_event *event;
        snprintf(args, sizeof args, "[\"%s %d\"]", words[2], i);
        shared_status status = shared_session_enqueue(session, "outbox.task", args, NULL);
        if (status >= 0) status = shared_session_commit(session, TAG_REQUEST);
        if (status >= 0) status = shared_client_wait(client, TAG_REQUEST, LIMIT_MS, &event);
        if (status < 0) return fail_with("commit");
        printf("%s %d\n", words[2], i);
        fflush(stdout);
    }
    printf("done\n");
    fflush(stdout);
    while (!ending) {
        if (shared_client_dispatch(client, -1) < 0) return fail_with("dispatch");
        while (shared_client_next(client)) continue;
    }
    shared_session_free(session);
    shared_client_free(client);
    return EXIT_SUCCESS;
}

/* Waits for the request; prints its id or its JSON. */
static int finish(shared_status status, const char *(*text)(const shared_event *)) {
    const shared_event *event;
    if (status >= 0) status = shared_client_wait(client, TAG_REQUEST, LIMIT_MS, &event);
    if (status < 0) return fail_with("request");
    printf("%s\n", text(event));
    shared_client_free(client);
    return EXIT_SUCCESS;
}

static shared_status set_option(shared_message *message, const char *name, long long number) {
    if (!strcmp(name, "countdown")) return shared_message_set_countdown(message, number);
    if (!strcmp(name, "eta")) return shared_message_set_eta(message, number);
    if (!strcmp(name, "expires")) return shared_message_set_expires_in(message, number);
    if (!strcmp(name, "priority")) return shared_message_set_priority(message, (int32_t)number);
    return shared_message_set_time_limits(message, number, number + 1000);
}

static shared_status send_message(int count, char **words) {
    shared_message *message;
    shared_status status = shared_message_new(words[3], words[4], &message);
    for (int i = 5; i + 1 < count && status >= 0; i += 2)
        status = set_option(message, words[i], atoll(words[i + 1]));
    if (status >= 0) status = shared_queue_send_message(client, words[2], message, TAG_REQUEST);
    shared_message_free(message);
    return status;
}

int main(int count, char **words) {
    shared_config *config;
    if (shared_config_from_env(&config) < 0) return fail_with("config");
    shared_log_configure(config);
    if (shared_client_new(config, &client) < 0) return fail_with("client");
    shared_config_free(config);
    signal(SIGTERM, end);
    if (count == 4 && !strcmp(words[1], "consume")) return consume(words);
    if (count == 4 && !strcmp(words[1], "relay")) return relay(words);
    if (count >= 5 && !strcmp(words[1], "send"))
        return finish(shared_queue_send(client, words[2], words[3], words[4],
                                        count > 5 ? words[5] : NULL, TAG_REQUEST),
                      shared_event_id);
    if (count >= 5 && !strcmp(words[1], "message"))
        return finish(send_message(count, words), shared_event_id);
    if (count == 4 && !strcmp(words[1], "result"))
        return finish(shared_queue_result(client, words[2], atoi(words[3]), TAG_REQUEST),
                      shared_event_json);
    return EXIT_FAILURE;
}
