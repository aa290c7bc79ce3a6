/* SPDX-License-Identifier: MIT
 * forks.c - forks COUNT: so many children of a parent with an open client, one after the other, while the
 * parent has requests under way. In a child every call answers SHARED_EFORKED and free is silent; the
 * parent's requests end as ever, on the connections it had. Prints one line.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum { WAIT_MS = 60000, ASK = 1, WATCH, CONSUME, PERIOD = 50 };

static shared_client *client;
static shared_session *session;
static shared_task *task;

static bool refused(shared_status status) {
    return status == SHARED_EFORKED;
}

/* The exit code: how many calls did not say what they must. */
static int child(void) {
    const shared_event *event = NULL;
    int wrong = 0;
    wrong += !refused(shared_client_dispatch(client, 0));
    wrong += !refused(shared_client_wait(client, ASK, 0, &event));
    wrong += !refused(shared_client_cancel(client, ASK));
    wrong += !refused(shared_client_timer(client, 0, 90));
    wrong += !refused(shared_client_ping(client, SHARED_REDIS, 91));
    wrong += !refused(shared_session_get(session, SHARED_DOCUMENT, "none", 92));
    wrong += !refused(shared_session_enqueue(session, "t", "[]", NULL));
    wrong += !refused(shared_session_commit(session, 93));
    wrong += !refused(shared_session_rollback(session, 94));
    wrong += !refused(shared_progress_publish(client, "d", 1, "storing", "", 95));
    wrong += !refused(shared_progress_subscribe(client, "d", NULL, 96));
    wrong += !refused(shared_queue_send(client, "load", "t", "[]", NULL, 97));
    wrong += !refused(shared_queue_consume(client, "other", 1, 98));
    wrong += !refused(shared_queue_relay(client, 99));
    wrong += !refused(shared_task_succeed(task, "1", 100));
    wrong += shared_client_next(client) != NULL;
    shared_client_wake(client);
    shared_task_unref(task);
    shared_session_free(session);
    shared_client_free(client);
    return wrong;
}

static const shared_event *ends(shared_status accepted, uint64_t tag) {
    const shared_event *event = NULL;
    load_require(accepted == SHARED_OK, "a request was refused");
    load_require(shared_client_wait(client, tag, WAIT_MS, &event) == SHARED_OK, "a request");
    return event;
}

/* Whose connection a read is answered on. */
static int64_t backend(void) {
    shared_query *query = NULL;
    load_require(shared_query_new(0, "SELECT pg_backend_pid()", &query) == SHARED_OK, "query");
    shared_status status = shared_session_query(session, query, ASK);
    shared_query_free(query);
    return shared_record_int(shared_event_record(ends(status, ASK), 0), 0);
}

static void begin(void) {
    client = load_client();
    session = load_session(client);
    load_require(shared_session_begin(session, SHARED_READ_COMMITTED, 0) == SHARED_OK, "begin");
    (void)ends(shared_queue_send(client, "load", "t", "[1]", NULL, ASK), ASK);
    load_require(shared_queue_consume(client, "load", 1, CONSUME) == SHARED_OK, "consume");
    task = shared_task_ref(shared_event_task(ends(SHARED_OK, CONSUME)));
    load_require(task != NULL, "no task");
}

int main(int count, char **words) {
    long wanted = count == 2 ? strtol(words[1], NULL, 10) : 0;
    load_require(wanted > 0, "usage: forks COUNT");
    begin();
    int64_t start_ms = load_now_ms(), connection = backend();
    for (long i = 0; i < wanted; i++) {
        int status = 0;
        load_require(shared_client_timer(client, 0, WATCH) == SHARED_OK, "timer");
        load_require(shared_queue_stats(client, "load", 3 + CONSUME) == SHARED_OK, "stats");
        pid_t pid = fork();
        if (pid == 0) _exit(child());
        load_require(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
        load_require(WIFEXITED(status), "a child crashed");
        if (WEXITSTATUS(status)) fprintf(stderr, "%d calls in a child\n", WEXITSTATUS(status));
        load_require(!WEXITSTATUS(status), "calls in a child are not refused");
        (void)ends(SHARED_OK, WATCH);
        (void)ends(SHARED_OK, 3 + CONSUME);
        if (i % PERIOD == 0) load_require(backend() == connection, "another connection");
    }
    load_require(backend() == connection, "another connection");
    (void)ends(shared_session_commit(session, ASK), ASK);
    load_require(shared_task_is_held(task), "the claim was given up");
    (void)ends(shared_task_succeed(task, "1", ASK), ASK);
    printf("%ld forks of a parent with an open client in %" PRId64
           " ms; its connection is the same\n",
           wanted, load_now_ms() - start_ms);
    shared_task_unref(task);
    shared_session_free(session);
    shared_client_free(client);
    return EXIT_SUCCESS;
}
