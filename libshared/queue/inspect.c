/* SPDX-License-Identifier: MIT
 * inspect.c - how the queue stands: what waits, what runs, which things have no task. Never changes it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/pool.h"
#include "queue/queue.h"

enum {
    KEYS_MAX = 10000,
    NO_MARK = -1,
    QUEUE_IS_EMPTY = -1, /* what script_oldest says */
    GIVEN_UP_TIMES = 24  /* visibility timeouts: by default a day */
};

/* --- missing ---------------------------------------------------------------------------------------- */

struct missing {
    struct errand errand;
    char **words;   /* HMGET, lex:live:<queue>, keys */
    size_t count;   /* of words */
    int64_t *marks; /* of each key: milliseconds, NO_MARK, or INT64_MAX when it does not say */
    char name[QUEUE_NAME_SIZE];
};

static void missing_drop(struct errand *errand) {
    struct missing *missing = (struct missing *)errand;
    for (size_t i = 0; i < missing->count; i++) free(missing->words[i]);
    free(missing->words);
    free(missing->marks);
}

/* "<task id> <milliseconds>" */
static int64_t read_mark(const struct reply *mark) {
    int64_t time_ms = INT64_MAX; /* live for ever */
    if (mark->type != REPLY_TEXT) return NO_MARK;
    const char *space = memchr(mark->text, ' ', mark->size);
    if (!space) return time_ms;
    const char *end = mark->text + mark->size;
    (void)text_to_int(space + 1, (size_t)(end - space - 1), 0, INT64_MAX, &time_ms);
    return time_ms;
}

/* Those whose mark is older are missing. */
static void missing_answer(struct missing *missing, int64_t oldest_ms,
                           const struct shared_error *error) {
    struct errand *errand = &missing->errand;
    struct buffer json = {.data = NULL};
    int64_t count = 0;
    buffer_add_char(&json, '[');
    for (size_t i = 0; !error && i + 2 < missing->count; i++) {
        const char *key = missing->words[i + 2];
        if (missing->marks[i] >= oldest_ms) continue;
        if (count++) buffer_add_char(&json, ',');
        buffer_add_json(&json, key, strlen(key));
    }
    buffer_add_char(&json, ']');
    struct shared_error no_memory;
    if (json.failed) {
        error_set(&no_memory, SHARED_SYSTEM, SHARED_ENOMEM, "queue: out of memory");
        error = &no_memory;
    }
    if (errand->request && !error) errand->request->event->json = buffer_take(&json);
    errand_answer(errand, count, error);
    buffer_finish(&json);
    errand_free(errand);
}

/* One that is older than any claim may last is a leftover: its message was lost by Redis, or purged. Tasks
 * that take long mark their key again. */
static int64_t stale_ms(const struct missing *missing, int64_t times) {
    return time_wall_us() / 1000 - times * queue_visibility_s(queue_of(&missing->errand)) * 1000;
}

/* In a backlog what was sent behind the oldest message still waits, however old its mark. When nobody can
 * tell how old that is, a long time must do. */
static void check_oldest(struct errand *errand, const struct reply *reply,
                         const struct shared_error *error) {
    struct missing *missing = (struct missing *)errand;
    int64_t stale = stale_ms(missing, 1), given_up = stale_ms(missing, GIVEN_UP_TIMES);
    int64_t waits_ms = error ? 0 : reply->integer;
    if (waits_ms == QUEUE_IS_EMPTY || waits_ms > stale) waits_ms = stale;
    missing_answer(missing, waits_ms > given_up ? waits_ms : given_up, error);
}

static void look_at_oldest(struct missing *missing) {
    char live[QUEUE_KEY_SIZE], lists[PRIORITY_STEPS][QUEUE_KEY_SIZE];
    const char *words[1 + PRIORITY_STEPS] = {live};
    queue_key(live, PREFIX_LIVE, missing->name);
    for (int32_t step = 0; step < PRIORITY_STEPS; step++) {
        queue_list_name(lists[step], missing->name, step);
        words[1 + step] = lists[step];
    }
    missing->errand.done = check_oldest;
    errand_run(&missing->errand, queue_of(&missing->errand)->broker, &script_oldest,
               1 + PRIORITY_STEPS, 1 + PRIORITY_STEPS, words, NULL);
}

static void check_marks(struct errand *errand, const struct reply *reply,
                        const struct shared_error *error) {
    struct missing *missing = (struct missing *)errand;
    int64_t stale = stale_ms(missing, 1);
    bool some_stale = false;
    for (size_t i = 0; !error && i + 2 < missing->count; i++) {
        missing->marks[i] = i < reply->count ? read_mark(reply->items[i]) : INT64_MAX;
        some_stale |= missing->marks[i] != NO_MARK && missing->marks[i] < stale;
    }
    if (some_stale)
        look_at_oldest(missing);
    else
        missing_answer(missing, stale, error);
}

/* "[]" needs no question. */
static shared_status answer_empty(shared_client *client, uint64_t tag) {
    struct request *request = request_new(client, tag, 0, request_fail, NULL);
    if (!request) return shared_error_code(shared_error_last());
    request->event->kind = SHARED_EVENT_DONE;
    request->event->json = text_copy("[]");
    request_end(request);
    return SHARED_OK;
}

static shared_status add_word(struct missing *missing, const char *word) {
    missing->words[missing->count] = text_copy(word);
    if (!missing->words[missing->count++]) return fail(SHARED_ENOMEM, "queue: out of memory");
    return SHARED_OK;
}

static shared_status add_words(struct missing *missing, const char *name, const char *const *keys,
                               size_t count) {
    char live[QUEUE_KEY_SIZE];
    queue_key(live, PREFIX_LIVE, name);
    memcpy(missing->name, name, strlen(name) + 1);
    missing->words = calloc(count + 2, sizeof *missing->words);
    missing->marks = calloc(count, sizeof *missing->marks);
    if (!missing->words || !missing->marks) return fail(SHARED_ENOMEM, "queue: out of memory");
    shared_status status = add_word(missing, "HMGET");
    if (status == SHARED_OK) status = add_word(missing, live);
    for (size_t i = 0; i < count && status == SHARED_OK; i++) {
        status = queue_text_check("key", keys[i], CELERY_KEY_SIZE_MAX);
        if (status == SHARED_OK) status = add_word(missing, keys[i]);
    }
    return status;
}

shared_status shared_queue_missing(shared_client *client, const char *queue_name,
                                   const char *const *keys, size_t count, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (count > KEYS_MAX) return fail(SHARED_EINVALID, "keys: %zu, at most %d", count, KEYS_MAX);
    if (count && !keys) return fail(SHARED_EINVALID, "keys: NULL");
    struct queue *queue = client_queue(client);
    const char *name = queue ? queue_name_check(queue, queue_name) : NULL;
    if (!name) return shared_error_code(shared_error_last());
    if (count == 0) return answer_empty(client, tag);
    struct missing *missing = errand_new(&queue->errands, sizeof *missing, check_marks);
    if (!missing) return SHARED_ENOMEM;
    missing->errand.drop = missing_drop;
    status = add_words(missing, name, keys, count);
    if (status == SHARED_OK) status = errand_request(&missing->errand, tag);
    if (status < 0)
        errand_free(&missing->errand);
    else
        errand_send(&missing->errand, queue->broker, (int32_t)missing->count,
                    (const char *const *)missing->words, NULL);
    return status;
}

/* --- stats ------------------------------------------------------------------------------------------- */

struct stats {
    struct errand errand;
    struct outbox_count *outbox;
    int64_t waiting, claimed, dead;
};

/* Belongs to PostgreSQL's connection until it answers, which may be after the queue is gone. */
struct outbox_count {
    struct operation operation;
    struct stats *stats; /* NULL: gone */
};

static void stats_drop(struct errand *errand) {
    struct stats *stats = (struct stats *)errand;
    if (stats->outbox) stats->outbox->stats = NULL;
}

static void stats_end(struct stats *stats, const char *outbox) {
    struct buffer json = {.data = NULL};
    buffer_format(&json,
                  "{\"waiting\":%" PRId64 ",\"claimed\":%" PRId64 ",\"dead\":%" PRId64
                  ",\"outbox\":%s}",
                  stats->waiting, stats->claimed, stats->dead, outbox);
    if (stats->errand.request) stats->errand.request->event->json = buffer_take(&json);
    errand_answer(&stats->errand, stats->waiting, NULL);
    buffer_finish(&json);
    errand_free(&stats->errand);
}

/* What Redis says is worth telling also while PostgreSQL is away: then outbox is null. */
static void check_counted(struct operation *operation, struct rows *rows, int64_t touched,
                          const struct shared_error *error) {
    (void)touched;
    struct outbox_count *outbox = (struct outbox_count *)operation;
    struct stats *stats = outbox->stats;
    size_t size;
    const char *text = rows && !error ? rows->methods->value(rows, 0, 0, &size) : NULL;
    if (stats) {
        stats->outbox = NULL;
        stats_end(stats, text ? text : "null");
    }
    free(outbox);
}

static void check_stats(struct errand *errand, const struct reply *reply,
                        const struct shared_error *error) {
    struct stats *stats = (struct stats *)errand;
    if (error) {
        errand_answer(errand, 0, error);
        errand_free(errand);
        return;
    }
    if (reply->type == REPLY_ARRAY && reply->count == 3) {
        stats->waiting = reply->items[0]->integer;
        stats->claimed = reply->items[1]->integer;
        stats->dead = reply->items[2]->integer;
    }
    struct pool *pool = client_pool(queue_of(errand)->client);
    stats->outbox = pool ? calloc(1, sizeof *stats->outbox) : NULL;
    if (!stats->outbox) {
        stats_end(stats, "null");
        return;
    }
    stats->outbox->stats = stats;
    stats->outbox->operation = (struct operation){.sql = "SELECT count(*) FROM task_outbox",
                                                  .prepare = true,
                                                  .sync = true,
                                                  .repeatable = true,
                                                  .finish = check_counted};
    pool_read(pool, &stats->outbox->operation);
}

shared_status shared_queue_stats(shared_client *client, const char *queue_name, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    struct queue *queue = client_queue(client);
    const char *name = queue ? queue_name_check(queue, queue_name) : NULL;
    struct stats *stats = name ? errand_new(&queue->errands, sizeof *stats, check_stats) : NULL;
    if (!stats) return shared_error_code(shared_error_last());
    stats->errand.drop = stats_drop;
    status = errand_request(&stats->errand, tag);
    if (status < 0) {
        errand_free(&stats->errand);
        return status;
    }
    char lists[PRIORITY_STEPS][QUEUE_KEY_SIZE], dead[QUEUE_KEY_SIZE];
    const char *words[PRIORITY_STEPS + 2];
    for (int32_t step = 0; step < PRIORITY_STEPS; step++) {
        queue_list_name(lists[step], name, step);
        words[step] = lists[step];
    }
    queue_key(dead, PREFIX_DEAD, name);
    words[PRIORITY_STEPS] = KEY_INDEX;
    words[PRIORITY_STEPS + 1] = dead;
    errand_run(&stats->errand, queue->broker, &script_stats, PRIORITY_STEPS + 2, PRIORITY_STEPS + 2,
               words, NULL);
    return SHARED_OK;
}
