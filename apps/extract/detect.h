/* SPDX-License-Identifier: MIT
 * detect.h - what a file is, by its content alone: names and declared types lie.
 */
#ifndef EXTRACT_DETECT_H
#define EXTRACT_DETECT_H

#include "document.h"

/* The format that reads the document (its charset is set for plain text), or NULL and the fault. */
const struct format *detect_format(struct document *document, struct fault *fault);

#endif
