/* SPDX-License-Identifier: MIT
 * stream.h - viewers of progress. A viewer's connection was taken out of libmicrohttpd, which would keep
 * 32 KB and more for it; here it costs a few hundred bytes while nothing happens, and a slow one is
 * bounded: what it has not taken yet, and the newest state.
 */
#ifndef BACKEND_STREAM_H
#define BACKEND_STREAM_H

#include "request.h"
#include "sse.h"

enum stream_kind { STREAM_ONE, STREAM_MANY, STREAM_CASE };

struct stream;
struct follow;

struct streams *streams_new(void);
void streams_free(struct server *server);
int streams_open(const struct streams *streams);
/* Ends all of them, each with a retry: of its own. */
void streams_stop(struct server *server);
/* Frees those that went in this turn. */
void streams_bury(struct server *server);
/* Pings, ages, polls. Once a second. */
void streams_sweep(struct server *server);
/* A document came into a case, or is read again. case_id NULL: into none. */
void stream_document_added(struct server *server, const char *case_id, const char *document_id);

/* It was deleted: its viewers, those of other processes too, hear it as a failure, which ends. */
void stream_document_gone(struct server *server, const char *document_id);

/* --- for daemon.c: a stream that a handler prepared ------------------------------------------------ */
/* Takes fd over and begins to listen. */
void stream_begin(struct stream *stream, int fd);
void stream_abandon(struct stream *stream);

/* --- for follow.c: what it listens to -------------------------------------------------------------- */
struct stream {
    struct watch watch; /* first: the loop gives it back to us */
    struct server *server;
    struct stream *next, *previous;
    int fd; /* -1: not begun */
    enum stream_kind kind;
    bool live;              /* its head went out */
    bool ending;            /* nothing more is to come: it ends when all was taken */
    bool begun;             /* it is in the loop and in the list */
    bool gone;              /* to be touched no more; its memory goes when the turn ends */
    struct sse_marks marks; /* MANY: which documents are over */
    int64_t due_ms;         /* of its first event; once live, of its end */
    int64_t ping_ms;        /* when the next ping is due */
    int64_t blocked_ms;     /* since when its reader takes nothing; 0: it does */
    char *pending;          /* what it has not taken yet, NULL: nothing */
    uint32_t pending_size, pending_sent;
    uint32_t kept_size; /* newest states that wait behind it, in follows */
    int32_t count, capacity, active;
    struct follow **follows;
    struct case_watch *of_case; /* CASE */
    char *last_id;              /* Last-Event-ID; NULL: none */
    char *origin;               /* to be told that it may read; NULL: none */
};

/* A document that a stream listens to. */
struct follow {
    struct stream *stream;
    uint64_t tag; /* 0: not listening */
    int32_t index;
    bool over;
    bool found_ended; /* CASE: it had ended before we listened */
    int64_t attempt;  /* CASE: the one whose end was told; -1: not known yet */
    char *newest;     /* event text that waits for a slow reader; NULL: none */
    char id[];
};

/* Sends an event's text, or keeps it as the newest of its document while the reader is slow. May end
 * the stream (look at gone). */
void stream_send_event(struct stream *stream, struct follow *follow, struct text *event);
/* Sends what is not an event; dropped while the reader is slow. */
void stream_send(struct stream *stream, const char *bytes, size_t size);
/* The 200 head, once. */
void stream_go_live(struct stream *stream);
/* Instead of a stream: an answer. */
__attribute__((format(printf, 3, 4))) void stream_answer(struct stream *stream, int status,
                                                         const char *format, ...);
/* Nothing more is to come. retry: the client is told to come back after a random 1-5 s. */
void stream_end(struct stream *stream, bool retry);

#endif
