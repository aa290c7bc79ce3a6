/* SPDX-License-Identifier: MIT
 * copy_in.c - COPY ... FROM STDIN: bytes of the user on their way to the server, bounded by COPY_BYTES_MAX.
 * Never looks into them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "session/query.h"
#include "session/session_private.h"

enum {
    PIECE_BYTES = 64 * 1024, /* given to the connection at a time */
    REASON_SIZE_MAX = 1000
};

/* A write whose request is told when its last byte is with the kernel. */
struct mark {
    struct mark *next;
    struct request *request; /* NULL: nobody waits any more */
    int64_t end;             /* of its bytes, from the first of all */
    int64_t size;
};

/* Shared by the session, until it is ended, and the work, which may outlive the session. */
struct copy_in {
    struct copy copy; /* first */
    int32_t references;
    struct work *work; /* NULL: it was answered, */
    bool failed;       /* and this is how */
    struct shared_error error;
    shared_client *client;
    int64_t timeout_ms;
    struct buffer bytes; /* not with the kernel, but for the first `given` of them */
    size_t given;
    int64_t given_total; /* from the first of all */
    int64_t bytes_max;
    struct mark *first, *last;
    char reason[REASON_SIZE_MAX + 1]; /* why it is to fail */
};

static void unref(struct copy_in *in) {
    if (--in->references) return;
    buffer_finish(&in->bytes);
    free(in);
}

/* --- marks ---------------------------------------------------------------------------------------- */

static void mark_cancel(struct request *request, const struct shared_error *why) {
    struct mark *mark = request->owner;
    mark->request =
        NULL; /* the bytes are on their way: without them the rest would make no sense */
    request_fail(request, why);
}

static void mark_end(struct copy_in *in, const struct shared_error *error) {
    struct mark *mark = in->first;
    struct request *request = mark->request;
    in->first = mark->next;
    if (!in->first) in->last = NULL;
    if (request && error) {
        request_fail(request, error);
    } else if (request) {
        request->event->count = mark->size;
        request_end(request);
    }
    free(mark);
}

static struct mark *mark_new(struct copy_in *in, size_t size, uint64_t tag) {
    struct mark *mark = calloc(1, sizeof *mark);
    if (!mark) {
        (void)fail(SHARED_ENOMEM, "copy: out of memory");
        return NULL;
    }
    mark->size = (int64_t)size;
    mark->request = request_new(in->client, tag, in->timeout_ms, mark_cancel, mark);
    if (mark->request) return mark;
    free(mark);
    return NULL;
}

/* --- for the connection --------------------------------------------------------------------------- */

static const char *next(struct operation *operation, size_t *size) {
    const struct work *work = (const struct work *)operation;
    struct copy_in *in = work->owner;
    while (in->first && in->first->end <= in->given_total) mark_end(in, NULL);
    size_t rest = in->bytes.size - in->given;
    if (work->request) request_set_deadline(work->request, in->copy.ended ? in->timeout_ms : 0);
    if (!rest) {
        buffer_clear(&in->bytes);
        in->given = 0;
        return NULL;
    }
    const char *bytes = in->bytes.data + in->given;
    *size = rest < PIECE_BYTES ? rest : PIECE_BYTES;
    in->given += *size;
    in->given_total += (int64_t)*size;
    return bytes;
}

static void answered(struct work *work, struct rows *rows, int64_t count,
                     const struct shared_error *error) {
    struct copy_in *in = work->owner;
    (void)rows;
    (void)count;
    in->work = NULL;
    in->failed = error != NULL;
    if (error) in->error = *error;
    while (in->first) mark_end(in, error);
}

static void freed(struct work *work) {
    unref(work->owner);
}

/* --- for the session ------------------------------------------------------------------------------ */

bool copy_is_open(const shared_session *session) {
    return session->copy && session->copy->work;
}

static void end(shared_session *session, const char *reason) {
    struct copy_in *in = session->copy;
    SHARED_CHECK(in);
    session->copy = NULL;
    if (reason) {
        (void)snprintf(in->reason, sizeof in->reason, "%s", reason);
        in->copy.error = in->reason;
    }
    in->copy.ended = true;
    if (in->work) postgres_copy_resume(&in->work->operation);
    unref(in);
}

void copy_drop(shared_session *session, const char *why) {
    if (session->copy) end(session, why);
}

static struct copy_in *copy_new(shared_session *session, const char *sql) {
    struct work *work = work_new(session->sessions, WORK_QUERY);
    struct copy_in *in = work ? calloc(1, sizeof *in) : NULL;
    if (in) buffer_add_text(&work->statement.sql, sql);
    if (!in || work->statement.sql.failed) {
        if (work) work_free(work);
        free(in);
        (void)fail(SHARED_ENOMEM, "copy: out of memory");
        return NULL;
    }
    *in = (struct copy_in){.copy = {.in = true, .next = next},
                           .references = 2,
                           .work = work,
                           .client = session->client,
                           .timeout_ms = session->sessions->timeout_ms,
                           .bytes_max = client_setting(session->client, "COPY_BYTES_MAX")};
    work->operation.script = true;
    work->operation.copy = &in->copy;
    work->owner = in;
    work->answered = answered;
    work->freed = freed;
    return in;
}

/* --- requests ------------------------------------------------------------------------------------- */

shared_status shared_session_copy_in(shared_session *session, const char *sql, uint64_t tag) {
    shared_status status = session_check(session);
    if (status >= 0) status = query_check_copy(sql, true);
    if (status >= 0 && copy_is_open(session))
        status = fail(SHARED_EINVALID, "copy: one is open already; end it first");
    if (status < 0) return status;
    copy_drop(session, NULL); /* one that failed */
    struct copy_in *in = copy_new(session, sql);
    if (!in) return SHARED_ENOMEM;
    status = session_submit(session, in->work, tag);
    if (status < 0)
        unref(in);
    else
        session->copy = in;
    return status;
}

/* The one to write to. */
static shared_status check_open(const shared_session *session) {
    const struct copy_in *in = session->copy;
    if (in && in->failed) return fail_with(&in->error);
    if (in && in->work) return SHARED_OK;
    return fail(SHARED_EINVALID, "copy: none is open; shared_session_copy_in begins one");
}

static shared_status check_room(const struct copy_in *in, size_t size) {
    uint64_t waiting = in->bytes.size - in->given, bytes_max = (uint64_t)in->bytes_max;
    if (size > bytes_max)
        return fail(SHARED_EINVALID, "size: %zu bytes at once, at most COPY_BYTES_MAX = %" PRIu64,
                    size, bytes_max);
    if (size <= bytes_max - waiting) return SHARED_OK;
    return fail(SHARED_EBUSY,
                "copy: %" PRIu64
                " bytes wait to be sent, with %zu more above COPY_BYTES_MAX = %" PRIu64,
                waiting, size, bytes_max);
}

static bool keep(struct copy_in *in, const char *bytes, size_t size) {
    struct buffer *kept = &in->bytes;
    if (in->given > kept->size / 2) {
        buffer_consume(kept, in->given);
        in->given = 0;
    }
    if (!buffer_reserve(kept, size)) {
        kept->failed = false; /* what it has is whole */
        (void)fail(SHARED_ENOMEM, "copy: out of memory");
        return false;
    }
    buffer_add(kept, bytes, size);
    return true;
}

shared_status shared_session_copy_write(shared_session *session, const char *bytes, size_t size,
                                        uint64_t tag) {
    shared_status status = session_check(session);
    if (status >= 0) status = check_open(session);
    if (status >= 0 && !bytes && size) status = fail(SHARED_EINVALID, "bytes is NULL");
    if (status >= 0) status = check_room(session->copy, size);
    if (status < 0) return status;
    struct copy_in *in = session->copy;
    struct mark *mark = tag ? mark_new(in, size, tag) : NULL;
    if (tag && !mark) return shared_error_code(shared_error_last());
    if (!keep(in, bytes, size)) {
        if (mark) request_drop(mark->request);
        free(mark);
        return SHARED_ENOMEM;
    }
    if (mark) {
        mark->end = in->given_total + (int64_t)(in->bytes.size - in->given);
        *(in->last ? &in->last->next : &in->first) = mark;
        in->last = mark;
    }
    postgres_copy_resume(&in->work->operation);
    return SHARED_OK;
}

static shared_status check_reason(const char *reason) {
    size_t size = reason ? strnlen(reason, REASON_SIZE_MAX + 1) : 0;
    if (size <= REASON_SIZE_MAX && text_is_utf8(reason ? reason : "", size)) return SHARED_OK;
    return fail(SHARED_EINVALID, "error_message: must be UTF-8 of at most %d bytes",
                REASON_SIZE_MAX);
}

shared_status shared_session_copy_end(shared_session *session, const char *error_message) {
    shared_status status = session_check(session);
    if (status >= 0 && !session->copy) status = check_open(session);
    if (status >= 0) status = check_reason(error_message);
    if (status >= 0) end(session, error_message);
    return status;
}
