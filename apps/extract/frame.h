/* SPDX-License-Identifier: MIT
 * frame.h - all that lex-intel-worker and lex-intel-extract know of each other: two sockets, the
 * messages on them, their limits. Compiled into both; includes nothing of ours. Never does I/O,
 * never allocates by a size that it was told.
 *
 * THE CONVERSATION
 * The worker runs `lex-intel-extract [--without-sandbox]` with an empty environment and one
 * descriptor, fd 0: its end of an AF_UNIX SOCK_SEQPACKET pair, the control socket (2 may be a log).
 * That process, the zygote, loads PDFium once, parses nothing, and waits for no child:
 *   zygote -> READY   {version, sandboxed, landlock_abi}, once. sandboxed 0 without
 *                     --without-sandbox: this machine has no sandbox; each child would answer ERROR
 *                     internal.
 *   worker -> NEW     {serial, memory_bytes_max, cpu_s_max} + one SCM_RIGHTS descriptor: the
 *                     child's end of an AF_UNIX SOCK_STREAM pair, the document's data socket.
 *                     serial: the worker's name for this child, never used twice.
 *   zygote -> BORN    {serial, pid}, or REFUSED {serial, status: errno} (EAGAIN:
 *                     EXTRACT_CHILDREN_MAX live).
 *   worker -> KILL    {serial}: SIGKILL. Free of races, since only the zygote reaps. A gone child:
 *                     no answer.
 *   zygote -> GONE    {serial, pid, status: as of waitpid, rss_bytes, cpu_ms}, once after each
 *                     BORN.
 * When the worker closes the control socket, or dies, the zygote kills its children and exits 0;
 * when the zygote dies, the kernel kills its children.
 *
 * On the data socket, frames (below) and once a document:
 *   child  -> HELLO   the sandbox is entered. Now the worker reads /proc/PID/status: `Seccomp: 2`,
 *                     `NoNewPrivs: 1`; only then it sends
 *   worker -> START   {first_page, limits, document_bytes}, then document_bytes raw bytes, no frame
 *                     around.
 *   child  -> INFO    {kind, page_count}: counted, not the document's claim; 1 ... pages_max.
 *   child  -> PAGE or PAGE_FAILED for each page from first_page to page_count, without a gap, as
 *                     each is done; none when first_page > page_count.
 *   child  -> END     {pages_read, pages_failed}, or at any time instead ERROR {code, sentence},
 *                     then closes.
 * Pages count from 1.
 *
 * WHAT NEVER ENDS
 * The child arms a timer of page_cpu_ms CPU time (ITIMER_PROF) before it opens the document and
 * again before each page; when it fires the kernel ends the child by SIGPROF. cpu_s_max bounds the
 * whole by SIGXCPU. extract_death_code() turns such a status into page_timeout or total_timeout.
 * The child may be evil and a timer may be disarmed, so the worker keeps a wall clock of its own
 * for each page, longer than page_cpu_ms, and sends KILL. Both ways the worker counts the page it
 * waited for as failed and goes on with a new child and first_page = that page + 1: earlier pages
 * are stored, later ones are still read. When no INFO came, the document itself cannot be opened in
 * time: no next child. A child that dies of something else: once more from the same page (a
 * machine's bad moment), then failed.
 */
#ifndef EXTRACT_FRAME_H
#define EXTRACT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXTRACT_VERSION = 1,
    EXTRACT_CONTROL_FD = 0,
    EXTRACT_CHILDREN_MAX = 512, /* one that is killed may be there yet when the next one comes */
    EXTRACT_SENTENCE_BYTES_MAX = 400,
    EXTRACT_PAGES_MAX = 100000,             /* START may ask for less */
    EXTRACT_PAGE_TEXT_BYTES_MAX = 64 << 20, /* START may ask for less */
    EXTRACT_EXIT_GAVE_UP = 70,              /* PDFium called abort(): mostly the memory limit */
    EXTRACT_CONTROL_BYTES = 56,
    FRAME_HEADER_BYTES = 12, /* u32 payload size, u16 type, u16 zero, u32 page (0: not of a page) */
    FRAME_START_BYTES = FRAME_HEADER_BYTES + 32,
    FRAME_PREFIX_BYTES = 4 /* u32 in front of the text in PAGE, PAGE_FAILED and ERROR */
};
#define EXTRACT_DOCUMENT_BYTES_MAX ((uint64_t)1 << 31)

/* ---- the words for what went wrong (documents.error_code) */

enum extract_code {
    EXTRACT_NO_ERROR,
    EXTRACT_PASSWORD_REQUIRED,
    EXTRACT_FILE_DAMAGED,
    EXTRACT_TYPE_UNSUPPORTED,
    EXTRACT_TOO_LARGE,
    EXTRACT_TOO_MANY_PAGES,
    EXTRACT_PAGE_TIMEOUT,
    EXTRACT_TOTAL_TIMEOUT,
    EXTRACT_EXTRACTOR_KILLED,
    EXTRACT_FILE_MISSING,
    EXTRACT_CANCELLED,
    EXTRACT_INTERNAL,
    EXTRACT_CODE_COUNT
};

/* "password_required" ...; "" for NO_ERROR and for what is no code. */
const char *extract_code_word(uint32_t code);
/* What a child's wait status means when no END or ERROR came before it. */
enum extract_code extract_death_code(int wait_status);
/* The same for a log: "killed by SIGSYS: a system call that the sandbox forbids". */
void extract_death_describe(int wait_status, char *out, size_t size);

/* ---- control socket */

enum extract_control_type {
    EXTRACT_READY = 1,
    EXTRACT_NEW,
    EXTRACT_BORN,
    EXTRACT_REFUSED,
    EXTRACT_KILL,
    EXTRACT_GONE,
    EXTRACT_CONTROL_END
};

/* One form for all types; what a type does not use is 0. */
struct extract_control {
    uint32_t type;
    uint32_t version;      /* READY */
    uint32_t sandboxed;    /* READY: 0, 1 */
    uint32_t landlock_abi; /* READY */
    uint64_t serial;
    int32_t pid;
    int32_t status;            /* GONE: of waitpid; REFUSED: errno */
    uint64_t memory_bytes_max; /* NEW: RLIMIT_AS, 64 MiB or more */
    uint32_t cpu_s_max;        /* NEW: RLIMIT_CPU, 1 or more */
    uint32_t cpu_ms;           /* GONE */
    uint64_t rss_bytes;        /* GONE: the most it had */
};

void extract_control_encode(uint8_t out[EXTRACT_CONTROL_BYTES],
                            const struct extract_control *control);
/* NULL, or what is wrong with it. */
const char *extract_control_decode(const uint8_t *bytes, size_t size,
                                   struct extract_control *control);

/* ---- data socket */

enum frame_type {
    FRAME_HELLO = 1,   /* u32 version, u32 sandboxed, u32 landlock_abi */
    FRAME_START,       /* struct frame_start, in its order */
    FRAME_INFO,        /* u32 kind, u32 page_count */
    FRAME_PAGE,        /* u32 source, text */
    FRAME_PAGE_FAILED, /* u32 code, sentence */
    FRAME_END,         /* u32 pages_read, u32 pages_failed */
    FRAME_ERROR,       /* u32 code, sentence */
    FRAME_TYPE_END
};

enum frame_kind { FRAME_KIND_PDF = 1, FRAME_KIND_TEXT, FRAME_KIND_END };
enum frame_source { FRAME_SOURCE_TEXT = 1, FRAME_SOURCE_END }; /* OCR will be the next */

struct frame_start {
    uint32_t first_page;          /* 1 ... */
    uint32_t pages_max;           /* 1 ... EXTRACT_PAGES_MAX */
    uint32_t page_text_bytes_max; /* 1 ... EXTRACT_PAGE_TEXT_BYTES_MAX */
    uint32_t page_cpu_ms;         /* 1 ... */
    uint64_t text_bytes_max;      /* of the pages that this child sends */
    uint64_t document_bytes;      /* 0 ... EXTRACT_DOCUMENT_BYTES_MAX */
};

/* One frame as read; what its type does not have is 0. */
struct frame {
    enum frame_type type;
    uint32_t page;
    uint32_t version, sandboxed, landlock_abi;
    uint32_t kind, page_count;
    uint32_t source;
    enum extract_code code;
    const char
        *text; /* page or sentence, valid until the next call with this reader; not terminated */
    size_t text_size;
    uint32_t pages_read, pages_failed;
    struct frame_start start;
};

/* Encoders of whole small frames and of the head in front of a text. Return the bytes written. */
enum { FRAME_SMALL_BYTES_MAX = 64 };
size_t frame_encode_hello(uint8_t out[FRAME_SMALL_BYTES_MAX], bool sandboxed,
                          uint32_t landlock_abi);
size_t frame_encode_start(uint8_t out[FRAME_SMALL_BYTES_MAX], const struct frame_start *start);
size_t frame_encode_info(uint8_t out[FRAME_SMALL_BYTES_MAX], enum frame_kind kind,
                         uint32_t page_count);
size_t frame_encode_end(uint8_t out[FRAME_SMALL_BYTES_MAX], uint32_t pages_read,
                        uint32_t pages_failed);
/* PAGE (word: source), PAGE_FAILED and ERROR (word: code); text_size bytes have to follow. */
size_t frame_encode_text_head(uint8_t out[FRAME_SMALL_BYTES_MAX], enum frame_type type,
                              uint32_t page, uint32_t word, size_t text_size);

/* START's own form, for the child: NULL, or what is wrong. */
const char *frame_decode_start(const uint8_t bytes[FRAME_START_BYTES], struct frame_start *start);

/* Whether text is UTF-8 (shortest form, no surrogates, to U+10FFFF) without control characters but
 * tab and line feed. */
bool frame_text_is_valid(const char *text, size_t size);

/* ---- the worker's reader of what a child writes
 *
 *   struct frame_reader reader;
 *   frame_reader_init(&reader, &start);
 *   for each piece of bytes that comes from the data socket:
 *       while (size > 0) {
 *           size_t used;
 *           enum frame_result result = frame_reader_feed(&reader, bytes, size, &used, &frame);
 *           bytes += used, size -= used;
 *           if (result == FRAME_BROKEN) kill, log reader.violation: the child is not to be trusted;
 *           if (result == FRAME_READY) use frame before the next call;
 *       }
 *   at the end of the stream: frame_reader_is_done(&reader)? all came : the child died.
 *   frame_reader_finish(&reader);
 *
 * Checks each field, the order of frames and of pages, the limits of START, the text. Memory grows
 * with the bytes that came, never with those that were announced. After FRAME_BROKEN each feed is
 * FRAME_BROKEN.
 */
enum frame_result { FRAME_MORE, FRAME_READY, FRAME_BROKEN };

struct frame_reader {
    struct frame_start start; /* the limits */
    uint8_t header[FRAME_HEADER_BYTES];
    size_t header_used;
    uint8_t *payload;
    size_t payload_used, payload_capacity, payload_size; /* size: announced and checked */
    uint32_t type;                                       /* of the frame under way */
    uint32_t last;                                       /* type of the frame before; 0: none */
    uint32_t page_count, next_page, pages_read, pages_failed;
    uint64_t text_bytes;
    char violation[160]; /* "" or what was wrong */
};

void frame_reader_init(struct frame_reader *reader, const struct frame_start *start);
void frame_reader_finish(struct frame_reader *reader);
enum frame_result frame_reader_feed(struct frame_reader *reader, const uint8_t *bytes, size_t size,
                                    size_t *used, struct frame *frame);
/* END or ERROR came, and nothing half behind it. */
bool frame_reader_is_done(const struct frame_reader *reader);

#endif
