/* SPDX-License-Identifier: MIT
 * message.h - the text of a progress message and its parts. Pure functions: no I/O, no clock.
 */
#ifndef PROGRESS_MESSAGE_H
#define PROGRESS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "model/record.h"

enum {
    MESSAGE_SIZE_MAX = 16384, /* of one from anybody: bytes; larger ones are not heard */
    MESSAGE_TEXT_MAX = 2000,  /* of `message`: characters, as in models.txt */
    STREAM_ID_SIZE = 48
};

/* --- steps ------------------------------------------------------------------------------------------ */
bool step_is_known(const char *step);
bool step_is_final(const char *step); /* completed, failed */

/* --- ids: "<milliseconds>-<number>", as Redis makes them ---------------------------------------------- */
struct stream_id {
    uint64_t ms, number;
};
/* false: not such a text. */
bool stream_id_read(const char *text, struct stream_id *out);
/* Below zero, zero, above, as strcmp. */
int stream_id_compare(struct stream_id a, struct stream_id b);

/* --- text --------------------------------------------------------------------------------------------- */
/* {"progress":45,"step":"extracting","message":"..."} with "final":true when the step is. */
void message_write(struct buffer *out, int32_t percent, const char *step, const char *message);
/* The same object with "id":"..." and, when replayed is false, "replayed":false at its end, on one line. */
void message_add_id(struct buffer *out, const char *json, size_t size, const char *id,
                    bool replayed);

/* A message that somebody sent, read once for all who listen. A counted row of the shape progress. */
struct message {
    struct rows rows; /* first */
    struct stream_id id;
    bool has_id;
    bool final;
    char id_text[STREAM_ID_SIZE];
    char percent[12];
    char *step, *text; /* NULL: null */
    size_t size;
    char json[]; /* on one line */
};
/* One reference. NULL: not a JSON object, too large, or no memory. id: of the log's entry, or NULL: it is
 * in the text, if at all. replayed false: adds "replayed":false. */
struct message *message_read(const char *json, size_t size, const char *id, bool replayed);
void message_unref(struct message *message); /* accepts NULL */

#endif
