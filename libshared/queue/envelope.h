/* SPDX-License-Identifier: MIT
 * envelope.h - the text of a new Celery message (protocol 2), as Python's producer writes it.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct envelope {
    const char *queue;
    const char *task;
    const char *id;
    const char *args_json;    /* a JSON list */
    const char *kwargs_json;  /* a JSON object, or NULL: {} */
    const char *key;          /* header lex_key, or NULL */
    int64_t eta_us;           /* 0: at once */
    int64_t expires_us;       /* 0: never */
    int64_t expires_in_ms;    /* with it: the same from now, for kombu's property `expiration` */
    int64_t soft_ms, hard_ms; /* time limits; 0: the worker's own */
    int32_t priority;         /* 0 first, to 9 */
    bool ignore_result;
    const char *reply_to; /* any text; the Redis backend does not use it */
    const char *origin;   /* gen<pid>@<host> */
    bool redelivered;     /* it may have been sent before: consumers look for a result first */
};
/* Appends the message, with a delivery tag of its own. */
void envelope_write(struct buffer *out, const struct envelope *envelope);

#endif
