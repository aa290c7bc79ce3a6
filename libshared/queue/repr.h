/* SPDX-License-Identifier: MIT
 * repr.h - JSON text as Python would print it, for argsrepr: what Flower, logs and events show.
 */
#ifndef QUEUE_REPR_H
#define QUEUE_REPR_H

#include <stdint.h>

#include "base/buffer.h"

enum { REPR_SIZE_MAX = 1024, REPR_LEVELS_MAX = 3 }; /* Celery's own limits */

/* Appends Celery's saferepr of a JSON value; json must be valid. At most about size_max characters:
 * what is left out shows as "...". */
void repr_from_json(struct buffer *out, const char *json, size_t size, int32_t size_max);

#endif
