/* SPDX-License-Identifier: MIT
 * test_meta.c - results as Celery 5.7 stores them, apart from the moment.
 */
#include "queue/meta.h"

#include <string.h>

#include "base/time.h"
#include "unit.h"

static const struct meta_exception broken = {
    .type = "PermanentError", .module = "shared.errors", .message = "it's \"broken\"\n"};

/* Wanted has "@" for the moment. */
static void check_text(struct buffer *text, const char *wanted) {
    const char *moment = strchr(wanted, '@');
    ck_assert_ptr_nonnull(moment);
    size_t before = (size_t)(moment - wanted), after = strlen(moment + 1);
    ck_assert_uint_ge(text->size, before + after);
    ck_assert_mem_eq(text->data, wanted, before);
    ck_assert_str_eq(text->data + text->size - after, moment + 1);
    int64_t time_us;
    size_t size = text->size - before - after;
    ck_assert(time_from_text(text->data + before, size, &time_us));
    ck_assert_int_le(time_us, time_wall_us());
    buffer_finish(text);
}

START_TEST(success) {
    struct buffer text = {.data = NULL};
    meta_write_success(&text, (struct meta_owner){.id = "t1"}, "{\"pages\": 3}");
    check_text(&text, "{\"status\": \"SUCCESS\", \"result\": {\"pages\": 3}, \"traceback\": null, "
                      "\"children\": [], \"date_done\": \"@\", \"task_id\": \"t1\"}");
}
END_TEST

START_TEST(failure_of_a_group_member) {
    struct buffer text = {.data = NULL};
    meta_write_failure(&text, (struct meta_owner){.id = "t1", .parent_id = "p", .group_id = "g"},
                       broken);
    check_text(&text,
               "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"PermanentError\", "
               "\"exc_message\": [\"it's \\\"broken\\\"\\n\"], \"exc_module\": \"shared.errors\"}, "
               "\"traceback\": \"shared.errors.PermanentError: it's \\\"broken\\\"\\n\\n\", "
               "\"children\": [], \"date_done\": \"@\", \"group_id\": \"g\", \"parent_id\": \"p\", "
               "\"task_id\": \"t1\"}");
}
END_TEST

START_TEST(a_retry_has_no_end_yet) {
    struct buffer text = {.data = NULL};
    meta_write_retry(&text, (struct meta_owner){.id = "t1"}, broken);
    ck_assert_ptr_nonnull(strstr(text.data, "{\"status\": \"RETRY\", "));
    ck_assert_ptr_nonnull(strstr(text.data, "\"children\": [[[\"t1\", null], null]], "
                                            "\"date_done\": null, \"task_id\": \"t1\"}"));
    buffer_finish(&text);
}
END_TEST

START_TEST(revoked) {
    struct buffer text = {.data = NULL};
    meta_write_revoked(&text, (struct meta_owner){.id = "t1"}, "expired");
    check_text(&text,
               "{\"status\": \"REVOKED\", \"result\": {\"exc_type\": \"TaskRevokedError\", "
               "\"exc_message\": [\"expired\"], \"exc_module\": \"celery.exceptions\"}, "
               "\"traceback\": null, \"children\": [], \"date_done\": \"@\", \"task_id\": \"t1\"}");
}
END_TEST

START_TEST(states_are_told_apart) {
    static const struct {
        const char *json;
        bool ready, success;
    } rows[] = {
        {"{\"status\": \"SUCCESS\", \"result\": NaN}", true, true},
        {"{\"status\": \"FAILURE\", \"result\": {}}", true, false},
        {"{\"status\": \"REVOKED\", \"result\": {}}", true, false},
        {"{\"status\": \"RETRY\", \"result\": {}}", false, false},
        {"{\"status\": \"STARTED\", \"result\": {}}", false, false},
        {"{\"status\": \"PROGRESS\", \"result\": \"SUCCESS\"}", false, false},
        {"{\"result\": 1, \"status\": \"SUCCESS\"}", true, true},
        {"{\"status\":\"SUCCESS\"}", true, true},
        {"{\"status\": \"SUCCESS", false, false},
        {"", false, false},
        {"SUCCESS", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].json);
        ck_assert_msg(meta_is_ready(rows[i].json, size) == rows[i].ready, "%s", rows[i].json);
        ck_assert_msg(meta_is_success(rows[i].json, size) == rows[i].success, "%s", rows[i].json);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {success, failure_of_a_group_member, a_retry_has_no_end_yet,
                                  revoked, states_are_told_apart};
    return unit_run("meta", tests, sizeof tests / sizeof *tests);
}
