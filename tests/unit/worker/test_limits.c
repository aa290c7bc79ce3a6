/* SPDX-License-Identifier: MIT
 * test_limits.c - what the settings allow is what the helper takes: one that is allowed and then refused
 * would fail each document for a reason that nobody sees.
 */
#include <shared.h>
#include <stdio.h>

#include "frame.h"
#include "unit.h"

static const struct {
    const char *name;
    int64_t most;
} pairs[] = {
    {"PAGES_MAX", EXTRACT_PAGES_MAX},
    {"PAGE_TEXT_BYTES_MAX", EXTRACT_PAGE_TEXT_BYTES_MAX},
    {"WORKER_CONCURRENCY", EXTRACT_CHILDREN_MAX / 2}, /* each killed and its next one there */
};

static shared_status set(shared_config *config, const char *name, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    return shared_config_set(config, name, digits);
}

START_TEST(settings_allow_what_the_helper_takes_and_no_more) {
    shared_config *config = NULL;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_msg(set(config, pairs[i].name, pairs[i].most) >= 0, "%s: %s", pairs[i].name,
                      shared_error_message(shared_error_last()));
        ck_assert_msg(set(config, pairs[i].name, pairs[i].most + 1) < 0, "%s", pairs[i].name);
    }
    shared_config_free(config);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {settings_allow_what_the_helper_takes_and_no_more};
    return unit_run("worker-limits", tests, sizeof tests / sizeof *tests);
}
