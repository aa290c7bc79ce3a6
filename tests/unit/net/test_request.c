/* SPDX-License-Identifier: MIT
 * test_request.c - tags and their events: one last event each, in order, bounded, cancelled, overdue, and
 * without an allocation in the steady state.
 */
#include <malloc.h>
#include <string.h>

#include "client_fixture.h"

static int cancels;
static void cancel_now(struct request *request, const struct shared_error *why) {
    cancels++;
    request_fail(request, why);
}

static struct shared_error kept;
static void cancel_later(struct request *request, const struct shared_error *why) {
    (void)request;
    cancels++;
    kept = *why;
}

START_TEST(events_keep_their_order) {
    shared_client *client = client_make(NULL);
    struct request *a = request_new(client, 1, 0, cancel_now, NULL);
    struct request *b = request_new(client, 2, 0, cancel_now, NULL);
    request_more(a, SHARED_EVENT_PROGRESS)->json = strdup("{}");
    request_end(b);
    request_more(a, SHARED_EVENT_PROGRESS)->count = 2;
    request_end(a);
    static const struct {
        uint64_t tag;
        int32_t more, kind;
    } expected[] = {{1, 1, SHARED_EVENT_PROGRESS},
                    {2, 0, SHARED_EVENT_DONE},
                    {1, 1, SHARED_EVENT_PROGRESS},
                    {1, 0, SHARED_EVENT_DONE}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const shared_event *event = shared_client_next(client);
        ck_assert_uint_eq(shared_event_tag(event), expected[i].tag);
        ck_assert_int_eq(shared_event_more(event), expected[i].more);
        ck_assert_int_eq(shared_event_kind(event), expected[i].kind);
        if (i == 0) ck_assert_str_eq(shared_event_json(event), "{}");
    }
    ck_assert_ptr_null(shared_client_next(client));
    shared_client_free(client);
}
END_TEST

START_TEST(tag_is_in_use_until_its_last_event_is_taken) {
    shared_client *client = client_make(NULL);
    struct request *request = request_new(client, 9, 0, cancel_now, NULL);
    ck_assert_ptr_null(request_new(client, 9, 0, cancel_now, NULL));
    ck_assert_int_eq(shared_error_code(shared_error_last()), SHARED_EINVALID);
    request_end(request);
    ck_assert_ptr_null(request_new(client, 9, 0, cancel_now, NULL));
    ck_assert_ptr_nonnull(shared_client_next(client));
    ck_assert_ptr_nonnull(request_new(client, 9, 0, cancel_now, NULL));
    shared_client_free(client);
}
END_TEST

START_TEST(tag_zero_has_no_event) {
    shared_client *client = client_make(NULL);
    struct request *a = request_new(client, 0, 0, cancel_now, NULL);
    struct request *b = request_new(client, 0, 0, cancel_now, NULL);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_null(request_more(a, SHARED_EVENT_PROGRESS));
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_EREMOTE, "nobody hears it");
    request_fail(a, &error);
    request_end(b);
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    ck_assert_int_eq(shared_client_cancel(client, 0), SHARED_ENOTFOUND);
    shared_client_free(client);
}
END_TEST

START_TEST(requests_are_bounded_and_events_not_taken_count) {
    shared_client *client = client_make((const char *[]){"CLIENT_REQUESTS_MAX", "200", NULL});
    for (uint64_t tag = 1; tag <= 200; tag++)
        request_end(request_new(client, tag, 0, cancel_now, NULL));
    ck_assert_ptr_null(request_new(client, 201, 0, cancel_now, NULL));
    ck_assert_int_eq(shared_error_code(shared_error_last()), SHARED_EBUSY);
    ck_assert_int_eq(shared_error_class(shared_error_last()), SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(shared_error_message(shared_error_last()), "200"));
    ck_assert_ptr_nonnull(shared_client_next(client));
    ck_assert_ptr_nonnull(request_new(client, 201, 0, cancel_now, NULL));
    shared_client_free(client);
}
END_TEST

START_TEST(many_tags_are_found) {
    enum { COUNT = 5000 };
    shared_client *client = client_make(NULL);
    for (uint64_t tag = 1; tag <= COUNT; tag++)
        ck_assert_ptr_nonnull(request_new(client, tag << 32, 0, cancel_now, NULL));
    for (uint64_t tag = COUNT; tag >= 1; tag--) {
        const shared_event *event = NULL;
        ck_assert_int_eq(shared_client_cancel(client, tag << 32), SHARED_OK);
        ck_assert_int_eq(shared_client_wait(client, tag << 32, 0, &event), SHARED_ECANCELLED);
        ck_assert_int_eq(shared_client_cancel(client, tag << 32), SHARED_ENOTFOUND);
    }
    ck_assert_int_eq(cancels, COUNT);
    shared_client_free(client);
}
END_TEST

START_TEST(cancel_may_end_later_or_come_too_late) {
    shared_client *client = client_make(NULL);
    struct request *request = request_new(client, 1, 0, cancel_later, NULL);
    ck_assert_int_eq(shared_client_cancel(client, 1), SHARED_OK);
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    ck_assert_int_eq(kept.code, SHARED_ECANCELLED);
    request_fail(request, &kept);
    ck_assert_int_eq(shared_client_cancel(client, 1), SHARED_OK); /* it has ended: nothing to do */
    ck_assert_int_eq(cancels, 1);
    const shared_event *event = shared_client_next(client);
    ck_assert_int_eq(shared_error_code(shared_event_error(event)), SHARED_ECANCELLED);
    shared_client_free(client);
}
END_TEST

START_TEST(deadline_asks_for_the_end) {
    shared_client *client = client_make(NULL);
    const shared_event *event = NULL;
    ck_assert_ptr_nonnull(request_new(client, 1, 5, cancel_now, NULL));
    ck_assert_int_eq(shared_client_wait(client, 1, PATIENCE_MS, &event), SHARED_ETIMEOUT);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(shared_error_class(shared_event_error(event)), SHARED_RETRYABLE);
    ck_assert_int_eq(cancels, 1);
    shared_client_free(client);
}
END_TEST

START_TEST(waiting_events_of_a_tag_are_counted) {
    shared_client *client = client_make(NULL);
    struct request *request = request_new(client, 1, 0, cancel_now, NULL);
    ck_assert_int_eq(client_events_waiting(client, 1), 0);
    ck_assert_ptr_null(client_event_last(client, 1));
    struct shared_event *first = request_more(request, SHARED_EVENT_PROGRESS);
    struct shared_event *second = request_more(request, SHARED_EVENT_PROGRESS);
    ck_assert_int_eq(client_events_waiting(client, 1), 2);
    ck_assert_ptr_eq(client_event_last(client, 1), second);
    ck_assert_ptr_eq(shared_client_next(client), first);
    ck_assert_ptr_eq(shared_client_next(client), second);
    ck_assert_ptr_null(client_event_last(client, 1));
    ck_assert_int_eq(client_events_waiting(client, 2), 0);
    shared_client_free(client);
}
END_TEST

static int unrefs;
static void task_unref(shared_task *task) {
    (void)task;
    unrefs++;
}

START_TEST(events_not_taken_are_let_go_with_the_client) {
    shared_client *client = client_make(NULL);
    struct request *request = request_new(client, 1, 0, cancel_now, NULL);
    for (int i = 0; i < 2; i++) {
        struct shared_event *event = request_more(request, SHARED_EVENT_TASK);
        event->json = strdup("leaks if nobody frees it");
        event->task = (shared_task *)request;
        event->task_unref = task_unref;
    }
    ck_assert_ptr_nonnull(shared_event_task(shared_client_next(client)));
    ck_assert_int_eq(unrefs, 0);
    shared_client_free(client);
    ck_assert_int_eq(unrefs, 2); /* the one taken and the one waiting */
    ck_assert_int_eq(cancels, 0);
}
END_TEST

START_TEST(steady_state_allocates_nothing) {
    shared_client *client = client_make(NULL);
    for (int round = 0; round < 3; round++) {
        struct mallinfo2 before = mallinfo2();
        for (uint64_t tag = 1; tag <= 60; tag++)
            request_end(request_new(client, tag, 1000, cancel_now, NULL));
        while (shared_client_next(client)) {
        }
        if (round > 0) ck_assert_uint_eq(mallinfo2().uordblks, before.uordblks);
    }
    shared_client_free(client);
}
END_TEST

START_TEST(accessors_accept_null) {
    ck_assert_int_eq(shared_event_kind(NULL), 0);
    ck_assert_uint_eq(shared_event_tag(NULL), 0);
    ck_assert_int_eq(shared_event_more(NULL), 0);
    ck_assert_int_eq(shared_event_count(NULL), 0);
    ck_assert_ptr_null(shared_event_record(NULL, 0));
    ck_assert_str_eq(shared_event_id(NULL), "");
    ck_assert_str_eq(shared_event_json(NULL), "");
    ck_assert_ptr_null(shared_event_task(NULL));
    ck_assert_ptr_null(shared_event_error(NULL));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        events_keep_their_order,
        tag_is_in_use_until_its_last_event_is_taken,
        tag_zero_has_no_event,
        requests_are_bounded_and_events_not_taken_count,
        many_tags_are_found,
        cancel_may_end_later_or_come_too_late,
        deadline_asks_for_the_end,
        waiting_events_of_a_tag_are_counted,
        events_not_taken_are_let_go_with_the_client,
        steady_state_allocates_nothing,
        accessors_accept_null,
    };
    return unit_run("request", tests, sizeof tests / sizeof *tests);
}
