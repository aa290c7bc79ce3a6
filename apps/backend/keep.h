/* SPDX-License-Identifier: MIT
 * keep.h - the inside of an upload: what upload.c reads from the form and keep.c stores.
 */
#ifndef BACKEND_KEEP_H
#define BACKEND_KEEP_H

#include "disk.h"
#include "multipart.h"
#include "name.h"
#include "upload.h"

enum upload_target { UPLOAD_IGNORED, UPLOAD_FILE, UPLOAD_CASE_ID, UPLOAD_ID };

struct upload {
    struct multipart_owner owner; /* first: multipart.c gives it back to us */
    struct disk_job job;
    struct multipart multipart;
    struct request *request; /* NULL: it went away while the disk was at work */
    struct server *server;
    enum upload_target target; /* of the part that is being read */
    bool has_file;
    bool at_disk; /* the helper thread has the job */
    struct text case_id;
    struct text id;
    char *content_type; /* NULL: none was given */
    char file_name[NAME_SIZE_MAX + 1];
    uint64_t size;
    int fd;        /* of the temporary file, -1: none */
    void *digest;  /* EVP_MD_CTX */
    char temp[40]; /* "tmp/..."; "" once it has its final name */
    char path[UPLOAD_PATH_SIZE];
    int error; /* errno of the disk's work, 0: it went well */
};

/* Makes the temporary file. false: answered. */
bool keep_open(struct upload *upload);
/* Adds to it. false: answered. */
bool keep_write(struct upload *upload, const char *bytes, size_t size);
/* Stores file and row, queues the extraction, answers 201. */
void keep_document(struct request *request);
/* Removes what is temporary. */
void keep_forget(struct upload *upload);

#endif
