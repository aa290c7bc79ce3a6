/* SPDX-License-Identifier: MIT
 * test_log.c - what reaches stderr, line by line.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/text.h"
#include "model/json.h"
#include "unit.h"

/* Sends stderr to a file until the test's process ends; output() reads what came since. */
static FILE *caught;

static void catch_stderr(void) {
    caught = tmpfile();
    ck_assert_ptr_nonnull(caught);
    ck_assert_int_ge(dup2(fileno(caught), STDERR_FILENO), 0);
}

static const char *output(void) {
    static char text[4096];
    ssize_t size = pread(fileno(caught), text, sizeof text - 1, 0);
    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    return text;
}

static void configure(const char *level, const char *format) {
    shared_config *config;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "LOG_LEVEL", level), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "LOG_FORMAT", format), SHARED_OK);
    shared_log_configure(config);
    shared_config_free(config);
}

/* What follows the time, which stands first in both forms. */
static const char *behind_time(const char *line) {
    return strchr(line, 'Z') + 1;
}

START_TEST(a_json_line_holds_all_parts) {
    catch_stderr();
    configure("info", "json");
    shared_log_with("relay", SHARED_WARNING, "sent \"late\"\nby 3 s", "document_id", "doc-\xff");
    const char *line = output();
    ck_assert(text_starts(line, "{\"time\":\"20"));
    ck_assert_str_eq(
        behind_time(line),
        "\",\"level\":\"warning\",\"logger\":\"relay\",\"message\":\"sent \\\"late\\\"\\nby 3 s\","
        "\"document_id\":\"doc-\xef\xbf\xbd\"}\n");
}
END_TEST

START_TEST(a_text_line_holds_all_parts) {
    catch_stderr();
    configure("info", "text");
    shared_log_with("relay", SHARED_ERROR, "gone\nfor good", "document_id", "doc-1");
    ck_assert_str_eq(behind_time(output()), " error   relay: gone\\nfor good document_id=doc-1\n");
}
END_TEST

START_TEST(less_important_messages_are_not_written) {
    static const struct {
        const char *level;
        const char *letters; /* of the messages that are written */
    } rows[] = {{"debug", "diwe"}, {"info", "iwe"}, {"warning", "we"}, {"ERROR", "e"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        catch_stderr();
        configure(rows[i].level, "text");
        log_format("t", SHARED_DEBUG, "[%c]", 'd');
        log_format("t", SHARED_INFO, "[%c]", 'i');
        shared_log("t", SHARED_WARNING, "[w]");
        shared_log("t", SHARED_ERROR, "[e]");
        const char *text = output();
        for (const char *letter = "diwe"; *letter; letter++) {
            char wanted[] = {'[', *letter, ']', '\0'};
            bool written = strstr(text, wanted) != NULL;
            ck_assert_msg(written == (strchr(rows[i].letters, *letter) != NULL), "%s %c",
                          rows[i].level, *letter);
        }
    }
}
END_TEST

/* --- what a line holds -------------------------------------------------------------------------- */

/* The line of a message without its time. */
static const char *line_of(const char *message, const char *const *names, const char *const *values,
                           int32_t count) {
    catch_stderr();
    shared_log_pairs("t", SHARED_INFO, message, names, values, count);
    return behind_time(output());
}

START_TEST(each_character_is_written_so_that_a_line_stays_one) {
    static const char *const rows[][3] = {
        /* message, as JSON, as text */
        {"a\tb\r\n", "a\\tb\\r\\n", "a\\tb\\r\\n"},
        {"\x1b[31m\x7f\x01", "\\u001b[31m\\u007f\\u0001", "\\u001b[31m\\u007f\\u0001"},
        {"\"\\", "\\\"\\\\", "\"\\"},
        {"\xc2\x9b\xc2\xa0", "\\u009b\xc2\xa0", "\\u009b\xc2\xa0"}, /* a terminal obeys U+009B */
        {"\xff\xc3(\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x98\x80\xf0\x9f", "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd",
         "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd"},
    };
    char wanted[200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        configure("info", "json");
        snprintf(wanted, sizeof wanted,
                 "\",\"level\":\"info\",\"logger\":\"t\",\"message\":\"%s\"}\n", rows[i][1]);
        ck_assert_str_eq(line_of(rows[i][0], NULL, NULL, 0), wanted);
        configure("info", "text");
        snprintf(wanted, sizeof wanted, " info    t: %s\n", rows[i][2]);
        ck_assert_str_eq(line_of(rows[i][0], NULL, NULL, 0), wanted);
    }
}
END_TEST

START_TEST(pairs_follow_the_message) {
    static const char *const names[] = {"a", NULL, "message", "d", "e"};
    static const char *const values[] = {"1", "left out", "x y", NULL, "q\"=\\"};
    configure("info", "json");
    ck_assert_str_eq(line_of("m", names, values, 5),
                     "\",\"level\":\"info\",\"logger\":\"t\",\"message\":\"m\",\"a\":\"1\","
                     "\"message_\":\"x y\",\"d\":\"\",\"e\":\"q\\\"=\\\\\"}\n");
    configure("info", "text");
    ck_assert_str_eq(line_of("m", names, values, 5),
                     " info    t: m a=1 message_=\"x y\" d=\"\" e=\"q\\\"=\\\\\"\n");
    ck_assert_str_eq(line_of("m", names, values, -3), " info    t: m\n");
    ck_assert_str_eq(line_of("m", NULL, values, 3), " info    t: m\n");
}
END_TEST

START_TEST(the_time_has_six_digits) {
    static const struct {
        int64_t time_us;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00.000000Z"},
                {INT64_C(1700000000000007), "2023-11-14T22:13:20.000007Z"},
                {-1, "1969-12-31T23:59:59.999999Z"}};
    char line[LOG_LINE_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size =
            log_line_text(line, &(struct log_message){.time_us = rows[i].time_us, .logger = ""});
        ck_assert_uint_gt(size, 27);
        line[27] = '\0';
        ck_assert_str_eq(line, rows[i].text);
    }
}
END_TEST

/* Texts of every length around each limit, of one to four bytes a character, and such that swell. */
START_TEST(a_line_is_bounded_and_says_what_it_lacks) {
    static const char *const letters[] = {"a",    "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                          "\x01", "\"",       "\xff"};
    static char text[20000];
    enum { PAIRS = 8 };
    const char *names[PAIRS], *values[PAIRS];
    for (int i = 0; i < PAIRS; i++) names[i] = values[i] = text;
    for (size_t letter = 0; letter < sizeof letters / sizeof *letters; letter++) {
        size_t step = strlen(letters[letter]);
        for (size_t count = 0; (count + 1) * step < sizeof text; count += count < 2100 ? 7 : 900) {
            for (size_t i = 0; i < count; i++) memcpy(text + i * step, letters[letter], step);
            text[count * step] = '\0';
            for (int json = 0; json < 2; json++) {
                char line[LOG_LINE_SIZE + 1];
                const struct log_message message = {.logger = text,
                                                    .message = text,
                                                    .names = names,
                                                    .values = values,
                                                    .count = PAIRS,
                                                    .lost = INT64_MAX};
                size_t size = json ? log_line_json(line, &message) : log_line_text(line, &message);
                ck_assert_uint_le(size, LOG_LINE_SIZE);
                line[size] = '\0';
                ck_assert_ptr_eq(strchr(line, '\n'), line + size - 1);
                ck_assert(text_is_utf8(line, size));
                ck_assert_ptr_nonnull(strstr(line, "9223372036854775807"));
                if (json) ck_assert(json_is(line, size, '{'));
                bool cut = strstr(line, " bytes cut]") || strstr(line, "pairs_cut");
                if (count * step > 128) ck_assert(cut); /* the logger has no room for more */
            }
        }
    }
}
END_TEST

START_TEST(the_mark_counts_the_bytes_that_are_missing) {
    char text[3001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    configure("info", "text");
    const char *line = line_of(text, NULL, NULL, 0);
    size_t kept = strspn(line + 12, "a");
    char mark[40];
    snprintf(mark, sizeof mark, "...[%zu bytes cut]\n", sizeof text - 1 - kept);
    ck_assert_str_eq(line + 12 + kept, mark);
    ck_assert_uint_le(kept, 2048);
    ck_assert_uint_ge(kept, 2000);
    text[2048] = '\0'; /* what just fits is whole */
    ck_assert_uint_eq(strspn(line_of(text, NULL, NULL, 0) + 12, "a"), 2048);
}
END_TEST

START_TEST(a_line_that_nobody_took_is_counted_in_the_next) {
    catch_stderr();
    configure("info", "json");
    int full = open("/dev/full", O_WRONLY);
    int kept = dup(STDERR_FILENO);
    ck_assert_int_ge(full, 0);
    dup2(full, STDERR_FILENO);
    shared_log("t", SHARED_INFO, "one");
    shared_log("t", SHARED_INFO, "two");
    dup2(kept, STDERR_FILENO);
    shared_log("t", SHARED_INFO, "three");
    shared_log("t", SHARED_INFO, "four");
    const char *text = output();
    ck_assert_ptr_nonnull(strstr(text, "\"message\":\"three\",\"lost\":2}\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"message\":\"four\"}\n"));
}
END_TEST

/* --- levels by name ----------------------------------------------------------------------------- */

START_TEST(the_longest_name_with_a_level_decides) {
    static const struct {
        const char *logger;
        int32_t level;
        int32_t written;
    } rows[] = {
        {"net", SHARED_DEBUG, 1},
        {"net.redis", SHARED_WARNING, 0},
        {"net.redis", SHARED_ERROR, 1},
        {"net.redis.pool", SHARED_WARNING, 0},
        {"net.postgres", SHARED_DEBUG, 1},
        {"network", SHARED_DEBUG, 0},
        {"network", SHARED_WARNING, 1},
        {"queue", SHARED_INFO, 0},
        {"", SHARED_WARNING, 1},
        {NULL, SHARED_INFO, 0},
        {".", SHARED_INFO, 0},
        {"net.", SHARED_DEBUG, 1},
    };
    shared_config *config;
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    shared_config_set(config, "LOG_LEVEL", "warning");
    ck_assert_int_eq(
        shared_config_set(config, "LOG_LEVELS", "net=debug, net.redis=ERROR,,queue=warning"), 0);
    shared_log_configure(config);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        catch_stderr();
        shared_log(rows[i].logger, rows[i].level, "m");
        ck_assert_msg((*output() != '\0') == rows[i].written, "row %zu", i);
        ck_assert_int_eq(shared_log_enabled(rows[i].logger, rows[i].level), rows[i].written);
    }
    shared_config_set(config, "LOG_LEVELS", "");
    shared_log_configure(config);
    ck_assert_int_eq(shared_log_enabled("net", SHARED_DEBUG), 0);
    shared_config_free(config);
}
END_TEST

START_TEST(a_list_of_levels_is_checked) {
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {{"", true},         {" , ", true},       {"a=info", true},
                {"a=info,", true},  {"a=", false},       {"=info", false},
                {"a", false},       {"a=infos", false},  {"a=info b=debug", true},
                {"a==info", false}, {"a=info=b", false}, {"a.b.c=ERROR", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(log_levels_valid(rows[i].text) == rows[i].valid, "%s", rows[i].text);
    struct buffer text = {0};
    for (int i = 0; i < LOG_RULES_MAX; i++) buffer_format(&text, "n%d=info,", i);
    ck_assert(log_levels_valid(text.data));
    buffer_add_text(&text, "more=info");
    ck_assert(!log_levels_valid(text.data));
    buffer_finish(&text);
}
END_TEST

/* --- sinks -------------------------------------------------------------------------------------- */

static char sunk[256];

static void sink_take(struct log_sink *sink, const char *json, size_t size) {
    ck_assert_ptr_nonnull(sink);
    snprintf(sunk, sizeof sunk, "%.*s", (int)size, json);
}

START_TEST(a_sink_takes_what_would_go_to_stderr_or_nowhere) {
    struct log_sink sink = {.level = SHARED_DEBUG, .take = sink_take};
    configure("info", "text");
    catch_stderr();
    ck_assert_int_eq(shared_log_enabled("t", SHARED_DEBUG), 0);
    ck_assert_int_eq(log_sink_add(&sink), SHARED_OK);
    ck_assert_int_eq(shared_log_enabled("t", SHARED_DEBUG), 1);
    shared_log("t", SHARED_DEBUG, "taken");
    ck_assert_str_eq(behind_time(sunk),
                     "\",\"level\":\"debug\",\"logger\":\"t\",\"message\":\"taken\"}");
    sink.level = SHARED_ERROR;
    shared_log("t", SHARED_INFO, "written");
    shared_log("t", 5, "neither");
    log_sink_remove(&sink);
    log_sink_remove(&sink);
    shared_log("t", SHARED_ERROR, "again");
    const char *text = output();
    ck_assert_ptr_null(strstr(text, "taken"));
    ck_assert_ptr_null(strstr(text, "neither"));
    ck_assert_ptr_nonnull(strstr(text, "t: written\n"));
    ck_assert_ptr_nonnull(strstr(text, "t: again\n"));
}
END_TEST

START_TEST(in_the_child_of_a_fork_lines_go_to_stderr) {
    struct log_sink sink = {.level = SHARED_DEBUG, .take = sink_take};
    configure("info", "text");
    catch_stderr();
    ck_assert_int_eq(log_sink_add(&sink), SHARED_OK);
    pid_t child = fork();
    if (!child) {
        shared_log("t", SHARED_INFO, "of the child");
        log_sink_remove(&sink);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    shared_log("t", SHARED_INFO, "of the parent");
    ck_assert_ptr_nonnull(strstr(output(), "t: of the child\n"));
    ck_assert_ptr_null(strstr(output(), "of the parent"));
    ck_assert_ptr_nonnull(strstr(sunk, "of the parent"));
    log_sink_remove(&sink);
}
END_TEST

static sem_t held, forking;

static void *hold(void *unused) {
    log_sinks_lock();
    sem_post(&held);
    while (sem_wait(&forking) != 0) {
    }
    log_sinks_unlock();
    return unused;
}

/* Runs before those of the log, which came earlier. */
static void before_fork(void) {
    sem_post(&forking);
}

START_TEST(a_child_of_a_fork_finds_no_lock_of_a_thread_that_it_has_not) {
    enum { ROUNDS = 20, CHILD_S = 5 };
    configure("info", "text");
    sem_init(&held, 0, 0);
    sem_init(&forking, 0, 0);
    ck_assert_int_eq(pthread_atfork(before_fork, NULL, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        int status;
        ck_assert_int_eq(pthread_create(&thread, NULL, hold, NULL), 0);
        while (sem_wait(&held) != 0) {
        }
        pid_t child = fork();
        if (!child) {
            alarm(CHILD_S);
            configure("debug", "text");
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
}
END_TEST

START_TEST(a_long_or_absent_message_is_still_one_line) {
    char text[3000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    catch_stderr();
    configure("info", "json");
    shared_log(NULL, SHARED_INFO, text);
    shared_log("t", SHARED_INFO, NULL);
    const char *lines = output();
    const char *end = strchr(lines, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(end[-1], '}');
    ck_assert_ptr_nonnull(strstr(end, "\"message\":\"\"}\n"));
}
END_TEST

START_TEST(errno_survives_and_a_closed_stderr_is_borne) {
    close(STDERR_FILENO);
    errno = ENOSPC;
    shared_log("t", SHARED_ERROR, "nobody hears it");
    ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_json_line_holds_all_parts,
        a_text_line_holds_all_parts,
        less_important_messages_are_not_written,
        each_character_is_written_so_that_a_line_stays_one,
        pairs_follow_the_message,
        the_time_has_six_digits,
        a_line_is_bounded_and_says_what_it_lacks,
        the_mark_counts_the_bytes_that_are_missing,
        a_line_that_nobody_took_is_counted_in_the_next,
        the_longest_name_with_a_level_decides,
        a_list_of_levels_is_checked,
        a_sink_takes_what_would_go_to_stderr_or_nowhere,
        in_the_child_of_a_fork_lines_go_to_stderr,
        a_child_of_a_fork_finds_no_lock_of_a_thread_that_it_has_not,
        a_long_or_absent_message_is_still_one_line,
        errno_survives_and_a_closed_stderr_is_borne,
    };
    return unit_run("log", tests, sizeof tests / sizeof *tests);
}
