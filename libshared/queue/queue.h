/* SPDX-License-Identifier: MIT
 * queue.h - the inside of the queue: what a client keeps of it, its consumers, its claims, and errands
 * (one command to Redis each). Private to queue/.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <shared/queue.h>

#include "base/config.h"
#include "base/text.h"
#include "net/client.h"
#include "net/redis.h"
#include "progress/errand.h"
#include "progress/names.h"
#include "queue/celery.h"
#include "queue/envelope.h"
#include "queue/meta.h"
#include "queue/scripts.h"

enum {
    QUEUE_KEY_SIZE = QUEUE_NAME_SIZE + 16, /* of a Redis key made from it */
    CLAIM_NAME_SIZE = UUID_TEXT_SIZE + 2,  /* "<uuid>/<step>" */
    CLAIMS_AT_ONCE = 32,                   /* by one script */
    META_KEY_SIZE = sizeof PREFIX_META + CELERY_NAME_SIZE_MAX,
    REGISTERED_MAX = 256,
    MESSAGE_SIZE_MAX = 32 << 20, /* bytes; a larger one is set aside without being read */
    ARGUMENTS_SIZE_MAX =
        23 << 20,       /* of args and kwargs: as base64, with all else, they fit into one */
    LEASES_LOST_MAX = 3 /* then the message is what kills its workers */
};

struct consumer;

/* A client's slot CLIENT_QUEUE. */
struct queue {
    shared_client *client;
    struct redis *broker; /* REDIS_BROKER */
    struct errands errands;
    struct consumer *consumers;
    int32_t consumer_count;
    shared_task *tasks; /* every claim we hold, whatever its state */
    int32_t task_count;
    struct names claims; /* the same by the claim's name */
    struct timer renew_timer, sweep_timer;
    bool renewing, sweeping;
    char *registered[REGISTERED_MAX];
    int32_t registered_count;
    struct names declared; /* queues whose bindings this connection has set */
    char reply_to[UUID_TEXT_SIZE];
    char origin[300];
};
/* Made when first asked for. NULL and fail(): no memory, or CELERY_BROKER_URL is not valid. */
struct queue *client_queue(shared_client *client);

static inline struct queue *queue_of(const struct errand *errand) {
    return errand->list->owner;
}

/* --- names ------------------------------------------------------------------------------------------ */
/* queue, or the setting QUEUE_NAME when NULL. NULL and fail(SHARED_EINVALID). */
const char *queue_name_check(const struct queue *queue, const char *name);
shared_status queue_text_check(const char *what, const char *text, size_t size_max);
/* kind as in celery_is_json. */
shared_status queue_json_check(const char *what, const char *text, char kind);
/* queue's list of a priority step (0 to 3 for the steps 0, 3, 6, 9). */
void queue_list_name(char out[QUEUE_KEY_SIZE], const char *queue, int32_t step);
/* What stands behind the message in unacked: `, "", "<queue>"]`. */
void queue_wrapper_tail(char out[QUEUE_KEY_SIZE], const char *queue);
void queue_key(char out[QUEUE_KEY_SIZE], const char *prefix, const char *queue);
/* How long a Python worker may hold a message, as shared.celery tells kombu: a task that is ended by its time
 * limit is not lost before. */
int64_t queue_visibility_s(const struct queue *queue);

/* --- produce.c --------------------------------------------------------------------------------------- */
/* Sends a message through the errand; envelope's reply_to and origin are filled in. */
void produce(struct errand *errand, struct envelope *envelope);
/* Tells kombu's tables of the queue, once a connection; produce_forget: as if it had not. */
void produce_declare(struct queue *queue, const char *name);
void produce_forget(struct queue *queue);

/* --- consume.c --------------------------------------------------------------------------------------- */
enum task_state {
    TASK_CLAIMED, /* being looked at */
    TASK_LATER,   /* its eta has not come */
    TASK_READY,   /* its eta has come; waits for a free place */
    TASK_GIVEN,   /* with the user */
    TASK_ENDING,  /* its result and its end are on their way */
    TASK_ENDED
};

struct consumer {
    struct consumer *next;
    struct queue *queue;
    struct request *request;
    char name[QUEUE_NAME_SIZE];
    char tail[QUEUE_KEY_SIZE];
    int32_t prefetch;
    int32_t taken; /* claimed, given, ending: at most prefetch */
    int32_t later, ready;
    bool cancelled;
    struct shared_error why; /* of the cancel */
    struct errand *claiming; /* or handing a doubtful claim back */
    struct errand *blocking;
    /* The last claim: the names that it gives, and when it was sent. */
    int32_t wanted;
    int64_t sent_ms;
    char uuids[CLAIMS_AT_ONCE][UUID_TEXT_SIZE];
    bool doubtful;      /* its answer was lost: what it took goes back before the next one */
    bool cannot_block;  /* the server knows no BLMOVE */
    struct timer pause; /* running: claim nothing */
    /* Of messages for later that there was no room for: the first one since a task was given, and how many. */
    char turn_id[CELERY_NAME_SIZE_MAX + 1];
    int32_t turn_count;
    int64_t pause_ms; /* grows while claims fail */
};

struct shared_task {
    int32_t references;
    enum task_state state;
    struct queue *queue;       /* NULL: the client is gone, or the claim given up */
    struct consumer *consumer; /* NULL: it was cancelled */
    struct shared_task *next, *previous;
    struct name by_claim;
    char claim[CLAIM_NAME_SIZE];
    char queue_name[QUEUE_NAME_SIZE];
    char lost_sha[41];                 /* of a message whose lease was lost before; else "" */
    struct celery_message *message;    /* NULL: it cannot be read */
    char id[CELERY_NAME_SIZE_MAX + 1]; /* "" when it does not say */
    bool lost;                         /* the claim was taken over */
    int64_t lease_until_ms;            /* our clock */
    int64_t marked_ms;                 /* when its key was last marked by us; 0: not yet */
    struct timer eta_timer;
};

/* Gives out what is ready and claims as much as there is room for; ends a cancelled one. */
void consumer_pump(struct consumer *consumer);
/* Claims nothing for a while. */
void consumer_pause(struct consumer *consumer, int64_t delay_ms);
/* For the client's end: a claim whose answer nobody will read goes back. */
void consumer_give_up_claim(struct consumer *consumer);
/* The queue is empty: waits for the next message. */
void consumer_wait(struct consumer *consumer);

/* --- examine.c: what becomes of a claimed message ------------------------------------------------- */
/* A task of that claim, with one reference: the queue's own. NULL without memory. */
shared_task *task_new(struct consumer *consumer, const char *claim, const char *lost_sha);
/* Reads the message and decides; takes the reference over. */
void task_examine(shared_task *task, const char *raw, size_t size);
/* The one whose eta came first. */
void task_give_next_ready(struct consumer *consumer);
/* A new state, and the consumer's counts with it. */
void task_change(shared_task *task, enum task_state state);
/* The claim is no longer ours to care for; its place is free again. Takes no reference away. */
void task_leave(shared_task *task);

/* --- finish.c: how a claim ends ---------------------------------------------------------------------- */
enum finish_kind {
    FINISH_ACK,
    FINISH_FAIL,
    FINISH_RETRY,
    FINISH_REFUSE,
    FINISH_HAND_BACK,
    FINISH_TO_TAIL
};

struct finish;
/* NULL and fail(SHARED_ENOMEM). */
struct finish *finish_new(shared_task *task, enum finish_kind kind);
struct buffer *finish_meta(
    struct finish *finish); /* fill in: stored first; empty: nothing to store */
struct buffer *finish_message(struct finish *finish); /* of FINISH_RETRY */
/* tag 0: nobody waits. After a failure the finish is gone. */
shared_status finish_start(struct finish *finish, uint64_t tag);
struct meta_owner task_owner(const shared_task *task);
/* The same for what the queue decides by itself: each takes one reference over. */
void finish_refused(shared_task *task, const struct celery_refusal *refusal);
void finish_expired(shared_task *task);
void finish_quietly(shared_task *task, enum finish_kind kind);

/* --- lease.c ------------------------------------------------------------------------------------------ */
/* Starts the timers that claims and consumers need; stops the others. */
void lease_schedule(struct queue *queue);
/* The same; the next renewal comes after delay_ms. */
void lease_schedule_after(struct queue *queue, int64_t delay_ms);
/* Renews the lease of one: the errand's answer is an array, empty when the claim stands. */
void lease_check(struct errand *errand, const shared_task *task);

#endif
