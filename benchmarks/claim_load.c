/* SPDX-License-Identifier: MIT
 * claim_load.c - sends COUNT tasks to a queue; then, on the clock, takes them, PREFETCH unfinished at a
 * time, and ends each with a result at once: claim, result and acknowledgement of a task that does nothing.
 */
#include "load.h"

enum { TAG_CONSUME = 1, TAG_FIRST, SENT_AT_ONCE = 256 };

static void send_all(shared_client *client, const char *queue, int64_t wanted) {
    for (int64_t asked = 0, done = 0; done < wanted;) {
        for (; asked < wanted && asked - done < SENT_AT_ONCE; asked++)
            must(shared_queue_send(client, queue, "noop", "[]", NULL, (uint64_t)(1 + asked)));
        must(shared_client_dispatch(client, LOAD_TIMEOUT_MS));
        for (const shared_event *event; (event = shared_client_next(client)); done++)
            must_go_well(event);
    }
}

static int64_t succeed(const shared_event *event, int64_t claimed) {
    must(shared_task_succeed(shared_event_task(event), "null", (uint64_t)(TAG_FIRST + claimed)));
    return claimed + 1;
}

int main(int count, char **words) {
    if (count != 4) return fprintf(stderr, "usage: claim-load QUEUE COUNT PREFETCH\n"), 64;
    shared_client *client = connect_client();
    int64_t wanted = atoll(words[2]), claimed = 0, done = 0;
    send_all(client, words[1], wanted);
    double started = now_s(), cpu_started = cpu_s();
    must(shared_queue_consume(client, words[1], atoi(words[3]), TAG_CONSUME));
    while (done < wanted) {
        must(shared_client_dispatch(client, LOAD_TIMEOUT_MS));
        for (const shared_event *event; (event = shared_client_next(client));) {
            must_go_well(event);
            if (shared_event_kind(event) == SHARED_EVENT_TASK)
                claimed = succeed(event, claimed);
            else
                done++;
        }
    }
    print_times(started, cpu_started);
    shared_client_free(client);
    return 0;
}
