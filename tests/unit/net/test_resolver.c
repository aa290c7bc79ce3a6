/* SPDX-License-Identifier: MIT
 * test_resolver.c - jobs of a helper thread: handed back in the client's thread, bounded, let go when
 * the client has gone, not waited for.
 */
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client_fixture.h"
#include "net/resolver.h"

static int finished;
static shared_client *current;

static void found(struct lookup *lookup) {
    ck_assert_int_gt(lookup->count, 0);
    ck_assert(lookup_is_numeric(lookup->addresses[0]));
    ck_assert_ptr_eq(lookup->owner, &finished);
    finished++;
    free(lookup);
}

START_TEST(localhost_is_found) {
    shared_client *client = client_make(NULL);
    for (int i = 0; i < 3; i++) {
        struct lookup *lookup = calloc(1, sizeof *lookup);
        lookup->finish = found;
        lookup->owner = &finished;
        ck_assert_int_eq(lookup_start(client, lookup, "localhost"), SHARED_OK);
    }
    client_until(client, &finished, 3);
    shared_client_free(client);
}
END_TEST

static void not_found(struct lookup *lookup) {
    struct shared_error error;
    ck_assert_int_eq(lookup->count, 0);
    lookup_error(lookup, "REDIS_URL", &error);
    ck_assert_int_eq(error.class, SHARED_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(error.message, "REDIS_URL: host no..such..name: "));
    finished++;
    free(lookup);
}

START_TEST(unknown_name_is_a_retryable_error) {
    shared_client *client = client_make(NULL);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    lookup->finish = not_found;
    ck_assert_int_eq(lookup_start(client, lookup, "no..such..name"), SHARED_OK);
    client_until(client, &finished, 1);
    struct lookup local = {.finish = not_found};
    char host[300];
    memset(host, 'a', sizeof host);
    host[299] = '\0';
    ck_assert_int_eq(lookup_start(client, &local, host), SHARED_EINVALID);
    shared_client_free(client);
}
END_TEST

START_TEST(numeric_addresses_are_known) {
    ck_assert(lookup_is_numeric("127.0.0.1"));
    ck_assert(lookup_is_numeric("::1"));
    ck_assert(!lookup_is_numeric("localhost"));
    ck_assert(!lookup_is_numeric("1.2.3"));
    ck_assert(!lookup_is_numeric(""));
}
END_TEST

/* --- jobs that take as long as the test wants ----------------------------------------------------- */
static sem_t begun, may_end, ended;
static sigset_t blocked; /* on the helper thread */

static void work_slow(struct job *job) {
    (void)job;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    sem_post(&begun);
    while (sem_wait(&may_end) != 0) {
    }
}

static void finish_slow(struct job *job) {
    finished += 1 + 100 * job->orphaned;
    free(job);
    sem_post(&ended);
}

static struct job *job_slow(void) {
    struct job *job = calloc(1, sizeof *job);
    job->work = work_slow;
    job->finish = finish_slow;
    return job;
}

static void slow_start(void) {
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    sem_init(&ended, 0, 0);
    current = client_make(NULL);
    ck_assert_int_eq(resolver_submit(current, CLIENT_RESOLVER, job_slow()), SHARED_OK);
    while (sem_wait(&begun) != 0) {
    }
}

START_TEST(signals_are_for_the_programs_own_threads) {
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    slow_start();
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        bool never = number == SIGKILL || number == SIGSTOP;
        ck_assert(never || sigismember(&blocked, number) == 1);
        ck_assert_int_eq(sigismember(&before, number), sigismember(&after, number));
    }
    shared_client_free(current);
    sem_post(&may_end);
    while (sem_wait(&ended) != 0) {
    }
}
END_TEST

START_TEST(free_does_not_wait_for_a_slow_job) {
    slow_start();
    ck_assert_int_eq(resolver_submit(current, CLIENT_RESOLVER, job_slow()),
                     SHARED_OK); /* never begun */
    shared_client_free(current); /* would hang if it joined the thread */
    sem_post(&may_end);
    while (sem_wait(&ended) != 0) {
    }
    while (sem_wait(&ended) != 0) {
    }
    ck_assert_int_eq(finished, 202);
}
END_TEST

START_TEST(jobs_are_bounded) {
    slow_start();
    int accepted = 0;
    struct job *job = job_slow();
    while (resolver_submit(current, CLIENT_RESOLVER, job) == SHARED_OK) {
        accepted++;
        job = job_slow();
    }
    free(job);
    ck_assert_int_eq(shared_error_code(shared_error_last()), SHARED_EBUSY);
    ck_assert_int_eq(accepted, 63);
    for (int i = 0; i < 64; i++) sem_post(&may_end);
    client_until(current, &finished, 64);
    ck_assert_int_eq(finished, 64);
    shared_client_free(current);
}
END_TEST

START_TEST(what_has_not_begun_can_be_withdrawn) {
    slow_start();
    struct job *jobs[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(resolver_submit(current, CLIENT_RESOLVER, jobs[i] = job_slow()),
                         SHARED_OK);
    static const int order[] = {1, 2, 0}; /* between others, the last, the only one */
    for (int i = 0; i < 3; i++) {
        ck_assert(resolver_withdraw(current, CLIENT_RESOLVER, jobs[order[i]]));
        ck_assert(!resolver_withdraw(current, CLIENT_RESOLVER, jobs[order[i]]));
        free(jobs[order[i]]);
    }
    for (int i = 0; i < 64; i++) sem_post(&may_end);
    for (int i = 0; i < 63; i++) /* each left its room */
        ck_assert_int_eq(resolver_submit(current, CLIENT_RESOLVER, job_slow()), SHARED_OK);
    client_until(current, &finished, 64);
    ck_assert_int_eq(finished, 64);
    shared_client_free(current);
}
END_TEST

START_TEST(child_of_fork_frees_without_the_thread) {
    slow_start();
    pid_t child = fork();
    if (child == 0) {
        shared_client_free(current);
        _exit(finished == 101 ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    sem_post(&may_end);
    client_until(current, &finished, 1);
    shared_client_free(current);
}
END_TEST

/* --- a fork while the thread holds its mutex ------------------------------------------------------- */
static _Thread_local bool is_helper;
static sem_t holding, may_write;

/* Instead of libc's: the thread says with its mutex held that a job is done, and stays there for as long as the
 * test wants. */
ssize_t write(int fd, const void *bytes, size_t size) {
    if (is_helper) {
        sem_post(&holding);
        while (sem_wait(&may_write) != 0) {
        }
    }
    return syscall(SYS_write, fd, bytes, size);
}

static void work_known(struct job *job) {
    (void)job;
    is_helper = true;
}

START_TEST(child_of_a_fork_does_not_wait_for_a_mutex_that_is_held) {
    enum { CHILD_S = 10 };
    sem_init(&holding, 0, 0);
    sem_init(&may_write, 0, 0);
    current = client_make(NULL);
    struct job *job = job_slow();
    job->work = work_known;
    ck_assert_int_eq(resolver_submit(current, CLIENT_RESOLVER, job), SHARED_OK);
    while (sem_wait(&holding) != 0) {
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_S); /* else it would wait for ever */
        shared_client_free(current);
        _exit(finished == 0 ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    sem_post(&may_write);
    client_until(current, &finished, 1);
    shared_client_free(current);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        localhost_is_found,
        unknown_name_is_a_retryable_error,
        numeric_addresses_are_known,
        signals_are_for_the_programs_own_threads,
        free_does_not_wait_for_a_slow_job,
        jobs_are_bounded,
        what_has_not_begun_can_be_withdrawn,
        child_of_fork_frees_without_the_thread,
        child_of_a_fork_does_not_wait_for_a_mutex_that_is_held,
    };
    return unit_run("resolver", tests, sizeof tests / sizeof *tests);
}
