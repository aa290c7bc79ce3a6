/* SPDX-License-Identifier: MIT
 * celery.h - a Celery message (protocol 2, or 1) read into its parts, and written again for a retry.
 * No I/O, no Redis. Foreign bytes: every shape is either read or refused with a reason.
 */
#ifndef QUEUE_CELERY_H
#define QUEUE_CELERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    CELERY_NAME_SIZE_MAX = 255,     /* of an id, a task name: bytes */
    CELERY_KEY_SIZE_MAX = 1020,     /* of lex_key, an id of 255 characters: bytes */
    CELERY_BODY_SIZE_MAX = 64 << 20 /* of a body when unpacked: bytes */
};

struct celery_message {
    char *id;
    char *task;
    char *key;       /* lex_key: what the task is about, or NULL */
    char *parent_id; /* or NULL, as group_id */
    char *group_id;
    char *args;   /* JSON list, as it was sent */
    char *kwargs; /* JSON object, as it was sent */
    int32_t retries;
    int64_t eta_us;     /* 0: at once */
    int64_t expires_us; /* 0: never */
    int64_t soft_ms;    /* time limits; 0: none of its own */
    int64_t hard_ms;
    int32_t priority; /* 0 first, to 9 */
    bool ignore_result;
    bool redelivered;
    struct celery_json *json; /* private to celery.c */
};

/* Why a message cannot be run: what Celery's client will raise. */
struct celery_refusal {
    const char *exc_type;
    const char *exc_module;
    char message[256];
    char id[CELERY_NAME_SIZE_MAX + 1]; /* "" when the message does not say */
};

/* NULL and the refusal; without memory NULL and a refusal whose exc_type is NULL. */
struct celery_message *celery_read(const char *raw, size_t size, struct celery_refusal *refusal);
void celery_message_free(struct celery_message *message);
/* Text of args[position].field, or with position -1 of kwargs[field]. NULL when absent or not text.
 * Lives as long as the message. field may be "a.b": a member of a member. */
const char *celery_argument(const struct celery_message *message, int32_t position,
                            const char *field);
/* Text of a property, or of a header when properties has none; NULL when absent or not text. */
const char *celery_property(const struct celery_message *message, const char *name);
/* The same message once more: retries + 1, eta, a delivery tag of its own, itself as its parent. */
void celery_write_retry(struct buffer *out, const struct celery_message *message, int64_t eta_us,
                        const char *delivery_tag, const char *origin);
/* text is one JSON value of that kind: '[' list, '{' object, 0 any. Whole numbers of any length, as
 * Python sends them, are fine. */
bool celery_is_json(const char *text, size_t size, char kind);
/* The same: SHARED_OK, SHARED_EINVALID, or SHARED_ENOMEM when memory ran out before that was known. */
shared_status celery_json_check(const char *text, size_t size, char kind);

#endif
