/* SPDX-License-Identifier: MIT
 * work.c - a worker in forty lines: answers COUNT tasks named "greet" with the length of the name, then leaves. Any
 * Celery client can send them: app.send_task("greet", args=[{"name": "Anna"}], queue="greetings").
 *
 *     ./work 3
 */
#include <stdlib.h>
#include <string.h>

#include "example.h"

enum { TAG_CONSUME = 1, TAG_ANSWER, TIMEOUT_MS = 60000 };

static void answer(shared_client *client, shared_task *task) {
    const char *name = shared_task_argument(task, 0, "name");
    const shared_event *event = NULL;
    if (name && !strcmp(name, "busy") && !shared_task_is_last(task)) {
        must(shared_task_retry(task, 1000, "the line is busy", TAG_ANSWER), "retry");
    } else if (name) {
        char result[512];
        snprintf(result, sizeof result, "{\"length\":%zu}", strlen(name));
        must(shared_task_succeed(task, result, TAG_ANSWER), "succeed");
    } else {
        must(shared_task_fail(task, SHARED_PERMANENT, "a task greet needs a name", TAG_ANSWER),
             "fail");
    }
    must(shared_client_wait(client, TAG_ANSWER, TIMEOUT_MS, &event), "answer");
}

int main(int count, char **words) {
    int left = count == 2 ? (int)strtol(words[1], NULL, 10) : 1;
    shared_client *client = connect_client();
    must(shared_queue_register(client, "greet"), "register");
    must(shared_queue_consume(client, "greetings", 1, TAG_CONSUME), "consume");
    while (left-- > 0) {
        const shared_event *event = NULL;
        must(shared_client_wait(client, TAG_CONSUME, TIMEOUT_MS, &event), "consume");
        shared_task *task = shared_task_ref(shared_event_task(event));
        printf("%s %s\n", shared_task_name(task), shared_task_args(task));
        answer(client, task);
        shared_task_unref(task);
    }
    shared_client_free(client);
    return 0;
}
