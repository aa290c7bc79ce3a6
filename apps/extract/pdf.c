/* SPDX-License-Identifier: MIT
 * pdf.c - the text of a PDF's pages, by PDFium. Renders nothing, runs no script, opens no other
 * file.
 */
#include <stdlib.h>

#include "document.h"
#include "pdfium.h"

enum {
    HYPHEN_AT_LINE_END = 2, /* PDFium's sign for a hyphen whose word goes on in the next line */
    MISSING_IN_SERIES_MAX = 64
};

const char *pdf_version(void) {
    return PDFIUM_VERSION;
}

void pdf_start(void) {
    /* No font folder: what a page says must not depend on the fonts of the machine, and the sandbox
     * would refuse to open them anyway. */
    static const char *no_folders[] = {NULL};
    FPDF_InitLibraryWithConfig(
        &(FPDF_LIBRARY_CONFIG){.version = 2, .m_pUserFontPaths = no_folders});
}

static bool has_page(FPDF_DOCUMENT pdf, uint32_t page) {
    FS_SIZEF size;
    return FPDF_GetPageSizeByIndexF(pdf, (int)page - 1, &size);
}

/* A PDF may claim any count. When its last page is there the claim is taken as true; otherwise
 * pages are looked for one by one, past holes, until a long series is missing or one more than the
 * limit is found. */
static uint32_t count_pages(FPDF_DOCUMENT pdf, uint32_t pages_max) {
    int claimed = FPDF_GetPageCount(pdf);
    if (claimed <= 0) return 0;
    if (has_page(pdf, (uint32_t)claimed)) return (uint32_t)claimed;
    uint32_t last = 0;
    for (uint32_t page = 1; page < (uint32_t)claimed && page <= pages_max + 1; page++) {
        if (has_page(pdf, page)) last = page;
        if (page - last >= MISSING_IN_SERIES_MAX) break;
    }
    return last;
}

static bool refuse(struct fault *fault, unsigned long error) {
    if (error == FPDF_ERR_PASSWORD)
        return fault_set(fault, EXTRACT_PASSWORD_REQUIRED,
                         "This PDF is protected by a password: upload a copy without one.");
    if (error == FPDF_ERR_SECURITY)
        return fault_set(fault, EXTRACT_PASSWORD_REQUIRED,
                         "This PDF is encrypted in a way that only its owner's program can open: "
                         "upload a copy without protection.");
    return fault_set(fault, EXTRACT_FILE_DAMAGED,
                     "This PDF is damaged or incomplete and cannot be opened: upload it again, or "
                     "save it anew with the program that made it.");
}

static bool open_pdf(struct document *document, struct fault *fault) {
    FPDF_DOCUMENT pdf = FPDF_LoadMemDocument64(document->bytes, document->size, NULL);
    if (!pdf) return refuse(fault, FPDF_GetLastError());
    uint32_t count = count_pages(pdf, document->pages_max);
    if (!count)
        return fault_set(fault, EXTRACT_FILE_DAMAGED,
                         "This PDF has no page that can be found: it is damaged or incomplete.");
    if (count > document->pages_max)
        return fault_set(fault, EXTRACT_TOO_MANY_PAGES,
                         "This PDF has %u pages, more than the %u that are allowed: upload it in "
                         "parts.",
                         count, document->pages_max);
    document->handle = pdf;
    document->page_count = count;
    return true;
}

/* A hyphen at the end of a line stays, with its line end, which PDFium left out. */
static void add_characters(FPDF_TEXTPAGE characters, struct text *text) {
    int count = FPDFText_CountChars(characters);
    uint16_t high = 0;
    for (int i = 0; i < count && text->state == TEXT_OK; i++) {
        unsigned int c = FPDFText_GetUnicode(characters, i);
        if (c == HYPHEN_AT_LINE_END) {
            text_add_utf16(text, (const uint16_t[]){'-', '\n'}, 2);
        } else if (c >= 0xD800 && c <= 0xDBFF && !high) {
            high = (uint16_t)c;
            continue;
        } else if (c > 0xFFFF) {
            text_add(text, c);
        } else {
            text_add_utf16(text, (const uint16_t[]){high, (uint16_t)c} + !high, high ? 2 : 1);
        }
        high = 0;
    }
    if (high) text_add(text, high);
}

/* Whether annotations of the page may show text of their own: any that brings its appearance, and those
 * whose value can be made one, filled fields and typewriter text. */
static bool has_written_annotations(FPDF_PAGE page) {
    bool found = false;
    int count = FPDFPage_GetAnnotCount(page);
    for (int i = 0; i < count && !found; i++) {
        FPDF_ANNOTATION annotation = FPDFPage_GetAnnot(page, i);
        if (!annotation) continue;
        int subtype = FPDFAnnot_GetSubtype(annotation);
        found = subtype == FPDF_ANNOT_WIDGET || subtype == FPDF_ANNOT_FREETEXT ||
                FPDFAnnot_HasKey(annotation, "AP");
        FPDFPage_CloseAnnot(annotation);
    }
    return found;
}

/* Made for the first page that needs it, since it looks at every field of the document. A process reads one
 * document and ends with it, so nothing is taken down. */
static FPDF_FORMHANDLE form_of(FPDF_DOCUMENT pdf) {
    static FPDF_FORMFILLINFO information = {.version = 2};
    static FPDF_FORMHANDLE form;
    if (!form) form = FPDFDOC_InitFormFillEnvironment(pdf, &information);
    return form;
}

/* Flattening draws appearances only, and many programs that fill in forms store none. */
static bool draw_annotations(FPDF_DOCUMENT pdf, FPDF_PAGE page) {
    FPDF_FORMHANDLE form = form_of(pdf);
    if (form) FORM_OnAfterLoadPage(page, form);
    bool drawn = FPDFPage_Flatten(page, FLAT_NORMALDISPLAY) == FLATTEN_SUCCESS;
    if (form) FORM_OnBeforeClosePage(page, form);
    return drawn;
}

/* What annotations show is not in the page's content, and would be lost: they are drawn into it
 * first. */
static FPDF_PAGE load_page(FPDF_DOCUMENT pdf, uint32_t page) {
    FPDF_PAGE loaded = FPDF_LoadPage(pdf, (int)page - 1);
    if (!loaded || !has_written_annotations(loaded) || !draw_annotations(pdf, loaded))
        return loaded;
    FPDF_ClosePage(loaded);
    return FPDF_LoadPage(pdf, (int)page - 1);
}

static bool read_pdf_page(struct document *document, uint32_t page, struct text *text,
                          struct fault *fault) {
    FPDF_PAGE loaded = load_page(document->handle, page);
    FPDF_TEXTPAGE characters = loaded ? FPDFText_LoadPage(loaded) : NULL;
    if (characters) {
        add_characters(characters, text);
        FPDFText_ClosePage(characters);
    }
    if (loaded) FPDF_ClosePage(loaded);
    if (!characters)
        fault_set(fault, EXTRACT_FILE_DAMAGED, "Page %u is damaged and could not be read.", page);
    return characters != NULL;
}

const struct format pdf_format = {
    .kind = FRAME_KIND_PDF,
    .open = open_pdf,
    .read_page = read_pdf_page,
};
