/* SPDX-License-Identifier: MIT
 * queue.c - what a client keeps of the queue, names of its keys, and errands. Never decides what becomes
 * of a task.
 */
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the client's slot -------------------------------------------------------------------------- */

/* Claims go back at once instead of when their leases end; nothing is waited for. */
static void hand_back_all(struct queue *queue) {
    for (shared_task *task = queue->tasks, *next; task; task = next) {
        next = task->next;
        if (task->lost || task->state == TASK_ENDING) continue;
        if (task->state == TASK_GIVEN) shared_task_ref(task);
        finish_quietly(task, FINISH_HAND_BACK);
    }
    for (struct consumer *consumer = queue->consumers; consumer; consumer = consumer->next)
        consumer_give_up_claim(consumer);
}

static void stop_tasks(struct queue *queue) {
    while (queue->tasks) {
        shared_task *task = queue->tasks;
        bool ours = task->state != TASK_GIVEN && task->state != TASK_ENDING;
        task_leave(task);
        if (ours) shared_task_unref(task);
    }
}

static void stop_consumers(struct queue *queue) {
    while (queue->consumers) {
        struct consumer *consumer = queue->consumers;
        queue->consumers = consumer->next;
        timer_stop(queue->client, &consumer->pause);
        free(consumer);
    }
}

static void queue_free(struct queue *queue) {
    for (int32_t i = 0; i < queue->registered_count; i++) free(queue->registered[i]);
    produce_forget(queue);
    names_finish(&queue->claims);
    free(queue);
}

static void queue_stop(void *state) {
    struct queue *queue = state;
    timer_stop(queue->client, &queue->renew_timer);
    timer_stop(queue->client, &queue->sweep_timer);
    if (!client_is_forked(queue->client)) hand_back_all(queue);
    errands_free(&queue->errands);
    stop_tasks(queue);
    stop_consumers(queue);
    queue_free(queue);
}

struct queue *client_queue(shared_client *client) {
    struct queue *queue = client_state(client, CLIENT_QUEUE);
    if (queue) return queue;
    struct redis *broker = client_redis(client, REDIS_BROKER);
    if (!broker) return NULL;
    queue = calloc(1, sizeof *queue);
    if (!queue) {
        fail(SHARED_ENOMEM, "queue: out of memory");
        return NULL;
    }
    queue->client = client;
    queue->errands = (struct errands){.client = client, .owner = queue};
    queue->broker = broker;
    uuid_make_v4(queue->reply_to);
    char host[256] = "localhost";
    if (gethostname(host, sizeof host - 1) < 0 || !text_is_utf8(host, strlen(host)))
        snprintf(host, sizeof host, "localhost");
    snprintf(queue->origin, sizeof queue->origin, "gen%d@%s", (int)getpid(), host);
    client_set_state(client, CLIENT_QUEUE, queue, queue_stop);
    return queue;
}

/* --- names ------------------------------------------------------------------------------------------ */

const char *queue_name_check(const struct queue *queue, const char *name) {
    if (!name) name = shared_config_get(client_config(queue->client), "QUEUE_NAME");
    if (queue_name_valid(name)) return name;
    fail(SHARED_EINVALID, "queue: %.100s: 1 to %d bytes without spaces, quotes and backslashes",
         text_is_utf8(name, strlen(name)) ? name : "not UTF-8", QUEUE_NAME_SIZE - 1);
    return NULL;
}

shared_status queue_text_check(const char *what, const char *text, size_t size_max) {
    if (!text || !*text) return fail(SHARED_EINVALID, "%s: empty", what);
    size_t size = strlen(text);
    if (size > size_max)
        return fail(SHARED_EINVALID, "%s: %zu bytes, at most %zu", what, size, size_max);
    if (!text_is_utf8(text, size)) return fail(SHARED_EINVALID, "%s: not UTF-8", what);
    return SHARED_OK;
}

shared_status queue_json_check(const char *what, const char *text, char kind) {
    size_t size = text ? strlen(text) : 0;
    if (size > ARGUMENTS_SIZE_MAX)
        return fail(SHARED_EINVALID, "%s: %zu bytes, at most %d", what, size, ARGUMENTS_SIZE_MAX);
    shared_status status = text ? celery_json_check(text, size, kind) : SHARED_EINVALID;
    if (status == SHARED_OK) return SHARED_OK;
    if (status == SHARED_ENOMEM) return fail(SHARED_ENOMEM, "%s: out of memory", what);
    return fail(SHARED_EINVALID, "%s: %.100s: not a JSON %s", what,
                text && text_is_utf8(text, size) ? text : "", kind == '[' ? "list" : "object");
}

void queue_list_name(char out[QUEUE_KEY_SIZE], const char *queue, int32_t step) {
    snprintf(out, QUEUE_KEY_SIZE, step ? "%s" PRIORITY_MARK "%d" : "%s", queue, (int)step * 3);
}

void queue_wrapper_tail(char out[QUEUE_KEY_SIZE], const char *queue) {
    snprintf(out, QUEUE_KEY_SIZE, ", \"\", \"%s\"]", queue);
}

void queue_key(char out[QUEUE_KEY_SIZE], const char *prefix, const char *queue) {
    snprintf(out, QUEUE_KEY_SIZE, "%s%s", prefix, queue);
}

int64_t queue_visibility_s(const struct queue *queue) {
    int64_t setting_s = client_setting(queue->client, "VISIBILITY_TIMEOUT_S");
    int64_t limit_s = 2 * client_setting(queue->client, "TASK_TIME_LIMIT");
    return setting_s > limit_s ? setting_s : limit_s;
}
