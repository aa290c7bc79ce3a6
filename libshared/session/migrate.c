/* SPDX-License-Identifier: MIT
 * migrate.c - applies migrations: one transaction each, under an advisory lock that is taken before the
 * version is read, so that of many that start at once one works and the others find it done. Never
 * undoes one.
 */
#include "session/migrate.h"

#include <shared/migrate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/pool.h"

enum {
    VERSION_SIZE = 33,  /* varchar(32), as Alembic has it */
    TIMEOUT_MS = 600000 /* a migration may rewrite a large table */
};

/* The steps of one round; the round of the migration behind the last one only finds nothing to do. */
enum step {
    STEP_BEGIN,
    STEP_LOCK,
    STEP_TABLE,
    STEP_READ,
    STEP_MARK,
    STEP_SCRIPT,
    STEP_CHECK,
    STEP_WRITE,
    STEP_COMMIT
};

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS alembic_version (version_num"
    " varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)";

/* The key is ours by its words: 'lexintel' in ASCII. */
static const char *const step_sql[] = {
    [STEP_BEGIN] = "BEGIN",
    [STEP_LOCK] = "SELECT pg_advisory_xact_lock(7810781522964014444)",
    [STEP_TABLE] = create_sql,
    [STEP_READ] = "SELECT coalesce(max(version_num), '') FROM alembic_version",
    [STEP_MARK] = "SET LOCAL lex_intel.migration = 'open'", /* gone with the transaction */
    [STEP_CHECK] = "SELECT current_setting('lex_intel.migration', true)",
    [STEP_WRITE] =
        "WITH gone AS (DELETE FROM alembic_version) INSERT INTO alembic_version VALUES ($1)",
    [STEP_COMMIT] = "COMMIT",
};

struct upgrade {
    struct request *request; /* NULL: its owner has heard the end */
    struct pool *pool;
    struct claim claim;
    struct postgres *postgres;
    struct operation operation;
    enum step step;
    struct migrations migrations;
    char *target;
    char *script;                 /* text of the migration under way */
    struct parameters parameters; /* its number */
    char from[VERSION_SIZE], to[VERSION_SIZE];
    size_t position, end; /* in the list: next, and behind the last wanted */
    int64_t applied;
    bool read; /* from and end are known */
};

static void run_step(struct upgrade *upgrade, enum step step);

/* A script may SET what it likes, for longer than its transaction. */
static void let_go_connection(struct upgrade *upgrade) {
    struct postgres *postgres = upgrade->postgres;
    if (postgres && (upgrade->applied || upgrade->step >= STEP_SCRIPT))
        pool_discard(upgrade->pool, postgres);
    else if (postgres)
        pool_release(upgrade->pool, postgres);
}

static void upgrade_free(struct upgrade *upgrade) {
    let_go_connection(upgrade);
    migrations_finish(&upgrade->migrations);
    parameters_finish(&upgrade->parameters);
    free(upgrade->target);
    free(upgrade->script);
    free(upgrade);
}

static void end_with_json(struct request *request, const char *json) {
    request->event->json = text_copy(json);
    if (request->event->json) {
        request_end(request);
        return;
    }
    (void)fail(SHARED_ENOMEM, "no memory for an answer of %zu bytes", strlen(json));
    request_fail(request, shared_error_last());
}

static void end(struct upgrade *upgrade, const struct shared_error *error) {
    struct request *request = upgrade->request;
    char json[2 * VERSION_SIZE + 32];
    snprintf(json, sizeof json, "{\"from\":\"%s\",\"to\":\"%s\"}", upgrade->from, upgrade->to);
    if (request && error) {
        request_fail(request, error);
    } else if (request) {
        request->event->count = upgrade->applied;
        end_with_json(request, json);
    }
    upgrade_free(upgrade);
}

/* Which file comes next, now that the version is known for sure: false after an end. */
static bool choose(struct upgrade *upgrade, const char *version) {
    shared_status status = migrations_position(&upgrade->migrations, version, &upgrade->position);
    if (status >= 0 && !upgrade->read) {
        snprintf(upgrade->from, sizeof upgrade->from, "%s", version);
        status = migrations_target(&upgrade->migrations, upgrade->position, upgrade->target,
                                   &upgrade->end);
        upgrade->read = status >= 0;
    }
    snprintf(upgrade->to, sizeof upgrade->to, "%s", version);
    free(upgrade->script);
    upgrade->script = NULL;
    if (status >= 0 && upgrade->position < upgrade->end) {
        const struct migration *next = &upgrade->migrations.items[upgrade->position];
        upgrade->script = migration_read(next);
        bool made = upgrade->script && parameters_set_text(&upgrade->parameters, 0, next->number,
                                                           strlen(next->number));
        if (!made) status = SHARED_ENOMEM;
    }
    if (status < 0) end(upgrade, shared_error_last());
    return status >= 0;
}

/* A failed script is named: PostgreSQL's message alone does not say which file. Of a COMMIT without an answer
 * nobody knows. */
static void end_failed(struct upgrade *upgrade, const struct shared_error *error) {
    struct shared_error named = *error;
    bool is_lost = upgrade->step == STEP_COMMIT && upgrade->script && upgrade->operation.sent &&
                   !postgres_is_ready(upgrade->postgres);
    if (is_lost)
        error_set(&named, SHARED_POSTGRES, SHARED_EUNKNOWN, "the answer to its COMMIT was lost: %s",
                  error->message);
    if (upgrade->script && upgrade->step > STEP_MARK) {
        char message[sizeof named.message];
        snprintf(message, sizeof message, "migration %.4s: %.400s",
                 upgrade->migrations.items[upgrade->position].number, named.message);
        memcpy(named.message, message, sizeof message);
    }
    end(upgrade, &named);
}

/* A COMMIT of its own would part the script from its number. */
static void end_unfit(struct upgrade *upgrade) {
    struct shared_error error;
    error_set(&error, SHARED_CALLER, SHARED_EINVALID,
              "it ends the transaction that it runs in; COMMIT and ROLLBACK are not its own");
    end_failed(upgrade, &error);
}

static void on_result(struct operation *operation, struct rows *rows, int64_t touched,
                      const struct shared_error *error) {
    struct upgrade *upgrade =
        (struct upgrade *)((char *)operation - offsetof(struct upgrade, operation));
    (void)touched;
    if (error) {
        end_failed(upgrade, error);
        return;
    }
    size_t size;
    const char *text = rows ? rows->methods->value(rows, 0, 0, &size) : NULL;
    bool has_ended = upgrade->step == STEP_SCRIPT && postgres_transaction(upgrade->postgres) != 'T';
    if (has_ended || (upgrade->step == STEP_CHECK && (!text || strcmp(text, "open") != 0))) {
        end_unfit(upgrade);
        return;
    }
    if (upgrade->step == STEP_READ && !choose(upgrade, text ? text : "")) return;
    if (upgrade->step != STEP_COMMIT) {
        bool done = upgrade->step == STEP_READ && !upgrade->script;
        run_step(upgrade, done ? STEP_COMMIT : upgrade->step + 1);
    } else if (upgrade->script) {
        upgrade->applied++;
        run_step(upgrade, STEP_BEGIN);
    } else {
        end(upgrade, NULL);
    }
}

static void run_step(struct upgrade *upgrade, enum step step) {
    bool script = step == STEP_SCRIPT;
    upgrade->step = step;
    upgrade->operation = (struct operation){
        .sql = script ? upgrade->script : step_sql[step],
        .parameters = step == STEP_WRITE ? &upgrade->parameters : NULL,
        .sync = true,
        .script = script,
        .finish = on_result,
    };
    postgres_send(upgrade->postgres, &upgrade->operation);
}

static void on_claim(struct claim *claim, struct postgres *postgres,
                     const struct shared_error *error) {
    struct upgrade *upgrade = (struct upgrade *)((char *)claim - offsetof(struct upgrade, claim));
    if (error) {
        end(upgrade, error);
        return;
    }
    upgrade->postgres = postgres;
    postgres_set_patience(postgres, 0);
    run_step(upgrade, STEP_BEGIN);
}

/* What runs ends by itself: a statement that is under way is cancelled, and its failure frees all. */
static void cancel(struct request *request, const struct shared_error *why) {
    struct upgrade *upgrade = request->owner;
    upgrade->request = NULL;
    if (upgrade->postgres) {
        postgres_cancel(upgrade->postgres);
    } else {
        pool_forget(upgrade->pool, &upgrade->claim);
        upgrade_free(upgrade);
    }
    request_fail(request, why);
}

static const char *folder_of(const shared_client *client, const char *directory) {
    return directory ? directory : shared_config_get(client_config(client), "LEX_MIGRATIONS_DIR");
}

shared_status shared_migrate_upgrade(shared_client *client, const char *directory,
                                     const char *target, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    if (!target) return fail(SHARED_EINVALID, "target: \"head\", \"+N\" or \"NNNN\" expected");
    struct pool *pool = client_pool(client);
    if (!pool) return shared_error_code(shared_error_last());
    struct upgrade *upgrade = calloc(1, sizeof *upgrade);
    char *copy = strdup(target);
    if (!upgrade || !copy) {
        free(upgrade);
        free(copy);
        return fail(SHARED_ENOMEM, "no memory for a migration");
    }
    upgrade->pool = pool;
    upgrade->target = copy;
    status = migrations_list(folder_of(client, directory), &upgrade->migrations);
    if (status >= 0) upgrade->request = request_new(client, tag, TIMEOUT_MS, cancel, upgrade);
    if (!upgrade->request) {
        upgrade_free(upgrade);
        return shared_error_code(shared_error_last());
    }
    upgrade->request->event->kind = SHARED_EVENT_DONE;
    upgrade->claim.ready = on_claim;
    pool_claim(pool, &upgrade->claim);
    return SHARED_OK;
}

/* --- where the database is ------------------------------------------------------------------------ */

struct look {
    struct request *request;
    struct operation operation;
    struct migrations migrations;
};

static void look_free(struct look *look) {
    migrations_finish(&look->migrations);
    free(look);
}

static void tell(struct look *look, const char *version) {
    struct request *request = look->request;
    size_t position = 0;
    char json[2 * VERSION_SIZE + 32];
    const char *head = look->migrations.items[look->migrations.count - 1].number;
    if (migrations_position(&look->migrations, version, &position) < 0) {
        request_fail(request, shared_error_last());
        return;
    }
    if (*version)
        snprintf(json, sizeof json, "{\"current\":\"%s\",\"head\":\"%s\"}", version, head);
    else
        snprintf(json, sizeof json, "{\"current\":null,\"head\":\"%s\"}", head);
    request->event->count = (int64_t)(look->migrations.count - position);
    end_with_json(request, json);
}

static void on_version(struct operation *operation, struct rows *rows, int64_t touched,
                       const struct shared_error *error) {
    struct look *look = (struct look *)((char *)operation - offsetof(struct look, operation));
    (void)touched;
    size_t size;
    bool missing = error && !strcmp(error->sqlstate, "42P01"); /* no such table: no migration yet */
    const char *version = rows ? rows->methods->value(rows, 0, 0, &size) : "";
    if (look->request && error && !missing)
        request_fail(look->request, error);
    else if (look->request)
        tell(look, version ? version : "");
    look_free(look);
}

static void cancel_look(struct request *request, const struct shared_error *why) {
    ((struct look *)request->owner)->request = NULL; /* on_version frees it */
    request_fail(request, why);
}

shared_status shared_migrate_current(shared_client *client, const char *directory, uint64_t tag) {
    shared_status status = client_check(client);
    if (status < 0) return status;
    struct pool *pool = client_pool(client);
    if (!pool) return shared_error_code(shared_error_last());
    struct look *look = calloc(1, sizeof *look);
    if (!look) return fail(SHARED_ENOMEM, "no memory for a look at the schema");
    status = migrations_list(folder_of(client, directory), &look->migrations);
    int64_t timeout_ms = client_setting(client, "DATABASE_TIMEOUT_MS");
    if (status >= 0) look->request = request_new(client, tag, timeout_ms, cancel_look, look);
    if (!look->request) {
        look_free(look);
        return shared_error_code(shared_error_last());
    }
    look->request->event->kind = SHARED_EVENT_DONE;
    look->operation = (struct operation){
        .sql = step_sql[STEP_READ], .sync = true, .repeatable = true, .finish = on_version};
    pool_read(pool, &look->operation);
    return SHARED_OK;
}
