/* SPDX-License-Identifier: MIT
 * http.c - fuzz target: the head of a request, line by line: method, target, version, then headers, which
 * also are read as a range, a cursor, a file's name and a viewer's marks.
 */
#include "cursor.h"
#include "fuzz.h"
#include "guard.h"
#include "name.h"
#include "range.h"
#include "sse.h"
#include "target.h"

enum { LINES_MAX = 40 };

static const struct guard_rules rules = {.bind_host = "127.0.0.1",
                                         .allowed_hosts = "lex.example",
                                         .allowed_origins = "https://a.example"};

/* What was read, written, and read again is the same. */
static void check_target(const char *raw) {
    struct target target;
    struct target again;
    struct text path = {0};
    enum target_status status = target_parse(&target, raw);
    text_add_string(&path, "/api");
    for (int32_t i = 0; status == TARGET_OK && i < target.segment_count; i++) {
        require(utf8_is_text(target.segments[i], strlen(target.segments[i]), NULL));
        text_add_string(&path, "/");
        target_escape(&path, target.segments[i]);
    }
    if (status == TARGET_OK) {
        require(target_parse(&again, path.data) == TARGET_OK);
        require(again.segment_count == target.segment_count && !again.argument_count);
        for (int32_t i = 0; i < target.segment_count; i++)
            require(!strcmp(again.segments[i], target.segments[i]));
        target_finish(&again);
        (void)target_argument(&target, "limit");
    }
    text_finish(&path);
    target_finish(&target);
}

static void check_range(const char *value) {
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct range range = range_parse(value, sizes[i]);
        require(range.status == 200 || range.status == 206 || range.status == 416);
        require(range.offset <= sizes[i] && range.size <= sizes[i] - range.offset);
        require(range.status != 206 || range.size > 0);
    }
}

static void check_cursor(const char *value) {
    struct cursor cursor;
    struct cursor again;
    struct text text = {0};
    if (cursor_read(value, &cursor)) {
        cursor_write(&text, cursor.time_us, cursor.id);
        require(cursor_read(text.data, &again));
        require(again.time_us == cursor.time_us && !strcmp(again.id, cursor.id));
    }
    text_finish(&text);
}

static void check_name(const char *value, size_t size) {
    char raw[600];
    char name[NAME_SIZE_MAX + 1];
    long raw_size = name_parameter(value, size, "filename", raw, sizeof raw);
    require(raw_size >= -2 && raw_size <= (long)sizeof raw);
    long extended = name_extended(value, size, raw, sizeof raw);
    require(extended >= -1 && extended <= (long)sizeof raw);
    if (name_clean(value, size, name)) return;
    struct text text = {0};
    require(utf8_is_text(name, strlen(name), NULL) && *name && !strpbrk(name, "/\\\r\n"));
    name_disposition(&text, name);
    for (size_t i = 0; i < text.size; i++) require(text.data[i] >= ' ' && text.data[i] < 0x7f);
    text_finish(&text);
}

static void check_marks(const char *value) {
    struct sse_marks marks;
    char shown[SSE_MARKS_TEXT_SIZE];
    sse_marks_read(&marks, value);
    sse_marks_write(&marks, SSE_MARKS_MAX, shown);
    struct sse_marks again;
    sse_marks_read(&again, shown);
    require(!memcmp(&marks, &again, sizeof marks));
}

/* One event, whatever stands in it. */
static void check_event(const char *value, size_t size) {
    struct text text = {0};
    sse_event(&text, "1-0", "{\n\"progress\":1\r\n}", value);
    const char *end = strstr(text.data, "\n\n");
    require(end && !end[2] && !strchr(text.data, '\r'));
    text_clear(&text);
    text_add_json(&text, value, size);
    require(utf8_is_text(text.data, text.size, NULL) && !strpbrk(text.data, "\r\n"));
    text_finish(&text);
}

static void check_value(const char *value) {
    check_target(value);
    check_range(value);
    check_cursor(value);
    check_name(value, strlen(value));
    check_marks(value);
    check_event(value, strlen(value));
}

static void check_head(char *const *lines, size_t count) {
    struct guard guard = {0};
    const char *method = count ? lines[0] : "GET";
    for (size_t i = 3; i < count; i++) {
        const char *colon = strchr(lines[i], ':');
        size_t name_size = colon ? (size_t)(colon - lines[i]) : strlen(lines[i]);
        const char *value = colon ? colon + 1 + strspn(colon + 1, " ") : "";
        guard_header(&guard, lines[i], name_size, value, strlen(value));
        check_value(value);
    }
    int status =
        guard_check(&guard, method, count > 1 ? lines[1] : "/", count > 2 ? lines[2] : "HTTP/1.1");
    require(!status || guard.reason);
    if (status) return;
    require(guard.hosts <= 1 && guard.lengths + guard.encodings <= 1 && !guard.reason);
    status = guard_access(&guard, &rules, method);
    require(!status == !guard.reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *lines[LINES_MAX];
    size_t count = 0;
    char *text = fuzz_text(data, size);
    for (char *line = text; line && count < LINES_MAX;) {
        lines[count++] = line;
        line = strchr(line, '\n');
        if (line) *line++ = '\0';
    }
    if (count > 1) check_target(lines[1]);
    check_head(lines, count);
    free(text);
    return 0;
}
