/* SPDX-License-Identifier: MIT
 * pdf_none.c - stands for pdf.c in a build without PDFium: refuses each PDF by name.
 */
#include "document.h"

const char *pdf_version(void) {
    return "none";
}

void pdf_start(void) {}

static bool refuse_pdf(struct document *document, struct fault *fault) {
    (void)document;
    return fault_set(fault, EXTRACT_TYPE_UNSUPPORTED,
                     "This is a PDF, and this installation was built without PDFium: it reads "
                     "plain text only.");
}

static bool refuse_page(struct document *document, uint32_t page, struct text *text,
                        struct fault *fault) {
    (void)page, (void)text;
    return refuse_pdf(document, fault);
}

const struct format pdf_format = {
    .kind = FRAME_KIND_PDF,
    .open = refuse_pdf,
    .read_page = refuse_page,
};
