/* SPDX-License-Identifier: MIT
 * progress.h - what a worker says and a listener hears about one document.
 *
 * On the wire: PUBLISH progress:<document id> {"progress":45,"step":"extracting","message":"...",
 * "id":"1795487262421-0"}; the last one of a run has also "final":true. The same text is kept in the
 * stream progress-log:<document id> (capped, expires), so that a listener can resume. Publishers that
 * only PUBLISH (Python) are heard too. What is no JSON object of at most 16384 bytes is dropped, and the
 * log says so; a percentage outside of 0 to 100 becomes the nearer of the two, the text stays as it was.
 */
#ifndef SHARED_PROGRESS_H
#define SHARED_PROGRESS_H

#include <shared/api.h>
#include <shared/client.h>

SHARED_BEGIN

/** Tells how far a document is: percent 0-100, step one of starting, extracting, chunking, storing,
 *  completed, failed (the last two are final). At most 20 a second a document go out, plus each
 *  step's first and the final one; a newer one replaces one that waits, whose event then has count 0.
 *  DONE: count is the listeners reached. Within a run the percentage never goes back: a lower one is
 *  raised. A "starting" opens a new run. Added in 0.1.0. */
SHARED_API shared_status shared_progress_publish(shared_client *client, const char *document_id,
                                                 int32_t percent, const char *step,
                                                 const char *message, uint64_t tag);
/** Listens to a document. First what came after last_event_id; or, when that is NULL, the last known
 *  state; or, when that id is no longer known, the present state with "replayed":false; from the log,
 *  else from the document's row. Then what happens, without gap or duplicate, as PROGRESS events with
 *  more == 1. Ends by itself (DONE, more == 0) after the final message; at once, with nothing before,
 *  when last_event_id is the final one. SHARED_ENOTFOUND when there is no such document. Until then
 *  cancel the tag to stop. A reader that is slow gets the newest state, not a backlog.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_progress_subscribe(shared_client *client, const char *document_id,
                                                   const char *last_event_id, uint64_t tag);

/** The same for up to 200 documents, none twice, by one tag: shared_event_document() says of which. Each
 *  is told as by shared_progress_subscribe. last_event_ids: of each the id it was told last, or NULL; or
 *  NULL for none at all. One that is not there gets a DONE with SHARED_ENOTFOUND and more == 1; the last
 *  DONE comes when all are over. A reader that is slow gets the newest state of each document.
 *  Added in 0.1.0. */
SHARED_API shared_status shared_progress_subscribe_many(shared_client *client,
                                                        const char *const *document_ids,
                                                        const char *const *last_event_ids,
                                                        size_t count, uint64_t tag);
/** What is said from now on about any document, final messages too, for a dashboard: without a state at
 *  first, without the log after a lost connection. Until it is cancelled. A reader that is slow gets the
 *  newest state of what waits; with 1000 events waiting, news of other documents is lost, and the log
 *  says so. Added in 0.1.0. */
SHARED_API shared_status shared_progress_subscribe_all(shared_client *client, uint64_t tag);

SHARED_END

#endif
