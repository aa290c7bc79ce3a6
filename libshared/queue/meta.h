/* SPDX-License-Identifier: MIT
 * meta.h - the text that the result backend keeps of a task: celery-task-meta-<id>.
 */
#ifndef QUEUE_META_H
#define QUEUE_META_H

#include <stdbool.h>

#include "base/buffer.h"

/* What Celery's client will raise. */
struct meta_exception {
    const char *type;
    const char *module;
    const char *message;
};
/* Whose result. parent_id and group_id: or NULL. */
struct meta_owner {
    const char *id;
    const char *parent_id;
    const char *group_id;
};

void meta_write_success(struct buffer *out, struct meta_owner owner, const char *result_json);
/* With a traceback of one line. */
void meta_write_failure(struct buffer *out, struct meta_owner owner,
                        struct meta_exception exception);
void meta_write_retry(struct buffer *out, struct meta_owner owner, struct meta_exception exception);
/* REVOKED: why is "expired", "revoked" or "terminated". */
void meta_write_revoked(struct buffer *out, struct meta_owner owner, const char *why);

/* SUCCESS, FAILURE or REVOKED: nothing will change any more. */
bool meta_is_ready(const char *json, size_t size);
bool meta_is_success(const char *json, size_t size);

#endif
