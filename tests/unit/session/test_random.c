/* SPDX-License-Identifier: MIT
 * test_random.c - many sessions that do anything at any time, while requests are cancelled and backends are
 * killed: every accepted request ends in exactly one event, and what commits said of their rows is true.
 * RANDOM_SEED repeats a run, RANDOM_STEPS makes it longer.
 */
#include "base/text.h"
#include "lab.h"

enum { SESSIONS = 12, PINNED = 2, TAGS_MAX = 100000, STEPS = 1500, FIRST_TAG = 1000 };

enum fate { FATE_NONE, FATE_OPEN, FATE_DONE };
enum outcome { ROW_NEVER, ROW_MAYBE, ROW_THERE };

static uint64_t state;
static shared_session *sessions[SESSIONS];
static uint8_t fates[TAGS_MAX];     /* of a tag */
static int row_of_commit[TAGS_MAX]; /* rows from .. to that a commit's tag decides */
static int rows_until[TAGS_MAX];
static uint8_t rows[TAGS_MAX]; /* what is known of row i */
static int row_waiting[SESSIONS], row_count, tag_count, open_count;
static int outcomes[3];
enum { SAVEPOINTS = 4 };
static int marks[SESSIONS][SAVEPOINTS]; /* rows that there were at each open savepoint */
static bool undone_tag[TAGS_MAX];
static int mark_count[SESSIONS], undone_count, undo_count;

static uint32_t draw(uint32_t below) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545F4914F6CDD1Du) >> 32) % below;
}

static uint64_t accept_tag(shared_status status) {
    if (status < 0) {
        ck_assert_msg(status == SHARED_EBUSY || status == SHARED_EINVALID, "%d: %s", status,
                      shared_error_message(shared_error_last()));
        return 0;
    }
    fates[tag_count] = FATE_OPEN;
    open_count++;
    return FIRST_TAG + (uint64_t)tag_count++;
}

static uint64_t tag_free(void) {
    return FIRST_TAG + (uint64_t)tag_count;
}

/* --- what a session may do ------------------------------------------------------------------------ */

static void do_get(int i) {
    char id[32];
    (void)snprintf(id, sizeof id, "row-%u", draw((uint32_t)row_count + 1));
    (void)accept_tag(shared_session_get(sessions[i], SHARED_DOCUMENT, id, tag_free()));
}

static void do_query(int i) {
    static const char *const texts[] = {"SELECT 1", "SELECT 1 / 0", "SELECT pg_sleep(0.01)",
                                        "SELECT count(*) FROM documents", "SELEKT"};
    uint32_t choice = draw(10);
    shared_query *query = NULL;
    OK(shared_query_new(0, texts[choice < 5 ? choice : 0], &query));
    if (draw(2)) OK(shared_query_read_only(query));
    (void)accept_tag(shared_session_query(sessions[i], query, tag_free()));
    shared_query_free(query);
}

static void do_add(int i) {
    shared_record *record = NULL;
    char id[32];
    (void)snprintf(id, sizeof id, "row-%d", row_count);
    OK(shared_record_new(SHARED_DOCUMENT, &record));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_ID, id, strlen(id)));
    OK(shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1));
    OK(draw(2) ? shared_session_add(sessions[i], record)
               : shared_session_copy(sessions[i], record));
    shared_record_unref(record);
    rows[row_count] = ROW_NEVER;
    row_of_commit[row_count++] = i; /* of that session, until a commit takes it */
}

/* Rows that session i added since its last end belong to the tag that ends it, 0: none. */
static void hand_rows(int i, int tag_index) {
    for (int row = row_waiting[i]; row < row_count; row++) {
        if (row_of_commit[row] != i) continue;
        row_of_commit[row] = tag_index < 0 ? -1 : SESSIONS + tag_index;
        if (tag_index >= 0) rows_until[tag_index] = row + 1;
    }
    row_waiting[i] = row_count;
    mark_count[i] = 0;
}

static void do_commit(int i) {
    if (accept_tag(shared_session_commit(sessions[i], tag_free()))) hand_rows(i, tag_count - 1);
}

static void do_rollback(int i) {
    if (accept_tag(shared_session_rollback(sessions[i], tag_free()))) hand_rows(i, -1);
}

static void do_flush(int i) {
    (void)accept_tag(shared_session_flush(sessions[i], tag_free()));
}

static const char *const names[SAVEPOINTS] = {"a", "b", "c", "d"};

static void do_savepoint(int i) {
    if (mark_count[i] == SAVEPOINTS) return;
    shared_status status = shared_session_savepoint(sessions[i], names[mark_count[i]]);
    if (status >= 0)
        marks[i][mark_count[i]++] = row_count; /* else none is open, or it has failed */
}

/* What was added since is never stored, however this ends. */
static void do_undo(int i) {
    if (!mark_count[i]) return;
    int chosen = (int)draw((uint32_t)mark_count[i]);
    if (!accept_tag(shared_session_rollback_to(sessions[i], names[chosen], tag_free()))) return;
    undone_tag[tag_count - 1] = true;
    mark_count[i] = chosen + 1;
    for (int row = marks[i][chosen]; row < row_count; row++) {
        if (row_of_commit[row] != i) continue;
        row_of_commit[row] = -1;
        undone_count++;
    }
}

static void do_release(int i) {
    if (!mark_count[i]) return;
    int chosen = (int)draw((uint32_t)mark_count[i]);
    if (shared_session_release(sessions[i], names[chosen]) >= 0) mark_count[i] = chosen;
}

static void do_cancel(int i) {
    (void)i;
    if (!tag_count) return;
    int back = (int)draw(20), index = tag_count > back ? tag_count - 1 - back : 0;
    (void)shared_client_cancel(client, FIRST_TAG + (uint64_t)index);
}

static void make_session(int i) {
    OK(shared_session_new(client, &sessions[i]));
    if (i < PINNED) OK(shared_session_pin(sessions[i]));
}

static void do_replace(int i) {
    if (draw(8)) return;
    shared_session_free(sessions[i]);
    make_session(i);
    hand_rows(i, -1);
}

static void do_kill(int i) {
    (void)i;
    if (draw(20)) return;
    test_run_aside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name = 'random' ORDER BY random() LIMIT 1");
}

/* --- what is told --------------------------------------------------------------------------------- */

static void note_outcome(int tag_index, enum outcome outcome) {
    for (int row = 0; row < rows_until[tag_index]; row++)
        if (row_of_commit[row] == SESSIONS + tag_index) rows[row] = (uint8_t)outcome;
    if (rows_until[tag_index]) outcomes[outcome]++;
}

static void take_events(void) {
    for (const shared_event *event; (event = shared_client_next(client));) {
        int index = (int)(shared_event_tag(event) - FIRST_TAG);
        ck_assert_int_eq(shared_event_more(event), 0);
        ck_assert_msg(index >= 0 && index < tag_count && fates[index] == FATE_OPEN,
                      "an event too many of tag %d", index);
        fates[index] = FATE_DONE;
        open_count--;
        int32_t code = shared_error_code(shared_event_error(event));
        undo_count += undone_tag[index] && code == SHARED_OK;
        /* A cancelled commit may have been done, and a freed session's too. */
        bool doubtful = code == SHARED_EUNKNOWN || code == SHARED_ECANCELLED;
        note_outcome(index, code == SHARED_OK ? ROW_THERE : doubtful ? ROW_MAYBE : ROW_NEVER);
    }
}

static void check_rows(void) {
    shared_client *direct = test_client(NULL, NULL);
    for (int row = 0; row < row_count; row++) {
        struct probe probe;
        char sql[96];
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM documents WHERE id = 'row-%d'", row);
        probe_init(&probe, sql);
        probe.operation.prepare = false;
        pool_read(client_pool(direct), &probe.operation);
        UNTIL(direct, probe.done);
        probe_succeeded(&probe);
        int there = atoi(probe.text);
        ck_assert_msg(rows[row] == ROW_MAYBE || there == (rows[row] == ROW_THERE),
                      "row %d: told %d, but %d", row, rows[row], there);
    }
    shared_client_free(direct);
}

static shared_client *random_client(void) {
    char url[300];
    shared_config *config = test_config();
    shared_client *made = NULL;
    (void)snprintf(url, sizeof url, "%s?application_name=random", getenv("TEST_DATABASE_URL"));
    OK(shared_config_set(config, "DATABASE_URL", url));
    OK(shared_config_set(config, "POOL_SIZE", "4"));
    OK(shared_config_set(config, "STATEMENT_CACHE", "4"));
    OK(shared_config_set(config, "RECONNECT_MS_MAX", "10"));
    OK(shared_client_new(config, &made));
    shared_config_free(config);
    return made;
}

START_TEST(whatever_happens_each_request_ends_once_and_is_told_truly) {
    static void (*const deeds[])(int) = {
        do_get,       do_get,       do_query,    do_add,     do_add,    do_commit,
        do_commit,    do_cancel,    do_rollback, do_replace, do_kill,   do_flush,
        do_savepoint, do_savepoint, do_undo,     do_undo,    do_release};
    const char *seed = getenv("RANDOM_SEED"), *steps = getenv("RANDOM_STEPS");
    state = seed ? strtoull(seed, NULL, 10) : random_u64();
    (void)fprintf(stderr, "RANDOM_SEED=%llu\n", (unsigned long long)state);
    if (!state) state = 1;
    test_run_aside("TRUNCATE documents, document_pages, document_chunks");
    client = random_client();
    for (int i = 0; i < SESSIONS; i++) make_session(i);
    int step_count = steps ? atoi(steps) : STEPS;
    for (int step = 0; step < step_count && tag_count < TAGS_MAX - 1; step++) {
        deeds[draw(sizeof deeds / sizeof *deeds)]((int)draw(SESSIONS));
        if (draw(4)) continue;
        ck_assert_int_ge(shared_client_dispatch(client, (int32_t)draw(3)), 0);
        take_events();
    }
    for (int i = 0; i < SESSIONS; i++) do_commit(i);
    int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS;
    for (take_events(); open_count; take_events()) test_turn(client, deadline_ms);
    for (int i = 0; i < SESSIONS; i++) shared_session_free(sessions[i]);
    shared_client_free(client);
    while (strcmp(lab_ask("SELECT count(*) FROM pg_stat_activity"
                          " WHERE application_name = 'random'"),
                  "0") != 0)
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms + TEST_DEADLINE_MS);
    check_rows();
    ck_assert_int_gt(outcomes[ROW_THERE], 10);
    ck_assert_int_gt(outcomes[ROW_NEVER], 0);
    ck_assert_int_gt(undone_count, 0);
    ck_assert_int_gt(undo_count, 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {whatever_happens_each_request_ends_once_and_is_told_truly};
    return lab_run("random", tests, sizeof tests / sizeof *tests);
}
