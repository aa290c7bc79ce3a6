/* SPDX-License-Identifier: MIT
 * row.c - a document's state from its row: the truth when Redis has lost its log. One read a document at
 * a time, however many listen. Never changes the row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "progress/watch.h"

static const char row_sql[] =
    "SELECT extraction_status, page_count, error,"
    " (extract(epoch FROM updated_at) * 1000000)::bigint,"
    " CASE WHEN extraction_status = 'processing'"
    " THEN (SELECT count(*) FROM document_pages WHERE document_id = $1) ELSE 0 END"
    " FROM documents WHERE id = $1";
enum { COLUMN_STATUS, COLUMN_PAGE_COUNT, COLUMN_ERROR, COLUMN_UPDATED, COLUMN_PAGES_DONE };

/* Belongs to PostgreSQL's connection until it answers, which may be after the topic is gone. */
struct row_reading {
    struct operation operation;
    struct parameters parameters;
    struct topic *topic; /* NULL: gone */
};

bool row_is_final(const struct row *row) {
    return row->status == ROW_COMPLETED || row->status == ROW_FAILED;
}

static enum row_status read_status(const char *text) {
    static const struct {
        const char *text;
        enum row_status status;
    } words[] = {{"pending", ROW_PENDING},
                 {"processing", ROW_PROCESSING},
                 {"completed", ROW_COMPLETED},
                 {"failed", ROW_FAILED}};
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].text) == 0) return words[i].status;
    return ROW_PENDING;
}

static int64_t read_number(const struct rows *rows, int32_t column) {
    size_t size;
    const char *text = rows->methods->value(rows, 0, column, &size);
    int64_t number = 0;
    if (text) text_to_int(text, size, 0, INT64_MAX, &number);
    return number;
}

static void take_row(struct row *row, const struct rows *rows) {
    *row = (struct row){.status = ROW_ABSENT};
    if (!rows || rows->methods->count(rows) == 0) return;
    size_t size;
    row->status = read_status(rows->methods->value(rows, 0, COLUMN_STATUS, &size));
    row->page_count = read_number(rows, COLUMN_PAGE_COUNT);
    row->updated_us = (uint64_t)read_number(rows, COLUMN_UPDATED);
    row->pages_done = read_number(rows, COLUMN_PAGES_DONE);
    const char *error = rows->methods->value(rows, 0, COLUMN_ERROR, &size);
    if (error && size < sizeof row->error) memcpy(row->error, error, size + 1);
}

static void check_row(struct operation *operation, struct rows *rows, int64_t touched,
                      const struct shared_error *error) {
    (void)touched;
    struct row_reading *reading = (struct row_reading *)operation;
    struct topic *topic = reading->topic;
    if (topic) {
        topic->row_reading = NULL;
        if (!error) take_row(&topic->row, rows);
    }
    parameters_finish(&reading->parameters);
    free(reading);
    if (topic) topic_row_read(topic, error);
}

void row_read(struct topic *topic) {
    if (topic->row_reading) return;
    struct pool *pool = client_pool(topic->progress->client);
    struct row_reading *reading = pool ? calloc(1, sizeof *reading) : NULL;
    if (!reading || !parameters_set_text(&reading->parameters, 0, topic->document_id,
                                         strlen(topic->document_id))) {
        struct shared_error error = *shared_error_last();
        if (pool) error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "progress: out of memory");
        if (reading) parameters_finish(&reading->parameters);
        free(reading);
        topic_row_read(topic, &error);
        return;
    }
    reading->topic = topic;
    reading->operation = (struct operation){.sql = row_sql,
                                            .parameters = &reading->parameters,
                                            .prepare = true,
                                            .sync = true,
                                            .repeatable = true,
                                            .quick = true,
                                            .finish = check_row};
    topic->row_reading = reading;
    pool_read(pool, &reading->operation);
}

void row_forget(struct topic *topic) {
    if (topic->row_reading) topic->row_reading->topic = NULL;
    topic->row_reading = NULL;
}

/* --- its state in words --------------------------------------------------------------------------------- */

static void write_processing(struct buffer *out, const struct row *row) {
    int64_t percent = row->page_count > 0 ? row->pages_done * 89 / row->page_count : 0;
    char text[80] = "Reading the document";
    if (row->pages_done > 0 && row->page_count > 0)
        snprintf(text, sizeof text, "Extracted text from page %" PRId64 " of %" PRId64,
                 row->pages_done, row->page_count);
    else if (row->pages_done > 0)
        snprintf(text, sizeof text, "Extracted text from %" PRId64 " pages so far",
                 row->pages_done);
    message_write(out, percent > 89 ? 89 : (int32_t)percent, "extracting", text);
}

struct message *row_message(const struct row *row, bool replayed) {
    struct buffer json = {.data = NULL};
    char text[80] = "The text is extracted";
    if (row->page_count > 0)
        snprintf(text, sizeof text, "Read %" PRId64 " %s", row->page_count,
                 row->page_count == 1 ? "page" : "pages");
    switch (row->status) {
    case ROW_ABSENT:
    case ROW_PENDING: message_write(&json, 0, "starting", "Waiting for a worker"); break;
    case ROW_PROCESSING: write_processing(&json, row); break;
    case ROW_COMPLETED: message_write(&json, 100, "completed", text); break;
    case ROW_FAILED:
        message_write(&json, 100, "failed",
                      *row->error ? row->error : "The text could not be extracted");
        break;
    }
    char id[STREAM_ID_SIZE];
    snprintf(id, sizeof id, "0-%" PRIu64, row->updated_us);
    struct message *message = json.failed ? NULL : message_read(json.data, json.size, id, replayed);
    buffer_finish(&json);
    return message;
}
