/* SPDX-License-Identifier: MIT
 * test_error.c - the table of classes row by row, written down here a second time on purpose, and how
 * errors are made and kept.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <shared/config.h>

#include "base/error.h"
#include "base/text.h"
#include "unit.h"

START_TEST(each_sqlstate_has_its_class_and_code) {
    static const struct {
        const char *sqlstate;
        int32_t class;
        int32_t code;
    } rows[] = {
        {"08000", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"08006", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"08P01", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"40001", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"40P01", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"40003", SHARED_PERMANENT, SHARED_EREMOTE},
        {"53000", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"53100", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"53300", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"55P03", SHARED_RETRYABLE, SHARED_EREMOTE},
        {"55006", SHARED_PERMANENT, SHARED_EREMOTE},
        {"57014", SHARED_PERMANENT, SHARED_EREMOTE}, /* not by us */
        {"57P01", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"57P02", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"57P03", SHARED_RETRYABLE, SHARED_ECLOSED},
        {"57P04", SHARED_PERMANENT, SHARED_EREMOTE},
        {"23503", SHARED_PERMANENT, SHARED_ECONFLICT},
        {"23505", SHARED_PERMANENT, SHARED_ECONFLICT},
        {"23P01", SHARED_PERMANENT, SHARED_ECONFLICT},
        {"23502", SHARED_PERMANENT, SHARED_EREMOTE},
        {"LX001", SHARED_PERMANENT, SHARED_ECONFLICT},
        {"42P01", SHARED_PERMANENT, SHARED_EREMOTE},
        {"28P01", SHARED_PERMANENT, SHARED_EREMOTE},
        {"XX000", SHARED_PERMANENT, SHARED_EREMOTE},
        {"", SHARED_PERMANENT, SHARED_EREMOTE},
        {"53", SHARED_PERMANENT, SHARED_EREMOTE}, /* not five characters */
        {"400011", SHARED_PERMANENT, SHARED_EREMOTE},
        {NULL, SHARED_PERMANENT, SHARED_EREMOTE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *sqlstate = rows[i].sqlstate;
        struct shared_error error;
        error_set_postgres(&error, sqlstate, "what", "why");
        ck_assert_msg(shared_classify_sqlstate(sqlstate) == rows[i].class, "class of %s", sqlstate);
        ck_assert_int_eq(shared_error_class(&error), rows[i].class);
        ck_assert_msg(shared_error_code(&error) == rows[i].code, "code of %s", sqlstate);
        ck_assert_int_eq(shared_error_domain(&error), SHARED_POSTGRES);
    }
}
END_TEST

START_TEST(each_errno_has_its_class_and_code) {
    static const struct {
        int number;
        int32_t class;
        int32_t code;
    } rows[] = {
        {EAGAIN, SHARED_RETRYABLE, SHARED_EREMOTE},
        {EINTR, SHARED_RETRYABLE, SHARED_EREMOTE},
        {EBUSY, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ETIMEDOUT, SHARED_RETRYABLE, SHARED_ETIMEOUT},
        {ENOMEM, SHARED_RETRYABLE, SHARED_ENOMEM},
        {ENOBUFS, SHARED_RETRYABLE, SHARED_ENOMEM},
        {EMFILE, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ENFILE, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ENOSPC, SHARED_RETRYABLE, SHARED_EREMOTE},
        {EDQUOT, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ESTALE, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ECONNREFUSED, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ECONNRESET, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ECONNABORTED, SHARED_RETRYABLE, SHARED_ECLOSED},
        {EPIPE, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ENOTCONN, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ESHUTDOWN, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ENETDOWN, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ENETUNREACH, SHARED_RETRYABLE, SHARED_ECLOSED},
        {ENETRESET, SHARED_RETRYABLE, SHARED_ECLOSED},
        {EHOSTDOWN, SHARED_RETRYABLE, SHARED_ECLOSED},
        {EHOSTUNREACH, SHARED_RETRYABLE, SHARED_ECLOSED},
        {EADDRNOTAVAIL, SHARED_RETRYABLE, SHARED_EREMOTE},
        {ENOENT, SHARED_PERMANENT, SHARED_EREMOTE},
        {EACCES, SHARED_PERMANENT, SHARED_EREMOTE},
        {EIO, SHARED_PERMANENT, SHARED_EREMOTE},
        {EINVAL, SHARED_PERMANENT, SHARED_EREMOTE},
        {0, SHARED_PERMANENT, SHARED_EREMOTE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shared_error error;
        error_set_errno(&error, rows[i].number, "connect");
        ck_assert_msg(shared_classify_errno(rows[i].number) == rows[i].class, "class of %s",
                      strerror(rows[i].number));
        ck_assert_int_eq(shared_error_class(&error), rows[i].class);
        ck_assert_msg(shared_error_code(&error) == rows[i].code, "code of %s",
                      strerror(rows[i].number));
        ck_assert_int_eq(shared_error_domain(&error), SHARED_SYSTEM);
        ck_assert(text_starts(shared_error_message(&error), "connect: "));
    }
}
END_TEST

START_TEST(each_redis_reply_has_its_class) {
    static const char *const retryable[] = {
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "BUSY Redis is busy running a script.",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "MASTERDOWN Link with MASTER is down",
        "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Redis is configured to save RDB snapshots",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "OOM",
        "UNBLOCKED force unblock from blocking operation",
        "ERR max number of clients reached",
    };
    static const char *const permanent[] = {
        "ERR unknown command 'FOO'",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair",
        "NOSCRIPT No matching script.",
        "BUSYGROUP Consumer Group name already exists",
        "BUSYKEY Target key name already exists.",
        "LOADINGX",
        "",
    };
    struct shared_error error;
    for (size_t i = 0; i < sizeof retryable / sizeof *retryable; i++) {
        error_set_redis(&error, retryable[i]);
        ck_assert_msg(shared_classify_redis(retryable[i]) == SHARED_RETRYABLE, "%s", retryable[i]);
        ck_assert_int_eq(shared_error_class(&error), SHARED_RETRYABLE);
        ck_assert_int_eq(shared_error_domain(&error), SHARED_REDIS);
    }
    for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++) {
        error_set_redis(&error, permanent[i]);
        ck_assert_msg(shared_classify_redis(permanent[i]) == SHARED_PERMANENT, "%s", permanent[i]);
        ck_assert_int_eq(shared_error_code(&error), SHARED_EREMOTE);
        ck_assert_str_eq(shared_error_message(&error), permanent[i]);
    }
    ck_assert_int_eq(shared_classify_redis(NULL), SHARED_PERMANENT);
}
END_TEST

START_TEST(each_code_of_fail_has_its_class_and_domain) {
    static const struct {
        int32_t code, class, domain;
    } rows[] = {
        {SHARED_EINVALID, SHARED_PERMANENT, SHARED_CALLER},
        {SHARED_ENOTFOUND, SHARED_PERMANENT, SHARED_CALLER},
        {SHARED_ECONFLICT, SHARED_PERMANENT, SHARED_CALLER},
        {SHARED_EBUSY, SHARED_RETRYABLE, SHARED_SYSTEM},
        {SHARED_ECLOSED, SHARED_RETRYABLE, SHARED_SYSTEM},
        {SHARED_ETIMEOUT, SHARED_RETRYABLE, SHARED_SYSTEM},
        {SHARED_ENOMEM, SHARED_RETRYABLE, SHARED_SYSTEM},
        {SHARED_ESCHEMA, SHARED_PERMANENT, SHARED_SCHEMA},
        {SHARED_EREMOTE, SHARED_PERMANENT, SHARED_SYSTEM},
        {SHARED_EFORKED, SHARED_PERMANENT, SHARED_CALLER},
        {SHARED_ECANCELLED, SHARED_RETRYABLE, SHARED_CALLER},
        {SHARED_EUNKNOWN, SHARED_RETRYABLE, SHARED_POSTGRES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(fail(rows[i].code, "limit: %d, at most %d", 7, 5), rows[i].code);
        const shared_error *error = shared_error_last();
        ck_assert_int_eq(shared_error_code(error), rows[i].code);
        ck_assert_int_eq(shared_error_class(error), rows[i].class);
        ck_assert_int_eq(shared_error_domain(error), rows[i].domain);
        ck_assert_str_eq(shared_error_message(error), "limit: 7, at most 5");
        ck_assert_str_eq(shared_error_sqlstate(error), "");
        ck_assert_str_eq(shared_error_detail(error), "");
    }
}
END_TEST

START_TEST(null_reads_as_no_error) {
    ck_assert_int_eq(shared_error_class(NULL), 0);
    ck_assert_int_eq(shared_error_domain(NULL), 0);
    ck_assert_int_eq(shared_error_code(NULL), SHARED_OK);
    ck_assert_str_eq(shared_error_sqlstate(NULL), "");
    ck_assert_str_eq(shared_error_message(NULL), "");
    ck_assert_str_eq(shared_error_detail(NULL), "");
    ck_assert_ptr_nonnull(shared_error_last());
}
END_TEST

START_TEST(a_postgres_error_keeps_state_message_and_detail) {
    struct shared_error error;
    error_set_postgres(&error, "23505", "duplicate key\nvalue", "Key (id)=(a) already exists.");
    ck_assert_str_eq(shared_error_sqlstate(&error), "23505");
    ck_assert_str_eq(shared_error_message(&error), "duplicate key value");
    ck_assert_str_eq(shared_error_detail(&error), "Key (id)=(a) already exists.");
    error_set_postgres(&error, NULL, NULL, NULL);
    ck_assert_str_eq(shared_error_message(&error), "");
}
END_TEST

START_TEST(the_servers_hint_goes_before_ours) {
    struct shared_error error;
    error_set_postgres(&error, "53300", "too many", NULL);
    ck_assert_ptr_nonnull(strstr(shared_error_hint(&error), "POOL_SIZE"));
    error_add_hint(&error, NULL);
    error_add_hint(&error, "");
    ck_assert_ptr_nonnull(strstr(shared_error_hint(&error), "POOL_SIZE"));
    error_add_hint(&error, "Ask again.");
    ck_assert_str_eq(shared_error_hint(&error), "Ask again.");
    error_set_redis(&error, "OOM command not allowed");
    ck_assert_ptr_nonnull(strstr(shared_error_hint(&error), "maxmemory"));
    error_set_postgres(&error, "42P01", "no such table", NULL);
    ck_assert_str_eq(shared_error_hint(&error), "");
}
END_TEST

START_TEST(names_stand_in_for_a_missing_detail) {
    struct shared_error error;
    error_set_postgres(&error, "23514", "check", "Failing row.");
    error_add_names(&error, "cases_title_check", "cases", NULL);
    ck_assert_str_eq(shared_error_detail(&error), "Failing row.");
    error_set_postgres(&error, "23514", "check", NULL);
    error_add_names(&error, "cases_title_check", "cases", "title");
    ck_assert_str_eq(shared_error_detail(&error), "constraint cases_title_check of table cases");
    error_set_postgres(&error, "23502", "null", NULL);
    error_add_names(&error, "", "cases", "title");
    ck_assert_str_eq(shared_error_detail(&error), "column title of table cases");
    error_set_postgres(&error, "42601", "syntax", NULL);
    error_add_names(&error, "", "", "");
    ck_assert_str_eq(shared_error_detail(&error), "");
}
END_TEST

static void helper_fails(void) {
    (void)fail(SHARED_EBUSY, "by a helper");
}

START_TEST(an_error_names_the_public_function_it_came_from) {
    ck_assert_str_eq(shared_error_operation(NULL), "");
    operation_begin_in("shared_session_get");
    helper_fails();
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_session_get");
    operation_begin(); /* this function's name is no public one */
    helper_fails();
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_session_get");
    ck_assert_int_eq(fail_in("shared_query_limit", SHARED_EINVALID, "limit"), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_query_limit");
    struct shared_error error;
    error_set(&error, SHARED_REDIS, SHARED_ECLOSED, "gone");
    ck_assert_str_eq(shared_error_operation(&error), "");
    ck_assert_int_eq(fail_with(&error), SHARED_ECLOSED);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_session_get");
    ck_assert_int_lt(shared_config_set(NULL, NULL, NULL), 0);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_config_set");
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters) {
    char text[2 * ERROR_MESSAGE_SIZE];
    for (size_t before = 0; before < 4; before++) {
        memset(text, 'a', before);
        size_t size = before;
        for (; size + 3 < sizeof text; size += 3) memcpy(text + size, "\xe2\x82\xac", 4);
        fail(SHARED_EINVALID, "%s", text);
        const char *message = shared_error_message(shared_error_last());
        ck_assert_uint_ge(strlen(message), ERROR_MESSAGE_SIZE - 4);
        ck_assert(text_is_utf8(message, strlen(message)));
        ck_assert_ptr_null(strchr(message, '?'));
    }
}
END_TEST

START_TEST(foreign_bytes_in_a_message_become_text) {
    struct shared_error error;
    error_set_redis(&error, "ERR \xff\x01 here");
    ck_assert_str_eq(shared_error_message(&error), "ERR ?  here");
}
END_TEST

START_TEST(an_error_may_quote_itself) {
    fail(SHARED_EINVALID, "limit: 7");
    fail(SHARED_EINVALID, "query: %s", shared_error_message(shared_error_last()));
    ck_assert_str_eq(shared_error_message(shared_error_last()), "query: limit: 7");
    struct shared_error error;
    error_set(&error, SHARED_TASK, SHARED_ETIMEOUT, "first");
    error_set(&error, SHARED_TASK, SHARED_ETIMEOUT, "%s, second", error.message);
    ck_assert_str_eq(shared_error_message(&error), "first, second");
    ck_assert_int_eq(shared_error_domain(&error), SHARED_TASK);
    ck_assert_int_eq(fail_with(&error), SHARED_ETIMEOUT);
    ck_assert_int_eq(fail_with(shared_error_last()), SHARED_ETIMEOUT);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "first, second");
}
END_TEST

static void *fail_elsewhere(void *unused) {
    (void)unused;
    fail(SHARED_EBUSY, "elsewhere");
    return NULL;
}

START_TEST(each_thread_has_its_own_last_error) {
    pthread_t thread;
    fail(SHARED_EINVALID, "here");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(shared_error_message(shared_error_last()), "here");
}
END_TEST

START_TEST(a_broken_invariant_ends_the_process) {
    SHARED_CHECK(1 + 1 == 3);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_sqlstate_has_its_class_and_code,
        each_errno_has_its_class_and_code,
        each_redis_reply_has_its_class,
        each_code_of_fail_has_its_class_and_domain,
        null_reads_as_no_error,
        a_postgres_error_keeps_state_message_and_detail,
        the_servers_hint_goes_before_ours,
        names_stand_in_for_a_missing_detail,
        an_error_names_the_public_function_it_came_from,
        a_long_message_is_cut_between_characters,
        foreign_bytes_in_a_message_become_text,
        an_error_may_quote_itself,
        each_thread_has_its_own_last_error,
    };
    TCase *tcase = tcase_create("invariant");
    tcase_add_test_raise_signal(tcase, a_broken_invariant_ends_the_process, SIGABRT);
    int failed = unit_run_case("invariant", tcase);
    return failed ? failed : unit_run("error", tests, sizeof tests / sizeof *tests);
}
