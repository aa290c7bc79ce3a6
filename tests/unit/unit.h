/* SPDX-License-Identifier: MIT
 * unit.h - runs a file's tests, each in a process of its own (check's fork mode).
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

#undef fail /* check's old word for ck_abort_msg, and ours of base/error.h */
#define fail(...) fail_in(__func__, __VA_ARGS__)

/* For tests in a loop, with a fixture, or that end by a signal. */
static inline int unit_run_case(const char *name, TCase *tcase) {
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_run(const char *name, const TTest *const *tests, size_t count) {
    TCase *tcase = tcase_create(name);
    for (size_t i = 0; i < count; i++) tcase_add_test(tcase, tests[i]);
    return unit_run_case(name, tcase);
}

#endif
