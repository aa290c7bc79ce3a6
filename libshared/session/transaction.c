/* SPDX-License-Identifier: MIT
 * transaction.c - requests that begin, write and end a transaction. Never decides when they are sent: unit.c
 * does.
 */
#include "session/session_private.h"

enum { FLAGS_ALL = SHARED_READ_ONLY | SHARED_DEFERRABLE };

static shared_status check_begin(const shared_session *session, int32_t isolation, int32_t flags) {
    if (isolation < SHARED_READ_COMMITTED || isolation > SHARED_SERIALIZABLE)
        return fail(SHARED_EINVALID, "isolation: %d, must be %d to %d", isolation,
                    SHARED_READ_COMMITTED, SHARED_SERIALIZABLE);
    if (flags < 0 || flags > FLAGS_ALL)
        return fail(SHARED_EINVALID,
                    "flags: %d, must be SHARED_READ_ONLY and SHARED_DEFERRABLE, or 0", flags);
    if (session_needs_transaction(session))
        return fail(SHARED_EINVALID, "session: a transaction is open; commit or roll back first");
    return SHARED_OK;
}

shared_status shared_session_begin(shared_session *session, int32_t isolation, int32_t flags) {
    shared_status status = session_check(session);
    if (status >= 0) status = check_begin(session, isolation, flags);
    if (status < 0) return status;
    struct unit *unit = unit_new(session);
    if (!unit) return SHARED_ENOMEM;
    unit->is_explicit = true;
    unit->isolation = isolation;
    unit->flags = flags;
    return SHARED_OK;
}

static shared_status submit(shared_session *session, enum work_kind kind, const char *sql,
                            uint64_t tag) {
    struct work *work = work_new(session->sessions, kind);
    if (!work) return SHARED_ENOMEM;
    work->operation.sql = sql;
    return session_submit(session, work, tag);
}

shared_status shared_session_flush(shared_session *session, uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    if (!session_needs_transaction(session)) return submit(session, WORK_COMMIT, "COMMIT", tag);
    return submit(session, WORK_FLUSH, "", tag); /* an empty statement, when nothing is pending */
}

shared_status shared_session_commit(shared_session *session, uint64_t tag) {
    shared_status status = session_check(session);
    return status < 0 ? status : submit(session, WORK_COMMIT, "COMMIT", tag);
}

shared_status shared_session_rollback(shared_session *session, uint64_t tag) {
    shared_status status = session_check(session);
    return status < 0 ? status : submit(session, WORK_ROLLBACK, "ROLLBACK", tag);
}
