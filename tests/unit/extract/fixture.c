/* SPDX-License-Identifier: MIT
 * fixture.c - see fixture.h.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void add(struct outcome *outcome, const char *bytes, size_t size) {
    outcome->text = realloc(outcome->text, outcome->size + size + 1);
    ck_assert_ptr_nonnull(outcome->text);
    memcpy(outcome->text + outcome->size, bytes, size);
    outcome->text[outcome->size + size] = '\f';
    outcome->size += size + 1;
}

static void on_frame(const struct frame *frame, void *context) {
    struct outcome *outcome = context;
    if (frame->type == FRAME_INFO) return;
    if (!outcome->count) outcome->first = frame->page;
    uint32_t place = outcome->count++;
    if (frame->type == FRAME_PAGE) add(outcome, frame->text, frame->text_size);
    if (place >= OUTCOME_PAGES_MAX) return;
    if (frame->type == FRAME_PAGE) {
        outcome->pages[place] = calloc(1, frame->text_size + 1);
        ck_assert_ptr_nonnull(outcome->pages[place]);
        memcpy(outcome->pages[place], frame->text, frame->text_size);
    } else {
        snprintf(outcome->failures[place], sizeof outcome->failures[place], "%s: %.*s",
                 extract_code_word(frame->code), (int)frame->text_size, frame->text);
    }
}

struct outcome outcome_of(struct client *client, const void *bytes, size_t size,
                          const struct client_limits *limits, uint32_t first_page) {
    struct outcome outcome = {.first = 0};
    bool alive = client_read(client, bytes, size, limits ? limits : &client_default_limits,
                             first_page, on_frame, &outcome, &outcome.result);
    ck_assert_msg(alive, "the zygote died: %s", outcome.result.sentence);
    return outcome;
}

void outcome_free(struct outcome *outcome) {
    free(outcome->text);
    for (size_t i = 0; i < OUTCOME_PAGES_MAX; i++) free(outcome->pages[i]);
}

struct outcome outcome_once(const struct pdf *pdf, const struct client_limits *limits) {
    struct client client;
    ck_assert(client_start(&client, EXTRACT_PROGRAM, true));
    struct outcome outcome = outcome_of(&client, pdf->bytes, pdf->size, limits, 1);
    ck_assert_int_eq(client_finish(&client), 0);
    return outcome;
}

char *file_read(const char *path, size_t *size) {
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long end = ftell(file);
    rewind(file);
    char *bytes = malloc(end > 0 ? (size_t)end : 1);
    if (bytes && end > 0) *size = fread(bytes, 1, (size_t)end, file);
    fclose(file);
    return bytes;
}
