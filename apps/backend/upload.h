/* SPDX-License-Identifier: MIT
 * upload.h - a file on its way in: from the multipart body to UPLOAD_DIR/ab/<sha256>, then one
 * transaction that stores the document and queues its extraction.
 */
#ifndef BACKEND_UPLOAD_H
#define BACKEND_UPLOAD_H

#include "request.h"

enum { UPLOAD_PATH_SIZE = 2 + 1 + 64 + 1 }; /* "ab/<sha256>" */

/* Answers 413 when so many bytes of body are more than any upload has. */
void upload_check_length(struct request *request, uint64_t size);
/* The head is there. false: it was answered. */
bool upload_begin(struct request *request);
/* More of the body; may answer. */
void upload_feed(struct request *request, const char *bytes, size_t size);
/* Accepts NULL; a temporary file is removed. */
void upload_free(struct upload *upload);
/* Opens UPLOAD_DIR, made where it is missing. -1: logged. */
int upload_open_folder(const char *path);
/* Removes temporary files that nothing wrote to for ten minutes: their process was killed. */
void upload_sweep(struct server *server);

#endif
