/* SPDX-License-Identifier: MIT
 * multipart.h - multipart/form-data, read as it comes in, cut anywhere, in constant memory. Pure: it
 * knows no files and no HTTP.
 *
 * Our own, because no well-kept C library for it is in Debian but libmicrohttpd's post-processor, and
 * that one takes a truncated body for success, cuts file names at escaped quotes and drops filename*.
 */
#ifndef BACKEND_MULTIPART_H
#define BACKEND_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046 */
    MULTIPART_HEADERS_MAX = 16 * 1024,
    MULTIPART_PARTS_MAX = 20,
    MULTIPART_AROUND_MAX = 8 * 1024 /* bytes before the first and behind the last boundary */
};

/* Head of a part. Strings are not NUL-terminated and live during the call; name NULL: it has none. */
struct multipart_part {
    const char *name;
    size_t name_size;
    const char *file_name; /* NULL: not a file */
    size_t file_name_size;
    const char *content_type; /* NULL: none given */
    size_t content_type_size;
};

/* Each returns true to go on, false to stop: then multipart_feed returns false too. */
struct multipart_owner {
    bool (*part)(struct multipart_owner *owner, const struct multipart_part *part);
    bool (*data)(struct multipart_owner *owner, const char *bytes, size_t size);
    bool (*end)(struct multipart_owner *owner); /* the part was read whole */
};

enum multipart_state {
    MULTIPART_PREAMBLE,
    MULTIPART_BOUNDARY, /* behind a boundary, before its line's end */
    MULTIPART_HEADERS,
    MULTIPART_DATA,
    MULTIPART_EPILOGUE,
    MULTIPART_FAILED
};

struct multipart {
    struct multipart_owner *owner;
    enum multipart_state state;
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF - - boundary */
    size_t delimiter_size;
    size_t matched; /* bytes of the delimiter seen so far */
    size_t phantom; /* of these, the first ones that are not content: the line break before it */
    char tail[2];   /* what followed a boundary */
    size_t tail_size;
    size_t around_size; /* bytes of preamble or epilogue */
    int32_t part_count;
    char *headers; /* of the part whose head is being read; MULTIPART_HEADERS_MAX bytes */
    size_t headers_size;
    const char *error; /* what is wrong with the body, a sentence; NULL when the owner stopped it */
};

/* content_type: the request's header. false: it is not multipart/form-data with a good boundary. */
bool multipart_start(struct multipart *multipart, const char *content_type,
                     struct multipart_owner *owner);
/* The next bytes of the body. false: stop, see error. */
bool multipart_feed(struct multipart *multipart, const char *bytes, size_t size);
/* Whether the closing boundary has come: without it the body was cut. */
bool multipart_is_complete(const struct multipart *multipart);
void multipart_finish(struct multipart *multipart);

#endif
