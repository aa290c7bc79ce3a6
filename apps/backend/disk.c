/* SPDX-License-Identifier: MIT
 * disk.c - the helper thread and its two queues. Two threads: the loop's and this one; one lock, which
 * guards both queues and `ending`. Never runs two jobs at once, and never touches the library.
 */
#include "disk.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { STACK_SIZE = 128 * 1024 };

struct queue {
    struct disk_job *first, *last;
};

struct disk {
    struct watch watch; /* first: the loop gives it back to us */
    struct server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct queue waiting; /* bounded by the requests there can be: each has one job at most */
    struct queue done;
    int wake_fd;
    bool started;
    bool ending;
};

static void queue_add(struct queue *queue, struct disk_job *job) {
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
}

static struct disk_job *queue_take(struct queue *queue) {
    struct disk_job *job = queue->first;
    if (!job) return NULL;
    queue->first = job->next;
    if (!queue->first) queue->last = NULL;
    return job;
}

static void *disk_main(void *owner) {
    struct disk *disk = owner;
    pthread_mutex_lock(&disk->lock);
    for (;;) {
        struct disk_job *job = queue_take(&disk->waiting);
        if (!job && disk->ending) break;
        if (!job) {
            pthread_cond_wait(&disk->wake, &disk->lock);
            continue;
        }
        pthread_mutex_unlock(&disk->lock);
        job->work(job);
        pthread_mutex_lock(&disk->lock);
        queue_add(&disk->done, job);
        eventfd_write(disk->wake_fd, 1);
    }
    pthread_mutex_unlock(&disk->lock);
    return NULL;
}

static void disk_finish_jobs(struct disk *disk) {
    for (;;) {
        pthread_mutex_lock(&disk->lock);
        struct disk_job *job = queue_take(&disk->done);
        pthread_mutex_unlock(&disk->lock);
        if (!job) return;
        job->done(job);
    }
}

static void disk_ready(struct watch *watch, uint32_t events) {
    struct disk *disk = (struct disk *)watch;
    (void)events;
    eventfd_t count;
    eventfd_read(disk->wake_fd, &count);
    disk_finish_jobs(disk);
}

struct disk *disk_new(struct server *server) {
    struct disk *disk = calloc(1, sizeof *disk);
    if (!disk) return NULL;
    disk->server = server;
    disk->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->wake, NULL);
    if (disk->wake_fd >= 0 &&
        loop_add(&server->loop, &disk->watch, disk->wake_fd, EPOLLIN, disk_ready))
        return disk;
    disk_free(disk);
    return NULL;
}

/* Signals are the loop's. */
static bool disk_start(struct disk *disk) {
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    if (pthread_attr_init(&attributes)) return false;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    disk->started = !pthread_create(&disk->thread, &attributes, disk_main, disk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return disk->started;
}

bool disk_submit(struct server *server, struct disk_job *job) {
    struct disk *disk = server->disk;
    if (!disk->started && !disk_start(disk)) return false;
    pthread_mutex_lock(&disk->lock);
    queue_add(&disk->waiting, job);
    pthread_cond_signal(&disk->wake);
    pthread_mutex_unlock(&disk->lock);
    return true;
}

void disk_free(struct disk *disk) {
    if (!disk) return;
    if (disk->started) {
        pthread_mutex_lock(&disk->lock);
        disk->ending = true;
        pthread_cond_signal(&disk->wake);
        pthread_mutex_unlock(&disk->lock);
        pthread_join(disk->thread, NULL);
        disk_finish_jobs(disk);
    }
    if (disk->wake_fd >= 0) {
        loop_remove(&disk->server->loop, &disk->watch);
        close(disk->wake_fd);
    }
    pthread_cond_destroy(&disk->wake);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}
