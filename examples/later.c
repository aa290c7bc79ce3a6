/* SPDX-License-Identifier: MIT
 * later.c - sends a task with everything that Celery's apply_async has: not before a delay, not after a
 * deadline, with a priority, limits, keyword arguments; then a session's outbox is sent by a relay.
 *
 *     ./later greet '{"name":"Anna"}' 500
 */
#include <time.h>

#include "example.h"

enum { TAG_SEND = 1, TAG_RELAY, TAG_COMMIT, TIMEOUT_MS = 60000, HOUR_MS = 3600000 };

static void send_later(shared_client *client, const char *task, const char *kwargs,
                       int64_t delay_ms) {
    shared_message *message = NULL;
    const shared_event *event = NULL;
    must(shared_message_new(task, "[]", &message), "task");
    must(shared_message_set_kwargs(message, kwargs), "keywords");
    must(shared_message_set_countdown(message, delay_ms), "countdown");
    must(shared_message_set_expires_in(message, delay_ms + HOUR_MS), "deadline");
    must(shared_message_set_priority(message, 3), "priority");
    must(shared_message_set_time_limits(message, HOUR_MS / 2, HOUR_MS), "limits");
    must(shared_message_set_key(message, "greeting"), "key");
    must(shared_message_set_ignore_result(message, 1), "result");
    printf("task %s\n", shared_message_id(message));
    must(shared_queue_send_message(client, "greetings", message, TAG_SEND), "send");
    must(shared_client_wait(client, TAG_SEND, TIMEOUT_MS, &event), "send");
    shared_message_free(message);
}

/* At a moment, under an id of one's own: sent twice it is still one task to whoever looks at ids. */
static void send_at(shared_client *client, const char *task, int64_t time_us) {
    shared_message *message = NULL;
    const shared_event *event = NULL;
    must(shared_message_new(task, "[{\"name\":\"Ben\"}]", &message), "task");
    must(shared_message_set_id(message, "greeting-of-the-day"), "id");
    must(shared_message_set_eta(message, time_us), "moment");
    must(shared_message_set_expires(message, time_us + 1000LL * HOUR_MS), "deadline");
    must(shared_queue_send_message(client, "greetings", message, TAG_SEND), "send");
    must(shared_client_wait(client, TAG_SEND, TIMEOUT_MS, &event), "send");
    printf("task %s\n", shared_event_id(event));
    shared_message_free(message);
}

/* Tasks that belong to a commit go out by a relay: any program that asks for one, here this one. */
static void send_with_commit(shared_client *client, const char *task) {
    shared_session *session = NULL;
    const shared_event *event = NULL;
    must(shared_queue_relay(client, TAG_RELAY), "relay");
    must(shared_session_new(client, &session), "session");
    must(shared_session_enqueue(session, task, "[{\"name\":\"Carol\"}]", NULL), "enqueue");
    must(shared_session_commit(session, TAG_COMMIT), "commit");
    must(shared_client_wait(client, TAG_COMMIT, TIMEOUT_MS, &event), "commit");
    must(shared_client_cancel(client, TAG_RELAY), "relay");
    shared_client_wait(client, TAG_RELAY, TIMEOUT_MS, &event);
    shared_session_free(session);
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: later TASK KEYWORDS_JSON DELAY_MS\n"), 64;
    shared_client *client = connect_client();
    send_later(client, words[1], words[2], strtol(words[3], NULL, 10));
    send_at(client, words[1], time(NULL) * 1000000LL);
    send_with_commit(client, words[1]);
    shared_client_free(client);
    return 0;
}
