/* SPDX-License-Identifier: MIT
 * watch.h - the inside of listening: topics (documents), watches (who listens to one), and what a watch is
 * told first. Private to progress/.
 */
#ifndef PROGRESS_WATCH_H
#define PROGRESS_WATCH_H

#include "net/pool.h"
#include "progress/progress.h"

enum {
    ECHO_MS = 5000,
    EARLY_MAX = 32,     /* messages kept while the log is being read */
    LOG_SLACK = 200,    /* entries that Redis may keep beyond the wanted length */
    WAITING_MAX = 32,   /* events not taken yet (more than a burst): then the newest is replaced */
    PATIENCE_MS = 1000, /* time Redis has to confirm; then the row speaks alone */
    QUIET_MS = 30000,   /* without a message: look whether the last one got lost */
    SCARCE_MS = 500     /* the same, when there was no memory for one */
};

/* --- row.c: what the database knows --------------------------------------------------------------------- */
enum row_status { ROW_ABSENT, ROW_PENDING, ROW_PROCESSING, ROW_COMPLETED, ROW_FAILED };
struct row {
    enum row_status status;
    int64_t page_count; /* 0: not known */
    int64_t pages_done;
    uint64_t updated_us;
    char error[MESSAGE_TEXT_MAX * 4 + 1];
};
bool row_is_final(const struct row *row);
/* Its state as a message with the id "0-<updated_us>", which no log makes. NULL without memory. */
struct message *row_message(const struct row *row, bool replayed);

struct topic;
/* Reads the topic's row, unless that is under way; then topic_row_read. */
void row_read(struct topic *topic);
void row_forget(struct topic *topic);

/* --- subscribe.c ---------------------------------------------------------------------------------------- */
/* A document that somebody listens to. */
struct topic {
    struct name name; /* its channel */
    struct progress *progress;
    struct watch *watches;
    int32_t busy;                    /* being walked over: not freed meanwhile */
    bool confirmed;                  /* the server hears: nothing is missed from now on */
    struct row_reading *row_reading; /* under way, or NULL */
    struct row row;                  /* as last read */
    bool quiet_check;                /* the row is read because nothing was heard for long */
    struct timer quiet;
    const char *document_id; /* within channel */
    char channel[];
};

enum watch_state {
    WATCH_WAITING, /* for the server to confirm */
    WATCH_READING, /* log and row */
    WATCH_LIVE
};

/* Watches of one request: shared_progress_subscribe_many. Freed with its last hold. */
struct group {
    struct request *request; /* NULL: ended */
    int32_t holds;           /* one for each watch, and for who works on it */
    int32_t count;
    int32_t allowance;       /* as a watch's */
    struct watch *watches[]; /* NULL: over */
};

struct watch {
    struct watch *next, *previous;
    struct topic *topic;
    struct request *request; /* NULL in a group: the group's */
    struct group *group;     /* or NULL */
    int32_t group_index;
    enum watch_state state;
    bool has_from;         /* it named a last event */
    bool resumes;          /* it was live: the connection was mended */
    struct stream_id from; /* {0, 0}: of no form we know */
    struct stream_id told; /* newest id it was told, or knows; {0, 0}: none */
    int64_t echo_until_ms; /* what the log told may still arrive live, until then */
    struct timer patience;
    /* While reading: */
    struct errand *log_reading;
    bool log_read, row_is_read, row_is_fresh;
    bool read_again;          /* the connection was mended meanwhile */
    bool known;               /* from is in the log */
    struct message *newest;   /* of the log */
    struct message **entries; /* behind from */
    size_t entry_count;
    struct message *early[EARLY_MAX];
    int32_t early_count;
    int32_t allowance; /* replayed events that may wait on top */
};
void topic_row_read(struct topic *topic, const struct shared_error *error);
/* An event; is the message final, the watch ends. false: it has ended. */
bool watch_tell(struct watch *watch, struct message *message, bool replay);
void watch_end(struct watch *watch, const struct shared_error *error);
/* Without an end of its request, which somebody else tells, or nobody. */
void watch_free(struct watch *watch);
/* A watch of that document, without a request; NULL and fail(). Then watch_start, once it has one. */
struct watch *watch_make(struct progress *progress, const char *document_id,
                         const char *last_event_id);
void watch_start(struct watch *watch); /* may end it at once */
/* Puts a message into an event; the one before that is replaced, if there was one. */
void event_set_message(struct shared_event *event, struct message *message);
/* A new event that names its document. NULL: no memory. */
struct shared_event *event_of_document(struct request *request, int32_t kind,
                                       const char *document_id);

/* --- many.c ----------------------------------------------------------------------------------------------- */
void group_leave(struct watch *watch); /* by watch_free */
/* One of its documents is over, or not there: the others go on; with another error all end. */
void group_end_watch(struct watch *watch, const struct shared_error *error);
/* As next_event of a single watch: a slow reader's newest of this document is replaced. */
struct shared_event *group_event(struct watch *watch, bool replay);

/* What came meanwhile, then everything as it comes. */
void watch_go_live(struct watch *watch);

/* --- replay.c ------------------------------------------------------------------------------------------- */
/* Starts reading the log; afterwards, when the row is there too, the watch is decided. */
void watch_read_log(struct watch *watch);
/* Both log and row are there: decides what the watch is told first. May end it. */
void watch_decide(struct watch *watch);
void watch_drop_reading(struct watch *watch);

#endif
