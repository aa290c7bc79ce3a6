/* SPDX-License-Identifier: MIT
 * session.c - a unit of work on the database: its life, and its requests in their order. Never touches a
 * socket (net/ does) and parses no SQL.
 */
#include <shared/session.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "session/flow.h"
#include "session/query.h"
#include "session/session_private.h"

enum { KEY_SIZE_MAX = 4096 };

/* --- the client's sessions ------------------------------------------------------------------------ */

void session_detach(shared_session *session) {
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_ECANCELLED, "session: freed");
    session->pumping = true; /* what ends now starts nothing new */
    reads_abandon(session, &error);
    while (session->first) unit_abandon(session->first, &error);
    flows_abandon(session, &error);
    copy_drop(session, "session freed");
    session_release_kept(session);
    client_defer_stop(session->client, &session->turn); /* last: what ended woke it */
    changes_drop(session);
    session->client = NULL;
    session->sessions = NULL;
}

/* Works that the pool still has are finished when it stops, after us. */
static void sessions_stop(void *state) {
    struct sessions *sessions = state;
    for (shared_session *session = sessions->first; session; session = session->next)
        session_detach(session);
    while (sessions->spare) {
        struct work *work = sessions->spare;
        sessions->spare = work->next;
        statement_finish(&work->statement);
        free(work);
    }
    sessions->stopped = true;
    if (!sessions->work_count) free(sessions);
}

static struct sessions *client_sessions(shared_client *client) {
    struct sessions *sessions = client_state(client, CLIENT_SESSION);
    if (sessions) return sessions;
    sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        (void)fail(SHARED_ENOMEM, "session: out of memory");
        return NULL;
    }
    *sessions =
        (struct sessions){.client = client,
                          .changes_max = (int32_t)client_setting(client, "SESSION_CHANGES_MAX"),
                          .timeout_ms = client_setting(client, "DATABASE_TIMEOUT_MS")};
    client_set_state(client, CLIENT_SESSION, sessions, sessions_stop);
    return sessions;
}

void session_on_commit(shared_client *client,
                       void (*committed)(void *owner, struct outbox_row *rows), void *owner) {
    struct sessions *sessions = client_sessions(client);
    if (!sessions) return; /* the relay's sweep finds what nobody tells it of */
    sessions->committed = committed;
    sessions->owner = owner;
}

/* --- life ----------------------------------------------------------------------------------------- */

shared_status shared_session_new(shared_client *client, shared_session **out) {
    if (!out) return fail(SHARED_EINVALID, "out is NULL");
    *out = NULL;
    shared_status status = client_check(client);
    if (status < 0) return status;
    struct pool *pool = client_pool(client);
    struct sessions *sessions = pool ? client_sessions(client) : NULL;
    if (!sessions) return shared_error_code(shared_error_last());
    shared_session *session = calloc(1, sizeof *session);
    if (!session) return fail(SHARED_ENOMEM, "session: out of memory");
    *session = (shared_session){
        .sessions = sessions, .client = client, .pool = pool, .next = sessions->first};
    if (session->next) session->next->previous = session;
    sessions->first = session;
    *out = session;
    return SHARED_OK;
}

void shared_session_free(shared_session *session) {
    if (!session) return;
    struct sessions *sessions = session->sessions;
    if (sessions) { /* else the client was freed before us */
        session_detach(session);
        if (session->next) session->next->previous = session->previous;
        *(session->previous ? &session->previous->next : &sessions->first) = session->next;
    }
    free(session);
}

/* It may have broken while nothing was under way. */
struct postgres *session_take_kept(shared_session *session) {
    struct postgres *postgres = session->kept;
    session->kept = NULL;
    if (!postgres || postgres_is_ready(postgres)) return postgres;
    pool_release(session->pool, postgres);
    return NULL;
}

void session_release_kept(shared_session *session) {
    struct postgres *postgres = session->kept;
    session->kept = NULL;
    if (postgres) pool_release(session->pool, postgres);
}

shared_status shared_session_pin(shared_session *session) {
    shared_status status = session_check(session);
    if (status >= 0) session->is_pinned = true;
    return status;
}

shared_status(session_check)(const shared_session *session) {
    if (!session) return fail(SHARED_EINVALID, "session is NULL");
    return client_check(session->client);
}

/* --- the queue ------------------------------------------------------------------------------------ */

static void start_reads(struct unit *unit) {
    shared_session *session = unit->session;
    while (unit->first) {
        struct work *work = unit->first;
        unit->first = work->next;
        work->unit = NULL;
        if (work->kind == WORK_FLOW)
            flow_reached(work);
        else if (work->request)
            work_start_read(session, work);
        else
            work_free(work); /* cancelled while it waited */
    }
    unit_free(unit);
}

void session_pump(shared_session *session) {
    if (session->pumping) return;
    session->pumping = true;
    while (session->first) {
        struct unit *unit = session->first;
        if (unit->is_reads)
            start_reads(unit);
        else if (session->reads || session->opening || !unit_advance(unit))
            break; /* reads made before it come first */
    }
    session->pumping = false;
}

static void turn(struct deferred *deferred) {
    session_pump((shared_session *)((char *)deferred - offsetof(shared_session, turn)));
}

void session_wake(shared_session *session) {
    client_defer(session->client, &session->turn, turn);
}

bool session_has_changes(const shared_session *session) {
    return session->changes || session->outbox;
}

bool session_needs_transaction(const shared_session *session) {
    return unit_open(session) || session_has_changes(session);
}

bool session_is_paced(const shared_session *session) {
    bool paced = copy_is_open(session);
    for (const struct flow *flow = session->flows; flow && !paced; flow = flow->next)
        paced = flow_is_inside(flow) && flow->unit;
    return paced;
}

/* A read by itself: at once, or behind the transactions that were asked for before it. */
shared_status session_submit_read(shared_session *session, struct work *work, uint64_t tag) {
    struct unit *unit = session->last;
    if (unit && !unit->is_reads) unit = unit_new(session);
    work->is_paced = session_is_paced(session);
    bool complete = (unit || !session->last) && work_request(work, tag);
    if (!complete) {
        work_free(work);
        return shared_error_code(shared_error_last()); /* an empty unit does no harm */
    }
    if (!unit) {
        work_start_read(session, work);
    } else {
        unit->is_reads = true;
        unit_add(unit, work);
    }
    return SHARED_OK;
}

shared_status session_submit_alone(shared_session *session, struct work *work, uint64_t tag) {
    struct unit *unit = unit_new(session);
    work->is_paced = session_is_paced(session);
    if (!unit || !work_request(work, tag)) {
        if (unit) unit_free(unit);
        work_free(work);
        return shared_error_code(shared_error_last());
    }
    unit->is_explicit = unit->is_alone = unit->is_closed = true;
    unit_add(unit, work);
    session_wake(session);
    return SHARED_OK;
}

/* What becomes of the changes that wait, and who is told of the end. */
struct manner {
    bool writes;    /* the changes go before it */
    bool drops;     /* they are forgotten */
    bool closes;    /* nothing can follow it in its unit */
    bool is_silent; /* nobody waits: a failure is told by what follows */
};
static const struct manner manners[] = {
    [WORK_QUERY] = {.writes = true},
    [WORK_FLUSH] = {.writes = true},
    [WORK_SAVEPOINT] = {.writes = true, .is_silent = true},
    [WORK_RELEASE] = {.is_silent = true},
    [WORK_ROLLBACK_TO] = {.drops = true},
    [WORK_COMMIT] = {.writes = true, .closes = true},
    [WORK_ROLLBACK] = {.drops = true, .closes = true},
};

/* An update of nothing has no statement. */
static bool is_nothing(const struct work *change) {
    return change->kind == WORK_CHANGE && !change->statement.sql.size;
}

/* Who answers: the last change that a flush writes, in all other cases the work itself. */
static struct work *find_asked(struct work *work, const struct work_list *changes) {
    struct work *asked = work;
    if (work->kind != WORK_FLUSH) return work;
    for (struct work *change = changes->first; change; change = change->next)
        if (!is_nothing(change)) asked = change;
    return asked;
}

/* What was accepted, in its unit. */
static void take_in(shared_session *session, struct unit *unit, struct work_list *changes,
                    struct work *work) {
    const struct manner *manner = &manners[work->kind];
    while (changes->first) {
        struct work *change = changes->first;
        changes->first = change->next;
        if (is_nothing(change)) {
            work_free(change);
            continue;
        }
        if (change->change) change_send(change->change);
        unit_add(unit, change);
    }
    if (manner->drops) changes_drop(session);
    if (manner->drops) copy_drop(session, "rolled back");
    if (work->kind == WORK_ROLLBACK_TO) flows_undo(unit, work->savepoint);
    if (manner->writes) changes_hand_over(session, unit);
    unit->is_explicit = unit->is_explicit || !manner->closes;
    unit->is_closed = manner->closes;
    if (work->request || manner->is_silent)
        unit_add(unit, work);
    else
        work_free(work); /* a flush that a change answers */
    session_wake(session);
}

shared_status session_submit(shared_session *session, struct work *work, uint64_t tag) {
    const struct manner *manner = &manners[work->kind];
    if (work->kind == WORK_COMMIT && copy_is_open(session)) {
        work_free(work);
        return fail(SHARED_EINVALID, "commit: a COPY is open; shared_session_copy_end comes first");
    }
    struct work_list changes = {0};
    struct unit *unit = unit_open(session);
    shared_status status = manner->writes ? changes_build(session, &changes) : SHARED_OK;
    bool is_new = status >= 0 && !unit;
    if (is_new) unit = unit_new(session);
    struct work *asked = find_asked(work, &changes);
    asked->is_paced = session_is_paced(session);
    if (status < 0 || !unit || !(manner->is_silent || work_request(asked, tag))) {
        status = shared_error_code(shared_error_last());
        work_list_free(&changes);
        work_free(work);
        if (is_new && unit) unit_free(unit);
        return status;
    }
    take_in(session, unit, &changes, work);
    return SHARED_OK;
}
