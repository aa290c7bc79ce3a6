/* SPDX-License-Identifier: MIT
 * world.h - what stands in one run: processes, servers, and what must hold. world.c makes it from the seed,
 * faults.c disturbs it, check.c judges it.
 */
#ifndef WORLD_H
#define WORLD_H

#include "chunk.h"
#include "keyspace.h"
#include "link.h"
#include "process.h"

enum {
    PROCESSES_MAX = 12,
    DOCUMENTS_MAX = 8,
    NOTES_MAX = 12,
    PAGES_MAX = 5,
    SCRIPTS_MAX = 32,
    RESULTS_MAX = 512
};

/* A document as the world knows it before anybody has read it. */
struct original {
    char id[16];
    int32_t pages;
    int32_t deadly_page; /* 0: none; reading it ends the reader each time */
    bool damaged;
    int64_t wanted_us;
    char seen_id[64]; /* what its viewer heard last */
    bool seen_final, seen_end;
    bool committed; /* its producer was told so, or found it */
    bool deleted;
};

/* A task without a row: nothing but outbox and queue keep it. */
struct note {
    char key[16];
    int64_t wanted_us;
    bool committed;
    bool succeeded;
    bool set_aside; /* too many who had it died: the queue's way to end a task that kills */
    bool returned;  /* once it was not ended but given back */
    int32_t runs, running, acknowledged, sends;
};

/* What was told of a task. */
struct result {
    char id[40], about[16]; /* a document, or "" */
    int32_t sends, ends;    /* of its message; told that they ended it */
};

struct world {
    uint64_t seed;
    int32_t process_number; /* of the next one */
    struct process processes[PROCESSES_MAX];
    int32_t process_count;
    struct original originals[DOCUMENTS_MAX];
    int32_t original_count;
    struct note notes[NOTES_MAX];
    int32_t note_count;
    struct result results[RESULTS_MAX];
    int32_t result_count;
    int64_t redis_off_us;       /* its clock */
    bool disturbed, redis_lost; /* anything may go wrong; Redis forgot something */
    bool clocks_apart;          /* a clock was set: what was written by it may be for later */
    int32_t faults;
    bool steady;          /* turns.h: nothing is late by chance */
    bool meddled;         /* a user deleted a document, or had it read again */
    int32_t leases_ended; /* by a sweep */
};
extern struct world world;
/* Scripts that the library ran, of all runs. */
extern const struct script *world_scripts[SCRIPTS_MAX];
extern int32_t world_script_count;

/* Settings of every process; queue: QUEUE_NAME. */
const shared_config *world_config(const char *queue);
struct world_result {
    uint64_t trace_hash;
    int64_t end_us;
    int32_t faults;
};
struct world_result world_run(uint64_t seed);
void world_finish(void);
/* Parts of a run, for turns.c. */
void world_add(const struct process_kind *kind, int64_t count);
bool world_step(int64_t until_us); /* false: nothing happens until then */
void world_run_until(int64_t until_us);
void world_converge(void);

struct original *original_find(const char *id);
struct note *note_find(const char *key);
struct result *world_result_of(const char *task_id);
const char *original_page(const struct original *original, int64_t page);
/* Of one chunk; those of a document are added up. */
uint64_t chunk_hash(int64_t index, const char *content, size_t size);
extern const struct chunk_rules world_chunk_rules;

/* --- seams tell ------------------------------------------------------------------------------------------ */
void world_saw_command(struct process *process, const char *script, const struct text *words,
                       int32_t count, const struct reply *reply);
void world_saw_script(const struct script *script);

/* --- servers --------------------------------------------------------------------------------------------- */
extern struct server redis_server, database_server;
struct store *redis_store(void);
void redis_begin(void);
void database_begin(void);

/* --- faults.c, check.c ------------------------------------------------------------------------------------ */
void faults_begin(int64_t horizon_us);
void faults_end(void); /* everything stands again, and the clocks are right */
/* NULL: all is done and nothing is left over; else what is missing. */
const char *check_converged(void);
void check_result(const char *id, const char *meta);
/* At the end, beyond that. */
void check_effects(void);

#endif
