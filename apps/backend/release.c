/* SPDX-License-Identifier: MIT
 * release.c - removes files that no document has any more. Under the exclusive lock of a file's name no
 * upload of the same content can be between naming its file and storing its row (keep.c), so what the
 * second statement sees is the truth until this transaction ends. A crash in between leaves a file too
 * many, never one too few. A path may have been written in several ways (beneath.h); here each has the one
 * that can be compared. Never touches a row.
 */
#include "release.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "beneath.h"
#include "calls.h"
#include "disk.h"

/* In order of the names, so that two of these never wait for each other. */
static const char lock_sql[] =
    "SELECT count(pg_advisory_xact_lock(hashtextextended(path, 0))::text)"
    " FROM (SELECT DISTINCT path FROM unnest($1::text[]) AS path ORDER BY 1) AS p";
/* What beneath_name() makes of a path, behind a slash. $2: UPLOAD_DIR and a slash. */
#define NAME_SQL                                                                                   \
    "regexp_replace('/' || CASE WHEN starts_with(file_path, $2)"                                   \
    " THEN substr(file_path, length($2)) ELSE file_path END, '/(\\.?/)+', '/', 'g')"
#define IS_OURS_SQL "path ~ '^[0-9a-f]{2}/[0-9a-f]{64}$'"
/* A path of ours holds the digest, which has an index; for one that others made all rows are read, once. */
static const char unwanted_sql[] =
    "SELECT substr(name, 2) FROM"
    " (SELECT '/' || path AS name FROM unnest($1::text[]) AS path EXCEPT"
    "  (SELECT " NAME_SQL " FROM documents WHERE sha256 IS NOT NULL AND sha256 = ANY"
    "    (ARRAY(SELECT right(path, 64) FROM unnest($1::text[]) AS path WHERE " IS_OURS_SQL "))"
    "   UNION ALL SELECT " NAME_SQL " FROM documents WHERE EXISTS"
    "    (SELECT FROM unnest($1::text[]) AS path WHERE NOT " IS_OURS_SQL "))) AS unwanted";

static const char left_over[] = "a file without a document may be left over";

struct release {
    struct disk_job job; /* first: disk.c gives it back to us */
    struct server *server;
    shared_session *session;
    uint64_t tag;
    int error; /* errno of a file that could not be removed, 0: none */
    size_t count;
    char *paths[];
};

static int open_count;

int releases_open(void) {
    return open_count;
}

static void release_free(struct release *release) {
    if (!release) return;
    shared_session_free(release->session); /* rolls back: nothing was changed but locks */
    for (size_t i = 0; i < release->count; i++) free(release->paths[i]);
    free(release);
    open_count--;
}

static void give_up(struct release *release, const shared_error *error) {
    shared_log_with("backend", SHARED_WARNING, left_over, "error", shared_error_message(error));
    release_free(release);
}

static void work_remove(struct disk_job *job) {
    struct release *release = (struct release *)job;
    const struct server *server = release->server;
    const char *root = server->settings.upload_dir;
    for (size_t i = 0; i < release->count; i++)
        if (beneath_remove(server->upload_fd, root, release->paths[i]) && errno != ENOENT)
            release->error = errno;
}

static void removed(struct disk_job *job) {
    struct release *release = (struct release *)job;
    if (release->error)
        shared_log_with("backend", SHARED_WARNING, left_over, "error", strerror(release->error));
    release_free(release);
}

/* Keeps only the paths that came back: those that no document has. */
static void unwanted_known(void *owner, const shared_event *event) {
    struct release *release = owner;
    release->tag = 0;
    if (shared_event_error(event)) {
        give_up(release, shared_event_error(event));
        return;
    }
    for (size_t i = 0; i < release->count; i++) free(release->paths[i]);
    size_t found = (size_t)shared_event_count(event);
    release->count = 0;
    for (size_t i = 0; i < found; i++) {
        const char *path = shared_record_text(shared_event_record(event, (int64_t)i), 0);
        char *copy = path ? strdup(path) : NULL;
        if (copy) release->paths[release->count++] = copy;
    }
    release->job = (struct disk_job){.work = work_remove, .done = removed};
    if (!release->count || !disk_submit(release->server, &release->job)) release_free(release);
}

/* root NULL: the statement has no second value. */
static shared_status ask(struct release *release, const char *sql, const struct text *root,
                         uint64_t tag) {
    shared_query *query = NULL;
    shared_status status = shared_query_new(0, sql, &query);
    if (status >= 0)
        status = shared_query_bind_text_array(query, 1, (const char *const *)release->paths,
                                              release->count);
    if (status >= 0 && root) status = shared_query_bind_text(query, 2, root->data, root->size);
    if (status >= 0) status = shared_session_query(release->session, query, tag);
    shared_query_free(query);
    return status;
}

static shared_status ask_both(struct release *release) {
    struct text root = {0};
    const char *folder = release->server->settings.upload_dir;
    size_t size = strlen(folder);
    while (size && folder[size - 1] == '/') size--;
    text_add(&root, folder, size);
    text_add_string(&root, "/");
    shared_status status = root.failed ? SHARED_ENOMEM : SHARED_OK;
    if (status >= 0) status = shared_session_new(release->server->client, &release->session);
    if (status >= 0) status = ask(release, lock_sql, NULL, 0);
    if (status >= 0) status = ask(release, unwanted_sql, &root, release->tag);
    text_finish(&root);
    return status;
}

/* Such a path was never served either. */
static void add_path(struct release *release, const char *path) {
    char *name = beneath_name(release->server->settings.upload_dir, path);
    if (name)
        release->paths[release->count++] = name;
    else
        shared_log_with("backend", SHARED_WARNING,
                        "a deleted document's file is not below UPLOAD_DIR", "file_path", path);
}

void release_files(struct server *server, const char *const *paths, size_t count) {
    if (!count) return;
    struct release *release = calloc(1, sizeof *release + count * sizeof *release->paths);
    if (!release) return;
    open_count++;
    release->server = server;
    for (size_t i = 0; i < count; i++)
        if (paths[i] && *paths[i]) add_path(release, paths[i]);
    if (!release->count) {
        release_free(release);
        return;
    }
    release->tag = call_start(server, unwanted_known, release);
    if (release->tag && ask_both(release) >= 0) return;
    call_drop(server, release->tag);
    give_up(release, shared_error_last());
}

bool files_remember(struct request *request, const shared_event *event) {
    size_t count = (size_t)shared_event_count(event);
    request->paths = calloc(count + 1, sizeof *request->paths);
    if (!request->paths) {
        request->session_spoilt = true;
        reply_error(request, 503, "The server is out of memory just now.");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = shared_record_text(shared_event_record(event, (int64_t)i), 0);
        char *copy = path ? strdup(path) : NULL;
        if (copy) request->paths[request->path_count++] = copy;
    }
    return true;
}

void files_release(struct request *request) {
    release_files(request->server, (const char *const *)request->paths, request->path_count);
}

void files_forget(struct request *request) {
    for (size_t i = 0; i < request->path_count; i++) free(request->paths[i]);
    free(request->paths);
    request->paths = NULL;
    request->path_count = 0;
}
