/* SPDX-License-Identifier: MIT
 * test_migrate.c - a database on its way through versions: up, again, by two at once, and a file that
 * fails. Each test has a database of its own: migrations drop what a test before it has left.
 */
#include <unistd.h>

#include "lab.h"

static char folder[64];

static void put(const char *name, const char *sql) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(sql, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void open_empty(void) {
    (void)snprintf(folder, sizeof folder, "/tmp/lex-migrate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    test_run_aside("DROP TABLE IF EXISTS alembic_version");
    test_run_aside("DROP TABLE IF EXISTS steps");
    put("0001-first.sql", "-- two statements\nCREATE TABLE steps (number int);\n"
                          "INSERT INTO steps VALUES (1);\n");
    put("0002-second.sql", "INSERT INTO steps VALUES (2)");
    client = test_client(NULL, NULL);
}

static void close_all(void) {
    static const char *const names[] = {"0001-first.sql", "0002-second.sql", "0003-third.sql"};
    shared_client_free(client);
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static void upgrade(const char *target, int64_t count, const char *json) {
    OK(shared_migrate_upgrade(client, folder, target, 1));
    const shared_event *event = lab_success(1);
    ck_assert_int_eq(shared_event_count(event), count);
    ck_assert_str_eq(shared_event_json(event), json);
}

static void current(int64_t count, const char *json) {
    OK(shared_migrate_current(client, folder, 2));
    const shared_event *event = lab_success(2);
    ck_assert_int_eq(shared_event_count(event), count);
    ck_assert_str_eq(shared_event_json(event), json);
}

static const char steps_sql[] = "SELECT string_agg(number::text, ' ' ORDER BY number) FROM steps";
static const char version_sql[] = "SELECT string_agg(version_num, ' ') FROM alembic_version";

START_TEST(up_to_head_and_again_is_nothing) {
    open_empty();
    current(2, "{\"current\":null,\"head\":\"0002\"}");
    upgrade("head", 2, "{\"from\":\"\",\"to\":\"0002\"}");
    ck_assert_str_eq(lab_ask(steps_sql), "1 2");
    ck_assert_str_eq(lab_ask(version_sql), "0002"); /* one row, as Alembic has it */
    current(0, "{\"current\":\"0002\",\"head\":\"0002\"}");
    upgrade("head", 0, "{\"from\":\"0002\",\"to\":\"0002\"}");
    ck_assert_str_eq(lab_ask(steps_sql), "1 2");
    close_all();
}
END_TEST

START_TEST(one_step_at_a_time_and_up_to_a_number) {
    open_empty();
    put("0003-third.sql", "INSERT INTO steps VALUES (3)");
    upgrade("+1", 1, "{\"from\":\"\",\"to\":\"0001\"}");
    upgrade("0002", 1, "{\"from\":\"0001\",\"to\":\"0002\"}");
    upgrade("+1", 1, "{\"from\":\"0002\",\"to\":\"0003\"}");
    ck_assert_str_eq(lab_ask(steps_sql), "1 2 3");
    close_all();
}
END_TEST

START_TEST(two_at_once_apply_each_step_once) {
    open_empty();
    put("0003-third.sql", "SELECT pg_sleep(0.1); INSERT INTO steps VALUES (3)");
    shared_client *other = test_client(NULL, NULL);
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    OK(shared_migrate_upgrade(client, folder, "head", 2));
    OK(shared_migrate_upgrade(other, folder, "head", 3));
    int64_t applied = 0;
    const shared_event *event = NULL;
    for (int64_t deadline_ms = time_monotonic_ms() + TEST_DEADLINE_MS; !event;) {
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
        ck_assert_int_ge(shared_client_dispatch(other, 5), 0);
        ck_assert_int_lt(time_monotonic_ms(), deadline_ms);
        event = shared_client_next(other);
    }
    ck_assert_msg(!shared_event_error(event), "%s",
                  shared_error_message(shared_event_error(event)));
    applied += shared_event_count(event);
    applied += shared_event_count(lab_success(1));
    applied += shared_event_count(lab_success(2));
    ck_assert_int_eq(applied, 3);
    ck_assert_str_eq(lab_ask(steps_sql), "1 2 3");
    ck_assert_str_eq(lab_ask(version_sql), "0003");
    shared_client_free(other);
    close_all();
}
END_TEST

START_TEST(a_file_that_fails_is_named_and_undone_and_what_came_before_stays) {
    open_empty();
    put("0003-third.sql", "INSERT INTO steps VALUES (3); SELECT 1 / 0");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    const shared_error *error = lab_failure(1, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "22012");
    ck_assert_ptr_nonnull(strstr(shared_error_message(error), "0003"));
    ck_assert_str_eq(lab_ask(steps_sql), "1 2");
    ck_assert_str_eq(lab_ask(version_sql), "0002");
    put("0003-third.sql", "INSERT INTO steps VALUES (3)");
    upgrade("head", 1, "{\"from\":\"0002\",\"to\":\"0003\"}");
    close_all();
}
END_TEST

START_TEST(a_file_that_ends_the_transaction_itself_is_refused) {
    open_empty();
    put("0003-third.sql", "INSERT INTO steps VALUES (3); COMMIT");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    const shared_error *error = lab_failure(1, SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(shared_error_message(error), "0003"));
    ck_assert_str_eq(lab_ask(version_sql), "0002");
    close_all();
}
END_TEST

START_TEST(a_file_that_begins_another_transaction_is_refused_too) {
    open_empty();
    put("0003-third.sql", "INSERT INTO steps VALUES (3); COMMIT; BEGIN; SELECT 1");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    const shared_error *error = lab_failure(1, SHARED_EINVALID);
    ck_assert_ptr_nonnull(strstr(shared_error_message(error), "0003"));
    ck_assert_str_eq(lab_ask(version_sql), "0002");
    close_all();
}
END_TEST

/* As in what pg_dump writes: names must be whole, also ours. */
START_TEST(a_file_behind_which_the_version_cannot_be_written_is_named) {
    open_empty();
    put("0003-third.sql", "SELECT pg_catalog.set_config('search_path', '', false)");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    const shared_error *error = lab_failure(1, SHARED_EREMOTE);
    ck_assert_str_eq(shared_error_sqlstate(error), "42P01");
    ck_assert_ptr_nonnull(strstr(shared_error_message(error), "0003"));
    close_all();
}
END_TEST

START_TEST(what_a_file_sets_is_not_for_the_sessions_behind_it) {
    open_empty();
    put("0003-third.sql", "SET TimeZone = 'Asia/Tokyo'");
    upgrade("head", 3, "{\"from\":\"\",\"to\":\"0003\"}");
    OK(shared_session_new(client, &session));
    lab_query("SHOW TimeZone", 1);
    ck_assert_str_ne(shared_record_text(shared_event_record(lab_success(1), 0), 0), "Asia/Tokyo");
    shared_session_free(session);
    session = NULL;
    close_all();
}
END_TEST

/* The connection breaks under the COMMIT, whose deferred trigger ends it. */
START_TEST(nobody_knows_of_a_commit_whose_answer_was_lost) {
    static const char script[] =
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER last AFTER INSERT ON steps DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION leave(); INSERT INTO steps VALUES (3)";
    open_empty();
    put("0003-third.sql", script);
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    const shared_error *error = lab_failure(1, SHARED_EUNKNOWN);
    ck_assert_ptr_nonnull(strstr(shared_error_message(error), "0003"));
    ck_assert_str_eq(lab_ask(version_sql), "0002");
    close_all();
}
END_TEST

START_TEST(alembic_may_have_come_first) {
    open_empty();
    test_run_aside("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL,"
                   " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))");
    test_run_aside("INSERT INTO alembic_version VALUES ('0001')");
    test_run_aside("CREATE TABLE steps (number int)");
    upgrade("head", 1, "{\"from\":\"0001\",\"to\":\"0002\"}");
    ck_assert_str_eq(lab_ask(steps_sql), "2");
    test_run_aside("UPDATE alembic_version SET version_num = '4af1c9'");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    ck_assert_ptr_nonnull(strstr(shared_error_message(lab_failure(1, SHARED_EINVALID)), "4af1c9"));
    close_all();
}
END_TEST

START_TEST(a_long_migration_may_take_longer_than_a_statement_and_be_cancelled) {
    open_empty();
    shared_client_free(client);
    client = test_client("DATABASE_TIMEOUT_MS", "50");
    put("0003-third.sql", "SELECT pg_sleep(0.3); INSERT INTO steps VALUES (3)");
    upgrade("head", 3, "{\"from\":\"\",\"to\":\"0003\"}");
    test_run_aside("UPDATE alembic_version SET version_num = '0002'");
    put("0003-third.sql", "SELECT pg_sleep(60)");
    OK(shared_migrate_upgrade(client, folder, "head", 1));
    while (strcmp(lab_ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
                  "1") != 0)
        ck_assert_int_ge(shared_client_dispatch(client, 5), 0);
    OK(shared_client_cancel(client, 1));
    (void)lab_failure(1, SHARED_ECANCELLED);
    put("0003-third.sql", "INSERT INTO steps VALUES (4)");
    upgrade("head", 1, "{\"from\":\"0002\",\"to\":\"0003\"}"); /* the lock is free again */
    close_all();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        up_to_head_and_again_is_nothing,
        one_step_at_a_time_and_up_to_a_number,
        two_at_once_apply_each_step_once,
        a_file_that_fails_is_named_and_undone_and_what_came_before_stays,
        a_file_that_ends_the_transaction_itself_is_refused,
        a_file_that_begins_another_transaction_is_refused_too,
        a_file_behind_which_the_version_cannot_be_written_is_named,
        what_a_file_sets_is_not_for_the_sessions_behind_it,
        nobody_knows_of_a_commit_whose_answer_was_lost,
        alembic_may_have_come_first,
        a_long_migration_may_take_longer_than_a_statement_and_be_cancelled,
    };
    return unit_run("migrate", tests, sizeof tests / sizeof *tests);
}
