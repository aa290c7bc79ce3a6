/* SPDX-License-Identifier: MIT
 * keep.c - makes an uploaded file a document: bytes to a temporary file while they come; then fsync, the
 * final name (its digest), and one transaction with the row and the task. Never overwrites a different
 * file: the name is the content.
 *
 * Two documents may share a file, and a delete removes a file with its last document (release.c). So
 * the final name is given under a shared advisory lock of that name, held until the row is committed;
 * a delete takes the same lock exclusively before it looks whether the file is still wanted.
 */
#include "keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "release.h"
#include "stream.h"

enum { SWEEP_AGE_S = 600 };
static const char task_name[] = "extract_text_from_document";
static const char lock_sql[] = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))";

/* --- the temporary file ---------------------------------------------------------------------------- */

static void answer_disk(struct request *request, const char *what, int error) {
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    shared_log_with("backend", SHARED_ERROR, what, "error", strerror(error));
    if (full)
        reply_error(request, 507, "The server has no room left for files.");
    else
        reply_error(request, 500, "The server cannot store files; its log says why.");
}

bool keep_open(struct upload *upload) {
    struct request *request = upload->request;
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != sizeof random) return false;
    snprintf(upload->temp, sizeof upload->temp, "tmp/%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    upload->server = request->server;
    upload->fd = openat(request->server->upload_fd, upload->temp,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        upload->temp[0] = '\0';
        answer_disk(request, "an upload's file cannot be made", errno);
        return false;
    }
    upload->digest = EVP_MD_CTX_new();
    if (upload->digest && EVP_DigestInit_ex(upload->digest, EVP_sha256(), NULL)) return true;
    reply_error(request, 503, "The server is out of memory just now.");
    return false;
}

bool keep_write(struct upload *upload, const char *bytes, size_t size) {
    upload->size += size;
    EVP_DigestUpdate(upload->digest, bytes, size);
    while (size) {
        ssize_t written = write(upload->fd, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            answer_disk(upload->request, "an upload cannot be written", errno);
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

void keep_forget(struct upload *upload) {
    if (upload->fd >= 0) close(upload->fd);
    upload->fd = -1;
    if (*upload->temp) unlinkat(upload->server->upload_fd, upload->temp, 0);
    upload->temp[0] = '\0';
    EVP_MD_CTX_free(upload->digest);
    upload->digest = NULL;
}

static void name_by_digest(struct upload *upload) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestFinal_ex(upload->digest, digest, NULL);
    char *out = upload->path + 3;
    for (int i = 0; i < 32; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
    memcpy(upload->path, upload->path + 3, 2);
    upload->path[2] = '/';
}

/* --- on the helper thread -------------------------------------------------------------------------- */

static void work_sync(struct disk_job *job) {
    struct upload *upload = (struct upload *)((char *)job - offsetof(struct upload, job));
    upload->error = fdatasync(upload->fd) ? errno : 0;
}

static int sync_folder(int parent, const char *name) {
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = folder < 0 || fsync(folder) ? errno : 0;
    if (folder >= 0) close(folder);
    return error;
}

static void work_rename(struct disk_job *job) {
    struct upload *upload = (struct upload *)((char *)job - offsetof(struct upload, job));
    int uploads = upload->server->upload_fd;
    char folder[3] = {upload->path[0], upload->path[1], '\0'};
    bool made = !mkdirat(uploads, folder, 0700);
    upload->error = made || errno == EEXIST ? 0 : errno;
    if (!upload->error && renameat(uploads, upload->temp, uploads, upload->path))
        upload->error = errno;
    if (upload->error) return;
    upload->temp[0] = '\0';
    upload->error = sync_folder(uploads, folder);
    if (!upload->error && made) upload->error = sync_folder(uploads, ".");
}

/* --- the steps ------------------------------------------------------------------------------------- */

/* Gives the job to the disk; done comes back on the loop's thread. */
static void at_disk(struct request *request, void (*work)(struct disk_job *job),
                    void (*done)(struct disk_job *job)) {
    struct upload *upload = request->upload;
    upload->job = (struct disk_job){.work = work, .done = done};
    upload->at_disk = disk_submit(request->server, &upload->job);
    if (!upload->at_disk) reply_error(request, 503, "The server cannot start a thread just now.");
}

/* The upload when it is back from the disk and its request still waits; else NULL: all is done. */
static struct upload *back_from_disk(struct disk_job *job) {
    struct upload *upload = (struct upload *)((char *)job - offsetof(struct upload, job));
    upload->at_disk = false;
    if (!upload->request) {
        upload_free(upload);
        return NULL;
    }
    if (!upload->error) return upload;
    answer_disk(upload->request, "an upload cannot be stored", upload->error);
    request_resume(upload->request);
    return NULL;
}

static void show_document(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    shared_record *document = shared_event_record(event, 0);
    if (!document) { /* deleted again since our commit */
        reply_error(request, 404, "It is not there any more.");
        return;
    }
    const char *id = shared_record_text(document, SHARED_DOCUMENT_ID);
    reply_location(request, "/documents/", id);
    reply_record(request, 201, document);
    stream_document_added(request->server, shared_record_text(document, SHARED_DOCUMENT_CASE_ID),
                          id);
}

/* A name that is taken, or a case that is not there; else what the library says. */
static void answer_commit(struct request *request, const shared_error *error) {
    const char *sqlstate = shared_error_sqlstate(error);
    struct upload *upload = request->upload;
    if (!strcmp(sqlstate, "23505"))
        reply_error(request, 409, "There is already a document with the id \"%s\".",
                    upload->id.data);
    else if (!strcmp(sqlstate, "23503") && request->id)
        reply_absent(request, "case", request->id);
    else if (!strcmp(sqlstate, "23503"))
        reply_field(request, "body", "case_id", "value_error",
                    "There is no case with the id \"%s\".", upload->case_id.data);
    else
        reply_library(request, error);
    release_files(request->server, &(const char *){upload->path}, 1);
}

static void document_stored(struct request *request, const shared_event *event) {
    if (shared_event_error(event)) {
        answer_commit(request, shared_event_error(event));
        return;
    }
    request->session_spoilt = false;
    metrics_add(request->server, METRIC_UPLOADS, 1);
    metrics_add(request->server, METRIC_UPLOAD_BYTES, request->upload->size);
    const char *id = shared_record_text(request->record, SHARED_DOCUMENT_ID);
    uint64_t tag = request_wait(request, show_document);
    if (tag) request_asked(request, shared_session_get(request->session, SHARED_DOCUMENT, id, tag));
}

static shared_status fill_record(const struct request *request, shared_record *record) {
    const struct upload *upload = request->upload;
    const char *case_id = request->id ? request->id : upload->case_id.data;
    const struct {
        int32_t field;
        const char *text;
    } texts[] = {
        {SHARED_DOCUMENT_ID, upload->id.data},
        {SHARED_DOCUMENT_CASE_ID, case_id},
        {SHARED_DOCUMENT_FILE_NAME, upload->file_name},
        {SHARED_DOCUMENT_CONTENT_TYPE, upload->content_type},
        {SHARED_DOCUMENT_SHA256, upload->path + 3},
        {SHARED_DOCUMENT_FILE_PATH, upload->path},
    };
    shared_status status =
        shared_record_set_int(record, SHARED_DOCUMENT_BYTE_SIZE, (int64_t)upload->size);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status >= 0; i++) {
        const char *text = texts[i].text;
        if (text && *text)
            status = shared_record_set_text(record, texts[i].field, text, strlen(text));
    }
    return status;
}

/* [{"document_id":"..."}], keyed by the document, so that the reconciler can ask for it. */
static shared_status enqueue(shared_session *session, const char *id) {
    struct text arguments = {0};
    text_add_string(&arguments, "[{\"document_id\":");
    text_add_json(&arguments, id, strlen(id));
    text_add_string(&arguments, "}]");
    shared_status status = SHARED_ENOMEM;
    if (!arguments.failed) status = shared_session_enqueue(session, task_name, arguments.data, id);
    text_finish(&arguments);
    return status;
}

static void file_named(struct disk_job *job) {
    struct upload *upload = back_from_disk(job);
    if (!upload) return;
    struct request *request = upload->request;
    shared_status status = shared_record_new(SHARED_DOCUMENT, &request->record);
    if (status >= 0) status = fill_record(request, request->record);
    if (status >= 0) status = shared_session_add(request->session, request->record);
    if (status >= 0)
        status = enqueue(request->session, shared_record_text(request->record, SHARED_DOCUMENT_ID));
    uint64_t tag = request_wait(request, document_stored);
    if (tag && status >= 0) status = shared_session_commit(request->session, tag);
    if (tag && !request_asked(request, status))
        release_files(request->server, &(const char *){upload->path}, 1);
    request_resume(request);
}

static void name_locked(struct request *request, const shared_event *event) {
    if (!request_failed(request, event)) at_disk(request, work_rename, file_named);
}

static void file_synced(struct disk_job *job) {
    struct upload *upload = back_from_disk(job);
    if (!upload) return;
    shared_query *query = NULL;
    if (shared_query_new(0, lock_sql, &query) >= 0 &&
        shared_query_bind_text(query, 1, upload->path, strlen(upload->path)) < 0) {
        shared_query_free(query);
        query = NULL;
    }
    /* From here on it is in a transaction: whatever ends the request ends that, too. */
    upload->request->session_spoilt = true;
    request_query(upload->request, query, name_locked);
    request_resume(upload->request);
}

void keep_document(struct request *request) {
    name_by_digest(request->upload);
    at_disk(request, work_sync, file_synced);
}

/* --- the folder ------------------------------------------------------------------------------------ */

int upload_open_folder(const char *path) {
    if (mkdir(path, 0700) && errno != EEXIST)
        shared_log_with("backend", SHARED_ERROR, strerror(errno), "UPLOAD_DIR", path);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool usable = folder >= 0 && (!mkdirat(folder, "tmp", 0700) || errno == EEXIST) &&
                  !faccessat(folder, "tmp", W_OK | X_OK, 0);
    if (usable) return folder;
    shared_log_with("backend", SHARED_ERROR, strerror(errno), "UPLOAD_DIR", path);
    if (folder >= 0) close(folder);
    return -1;
}

void upload_sweep(struct server *server) {
    int fd = openat(server->upload_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat status;
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
            continue;
        if (status.st_mtime < time(NULL) - SWEEP_AGE_S) unlinkat(fd, entry->d_name, 0);
    }
    closedir(folder);
}
