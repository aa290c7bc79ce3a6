/* SPDX-License-Identifier: MIT
 * test_log_memory.c - the capture of lines with its n-th allocation failing, for every n: each line comes or
 * is counted as lost, and a capture that could not be made leaves nothing behind.
 */
#include <string.h>

#include "scarce.h"

enum { TAG = 7, LINES = 3 };

static shared_client *client;

/* Lines that came, and those that were told to be lost, until the last event. */
static int64_t take_all(void) {
    int64_t told = 0;
    for (const shared_event *event; (event = shared_client_next(client));) {
        if (!shared_event_more(event)) return told + shared_event_count(event);
        told++;
        const char *lost = strstr(shared_event_json(event), "\"lost\":");
        if (lost) told += strtoll(lost + 7, NULL, 10);
    }
    scarce_expect(false, "a capture without an end");
    return told;
}

static void capture_and_log(void) {
    if (!scarce_accepted(shared_log_capture(client, SHARED_DEBUG, TAG))) {
        scarce_expect(!shared_log_enabled("t", SHARED_DEBUG), "half a capture");
        return;
    }
    shared_log("t", SHARED_DEBUG, "one");
    (void)shared_client_dispatch(client, 0);
    shared_log_with("t", SHARED_DEBUG, "two", "name", "value");
    shared_log("t", SHARED_DEBUG, "three");
    scarce_expect(shared_client_cancel(client, TAG) == SHARED_OK, "cancel");
    scarce_expect(take_all() == LINES, "a line that is neither here nor lost");
}

/* With memory again no line is lost. */
static void recover(void) {
    ck_assert_int_eq(shared_log_capture(client, SHARED_DEBUG, TAG), SHARED_OK);
    shared_log("t", SHARED_DEBUG, "m");
    ck_assert_int_eq(shared_client_cancel(client, TAG), SHARED_OK);
    const shared_event *event = shared_client_next(client);
    ck_assert_int_eq(shared_event_more(event), 1);
    ck_assert_ptr_nonnull(shared_event_record(event, 0));
    ck_assert_int_eq(take_all(), 0);
}

START_TEST(capture_survives_each_failing_allocation) {
    shared_config *config;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    shared_config_free(config);
    scarce_torture(capture_and_log, recover);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {capture_survives_each_failing_allocation};
    return unit_run("log_memory", tests, sizeof tests / sizeof *tests);
}
