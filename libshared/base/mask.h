/* SPDX-License-Identifier: MIT
 * mask.h - URLs fit for logs.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#include "base/buffer.h"

/* Appends url with its passwords replaced by "***". */
void mask_add(struct buffer *out, const char *url);

#endif
