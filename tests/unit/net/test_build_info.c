/* SPDX-License-Identifier: MIT
 * test_build_info.c - what a report of a fault says of the libraries in this process.
 */
#include <shared/version.h>
#include <string.h>

#include "model/json.h"
#include "unit.h"

START_TEST(each_library_is_named_with_its_version) {
    static const char *const names[] = {"libshared", "libpq", "openssl", "hiredis",
                                        "jansson",   "zlib",  "compiler"};
    const char *info = shared_build_info();
    ck_assert_msg(json_is(info, strlen(info), '{'), "%s", info);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *version = json_member_text(info, strlen(info), names[i]);
        ck_assert_msg(version && strpbrk(version, "0123456789"), "%s: %s", names[i], info);
        free(version);
    }
    char *version = json_member_text(info, strlen(info), "libshared");
    ck_assert_str_eq(version, shared_version_text());
    free(version);
}
END_TEST

START_TEST(it_is_made_once) {
    ck_assert_ptr_eq(shared_build_info(), shared_build_info());
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_library_is_named_with_its_version, it_is_made_once};
    return unit_run("build_info", tests, sizeof tests / sizeof *tests);
}
