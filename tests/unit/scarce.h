/* SPDX-License-Identifier: MIT
 * scarce.h - memory that runs out when told: the linker (--wrap) puts these in the library's way; libpq and
 * other shared libraries keep their own. Within the scarcity check must not allocate, so a flow asserts
 * nothing: it says what does not hold.
 */
#ifndef SCARCE_H
#define SCARCE_H

#include <shared.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "unit.h"

enum { SCARCE_WAIT_MS = 20000, SCARCE_RUNS_MAX = 3000, SCARCE_NAMES_MAX = 400 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static long scarce_countdown = -1; /* allocations until one fails; below zero: none does */
static bool scarce_for_ever;       /* and all after it */
static bool scarce_fired;
static long scarce_count; /* allocations so far, for budgets */

static bool scarce_fails(void) {
    scarce_count++;
    if (scarce_countdown < 0) return false;
    if (scarce_countdown > 0) return scarce_countdown--, false;
    if (!scarce_for_ever) scarce_countdown = -1;
    return scarce_fired = true;
}

void *__wrap_malloc(size_t size) {
    return scarce_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return scarce_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return scarce_fails() ? NULL : __real_realloc(memory, size);
}

static void scarce_expect(bool holds, const char *what) {
    if (holds) return;
    scarce_countdown = -1;
    ck_abort_msg("%s: %s", what, shared_error_message(shared_error_last()));
}

/* Accepted, or refused for want of memory. */
static bool scarce_accepted(shared_status status) {
    scarce_expect(status >= 0 || (scarce_fired && status == SHARED_ENOMEM), "refused");
    return status >= 0;
}

/* The last event of an accepted request: it went well, or the failure is one that passes. */
__attribute__((unused)) static bool scarce_ends(shared_client *asked, shared_status accepted,
                                                uint64_t tag) {
    const shared_event *event = NULL;
    if (!scarce_accepted(accepted)) return false;
    do {
        shared_status status = shared_client_wait(asked, tag, SCARCE_WAIT_MS, &event);
        scarce_expect(event != NULL, "a request without an end");
        scarce_expect(status >= 0 || scarce_fired, "a failure with memory enough");
    } while (shared_event_more(event));
    const shared_error *error = shared_event_error(event);
    scarce_expect(!error || shared_error_class(error) == SHARED_RETRYABLE, "a failure for good");
    return !error;
}

/* --- which exported functions ran while memory was scarce: tests/torture/calls.py, where it is linked -------- */
extern int scarce_calls[] __attribute__((weak));
extern const char *const scarce_names[] __attribute__((weak));
extern const int scarce_name_count __attribute__((weak));
static bool scarce_tortured[SCARCE_NAMES_MAX];

static void scarce_calls_forget(void) {
    for (int i = 0; scarce_names && i < scarce_name_count; i++) scarce_calls[i] = 0;
}

static void scarce_calls_note(void) {
    for (int i = 0; scarce_names && i < scarce_name_count; i++)
        if (scarce_calls[i] > 0) scarce_tortured[i] = true;
}

/* What ./dev test torture adds up. */
static void scarce_report(long points) {
    printf("torture: %ld points\n", points);
    for (int i = 0; scarce_names && i < scarce_name_count; i++)
        if (scarce_tortured[i]) printf("tortured: %s\n", scarce_names[i]);
}

/* flow with the 1st, 2nd, ... allocation failing, once and for ever, until none is left to fail; after
 * each, with memory again, recover. */
__attribute__((unused)) static void scarce_torture(void (*flow)(void), void (*recover)(void)) {
    long points = 0;
    if (scarce_names) ck_assert_int_le(scarce_name_count, SCARCE_NAMES_MAX);
    for (int mode = 0; mode < 2; mode++) {
        bool tried = true;
        long runs = 0;
        for (; tried; runs++) {
            ck_assert_int_lt(runs, SCARCE_RUNS_MAX);
            scarce_for_ever = mode;
            scarce_fired = false;
            scarce_calls_forget();
            scarce_countdown = runs;
            flow();
            tried = scarce_fired;
            scarce_countdown = -1;
            scarce_calls_note();
            recover();
        }
        ck_assert_int_gt(runs, 1); /* or nothing was tried */
        points += runs - 1;        /* the last run failed none */
    }
    scarce_report(points);
}

#endif
