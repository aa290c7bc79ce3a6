/* SPDX-License-Identifier: MIT
 * resolver.c - a helper thread of a client and its two lists of jobs. The thread owns its half
 * (struct helper, counted), so that a client can go away while a name server keeps the thread waiting.
 * Never touches the client from the thread.
 */
#include "net/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    JOBS_MAX = 64,
    STACK_SIZE = 256 * 1024 /* getaddrinfo and its plug-ins; only touched pages count */
};

struct jobs {
    struct job *first, *last;
};

/* What both threads know; all but done_fd under the mutex. */
struct helper {
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    struct jobs todo, done;
    struct job *current; /* in work */
    bool ending;         /* the client was freed */
    int32_t references;  /* client and thread */
    int done_fd;
};

struct resolver {
    shared_client *client;
    struct helper *helper;
    struct source source;
    int32_t waiting;
};

static void jobs_push(struct jobs *jobs, struct job *job) {
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static struct job *jobs_pop(struct jobs *jobs) {
    struct job *job = jobs->first;
    if (!job) return NULL;
    jobs->first = job->next;
    if (!jobs->first) jobs->last = NULL;
    job->next = NULL;
    return job;
}

static bool jobs_remove(struct jobs *jobs, struct job *job) {
    struct job *previous = NULL, *at = jobs->first;
    for (; at && at != job; at = at->next) previous = at;
    if (!at) return false;
    *(previous ? &previous->next : &jobs->first) = job->next;
    if (jobs->last == job) jobs->last = previous;
    return true;
}

static void job_orphan(struct job *job) {
    if (!job) return;
    job->orphaned = true;
    job->finish(job);
}

static void helper_free(struct helper *helper) {
    for (struct job *job; (job = jobs_pop(&helper->todo));) job_orphan(job);
    for (struct job *job; (job = jobs_pop(&helper->done));) job_orphan(job);
    if (helper->done_fd >= 0) (void)close(helper->done_fd);
    pthread_cond_destroy(&helper->wanted);
    pthread_mutex_destroy(&helper->mutex);
    free(helper);
}

static struct helper *helper_new(void) {
    struct helper *helper = calloc(1, sizeof *helper);
    if (!helper) return NULL;
    helper->references = 1;
    (void)pthread_mutex_init(&helper->mutex, NULL);
    (void)pthread_cond_init(&helper->wanted, NULL);
    helper->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (helper->done_fd >= 0) return helper;
    helper_free(helper);
    return NULL;
}

/* --- the thread ----------------------------------------------------------------------------------- */
/* Next job, or NULL when the client has gone. Called and returns with the mutex held. */
static struct job *job_await(struct helper *helper) {
    while (!helper->todo.first && !helper->ending)
        (void)pthread_cond_wait(&helper->wanted, &helper->mutex);
    helper->current = helper->ending ? NULL : jobs_pop(&helper->todo);
    return helper->current;
}

static void *helper_run(void *argument) {
    struct helper *helper = argument;
    (void)pthread_mutex_lock(&helper->mutex);
    for (struct job *job; (job = job_await(helper));) {
        (void)pthread_mutex_unlock(&helper->mutex);
        job->work(job);
        (void)pthread_mutex_lock(&helper->mutex);
        helper->current = NULL;
        jobs_push(&helper->done, job);
        uint64_t one = 1;
        (void)!write(helper->done_fd, &one, sizeof one);
    }
    bool last = --helper->references == 0;
    (void)pthread_mutex_unlock(&helper->mutex);
    if (last) helper_free(helper);
    return NULL;
}

/* Detached, small, and deaf: signals are for the program's own threads. */
static int helper_start(struct helper *helper) {
    pthread_attr_t attributes;
    int status = pthread_attr_init(&attributes);
    if (status != 0) return status;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    helper->references++; /* before the thread can drop it */
    status = pthread_create(&thread, &attributes, helper_run, helper);
    if (status != 0) helper->references--;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return status;
}

/* --- the client's side ---------------------------------------------------------------------------- */
static void jobs_ready(struct source *source, uint32_t events) {
    (void)events;
    struct resolver *resolver =
        (struct resolver *)((char *)source - offsetof(struct resolver, source));
    struct helper *helper = resolver->helper;
    uint64_t count = 0;
    (void)!read(helper->done_fd, &count, sizeof count);
    (void)pthread_mutex_lock(&helper->mutex);
    struct jobs done = helper->done;
    helper->done = (struct jobs){0};
    (void)pthread_mutex_unlock(&helper->mutex);
    for (struct job *job; (job = jobs_pop(&done));) {
        resolver->waiting--;
        job->finish(job);
    }
}

/* In the child of a fork there is no thread, and it may have held the mutex when the fork came: then
 * its lists cannot be trusted, and what they hold is left alone. */
static void helper_leave_forked(struct helper *helper) {
    if (pthread_mutex_trylock(&helper->mutex) != 0) {
        (void)close(helper->done_fd);
        return;
    }
    job_orphan(helper->current);
    (void)pthread_mutex_unlock(&helper->mutex);
    /* It remembers a waiter that is not here, and destroying it would wait for him for ever. */
    (void)pthread_cond_init(&helper->wanted, NULL);
    helper_free(helper);
}

static void helper_leave(struct helper *helper) {
    (void)pthread_mutex_lock(&helper->mutex);
    helper->ending = true;
    bool last = --helper->references == 0;
    (void)pthread_cond_signal(&helper->wanted);
    (void)pthread_mutex_unlock(&helper->mutex);
    if (last) helper_free(helper);
}

static void resolver_stop(void *state) {
    struct resolver *resolver = state;
    source_remove(resolver->client, &resolver->source);
    if (client_is_forked(resolver->client))
        helper_leave_forked(resolver->helper);
    else
        helper_leave(resolver->helper);
    free(resolver);
}

static shared_status resolver_start(shared_client *client, enum client_slot slot,
                                    struct resolver **out) {
    struct resolver *resolver = calloc(1, sizeof *resolver);
    struct helper *helper = resolver ? helper_new() : NULL;
    if (!helper) {
        free(resolver);
        return fail(SHARED_ENOMEM, "resolver: out of memory or descriptors");
    }
    *resolver = (struct resolver){.client = client, .helper = helper, .source.fd = -1};
    shared_status status =
        source_add(client, &resolver->source, helper->done_fd, EPOLLIN, jobs_ready);
    if (status < 0) goto failed;
    int number = helper_start(helper);
    if (number != 0) {
        struct shared_error error;
        error_set_errno(&error, number, "resolver: pthread_create");
        status = fail_with(&error);
        goto failed;
    }
    client_set_state(client, slot, resolver, resolver_stop);
    *out = resolver;
    return SHARED_OK;

failed:
    source_remove(client, &resolver->source);
    helper_free(helper);
    free(resolver);
    return status;
}

shared_status resolver_submit(shared_client *client, enum client_slot slot, struct job *job) {
    struct resolver *resolver = client_state(client, slot);
    shared_status status = resolver ? SHARED_OK : resolver_start(client, slot, &resolver);
    if (!resolver || status < 0) return status;
    if (resolver->waiting >= JOBS_MAX)
        return fail(SHARED_EBUSY, "resolver: %d jobs wait, at most %d", (int)resolver->waiting,
                    (int)JOBS_MAX);
    resolver->waiting++;
    job->orphaned = false;
    struct helper *helper = resolver->helper;
    (void)pthread_mutex_lock(&helper->mutex);
    jobs_push(&helper->todo, job);
    (void)pthread_cond_signal(&helper->wanted);
    (void)pthread_mutex_unlock(&helper->mutex);
    return SHARED_OK;
}

bool resolver_withdraw(shared_client *client, enum client_slot slot, struct job *job) {
    struct resolver *resolver = client_state(client, slot);
    if (client_is_forked(client)) return false; /* the mutex may be held for ever */
    (void)pthread_mutex_lock(&resolver->helper->mutex);
    bool withdrawn = jobs_remove(&resolver->helper->todo, job);
    (void)pthread_mutex_unlock(&resolver->helper->mutex);
    if (withdrawn) resolver->waiting--;
    return withdrawn;
}
