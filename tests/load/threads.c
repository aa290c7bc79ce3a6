/* SPDX-License-Identifier: MIT
 * threads.c - threads THREADS ROUNDS: a client in each thread, all at once; each round a get, a commit of a
 * new row, a task there and back, and progress. Prints one line.
 */
#include <pthread.h>

#include "load.h"

enum { THREADS_MAX = 256, WAIT_MS = 60000, ASK = 1, CONSUME };

static long rounds;

static const shared_event *ends(shared_client *client, shared_status accepted, uint64_t tag) {
    const shared_event *event = NULL;
    load_require(accepted == SHARED_OK, "a request was refused");
    load_require(shared_client_wait(client, tag, WAIT_MS, &event) == SHARED_OK, "a request");
    return event;
}

static void commit_one(shared_client *client, shared_session *session) {
    shared_record *record = NULL;
    load_require(shared_record_new(SHARED_DOCUMENT, &record) == SHARED_OK, "record");
    (void)shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1);
    load_require(shared_session_add(session, record) == SHARED_OK, "add");
    shared_record_unref(record);
    (void)ends(client, shared_session_commit(session, ASK), ASK);
}

static void go_round(shared_client *client, const char *queue) {
    (void)ends(client, shared_queue_send(client, queue, "t", "[1]", NULL, ASK), ASK);
    const shared_event *event = ends(client, SHARED_OK, CONSUME);
    shared_task *task = shared_task_ref(shared_event_task(event));
    load_require(task != NULL, "no task");
    (void)ends(client, shared_task_succeed(task, "1", ASK), ASK);
    shared_task_unref(task);
}

static void *run(void *argument) {
    char name[32];
    (void)snprintf(name, sizeof name, "load-%d", *(int *)argument);
    shared_client *client = load_client();
    shared_session *session = load_session(client);
    load_require(shared_queue_consume(client, name, 1, CONSUME) == SHARED_OK, "consume");
    for (long i = 0; i < rounds; i++) {
        (void)ends(client, shared_session_get(session, SHARED_DOCUMENT, "none", ASK), ASK);
        commit_one(client, session);
        go_round(client, name);
        (void)ends(client, shared_progress_publish(client, name, 0, "starting", "", ASK), ASK);
    }
    shared_session_free(session);
    shared_client_free(client);
    return NULL;
}

int main(int count, char **words) {
    static pthread_t threads[THREADS_MAX];
    static int numbers[THREADS_MAX];
    long wanted = count == 3 ? strtol(words[1], NULL, 10) : 0;
    rounds = count == 3 ? strtol(words[2], NULL, 10) : 0;
    load_require(wanted > 0 && wanted <= THREADS_MAX && rounds > 0,
                 "usage: threads THREADS ROUNDS");
    int64_t start_ms = load_now_ms();
    for (long i = 0; i < wanted; i++) {
        numbers[i] = (int)i;
        load_require(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0, "thread");
    }
    for (long i = 0; i < wanted; i++) (void)pthread_join(threads[i], NULL);
    printf("%ld clients in threads, %ld rounds each, in %" PRId64 " ms\n", wanted, rounds,
           load_now_ms() - start_ms);
    return EXIT_SUCCESS;
}
