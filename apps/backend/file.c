/* SPDX-License-Identifier: MIT
 * file.c - a document's file as it was uploaded. Opened beneath UPLOAD_DIR only, never through a link,
 * and never shown by the browser as part of this site.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "handlers.h"
#include "name.h"
#include "range.h"

/* Whatever is in it, it may do nothing if a browser shows it after all. */
static const char policy[] = "sandbox; default-src 'none'; frame-ancestors 'none'";

/* The client's word for the type is shown only where it can do no harm. */
static const char *safe_type(const char *type) {
    static const char *const types[] = {"application/pdf", "text/plain", "image/png", "image/jpeg",
                                        "image/tiff"};
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i])) return i == 1 ? "text/plain; charset=utf-8" : types[i];
    return "application/octet-stream";
}

static struct range choose_range(const struct request *request, const char *etag, uint64_t size) {
    const char *if_range = request_header(request, "If-Range");
    bool stale = if_range && strcmp(if_range, etag) != 0;
    return range_parse(stale ? NULL : request_header(request, "Range"), size);
}

static void reply_file(struct request *request, const shared_record *document, int fd,
                       uint64_t size) {
    struct reply *reply = &request->reply;
    const char *sha256 = shared_record_text(document, SHARED_DOCUMENT_SHA256);
    const char *known = request_header(request, "If-None-Match");
    char etag[80];
    char part[80];
    struct text disposition = {0};
    snprintf(etag, sizeof etag, "\"%.64s\"", sha256 ? sha256 : "");
    name_disposition(&disposition, shared_record_text(document, SHARED_DOCUMENT_FILE_NAME));
    reply->fd = fd;
    if (disposition.failed)
        reply->memory_out = true;
    else
        reply_header(reply, "Content-Disposition", disposition.data);
    text_finish(&disposition);
    reply_header(reply, "Content-Security-Policy", policy);
    reply_header(reply, "Accept-Ranges", "bytes");
    if (sha256) reply_header(reply, "ETag", etag);
    reply->content_type = safe_type(shared_record_text(document, SHARED_DOCUMENT_CONTENT_TYPE));
    struct range range = choose_range(request, etag, size);
    bool unchanged = known && sha256 && strstr(known, etag);
    reply->status = reply->memory_out ? 503 : unchanged ? 304 : range.status;
    reply->offset = range.offset;
    reply->size = unchanged ? 0 : range.size;
    if (range.status == 206 && !unchanged)
        snprintf(part, sizeof part, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.offset,
                 range.offset + range.size - 1, size);
    else
        snprintf(part, sizeof part, "bytes */%" PRIu64, size);
    if (range.status != 200 && !unchanged) reply_header(reply, "Content-Range", part);
}

static void file_show(struct request *request, const shared_event *event) {
    if (request_failed(request, event)) return;
    const shared_record *document = shared_event_record(event, 0);
    const char *path = document ? shared_record_text(document, SHARED_DOCUMENT_FILE_PATH) : NULL;
    int64_t size = 0;
    if (!document) {
        reply_absent(request, "document", request->id);
        return;
    }
    const struct server *server = request->server;
    int fd = path ? beneath_open(server->upload_fd, server->settings.upload_dir, path, &size) : -1;
    if (fd >= 0) {
        reply_file(request, document, fd, (uint64_t)size);
    } else if (!path || errno == ENOENT) {
        reply_error(request, 404, "The file of this document is not there.");
    } else {
        shared_log_with("backend", SHARED_WARNING, "a document's file cannot be opened", "error",
                        strerror(errno));
        reply_error(request, 503, "The file of this document cannot be opened just now.");
    }
}

void document_file(struct request *request) {
    shared_session *session = request_session(request);
    uint64_t tag = session ? request_wait(request, file_show) : 0;
    if (tag) request_asked(request, shared_session_get(session, SHARED_DOCUMENT, request->id, tag));
}
