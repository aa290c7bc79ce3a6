/* SPDX-License-Identifier: MIT
 * main.c - lex-intel-extract: the zygote for the worker; --read and --check for people.
 * Without an option it serves the control socket on descriptor 0 (frame.h) and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "document.h"
#include "zygote.h"

static const char usage[] =
    "usage: lex-intel-extract [--without-sandbox]\n"
    "           serves the worker over the socket on descriptor 0\n"
    "       lex-intel-extract --check\n"
    "           prints the state of the sandbox as JSON; exit code 1 when it cannot be entered\n"
    "       lex-intel-extract --read [--from PAGE] [--summary] [--without-sandbox] FILE...\n"
    "           prints the text of documents, a form feed after each page\n"
    "       lex-intel-extract --version | --help\n";

struct options {
    bool read, check, summary, without_sandbox;
    uint32_t first_page;
    char **files;
    int file_count;
};

/* PDFium calls abort() when it gets no memory. The sandbox forbids the system calls by which the C
 * library would raise SIGABRT, so this takes its place, for PDFium too, and gives the death a name
 * of its own. */
_Noreturn void abort(void) {
    _exit(EXTRACT_EXIT_GAVE_UP);
}

/* ---- --read */

static void print_frame(const struct frame *frame, void *context) {
    (void)context;
    if (frame->type == FRAME_PAGE_FAILED)
        fprintf(stderr, "page %u: %s: %.*s\n", frame->page, extract_code_word(frame->code),
                (int)frame->text_size, frame->text);
    if (frame->type == FRAME_PAGE) fwrite(frame->text, 1, frame->text_size, stdout);
    if (frame->type != FRAME_INFO) putchar('\f');
}

static void print_summary(const char *name, const struct client_result *result) {
    if (result->code)
        printf("%s: %s: %s\n", name, extract_code_word(result->code), result->sentence);
    else
        printf("%s: %s, %u pages, %u read, %u failed, %u ms CPU, %llu KiB\n", name,
               result->kind == FRAME_KIND_PDF ? "PDF" : "text", result->page_count,
               result->pages_read, result->pages_failed, result->cpu_ms,
               (unsigned long long)result->rss_bytes / 1024);
}

static bool map_file(const char *name, const void **bytes, size_t *size) {
    int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat state;
    bool mapped = file >= 0 && fstat(file, &state) == 0;
    *bytes = "";
    *size = mapped ? (size_t)state.st_size : 0;
    if (mapped && *size) {
        void *at = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, file, 0);
        mapped = at != MAP_FAILED;
        *bytes = at;
    }
    if (!mapped) fprintf(stderr, "lex-intel-extract: %s: %s\n", name, strerror(errno));
    if (file >= 0) close(file);
    return mapped;
}

static bool read_file(struct client *client, const struct options *options, const char *name) {
    const void *bytes;
    size_t size;
    if (!map_file(name, &bytes, &size)) return false;
    struct client_result result;
    client_read(client, bytes, size, &client_default_limits, options->first_page,
                options->summary ? NULL : print_frame, NULL, &result);
    if (size) munmap((void *)(uintptr_t)bytes, size);
    if (options->summary)
        print_summary(name, &result);
    else if (result.code)
        fprintf(stderr, "lex-intel-extract: %s: %s: %s\n", name, extract_code_word(result.code),
                result.sentence);
    return result.code == EXTRACT_NO_ERROR;
}

static int run_read(const struct options *options) {
    struct client client;
    if (!client_start(&client, "/proc/self/exe", !options->without_sandbox)) {
        fputs("lex-intel-extract: cannot start its own zygote\n", stderr);
        return 1;
    }
    int failed = 0;
    for (int i = 0; i < options->file_count; i++)
        failed += !read_file(&client, options, options->files[i]);
    client_finish(&client);
    return failed != 0;
}

/* ---- --check */

/* Not what was configured, but what a child that reads a document really has. */
static int run_check(void) {
    static const char document[] = "check";
    struct client client;
    struct client_result result = {.code = EXTRACT_INTERNAL, .sentence = "no zygote"};
    if (client_start(&client, "/proc/self/exe", true)) {
        client_read(&client, document, sizeof document - 1, &client_default_limits, 1, NULL, NULL,
                    &result);
        client_finish(&client);
    }
    bool good = result.code == EXTRACT_NO_ERROR && result.box_seen;
    /* The sentence holds no character that JSON would want escaped: frame.h forbids controls, and
     * ours have neither quotes nor backslashes. */
    printf("{\"sandbox\": %s, \"landlock_abi\": %u, \"seccomp\": %s, \"no_new_privs\": %s, "
           "\"pdfium\": \"%s\", \"version\": \"%s\", \"problem\": \"%s\"}\n",
           good ? "true" : "false", client.ready.landlock_abi, result.box_seen ? "true" : "false",
           result.box_seen ? "true" : "false", pdf_version(), EXTRACT_PROGRAM_VERSION,
           good ? "" : result.sentence);
    return !good;
}

/* ---- the command line */

static bool parse_page(const char *text, uint32_t *page) {
    char *end;
    errno = 0;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || errno || *end || !value || value > EXTRACT_PAGES_MAX) return false;
    *page = (uint32_t)value;
    return true;
}

static bool parse(int count, char **arguments, struct options *options) {
    *options = (struct options){.first_page = 1};
    int i = 1;
    for (; i < count && strncmp(arguments[i], "--", 2) == 0; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--") == 0) {
            i++;
            break;
        }
        if (strcmp(argument, "--read") == 0)
            options->read = true;
        else if (strcmp(argument, "--check") == 0)
            options->check = true;
        else if (strcmp(argument, "--summary") == 0)
            options->summary = true;
        else if (strcmp(argument, "--without-sandbox") == 0)
            options->without_sandbox = true;
        else if (strcmp(argument, "--from") != 0 ||
                 !parse_page(arguments[++i], &options->first_page))
            return false;
    }
    options->files = arguments + i;
    options->file_count = count - i;
    return options->read ? options->file_count > 0 : options->file_count == 0;
}

/* The zygote is for programs: a person who starts it by hand gets told so. */
static bool has_control_socket(void) {
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(EXTRACT_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_SEQPACKET;
}

int main(int argc, char **argv) {
    struct options options;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("lex-intel-extract %s, PDFium %s\n", EXTRACT_PROGRAM_VERSION, pdf_version());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (options.check) return run_check();
    if (options.read) return run_read(&options);
    if (!has_control_socket()) {
        fputs(usage, stderr);
        return 2;
    }
    return zygote_run(!options.without_sandbox);
}
