/* SPDX-License-Identifier: MIT
 * frame.c - the bytes of frame.h: encodes, and reads what comes from a child that may be evil.
 * Never does I/O, never trusts a size, an order or a text.
 */
#include "frame.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { BUFFER_BYTES_MIN = 4096, BUFFER_BYTES_KEPT = 256 << 10, MEMORY_BYTES_MIN = 64 << 20 };

/* ---- little-endian */

static uint8_t *put(uint8_t *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
    return out + bytes;
}

static uint64_t get(const uint8_t **bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)(*bytes)[i] << (8 * i);
    *bytes += count;
    return value;
}

static uint32_t get32(const uint8_t **bytes) {
    return (uint32_t)get(bytes, 4);
}

/* ---- codes and deaths */

static const char *const code_words[EXTRACT_CODE_COUNT] = {
    [EXTRACT_NO_ERROR] = "",
    [EXTRACT_PASSWORD_REQUIRED] = "password_required",
    [EXTRACT_FILE_DAMAGED] = "file_damaged",
    [EXTRACT_TYPE_UNSUPPORTED] = "type_unsupported",
    [EXTRACT_TOO_LARGE] = "too_large",
    [EXTRACT_TOO_MANY_PAGES] = "too_many_pages",
    [EXTRACT_PAGE_TIMEOUT] = "page_timeout",
    [EXTRACT_TOTAL_TIMEOUT] = "total_timeout",
    [EXTRACT_EXTRACTOR_KILLED] = "extractor_killed",
    [EXTRACT_FILE_MISSING] = "file_missing",
    [EXTRACT_CANCELLED] = "cancelled",
    [EXTRACT_INTERNAL] = "internal",
};

const char *extract_code_word(uint32_t code) {
    return code < EXTRACT_CODE_COUNT ? code_words[code] : "";
}

static const struct death {
    int signal;
    enum extract_code code;
    const char *name, *meaning;
} deaths[] = {
    {SIGPROF, EXTRACT_PAGE_TIMEOUT, "SIGPROF", "the page's limit of CPU time"},
    {SIGXCPU, EXTRACT_TOTAL_TIMEOUT, "SIGXCPU", "the document's limit of CPU time"},
    {SIGSYS, EXTRACT_EXTRACTOR_KILLED, "SIGSYS", "a system call that the sandbox forbids"},
    {SIGKILL, EXTRACT_EXTRACTOR_KILLED, "SIGKILL", "by the worker or for want of memory"},
    {SIGABRT, EXTRACT_EXTRACTOR_KILLED, "SIGABRT", "the reader gave up"},
    {SIGSEGV, EXTRACT_EXTRACTOR_KILLED, "SIGSEGV", "the reader crashed"},
    {SIGBUS, EXTRACT_EXTRACTOR_KILLED, "SIGBUS", "the reader crashed"},
    {SIGILL, EXTRACT_EXTRACTOR_KILLED, "SIGILL", "the reader stopped itself"},
    {SIGTRAP, EXTRACT_EXTRACTOR_KILLED, "SIGTRAP", "the reader stopped itself"},
    {SIGFPE, EXTRACT_EXTRACTOR_KILLED, "SIGFPE", "the reader crashed"},
    {SIGPIPE, EXTRACT_EXTRACTOR_KILLED, "SIGPIPE", "the worker closed the socket"},
};

static const struct death *death_of(int wait_status) {
    if (!WIFSIGNALED(wait_status)) return NULL;
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
        if (deaths[i].signal == WTERMSIG(wait_status)) return &deaths[i];
    return NULL;
}

enum extract_code extract_death_code(int wait_status) {
    const struct death *death = death_of(wait_status);
    return death ? death->code : EXTRACT_EXTRACTOR_KILLED;
}

void extract_death_describe(int wait_status, char *out, size_t size) {
    const struct death *death = death_of(wait_status);
    if (death)
        snprintf(out, size, "killed by %s: %s", death->name, death->meaning);
    else if (WIFSIGNALED(wait_status))
        snprintf(out, size, "killed by signal %d", WTERMSIG(wait_status));
    else if (WEXITSTATUS(wait_status) == EXTRACT_EXIT_GAVE_UP)
        snprintf(out, size, "PDFium gave up: most often the memory limit");
    else
        snprintf(out, size, "exited with %d before its last frame", WEXITSTATUS(wait_status));
}

/* ---- control messages */

void extract_control_encode(uint8_t out[EXTRACT_CONTROL_BYTES],
                            const struct extract_control *control) {
    out = put(out, control->type, 4);
    out = put(out, control->version, 4);
    out = put(out, control->sandboxed, 4);
    out = put(out, control->landlock_abi, 4);
    out = put(out, control->serial, 8);
    out = put(out, (uint32_t)control->pid, 4);
    out = put(out, (uint32_t)control->status, 4);
    out = put(out, control->memory_bytes_max, 8);
    out = put(out, control->cpu_s_max, 4);
    out = put(out, control->cpu_ms, 4);
    put(out, control->rss_bytes, 8);
}

/* The same message with only what its type uses. */
static struct extract_control control_of_type(const struct extract_control *all) {
    struct extract_control used = {.type = all->type};
    if (all->type == EXTRACT_READY) {
        used.version = all->version;
        used.sandboxed = all->sandboxed;
        used.landlock_abi = all->landlock_abi;
        return used;
    }
    used.serial = all->serial;
    if (all->type == EXTRACT_NEW) {
        used.memory_bytes_max = all->memory_bytes_max;
        used.cpu_s_max = all->cpu_s_max;
    }
    if (all->type == EXTRACT_BORN || all->type == EXTRACT_GONE) used.pid = all->pid;
    if (all->type == EXTRACT_REFUSED || all->type == EXTRACT_GONE) used.status = all->status;
    if (all->type == EXTRACT_GONE) {
        used.cpu_ms = all->cpu_ms;
        used.rss_bytes = all->rss_bytes;
    }
    return used;
}

static const char *control_check(const struct extract_control *control) {
    switch (control->type) {
    case EXTRACT_READY:
        if (control->version != EXTRACT_VERSION) return "version of the other program differs";
        return control->sandboxed > 1 ? "sandboxed is neither 0 nor 1" : NULL;
    case EXTRACT_NEW:
        if (control->memory_bytes_max < MEMORY_BYTES_MIN) return "memory limit below 64 MiB";
        return control->cpu_s_max ? NULL : "CPU limit of 0 s";
    case EXTRACT_BORN:
    case EXTRACT_GONE: return control->pid > 0 ? NULL : "pid is not above 0";
    case EXTRACT_REFUSED: return control->status > 0 ? NULL : "refused without an errno";
    default: return NULL;
    }
}

const char *extract_control_decode(const uint8_t *bytes, size_t size,
                                   struct extract_control *control) {
    if (size != EXTRACT_CONTROL_BYTES) return "control message of a wrong size";
    const uint8_t *at = bytes;
    *control = (struct extract_control){.type = get32(&at)};
    control->version = get32(&at);
    control->sandboxed = get32(&at);
    control->landlock_abi = get32(&at);
    control->serial = get(&at, 8);
    control->pid = (int32_t)get32(&at);
    control->status = (int32_t)get32(&at);
    control->memory_bytes_max = get(&at, 8);
    control->cpu_s_max = get32(&at);
    control->cpu_ms = get32(&at);
    control->rss_bytes = get(&at, 8);
    if (control->type < EXTRACT_READY || control->type >= EXTRACT_CONTROL_END)
        return "unknown control message";
    struct extract_control used = control_of_type(control);
    uint8_t again[EXTRACT_CONTROL_BYTES];
    extract_control_encode(again, &used);
    if (memcmp(again, bytes, sizeof again) != 0) return "control message with a foreign field";
    return control_check(control);
}

/* ---- encoders */

static uint8_t *put_header(uint8_t *out, enum frame_type type, uint32_t page, size_t payload_size) {
    out = put(out, payload_size, 4);
    out = put(out, (uint64_t)type, 2);
    out = put(out, 0, 2);
    return put(out, page, 4);
}

size_t frame_encode_hello(uint8_t out[FRAME_SMALL_BYTES_MAX], bool sandboxed,
                          uint32_t landlock_abi) {
    uint8_t *at = put_header(out, FRAME_HELLO, 0, 12);
    at = put(at, EXTRACT_VERSION, 4);
    at = put(at, sandboxed, 4);
    return (size_t)(put(at, landlock_abi, 4) - out);
}

size_t frame_encode_start(uint8_t out[FRAME_SMALL_BYTES_MAX], const struct frame_start *start) {
    uint8_t *at = put_header(out, FRAME_START, 0, FRAME_START_BYTES - FRAME_HEADER_BYTES);
    at = put(at, start->first_page, 4);
    at = put(at, start->pages_max, 4);
    at = put(at, start->page_text_bytes_max, 4);
    at = put(at, start->page_cpu_ms, 4);
    at = put(at, start->text_bytes_max, 8);
    return (size_t)(put(at, start->document_bytes, 8) - out);
}

static size_t encode_pair(uint8_t *out, enum frame_type type, uint32_t first, uint32_t second) {
    uint8_t *at = put_header(out, type, 0, 8);
    at = put(at, first, 4);
    return (size_t)(put(at, second, 4) - out);
}

size_t frame_encode_info(uint8_t out[FRAME_SMALL_BYTES_MAX], enum frame_kind kind,
                         uint32_t page_count) {
    return encode_pair(out, FRAME_INFO, kind, page_count);
}

size_t frame_encode_end(uint8_t out[FRAME_SMALL_BYTES_MAX], uint32_t pages_read,
                        uint32_t pages_failed) {
    return encode_pair(out, FRAME_END, pages_read, pages_failed);
}

size_t frame_encode_text_head(uint8_t out[FRAME_SMALL_BYTES_MAX], enum frame_type type,
                              uint32_t page, uint32_t word, size_t text_size) {
    uint8_t *at = put_header(out, type, page, FRAME_PREFIX_BYTES + text_size);
    return (size_t)(put(at, word, 4) - out);
}

static const char *check_start(const struct frame_start *start) {
    if (!start->first_page) return "first_page is 0, pages count from 1";
    if (!start->pages_max || start->pages_max > EXTRACT_PAGES_MAX) return "pages_max out of range";
    if (!start->page_text_bytes_max || start->page_text_bytes_max > EXTRACT_PAGE_TEXT_BYTES_MAX)
        return "page_text_bytes_max out of range";
    if (!start->page_cpu_ms) return "page_cpu_ms is 0";
    if (start->document_bytes > EXTRACT_DOCUMENT_BYTES_MAX) return "document_bytes out of range";
    return NULL;
}

const char *frame_decode_start(const uint8_t bytes[FRAME_START_BYTES], struct frame_start *start) {
    uint8_t header[FRAME_HEADER_BYTES];
    put_header(header, FRAME_START, 0, FRAME_START_BYTES - FRAME_HEADER_BYTES);
    if (memcmp(bytes, header, sizeof header) != 0) return "not a START frame";
    const uint8_t *at = bytes + FRAME_HEADER_BYTES;
    *start = (struct frame_start){.first_page = get32(&at)};
    start->pages_max = get32(&at);
    start->page_text_bytes_max = get32(&at);
    start->page_cpu_ms = get32(&at);
    start->text_bytes_max = get(&at, 8);
    start->document_bytes = get(&at, 8);
    return check_start(start);
}

/* ---- text */

static bool is_control(uint8_t byte) {
    return (byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F;
}

/* The second byte also rules out longer forms, surrogates, C1 controls and all above U+10FFFF. */
static bool may_follow(uint8_t lead, uint8_t second) {
    uint8_t low = lead == 0xE0 || lead == 0xC2 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

/* Bytes of the valid character at text, 0: none. */
static size_t character_size(const uint8_t *text, size_t size) {
    uint8_t lead = text[0];
    if (lead < 0x80) return !is_control(lead);
    size_t count = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || size < count || !may_follow(lead, text[1])) return 0;
    for (size_t i = 2; i < count; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    return count;
}

bool frame_text_is_valid(const char *text, size_t size) {
    const uint8_t *at = (const uint8_t *)text;
    while (size > 0) {
        size_t step = character_size(at, size);
        if (!step) return false;
        at += step;
        size -= step;
    }
    return true;
}

/* ---- the reader */

static const char *const type_names[FRAME_TYPE_END] = {"none", "HELLO",       "START", "INFO",
                                                       "PAGE", "PAGE_FAILED", "END",   "ERROR"};

/* What may follow what; bit n: type n. */
static const uint32_t followers[FRAME_TYPE_END] = {
    [0] = 1u << FRAME_HELLO | 1u << FRAME_ERROR,
    [FRAME_HELLO] = 1u << FRAME_INFO | 1u << FRAME_ERROR,
    [FRAME_INFO] = 1u << FRAME_PAGE | 1u << FRAME_PAGE_FAILED | 1u << FRAME_END | 1u << FRAME_ERROR,
    [FRAME_PAGE] = 1u << FRAME_PAGE | 1u << FRAME_PAGE_FAILED | 1u << FRAME_END | 1u << FRAME_ERROR,
    [FRAME_PAGE_FAILED] =
        1u << FRAME_PAGE | 1u << FRAME_PAGE_FAILED | 1u << FRAME_END | 1u << FRAME_ERROR,
};

void frame_reader_init(struct frame_reader *reader, const struct frame_start *start) {
    *reader = (struct frame_reader){.start = *start, .next_page = start->first_page};
}

void frame_reader_finish(struct frame_reader *reader) {
    free(reader->payload);
    reader->payload = NULL;
}

bool frame_reader_is_done(const struct frame_reader *reader) {
    return (reader->last == FRAME_END || reader->last == FRAME_ERROR) && !reader->header_used &&
           !reader->violation[0];
}

__attribute__((format(printf, 2, 3))) static enum frame_result broken(struct frame_reader *reader,
                                                                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->violation, sizeof reader->violation, format, arguments);
    va_end(arguments);
    return FRAME_BROKEN;
}

static enum frame_result check_size(struct frame_reader *reader, uint32_t type, uint32_t size) {
    uint32_t least = 8, most = 8;
    if (type == FRAME_HELLO) {
        least = most = 12;
    } else if (type == FRAME_PAGE) {
        least = FRAME_PREFIX_BYTES;
        most = FRAME_PREFIX_BYTES + reader->start.page_text_bytes_max;
    } else if (type == FRAME_PAGE_FAILED || type == FRAME_ERROR) {
        least = FRAME_PREFIX_BYTES + 1;
        most = FRAME_PREFIX_BYTES + EXTRACT_SENTENCE_BYTES_MAX;
    }
    if (size < least || size > most)
        return broken(reader, "%s of %u bytes, %u to %u are allowed", type_names[type], size, least,
                      most);
    return FRAME_MORE;
}

static enum frame_result check_page(struct frame_reader *reader, uint32_t type, uint32_t page) {
    if (type != FRAME_PAGE && type != FRAME_PAGE_FAILED)
        return page ? broken(reader, "%s with page %u", type_names[type], page) : FRAME_MORE;
    if (page != reader->next_page)
        return broken(reader, "page %u where page %u is next", page, reader->next_page);
    if (page > reader->page_count) return broken(reader, "page %u of %u", page, reader->page_count);
    return FRAME_MORE;
}

/* The header is whole: everything that it can betray, before a byte of payload is kept. */
static enum frame_result check_header(struct frame_reader *reader) {
    const uint8_t *at = reader->header;
    uint32_t size = get32(&at);
    uint32_t type = (uint32_t)get(&at, 2);
    uint32_t reserved = (uint32_t)get(&at, 2);
    uint32_t page = get32(&at);
    if (type == 0 || type >= FRAME_TYPE_END) return broken(reader, "frame of type %u", type);
    if (!(followers[reader->last] >> type & 1))
        return broken(reader, "%s after %s", type_names[type], type_names[reader->last]);
    if (reserved) return broken(reader, "%s with reserved %u", type_names[type], reserved);
    if (check_page(reader, type, page) == FRAME_BROKEN) return FRAME_BROKEN;
    if (check_size(reader, type, size) == FRAME_BROKEN) return FRAME_BROKEN;
    reader->type = type;
    reader->payload_size = size;
    reader->payload_used = 0;
    if (reader->payload_capacity > BUFFER_BYTES_KEPT && size <= BUFFER_BYTES_KEPT) {
        frame_reader_finish(reader);
        reader->payload_capacity = 0;
    }
    return FRAME_MORE;
}

static bool make_room(struct frame_reader *reader, size_t more) {
    size_t needed = reader->payload_used + more;
    if (needed <= reader->payload_capacity) return true;
    size_t capacity = reader->payload_capacity * 2;
    if (capacity < needed) capacity = needed;
    if (capacity < BUFFER_BYTES_MIN) capacity = BUFFER_BYTES_MIN;
    uint8_t *payload = realloc(reader->payload, capacity);
    if (!payload) return false;
    reader->payload = payload;
    reader->payload_capacity = capacity;
    return true;
}

static enum frame_result read_hello(struct frame_reader *reader, const uint8_t *at,
                                    struct frame *frame) {
    frame->version = get32(&at);
    frame->sandboxed = get32(&at);
    frame->landlock_abi = get32(&at);
    if (frame->version != EXTRACT_VERSION)
        return broken(reader, "HELLO of version %u, ours is %d", frame->version, EXTRACT_VERSION);
    if (frame->sandboxed > 1) return broken(reader, "HELLO with sandboxed %u", frame->sandboxed);
    return FRAME_READY;
}

static enum frame_result read_info(struct frame_reader *reader, const uint8_t *at,
                                   struct frame *frame) {
    frame->kind = get32(&at);
    frame->page_count = get32(&at);
    if (!frame->kind || frame->kind >= FRAME_KIND_END)
        return broken(reader, "INFO with kind %u", frame->kind);
    if (!frame->page_count || frame->page_count > reader->start.pages_max)
        return broken(reader, "INFO with %u pages, 1 to %u are allowed", frame->page_count,
                      reader->start.pages_max);
    reader->page_count = frame->page_count;
    return FRAME_READY;
}

static enum frame_result read_page(struct frame_reader *reader, uint32_t source,
                                   struct frame *frame) {
    frame->source = source;
    if (!source || source >= FRAME_SOURCE_END)
        return broken(reader, "page %u with source %u", reader->next_page, source);
    if (!frame_text_is_valid(frame->text, frame->text_size))
        return broken(reader, "page %u is not valid text", reader->next_page);
    reader->text_bytes += frame->text_size;
    if (reader->text_bytes > reader->start.text_bytes_max)
        return broken(reader, "more than %llu bytes of text",
                      (unsigned long long)reader->start.text_bytes_max);
    frame->page = reader->next_page++;
    reader->pages_read++;
    return FRAME_READY;
}

static enum frame_result read_failure(struct frame_reader *reader, uint32_t code,
                                      struct frame *frame) {
    if (code == EXTRACT_NO_ERROR || code >= EXTRACT_CODE_COUNT)
        return broken(reader, "%s with code %u", type_names[reader->type], code);
    frame->code = (enum extract_code)code;
    if (!frame_text_is_valid(frame->text, frame->text_size))
        return broken(reader, "%s whose sentence is not valid text", type_names[reader->type]);
    if (reader->type == FRAME_ERROR) return FRAME_READY;
    frame->page = reader->next_page++;
    reader->pages_failed++;
    return FRAME_READY;
}

static enum frame_result read_end(struct frame_reader *reader, const uint8_t *at,
                                  struct frame *frame) {
    frame->pages_read = get32(&at);
    frame->pages_failed = get32(&at);
    if (reader->next_page <= reader->page_count)
        return broken(reader, "END before page %u of %u", reader->next_page, reader->page_count);
    if (frame->pages_read != reader->pages_read || frame->pages_failed != reader->pages_failed)
        return broken(reader, "END says %u pages read and %u failed, %u and %u came",
                      frame->pages_read, frame->pages_failed, reader->pages_read,
                      reader->pages_failed);
    return FRAME_READY;
}

static enum frame_result read_payload(struct frame_reader *reader, struct frame *frame) {
    *frame = (struct frame){.type = (enum frame_type)reader->type};
    const uint8_t *at = reader->payload;
    if (reader->type == FRAME_HELLO) return read_hello(reader, at, frame);
    if (reader->type == FRAME_INFO) return read_info(reader, at, frame);
    if (reader->type == FRAME_END) return read_end(reader, at, frame);
    uint32_t word = get32(&at);
    frame->text = (const char *)at;
    frame->text_size = reader->payload_size - FRAME_PREFIX_BYTES;
    return reader->type == FRAME_PAGE ? read_page(reader, word, frame)
                                      : read_failure(reader, word, frame);
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

enum frame_result frame_reader_feed(struct frame_reader *reader, const uint8_t *bytes, size_t size,
                                    size_t *used, struct frame *frame) {
    *used = 0;
    if (reader->violation[0]) return FRAME_BROKEN;
    if (reader->header_used < FRAME_HEADER_BYTES) {
        size_t part = smaller(size, FRAME_HEADER_BYTES - reader->header_used);
        if (!part) return FRAME_MORE;
        memcpy(reader->header + reader->header_used, bytes, part);
        reader->header_used += part;
        *used = part;
        if (reader->header_used < FRAME_HEADER_BYTES) return FRAME_MORE;
        if (check_header(reader) == FRAME_BROKEN) return FRAME_BROKEN;
    }
    size_t part = smaller(size - *used, reader->payload_size - reader->payload_used);
    if (!make_room(reader, part)) return broken(reader, "no memory for a frame");
    if (part) memcpy(reader->payload + reader->payload_used, bytes + *used, part);
    reader->payload_used += part;
    *used += part;
    if (reader->payload_used < reader->payload_size) return FRAME_MORE;
    reader->header_used = 0;
    enum frame_result result = read_payload(reader, frame);
    reader->last = reader->type;
    return result;
}
