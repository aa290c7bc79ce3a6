/* SPDX-License-Identifier: MIT
 * test_memory.c - each flow with its n-th allocation failing, for every n: SHARED_ENOMEM or an honest
 * NULL, nothing half done, nothing leaked (ASan), and the same flow whole afterwards.
 */
#include <stdio.h>

#include "base/config.h"
#include "fake_rows.h"
#include "model/statement.h"
#include "scarce.h"

static void nothing(void) {}

static const char long_text[] = "a text that is longer than the room for small values of a record";

static void make_and_change(void) {
    shared_record *record;
    if (!scarce_accepted(shared_record_new(SHARED_DOCUMENT, &record))) {
        scarce_expect(!record, "a record of a failed call");
        return;
    }
    if (!scarce_accepted(shared_record_set_text(record, SHARED_DOCUMENT_ERROR, long_text, 60)))
        scarce_expect(shared_record_is_null(record, SHARED_DOCUMENT_ERROR),
                      "a value of a failed call");
    scarce_expect(shared_record_json(record) || scarce_fired, "no JSON");
    shared_record_unref(record);
}

static void read_json(void) {
    static const char json[] =
        "{\"title\":\"a title that is longer than the room for small values\",\"description\":\"a "
        "description that is longer than the room for small values\"}";
    shared_record *record;
    if (!scarce_accepted(shared_record_from_json(SHARED_CASE, json, sizeof json - 1, &record))) {
        scarce_expect(!record, "a record of a failed call");
        return;
    }
    (void)scarce_accepted(shared_record_set_text(record, SHARED_CASE_TITLE, "old", 3));
    record_send(record);
    if (!scarce_accepted(shared_record_merge_json(record, json, sizeof json - 1)))
        for (int32_t i = 0; i < 5; i++)
            scarce_expect(!record_is_changed(record, i), "half a merge");
    shared_record_unref(record);
}

static void read_row(void) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    scarce_expect(record || scarce_fired, "no record");
    if (record) scarce_expect(shared_record_json(record) || scarce_fired, "no JSON");
    shared_record_unref(record);
    rows_unref(&fake.rows);
    scarce_expect(fake.frees == 1, "rows that nobody freed");
}

static void write_statements(void) {
    struct fake_rows fake = fake_rows(16, 1, document_values);
    struct statement insert = {0}, update = {0}, delete = {0}, many = {0};
    shared_record *record = record_from_row(SHARED_DOCUMENT, &fake.rows, 0);
    if (!record) return;
    (void)scarce_accepted(shared_record_set_int(record, SHARED_DOCUMENT_ATTEMPT, 4));
    if (scarce_accepted(statement_insert(&insert, record)))
        scarce_expect(insert.parameters.count == 11, "half an insert");
    if (scarce_accepted(statement_update(&update, record)))
        scarce_expect(update.parameters.count == 2, "half an update");
    if (scarce_accepted(statement_delete(&delete, record)))
        scarce_expect(delete.parameters.count == 1, "half a delete");
    if (scarce_accepted(statement_insert_many(&many, &record, 1)))
        scarce_expect(many.parameters.count == 11, "half a bulk insert");
    statement_finish(&insert);
    statement_finish(&update);
    statement_finish(&delete);
    statement_finish(&many);
    shared_record_unref(record);
}

static void read_settings(void) {
    shared_config *config;
    if (!scarce_accepted(shared_config_from_env(&config))) {
        scarce_expect(!config, "settings of a failed call");
        return;
    }
    shared_config *copy = config_copy(config);
    scarce_expect(copy || scarce_fired, "no copy");
    if (copy)
        scarce_expect(!strcmp(shared_config_get(copy, "REDIS_URL"), "redis://h"), "a wrong copy");
    scarce_expect(shared_config_safe(config, "REDIS_URL") != NULL, "no safe value");
    bool set = scarce_accepted(shared_config_set(config, "REDIS_URL", "redis://other"));
    const char *url = shared_config_get(config, "REDIS_URL");
    const char *broker = shared_config_get(config, "CELERY_BROKER_URL");
    scarce_expect(!strcmp(url, set ? "redis://other" : "redis://h"), "a setting half set");
    scarce_expect(!strcmp(broker, set ? "redis://other/0" : "redis://h/0"), "a default half set");
    shared_config_free(config);
    shared_config_free(copy);
}

START_TEST(records_survive_each_failing_allocation) {
    scarce_torture(make_and_change, nothing);
}
END_TEST
START_TEST(json_survives_each_failing_allocation) {
    scarce_torture(read_json, nothing);
}
END_TEST
START_TEST(rows_survive_each_failing_allocation) {
    scarce_torture(read_row, nothing);
}
END_TEST
START_TEST(statements_survive_each_failing_allocation) {
    scarce_torture(write_statements, nothing);
}
END_TEST
START_TEST(settings_survive_each_failing_allocation) {
    setenv("REDIS_URL", "redis://h", 1);
    setenv("LOG_LEVEL", "debug", 1);
    setenv("LEX_SANBOX", "on", 1);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* the warning about it */
    scarce_torture(read_settings, nothing);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        records_survive_each_failing_allocation,  json_survives_each_failing_allocation,
        rows_survive_each_failing_allocation,     statements_survive_each_failing_allocation,
        settings_survive_each_failing_allocation,
    };
    return unit_run("memory", tests, sizeof tests / sizeof *tests);
}
