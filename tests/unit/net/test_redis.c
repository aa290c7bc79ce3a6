/* SPDX-License-Identifier: MIT
 * test_redis.c - a connection to a server that misbehaves as told (redis_fake.h): greeting, errors and
 * their classes, deadlines, breaks, pauses, hostile answers. What a real server does: test_redis_server.c.
 */
#include "redis_fake.h"
#include "redis_fixture.h"

static struct fake fake;
static shared_client *current;

static shared_client *fake_client(const char *timeout_ms) {
    return client_make((const char *[]){"REDIS_URL", fake.url, "REDIS_TIMEOUT_MS", timeout_ms,
                                        "RECONNECT_MS_MAX", "100", NULL});
}

/* --- greeting ------------------------------------------------------------------------------------- */
static _Atomic bool command_was_early;
static void serve_greeting(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_await(server, fd, "AUTH\r\n$4\r\nuser\r\n$8\r\npass w@d\r\n")) return;
    if (!fake_await(server, fd, "SELECT\r\n$1\r\n3\r\n")) return;
    if (!fake_await(server, fd, "CLIENT\r\n$7\r\nSETNAME\r\n$9\r\nlex-intel\r\n")) return;
    command_was_early = server->seen[0] != '\0';
    fake_say(fd, "+OK\r\n+OK\r\n");
    fake_say(fd, "-ERR unknown command CLIENT\r\n"); /* does no harm */
    if (fake_await(server, fd, "PING\r\n")) fake_say(fd, "+PONG\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(greeting_is_answered_before_any_command) {
    fake_start(&fake, serve_greeting);
    char url[128];
    (void)snprintf(url, sizeof url, "redis://user:pass%%20w%%40d@127.0.0.1:%d/3", fake.port);
    shared_client *client = client_make((const char *[]){"REDIS_URL", url, NULL});
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, 0);
    ck_assert_int_eq(asked.type, REPLY_STATUS);
    ck_assert_str_eq(asked.text, "PONG");
    ck_assert(!command_was_early);
    ck_assert(redis_is_connected(redis_of(client, REDIS_PROGRESS)));
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static const char *greeting_refusal;
static void serve_refusal(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_await(server, fd, "lex-intel\r\n")) return;
    fake_say(fd, greeting_refusal);
    (void)fake_await(server, fd, "nothing more");
}

static struct shared_error refusal_of(const char *user, const char *answer) {
    greeting_refusal = answer;
    fake_start(&fake, serve_refusal);
    char url[128];
    (void)snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", user, fake.port);
    shared_client *client = client_make((const char *[]){"REDIS_URL", url, NULL});
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert(!asked.command.sent);
    shared_client_free(client);
    fake_stop(&fake);
    ck_assert_ptr_nonnull(strstr(asked.error.message, "REDIS_URL: 127.0.0.1:"));
    ck_assert_ptr_null(strstr(asked.error.message, "secret"));
    ck_assert_int_eq(asked.error.domain, SHARED_REDIS);
    return asked.error;
}

START_TEST(wrong_password_is_permanent_and_not_told) {
    struct shared_error error =
        refusal_of(":secret@", "-WRONGPASS invalid username-password pair\r\n");
    ck_assert_int_eq(error.class, SHARED_PERMANENT);
    ck_assert_ptr_nonnull(strstr(error.message, "WRONGPASS"));
}
END_TEST

START_TEST(missing_password_is_told) {
    struct shared_error error = refusal_of("", "-NOAUTH Authentication required.\r\n");
    ck_assert_int_eq(error.class, SHARED_PERMANENT);
    ck_assert_ptr_nonnull(strstr(error.message, "NOAUTH"));
}
END_TEST

START_TEST(full_server_is_retryable) {
    struct shared_error error = refusal_of("", "-ERR max number of clients reached\r\n");
    ck_assert_int_eq(error.class, SHARED_RETRYABLE);
}
END_TEST

START_TEST(bad_urls_name_their_variable) {
    shared_client *client = client_make(NULL);
    ck_assert_ptr_null(client_redis(client, REDIS_PROGRESS));
    ck_assert_str_eq(shared_error_message(shared_error_last()), "REDIS_URL: not set");
    shared_client_free(client);
}
END_TEST

/* --- breaks --------------------------------------------------------------------------------------- */
static void serve_close_after_command(struct fake *server, int fd, int index) {
    (void)index;
    if (fake_greet(server, fd)) (void)fake_await(server, fd, "PING\r\n");
}

/* Asks again as soon as it fails: the connection never answered a command, so a pause has begun. */
static struct asked eager, in_pause;
static void eager_finish(struct command *command, const struct reply *reply,
                         const struct shared_error *error) {
    asked_finish(command, reply, error);
    ask_ping(client_redis(current, REDIS_PROGRESS), &in_pause);
}

START_TEST(break_ends_all_commands_and_the_pause_refuses_at_once) {
    fake_start(&fake, serve_close_after_command);
    current = fake_client("5000");
    struct redis *redis = redis_of(current, REDIS_PROGRESS);
    struct asked asked[3];
    for (int i = 0; i < 3; i++) ask_ping(redis, &asked[i]);
    eager = (struct asked){.command.finish = eager_finish};
    redis_send(redis, &eager.command, 1, (const char *[]){"PING"}, NULL);
    client_until(current, &eager.finished, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(asked[i].finished, 1);
        ck_assert_int_eq(asked[i].error.code, SHARED_ECLOSED);
        ck_assert_int_eq(asked[i].error.class, SHARED_RETRYABLE);
        ck_assert(asked[i].command.sent);
    }
    client_until(current, &in_pause.finished, 1);
    ck_assert_int_eq(in_pause.error.code, SHARED_ECLOSED);
    ck_assert(!in_pause.command.sent);
    ck_assert_int_eq(fake.served, 1);
    shared_client_free(current);
    fake_stop(&fake);
}
END_TEST

static void serve_one_ping(struct fake *server, int fd, int index) {
    (void)index;
    if (fake_greet(server, fd) && fake_await(server, fd, "PING\r\n")) fake_say(fd, "+PONG\r\n");
}

START_TEST(connection_that_worked_is_made_again_at_once) {
    fake_start(&fake, serve_one_ping);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    for (int i = 0; i < 3; i++) {
        struct asked asked;
        ask_ping(redis, &asked);
        client_until(client, &asked.finished, 1);
        ck_assert_int_eq(asked.error.code, 0);
        int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
        while (redis_is_connected(redis)) {
            ck_assert_int_ge(shared_client_dispatch(client, 10), 0);
            ck_assert_int_lt(time_monotonic_ms(), end_ms);
        }
    }
    ck_assert_int_eq(fake.served, 3);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(nobody_listens_there) {
    fake_start(&fake, serve_one_ping);
    fake_stop(&fake);
    shared_client *client = fake_client("5000");
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, SHARED_ECLOSED);
    ck_assert_int_eq(asked.error.class, SHARED_RETRYABLE);
    char expected[96];
    (void)snprintf(expected, sizeof expected, "REDIS_URL: 127.0.0.1:%d: Connection refused",
                   fake.port);
    ck_assert_str_eq(asked.error.message, expected);
    shared_client_free(client);
}
END_TEST

static void serve_silence(struct fake *server, int fd, int index) {
    (void)index;
    if (fake_greet(server, fd)) (void)fake_await(server, fd, "nothing more");
}

START_TEST(missed_deadline_breaks_the_connection) {
    fake_start(&fake, serve_silence);
    shared_client *client = fake_client("30");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    struct asked asked[2];
    ask_ping(redis, &asked[0]);
    ask_ping(redis, &asked[1]);
    client_until(client, &asked_count, 2);
    ck_assert_int_eq(asked[0].error.code, SHARED_ETIMEOUT);
    ck_assert_int_eq(asked[0].error.class, SHARED_RETRYABLE);
    ck_assert(!redis_is_connected(redis));
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(time_before_the_first_dispatch_does_not_count) {
    fake_start(&fake, serve_one_ping);
    shared_client *client = fake_client("10");
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    (void)poll(NULL, 0, 50); /* what a program computes meanwhile */
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, 0);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static void serve_blocking(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd) || !fake_await(server, fd, "BRPOP\r\n")) return;
    struct pollfd quiet = {.fd = fd, .events = POLLRDHUP};
    (void)poll(&quiet, 1, 200); /* longer than REDIS_TIMEOUT_MS */
    fake_say(fd, "*-1\r\n+PONG\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(blocking_command_may_take_its_time) {
    fake_start(&fake, serve_blocking);
    shared_client *client = fake_client("50");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    struct asked block = {.command.finish = asked_finish}, behind;
    const char *words[] = {"BRPOP", "list", "5"};
    redis_send_blocking(redis, &block.command, 5000, 3, words, NULL);
    ask_ping(redis, &behind); /* answered behind it: waits as long */
    client_until(client, &asked_count, 2);
    ck_assert_int_eq(block.error.code, 0);
    ck_assert_int_eq(block.type, REPLY_NULL);
    ck_assert_str_eq(behind.text, "PONG");
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(freeing_the_client_ends_what_is_under_way) {
    fake_start(&fake, serve_silence);
    shared_client *client = fake_client("5000");
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    while (!redis_is_connected(redis_of(client, REDIS_PROGRESS)))
        ck_assert_int_ge(shared_client_dispatch(client, 10), 0);
    shared_client_free(client);
    ck_assert_int_eq(asked.finished, 1);
    ck_assert_int_eq(asked.error.code, SHARED_ECANCELLED);
    fake_stop(&fake);
}
END_TEST

/* --- answers -------------------------------------------------------------------------------------- */
static const char *answer;
static void serve_answer(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    while (fake_await(server, fd, "PING\r\n"))
        for (const char *at = answer; *at; at++) /* byte by byte */
            if (send(fd, at, 1, MSG_NOSIGNAL) != 1) return;
}

static int lists;
static void list_finish(struct command *command, const struct reply *reply,
                        const struct shared_error *error) {
    (void)command;
    ck_assert_ptr_null(error);
    ck_assert_int_eq(reply->type, REPLY_ARRAY);
    ck_assert_uint_eq(reply->count, 4);
    ck_assert_int_eq(reply->items[0]->type, REPLY_INTEGER);
    ck_assert_int_eq(reply->items[0]->integer, -12345678901234);
    ck_assert_int_eq(reply->items[1]->type, REPLY_NULL);
    ck_assert_str_eq(reply->items[1]->text, "");
    const struct reply *inner = reply->items[2];
    ck_assert_uint_eq(inner->count, 2);
    ck_assert_int_eq(inner->items[0]->type, REPLY_TEXT);
    ck_assert_uint_eq(inner->items[0]->size, 5);
    ck_assert_mem_eq(inner->items[0]->text, "a\r\0nb", 6);
    ck_assert_uint_eq(inner->items[1]->count, 0);
    ck_assert_int_eq(reply->items[3]->type, REPLY_ERROR); /* inside of a list it is a value */
    lists++;
}

static void serve_list(struct fake *server, int fd, int index) {
    (void)index;
    static const char list[] =
        "*4\r\n:-12345678901234\r\n$-1\r\n*2\r\n$5\r\na\r\0nb\r\n*0\r\n-ERR x\r\n";
    if (!fake_greet(server, fd) || !fake_await(server, fd, "PING\r\n")) return;
    for (size_t i = 0; i + 1 < sizeof list; i++)
        if (send(fd, list + i, 1, MSG_NOSIGNAL) != 1) return;
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(nested_answer_comes_in_any_pieces) {
    fake_start(&fake, serve_list);
    shared_client *client = fake_client("5000");
    struct command command = {.finish = list_finish};
    const char *word = "PING";
    redis_send(redis_of(client, REDIS_PROGRESS), &command, 1, &word, NULL);
    client_until(client, &lists, 1);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

static struct shared_error error_of(const char *text) {
    answer = text;
    fake_start(&fake, serve_answer);
    shared_client *client = fake_client("5000");
    struct asked asked;
    ask_ping(redis_of(client, REDIS_PROGRESS), &asked);
    client_until(client, &asked.finished, 1);
    shared_client_free(client);
    fake_stop(&fake);
    return asked.error;
}

START_TEST(error_replies_have_their_class) {
    static const struct {
        const char *answer;
        int32_t class;
    } rows[] = {{"-LOADING Redis is loading the dataset in memory\r\n", SHARED_RETRYABLE},
                {"-OOM command not allowed\r\n", SHARED_RETRYABLE},
                {"-READONLY You can't write against a read only replica.\r\n", SHARED_RETRYABLE},
                {"-NOAUTH Authentication required.\r\n", SHARED_PERMANENT},
                {"-WRONGTYPE Operation against a key\r\n", SHARED_PERMANENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shared_error error = error_of(rows[i].answer);
        ck_assert_int_eq(error.code, SHARED_EREMOTE);
        ck_assert_int_eq(error.class, rows[i].class);
        ck_assert_msg(strncmp(error.message, rows[i].answer + 1, 6) == 0, "%s", error.message);
    }
}
END_TEST

START_TEST(hostile_answers_break_the_connection) {
    static const char *const answers[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "*2147483647\r\n:1\r\n",
        "*2000000\r\n:1\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ":99999999999999999999999\r\n",
        "$-5\r\nx\r\n",
        "\r\n\r\n",
        ",1.5\r\n", /* of RESP3, which was not asked for */
        "#t\r\n",
        "*1\r\n#t\r\n",
        "(123456789012345678901234567890\r\n",
        "%1\r\n:1\r\n:2\r\n",
        "~1\r\n:1\r\n",
        ">2\r\n+message\r\n+x\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct shared_error error = error_of(answers[i]);
        ck_assert_msg(error.code == SHARED_ECLOSED, "%s", answers[i]);
        ck_assert_msg(strstr(error.message, "not an answer of Redis") != NULL, "%s", error.message);
    }
}
END_TEST

static void serve_uninvited(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd) || !fake_await(server, fd, "PING\r\n")) return;
    fake_say(fd, "+PONG\r\n+PONG\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(answer_nobody_asked_for_breaks_the_connection) {
    fake_start(&fake, serve_uninvited);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    struct asked asked;
    ask_ping(redis, &asked);
    client_until(client, &asked.finished, 1);
    ck_assert_int_eq(asked.error.code, 0);
    while (redis_is_connected(redis)) ck_assert_int_ge(shared_client_dispatch(client, 10), 0);
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

/* --- bounds --------------------------------------------------------------------------------------- */
static void serve_nothing_read(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    (void)poll(&gone, 1, PATIENCE_MS);
}

START_TEST(output_is_bounded) {
    enum { COUNT = 100 };
    static struct asked asked[COUNT];
    static char large[1 << 20];
    memset(large, 'x', sizeof large - 1);
    fake_start(&fake, serve_nothing_read);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    int busy = 0;
    for (int i = 0; i < COUNT; i++) ask(redis, &asked[i], 3, (const char *[]){"SET", "a", large});
    ck_assert_int_eq(shared_client_dispatch(client, 0), 0);
    for (int i = 0; i < COUNT; i++)
        busy += asked[i].finished && asked[i].error.code == SHARED_EBUSY;
    ck_assert_int_ge(busy, 30);
    ck_assert_int_le(busy, 40);
    shared_client_free(client);
    ck_assert_int_eq(asked_count, COUNT);
    fake_stop(&fake);
}
END_TEST

/* --- scripts -------------------------------------------------------------------------------------- */
static void serve_script(struct fake *server, int fd, int index) {
    (void)index;
    if (!fake_greet(server, fd)) return;
    if (!fake_await(server, fd,
                    "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$3\r\nkey\r\n$1\r\na\r\n"))
        return;
    fake_say(fd, ":1\r\n");
    if (!fake_await(server, fd,
                    "*5\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n"
                    "$1\r\n1\r\n$3\r\nkey\r\n$1\r\nb\r\n"))
        return;
    fake_say(fd, "-NOSCRIPT No matching script.\r\n");
    if (!fake_await(server, fd,
                    "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$3\r\nkey\r\n$1\r\nb\r\n"))
        return;
    fake_say(fd, ":2\r\n");
    if (!fake_await(server, fd, "EVALSHA\r\n")) return;
    fake_say(fd, "-ERR something\r\n");
    (void)fake_await(server, fd, "nothing more");
}

START_TEST(script_travels_once_and_again_when_lost) {
    static const struct script script = {.name = "one", .text = "return 1"};
    fake_start(&fake, serve_script);
    shared_client *client = fake_client("5000");
    struct redis *redis = redis_of(client, REDIS_PROGRESS);
    static const char *const arguments[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        struct asked asked = {.command.finish = asked_finish};
        redis_run(redis, &script, &asked.command, 1, 2, (const char *[]){"key", arguments[i]},
                  NULL);
        client_until(client, &asked.finished, 1);
        if (i < 2)
            ck_assert_int_eq(asked.integer, i + 1);
        else
            ck_assert_str_eq(asked.error.message, "one: ERR something");
    }
    shared_client_free(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(roles_share_a_connection_when_alike) {
    shared_client *client = client_make(
        (const char *[]){"REDIS_URL", "redis://h/0", "CELERY_BROKER_URL", "redis://h:6379/0",
                         "CELERY_RESULT_BACKEND", "redis://h/1", NULL});
    ck_assert_ptr_eq(redis_of(client, REDIS_BROKER), redis_of(client, REDIS_PROGRESS));
    ck_assert_ptr_ne(redis_of(client, REDIS_RESULT), redis_of(client, REDIS_PROGRESS));
    ck_assert_ptr_ne(redis_of(client, REDIS_BLOCK), redis_of(client, REDIS_BROKER));
    ck_assert_ptr_ne(redis_of(client, REDIS_LISTEN), redis_of(client, REDIS_PROGRESS));
    ck_assert_ptr_eq(redis_of(client, REDIS_LISTEN), redis_of(client, REDIS_LISTEN));
    shared_client_free(client);
    client =
        client_make((const char *[]){"REDIS_URL", "redis://h", "CELERY_BROKER_URL", "redis://h/2",
                                     "CELERY_RESULT_BACKEND", "redis://h/2", NULL});
    ck_assert_ptr_ne(redis_of(client, REDIS_BROKER), redis_of(client, REDIS_PROGRESS));
    ck_assert_ptr_eq(redis_of(client, REDIS_RESULT), redis_of(client, REDIS_BROKER));
    shared_client_free(client);
}
END_TEST

START_TEST(redis_ping_answers_or_names_the_server) {
    fake_start(&fake, serve_one_ping);
    shared_client *client = fake_client("5000");
    const shared_event *event = NULL;
    ck_assert_int_eq(shared_client_ping(client, SHARED_SYSTEM, 1), SHARED_EINVALID);
    ck_assert_int_eq(shared_client_ping(client, SHARED_REDIS, 1), SHARED_OK);
    ck_assert_int_eq(shared_client_wait(client, 1, PATIENCE_MS, &event), SHARED_OK);
    fake_stop(&fake);
    int32_t status = SHARED_OK;
    for (uint64_t tag = 2; status == SHARED_OK; tag++) {
        ck_assert_int_eq(shared_client_ping(client, SHARED_REDIS, tag), SHARED_OK);
        status = shared_client_wait(client, tag, PATIENCE_MS, &event);
    }
    ck_assert_int_eq(status, SHARED_ECLOSED);
    ck_assert_ptr_nonnull(
        strstr(shared_error_message(shared_event_error(event)), "REDIS_URL: 127.0.0.1:"));
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        greeting_is_answered_before_any_command,
        wrong_password_is_permanent_and_not_told,
        missing_password_is_told,
        full_server_is_retryable,
        bad_urls_name_their_variable,
        break_ends_all_commands_and_the_pause_refuses_at_once,
        connection_that_worked_is_made_again_at_once,
        nobody_listens_there,
        missed_deadline_breaks_the_connection,
        time_before_the_first_dispatch_does_not_count,
        blocking_command_may_take_its_time,
        freeing_the_client_ends_what_is_under_way,
        nested_answer_comes_in_any_pieces,
        error_replies_have_their_class,
        hostile_answers_break_the_connection,
        answer_nobody_asked_for_breaks_the_connection,
        output_is_bounded,
        script_travels_once_and_again_when_lost,
        roles_share_a_connection_when_alike,
        redis_ping_answers_or_names_the_server,
    };
    return unit_run("redis", tests, sizeof tests / sizeof *tests);
}
