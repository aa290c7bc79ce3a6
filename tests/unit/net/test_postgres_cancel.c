/* SPDX-License-Identifier: MIT
 * test_postgres_cancel.c - statements that are stopped: by us, by the server, by nobody because the server does
 * not take it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolver.h"
#include "postgres_fixture.h"

/* --- a server that takes a cancel and says nothing ------------------------------------------------ */

static int socket_make(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* false: one side has closed. */
static bool pump(int from, int to) {
    char bytes[4096];
    ssize_t size = read(from, bytes, sizeof bytes);
    return size > 0 && write(to, bytes, (size_t)size) == size;
}

/* Leads the first who connects to the server. The kernel takes the others, and nobody ever answers them. */
static _Noreturn void proxy_run(int listener, in_port_t port) {
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int sides[2] = {accept(listener, NULL, NULL), socket_make()};
    bool open = connect(sides[1], (struct sockaddr *)&server, sizeof server) == 0;
    while (open) {
        struct pollfd waited[2] = {{.fd = sides[0], .events = POLLIN},
                                   {.fd = sides[1], .events = POLLIN}};
        (void)poll(waited, 2, -1);
        for (int i = 0; i < 2 && open; i++)
            if (waited[i].revents) open = pump(sides[i], sides[1 - i]);
    }
    _exit(0);
}

static pid_t proxy;

/* Opens a connection whose cancels are never answered. */
static void open_deaf(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char before[200], database[64], url[300];
    int port, listener = socket_make();
    ck_assert_int_eq(
        sscanf(getenv("TEST_DATABASE_URL"), "%199[^@]@%*[^:]:%d/%63s", before, &port, database), 3);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    proxy = fork();
    ck_assert_int_ge(proxy, 0);
    if (proxy == 0) proxy_run(listener, (in_port_t)port);
    (void)close(listener);
    (void)snprintf(url, sizeof url, "%s@127.0.0.1:%d/%s", before, ntohs(address.sin_port),
                   database);
    open_with("DATABASE_URL", url);
    UNTIL(client, ready_count);
}

/* Its cancel stays where it is for as long as the proxy lives. */
static void abandon_one(struct probe *probe) {
    probe_init(probe, "SELECT pg_sleep(0.2)");
    postgres_send(postgres, &probe->operation);
    UNTIL(client, postgres_running(postgres));
    ck_assert(!postgres_abandon(postgres, &probe->operation));
}

static bool found;

static void lookup_found(struct lookup *lookup) {
    found = lookup->count > 0;
    free(lookup);
}

START_TEST(a_cancel_that_nobody_answers_holds_up_no_name) {
    struct probe probe;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    *lookup = (struct lookup){.finish = lookup_found};
    open_deaf();
    abandon_one(&probe);
    UNTIL(client, probe.done); /* by itself */
    ck_assert(!probe.failed && !postgres_is_quiet(postgres));
    ck_assert_int_eq(lookup_start(client, lookup, "localhost"), SHARED_OK);
    UNTIL(client, found);
    close_all();
    (void)kill(proxy, SIGKILL);
}
END_TEST

START_TEST(a_cancel_that_waits_is_withdrawn_with_its_statement) {
    struct probe first, second;
    open_deaf();
    abandon_one(&first);
    UNTIL(client, first.done);
    struct postgres *deaf = postgres; /* whose cancel has the thread */
    ready_count = 0;
    postgres = postgres_new(client, getenv("TEST_DATABASE_URL"), &statement_max, changed, NULL);
    UNTIL(client, ready_count);
    abandon_one(&second);
    UNTIL(client, second.done);
    ck_assert(!second.failed);
    ck_assert(postgres_is_quiet(postgres)); /* fit for the next at once */
    postgres_free(deaf);
    close_all();
    (void)kill(proxy, SIGKILL);
}
END_TEST

/* --- whose cancel it was -------------------------------------------------------------------------- */

START_TEST(what_the_server_ends_by_itself_is_told_at_once) {
    struct probe probe;
    open_ready();
    run("CREATE TEMP SEQUENCE runs");
    run("SET statement_timeout = 100");
    probe_init(&probe, "SELECT pg_sleep(60 + nextval('runs'))");
    probe.operation.repeatable = true;
    send_and_wait(&probe);
    ck_assert_str_eq(probe.error.sqlstate, "57014");
    ck_assert_int_eq(probe.error.code, SHARED_EREMOTE);
    ck_assert_int_eq(probe.error.class, SHARED_PERMANENT);
    ck_assert_ptr_nonnull(strstr(probe.error.hint, "statement_timeout"));
    ck_assert_str_eq(ask("SELECT last_value FROM runs"), "1"); /* it ran once */
    close_all();
}
END_TEST

START_TEST(what_we_stop_is_cancelled_by_us) {
    struct probe probe;
    open_ready();
    probe_init(&probe, "SELECT pg_sleep(60)");
    postgres_send(postgres, &probe.operation);
    UNTIL(client, postgres_running(postgres));
    ck_assert(!postgres_abandon(postgres, &probe.operation));
    UNTIL(client, probe.done);
    ck_assert_str_eq(probe.error.sqlstate, "57014");
    ck_assert_int_eq(probe.error.code, SHARED_ECANCELLED);
    ck_assert_int_eq(probe.error.class, SHARED_RETRYABLE);
    ck_assert_str_eq(probe.error.hint, "");
    close_all();
}
END_TEST

/* --- deadlines ------------------------------------------------------------------------------------ */

static struct timer deadline;
static struct probe late;

static void deadline_over(struct timer *timer) {
    (void)timer;
    ck_assert(!postgres_abandon(postgres, &late.operation));
}

START_TEST(a_read_that_passes_its_deadline_leaves_the_connection_to_the_others) {
    enum { PATIENCE_MS = 300 };
    struct probe neighbour;
    open_ready();
    postgres_set_patience(postgres, PATIENCE_MS);
    probe_init(&late, "SELECT pg_sleep(60)");
    probe_init(&neighbour, "SELECT 'neighbour'");
    neighbour.operation.repeatable = true;
    postgres_send(postgres, &late.operation);
    postgres_send(postgres, &neighbour.operation);
    timer_start(client, &deadline, PATIENCE_MS, deadline_over);
    UNTIL(client, neighbour.done);
    ck_assert_str_eq(late.error.sqlstate, "57014");
    probe_succeeded(&neighbour);
    ck_assert(!broken);
    close_all();
}
END_TEST

enum { READS = 60, READ_EACH_MS = 50, READS_OPEN = 6 };
static struct probe reads[READS];
static int given;

/* A new one each time, and the oldest is given up. */
static void give_next(struct timer *timer) {
    if (broken || given == READS) return;
    if (given >= READS_OPEN) (void)postgres_abandon(postgres, &reads[given - READS_OPEN].operation);
    probe_init(&reads[given], "SELECT 1");
    postgres_send(postgres, &reads[given++].operation);
    timer_start(client, timer, READ_EACH_MS, give_next);
}

START_TEST(a_silent_server_counts_as_dead_though_reads_are_given_up) {
    open_deaf();
    (void)kill(proxy, SIGSTOP);
    postgres_set_patience(postgres, READ_EACH_MS * READS_OPEN);
    give_next(&deadline);
    UNTIL(client, broken);
    ck_assert(postgres_was_silent(postgres));
    ck_assert_int_lt(given, READS); /* it did not go on for as long as there were any */
    timer_stop(client, &deadline);
    close_all();
    (void)kill(proxy, SIGKILL);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_cancel_that_nobody_answers_holds_up_no_name,
        a_cancel_that_waits_is_withdrawn_with_its_statement,
        what_the_server_ends_by_itself_is_told_at_once,
        what_we_stop_is_cancelled_by_us,
        a_read_that_passes_its_deadline_leaves_the_connection_to_the_others,
        a_silent_server_counts_as_dead_though_reads_are_given_up,
    };
    return unit_run("postgres_cancel", tests, sizeof tests / sizeof *tests);
}
