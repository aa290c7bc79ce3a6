/* SPDX-License-Identifier: MIT
 * upload.c - takes a form apart and keeps its file, while it comes in. What happens to it afterwards is
 * keep.c's. Never trusts a name or a type, and never holds more of a file than one piece.
 */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers.h"
#include "keep.h"

enum {
    FIELD_SIZE_MAX = 255 * 4, /* of case_id and id: 255 characters */
    FORM_SIZE_MAX =
        512 * 1024, /* what a form may be larger than its file: heads, boundaries, fields */
    CONTENT_TYPE_SIZE_MAX = 255
};

void upload_check_length(struct request *request, uint64_t size) {
    uint64_t limit = (uint64_t)request->server->settings.upload_bytes_max;
    if (size > limit + FORM_SIZE_MAX)
        reply_error(request, 413, "The file is larger than %" PRIu64 " bytes (MAX_UPLOAD_BYTES).",
                    limit);
}

/* --- the parts of the form ------------------------------------------------------------------------- */

static void take_content_type(struct upload *upload, const struct multipart_part *part) {
    if (!part->content_type || part->content_type_size > CONTENT_TYPE_SIZE_MAX) return;
    if (!utf8_is_text(part->content_type, part->content_type_size, NULL)) return;
    struct text copy = {0};
    text_add(&copy, part->content_type, part->content_type_size);
    free(upload->content_type);
    upload->content_type = text_take(&copy);
}

static bool open_file(struct upload *upload, const struct multipart_part *part) {
    struct request *request = upload->request;
    if (upload->has_file) {
        reply_field(request, "body", "file", "value_error", "There is more than one file.");
        return false;
    }
    if (!part->file_name) {
        reply_field(request, "body", "file", "value_error",
                    "This is a text, not a file with a name.");
        return false;
    }
    const char *error = name_clean(part->file_name, part->file_name_size, upload->file_name);
    if (error) {
        reply_field(request, "body", "file", "value_error", "%s", error);
        return false;
    }
    take_content_type(upload, part);
    upload->has_file = true;
    upload->target = UPLOAD_FILE;
    return keep_open(upload);
}

static bool upload_part(struct multipart_owner *owner, const struct multipart_part *part) {
    struct upload *upload = (struct upload *)owner;
    if (equal_fold(part->name, part->name_size, "file")) return open_file(upload, part);
    bool is_case = equal_fold(part->name, part->name_size, "case_id");
    bool is_id = equal_fold(part->name, part->name_size, "id");
    /* Fields of other versions of the page do no harm. Of a field that comes twice the last one counts. */
    upload->target = is_case ? UPLOAD_CASE_ID : is_id ? UPLOAD_ID : UPLOAD_IGNORED;
    if (is_case) text_finish(&upload->case_id);
    if (is_id) text_finish(&upload->id);
    return true;
}

static bool take_field(struct upload *upload, struct text *field, const char *name,
                       const char *bytes, size_t size) {
    text_add(field, bytes, size);
    if (field->size <= FIELD_SIZE_MAX) return true;
    reply_field(upload->request, "body", name, "string_too_long",
                "%s has more than 255 characters.", name);
    return false;
}

static bool upload_data(struct multipart_owner *owner, const char *bytes, size_t size) {
    struct upload *upload = (struct upload *)owner;
    switch (upload->target) {
    case UPLOAD_IGNORED: return true;
    case UPLOAD_CASE_ID: return take_field(upload, &upload->case_id, "case_id", bytes, size);
    case UPLOAD_ID: return take_field(upload, &upload->id, "id", bytes, size);
    case UPLOAD_FILE: break;
    }
    uint64_t limit = (uint64_t)upload->request->server->settings.upload_bytes_max;
    if (upload->size + size > limit) {
        reply_error(upload->request, 413,
                    "The file is larger than %" PRIu64 " bytes (MAX_UPLOAD_BYTES).", limit);
        return false;
    }
    return keep_write(upload, bytes, size);
}

static bool upload_end(struct multipart_owner *owner) {
    ((struct upload *)owner)->target = UPLOAD_IGNORED;
    return true;
}

bool upload_begin(struct request *request) {
    struct upload *upload = calloc(1, sizeof *upload);
    if (!upload) {
        reply_error(request, 503, "The server is out of memory just now.");
        return false;
    }
    *upload = (struct upload){
        .owner = {upload_part, upload_data, upload_end}, .request = request, .fd = -1};
    request->upload = upload;
    if (multipart_start(&upload->multipart, request_header(request, "Content-Type"),
                        &upload->owner))
        return true;
    reply_field(request, "body", "file", "missing",
                "The body is not multipart/form-data with a boundary of 1 to 70 characters.");
    return false;
}

void upload_feed(struct request *request, const char *bytes, size_t size) {
    struct upload *upload = request->upload;
    if (multipart_feed(&upload->multipart, bytes, size) || request->reply.status) return;
    const char *error = upload->multipart.error;
    reply_error(request, 400, "%s", error ? error : "The form cannot be read.");
}

/* --- the form as a whole --------------------------------------------------------------------------- */

/* A text field: absent or empty is NULL. false: answered. */
static bool field_is_text(struct request *request, const struct text *field, const char *name) {
    size_t length = 0;
    if (utf8_is_text(field->data ? field->data : "", field->size, &length) && length <= 255)
        return true;
    reply_field(request, "body", name, "value_error",
                "%s is not UTF-8 without NUL of at most 255 characters.", name);
    return false;
}

void document_upload(struct request *request) {
    struct upload *upload = request->upload;
    if (!multipart_is_complete(&upload->multipart)) {
        reply_error(request, 400, "The form was cut: its closing boundary is missing.");
    } else if (!upload->has_file) {
        reply_field(request, "body", "file", "missing", "Field required");
    } else if (!upload->size) {
        reply_field(request, "body", "file", "value_error", "The file is empty.");
    } else if (upload->case_id.failed || upload->id.failed) {
        reply_error(request, 503, "The server is out of memory just now.");
    } else if (field_is_text(request, &upload->case_id, "case_id") &&
               field_is_text(request, &upload->id, "id")) {
        keep_document(request);
    }
}

void upload_free(struct upload *upload) {
    if (!upload) return;
    if (upload->at_disk) { /* keep.c frees it when the disk has finished with it */
        upload->request = NULL;
        return;
    }
    keep_forget(upload);
    multipart_finish(&upload->multipart);
    text_finish(&upload->case_id);
    text_finish(&upload->id);
    free(upload->content_type);
    free(upload);
}
