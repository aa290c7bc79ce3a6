/* SPDX-License-Identifier: MIT
 * driver.c - does what a test asks, line by line, through the public headers alone, and prints every event
 * and every refusal. Decides nothing: tests/network and tests/integration do.
 *
 * A line is "TAG VERB ARGUMENT...", an answer "TAG KIND MORE COUNT CODE CLASS DOMAIN SQLSTATE OPERATION
 * MESSAGE DETAIL HINT ID TEXT"; words are set apart by tabs. KIND is 0 for a call that was refused, and -1
 * when the driver itself has done what was asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <shared.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS_MAX = 16, SESSIONS_MAX = 64, HELD_MAX = 4096, LINE_MAX_BYTES = 1 << 20 };

static shared_client *client;
static shared_session *sessions[SESSIONS_MAX];
static shared_task *held[HELD_MAX];
static int held_count;
static char *words[WORDS_MAX + 1]; /* those behind the verb; NULL ends them */

/* --- a system that fails --------------------------------------------------------------------------- */

static int injected;

/* The dynamic linker finds this one before the system's; libpq and the library call it. */
int socket(int family, int type, int protocol) {
    if (!injected || (family != AF_INET && family != AF_INET6))
        return (int)syscall(SYS_socket, family, type, protocol);
    errno = injected;
    return -1;
}

/* --- answers -------------------------------------------------------------------------------------- */

static void say(uint64_t tag, int kind, int more, int64_t count, const shared_error *error,
                const char *id, const char *text) {
    printf("%" PRIu64 "\t%d\t%d\t%" PRId64 "\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t", tag, kind,
           more, count, shared_error_code(error), shared_error_class(error),
           shared_error_domain(error), shared_error_sqlstate(error), shared_error_operation(error),
           shared_error_message(error), shared_error_detail(error), shared_error_hint(error), id);
    for (; *text; text++) putchar(*text == '\t' || *text == '\n' ? ' ' : *text);
    putchar('\n');
}

/* The first value of the first row, or what the event carries. */
static const char *text_of(const shared_event *event) {
    const shared_record *row = shared_event_record(event, 0);
    if (shared_event_kind(event) != SHARED_EVENT_ROWS) return shared_event_json(event);
    const char *text = row ? shared_record_text(row, shared_record_field(row, 0)) : NULL;
    return text ? text : "";
}

static void tell(const shared_event *event) {
    shared_task *task = shared_event_task(event);
    if (task && held_count < HELD_MAX) held[held_count++] = shared_task_ref(task);
    say(shared_event_tag(event), shared_event_kind(event), shared_event_more(event),
        shared_event_count(event), shared_event_error(event),
        task ? shared_task_id(task) : shared_event_id(event), text_of(event));
}

/* --- verbs ---------------------------------------------------------------------------------------- */

static int32_t number(int index) {
    return words[index] ? (int32_t)strtol(words[index], NULL, 10) : 0;
}

static shared_session *session_of(int index) {
    int32_t which = number(index);
    shared_session **session = &sessions[which >= 0 && which < SESSIONS_MAX ? which : 0];
    if (!*session && client && shared_session_new(client, session) < 0) return NULL;
    return *session;
}

static void client_drop(void) {
    for (int i = 0; i < SESSIONS_MAX; i++) {
        shared_session_free(sessions[i]);
        sessions[i] = NULL;
    }
    shared_client_free(client);
    client = NULL;
    while (held_count) shared_task_unref(held[--held_count]);
}

/* client NAME=VALUE...: a new one, instead of the one there was. */
static shared_status do_client(uint64_t tag) {
    (void)tag;
    shared_config *config = NULL;
    client_drop();
    shared_status status = shared_config_from_env(&config);
    for (int i = 0; status >= 0 && words[i]; i++) {
        char *value = strchr(words[i], '=');
        if (!value) continue;
        *value++ = '\0';
        status = shared_config_set(config, words[i], value);
    }
    if (status >= 0) shared_log_configure(config);
    if (status >= 0) status = shared_client_new(config, &client);
    shared_config_free(config);
    return status;
}

static shared_status do_free(uint64_t tag) {
    (void)tag;
    client_drop();
    return SHARED_OK;
}

/* limit N: descriptors of this process from now on; below 0: as many as it may have. */
static shared_status do_limit(uint64_t tag) {
    struct rlimit limit;
    (void)tag;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = number(0) < 0 ? limit.rlim_max : (rlim_t)number(0);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return SHARED_OK;
}

/* errno N: what the system answers to the library's next sockets; 0: as it is. */
static shared_status do_errno(uint64_t tag) {
    (void)tag;
    injected = number(0);
    return SHARED_OK;
}

static shared_status do_get(uint64_t tag) {
    return shared_session_get(session_of(0), SHARED_DOCUMENT, words[1], tag);
}

static shared_status do_query(uint64_t tag) {
    shared_query *query = NULL;
    shared_session *session = session_of(0);
    shared_status status = shared_query_new(0, words[2], &query);
    if (status >= 0 && number(1)) status = shared_query_read_only(query);
    if (status >= 0) status = shared_session_query(session, query, tag);
    shared_query_free(query);
    return status;
}

/* stream SESSION ROWS SQL: that many rows an event. */
static shared_status do_stream(uint64_t tag) {
    shared_query *query = NULL;
    shared_session *session = session_of(0);
    shared_status status = shared_query_new(0, words[2], &query);
    if (status >= 0) status = shared_session_stream(session, query, (int32_t)number(1), tag);
    shared_query_free(query);
    return status;
}

/* copy-out SESSION SQL */
static shared_status do_copy_out(uint64_t tag) {
    return shared_session_copy_out(session_of(0), words[1], tag);
}

/* copy-in SESSION SQL DATA: all of it, in two pieces. */
static shared_status do_copy_in(uint64_t tag) {
    shared_session *session = session_of(0);
    size_t size = strlen(words[2]), half = size / 2;
    shared_status status = shared_session_copy_in(session, words[1], tag);
    if (status < 0) return status;
    (void)shared_session_copy_write(session, words[2], half, 0);
    (void)shared_session_copy_write(session, words[2] + half, size - half, 0);
    (void)shared_session_copy_end(session, NULL);
    return status;
}

/* add SESSION ID [CASE]: a document, for the next commit. */
static shared_status do_add(uint64_t tag) {
    (void)tag;
    shared_record *record = NULL;
    const char *id = words[1], *case_id = id ? words[2] : NULL;
    shared_status status = shared_record_new(SHARED_DOCUMENT, &record);
    if (status >= 0 && id)
        status = shared_record_set_text(record, SHARED_DOCUMENT_ID, id, strlen(id));
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "a.pdf", 5);
    if (status >= 0 && case_id)
        status = shared_record_set_text(record, SHARED_DOCUMENT_CASE_ID, case_id, strlen(case_id));
    if (status >= 0) status = shared_session_add(session_of(0), record);
    shared_record_unref(record);
    return status;
}

static shared_status do_enqueue(uint64_t tag) {
    (void)tag;
    return shared_session_enqueue(session_of(0), words[1], words[2], words[3]);
}

static shared_status do_commit(uint64_t tag) {
    return shared_session_commit(session_of(0), tag);
}

static shared_status do_rollback(uint64_t tag) {
    return shared_session_rollback(session_of(0), tag);
}

static shared_status do_migrate(uint64_t tag) {
    return shared_migrate_upgrade(client, NULL, "head", tag);
}

static shared_status do_publish(uint64_t tag) {
    return shared_progress_publish(client, words[0], number(1), words[2], "so far", tag);
}

static shared_status do_subscribe(uint64_t tag) {
    return shared_progress_subscribe(client, words[0], words[1], tag);
}

static shared_status do_send(uint64_t tag) {
    return shared_queue_send(client, words[0], words[1], words[2], NULL, tag);
}

static shared_status do_consume(uint64_t tag) {
    return shared_queue_consume(client, words[0], number(1), tag);
}

/* ack ID: of a task that was told. */
static shared_status do_ack(uint64_t tag) {
    for (int i = held_count - 1; i >= 0; i--) {
        if (!words[0] || strcmp(shared_task_id(held[i]), words[0]) != 0) continue;
        shared_status status = shared_task_succeed(held[i], "{\"done\": true}", tag);
        shared_task_unref(held[i]);
        held[i] = held[--held_count];
        return status;
    }
    return SHARED_ENOTFOUND;
}

static shared_status do_result(uint64_t tag) {
    return shared_queue_result(client, words[0], number(1), tag);
}

static shared_status do_relay(uint64_t tag) {
    return shared_queue_relay(client, tag);
}

static shared_status do_stats(uint64_t tag) {
    return shared_queue_stats(client, words[0], tag);
}

static shared_status do_ping(uint64_t tag) {
    return shared_client_ping(client, number(0), tag);
}

/* cancel TAG */
static shared_status do_cancel(uint64_t tag) {
    (void)tag;
    return shared_client_cancel(client, (uint64_t)number(0));
}

static const struct {
    const char *name;
    shared_status (*run)(uint64_t tag);
    bool at_once; /* no event comes of it */
} verbs[] = {
    {"client", do_client, true},      {"free", do_free, true},
    {"limit", do_limit, true},        {"errno", do_errno, true},
    {"get", do_get, false},           {"query", do_query, false},
    {"stream", do_stream, false},     {"copy-out", do_copy_out, false},
    {"copy-in", do_copy_in, false},   {"add", do_add, true},
    {"enqueue", do_enqueue, true},    {"commit", do_commit, false},
    {"rollback", do_rollback, false}, {"migrate", do_migrate, false},
    {"publish", do_publish, false},   {"subscribe", do_subscribe, false},
    {"send", do_send, false},         {"consume", do_consume, false},
    {"ack", do_ack, false},           {"result", do_result, false},
    {"relay", do_relay, false},       {"stats", do_stats, false},
    {"ping", do_ping, false},         {"cancel", do_cancel, true},
};

/* --- lines ---------------------------------------------------------------------------------------- */

static void obey(char *line) {
    char *at = line, *verb = NULL;
    uint64_t tag = strtoull(strsep(&at, "\t"), NULL, 10);
    int count = 0;
    verb = strsep(&at, "\t");
    while (at && count < WORDS_MAX) words[count++] = strsep(&at, "\t");
    for (int i = count; i <= WORDS_MAX; i++) words[i] = NULL;
    shared_status status = SHARED_ENOTFOUND;
    bool at_once = false;
    for (size_t i = 0; verb && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb) != 0) continue;
        status = verbs[i].run(tag);
        at_once = verbs[i].at_once;
    }
    if (status < 0 || at_once)
        say(tag, status < 0 ? 0 : -1, 0, status, status < 0 ? shared_error_last() : NULL, "", "");
}

/* false: there are no more. */
static bool lines_read(void) {
    static char buffer[LINE_MAX_BYTES];
    static size_t size;
    ssize_t got = read(STDIN_FILENO, buffer + size, sizeof buffer - size - 1);
    if (got <= 0) return got < 0 && errno == EINTR;
    size += (size_t)got;
    buffer[size] = '\0';
    char *line = buffer, *end;
    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        obey(line);
        line = end + 1;
    }
    size -= (size_t)(line - buffer);
    memmove(buffer, line, size);
    return true;
}

int main(void) {
    for (;;) {
        struct pollfd polled[2] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = client ? shared_client_fd(client) : -1, .events = POLLIN}};
        (void)poll(polled, 2, -1);
        if (polled[0].revents && !lines_read()) break;
        if (client && shared_client_dispatch(client, 0) >= 0)
            for (const shared_event *event; (event = shared_client_next(client));) tell(event);
        (void)fflush(stdout);
    }
    client_drop();
    return EXIT_SUCCESS;
}
