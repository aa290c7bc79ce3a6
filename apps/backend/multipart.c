/* SPDX-License-Identifier: MIT
 * multipart.c - multipart/form-data, read as it comes in. Never keeps more than one part's head.
 *
 * A delimiter begins with CR and holds no other CR, so after a mismatch the search can only start anew
 * at the byte that did not match: no table of a string search is needed, and what was held back as the
 * start of a delimiter is known to be the delimiter's own first bytes, so nothing is buffered.
 */
#include "multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "name.h"
#include "text.h"

static bool fail(struct multipart *multipart, const char *error) {
    multipart->state = MULTIPART_FAILED;
    multipart->error = error;
    return false;
}

/* The owner has said why. */
static bool stop(struct multipart *multipart) {
    multipart->state = MULTIPART_FAILED;
    return false;
}

static bool is_boundary(const char *boundary, long size) {
    if (size < 1 || size > MULTIPART_BOUNDARY_MAX || boundary[size - 1] == ' ') return false;
    for (long i = 0; i < size; i++) {
        unsigned char c = (unsigned char)boundary[i];
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!letter && (!c || !strchr("'()+_,-./:=? ", c))) return false;
    }
    return true;
}

bool multipart_start(struct multipart *multipart, const char *content_type,
                     struct multipart_owner *owner) {
    static const char kind[] = "multipart/form-data";
    *multipart =
        (struct multipart){.owner = owner, .state = MULTIPART_PREAMBLE, .matched = 2, .phantom = 2};
    if (!content_type || strncasecmp(content_type, kind, sizeof kind - 1) != 0) return false;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    long size =
        name_parameter(content_type, strlen(content_type), "boundary", boundary, sizeof boundary);
    if (!is_boundary(boundary, size)) return false;
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary, (size_t)size);
    multipart->delimiter_size = 4 + (size_t)size;
    return true;
}

void multipart_finish(struct multipart *multipart) {
    free(multipart->headers);
    multipart->headers = NULL;
}

bool multipart_is_complete(const struct multipart *multipart) {
    return multipart->state == MULTIPART_EPILOGUE;
}

/* Bytes that belong to no boundary. */
static bool content(struct multipart *multipart, const char *bytes, size_t size) {
    if (!size) return true;
    if (multipart->state == MULTIPART_DATA) {
        return multipart->owner->data(multipart->owner, bytes, size) || stop(multipart);
    }
    multipart->around_size += size;
    if (multipart->around_size <= MULTIPART_AROUND_MAX) return true;
    return fail(multipart, "More than 8192 bytes stand outside the parts of the form.");
}

static bool boundary_found(struct multipart *multipart) {
    bool was_data = multipart->state == MULTIPART_DATA;
    multipart->state = MULTIPART_BOUNDARY;
    multipart->matched = 0;
    multipart->phantom = 0;
    multipart->tail_size = 0;
    return !was_data || multipart->owner->end(multipart->owner) || stop(multipart);
}

/* PREAMBLE and DATA: up to and with the next boundary. Returns the bytes used. */
static size_t search(struct multipart *multipart, const char *bytes, size_t size) {
    size_t i = 0;
    while (i < size) {
        if (!multipart->matched) {
            const char *cr = memchr(bytes + i, '\r', size - i);
            size_t before = cr ? (size_t)(cr - bytes) - i : size - i;
            if (!content(multipart, bytes + i, before)) return i;
            i += before;
            if (!cr) return size;
        }
        while (i < size && multipart->matched < multipart->delimiter_size &&
               bytes[i] == multipart->delimiter[multipart->matched]) {
            multipart->matched++;
            i++;
        }
        if (multipart->matched == multipart->delimiter_size) {
            boundary_found(multipart);
            return i;
        }
        if (i == size) return i;
        size_t held = multipart->matched - multipart->phantom;
        const char *from = multipart->delimiter + multipart->phantom;
        multipart->matched = 0;
        multipart->phantom = 0;
        if (!content(multipart, from, held)) return i;
    }
    return i;
}

/* Behind a boundary: "--" ends the form, spaces are padding, CR LF begins a part. */
static size_t boundary_tail(struct multipart *multipart, const char *bytes, size_t size) {
    size_t i = 0;
    for (; i < size && multipart->state == MULTIPART_BOUNDARY; i++) {
        char c = bytes[i];
        if (!multipart->tail_size && (c == ' ' || c == '\t')) {
            if (++multipart->around_size > MULTIPART_AROUND_MAX)
                fail(multipart, "A boundary of the form is followed by endless spaces.");
            continue;
        }
        multipart->tail[multipart->tail_size++] = c;
        if (multipart->tail_size < 2) continue;
        if (!memcmp(multipart->tail, "--", 2)) {
            multipart->state = MULTIPART_EPILOGUE;
            multipart->around_size = 0;
        } else if (memcmp(multipart->tail, "\r\n", 2) != 0) {
            fail(multipart, "A boundary of the form is not followed by CR LF.");
        } else if (++multipart->part_count > MULTIPART_PARTS_MAX) {
            fail(multipart, "The form has more than 20 parts.");
        } else {
            multipart->state = MULTIPART_HEADERS;
            multipart->headers_size = 0;
        }
    }
    return i;
}

struct head {
    char name[256];
    char file_name[MULTIPART_HEADERS_MAX];
};

static bool head_disposition(struct multipart_part *part, struct head *head, const char *value,
                             size_t size) {
    if (size < 9 || strncasecmp(value, "form-data", 9) != 0) return false;
    long length = name_parameter(value, size, "name", head->name, sizeof head->name);
    if (length < 0) return false;
    part->name = head->name;
    part->name_size = (size_t)length;
    char *encoded = malloc(MULTIPART_HEADERS_MAX);
    if (!encoded) return false;
    long encoded_size = name_parameter(value, size, "filename*", encoded, MULTIPART_HEADERS_MAX);
    length = encoded_size < 0 ? -1
                              : name_extended(encoded, (size_t)encoded_size, head->file_name,
                                              sizeof head->file_name);
    free(encoded);
    if (length < 0)
        length = name_parameter(value, size, "filename", head->file_name, sizeof head->file_name);
    if (length == -2) return false;
    part->file_name = length < 0 ? NULL : head->file_name;
    part->file_name_size = length < 0 ? 0 : (size_t)length;
    return true;
}

static bool head_line(struct multipart_part *part, struct head *head, const char *line,
                      size_t size) {
    const char *colon = memchr(line, ':', size);
    if (!colon) return false;
    size_t name_size = (size_t)(colon - line);
    const char *value = colon + 1;
    const char *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    size_t value_size = (size_t)(end - value);
    if (equal_fold(line, name_size, "Content-Disposition"))
        return !part->name && head_disposition(part, head, value, value_size);
    if (equal_fold(line, name_size, "Content-Transfer-Encoding"))
        return equal_fold(value, value_size, "binary") || equal_fold(value, value_size, "8bit") ||
               equal_fold(value, value_size, "7bit");
    if (equal_fold(line, name_size, "Content-Type")) {
        part->content_type = value;
        part->content_type_size = value_size;
    }
    return true;
}

/* headers: whole lines, each with its CR LF, the empty one left out. */
static bool head_read(struct multipart *multipart, size_t size) {
    struct head *head = malloc(sizeof *head);
    if (!head) return fail(multipart, "Out of memory.");
    struct multipart_part part = {0};
    bool good = true;
    for (size_t from = 0; good && from < size;) {
        const char *line = multipart->headers + from;
        const char *lf = memchr(line, '\n', size - from); /* behind a CR: head_collect saw to it */
        if (!lf) break;
        good = head_line(&part, head, line, (size_t)(lf - line) - 1);
        from += (size_t)(lf - line) + 1;
    }
    multipart->state = MULTIPART_DATA;
    /* A part without content: its boundary's line break is the one that ended the head. */
    multipart->matched = 2;
    multipart->phantom = 2;
    if (!good || !part.name) {
        fail(multipart, "A part of the form has a head that cannot be read.");
    } else if (!multipart->owner->part(multipart->owner, &part)) {
        stop(multipart);
    }
    free(head);
    return multipart->state == MULTIPART_DATA;
}

/* Collects a head up to its empty line. Returns the bytes used. */
static size_t head_collect(struct multipart *multipart, const char *bytes, size_t size) {
    if (!multipart->headers && !(multipart->headers = malloc(MULTIPART_HEADERS_MAX))) {
        fail(multipart, "Out of memory.");
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (multipart->headers_size == MULTIPART_HEADERS_MAX) {
            fail(multipart, "The head of a part is longer than 16384 bytes.");
            return i;
        }
        multipart->headers[multipart->headers_size++] = bytes[i];
        if (bytes[i] != '\n') continue;
        size_t length = multipart->headers_size;
        if (length < 2 || multipart->headers[length - 2] != '\r') {
            fail(multipart, "A line in the head of a part does not end with CR LF.");
            return i;
        }
        bool empty =
            length == 2 || (length >= 4 && !memcmp(multipart->headers + length - 4, "\r\n", 2));
        if (!empty) continue;
        head_read(multipart, length - 2);
        return i + 1;
    }
    return size;
}

bool multipart_feed(struct multipart *multipart, const char *bytes, size_t size) {
    while (size && multipart->state != MULTIPART_FAILED) {
        size_t used = size;
        switch (multipart->state) {
        case MULTIPART_PREAMBLE:
        case MULTIPART_DATA: used = search(multipart, bytes, size); break;
        case MULTIPART_BOUNDARY: used = boundary_tail(multipart, bytes, size); break;
        case MULTIPART_HEADERS: used = head_collect(multipart, bytes, size); break;
        case MULTIPART_EPILOGUE: content(multipart, bytes, size); break;
        case MULTIPART_FAILED: break;
        }
        bytes += used;
        size -= used;
    }
    return multipart->state != MULTIPART_FAILED;
}
