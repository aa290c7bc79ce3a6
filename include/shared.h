/* SPDX-License-Identifier: MIT
 * libshared: cases, documents and chunks, their database session, their queue and their progress,
 * behind one pollable descriptor.
 *
 *     shared_config *config;   shared_client *client;   const shared_event *event;
 *     shared_config_from_env(&config);
 *     shared_client_new(config, &client);
 *     shared_session *session;
 *     shared_session_new(client, &session);
 *     shared_session_get(session, SHARED_DOCUMENT, "doc-123", 1);
 *     if (shared_client_wait(client, 1, 5000, &event) == SHARED_OK && shared_event_count(event))
 *         puts(shared_record_text(shared_event_record(event, 0), SHARED_DOCUMENT_FILE_NAME));
 *
 * OWNERSHIP  What comes through `**out` (always last, NULL on failure) is yours: give it back with
 *   the `_free` of its noun, or `_unref` for records and tasks; both accept NULL. What is returned
 *   belongs to the object asked and lives as long as it, or until the comment says. Strings passed
 *   in are copied; they are UTF-8 without NUL; sizes are bytes.
 * THREADS  A client and all that was made from it belong to one thread at a time; different clients
 *   are independent. Only shared_client_wake, shared_log, shared_record_ref/unref and the pure
 *   functions (version, classify) may be called from any thread.
 * FORK  In the child of a fork each call on an inherited client answers SHARED_EFORKED, and each
 *   free releases memory and descriptors without a byte on the wire.
 * SIGNALS  The library installs no handler and changes no thread's mask; its helper threads block all
 *   signals. Its sockets never raise SIGPIPE; a line of the log to a pipe that nobody reads does, as any
 *   write to stderr. A handler may call shared_client_wake, and nothing else here; a signal alone does
 *   not end a wait.
 * BLOCKING  Nothing blocks but shared_client_dispatch and shared_client_wait with a timeout.
 * ERRORS  A function that can fail returns a shared_status; below zero is a failure, and
 *   shared_error_last() says why. What fails later comes as shared_event_error().
 */
#ifndef SHARED_H
#define SHARED_H

#include <shared/client.h>
#include <shared/config.h>
#include <shared/error.h>
#include <shared/event.h>
#include <shared/log.h>
#include <shared/migrate.h>
#include <shared/models.h>
#include <shared/progress.h>
#include <shared/query.h>
#include <shared/queue.h>
#include <shared/record.h>
#include <shared/session.h>
#include <shared/version.h>

#endif
