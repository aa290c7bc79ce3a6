/* SPDX-License-Identifier: MIT
 * savepoint.c - parts of a transaction that can be undone alone: which ones are open, and when one makes a
 * failed transaction usable again. Never sends anything: unit.c does.
 *
 * The works of a unit are numbered. What a rollback to savepoint 5 undoes is what has a higher number, and it
 * heals a failure when all that failed lies between the two. A savepoint that was never made lies behind a
 * failure, so no rollback to it is sent.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "session/session_private.h"

/* --- which ones are open -------------------------------------------------------------------------- */

static void pop(struct unit *unit) {
    struct savepoint *savepoint = unit->savepoint;
    unit->savepoint = savepoint->outer;
    unit->savepoint_count--;
    free(savepoint);
}

void savepoints_free(struct unit *unit) {
    while (unit->savepoint) pop(unit);
}

static shared_status check_name(const char *name) {
    size_t size = name ? strnlen(name, SAVEPOINT_NAME_SIZE) : 0;
    if (size && size < SAVEPOINT_NAME_SIZE && text_is_utf8(name, size)) return SHARED_OK;
    return fail(SHARED_EINVALID, "savepoint: its name must be 1 to %d bytes of UTF-8",
                SAVEPOINT_NAME_SIZE - 1);
}

/* The innermost one of that name; NULL after fail(). */
static struct savepoint *find(const shared_session *session, const char *name) {
    if (check_name(name) < 0) return NULL;
    const struct unit *unit = unit_open(session);
    struct savepoint *savepoint = unit ? unit->savepoint : NULL;
    while (savepoint && strcmp(savepoint->name, name) != 0) savepoint = savepoint->outer;
    if (!savepoint)
        (void)fail(SHARED_EINVALID, "savepoint \"%s\": %s", name,
                   unit ? "the transaction has none of that name" : "no transaction is open");
    return savepoint;
}

/* --- requests ------------------------------------------------------------------------------------- */

/* A work of one statement about a savepoint; NULL after fail(). */
static struct work *make_work(shared_session *session, enum work_kind kind, const char *verb,
                              int32_t number) {
    struct work *work = work_new(session->sessions, kind);
    if (!work) return NULL;
    buffer_format(&work->statement.sql, "%s s%d", verb, number);
    if (!work->statement.sql.failed) return work;
    work_free(work);
    (void)fail(SHARED_ENOMEM, "session: out of memory");
    return NULL;
}

static shared_status check_room(const shared_session *session, const char *name) {
    const struct unit *unit = unit_open(session);
    if (!session_needs_transaction(session))
        return fail(SHARED_EINVALID, "savepoint \"%s\": no transaction is open", name);
    if (!unit) return SHARED_OK;
    if (unit->failed) return fail_with(&unit->error);
    if (unit->savepoint_count < SAVEPOINTS_MAX) return SHARED_OK;
    return fail(SHARED_EBUSY, "savepoint \"%s\": %d are open, the most there may be", name,
                SAVEPOINTS_MAX);
}

static void push(struct unit *unit, struct savepoint *savepoint) {
    struct outbox_row *row = unit->outbox;
    while (row && row->next) row = row->next;
    savepoint->serial = unit->serial; /* of its work, the newest */
    savepoint->last_outbox = row;
    savepoint->outer = unit->savepoint;
    unit->savepoint = savepoint;
    unit->savepoint_count++;
    unit->savepoint_number = savepoint->number;
}

shared_status shared_session_savepoint(shared_session *session, const char *name) {
    shared_status status = session_check(session);
    if (status >= 0) status = check_name(name);
    if (status >= 0) status = check_room(session, name);
    if (status < 0) return status;
    const struct unit *unit = unit_open(session);
    struct savepoint *savepoint = calloc(1, sizeof *savepoint);
    if (!savepoint) return fail(SHARED_ENOMEM, "session: out of memory");
    memcpy(savepoint->name, name, strlen(name) + 1);
    savepoint->number = unit ? unit->savepoint_number + 1 : 1;
    struct work *work = make_work(session, WORK_SAVEPOINT, "SAVEPOINT", savepoint->number);
    status = work ? session_submit(session, work, 0) : SHARED_ENOMEM;
    if (status >= 0)
        push(unit_open(session), savepoint);
    else
        free(savepoint);
    return status;
}

shared_status shared_session_rollback_to(shared_session *session, const char *name, uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    struct savepoint *savepoint = find(session, name);
    if (!savepoint) return shared_error_code(shared_error_last());
    struct unit *unit = unit_open(session);
    struct work *work =
        make_work(session, WORK_ROLLBACK_TO, "ROLLBACK TO SAVEPOINT", savepoint->number);
    if (!work) return SHARED_ENOMEM;
    work->savepoint = savepoint->serial;
    status = session_submit(session, work, tag);
    if (status < 0) return status;
    while (unit->savepoint != savepoint) pop(unit);
    outbox_cut(&unit->outbox, savepoint->last_outbox);
    return SHARED_OK;
}

shared_status shared_session_release(shared_session *session, const char *name) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    struct savepoint *savepoint = find(session, name);
    if (!savepoint) return shared_error_code(shared_error_last());
    struct unit *unit = unit_open(session);
    if (unit->failed) return fail_with(&unit->error);
    struct work *work = make_work(session, WORK_RELEASE, "RELEASE SAVEPOINT", savepoint->number);
    status = work ? session_submit(session, work, 0) : SHARED_ENOMEM;
    if (status < 0) return status;
    while (unit->savepoint != savepoint) pop(unit);
    pop(unit);
    return SHARED_OK;
}

/* --- in a failed transaction ---------------------------------------------------------------------- */

static bool is_alive(const struct unit *unit) {
    return unit->begun && unit->postgres && postgres_is_ready(unit->postgres);
}

bool savepoint_can_help(const struct unit *unit) {
    const struct savepoint *savepoint = unit->savepoint;
    while (savepoint && savepoint->serial >= unit->failed_first) savepoint = savepoint->outer;
    if (savepoint && is_alive(unit)) return true;
    for (const struct work *work = unit->first; work; work = work->next)
        if (savepoint_helps(unit, work)) return true; /* asked for, and released behind it */
    return false;
}

bool savepoint_helps(const struct unit *unit, const struct work *work) {
    return work->kind == WORK_ROLLBACK_TO && work->savepoint < unit->failed_first && is_alive(unit);
}

void savepoint_undo(struct unit *unit, const struct work *work) {
    while (unit->done && unit->done->serial > work->savepoint) {
        struct work *undone = unit->done;
        unit->done = undone->next;
        unit->touched -= undone->touched;
        work_free(undone);
    }
    unit->flushed = 0;
    unit->is_refused = false;
    bool was_wanted = work->request != NULL;
    if (!unit->failed || !was_wanted) return;
    if (work->savepoint < unit->failed_first && unit->failed_last < work->serial)
        unit->failed = false;
}
