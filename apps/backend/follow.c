/* SPDX-License-Identifier: MIT
 * follow.c - which documents a stream listens to, and how their events are told apart.
 *
 * One document: events carry the library's id, so a reconnect has no gap and no duplicate.
 * Several: a reconnect gets the last state of each document that was not over; the event id says which
 * were (sse_marks). When all are over the stream ends, and a reconnect gets 204.
 * A case: as several, of the documents that are unfinished or have ended lately; new ones are found by a
 * look every two seconds, those uploaded here at once. What has ended is looked through in rounds, in the
 * order of its ends: where there was no room for more, the next look goes on, so however many end at once,
 * each is told. The event id is the moment up to which all was told. It ends by itself only when the case
 * is deleted. Never writes to a socket: stream.c does.
 */
#include "follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

enum {
    POLL_MS = 2000,
    ACTIVE_MAX = 200,   /* unfinished documents of a case listened to; the others' turn comes */
    ENDED_MAX = 50,     /* places more, for those that have only their end to tell */
    ENDED_A_LOOK = 500, /* ends read at a time; the next look goes on behind them */
    KNOWN_MAX = 1000,   /* documents of a case remembered, so that none is told twice */
    ATTEMPT_UNKNOWN = -1,
    OVERLAP_US = 5000000,    /* rows carry the moment their transaction began: look back so far */
    FIRST_LOOK_US = 60000000 /* a first look tells what ended while the page was loading, too */
};

struct case_watch {
    shared_session *session;
    uint64_t tag;
    int64_t poll_ms;
    int64_t since_us;  /* what ended before was told; the database's clock; 0: no look yet */
    int64_t round_us;  /* moment of the round's first look */
    int64_t whole_us;  /* the same of the last round that came to its end; 0: since_us has it */
    int64_t cursor_us; /* how far the round has come: the last end and its document */
    char *cursor_id;   /* NULL: the next look begins a round */
    int32_t telling;   /* documents that were found ended and are not told yet */
    bool found;        /* the case exists */
    char id[];
};

enum { LOOK_MOMENT, LOOK_CASE, LOOK_ID, LOOK_ATTEMPT, LOOK_ENDED };

/* One row without a document when there is none. */
static const char poll_sql[] =
    "WITH moment AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us)"
    " SELECT moment.us, EXISTS (SELECT FROM cases WHERE id = $1), d.id, d.attempt, d.ended_us"
    " FROM moment LEFT JOIN LATERAL"
    " ((SELECT id, attempt, created_at AS at, NULL::bigint AS ended_us FROM documents"
    "   WHERE case_id = $1 AND extraction_status IN ('pending', 'processing')"
    "   ORDER BY created_at, id LIMIT $5::bigint)"
    "  UNION ALL"
    "  (SELECT id, attempt, updated_at, (extract(epoch FROM updated_at) * 1000000)::bigint"
    "   FROM documents WHERE case_id = $1 AND extraction_status IN ('completed', 'failed')"
    "   AND (updated_at, id) > (timestamptz 'epoch' + (CASE WHEN $2::bigint = 0"
    "    THEN moment.us - $4::bigint ELSE $2::bigint END) * interval '1 microsecond', $3::text)"
    "   ORDER BY updated_at, id LIMIT $6::bigint)"
    " ) AS d ON true ORDER BY d.ended_us NULLS FIRST, d.at, d.id";

static void listen_to(struct follow *follow, const char *last_id);

/* --- the list -------------------------------------------------------------------------------------- */

static struct follow *follow_find(const struct stream *stream, const char *id) {
    for (int32_t i = 0; i < stream->count; i++)
        if (!strcmp(stream->follows[i]->id, id)) return stream->follows[i];
    return NULL;
}

static struct follow *follow_new(struct stream *stream, const char *id) {
    if (stream->count == stream->capacity) {
        int32_t capacity = stream->capacity ? stream->capacity * 2 : 1;
        void *more = realloc(stream->follows, (size_t)capacity * sizeof(struct follow *));
        if (!more) return NULL;
        stream->follows = more;
        stream->capacity = capacity;
    }
    size_t size = strlen(id) + 1;
    struct follow *follow = calloc(1, sizeof *follow + size);
    if (!follow) return NULL;
    follow->stream = stream;
    follow->index = stream->count;
    follow->attempt = ATTEMPT_UNKNOWN;
    memcpy(follow->id, id, size);
    stream->follows[stream->count++] = follow;
    return follow;
}

void follow_stop(struct stream *stream) {
    for (int32_t i = 0; i < stream->count; i++) {
        call_cancel(stream->server, stream->follows[i]->tag);
        stream->follows[i]->tag = 0;
    }
    if (stream->of_case) call_forget(stream->server, stream->of_case->tag);
}

void follow_finish(struct stream *stream) {
    for (int32_t i = 0; i < stream->count; i++) {
        free(stream->follows[i]->newest);
        free(stream->follows[i]);
    }
    free(stream->follows);
    if (!stream->of_case) return;
    shared_session_free(stream->of_case->session);
    free(stream->of_case->cursor_id);
    free(stream->of_case);
}

void follow_prepare(struct stream *stream, const char *document_id) {
    if (*document_id && !follow_find(stream, document_id)) follow_new(stream, document_id);
}

void follow_prepare_case(struct stream *stream, const char *case_id) {
    size_t size = strlen(case_id) + 1;
    stream->of_case = calloc(1, sizeof *stream->of_case + size);
    if (!stream->of_case) return; /* told when it begins */
    memcpy(stream->of_case->id, case_id, size);
    int64_t since_us = 0;
    const char *last_id = stream->last_id;
    if (last_id && *last_id == 't' &&
        number_parse(last_id + 1, strlen(last_id + 1), OVERLAP_US, INT64_C(1) << 56, &since_us))
        stream->of_case->since_us = since_us;
}

/* --- events ---------------------------------------------------------------------------------------- */

static const char *event_id(const struct stream *stream, const shared_event *event,
                            char out[SSE_MARKS_TEXT_SIZE]) {
    switch (stream->kind) {
    case STREAM_ONE: return shared_event_id(event);
    case STREAM_MANY: sse_marks_write(&stream->marks, stream->count, out); break;
    case STREAM_CASE:
        snprintf(out, SSE_MARKS_TEXT_SIZE, "t%" PRId64, stream->of_case->since_us);
        break;
    }
    return out;
}

static void tell(struct follow *follow, const shared_event *event, const char *json) {
    struct stream *stream = follow->stream;
    char id[SSE_MARKS_TEXT_SIZE];
    struct text text = {0};
    sse_event(&text, event_id(stream, event, id), json,
              stream->kind == STREAM_ONE ? NULL : follow->id);
    stream_go_live(stream);
    stream_send_event(stream, follow, &text);
}

/* All of its documents are over: nothing more will come. */
static void end_if_over(struct stream *stream) {
    if (stream->gone || stream->active || stream->kind == STREAM_CASE) return;
    if (stream->live)
        stream_end(stream, false);
    else
        stream_answer(stream, 204, "%s", "");
}

static void send_marks(struct stream *stream) {
    char id[SSE_MARKS_TEXT_SIZE];
    char line[SSE_MARKS_TEXT_SIZE + 8];
    sse_marks_write(&stream->marks, stream->count, id);
    int size = snprintf(line, sizeof line, "id: %s\n\n", id);
    stream_send(stream, line, (size_t)size);
}

/* A document of several is not there: an event like that of a failure, for the others go on. */
static void tell_absent(struct follow *follow, const shared_event *event) {
    tell(follow, event,
         "{\"progress\":0,\"step\":\"failed\",\"message\":\"There is no such "
         "document.\",\"final\":true}");
}

static void listen_failed(struct stream *stream, const shared_error *error) {
    if (stream->live)
        stream_end(stream, true); /* the client comes back with its last id */
    else if (shared_error_code(error) == SHARED_ENOTFOUND)
        stream_answer(stream, 404, "There is no document with the id \"%s\".",
                      stream->follows[0]->id);
    else
        stream_answer(stream, 503, "Not just now: %s", shared_error_message(error));
}

/* A round is behind us when all that it found is told. */
static void case_settle(struct case_watch *of_case) {
    if (!of_case->whole_us || of_case->telling) return;
    of_case->since_us = of_case->whole_us;
    of_case->whole_us = 0;
}

static void case_told(struct follow *follow) {
    struct case_watch *of_case = follow->stream->of_case;
    if (follow->found_ended) of_case->telling--;
    follow->found_ended = false;
    case_settle(of_case);
    if (!of_case->telling && of_case->cursor_id) follow_poll(follow->stream);
}

static void follow_over(struct follow *follow, const shared_event *event) {
    struct stream *stream = follow->stream;
    const shared_error *error = shared_event_error(event);
    bool absent = shared_error_code(error) == SHARED_ENOTFOUND;
    follow->tag = 0;
    follow->over = true;
    stream->active--;
    if (error && (stream->kind == STREAM_ONE || !absent)) {
        listen_failed(stream, error);
        return;
    }
    if (absent) tell_absent(follow, event);
    if (stream->kind == STREAM_MANY) {
        sse_marks_set(&stream->marks, follow->index);
        if (stream->live) send_marks(stream);
    }
    if (stream->kind == STREAM_CASE) case_told(follow);
    end_if_over(stream);
}

static void follow_answer(void *owner, const shared_event *event) {
    struct follow *follow = owner;
    if (!shared_event_more(event))
        follow_over(follow, event);
    else if (shared_event_kind(event) == SHARED_EVENT_PROGRESS)
        tell(follow, event, shared_event_json(event));
}

static void listen_to(struct follow *follow, const char *last_id) {
    struct stream *stream = follow->stream;
    shared_client *client = stream->server->client;
    follow->over = false;
    follow->tag = call_start(stream->server, follow_answer, follow);
    shared_status status = SHARED_ENOMEM;
    if (follow->tag) status = shared_progress_subscribe(client, follow->id, last_id, follow->tag);
    if (status >= 0) {
        stream->active++;
        return;
    }
    call_drop(stream->server, follow->tag);
    follow->tag = 0;
    listen_failed(stream, shared_error_last());
}

/* --- a case ---------------------------------------------------------------------------------------- */

/* Room for one more document: the place of one that is over, once all places are taken. */
static struct follow *follow_place(struct stream *stream, const char *id) {
    if (stream->count < KNOWN_MAX) return follow_new(stream, id);
    for (int32_t i = 0; i < stream->count; i++) {
        struct follow *old = stream->follows[i];
        if (old->tag || old->newest) continue;
        struct follow *follow = follow_new(stream, id);
        if (!follow) return NULL;
        stream->follows[--stream->count] = NULL;
        stream->follows[i] = follow;
        follow->index = i;
        free(old);
        return follow;
    }
    return NULL;
}

/* Whether there is nothing to be heard of it that was not told, or is about to be. */
static bool is_told(struct follow *follow, int64_t attempt, bool has_ended) {
    if (follow->tag) return true;
    if (!follow->over || !has_ended) return false;
    if (follow->attempt == ATTEMPT_UNKNOWN)
        follow->attempt = attempt; /* it ended while we listened */
    return follow->attempt == attempt;
}

/* false: there is no room for it. */
static bool take_row(struct stream *stream, const shared_record *row) {
    const char *id = shared_record_text(row, LOOK_ID);
    int64_t attempt = shared_record_int(row, LOOK_ATTEMPT);
    bool has_ended = !shared_record_is_null(row, LOOK_ENDED);
    struct follow *follow = follow_find(stream, id);
    if (follow && is_told(follow, attempt, has_ended)) return true;
    if (stream->active >= ACTIVE_MAX + (has_ended ? ENDED_MAX : 0)) return false;
    if (!follow) follow = follow_place(stream, id);
    if (!follow) return false;
    follow->attempt = has_ended ? attempt : ATTEMPT_UNKNOWN;
    follow->found_ended = has_ended;
    stream->of_case->telling += has_ended;
    listen_to(follow, NULL);
    return true;
}

/* Unfinished ones come first; without room they are left: each look finds them again. */
static void take_rows(struct stream *stream, const shared_event *event) {
    struct case_watch *of_case = stream->of_case;
    const shared_record *last = NULL;
    int64_t ended = 0;
    bool room = true;
    for (int64_t i = 0; i < shared_event_count(event) && room; i++) {
        const shared_record *row = shared_event_record(event, i);
        if (shared_record_is_null(row, LOOK_ID)) continue;
        bool taken = take_row(stream, row);
        if (stream->gone || stream->ending) return;
        if (shared_record_is_null(row, LOOK_ENDED)) continue;
        room = taken;
        if (taken) last = row;
        ended += taken;
    }
    bool whole = room && ended < ENDED_A_LOOK;
    if (whole) of_case->whole_us = of_case->round_us;
    if (!whole) of_case->poll_ms = stream->server->now_ms;
    if (last || whole) {
        free(of_case->cursor_id);
        of_case->cursor_id = whole ? NULL : strdup(shared_record_text(last, LOOK_ID));
        of_case->cursor_us = whole ? 0 : shared_record_int(last, LOOK_ENDED);
    }
    case_settle(of_case);
}

static void polled(void *owner, const shared_event *event) {
    struct stream *stream = owner;
    struct case_watch *of_case = stream->of_case;
    of_case->tag = 0;
    of_case->poll_ms = stream->server->now_ms + POLL_MS;
    if (shared_event_error(event)) return; /* the next look may succeed; viewers stay */
    const shared_record *first = shared_event_record(event, 0);
    if (!shared_record_bool(first, LOOK_CASE)) {
        stream_end(stream, true); /* who comes back is told 404 */
        return;
    }
    int64_t moment_us = shared_record_int(first, LOOK_MOMENT);
    if (!of_case->since_us) of_case->since_us = moment_us - FIRST_LOOK_US + OVERLAP_US;
    if (!of_case->cursor_id) of_case->round_us = moment_us;
    take_rows(stream, event);
}

static shared_status bind_look(shared_query *query, const struct case_watch *of_case) {
    const char *from_id = of_case->cursor_id ? of_case->cursor_id : "";
    int64_t from_us = of_case->since_us ? of_case->since_us - OVERLAP_US : 0;
    if (of_case->cursor_id) from_us = of_case->cursor_us;
    const int64_t numbers[] = {FIRST_LOOK_US, ACTIVE_MAX, ENDED_A_LOOK};
    shared_status status = shared_query_bind_text(query, 1, of_case->id, strlen(of_case->id));
    if (status >= 0) status = shared_query_bind_int(query, 2, from_us);
    if (status >= 0) status = shared_query_bind_text(query, 3, from_id, strlen(from_id));
    for (int32_t i = 0; i < 3 && status >= 0; i++)
        status = shared_query_bind_int(query, 4 + i, numbers[i]);
    return status;
}

static void poll_case(struct stream *stream) {
    struct case_watch *of_case = stream->of_case;
    shared_query *query = NULL;
    shared_status status = shared_query_new(0, poll_sql, &query);
    if (status >= 0) status = bind_look(query, of_case);
    if (status >= 0) status = shared_query_read_only(query);
    of_case->tag = call_start(stream->server, polled, stream);
    if (status >= 0 && of_case->tag)
        status = shared_session_query(of_case->session, query, of_case->tag);
    shared_query_free(query);
    if (status >= 0 && of_case->tag) return;
    call_drop(stream->server, of_case->tag);
    of_case->tag = 0;
    of_case->poll_ms = stream->server->now_ms + POLL_MS;
}

static void case_known(void *owner, const shared_event *event) {
    struct stream *stream = owner;
    stream->of_case->tag = 0;
    if (shared_event_error(event)) {
        stream_answer(stream, 503, "Not just now: %s",
                      shared_error_message(shared_event_error(event)));
    } else if (!shared_event_count(event)) {
        stream_answer(stream, 404, "There is no case with the id \"%s\".", stream->of_case->id);
    } else {
        stream->of_case->found = true;
        stream_go_live(stream);
        if (!stream->gone) poll_case(stream);
    }
}

static void begin_case(struct stream *stream) {
    struct case_watch *of_case = stream->of_case;
    shared_status status = SHARED_ENOMEM;
    if (of_case) status = shared_session_new(stream->server->client, &of_case->session);
    if (status >= 0) of_case->tag = call_start(stream->server, case_known, stream);
    if (status >= 0 && of_case->tag)
        status = shared_session_get(of_case->session, SHARED_CASE, of_case->id, of_case->tag);
    if (status >= 0 && of_case->tag) return;
    if (of_case) call_drop(stream->server, of_case->tag);
    if (of_case) of_case->tag = 0;
    stream_answer(stream, 503, "Not just now: %s", shared_error_message(shared_error_last()));
}

void follow_poll(struct stream *stream) {
    struct case_watch *of_case = stream->of_case;
    bool due = of_case->found && !of_case->tag && stream->server->now_ms >= of_case->poll_ms;
    if (due && !stream->ending) poll_case(stream);
}

void follow_add(struct stream *stream, const char *document_id) {
    if (!stream->of_case->found || stream->ending || stream->active >= ACTIVE_MAX) return;
    struct follow *follow = follow_find(stream, document_id);
    if (follow && follow->tag) return;
    if (!follow) follow = follow_place(stream, document_id);
    if (!follow) return;
    follow->attempt = ATTEMPT_UNKNOWN;
    listen_to(follow, NULL);
}

bool follow_is_case(const struct stream *stream, const char *case_id) {
    return stream->of_case && !strcmp(stream->of_case->id, case_id);
}

/* --- begin ----------------------------------------------------------------------------------------- */

void follow_begin(struct stream *stream) {
    if (stream->kind == STREAM_CASE) {
        begin_case(stream);
        return;
    }
    if (stream->kind == STREAM_MANY) sse_marks_read(&stream->marks, stream->last_id);
    const char *last_id = stream->kind == STREAM_ONE ? stream->last_id : NULL;
    for (int32_t i = 0; i < stream->count && !stream->gone; i++) {
        struct follow *follow = stream->follows[i];
        follow->over = stream->kind == STREAM_MANY && sse_marks_has(&stream->marks, i);
        if (!follow->over) listen_to(follow, last_id);
    }
    end_if_over(stream);
}
