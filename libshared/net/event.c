/* SPDX-License-Identifier: MIT
 * event.c - the queue of events, what an event answers when it is asked, and how it is used again.
 * Never makes up an event: request.c does.
 */
#include <shared/event.h>
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "net/client_private.h"

/* Events kept for reuse; a burst above that is given back to the system. */
enum { SPARE_MAX = 1024 };
/* Records of a long answer that one turn lets go: a hundred thousand at once would hold up the loop for 10 ms. */
enum { RECORDS_A_TURN = 1024 };

/* Records of an answer that nobody has any more. */
struct remains {
    struct deferred turn; /* first */
    shared_client *client;
    struct remains *next;
    shared_record **records;
    int64_t count;
};

struct shared_event *event_new(shared_client *client) {
    struct shared_event *event = client->spare_events;
    if (!event) return calloc(1, sizeof *event);
    client->spare_events = event->next;
    client->spare_count--;
    event->next = NULL;
    return event;
}

static void records_free(shared_record **records, int64_t first, int64_t end) {
    for (int64_t i = first; i < end; i++) shared_record_unref(records[i]);
}

static void remains_free(shared_client *client, struct remains *remains) {
    struct remains **link = &client->remains;
    while (*link != remains) link = &(*link)->next;
    *link = remains->next;
    client_defer_stop(client, &remains->turn);
    records_free(remains->records, 0, remains->count);
    free(remains->records);
    free(remains);
}

static void remains_turn(struct deferred *turn) {
    struct remains *remains = (struct remains *)turn;
    if (remains->count <= RECORDS_A_TURN) {
        remains_free(remains->client, remains);
        return;
    }
    records_free(remains->records, remains->count - RECORDS_A_TURN, remains->count);
    remains->count -= RECORDS_A_TURN;
    client_defer(remains->client, turn, remains_turn);
}

/* Without memory, and at the end of the client, all of them at once. */
static void records_leave(shared_client *client, struct shared_event *event) {
    struct remains *remains =
        event->count > RECORDS_A_TURN && !client->ending ? calloc(1, sizeof *remains) : NULL;
    if (!remains) {
        records_free(event->records, 0, event->count);
        free(event->records);
        return;
    }
    remains->client = client;
    remains->records = event->records;
    remains->count = event->count;
    remains->next = client->remains;
    client->remains = remains;
    client_defer(client, &remains->turn, remains_turn);
}

static void event_finish(shared_client *client, struct shared_event *event) {
    if (event->records) records_leave(client, event);
    rows_unref(event->rows);
    free(event->json);
    free(event->data);
    free(event->document);
    if (event->task && event->task_unref) event->task_unref(event->task);
    request_error_free(event->error);
}

void event_recycle(shared_client *client, struct shared_event *event) {
    event_finish(client, event);
    if (client->ending || client->spare_count >= SPARE_MAX) {
        free(event);
        return;
    }
    *event = (struct shared_event){.next = client->spare_events};
    client->spare_events = event;
    client->spare_count++;
}

void event_push(shared_client *client, struct shared_event *event) {
    if (client->last_event)
        client->last_event->next = event;
    else
        client->first_event = event;
    client->last_event = event;
    client->event_count++;
    event->request->waiting++;
    event->request->newest = event;
    if (!client->turning) client_signal(client);
}

void event_take(shared_client *client, struct shared_event *previous, struct shared_event *event) {
    struct shared_event *held = client->taken;
    if (previous)
        previous->next = event->next;
    else
        client->first_event = event->next;
    if (client->last_event == event) client->last_event = previous;
    client->event_count--;
    event->next = NULL;
    client->taken = event;

    struct request *request = event->request;
    event->request = NULL;
    request->waiting--;
    if (request->newest == event) request->newest = NULL;
    if (!event->more)
        request_release(request);
    else if (request->taken && !request->ended)
        request->taken(request);
    if (held) event_recycle(client, held); /* last: giving back a task may start new work */
}

void events_drop(shared_client *client) {
    while (client->first_event) event_take(client, NULL, client->first_event);
    struct shared_event *held = client->taken;
    client->taken = NULL;
    if (held) event_recycle(client, held);
}

void events_free(shared_client *client) {
    while (client->remains) remains_free(client, client->remains);
    while (client->spare_events) {
        struct shared_event *event = client->spare_events;
        client->spare_events = event->next;
        free(event);
    }
}

int32_t client_events_waiting(const shared_client *client, uint64_t tag) {
    const struct request *request = request_find(client, tag);
    return request ? request->waiting : 0;
}

struct shared_event *client_event_last(const shared_client *client, uint64_t tag) {
    const struct request *request = request_find(client, tag);
    return request ? request->newest : NULL;
}

struct shared_event *client_event_of_document(const shared_client *client, uint64_t tag,
                                              const char *document) {
    struct shared_event *found = NULL;
    for (struct shared_event *event = client->first_event; event; event = event->next)
        if (event->tag == tag && event->document && strcmp(event->document, document) == 0)
            found = event;
    return found;
}

/* --- what an event answers ------------------------------------------------------------------------ */
int32_t shared_event_kind(const shared_event *event) {
    return event ? event->kind : 0;
}

const char *shared_event_document(const shared_event *event) {
    return event && event->document ? event->document : "";
}

uint64_t shared_event_tag(const shared_event *event) {
    return event ? event->tag : 0;
}

int32_t shared_event_more(const shared_event *event) {
    return event ? event->more : 0;
}

int64_t shared_event_count(const shared_event *event) {
    return event ? event->count : 0;
}

static void take_member(shared_record *record, const struct field *field, int32_t number,
                        const char *json, size_t size) {
    int64_t value;
    if (field->type == FIELD_INT32 || field->type == FIELD_INT64) {
        if (json_member_int(json, size, field->name, &value))
            (void)record_set_int(record, number, value);
        return;
    }
    char *text = json_member_text(json, size, field->name);
    if (text) (void)record_set_text(record, number, text, strlen(text));
    free(text);
}

/* JSON as a record of its shape; what it does not say is null. NULL without memory. */
static shared_record *make_shape(int32_t model, const char *json) {
    const struct model *shape = model_find(model);
    size_t size = strlen(json);
    shared_record *record = NULL;
    if (record_make(model, &record) < 0) return NULL;
    for (int32_t i = 0; i < shape->count; i++)
        take_member(record, &shape->fields[i], shared_record_field(record, i), json, size);
    return record;
}

/* The shape of an event's JSON; 0: it has none. */
static int32_t shape_of(const struct shared_event *event) {
    if (!event->json) return 0;
    if (event->kind == SHARED_EVENT_PROGRESS) return SHARED_PROGRESS;
    return event->kind == SHARED_EVENT_LOG ? SHARED_LOG_LINE : 0;
}

/* Of a row, or of the JSON of a shape. */
static shared_record *make_record(const struct shared_event *event, int64_t index) {
    return event->rows ? record_from_row(event->model, event->rows, index)
                       : make_shape(shape_of(event), event->json);
}

/* Records are made when asked for: who only counts rows pays for none. */
shared_record *shared_event_record(const shared_event *event, int64_t index) {
    if (!event || (!event->rows && !shape_of(event))) return NULL;
    if (index < 0 || index >= event->count) return NULL;
    struct shared_event *inside =
        (struct shared_event *)(uintptr_t)event; /* a cache, not a change */
    if (!inside->records) {
        inside->records = calloc((size_t)event->count, sizeof(shared_record *));
        if (!inside->records) return NULL;
    }
    if (!inside->records[index]) inside->records[index] = make_record(event, index);
    return inside->records[index];
}

int32_t shared_event_columns(const shared_event *event) {
    return event && event->rows ? event->rows->methods->columns(event->rows) : 0;
}

const char *shared_event_column_name(const shared_event *event, int32_t index) {
    if (index < 0 || index >= shared_event_columns(event)) return "";
    return event->rows->methods->name(event->rows, index);
}

int64_t shared_event_column_type(const shared_event *event, int32_t index) {
    if (index < 0 || index >= shared_event_columns(event)) return 0;
    return event->rows->methods->type ? event->rows->methods->type(event->rows, index) : 0;
}

const char *shared_event_id(const shared_event *event) {
    return event ? event->id : "";
}

const char *shared_event_json(const shared_event *event) {
    return event && event->json ? event->json : "";
}

const char *shared_event_data(const shared_event *event, size_t *size) {
    bool has = event && event->data;
    if (size) *size = has ? (size_t)event->count : 0;
    return has ? event->data : "";
}

shared_task *shared_event_task(const shared_event *event) {
    return event ? event->task : NULL;
}

const shared_error *shared_event_error(const shared_event *event) {
    return event ? event->error : NULL;
}
