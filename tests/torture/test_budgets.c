/* SPDX-License-Identifier: MIT
 * test_budgets.c - what one operation costs in the steady state: allocations of libshared's own code
 * and system calls, as exact numbers. A rise fails, and so does a fall: lower the number then.
 * How long it takes is for benchmarks/.
 */
#include <libpq-fe.h>

#include "database.h"
#include "fault.h"

enum { WARM = 50, ROUNDS = 100, CONSUME = 1, ASK = 2, WATCH = 3, CHUNKS = 10 };

/* --- counting ------------------------------------------------------------------------------------------ */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static long own; /* allocations that libshared's code asks for */

void *__wrap_malloc(size_t size) {
    own++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    own++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    own++;
    return __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text) {
    own++;
    return __real_strdup(text);
}

/* --- operations ------------------------------------------------------------------------------------------ */

static shared_client *client;
static shared_session *session;
static shared_query *query;
static const char *broken; /* check allocates: what goes wrong is told after the counting */

static void want(bool holds) {
    if (!holds && !broken) broken = shared_error_message(shared_error_last());
}

static const shared_event *done(uint64_t tag) {
    const shared_event *event = NULL;
    want(shared_client_wait(client, tag, PATIENCE_MS, &event) == SHARED_OK);
    return event;
}

static void get_by_key(void) {
    want(shared_session_get(session, SHARED_DOCUMENT, "kept", ASK) == SHARED_OK);
    (void)done(ASK);
}

static void ask_query(void) {
    want(shared_session_query(session, query, ASK) == SHARED_OK);
    (void)done(ASK);
}

static void publish(void) {
    want(shared_progress_publish(client, "silent", 50, "extracting", "m", ASK) == SHARED_OK);
    (void)done(ASK);
}

/* What it costs to hear: others say it. */
static void receive_progress(void) {
    fault_disarm();
    long before = own;
    redis_say("PUBLISH progress:kept %s",
              "{\"progress\":50,\"step\":\"extracting\",\"message\":\"m\"}");
    own = before;
    fault_resume();
    const shared_event *event = done(WATCH);
    want(shared_event_more(event));
}

static void claim_and_ack(void) {
    const shared_event *event = done(CONSUME);
    shared_task *task = shared_task_ref(shared_event_task(event));
    want(task != NULL);
    want(shared_task_succeed(task, "1", ASK) == SHARED_OK);
    (void)done(ASK);
    shared_task_unref(task);
}

static void send_one(void) {
    want(shared_queue_send(client, NULL, "t", "[1]", "k", ASK) == SHARED_OK);
    (void)done(ASK);
}

static shared_record *record_make(int32_t model, int32_t field) {
    shared_record *record = NULL;
    want(shared_record_new(model, &record) == SHARED_OK);
    want(shared_record_set_text(record, field, "kept", 4) == SHARED_OK);
    return record;
}

/* A changed document and ten of its chunks. */
static void commit_rows(void) {
    static int64_t number = 0;
    shared_record *document = NULL;
    want(shared_session_get(session, SHARED_DOCUMENT, "kept", ASK) == SHARED_OK);
    document = shared_record_ref(shared_event_record(done(ASK), 0));
    want(shared_record_set_int(document, SHARED_DOCUMENT_ATTEMPT, ++number % 1000) == SHARED_OK);
    want(shared_session_update(session, document) == SHARED_OK);
    shared_record_unref(document);
    for (int i = 0; i < CHUNKS; i++) {
        shared_record *chunk =
            record_make(SHARED_DOCUMENT_CHUNK, SHARED_DOCUMENT_CHUNK_DOCUMENT_ID);
        shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_CHUNK_INDEX, number * CHUNKS + i);
        shared_record_set_text(chunk, SHARED_DOCUMENT_CHUNK_CONTENT, "text", 4);
        shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_PAGE_FROM, 1);
        shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_PAGE_TO, 1);
        shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_CHAR_START, i);
        shared_record_set_int(chunk, SHARED_DOCUMENT_CHUNK_CHAR_END, i + 4);
        want(shared_session_copy(session, chunk) == SHARED_OK);
        shared_record_unref(chunk);
    }
    want(shared_session_commit(session, ASK) == SHARED_OK);
    (void)done(ASK);
}

/* --- the table ------------------------------------------------------------------------------------------- */

/* Of one operation: the number that most rounds cost. */
struct cost {
    int own, send, recv, epoll_wait, epoll_ctl, other;
};

static const struct budget {
    const char *name;
    void (*run)(void);
    struct cost cost;
} budgets[] = {
    /* own, send, recv, epoll_wait, epoll_ctl, other (eventfd, timerfd) */
    {"get by key", get_by_key, {1, 1, 1, 2, 0, 1}},
    {"query of ten rows", ask_query, {1, 1, 1, 2, 0, 1}},
    {"get, commit of 1 + 10 rows", commit_rows, {29, 2, 2, 4, 0, 2}},
    {"publish", publish, {2, 1, 1, 2, 0, 3}},
    {"progress event received", receive_progress, {5, 0, 1, 1, 0, 0}},
    {"send of a task", send_one, {7, 1, 1, 2, 0, 1}},
    {"claim + ack", claim_and_ack, {13, 3, 3, 4, 0, 1}},
};
enum { COSTS = sizeof(struct cost) / sizeof(int), EPOLL_WAITS = 3 };

static int by_size(const void *left, const void *right) {
    const int *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* The number that comes most often: a round in which a timer fired, or an answer came in two, is no rule. */
static int usual(int *numbers) {
    int best = 0, best_runs = 0, runs = 0;
    qsort(numbers, ROUNDS, sizeof *numbers, by_size);
    for (int i = 0; i < ROUNDS; i++) {
        runs = i && numbers[i] == numbers[i - 1] ? runs + 1 : 1;
        if (runs > best_runs) best_runs = runs, best = numbers[i];
    }
    return best;
}

static void measure(const struct budget *budget, int costs[COSTS]) {
    static int rounds[COSTS][ROUNDS];
    for (int i = 0; i < WARM; i++) budget->run();
    for (int i = 0; i < ROUNDS; i++) {
        own = 0;
        fault_arm(FAULT_CALLS, 0, 0, false);
        budget->run();
        fault_disarm();
        rounds[0][i] = (int)own;
        ck_assert_msg(!broken, "%s: %s", budget->name, broken);
        rounds[1][i] = (int)fault_count(FAULT_SEND);
        rounds[2][i] = (int)fault_count(FAULT_RECV);
        rounds[3][i] = (int)fault_count(FAULT_EPOLL_WAIT);
        rounds[4][i] = (int)fault_count(FAULT_EPOLL_CTL);
        rounds[5][i] = (int)(fault_count(FAULT_EVENTFD) + fault_count(FAULT_TIMER));
    }
    for (int i = 0; i < COSTS; i++) costs[i] = usual(rounds[i]);
}

static void begin(void) {
    world_begin();
    database_begin();
    sql_say(
        "INSERT INTO documents (id, file_name, extraction_status) SELECT 'd' || n, 'f', 'pending'"
        " FROM generate_series(1, 9) n;"
        "INSERT INTO documents (id, file_name, extraction_status) VALUES "
        "('kept', 'f', 'processing')");
    client = world_client("PROGRESS_RATE", "1000", "LEASE_S", "60", "LEASE_RENEW_S", "15", NULL);
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    ck_assert_int_eq(shared_query_new(SHARED_DOCUMENT, "id <> ''", &query), SHARED_OK);
}

START_TEST(an_operation_costs_what_the_table_says) {
    const struct budget *budget = &budgets[_i];
    int costs[COSTS], wanted[COSTS];
    begin();
    if (budget->run == receive_progress) {
        ck_assert_int_eq(shared_progress_subscribe(client, "kept", NULL, WATCH), SHARED_OK);
        (void)world_done(client, WATCH);
    }
    if (budget->run == claim_and_ack) {
        for (int i = 0; i < WARM + ROUNDS + 1; i++) send_one();
        ck_assert_int_eq(shared_queue_consume(client, NULL, 1, CONSUME), SHARED_OK);
    }
    measure(budget, costs);
    memcpy(wanted, &budget->cost, sizeof wanted);
    printf("budget: %-24s own %d, send %d, recv %d, epoll_wait %d, epoll_ctl %d, other %d\n",
           budget->name, costs[0], costs[1], costs[2], costs[3], costs[4], costs[5]);
    fflush(stdout);
    /* A turn more or less is the server's speed: epoll_wait has a bound, all else is exact. */
    for (int i = 0; i < COSTS; i++)
        ck_assert_msg(costs[i] == wanted[i] || (i == EPOLL_WAITS && costs[i] < wanted[i]),
                      "%s: number %d is %d, the table says %d: %s", budget->name, i, costs[i],
                      wanted[i],
                      costs[i] < wanted[i] ? "lower the number" : "it costs more than before");
    shared_query_free(query);
    shared_session_free(session);
    shared_client_free(client);
}
END_TEST

int main(void) {
    TCase *tcase = tcase_create("budgets");
    tcase_add_loop_test(tcase, an_operation_costs_what_the_table_says, 0,
                        sizeof budgets / sizeof *budgets);
    return unit_run_case("budgets", tcase);
}
