/* SPDX-License-Identifier: MIT
 * database.h - documents and task_outbox as PostgreSQL keeps them: transactions at READ COMMITTED with row locks,
 * for exactly the statements that the library and the worker send. Knows no connection.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include "model/statement.h"
#include "sim.h"
#include "world.h"

enum { OUTBOX_MAX = 512, STATUS_SIZE = 16, CODE_SIZE = 32, WRITERS_MAX = 64 };

struct document_state {
    bool exists;
    char status[STATUS_SIZE], error_code[CODE_SIZE];
    int64_t attempt, updated_us, page_count, pages_failed;
    int64_t page_attempts[PAGES_MAX + 1]; /* which run wrote it; 0: it is not there */
    bool page_bad[PAGES_MAX + 1];
    int64_t chunk_count;
    uint64_t chunk_hash;
    int32_t publications; /* how often a run made it completed */
    int32_t holder;       /* the process that claimed it last, + 1; 0: its run was called off */
};

struct transaction {
    bool open, failed, is_explicit;
    int64_t now_us; /* of now() */
    int32_t process_number;
    /* A statement that has to wait goes on seeing what was there when it began. */
    bool has_snapshot;
    struct document_state snapshot;
};

struct document {
    bool was_failed; /* a commit said so; another copy of its task may have begun it again */
    struct document_state committed, changed;
    struct transaction *owner;    /* has it locked, and sees `changed` */
    int32_t writers[WRITERS_MAX]; /* which process wrote with an attempt, + 1 */
};

struct outbox {
    char id[40];
    const char *queue, *task, *args_json, *key;
    int64_t created_us;
    struct transaction *inserting, *deleting;
    bool gone;
};

struct database {
    struct document documents[DOCUMENTS_MAX]; /* in the order of world.originals */
    struct outbox outbox[OUTBOX_MAX];
    int32_t outbox_count;
};
extern struct database database;

/* What a statement answers. */
struct answer {
    bool blocked;                   /* a row is locked: ask again */
    const char *sqlstate, *message; /* NULL: it went well */
    int64_t touched;
    struct rows *rows;
};
struct answer statement_run(struct transaction *transaction, const char *sql,
                            const struct parameters *parameters);
void transaction_begin(struct transaction *transaction);
void transaction_end(struct transaction *transaction, bool commit);

/* rows.c: answers with rows, and lists among parameters. */
struct rows *rows_new(int32_t columns, int64_t count_max);
void rows_add(struct rows *rows, const char *const *values);
int32_t array_texts(const struct parameters *parameters, int32_t index, const char **out,
                    int32_t most);
int32_t array_ints(const struct parameters *parameters, int32_t index, int64_t *out, int32_t most);
int64_t parameter_int(const struct parameters *parameters, int32_t index);

/* One statement and its answer. It is known by its whole text: one that was changed has to be learnt. */
struct known {
    const char *start; /* how it begins */
    uint64_t hash;     /* of the whole; 0: it differs from time to time */
    void (*run)(struct transaction *transaction, const struct parameters *parameters,
                struct answer *out);
};
extern const struct known document_statements[], outbox_statements[];
/* Of the statement under way. */
extern const char *statement_sql;

struct document *document_of(const char *id);
/* As this transaction sees it. */
struct document_state *document_see(struct transaction *transaction, struct document *document);
/* Locked until the transaction ends. NULL and out->blocked: another one has it. */
struct document_state *document_lock(struct transaction *transaction, struct document *document,
                                     struct answer *out);
int32_t outbox_left(void);

#endif
