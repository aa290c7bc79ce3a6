/* SPDX-License-Identifier: MIT
 * multipart.c - fuzz target: any bytes as a form. The first byte says where the rest is cut, and a form
 * must read the same whole, cut, and byte by byte.
 */
#include "multipart.h"

#include "fuzz.h"
#include "name.h"
#include "text.h"

struct recorder {
    struct multipart_owner owner;
    struct text text;
};

static bool record_part(struct multipart_owner *owner, const struct multipart_part *part) {
    struct recorder *recorder = (struct recorder *)owner;
    char name[NAME_SIZE_MAX + 1];
    text_add_json(&recorder->text, part->name, part->name_size);
    if (!part->file_name) return true;
    text_add_json(&recorder->text, part->file_name, part->file_name_size);
    if (!name_clean(part->file_name, part->file_name_size, name)) {
        require(utf8_is_text(name, strlen(name), NULL) && *name && !strpbrk(name, "/\\\r\n"));
        size_t before = recorder->text.size;
        name_disposition(&recorder->text, name);
        require(!strpbrk(recorder->text.data + before, "\r\n"));
    }
    return true;
}

static bool record_data(struct multipart_owner *owner, const char *bytes, size_t size) {
    text_add(&((struct recorder *)owner)->text, bytes, size);
    return true;
}

static bool record_end(struct multipart_owner *owner) {
    text_add(&((struct recorder *)owner)->text, ";", 1);
    return true;
}

/* Feeds pieces of at most `piece` bytes; writes the outcome behind what was recorded. */
static void read_form(struct recorder *recorder, const char *bytes, size_t size, size_t piece) {
    struct multipart multipart;
    *recorder = (struct recorder){.owner = {record_part, record_data, record_end}};
    text_add(&recorder->text, "", 0);
    require(multipart_start(&multipart, "multipart/form-data; boundary=b", &recorder->owner));
    bool good = true;
    for (size_t at = 0; at < size && good; at += piece)
        good = multipart_feed(&multipart, bytes + at, size - at < piece ? size - at : piece);
    text_format(&recorder->text, "|%d%d%s", good, multipart_is_complete(&multipart),
                multipart.error ? multipart.error : "");
    multipart_finish(&multipart);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const char *bytes = (const char *)data + 1;
    struct recorder whole;
    struct recorder cut;
    read_form(&whole, bytes, size - 1, size);
    const size_t pieces[] = {(size_t)data[0] + 1, 1};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        read_form(&cut, bytes, size - 1, pieces[i]);
        require(whole.text.size == cut.text.size &&
                !memcmp(whole.text.data, cut.text.data, cut.text.size));
        text_finish(&cut.text);
    }
    text_finish(&whole.text);
    return 0;
}
