/* SPDX-License-Identifier: MIT
 * follow.h - which documents a stream listens to: one, several, or those of a case.
 */
#ifndef BACKEND_FOLLOW_H
#define BACKEND_FOLLOW_H

#include "stream.h"

/* One more document, unless it is in already; before the stream begins. */
void follow_prepare(struct stream *stream, const char *document_id);
void follow_prepare_case(struct stream *stream, const char *case_id);
/* Begins to listen; may end the stream. */
void follow_begin(struct stream *stream);
/* A case is looked at again for new documents. Once a second. */
void follow_poll(struct stream *stream);
/* A document that came into the case, known without a look. */
void follow_add(struct stream *stream, const char *document_id);
/* Whether the stream is of this case. */
bool follow_is_case(const struct stream *stream, const char *case_id);
/* Stops listening. */
void follow_stop(struct stream *stream);
/* Frees what it took; after follow_stop. */
void follow_finish(struct stream *stream);

#endif
