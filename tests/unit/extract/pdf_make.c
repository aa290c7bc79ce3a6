/* SPDX-License-Identifier: MIT
 * pdf_make.c - the writer of pdf_make.h.
 */
#include "pdf_make.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, BOMB_DEPTH = 26 };

void pdf_raw(struct pdf *pdf, const void *bytes, size_t size) {
    if (pdf->size + size > pdf->capacity) {
        pdf->capacity = (pdf->size + size) * 2;
        pdf->bytes = realloc(pdf->bytes, pdf->capacity);
        if (!pdf->bytes) abort();
    }
    memcpy(pdf->bytes + pdf->size, bytes, size);
    pdf->size += size;
}

__attribute__((format(printf, 2, 3))) static void print(struct pdf *pdf, const char *format, ...) {
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= TEXT_MAX) abort();
    pdf_raw(pdf, text, (size_t)size);
}

void pdf_begin(struct pdf *pdf) {
    print(pdf, "%%PDF-1.7\n");
}

static int begin_object(struct pdf *pdf) {
    if (pdf->objects + 1 == PDF_OBJECTS_MAX) abort();
    pdf->offsets[++pdf->objects] = pdf->size;
    print(pdf, "%d 0 obj\n", pdf->objects);
    return pdf->objects;
}

int pdf_object(struct pdf *pdf, const char *format, ...) {
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= TEXT_MAX) abort();
    int number = begin_object(pdf);
    pdf_raw(pdf, text, (size_t)size);
    print(pdf, "\nendobj\n");
    return number;
}

int pdf_stream(struct pdf *pdf, const char *dictionary, const char *content, size_t size) {
    int number = begin_object(pdf);
    print(pdf, "<<%s/Length %zu>>stream\n", dictionary, size);
    pdf_raw(pdf, content, size);
    print(pdf, "\nendstream\nendobj\n");
    return number;
}

void pdf_end(struct pdf *pdf, const char *trailer) {
    size_t xref = pdf->size;
    print(pdf, "xref\n0 %d\n0000000000 65535 f \n", pdf->objects + 1);
    for (int i = 1; i <= pdf->objects; i++) print(pdf, "%010zu 00000 n \n", pdf->offsets[i]);
    print(pdf, "trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%zu\n%%%%EOF\n", pdf->objects + 1,
          trailer, xref);
}

void pdf_free(struct pdf *pdf) {
    free(pdf->bytes);
    *pdf = (struct pdf){0};
}

void pdf_pages(struct pdf *pdf, const char *count, const char *kids) {
    pdf_object(pdf, "<</Type/Catalog/Pages 2 0 R>>");
    pdf_object(pdf, "<</Type/Pages/Count %s/Kids%s>>", count, kids);
}

int pdf_page_with(struct pdf *pdf, const char *resources, const char *content) {
    int page = pdf_object(pdf,
                          "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<<%s>>"
                          "/Contents %d 0 R>>",
                          resources, pdf->objects + 2);
    pdf_stream(pdf, "", content, strlen(content));
    return page;
}

int pdf_page(struct pdf *pdf, const char *content) {
    return pdf_page_with(pdf, "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>",
                         content);
}

void pdf_plain(struct pdf *pdf, int pages) {
    char kids[TEXT_MAX] = "[", count[16], content[100];
    for (int i = 0; i < pages; i++)
        snprintf(kids + strlen(kids), sizeof kids - strlen(kids), "%d 0 R ", 3 + 2 * i);
    snprintf(kids + strlen(kids), sizeof kids - strlen(kids), "]");
    snprintf(count, sizeof count, "%d", pages);
    pdf_begin(pdf);
    pdf_pages(pdf, count, kids);
    for (int i = 0; i < pages; i++) {
        snprintf(content, sizeof content, "BT /F 12 Tf 72 700 Td (Page %d of the text.) Tj ET",
                 i + 1);
        pdf_page(pdf, content);
    }
    pdf_end(pdf, "");
}

void pdf_bomb(struct pdf *pdf) {
    static const char twice[] = "/X Do /X Do";
    char dictionary[200];
    pdf_begin(pdf);
    pdf_pages(pdf, "3", "[3 0 R 5 0 R 7 0 R]");
    pdf_page(pdf, "BT /F 12 Tf 72 700 Td (Before) Tj ET");
    pdf_page_with(pdf, "/XObject<</X 9 0 R>>", twice);
    pdf_page(pdf, "BT /F 12 Tf 72 700 Td (After) Tj ET");
    for (int i = 0; i < BOMB_DEPTH; i++) {
        snprintf(dictionary, sizeof dictionary,
                 "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>",
                 pdf->objects + 2);
        pdf_stream(pdf, dictionary, twice, sizeof twice - 1);
    }
    pdf_stream(pdf, "/Type/XObject/Subtype/Form/BBox[0 0 9 9]", "", 0);
    pdf_end(pdf, "");
}
