/* SPDX-License-Identifier: MIT
 * test_timer.c - timers fire in order, not early, once; the heap against a plain list.
 */
#include <string.h>

#include "client_fixture.h"
#include "net/client_private.h"

enum { COUNT = 2000 };
struct entry {
    struct timer timer;
    int64_t due_ms;
    int fired;
};
static struct entry entries[COUNT];
static int fired;
static int64_t last_due_ms;

static void fire(struct timer *timer) {
    struct entry *entry = (struct entry *)((char *)timer - offsetof(struct entry, timer));
    ck_assert_int_ge(time_monotonic_ms(), entry->due_ms);
    ck_assert_int_ge(entry->due_ms, last_due_ms);
    last_due_ms = entry->due_ms;
    entry->fired++;
    fired++;
}

/* A small generator of its own: the same order in each run. */
static uint32_t chance(void) {
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

START_TEST(random_starts_and_stops_fire_in_order) {
    shared_client *client = client_make(NULL);
    int running = 0;
    for (int i = 0; i < COUNT * 4; i++) {
        struct entry *entry = &entries[chance() % COUNT];
        if (chance() % 4 == 0) {
            timer_stop(client, &entry->timer);
        } else {
            timer_start(client, &entry->timer, 20 + chance() % 100, fire);
            entry->due_ms = entry->timer.due_ms;
        }
    }
    for (int i = 0; i < COUNT; i++) running += entries[i].timer.running;
    ck_assert_int_gt(running, COUNT / 2);
    client_until(client, &fired, running);
    ck_assert_int_eq(fired, running);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(!entries[i].timer.running);
        ck_assert_int_le(entries[i].fired, 1);
    }
    ck_assert_ptr_null(client->timers);
    shared_client_free(client);
}
END_TEST

static shared_client *chained;
static void fire_again(struct timer *timer) {
    if (++fired < 5) timer_start(chained, timer, 0, fire_again);
}

START_TEST(timer_may_start_itself_again) {
    chained = client_make(NULL);
    struct timer timer = {0};
    timer_start(chained, &timer, 0, fire_again);
    client_until(chained, &fired, 5);
    ck_assert(!timer.running);
    shared_client_free(chained);
}
END_TEST

START_TEST(descriptor_becomes_readable_when_due) {
    shared_client *client = client_make(NULL);
    ck_assert_int_eq(shared_client_timer(client, 60000, 1), SHARED_OK);
    ck_assert_int_eq(shared_client_timer(client, 1, 2), SHARED_OK); /* earlier than what is armed */
    struct pollfd poll_fd = {.fd = shared_client_fd(client), .events = POLLIN};
    ck_assert_int_eq(poll(&poll_fd, 1, PATIENCE_MS), 1);
    while (shared_client_dispatch(client, 0) == 0)
        ck_assert_int_eq(poll(&poll_fd, 1, PATIENCE_MS), 1);
    ck_assert_uint_eq(shared_event_tag(shared_client_next(client)), 2);
    ck_assert_ptr_null(shared_client_next(client));
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
    shared_client_free(client);
}
END_TEST

START_TEST(extreme_delays_are_no_overflow) {
    shared_client *client = client_make(NULL);
    struct timer timer = {0};
    timer_start(client, &timer, INT64_MAX, fire);
    ck_assert_int_eq(timer.due_ms, INT64_MAX);
    timer_start(client, &timer, INT64_MIN, fire);
    ck_assert_int_le(timer.due_ms, time_monotonic_ms());
    timer_stop(client, &timer);
    timer_stop(client, &timer);
    ck_assert_int_eq(shared_client_timer(client, -1, 1), SHARED_EINVALID);
    shared_client_free(client);
}
END_TEST

START_TEST(cancelled_timer_says_so) {
    shared_client *client = client_make(NULL);
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_timer(client, 60000, 1), SHARED_OK);
    ck_assert_int_eq(shared_client_cancel(client, 1), SHARED_OK);
    ck_assert_int_eq(shared_client_wait(client, 1, 0, &event), SHARED_ECANCELLED);
    ck_assert_int_eq(shared_event_more(event), 0);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        random_starts_and_stops_fire_in_order,
        timer_may_start_itself_again,
        descriptor_becomes_readable_when_due,
        extreme_delays_are_no_overflow,
        cancelled_timer_says_so,
    };
    return unit_run("timer", tests, sizeof tests / sizeof *tests);
}
