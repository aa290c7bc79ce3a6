/* SPDX-License-Identifier: MIT
 * read.c - requests that bring rows: by key, by many keys, anew, or by a query. Never decides which connection
 * they take beyond this: by themselves on a shared one, or within the session's transaction.
 */
#include <string.h>

#include "base/text.h"
#include "session/query.h"
#include "session/session_private.h"

enum { KEY_SIZE_MAX = 4096, IDS_MAX = 10000 };

/* Changes that wait are written first: that needs a transaction. A pinned session's read goes by itself too,
 * but on that session's connection. */
static struct work *read_new(const shared_session *session, bool only_reads) {
    bool alone = only_reads && !session_needs_transaction(session);
    struct work *work =
        work_new(session->sessions, alone && !session->is_pinned ? WORK_READ : WORK_QUERY);
    if (work) work->only_reads = only_reads;
    return work;
}

/* Takes the work over. */
static shared_status submit(shared_session *session, struct work *work, uint64_t tag) {
    work->operation.parameters = &work->statement.parameters;
    work->operation.prepare = true;
    if (work->kind == WORK_READ) return session_submit_read(session, work, tag);
    if (work->only_reads && !session_needs_transaction(session))
        return session_submit_alone(session, work, tag);
    return session_submit(session, work, tag);
}

static shared_status refuse(struct work *work, shared_status status) {
    work_free(work);
    return status;
}

static shared_status out_of_memory(void) {
    return fail(SHARED_ENOMEM, "session: out of memory");
}

/* --- by key --------------------------------------------------------------------------------------- */

/* A model whose key is one text; NULL after fail(). */
static const struct model *find_model(int32_t model) {
    const struct model *found = model_find(model);
    if (found && found->table && found->key_count == 1) return found;
    (void)fail(SHARED_EINVALID, "model %d: has no key of one field; use a query", model);
    return NULL;
}

static shared_status check_id(const struct model *model, const char *id) {
    size_t size = id ? strnlen(id, KEY_SIZE_MAX + 1) : 0;
    if (id && size <= KEY_SIZE_MAX && text_is_utf8(id, size)) return SHARED_OK;
    return fail(SHARED_EINVALID, "id of a %s: must be UTF-8 of at most %d bytes", model->name,
                KEY_SIZE_MAX);
}

shared_status shared_session_get(shared_session *session, int32_t model, const char *id,
                                 uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    const struct model *found = find_model(model);
    if (!found) return SHARED_EINVALID;
    status = check_id(found, id);
    if (status < 0) return status;
    struct work *work = read_new(session, true);
    if (!work) return SHARED_ENOMEM;
    work->model = model;
    work->operation.sql = statement_select_by_key(found);
    work->operation.quick = true;
    if (!parameters_set_text(&work->statement.parameters, 0, id, strlen(id)))
        return refuse(work, out_of_memory());
    return submit(session, work, tag);
}

static shared_status check_ids(const struct model *model, const char *const *ids, size_t count) {
    if (count > IDS_MAX) return fail(SHARED_EINVALID, "ids: %zu, at most %d", count, IDS_MAX);
    if (!ids && count) return fail(SHARED_EINVALID, "ids is NULL");
    shared_status status = SHARED_OK;
    for (size_t i = 0; status >= 0 && i < count; i++) status = check_id(model, ids[i]);
    return status;
}

shared_status shared_session_get_many(shared_session *session, int32_t model,
                                      const char *const *ids, size_t count, uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    const struct model *found = find_model(model);
    if (!found) return SHARED_EINVALID;
    status = check_ids(found, ids, count);
    if (status < 0) return status;
    struct work *work = read_new(session, true);
    if (!work) return SHARED_ENOMEM;
    work->model = model;
    struct statement *statement = &work->statement;
    statement_select_by_keys(statement, found);
    bool complete = parameters_set_text_array(&statement->parameters, 0, ids, NULL, count);
    if (!complete || statement->sql.failed) return refuse(work, out_of_memory());
    work->operation.sql = statement->sql.data;
    return submit(session, work, tag);
}

shared_status shared_session_refresh(shared_session *session, shared_record *record, uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    if (!record) return fail(SHARED_EINVALID, "record is NULL");
    const struct model *model = record_model(record);
    if (!model || !model->table)
        return fail(SHARED_EINVALID, "%s has no table", model ? model->name : "a row of raw SQL");
    struct work *work = read_new(session, true);
    if (!work) return SHARED_ENOMEM;
    status = statement_key(&work->statement, record);
    if (status < 0) return refuse(work, status);
    work->operation.sql = statement_select_by_key(model);
    work->operation.quick = true;
    work->record = shared_record_ref(record);
    return submit(session, work, tag);
}

/* --- by a query ----------------------------------------------------------------------------------- */

shared_status shared_session_query(shared_session *session, const shared_query *query,
                                   uint64_t tag) {
    shared_status status = session_check(session);
    if (status < 0) return status;
    if (!query) return fail(SHARED_EINVALID, "query is NULL");
    if (query->autocommit && session_needs_transaction(session))
        return fail(SHARED_EINVALID, "autocommit: a transaction is open, or changes wait");
    struct work *work = query->autocommit ? work_new(session->sessions, WORK_QUERY)
                                          : read_new(session, query_only_reads(query));
    if (!work) return SHARED_ENOMEM;
    status = query_build(query, &work->statement);
    if (status < 0) return refuse(work, status);
    work->model = query_model(query);
    work->operation.sql = work->statement.sql.data;
    if (!query->autocommit) return submit(session, work, tag);
    work->operation.parameters = &work->statement.parameters;
    return session_submit_alone(session, work, tag);
}
