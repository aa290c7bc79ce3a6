/* SPDX-License-Identifier: MIT
 * session_private.h - the parts of a session, for the files of this folder only.
 *
 * A session is a queue of units. A unit is a transaction, or single reads that wait for the transaction
 * before them; each consists of works, one statement each. Single reads of an idle session are no unit:
 * they are given to the pool at once. A transaction whose only works are changes is sent as one batch with
 * one Sync, which PostgreSQL treats as a transaction; any other begins with BEGIN.
 */
#ifndef SESSION_PRIVATE_H
#define SESSION_PRIVATE_H

#include "net/pool.h"
#include "session/session.h"

enum change_kind { CHANGE_ADD, CHANGE_COPY, CHANGE_UPDATE, CHANGE_DELETE };

/* What waits for the next flush: one record, or new ones of one model. */
struct change {
    struct change *next;
    enum change_kind kind;
    const struct model *model;
    int32_t count, count_max;
    shared_record **records;
    shared_record *single; /* records points here while there is one */
    size_t bytes;          /* of new ones, about */
    bool is_sent;          /* and neither stored nor undone */
};

enum work_kind {
    WORK_READ, /* by itself, on a shared connection */
    WORK_FLOW, /* none: a flow begins when its turn comes */
    WORK_BEGIN,
    WORK_QUERY,
    WORK_FLUSH, /* of nothing; else the last change answers its request */
    WORK_CHANGE,
    WORK_OUTBOX,
    WORK_SAVEPOINT,
    WORK_RELEASE,
    WORK_ROLLBACK_TO,
    WORK_COMMIT,
    WORK_ROLLBACK
};

struct unit;

/* One statement. */
struct work {
    struct operation operation;   /* first */
    struct work *next, *previous; /* of its unit or of session->reads */
    struct sessions *sessions;
    shared_session *session; /* of a read; NULL: it was freed */
    struct unit *unit;       /* of all others; NULL: the session was freed */
    struct request *request; /* NULL: nobody waits */
    /* Called once when it is answered, however, also before its request is; NULL: no need. */
    void (*answered)(struct work *work, struct rows *rows, int64_t count,
                     const struct shared_error *error);
    void (*freed)(struct work *work); /* NULL: no need */
    void *owner;                      /* for the two */
    enum work_kind kind;
    bool given; /* to the connection */
    /* Asked for behind what goes at the user's pace: its deadline starts when it is given. */
    bool is_paced;
    bool only_reads;
    int32_t model; /* of the rows */
    struct statement statement;
    struct change *change; /* owned once its unit has it */
    struct rows *rows;     /* of a change: the row as it is stored */
    int64_t touched;       /* by a change that was answered */
    int64_t serial;        /* place in its unit, from 1 */
    int64_t savepoint;     /* serial of the one that it rolls back to */
    shared_record *record; /* that a refresh shows the row in; counted */
};

enum { SAVEPOINT_NAME_SIZE = 64, SAVEPOINTS_MAX = 64 };

/* One that can be rolled back to. The server knows it by a number, so that a name may come again. */
struct savepoint {
    struct savepoint *outer;
    int64_t serial;                 /* of its work */
    int32_t number;                 /* its name for the server */
    struct outbox_row *last_outbox; /* of the unit when it was made; NULL: there was none */
    char name[SAVEPOINT_NAME_SIZE];
};

struct unit {
    struct unit *next;
    shared_session *session;
    bool is_reads;
    bool is_explicit;           /* begun by the user, or more than changes are in it */
    bool begun;                 /* its first statement was given to the connection */
    bool is_batch;              /* given as one batch without BEGIN and COMMIT */
    bool is_alone;              /* one statement that needs neither */
    const struct copy *copying; /* the connection does nothing else until that is answered */
    bool is_closed;             /* its commit or rollback was asked for */
    int32_t isolation, flags;
    int64_t serial;              /* of the newest work */
    struct savepoint *savepoint; /* innermost one, as asked for by now */
    int32_t savepoint_count;
    int32_t savepoint_number;  /* of the newest */
    int32_t flow_count;        /* that run in it: its COMMIT waits for them */
    int32_t stream_count;      /* that began in it */
    struct work *first, *last; /* not finished */
    struct work *waiting;      /* first of them that was not given to the connection */
    int32_t given_count;
    struct claim claim;
    struct postgres *postgres;
    bool failed;
    struct shared_error error; /* the first failure */
    bool is_refused;           /* the server failed a statement: its COMMIT would roll back */
    int64_t failed_first, failed_last; /* serials of what failed; 0: of the unit as such */
    bool lost;                         /* the connection broke under its last statement */
    int64_t touched;
    int64_t flushed;   /* rows touched since anything else but a change was answered */
    struct work *done; /* changes that were answered, until the commit, the newest first */
    struct outbox_row *outbox;
};

struct shared_session {
    struct sessions *sessions;
    shared_client *client; /* NULL: freed before us */
    struct pool *pool;
    shared_session *next, *previous; /* of sessions->first */
    struct change *changes, *last_change;
    struct outbox_row *outbox, *last_outbox;
    int32_t change_count; /* records and outbox rows that wait */
    struct unit *first, *last;
    struct work *reads;   /* single ones under way */
    struct flow *flows;   /* flow.h */
    struct copy_in *copy; /* open: the user may write to it */
    int32_t opening;      /* of them, not there yet: what comes behind waits */
    struct deferred turn;
    bool pumping;
    bool is_pinned;        /* keeps its connection between transactions */
    struct postgres *kept; /* that connection, between transactions; NULL: none */
};

/* A client's slot CLIENT_SESSION. */
struct sessions {
    shared_client *client;
    shared_session *first;
    struct work *spare;
    int32_t spare_count;
    int32_t work_count; /* made and not freed, without the spare ones */
    bool stopped;       /* the client is being freed; the last work frees us */
    int32_t changes_max;
    int64_t timeout_ms;
    void (*committed)(void *owner, struct outbox_row *rows);
    void *owner;
};

/* session.c */
/* The connection that a pinned session kept; NULL: none, or it broke. */
struct postgres *session_take_kept(shared_session *session);
void session_release_kept(shared_session *session);
void session_wake(shared_session *session); /* pumps at the end of the turn */
void session_pump(shared_session *session);
shared_status session_check(const shared_session *session); /* not NULL, and its client works */
#define session_check(session) (operation_begin(), session_check(session))
void session_detach(shared_session *session); /* ends all that it has */
bool session_has_changes(const shared_session *session);
/* A transaction is open, or must be before anything is read. */
bool session_needs_transaction(const shared_session *session);
/* What is asked for now waits until the user has written, or taken, all of a COPY or stream. */
bool session_is_paced(const shared_session *session);
/* They take the work over. By itself; SHARED_EBUSY, ENOMEM. */
shared_status session_submit_read(shared_session *session, struct work *work, uint64_t tag);
/* A transaction by itself, without BEGIN, on a connection of its own or the pinned one; none may be open. */
shared_status session_submit_alone(shared_session *session, struct work *work, uint64_t tag);
/* In the open transaction, or in a new one, behind the changes that wait. Also what change_build says. */
shared_status session_submit(shared_session *session, struct work *work, uint64_t tag);

/* work.c */
struct work *work_new(struct sessions *sessions, enum work_kind kind); /* NULL and fail(ENOMEM) */
void work_free(struct work *work);
/* The request that hears of it. false and fail(): EBUSY, tag in use; work stays. */
bool work_request(struct work *work, uint64_t tag);
void work_start_read(shared_session *session, struct work *work);
/* Ends its request with rows or a count, or with the error. */
void work_answer(struct work *work, struct rows *rows, int64_t count,
                 const struct shared_error *error);
void reads_abandon(shared_session *session, const struct shared_error *error);

/* change.c: they build the works of all that waits; nothing is taken out of the session yet. */
struct work_list {
    struct work *first, *last;
};
void work_list_add(struct work_list *list, struct work *work);
void work_list_free(struct work_list *list);
shared_status changes_build(shared_session *session, struct work_list *out);
/* The works are on their way: what waited belongs to them and to the unit. */
void changes_hand_over(shared_session *session, struct unit *unit);
void changes_drop(shared_session *session);
/* Its statement is on its way: what is set in its records from now on is not in it. */
void change_send(struct change *change);
/* After the commit: records show what is stored. */
void change_apply(struct change *change, struct rows *rows);
/* What was sent and not applied is undone: it counts as changed again. */
void change_free(struct change *change);
/* The record shows something newer than what this change stored. */
void change_forget(struct change *change, const shared_record *record);
/* SHARED_ENOTFOUND: no row has its key. */
void record_error(const shared_record *record, struct shared_error *error);
/* Which row it was about, for a message. */
void change_error(const struct change *change, struct shared_error *error);

/* outbox.c */
void outbox_cut(struct outbox_row **rows, struct outbox_row *last); /* NULL: all go */
shared_status outbox_build(struct statement *statement, const struct outbox_row *rows,
                           int32_t count);
void outbox_free(struct outbox_row *rows);

/* savepoint.c */
void savepoints_free(struct unit *unit);
/* A failed unit has one from before its failure, on a connection that stands. */
bool savepoint_can_help(const struct unit *unit);
/* It is a rollback to such a one. */
bool savepoint_helps(const struct unit *unit, const struct work *work);
/* The server has rolled back to it. */
void savepoint_undo(struct unit *unit, const struct work *work);

/* copy_in.c: a COPY that was not ended; no commit can come before it is. */
bool copy_is_open(const shared_session *session);
/* It is not to go on: what was written is undone. */
void copy_drop(shared_session *session, const char *why);

/* unit.c */
struct unit *unit_new(shared_session *session); /* at the end of the queue; NULL and fail() */
void unit_free(struct unit *unit);              /* takes it out of the queue */
void unit_add(struct unit *unit, struct work *work);
/* The one that the next request belongs to, NULL: no transaction is open. */
struct unit *unit_open(const shared_session *session);
/* Moves it on as far as it goes by now; true: it is over and freed. */
bool unit_advance(struct unit *unit);
/* serial: of the work that failed, 0: the unit as such. */
void unit_fail(struct unit *unit, const struct shared_error *error, int64_t serial);
/* The same for all that is under way in it. */
void unit_stop(struct unit *unit, const struct shared_error *why, int64_t serial);
/* Behind all others but the COMMIT that waits for flows. */
void unit_add_before_end(struct unit *unit, struct work *work);
void unit_cancel(struct work *work, const struct shared_error *why);
void unit_abandon(struct unit *unit,
                  const struct shared_error *error); /* frees it, whatever goes on */

#endif
