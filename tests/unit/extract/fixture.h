/* SPDX-License-Identifier: MIT
 * fixture.h - runs documents through the real program and keeps what came, for the tests of its
 * pipeline.
 */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "client.h"
#include "pdf_make.h"

enum { OUTCOME_PAGES_MAX = 32 };

/* What came of one document. */
struct outcome {
    struct client_result result;
    char *text; /* all pages, a form feed behind each */
    size_t size;
    uint32_t first, count;                 /* of the pages that came, read or failed */
    char *pages[OUTCOME_PAGES_MAX];        /* of the first few; NULL: it failed */
    char failures[OUTCOME_PAGES_MAX][100]; /* "code: sentence" */
};

/* limits NULL: the default ones. */
struct outcome outcome_of(struct client *client, const void *bytes, size_t size,
                          const struct client_limits *limits, uint32_t first_page);
void outcome_free(struct outcome *outcome);
/* Starts a zygote (fails the test when it cannot), reads one document, ends the zygote. */
struct outcome outcome_once(const struct pdf *pdf, const struct client_limits *limits);

/* A whole file, size 0 and NULL when there is none. */
char *file_read(const char *path, size_t *size);

#endif
