/* SPDX-License-Identifier: MIT
 * test_control.c - the small parts of frame.h: START, control messages, codes, deaths.
 */
#include "frame.h"

#include <signal.h>
#include <string.h>

#include "unit.h"

START_TEST(start_goes_there_and_back_and_its_limits_hold) {
    static const struct {
        const char *says;
        struct frame_start start;
    } rows[] = {
        {NULL, {1, 1, 1, 1, 0, 0}},
        {NULL,
         {UINT32_MAX, EXTRACT_PAGES_MAX, EXTRACT_PAGE_TEXT_BYTES_MAX, UINT32_MAX, UINT64_MAX,
          EXTRACT_DOCUMENT_BYTES_MAX}},
        {"first_page", {0, 1, 1, 1, 1, 1}},
        {"pages_max", {1, 0, 1, 1, 1, 1}},
        {"pages_max", {1, EXTRACT_PAGES_MAX + 1, 1, 1, 1, 1}},
        {"page_text_bytes_max", {1, 1, 0, 1, 1, 1}},
        {"page_text_bytes_max", {1, 1, EXTRACT_PAGE_TEXT_BYTES_MAX + 1, 1, 1, 1}},
        {"page_cpu_ms", {1, 1, 1, 0, 1, 1}},
        {"document_bytes", {1, 1, 1, 1, 1, EXTRACT_DOCUMENT_BYTES_MAX + 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[FRAME_SMALL_BYTES_MAX];
        struct frame_start again;
        ck_assert_uint_eq(frame_encode_start(bytes, &rows[i].start), FRAME_START_BYTES);
        const char *wrong = frame_decode_start(bytes, &again);
        ck_assert(rows[i].says ? wrong && strstr(wrong, rows[i].says) : !wrong);
        ck_assert_mem_eq(&again, &rows[i].start, sizeof again);
        bytes[4] ^= 1;
        ck_assert_ptr_nonnull(frame_decode_start(bytes, &again));
    }
}
END_TEST

static const struct message {
    const char *says; /* NULL: right */
    struct extract_control control;
} messages[] = {
    {NULL, {.type = EXTRACT_READY, .version = 1, .sandboxed = 1, .landlock_abi = 7}},
    {NULL,
     {.type = EXTRACT_NEW, .serial = UINT64_MAX, .memory_bytes_max = 64 << 20, .cpu_s_max = 1}},
    {NULL, {.type = EXTRACT_BORN, .serial = 1, .pid = 1}},
    {NULL, {.type = EXTRACT_REFUSED, .serial = 1, .status = 11}},
    {NULL, {.type = EXTRACT_KILL, .serial = 1}},
    {NULL,
     {.type = EXTRACT_GONE,
      .serial = 1,
      .pid = INT32_MAX,
      .status = 9,
      .cpu_ms = 1,
      .rss_bytes = 1}},
    {"unknown", {.type = 0}},
    {"unknown", {.type = EXTRACT_CONTROL_END}},
    {"version", {.type = EXTRACT_READY, .version = 2}},
    {"sandboxed", {.type = EXTRACT_READY, .version = 1, .sandboxed = 2}},
    {"foreign", {.type = EXTRACT_READY, .version = 1, .serial = 1}},
    {"memory", {.type = EXTRACT_NEW, .serial = 1, .memory_bytes_max = 1 << 20, .cpu_s_max = 1}},
    {"CPU", {.type = EXTRACT_NEW, .serial = 1, .memory_bytes_max = 64 << 20}},
    {"foreign",
     {.type = EXTRACT_NEW, .serial = 1, .memory_bytes_max = 64 << 20, .cpu_s_max = 1, .pid = 1}},
    {"pid", {.type = EXTRACT_BORN, .serial = 1}},
    {"pid", {.type = EXTRACT_BORN, .serial = 1, .pid = -1}},
    {"foreign", {.type = EXTRACT_BORN, .serial = 1, .pid = 1, .status = 1}},
    {"errno", {.type = EXTRACT_REFUSED, .serial = 1}},
    {"foreign", {.type = EXTRACT_KILL, .serial = 1, .pid = 1}},
    {"pid", {.type = EXTRACT_GONE, .serial = 1, .status = 9}},
};

START_TEST(control_messages_are_checked) {
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        uint8_t bytes[EXTRACT_CONTROL_BYTES + 1] = {0};
        struct extract_control again;
        extract_control_encode(bytes, &messages[i].control);
        const char *wrong = extract_control_decode(bytes, EXTRACT_CONTROL_BYTES, &again);
        const char *says = messages[i].says;
        ck_assert_msg(says ? wrong && strstr(wrong, says) : !wrong, "row %zu: %s", i,
                      wrong ? wrong : "right");
        if (!says) ck_assert_mem_eq(&again, &messages[i].control, sizeof again);
        ck_assert_ptr_nonnull(extract_control_decode(bytes, EXTRACT_CONTROL_BYTES + 1, &again));
        ck_assert_ptr_nonnull(extract_control_decode(bytes, EXTRACT_CONTROL_BYTES - 1, &again));
        ck_assert_ptr_nonnull(extract_control_decode(bytes, 0, &again));
    }
}
END_TEST

START_TEST(each_code_has_a_word_of_its_own) {
    for (uint32_t a = 1; a < EXTRACT_CODE_COUNT; a++) {
        ck_assert_uint_gt(strlen(extract_code_word(a)), 0);
        for (uint32_t b = 1; b < a; b++)
            ck_assert_str_ne(extract_code_word(a), extract_code_word(b));
    }
    ck_assert_str_eq(extract_code_word(EXTRACT_CODE_COUNT), "");
    ck_assert_str_eq(extract_code_word(UINT32_MAX), "");
}
END_TEST

START_TEST(deaths_have_names) {
    static const struct {
        int status;
        enum extract_code code;
        const char *says;
    } rows[] = {
        {SIGPROF, EXTRACT_PAGE_TIMEOUT, "SIGPROF: the page's limit"},
        {SIGXCPU, EXTRACT_TOTAL_TIMEOUT, "SIGXCPU: the document's limit"},
        {SIGSYS, EXTRACT_EXTRACTOR_KILLED, "SIGSYS: a system call"},
        {SIGKILL, EXTRACT_EXTRACTOR_KILLED, "SIGKILL"},
        {SIGSEGV, EXTRACT_EXTRACTOR_KILLED, "SIGSEGV: the reader crashed"},
        {SIGHUP, EXTRACT_EXTRACTOR_KILLED, "signal 1"},
        {EXTRACT_EXIT_GAVE_UP << 8, EXTRACT_EXTRACTOR_KILLED, "memory limit"},
        {0, EXTRACT_EXTRACTOR_KILLED, "exited with 0 before its last frame"},
        {3 << 8, EXTRACT_EXTRACTOR_KILLED, "exited with 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[100];
        extract_death_describe(rows[i].status, out, sizeof out);
        ck_assert_msg(strstr(out, rows[i].says), "%s", out);
        ck_assert_int_eq(extract_death_code(rows[i].status), rows[i].code);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        start_goes_there_and_back_and_its_limits_hold,
        control_messages_are_checked,
        each_code_has_a_word_of_its_own,
        deaths_have_names,
    };
    return unit_run("extract-control", tests, sizeof tests / sizeof *tests);
}
