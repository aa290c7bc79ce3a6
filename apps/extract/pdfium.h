/* SPDX-License-Identifier: MIT
 * pdfium.h - the few functions of PDFium's public C interface that are used here. The wheel that
 * brings libpdfium.so has no headers; this part of the interface has been stable since 2014, but
 * for FPDF_LoadMemDocument64 (2020).
 */
#ifndef EXTRACT_PDFIUM_H
#define EXTRACT_PDFIUM_H

#include <stddef.h>

typedef struct fpdf_document_t__ *FPDF_DOCUMENT;
typedef struct fpdf_page_t__ *FPDF_PAGE;
typedef struct fpdf_textpage_t__ *FPDF_TEXTPAGE;
typedef struct fpdf_annotation_t__ *FPDF_ANNOTATION;
typedef struct fpdf_form_handle_t__ *FPDF_FORMHANDLE;

/* Version 2 of the structure; newer libraries read no further than the version says. */
typedef struct FPDF_LIBRARY_CONFIG_ {
    int version;
    const char **m_pUserFontPaths; /* NULL-terminated folders */
    void *m_pIsolate;
    unsigned int m_v8EmbedderSlot;
} FPDF_LIBRARY_CONFIG;

/* Version 2, which a library with XFA wants. What stands here as one list are 34 functions and pointers, each of
 * which may be NULL: nothing is drawn, timed, opened or sent, and without m_pJsPlatform no script runs. */
typedef struct FPDF_FORMFILLINFO_ {
    int version;
    void *none[34];
} FPDF_FORMFILLINFO;

typedef struct FS_SIZEF_ {
    float width, height;
} FS_SIZEF;

enum {
    FPDF_ERR_SUCCESS,
    FPDF_ERR_UNKNOWN,
    FPDF_ERR_FILE,
    FPDF_ERR_FORMAT,
    FPDF_ERR_PASSWORD,
    FPDF_ERR_SECURITY,
    FPDF_ERR_PAGE
};

enum { FPDF_ANNOT_FREETEXT = 3, FPDF_ANNOT_WIDGET = 20 };
enum { FLATTEN_SUCCESS = 1 };
enum { FLAT_NORMALDISPLAY = 0 };

void FPDF_InitLibraryWithConfig(const FPDF_LIBRARY_CONFIG *config);
FPDF_DOCUMENT FPDF_LoadMemDocument64(const void *bytes, size_t size, const char *password);
unsigned long FPDF_GetLastError(void);
int FPDF_GetPageCount(FPDF_DOCUMENT document);
int FPDF_GetPageSizeByIndexF(FPDF_DOCUMENT document, int index, FS_SIZEF *size);
FPDF_PAGE FPDF_LoadPage(FPDF_DOCUMENT document, int index);
void FPDF_ClosePage(FPDF_PAGE page);
int FPDFPage_GetAnnotCount(FPDF_PAGE page);
FPDF_ANNOTATION FPDFPage_GetAnnot(FPDF_PAGE page, int index);
int FPDFAnnot_GetSubtype(FPDF_ANNOTATION annotation);
int FPDFAnnot_HasKey(FPDF_ANNOTATION annotation, const char *key);
void FPDFPage_CloseAnnot(FPDF_ANNOTATION annotation);
/* The information has to live as long as the environment. */
FPDF_FORMHANDLE FPDFDOC_InitFormFillEnvironment(FPDF_DOCUMENT document,
                                                FPDF_FORMFILLINFO *information);
/* Gives annotations without an appearance one, and all fields where the form asks for it (NeedAppearances). */
void FORM_OnAfterLoadPage(FPDF_PAGE page, FPDF_FORMHANDLE form);
void FORM_OnBeforeClosePage(FPDF_PAGE page, FPDF_FORMHANDLE form);
/* Makes what annotations show a part of the page's content, for pages loaded later. */
int FPDFPage_Flatten(FPDF_PAGE page, int usage);
FPDF_TEXTPAGE FPDFText_LoadPage(FPDF_PAGE page);
void FPDFText_ClosePage(FPDF_TEXTPAGE text);
int FPDFText_CountChars(FPDF_TEXTPAGE text);
/* A unit of UTF-16. */
unsigned int FPDFText_GetUnicode(FPDF_TEXTPAGE text, int index);

#endif
