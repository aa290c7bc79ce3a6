/* SPDX-License-Identifier: MIT
 * test_config.c - settings from the environment and by hand: defaults, ranges, what is derived, what is
 * said about wrong ones.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/text.h"
#include "unit.h"

/* The settings of an environment that holds nothing but pairs of name and value, NULL at the end. */
static shared_status from_env(shared_config **config, const char *const *pairs) {
    clearenv();
    for (; *pairs; pairs += 2) setenv(pairs[0], pairs[1], 1);
    return shared_config_from_env(config);
}

static shared_config *from_nothing(void) {
    shared_config *config;
    ck_assert_int_eq(from_env(&config, (const char *const[]){NULL}), SHARED_OK);
    return config;
}

static const char *last_message(void) {
    return shared_error_message(shared_error_last());
}

START_TEST(each_row_of_the_table_is_sound) {
    shared_config *config = from_nothing();
    for (int32_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];
        ck_assert_str_eq(shared_config_name(i), setting->name);
        ck_assert(setting->kind >= SETTING_TEXT && setting->kind <= SETTING_QUEUE);
        ck_assert_msg(shared_config_get(config, setting->name) != NULL, "%s", setting->name);
        ck_assert_int_eq(shared_config_is_set(config, setting->name), 0);
        ck_assert_uint_gt(strlen(shared_config_help(setting->name)), 10);
        if (*setting->preset) /* a default passes its own check */
            ck_assert_msg(shared_config_set(config, setting->name, setting->preset) == SHARED_OK,
                          "%s: %s", setting->name, last_message());
        for (int32_t other = 0; other < i; other++)
            ck_assert_str_ne(settings[other].name, setting->name);
    }
    for (int32_t i = 0; i < setting_groups_count; i++)
        ck_assert_str_eq(shared_config_group(setting_groups[i].first), setting_groups[i].heading);
    ck_assert_str_eq(shared_config_group("LOG_FORMAT"), "All programs");
    ck_assert_str_eq(shared_config_group("NO_SUCH"), "");
    ck_assert_ptr_null(shared_config_name(settings_count));
    ck_assert_ptr_null(shared_config_name(-1));
    shared_config_free(config);
}
END_TEST

START_TEST(numbers_are_held_to_their_range_at_both_ends) {
    shared_config *config = from_nothing();
    for (int32_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];
        if (setting->kind != SETTING_INT) continue;
        const int64_t inside[] = {setting->min, setting->max};
        const int64_t outside[] = {setting->min - 1, setting->max + 1};
        char text[32];
        for (int end = 0; end < 2; end++) {
            snprintf(text, sizeof text, "%lld", (long long)inside[end]);
            ck_assert_msg(shared_config_set(config, setting->name, text) == SHARED_OK, "%s=%s",
                          setting->name, text);
            ck_assert_int_eq(shared_config_int(config, setting->name), inside[end]);
            snprintf(text, sizeof text, "%lld", (long long)outside[end]);
            ck_assert_msg(shared_config_set(config, setting->name, text) == SHARED_EINVALID,
                          "%s=%s", setting->name, text);
            ck_assert_int_eq(shared_config_int(config, setting->name), inside[end]);
        }
    }
    shared_config_free(config);
}
END_TEST

START_TEST(the_environment_is_read_and_an_empty_value_is_the_default) {
    shared_config *config;
    const char *const pairs[] = {
        "BACKEND_PORT", "9000",       "LOG_LEVEL", "WARNING", "BACKEND_ALLOW_REMOTE",
        "yes",          "UPLOAD_DIR", "",          NULL};
    ck_assert_int_eq(from_env(&config, pairs), SHARED_OK);
    ck_assert_int_eq(shared_config_int(config, "BACKEND_PORT"), 9000);
    ck_assert_int_eq(shared_config_is_set(config, "BACKEND_PORT"), 1);
    ck_assert_str_eq(shared_config_get(config, "LOG_LEVEL"), "warning");
    ck_assert_int_eq(shared_config_int(config, "BACKEND_ALLOW_REMOTE"), 1);
    ck_assert_int_eq(shared_config_is_set(config, "UPLOAD_DIR"), 0);
    ck_assert_str_eq(shared_config_get(config, "UPLOAD_DIR"), "/var/lib/lex-intel/uploads");
    shared_config_free(config);
}
END_TEST

START_TEST(a_wrong_value_is_named_with_its_limit) {
    static const char *const rows[][3] = {
        {"BACKEND_PORT", "99999",
         "BACKEND_PORT: \"99999\", must be a whole number from 0 to 65535"},
        {"BACKEND_PORT", "80 ", "BACKEND_PORT: \"80 \", must be a whole number from 0 to 65535"},
        {"LOG_FORMAT", "xml", "LOG_FORMAT: \"xml\", must be one of: json text"},
        {"LEX_SANDBOX", "o", "LEX_SANDBOX: \"o\", must be one of: on off; did you mean on?"},
        {"LEX_SANDBOX", "No", "LEX_SANDBOX: \"No\", must be one of: on off; did you mean off?"},
        {"LEX_SANDBOX", "1", "LEX_SANDBOX: \"1\", must be one of: on off; did you mean on?"},
        {"LOG_LEVEL", "warn",
         "LOG_LEVEL: \"warn\", must be one of: debug info warning error; did you mean warning?"},
        {"LOG_LEVEL", "Debgu",
         "LOG_LEVEL: \"Debgu\", must be one of: debug info warning error; did you mean debug?"},
        {"POOL_WAIT_MS", "10s",
         "POOL_WAIT_MS: \"10s\", must be a whole number from 1 to 600000 ms"},
        {"BACKEND_ALLOW_REMOTE", "ture",
         "BACKEND_ALLOW_REMOTE: \"ture\", must be 0 or 1; did you mean true?"},
        {"LOG_LEVELS", "net=loud",
         "LOG_LEVELS: \"net=loud\", must be name=level,name=level, at most 32 of them; a level is "
         "one of: debug info warning error"},
        {"BACKEND_ALLOW_REMOTE", "maybe", "BACKEND_ALLOW_REMOTE: \"maybe\", must be 0 or 1"},
        {"LEASE_RENEW_S", "20", "LEASE_RENEW_S: 20, must be less than LEASE_S, which is 20"},
        {"TASK_SOFT_TIME_LIMIT", "1801",
         "TASK_SOFT_TIME_LIMIT: 1801, must be at most TASK_TIME_LIMIT, which is 1800"},
        {"UPLOAD_DIR", "\xff", "UPLOAD_DIR: \"?...\", must be UTF-8 of at most 4096 bytes"},
        {"QUEUE_NAME", "a b",
         "QUEUE_NAME: \"a b\", must be 1 to 200 bytes of UTF-8 without spaces, quotes and "
         "backslashes"},
        {"QUEUE_NAME", "\xff",
         "QUEUE_NAME: \"?\", must be 1 to 200 bytes of UTF-8 without spaces, quotes and "
         "backslashes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shared_config *config;
        const char *const pairs[] = {rows[i][0], rows[i][1], NULL};
        ck_assert_int_eq(from_env(&config, pairs), SHARED_EINVALID);
        ck_assert_ptr_null(config);
        ck_assert_str_eq(last_message(), rows[i][2]);
    }
}
END_TEST

START_TEST(all_wrong_values_are_told_at_once) {
    shared_config *config;
    const char *const pairs[] = {"LOG_LEVEL", "warn", "BACKEND_PORT", "99999", NULL};
    ck_assert_int_eq(from_env(&config, pairs), SHARED_EINVALID);
    ck_assert_ptr_null(config);
    ck_assert_str_eq(last_message(),
                     "BACKEND_PORT: \"99999\", must be a whole number from 0 to 65535; LOG_LEVEL: "
                     "\"warn\", must be one of: debug info warning error; did you mean warning?");
    clearenv();
    for (int32_t i = 0; i < settings_count; i++)
        if (settings[i].kind == SETTING_INT) setenv(settings[i].name, "\xc3\xa4 is no number", 1);
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_EINVALID);
    ck_assert_uint_gt(strlen(last_message()), 450);
    ck_assert(text_is_utf8(last_message(), strlen(last_message())));
}
END_TEST

START_TEST(a_url_that_is_refused_does_not_show_its_password) {
    char url[SETTING_VALUE_SIZE_MAX + 100];
    snprintf(url, sizeof url, "redis://:secret@h/%0*d", SETTING_VALUE_SIZE_MAX, 0);
    shared_config *config = from_nothing();
    ck_assert_int_eq(shared_config_set(config, "REDIS_URL", url), SHARED_EINVALID);
    ck_assert(text_starts(last_message(), "REDIS_URL: \"redis://:***@h/0"));
    ck_assert_ptr_null(strstr(last_message(), "secret"));
    shared_config_free(config);
}
END_TEST

START_TEST(broker_and_results_follow_redis_url) {
    static const char *const rows[][3] = {
        {"redis://h:6379", "redis://h:6379/0", "redis://h:6379/1"},
        {"redis://h:6379/", "redis://h:6379/0", "redis://h:6379/1"},
        {"redis://:p@h:6379/7", "redis://:p@h:6379/0", "redis://:p@h:6379/1"},
        {"rediss://h?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none",
         "rediss://h/1?ssl_cert_reqs=none"},
        {"redis://h/2?db=3", "redis://h/0", "redis://h/1"},
        {"redis://h?db=3&x=1&&y=2", "redis://h/0?x=1&y=2", "redis://h/1?x=1&y=2"},
        {"unix:///run/redis.sock?db=5&x=1", "unix:///run/redis.sock?x=1&db=0",
         "unix:///run/redis.sock?x=1&db=1"},
        {"unix:///run/redis.sock", "unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=1"},
        {"redis+socket:///run/redis.sock?x=1", "redis+socket:///run/redis.sock?x=1&virtual_host=0",
         "redis+socket:///run/redis.sock?x=1&virtual_host=1"},
    };
    shared_config *config = from_nothing();
    ck_assert_str_eq(shared_config_get(config, "CELERY_BROKER_URL"), "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(shared_config_set(config, "REDIS_URL", rows[i][0]), SHARED_OK);
        ck_assert_str_eq(shared_config_get(config, "CELERY_BROKER_URL"), rows[i][1]);
        ck_assert_str_eq(shared_config_get(config, "CELERY_RESULT_BACKEND"), rows[i][2]);
        ck_assert_int_eq(shared_config_is_set(config, "CELERY_RESULT_BACKEND"), 0);
    }
    ck_assert_int_eq(shared_config_set(config, "CELERY_BROKER_URL", "redis://other"), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "REDIS_URL", "redis://third"), SHARED_OK);
    ck_assert_str_eq(shared_config_get(config, "CELERY_BROKER_URL"), "redis://other");
    ck_assert_str_eq(shared_config_get(config, "CELERY_RESULT_BACKEND"), "redis://third/1");
    ck_assert_int_eq(shared_config_set(config, "CELERY_BROKER_URL", ""), SHARED_OK);
    ck_assert_str_eq(shared_config_get(config, "CELERY_BROKER_URL"), "redis://third/0");
    shared_config_free(config);
}
END_TEST

START_TEST(the_safe_value_hides_passwords_and_nothing_else) {
    shared_config *config = from_nothing();
    ck_assert_str_eq(shared_config_safe(config, "REDIS_URL"), "");
    shared_config_set(config, "REDIS_URL", "redis://:secret@h");
    ck_assert_str_eq(shared_config_safe(config, "REDIS_URL"), "redis://:***@h");
    ck_assert_str_eq(shared_config_safe(config, "CELERY_RESULT_BACKEND"), "redis://:***@h/1");
    ck_assert_str_eq(shared_config_safe(config, "QUEUE_NAME"), "celery");
    ck_assert_ptr_null(shared_config_safe(config, "NO_SUCH"));
    shared_config_free(config);
}
END_TEST

START_TEST(a_copy_is_independent) {
    shared_config *config = from_nothing();
    shared_config_set(config, "REDIS_URL", "redis://one");
    shared_config *copy = config_copy(config);
    ck_assert_ptr_nonnull(copy);
    shared_config_set(config, "REDIS_URL", "redis://two");
    ck_assert_str_eq(shared_config_get(copy, "REDIS_URL"), "redis://one");
    ck_assert_str_eq(shared_config_get(copy, "CELERY_BROKER_URL"), "redis://one/0");
    ck_assert_int_eq(shared_config_is_set(copy, "REDIS_URL"), 1);
    ck_assert_int_eq(shared_config_is_set(copy, "QUEUE_NAME"), 0);
    shared_config_free(config);
    shared_config_free(copy);
}
END_TEST

START_TEST(wrong_calls_are_answered) {
    shared_config *config = from_nothing();
    ck_assert_int_eq(shared_config_from_env(NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_config_set(config, "NO_SUCH", "1"), SHARED_EINVALID);
    ck_assert_str_eq(last_message(), "NO_SUCH is not a setting");
    ck_assert_int_eq(shared_config_set(config, "DATABSE_URL", "x"), SHARED_EINVALID);
    ck_assert_str_eq(last_message(), "DATABSE_URL is not a setting; did you mean DATABASE_URL?");
    ck_assert_int_eq(shared_config_set(config, NULL, "1"), SHARED_EINVALID);
    ck_assert_int_eq(shared_config_set(config, "QUEUE_NAME", NULL), SHARED_EINVALID);
    ck_assert_int_eq(shared_config_set(NULL, "QUEUE_NAME", "x"), SHARED_EINVALID);
    ck_assert_ptr_null(shared_config_get(config, "NO_SUCH"));
    ck_assert_ptr_null(shared_config_get(NULL, "QUEUE_NAME"));
    ck_assert_int_eq(shared_config_int(config, "NO_SUCH"), 0);
    ck_assert_int_eq(shared_config_int(config, "QUEUE_NAME"), 0);
    ck_assert_str_eq(shared_config_help("NO_SUCH"), "");
    ck_assert_str_eq(shared_config_help(NULL), "");
    shared_config_free(config);
    shared_config_free(NULL);
}
END_TEST

START_TEST(help_tells_unit_and_range) {
    ck_assert_str_eq(shared_config_help("PAGE_TIMEOUT_S"),
                     "Time a page may take to be read (1 to 86400 s).");
    ck_assert_str_eq(shared_config_help("LOG_FORMAT"),
                     "Form of a line of the log (one of: json text).");
    ck_assert_str_eq(shared_config_help("UPLOAD_DIR"), "Folder of the uploaded files.");
}
END_TEST

START_TEST(a_misspelt_name_of_ours_is_warned_about) {
    FILE *caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
    shared_config *config;
    const char *const pairs[] = {
        "LEX_SANBOX",
        "off",
        "LEX_SANDBOX",
        "on",
        "SANDBOX",
        "x",
        "LEX_A_NAME_THAT_IS_FAR_LONGER_THAN_ANY_NAME_OF_A_SETTING_COULD_BE",
        "x",
        NULL};
    ck_assert_int_eq(from_env(&config, pairs), SHARED_OK);
    char text[1024];
    ssize_t size = pread(fileno(caught), text, sizeof text - 1, 0);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "LEX_SANBOX is not a setting; did you mean LEX_SANDBOX?"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + size - 1); /* that one line only */
    shared_config_free(config);
}
END_TEST

START_TEST(hints_name_what_was_most_likely_meant) {
    static const char *const rows[][2] = {
        {"LEX_SANBOX", "LEX_SANBOX is not a setting; did you mean LEX_SANDBOX?"},
        {"LEX_DATABASE_URL", "LEX_DATABASE_URL is not a setting; did you mean DATABASE_URL?"},
        {"LEX_FOO_BAR_BAZ", "LEX_FOO_BAR_BAZ is not a setting"},
        {"DATABSE_URL", "DATABSE_URL is not a setting; did you mean DATABASE_URL?"},
        {"REDIS_ULR", "REDIS_ULR is not a setting; did you mean REDIS_URL?"},
        {"PATH", NULL},
        {"REDIS_URI_X", NULL}, /* two letters away: most likely somebody else's */
        {"QUEUE_NAME", NULL},
        {"DATABASE_URL_FILE", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shared_config *config;
        const char *const pairs[] = {rows[i][0], "", NULL};
        ck_assert_int_eq(from_env(&config, pairs), SHARED_OK);
        const char *hint = shared_config_hint(config, 0);
        ck_assert_msg(text_equal(hint, rows[i][1]), "%s: %s", rows[i][0], hint ? hint : "none");
        ck_assert_ptr_null(shared_config_hint(config, 1));
        shared_config_free(config);
    }
    ck_assert_ptr_null(shared_config_hint(NULL, 0));
}
END_TEST

START_TEST(a_name_like_a_setting_that_is_set_is_no_hint) {
    shared_config *config;
    const char *const pairs[] = {"REDIS_URLS", "x", "REDIS_URL", "redis://h", NULL};
    ck_assert_int_eq(from_env(&config, pairs), SHARED_OK);
    ck_assert_ptr_null(shared_config_hint(config, 0));
    shared_config_free(config);
}
END_TEST

START_TEST(hints_are_bounded) {
    char name[32];
    clearenv();
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "LEX_UNKNOWN_%d", i);
        setenv(name, "x", 1);
    }
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    shared_config *config;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_ptr_nonnull(shared_config_hint(config, 15));
    ck_assert_ptr_null(shared_config_hint(config, 16));
    shared_config_free(config);
}
END_TEST

static void secret_write(const char *path, const char *text, size_t size) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_url_may_stand_in_a_file) {
    static char full[SETTING_VALUE_SIZE_MAX + 2];
    static const struct {
        const char *text;
        size_t size;
        const char *value; /* NULL: refused */
    } rows[] = {
        {"redis://:secret@h", 17, "redis://:secret@h"},
        {"redis://:secret@h\r\n\n", 20, "redis://:secret@h"},
        {"", 0, NULL},
        {"\n", 1, NULL},
        {"redis://a\nredis://b\n", 20, NULL},
        {"redis://a\0secret", 16, NULL},
        {full, SETTING_VALUE_SIZE_MAX, full},
        {full, SETTING_VALUE_SIZE_MAX + 1, NULL},
    };
    char path[] = "/tmp/settings-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(full, 'a', sizeof full - 2);
        secret_write(path, rows[i].text, rows[i].size);
        full[SETTING_VALUE_SIZE_MAX] = '\0';
        shared_config *config;
        const char *const pairs[] = {"REDIS_URL_FILE", path, NULL};
        shared_status status = from_env(&config, pairs);
        ck_assert_msg((status == SHARED_OK) == (rows[i].value != NULL), "row %zu: %s", i,
                      last_message());
        if (rows[i].value)
            ck_assert_str_eq(shared_config_get(config, "REDIS_URL"), rows[i].value);
        else
            ck_assert(text_starts(last_message(), "REDIS_URL_FILE: /tmp/settings-test-"));
        ck_assert_ptr_null(strstr(last_message(), "secret"));
        shared_config_free(config);
    }
    unlink(path);
    shared_config *config;
    const char *const gone[] = {"REDIS_URL_FILE", "/nowhere/secret", NULL};
    ck_assert_int_eq(from_env(&config, gone), SHARED_EINVALID);
    ck_assert_str_eq(shared_error_operation(shared_error_last()), "shared_config_from_env");
    ck_assert_str_eq(last_message(), "REDIS_URL_FILE: /nowhere/secret: No such file or directory");
    const char *const both[] = {"REDIS_URL_FILE", "/nowhere", "REDIS_URL", "redis://h", NULL};
    ck_assert_int_eq(from_env(&config, both), SHARED_EINVALID);
    ck_assert_str_eq(last_message(), "REDIS_URL_FILE: REDIS_URL is set too; which one is meant?");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_row_of_the_table_is_sound,
        numbers_are_held_to_their_range_at_both_ends,
        the_environment_is_read_and_an_empty_value_is_the_default,
        a_wrong_value_is_named_with_its_limit,
        all_wrong_values_are_told_at_once,
        a_url_that_is_refused_does_not_show_its_password,
        broker_and_results_follow_redis_url,
        the_safe_value_hides_passwords_and_nothing_else,
        a_copy_is_independent,
        wrong_calls_are_answered,
        help_tells_unit_and_range,
        a_misspelt_name_of_ours_is_warned_about,
        hints_name_what_was_most_likely_meant,
        a_name_like_a_setting_that_is_set_is_no_hint,
        hints_are_bounded,
        a_url_may_stand_in_a_file,
    };
    return unit_run("config", tests, sizeof tests / sizeof *tests);
}
