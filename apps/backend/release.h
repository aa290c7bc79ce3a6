/* SPDX-License-Identifier: MIT
 * release.h - files that may have lost their last document: those that have are removed, in the
 * background and after the rows are gone for good.
 */
#ifndef BACKEND_RELEASE_H
#define BACKEND_RELEASE_H

#include "request.h"

/* paths: below UPLOAD_DIR, as documents have them; copied. */
void release_files(struct server *server, const char *const *paths, size_t count);
/* Keeps the first column of the rows, paths of files, in the request until its commit. false: answered. */
bool files_remember(struct request *request, const shared_event *event);
/* After the commit: those are released. */
void files_release(struct request *request);
void files_forget(struct request *request);
/* Those under way. */
int releases_open(void);

#endif
