/* SPDX-License-Identifier: MIT
 * inflate.h - a zlib or gzip stream unpacked, up to a limit.
 */
#ifndef QUEUE_INFLATE_H
#define QUEUE_INFLATE_H

#include <stdbool.h>

#include "base/buffer.h"

/* Appends what the stream holds. false: broken, cut short, more than size_max bytes, or no memory. */
bool inflate_text(struct buffer *out, const char *data, size_t size, size_t size_max);

#endif
