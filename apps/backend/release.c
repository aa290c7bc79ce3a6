/* SPDX-License-Identifier: MIT
 * release.c - removes files that no document has any more. Under the exclusive lock of a file's name no
 * upload of the same content can be between naming its file and storing its row (keep.c), so what the
 * second statement sees is the truth until this transaction ends. A crash in between leaves a file too
 * many, never one too few. Never touches a row.
 */
#include "release.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "disk.h"

/* In order of the names, so that two of these never wait for each other. */
static const char lock_sql[] =
    "SELECT count(pg_advisory_xact_lock(hashtextextended(path, 0))::text)"
    " FROM (SELECT DISTINCT path FROM unnest($1::text[]) AS path ORDER BY 1) AS p";
/* A path of ours holds the digest, which has an index; one that others made is looked for as it is. */
static const char unwanted_sql[] =
    "SELECT DISTINCT path FROM unnest($1::text[]) AS path WHERE NOT CASE"
    " WHEN path ~ '^[0-9a-f]{2}/[0-9a-f]{64}$'"
    " THEN EXISTS (SELECT FROM documents WHERE sha256 = right(path, 64) AND file_path = path)"
    " ELSE EXISTS (SELECT FROM documents WHERE file_path = path) END";

struct release {
    struct disk_job job; /* first: disk.c gives it back to us */
    struct server *server;
    shared_session *session;
    uint64_t tag;
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
    shared_log_with("backend", SHARED_WARNING, "a file without a document may be left over",
                    "error", shared_error_message(error));
    release_free(release);
}

static bool is_below(const char *path) {
    return path[0] != '/' && !strstr(path, "..");
}

static void work_remove(struct disk_job *job) {
    struct release *release = (struct release *)job;
    for (size_t i = 0; i < release->count; i++)
        if (is_below(release->paths[i])) unlinkat(release->server->upload_fd, release->paths[i], 0);
}

static void removed(struct disk_job *job) {
    release_free((struct release *)job);
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

static shared_status ask(struct release *release, const char *sql, uint64_t tag) {
    shared_query *query = NULL;
    shared_status status = shared_query_new(0, sql, &query);
    if (status >= 0)
        status = shared_query_bind_text_array(query, 1, (const char *const *)release->paths,
                                              release->count);
    if (status >= 0) status = shared_session_query(release->session, query, tag);
    shared_query_free(query);
    return status;
}

void release_files(struct server *server, const char *const *paths, size_t count) {
    if (!count) return;
    struct release *release = calloc(1, sizeof *release + count * sizeof *release->paths);
    if (!release) return;
    open_count++;
    release->server = server;
    for (size_t i = 0; i < count; i++) {
        char *copy = paths[i] && *paths[i] ? strdup(paths[i]) : NULL;
        if (copy) release->paths[release->count++] = copy;
    }
    if (!release->count) {
        release_free(release);
        return;
    }
    shared_status status = shared_session_new(server->client, &release->session);
    if (status >= 0) status = ask(release, lock_sql, 0);
    release->tag = call_start(server, unwanted_known, release);
    if (status >= 0 && release->tag) status = ask(release, unwanted_sql, release->tag);
    if (status >= 0 && release->tag) return;
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
