/* SPDX-License-Identifier: MIT
 * test_memory.c - every allocation of a client's life fails once, and once for ever after: nothing crashes,
 * leaks or hangs, what was accepted ends, and afterwards the same client works.
 */
#include <openssl/err.h>

#include "redis_fake.h"
#include "redis_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED

int main(void) {
    return 77; /* the sanitizer has an allocator of its own */
}

#else

/* --- an allocator that fails when told, in the test's own thread ---------------------------------- */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static _Thread_local int countdown = -1; /* 0: the next one fails; -1: none */
static _Thread_local bool sticky, fired;
static _Thread_local int live;

static bool fails(void) {
    if (countdown < 0) return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    fired = true;
    if (!sticky) countdown = -1;
    return true;
}

void *malloc(size_t size) {
    void *memory = fails() ? NULL : __libc_malloc(size);
    live += memory != NULL;
    return memory;
}

void *calloc(size_t count, size_t size) {
    void *memory = fails() ? NULL : __libc_calloc(count, size);
    live += memory != NULL;
    return memory;
}

void *realloc(void *old, size_t size) {
    void *memory = fails() ? NULL : __libc_realloc(old, size);
    live += memory != NULL && !old;
    return memory;
}

void free(void *memory) {
    live -= memory != NULL;
    __libc_free(memory);
}

/* --- a server that answers everything ------------------------------------------------------------- */
static void *connection_run(void *argument) {
    static _Thread_local struct fake own;
    int fd = (int)(intptr_t)argument;
    if (fake_greet(&own, fd)) {
        for (ssize_t size; (size = recv(fd, own.seen, sizeof own.seen - 1, 0)) > 0;) {
            own.seen[size] = '\0';
            for (const char *at = own.seen; *at; at++) {
                if (strncmp(at, "PING\r\n", 6) == 0) fake_say(fd, "+PONG\r\n");
                if (strncmp(at, "\nEVAL", 5) == 0) fake_say(fd, "*2\r\n:1\r\n$2\r\nab\r\n");
                if (strncmp(at, "\nSUBSCRIBE\r\n", 12) == 0)
                    fake_say(fd, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
            }
        }
    }
    (void)close(fd);
    return NULL;
}

/* Each connection has a thread of its own. */
static void serve_all(struct fake *server, int fd, int index) {
    (void)server;
    (void)index;
    pthread_t thread;
    if (pthread_create(&thread, NULL, connection_run, (void *)(intptr_t)dup(fd)) == 0)
        (void)pthread_detach(thread);
}

static struct fake fake;
static shared_config *config;

static void config_make(void) {
    for (int32_t i = 0; shared_config_name(i); i++) (void)unsetenv(shared_config_name(i));
    ck_assert_int_eq(shared_config_from_env(&config), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "REDIS_URL", fake.url), SHARED_OK);
    ck_assert_int_eq(shared_config_set(config, "RECONNECT_MS_MAX", "10"), SHARED_OK);
}

/* --- one life of a client ------------------------------------------------------------------------- */
static const struct script script = {.name = "two", .text = "return {1, 'ab'}"};

/* check allocates in each assertion: none while the countdown runs. */
static int ended, refused_for_good;
static void note(struct command *command, const struct reply *reply,
                 const struct shared_error *error) {
    (void)command;
    (void)reply;
    ended++;
    refused_for_good += error && error->class != SHARED_RETRYABLE;
    if (error && error->class != SHARED_RETRYABLE)
        printf("XX %d %s\n", error->code, error->message);
}

static void ignore_message(struct listener *listener, const char *channel, const char *payload,
                           size_t size) {
    (void)listener;
    (void)channel;
    (void)payload;
    (void)size;
}

static void ignore_subscribed(struct listener *listener, const char *channel) {
    (void)listener;
    (void)channel;
}

/* Everything that is asked for: commands, a script, a channel, requests with and without an end. */
static bool ask_all(shared_client *client) {
    static struct listener ignorer = {.message = ignore_message, .subscribed = ignore_subscribed};
    static struct command commands[3];
    struct redis *redis = client_redis(client, REDIS_PROGRESS);
    struct redis *listening = client_redis(client, REDIS_LISTEN);
    ended = redis ? 0 : 3;
    for (int i = 0; redis && i < 3; i++) {
        commands[i] = (struct command){.finish = note};
        if (i == 0)
            redis_send(redis, &commands[i], 1, (const char *[]){"PING"}, NULL);
        else
            redis_run(redis, &script, &commands[i], 1, 1, (const char *[]){"key"}, NULL);
    }
    if (listening) {
        redis_listen(listening, &ignorer);
        (void)redis_subscribe(listening, "a");
    }
    (void)shared_client_timer(client, 0, 1);
    (void)shared_client_timer(client, 60000, 2);
    (void)shared_client_ping(client, SHARED_REDIS, 3);
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    while (ended < 3 && time_monotonic_ms() < end_ms) (void)shared_client_dispatch(client, 1);
    while (shared_client_next(client)) {
    }
    (void)shared_client_cancel(client, 2);
    while (shared_client_next(client)) {
    }
    return ended == 3;
}

static void life(int fail_at, bool for_ever) {
    shared_client *client = NULL;
    sticky = for_ever;
    countdown = fail_at;
    shared_status status = shared_client_new(config, &client);
    bool all_ended = status != SHARED_OK || ask_all(client);
    countdown = -1;
    ck_assert_msg(all_ended, "allocation %d: %d of 3 commands ended", fail_at, ended);
    ck_assert_int_eq(refused_for_good, 0);
    if (status != SHARED_OK) {
        ck_assert_int_eq(status, SHARED_ENOMEM);
        ck_assert_ptr_null(client);
        return;
    }
    int64_t end_ms = time_monotonic_ms() + PATIENCE_MS;
    struct asked again = {.error.code = SHARED_ENOMEM};
    while (again.error.code != 0) { /* a pause may be running */
        ask_ping(redis_of(client, REDIS_PROGRESS), &again);
        client_until(client, &again.finished, 1);
        ck_assert_msg(time_monotonic_ms() < end_ms, "%s", again.error.message);
    }
    shared_client_free(client);
}

static int torture(bool for_ever) {
    fake_start(&fake, serve_all);
    config_make();
    ERR_clear_error(); /* OpenSSL's and, below, all else that is made once a thread */
    life(-1, false);
    int before = live, points = 0;
    do {
        fired = false;
        life(points++, for_ever);
        ck_assert_msg(live == before, "allocation %d: %d blocks more than before", points,
                      live - before);
    } while (fired);
    shared_config_free(config);
    fake_stop(&fake);
    return points;
}

START_TEST(any_allocation_may_fail_once) {
    ck_assert_int_gt(torture(false), 20);
}
END_TEST

START_TEST(memory_may_be_gone_for_ever) {
    ck_assert_int_gt(torture(true), 20);
}
END_TEST

/* What may have been stored must not be told as what has failed. */
START_TEST(an_unknown_outcome_is_told_without_memory) {
    static const int32_t codes[][2] = {{SHARED_EUNKNOWN, SHARED_EUNKNOWN},
                                       {SHARED_ECONFLICT, SHARED_ENOMEM}};
    fake_start(&fake, serve_all);
    config_make();
    shared_client *client;
    ck_assert_int_eq(shared_client_new(config, &client), SHARED_OK);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct shared_error why;
        error_set(&why, SHARED_POSTGRES, codes[i][0], "commit: its answer was lost");
        struct request *request = request_new(client, 9, 0, request_fail, NULL);
        ck_assert_ptr_nonnull(request);
        sticky = true;
        countdown = 0;
        request_fail(request, &why);
        countdown = -1;
        const shared_error *error = shared_event_error(shared_client_next(client));
        ck_assert_int_eq(shared_error_code(error), codes[i][1]);
        ck_assert_int_eq(shared_error_class(error), SHARED_RETRYABLE);
    }
    shared_client_free(client);
    shared_config_free(config);
    fake_stop(&fake);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {any_allocation_may_fail_once, memory_may_be_gone_for_ever,
                                  an_unknown_outcome_is_told_without_memory};
    return unit_run("memory", tests, sizeof tests / sizeof *tests);
}

#endif
