/* SPDX-License-Identifier: MIT
 * peek.c - looks at the next task of a queue: all that its sender said. Then it goes back to the head of
 * the queue, as if nobody had looked.
 *
 *     ./peek greetings
 */
#include <inttypes.h>

#include "example.h"

enum { TAG_CONSUME = 1, TAG_BACK, TIMEOUT_MS = 60000 };

static void show(const shared_task *task) {
    printf("%s %s from %s\n", shared_task_name(task), shared_task_id(task),
           shared_task_queue(task));
    printf("  arguments %s %s\n", shared_task_args(task), shared_task_kwargs(task));
    printf("  priority %d, retry %d, %s, %s\n", shared_task_priority(task),
           shared_task_attempt(task),
           shared_task_is_redelivered(task) ? "delivered before" : "delivered once",
           shared_task_is_held(task) ? "ours now" : "taken over by another");
    printf("  not before %" PRId64 ", not after %" PRId64 " us\n", shared_task_eta(task),
           shared_task_expires(task));
    printf("  limits %" PRId64 " and %" PRId64 " ms\n", shared_task_soft_limit_ms(task),
           shared_task_hard_limit_ms(task));
    printf("  correlation %s, reply to %s, root %s, parent %s\n", shared_task_correlation_id(task),
           shared_task_reply_to(task), shared_task_root_id(task), shared_task_parent_id(task));
}

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "usage: peek QUEUE\n"), 64;
    shared_client *client = connect_client();
    const shared_event *event = NULL;
    must(shared_queue_consume(client, words[1], 1, TAG_CONSUME), "consume");
    must(shared_client_wait(client, TAG_CONSUME, TIMEOUT_MS, &event), "consume");
    shared_task *task = shared_task_ref(shared_event_task(event));
    must(shared_client_cancel(client, TAG_CONSUME), "stop");
    show(task);
    must(shared_task_hand_back(task, TAG_BACK), "hand back");
    must(shared_client_wait(client, TAG_BACK, TIMEOUT_MS, &event), "hand back");
    shared_task_unref(task);
    shared_client_free(client);
    return 0;
}
