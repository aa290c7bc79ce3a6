/* SPDX-License-Identifier: MIT
 * pdf_make.h - small PDFs for tests, good and evil, written object by object. Never checks what it
 * is told.
 *
 *     struct pdf pdf = {0};
 *     pdf_begin(&pdf);
 *     pdf_pages(&pdf, "3", "[3 0 R 3 0 R 3 0 R]");
 *     pdf_page(&pdf, "BT /F 12 Tf 72 700 Td (Hello) Tj ET");
 *     pdf_end(&pdf, "");
 */
#ifndef TEST_PDF_MAKE_H
#define TEST_PDF_MAKE_H

#include <stddef.h>

enum { PDF_OBJECTS_MAX = 64 };

struct pdf {
    char *bytes;
    size_t size, capacity;
    size_t offsets[PDF_OBJECTS_MAX];
    int objects;
};

void pdf_begin(struct pdf *pdf);
void pdf_raw(struct pdf *pdf, const void *bytes, size_t size);
/* Returns the number of the object. */
__attribute__((format(printf, 2, 3))) int pdf_object(struct pdf *pdf, const char *format, ...);
int pdf_stream(struct pdf *pdf, const char *dictionary, const char *content, size_t size);
void pdf_end(struct pdf *pdf, const char *trailer);
void pdf_free(struct pdf *pdf);

/* Objects 1 and 2: catalog and page tree. */
void pdf_pages(struct pdf *pdf, const char *count, const char *kids);
/* Two objects, the page and its content behind it; resources as given. Returns its number. */
int pdf_page_with(struct pdf *pdf, const char *resources, const char *content);
/* The same in Helvetica, named /F. */
int pdf_page(struct pdf *pdf, const char *content);

/* A whole document of so many pages, each "Page N of the text." */
void pdf_plain(struct pdf *pdf, int pages);
/* Three pages; the second one draws 2^26 form objects. */
void pdf_bomb(struct pdf *pdf);

#endif
