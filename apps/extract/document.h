/* SPDX-License-Identifier: MIT
 * document.h - what each format offers to child.c: open, then read pages one by one.
 * A format never writes frames, never reads files, never decides limits.
 */
#ifndef EXTRACT_DOCUMENT_H
#define EXTRACT_DOCUMENT_H

#include "charset.h"
#include "frame.h"
#include "text.h"

/* Why something failed: the word for programs and the sentence for the person who uploaded the
 * file. */
struct fault {
    enum extract_code code;
    char sentence[EXTRACT_SENTENCE_BYTES_MAX];
};

/* Fills in the fault and returns false, so that a failing function can `return fault_set(...)`. */
__attribute__((format(printf, 3, 4))) bool fault_set(struct fault *fault, enum extract_code code,
                                                     const char *format, ...);

struct document {
    const uint8_t *bytes;
    size_t size;
    uint32_t pages_max;
    uint32_t page_count;  /* set by open: 1 ... pages_max */
    enum charset charset; /* of plain text */
    void *handle;         /* the format's own */
};

struct format {
    enum frame_kind kind;
    bool (*open)(struct document *document, struct fault *fault);
    /* Adds the page's characters to the text, which the caller closes. page counts from 1. */
    bool (*read_page)(struct document *document, uint32_t page, struct text *text,
                      struct fault *fault);
};

/* pdf.c; pdf_none.c in a build without PDFium. */
extern const struct format pdf_format;
/* Loads the library: once, in the zygote, before any document. */
void pdf_start(void);
/* "159.0.8149", "system" or "none". */
const char *pdf_version(void);

/* plain.c: a form feed ends a page; what is longer than 64 KiB is cut at an end of line, so that
 * progress moves and the limits of a page hold. A plain text file has no other pages. */
extern const struct format plain_format;

#endif
