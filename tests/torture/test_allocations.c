/* SPDX-License-Identifier: MIT
 * test_allocations.c - the public functions that no folder's test_memory.c reaches, with the n-th allocation
 * failing, for every n: refused for want of memory or right, never half done; nothing leaks (ASan), and
 * afterwards the same client works.
 */
#include "database.h"
#include "scarce.h"

enum { FIRST = 10, RELAY = 60, CONSUME, TASK };

static shared_client *client;
static shared_config *settings;
static const char long_text[] = "a text that is longer than the room for small values of a record";

static void nothing(void) {}

static bool ends(shared_status accepted, uint64_t tag) {
    return scarce_ends(client, accepted, tag);
}

/* --- without a server ------------------------------------------------------------------------------- */

static void ask_and_classify(void) {
    scarce_expect(shared_version() > 0 && *shared_version_text(), "no version");
    scarce_expect(*shared_build_info(), "no build");
    (void)shared_config_hint(settings, 0);
    scarce_expect(shared_classify_errno(104) == SHARED_RETRYABLE, "a reset that does not pass");
    scarce_expect(shared_classify_sqlstate("40001") == SHARED_RETRYABLE, "40001 that stays");
    scarce_expect(shared_classify_redis("LOADING x") == SHARED_RETRYABLE, "LOADING that stays");
    for (int32_t i = 0; shared_config_name(i); i++)
        scarce_expect(*shared_config_help(shared_config_name(i)) &&
                          *shared_config_group(shared_config_name(i)),
                      "a setting without a word");
    scarce_expect(!shared_config_is_set(settings, "QUEUE_NAME"), "a setting that nobody set");
    scarce_expect(shared_config_int(settings, "REDIS_TIMEOUT_MS") > 0, "no number");
    shared_config *own;
    if (!scarce_accepted(shared_config_from_env(&own))) return;
    scarce_expect(shared_config_set(own, "REDIS_TIMEOUT_MS", "x") < 0, "a number that is none");
    const shared_error *error = shared_error_last();
    scarce_expect(shared_error_code(error) == SHARED_EINVALID || scarce_fired, "another code");
    scarce_expect(shared_error_domain(error) == SHARED_CALLER, "another domain");
    scarce_expect(!*shared_error_sqlstate(error) && !*shared_error_detail(error), "words of none");
    scarce_expect(shared_error_hint(error) && shared_error_operation(error), "no word");
    shared_config_free(own);
}

static void write_logs(void) {
    static const char *const names[] = {"document_id", "step"};
    static const char *const values[] = {long_text, NULL};
    shared_log_configure(settings);
    scarce_expect(!shared_log_enabled("torture", SHARED_DEBUG), "debug is on");
    shared_log("torture", SHARED_DEBUG, long_text);
    shared_log_with("torture", SHARED_ERROR, long_text, "document_id", long_text);
    shared_log_pairs("torture", SHARED_ERROR, long_text, names, values, 2);
}

/* A log line is made without an allocation: it has no flow of its own. */
static void fill_message(void) {
    shared_message *message;
    write_logs();
    if (!scarce_accepted(shared_message_new("t", "[1]", &message))) return;
    (void)scarce_accepted(shared_message_set_id(message, "an-id"));
    scarce_expect(*shared_message_id(message), "no id");
    (void)scarce_accepted(shared_message_set_eta(message, 1795487432112960));
    (void)scarce_accepted(shared_message_set_countdown(message, 1000));
    (void)scarce_accepted(shared_message_set_expires(message, 1795487432112960));
    (void)scarce_accepted(shared_message_set_time_limits(message, 1000, 2000));
    (void)scarce_accepted(shared_message_set_ignore_result(message, 1));
    shared_message_free(message);
}

static void set_and_look(void) {
    shared_record *record;
    if (!scarce_accepted(shared_record_new(SHARED_DOCUMENT, &record))) return;
    shared_record *again = shared_record_ref(record);
    scarce_expect(shared_record_model(again) == SHARED_DOCUMENT, "another model");
    int32_t last = shared_record_field(again, shared_record_count(again) - 1);
    scarce_expect(last > 0 && *shared_record_name(again, last), "a field without a name");
    if (scarce_accepted(shared_record_set_text(again, SHARED_DOCUMENT_FILE_NAME, long_text, 60)))
        scarce_expect(shared_record_text_size(again, SHARED_DOCUMENT_FILE_NAME) == 60, "cut");
    int64_t const time_us = 1795487432112960;
    if (scarce_accepted(shared_record_set_time(again, SHARED_DOCUMENT_CREATED_AT, time_us)))
        scarce_expect(shared_record_time(again, SHARED_DOCUMENT_CREATED_AT) == time_us, "a time");
    (void)scarce_accepted(shared_record_set_null(again, SHARED_DOCUMENT_ERROR));
    if (scarce_accepted(shared_record_set_int(again, SHARED_DOCUMENT_ATTEMPT, 3)))
        scarce_expect(shared_record_text(again, SHARED_DOCUMENT_ATTEMPT) || scarce_fired, "null");
    shared_status status = shared_record_check(again);
    scarce_expect(status >= 0 || scarce_fired, "refused");
    (void)shared_record_set_int(again, SHARED_DOCUMENT_ATTEMPT, -3);
    scarce_expect(shared_record_check(again) < 0 || scarce_fired, "a number below its limit");
    scarce_expect(*shared_record_failures() == '[', "no list");
    for (int32_t i = 0; i < shared_failure_count(); i++)
        scarce_expect(shared_failure_path(i) && shared_failure_rule(i) && shared_failure_value(i) &&
                          shared_failure_limit(i) && shared_failure_message(i),
                      "a failure without a word");
    shared_record_unref(again);
    shared_record_unref(record);
}

static void bind_all(void) {
    static const char *const texts[] = {"a", NULL, long_text};
    shared_query *query;
    if (!scarce_accepted(shared_query_new(0, "SELECT $1, $2, $3, $4, $5", &query))) return;
    (void)scarce_accepted(shared_query_bind_int(query, 1, INT64_MIN));
    (void)scarce_accepted(shared_query_bind_null(query, 2));
    (void)scarce_accepted(shared_query_bind_text_array(query, 3, texts, 3));
    (void)scarce_accepted(shared_query_bind_int_array(query, 4, (int64_t[]){1, -2}, 2));
    (void)scarce_accepted(shared_query_bind_text(query, 5, long_text, 60));
    (void)scarce_accepted(shared_query_bind_bool(query, 1, 1));
    (void)scarce_accepted(shared_query_bind_float(query, 1, 1.5));
    (void)scarce_accepted(shared_query_bind_numeric(query, 1, "1.50"));
    (void)scarce_accepted(shared_query_bind_time(query, 1, 1795487432112960));
    (void)scarce_accepted(shared_query_bind_uuid(query, 1, "0198c1a0-0000-7000-8000-000000000000"));
    (void)scarce_accepted(shared_query_read_only(query));
    shared_query_free(query);
    if (!scarce_accepted(shared_query_new(SHARED_DOCUMENT, "attempt = $1", &query))) return;
    (void)scarce_accepted(shared_query_limit(query, 5));
    shared_query_free(query);
}

static void settings_make(void) {
    for (int32_t i = 0; shared_config_name(i); i++) (void)unsetenv(shared_config_name(i));
    ck_assert_int_eq(shared_config_from_env(&settings), SHARED_OK);
}

START_TEST(words_and_settings_survive_each_failing_allocation) {
    settings_make();
    scarce_torture(ask_and_classify, nothing);
    shared_config_free(settings);
}
END_TEST

START_TEST(messages_survive_each_failing_allocation) {
    settings_make();
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    scarce_torture(fill_message, nothing);
    shared_config_free(settings);
}
END_TEST

START_TEST(fields_survive_each_failing_allocation) {
    scarce_torture(set_and_look, nothing);
}
END_TEST

START_TEST(binds_survive_each_failing_allocation) {
    scarce_torture(bind_all, nothing);
}
END_TEST

/* --- the database ------------------------------------------------------------------------------------ */

static shared_session *session;

static void look_at_values(shared_record *row) {
    size_t size = 0;
    scarce_expect(row || scarce_fired, "no row");
    if (!row) return;
    int32_t count = shared_record_array_count(row, 3);
    scarce_expect(shared_record_type(row, 0) == SHARED_TYPE_INT, "another type");
    scarce_expect(shared_record_bool(row, 1) == 1 && shared_record_float(row, 2) > 1, "a value");
    scarce_expect(count == 3 || scarce_fired, "another count");
    if (count != 3) return;
    scarce_expect(shared_record_array_int(row, 3, 0) == 7, "an entry");
    scarce_expect(shared_record_array_is_null(row, 3, 1) == 1, "an entry that is not null");
    const char *text = shared_record_array_text(row, 3, 2, &size);
    scarce_expect(text ? size == 1 : scarce_fired, "a text");
}

static bool read_rows(void) {
    static const char sql[] = "SELECT 1::bigint, true, 1.5::float8, '{7,NULL,9}'::int8[]";
    const shared_event *event = NULL;
    shared_query *query;
    if (!scarce_accepted(shared_query_new(0, sql, &query))) return false;
    shared_status status = shared_query_read_only(query);
    if (status >= 0) status = shared_session_query(session, query, FIRST);
    shared_query_free(query);
    if (!scarce_accepted(status)) return false;
    status = shared_client_wait(client, FIRST, SCARCE_WAIT_MS, &event);
    scarce_expect(event && (status >= 0 || scarce_fired), "a failure with memory enough");
    if (status >= 0) look_at_values(shared_event_record(event, 0));
    (void)shared_event_document(event);
    (void)shared_event_data(event, NULL);
    scarce_expect(status < 0 || shared_event_columns(event) == 4, "columns");
    scarce_expect(status < 0 || shared_event_column_type(event, 1) == 16, "a type");
    scarce_expect(status < 0 || *shared_event_column_name(event, 1), "a column without a name");
    return status >= 0;
}

/* On a connection that the session keeps. */
static void set_by_itself(void) {
    shared_query *query;
    if (!scarce_accepted(shared_session_pin(session))) return;
    if (!scarce_accepted(shared_query_new(0, "SET work_mem = '1MB'", &query))) return;
    shared_status status = shared_query_autocommit(query);
    if (status >= 0) status = shared_session_query(session, query, FIRST + 5);
    shared_query_free(query);
    (void)ends(status, FIRST + 5);
}

static shared_record *stored(const char *id, uint64_t tag) {
    const shared_event *event = NULL;
    if (!scarce_accepted(shared_session_get(session, SHARED_DOCUMENT, id, tag))) return NULL;
    shared_status status = shared_client_wait(client, tag, SCARCE_WAIT_MS, &event);
    scarce_expect(event != NULL, "a request without an end");
    scarce_expect(status >= 0 || scarce_fired, "a failure with memory enough");
    if (status < 0) return NULL;
    scarce_expect(shared_event_count(event) == 1 && !*shared_event_id(event), "another event");
    scarce_expect(!*shared_event_json(event), "JSON of rows");
    return shared_record_ref(shared_event_record(event, 0));
}

static shared_record *fresh(const char *id) {
    shared_record *record;
    if (!scarce_accepted(shared_record_new(SHARED_DOCUMENT, &record))) return NULL;
    shared_status status = shared_record_set_text(record, SHARED_DOCUMENT_ID, id, strlen(id));
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1);
    if (scarce_accepted(status)) return record;
    shared_record_unref(record);
    return NULL;
}

static void change_in_a_transaction(void) {
    if (!scarce_accepted(shared_session_begin(session, SHARED_SERIALIZABLE, 0))) return;
    shared_record *changed = stored("kept", FIRST + 1), *gone = stored("gone", FIRST + 2);
    shared_record *new_ones[] = {fresh("new-1"), fresh("new-2")};
    bool good = changed && gone;
    for (int i = 0; i < 2; i++) {
        good = good && new_ones[i] && scarce_accepted(shared_session_copy(session, new_ones[i]));
        shared_record_unref(new_ones[i]);
    }
    good = good && scarce_accepted(shared_record_set_int(changed, SHARED_DOCUMENT_ATTEMPT, 2));
    good = good && scarce_accepted(shared_session_update(session, changed));
    good = good && scarce_accepted(shared_session_delete(session, gone));
    if (good) (void)ends(shared_session_commit(session, FIRST + 3), FIRST + 3);
    shared_record_unref(changed);
    shared_record_unref(gone);
}

static void read_and_change(void) {
    (void)read_rows();
    change_in_a_transaction();
}

/* All of the change, or nothing of it. */
static void recover_session(void) {
    ck_assert_int_eq(shared_session_rollback(session, FIRST + 4), SHARED_OK);
    world_done(client, FIRST + 4);
    char state[16];
    snprintf(state, sizeof state, "%s",
             sql_say("SELECT string_agg(substr(id, 1, 3) || attempt, ' ' ORDER BY id) = "
                     "'kep2 new0 new0' FROM documents"));
    if (strcmp(state, "t") != 0)
        ck_assert_str_eq(sql_say("SELECT string_agg(id || attempt, ' ' ORDER BY id) FROM "
                                 "documents"),
                         "gone0 kept0");
    sql_say("DELETE FROM documents; INSERT INTO documents (id, file_name) VALUES ('kept', 'f'), "
            "('gone', 'f')");
    ck_assert(read_rows());
}

static void begin(void) {
    world_begin();
    database_begin();
    client = world_client("RECONNECT_MS_MAX", "10", NULL);
}

START_TEST(changes_survive_each_failing_allocation) {
    begin();
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    sql_say("INSERT INTO documents (id, file_name) VALUES ('kept', 'f'), ('gone', 'f')");
    ck_assert(read_rows());
    scarce_torture(read_and_change, recover_session);
    shared_session_free(session);
    shared_client_free(client);
}
END_TEST

START_TEST(a_kept_connection_survives_each_failing_allocation) {
    begin();
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    scarce_torture(set_by_itself, nothing);
    shared_session_free(session);
    shared_client_free(client);
}
END_TEST

static void migrate(void) {
    (void)ends(shared_migrate_current(client, NULL, FIRST), FIRST);
    (void)ends(shared_migrate_upgrade(client, NULL, "head", FIRST + 1), FIRST + 1);
}

static void migrate_back(void) {
    ck_assert_int_eq(shared_migrate_upgrade(client, NULL, "head", FIRST + 2), SHARED_OK);
    world_done(client, FIRST + 2);
    ck_assert_str_eq(sql_say("SELECT count(*) FROM documents"), "0");
    sql_say("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

START_TEST(migrations_survive_each_failing_allocation) {
    begin();
    sql_say("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    scarce_torture(migrate, migrate_back);
    shared_client_free(client);
}
END_TEST

/* --- the queue ----------------------------------------------------------------------------------------- */

/* The end of a request that goes on until it is cancelled, or that failed for want of memory. */
static void stop(bool running, uint64_t tag) {
    const shared_event *event = NULL;
    if (!running) return;
    (void)shared_client_cancel(client, tag);
    do (void)shared_client_wait(client, tag, SCARCE_WAIT_MS, &event);
    while (shared_event_more(event));
    scarce_expect(event != NULL, "a request without an end");
}

static void look_at(const shared_task *task) {
    scarce_expect(*shared_task_id(task) && !strcmp(shared_task_name(task), "t"), "another task");
    scarce_expect(*shared_task_args(task) == '[', "no arguments");
    scarce_expect(*shared_task_kwargs(task) == '{', "no keywords");
    const char *text = shared_task_argument(task, 0, "document_id");
    scarce_expect(text ? !strcmp(text, "d1") : scarce_fired, "another argument");
    scarce_expect(shared_task_attempt(task) == 0 && !shared_task_is_last(task), "a second time");
    scarce_expect(shared_task_queue(task) && *shared_task_queue(task), "no queue");
    (void)shared_task_correlation_id(task);
    (void)shared_task_parent_id(task);
    (void)shared_task_root_id(task);
    (void)shared_task_reply_to(task);
    scarce_expect(!shared_task_soft_limit_ms(task) && !shared_task_hard_limit_ms(task), "a limit");
    scarce_expect(!shared_task_priority(task), "a priority");
    (void)shared_task_eta(task);
    (void)shared_task_expires(task);
    (void)shared_task_is_redelivered(task);
    scarce_expect(shared_task_is_held(task) || scarce_fired, "a claim that is lost");
}

static void enqueue(void) {
    if (!scarce_accepted(shared_session_enqueue(session, "t", "[{\"document_id\":\"d1\"}]", "d1")))
        return;
    (void)ends(shared_session_commit(session, FIRST), FIRST);
}

static void relay_and_look(void) {
    bool relaying = scarce_accepted(shared_queue_relay(client, RELAY));
    (void)scarce_accepted(shared_queue_register(client, "t"));
    enqueue();
    bool consuming = scarce_accepted(shared_queue_consume(client, NULL, 1, CONSUME));
    const shared_event *event = NULL;
    for (int turns = 0; consuming && !event && turns < (scarce_fired ? 3 : 2000); turns++)
        (void)shared_client_wait(client, CONSUME, 5, &event);
    if (event && !shared_event_more(event)) consuming = false;
    shared_task *task = shared_task_ref(shared_event_task(event));
    scarce_expect(task || scarce_fired, "no task");
    if (task) {
        look_at(task);
        (void)ends(shared_task_succeed(task, NULL, TASK), TASK);
    }
    shared_task_unref(task);
    stop(consuming, CONSUME);
    stop(relaying, RELAY);
    shared_client_wake(client);
    (void)shared_client_dispatch(client, SCARCE_WAIT_MS); /* woken: returns at once */
    scarce_expect(shared_client_fd(client) >= 0, "no descriptor");
}

static void recover_queue(void) {
    ck_assert_int_eq(shared_session_rollback(session, FIRST + 4), SHARED_OK);
    world_done(client, FIRST + 4);
    while (shared_client_next(client)) continue;
    sql_say("DELETE FROM task_outbox");
    redis_say("FLUSHALL");
    relay_and_look();
    redis_say("FLUSHALL");
}

START_TEST(the_relay_survives_each_failing_allocation) {
    begin();
    ck_assert_int_eq(shared_session_new(client, &session), SHARED_OK);
    recover_queue();
    scarce_torture(relay_and_look, recover_queue);
    shared_session_free(session);
    shared_client_free(client);
}
END_TEST

/* --- a client's whole life ------------------------------------------------------------------------------ */

static const shared_config *life_config;

static bool next_ends(uint64_t tag) {
    const shared_event *event = NULL;
    for (int turns = 0; !event && turns < 4000; turns++) {
        (void)shared_client_dispatch(client, 5);
        event = shared_client_next(client);
    }
    scarce_expect(event && shared_event_tag(event) == tag, "another event");
    scarce_expect(shared_event_kind(event) != SHARED_EVENT_TASK, "a task");
    const shared_error *error = shared_event_error(event);
    scarce_expect(!error || (scarce_fired && *shared_error_message(error)), "a failure");
    return !error && shared_record_int(shared_event_record(event, 0), 0) == 0;
}

static bool stopped(uint64_t tag) {
    const shared_event *event = NULL;
    do (void)shared_client_wait(client, tag, SCARCE_WAIT_MS, &event);
    while (shared_event_more(event));
    scarce_expect(event != NULL, "a request without an end");
    return event != NULL;
}

static void live(void) {
    client = NULL;
    if (!scarce_accepted(shared_client_new(life_config, &client))) return;
    (void)scarce_accepted(shared_log_capture(client, SHARED_ERROR, 5));
    if (shared_client_cancel(client, 5) == SHARED_OK) (void)stopped(5);
    if (scarce_accepted(shared_client_timer(client, 0, 1))) (void)next_ends(1);
    if (scarce_accepted(shared_client_ping(client, SHARED_POSTGRES, 2))) (void)next_ends(2);
    if (scarce_accepted(shared_client_ping(client, SHARED_REDIS, 3))) (void)next_ends(3);
    if (scarce_accepted(shared_session_new(client, &session))) {
        if (scarce_accepted(shared_session_get(session, SHARED_DOCUMENT, "none", 4)))
            (void)next_ends(4);
        shared_session_free(session);
    }
    shared_client_free(client);
}

START_TEST(a_life_survives_each_failing_allocation) {
    begin();
    shared_client_free(client);
    settings_make();
    ck_assert_int_eq(shared_config_set(settings, "RECONNECT_MS_MAX", "10"), SHARED_OK);
    ck_assert_int_eq(shared_config_set(settings, "REDIS_URL", getenv("TEST_REDIS_URL")), SHARED_OK);
    ck_assert_int_eq(shared_config_set(settings, "DATABASE_URL", getenv("TEST_DATABASE_URL")),
                     SHARED_OK);
    life_config = settings;
    scarce_torture(live, nothing);
    shared_config_free(settings);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        words_and_settings_survive_each_failing_allocation,
        messages_survive_each_failing_allocation,
        fields_survive_each_failing_allocation,
        binds_survive_each_failing_allocation,
        changes_survive_each_failing_allocation,
        a_kept_connection_survives_each_failing_allocation,
        migrations_survive_each_failing_allocation,
        the_relay_survives_each_failing_allocation,
        a_life_survives_each_failing_allocation,
    };
    return unit_run("allocations", tests, sizeof tests / sizeof *tests);
}
