/* SPDX-License-Identifier: MIT
 * detect.c - signatures of files that are read, and of those that are not, by name, so that the
 * person who uploaded one knows what to do. Never parses beyond the signature.
 */
#include "detect.h"

#include <string.h>

enum { PDF_HEADER_WITHIN = 1024, ZIP_LOOK_BYTES = 4096 };

static const struct signature {
    const char *bytes;
    size_t size, offset;
    const char *what;
} signatures[] = {
    {"{\\rtf", 5, 0, "an RTF document"},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8, 0, "an old Office document (Word, Excel or Outlook)"},
    {"\x89PNG\r\n\x1A\n", 8, 0, "a PNG picture"},
    {"\xFF\xD8\xFF", 3, 0, "a JPEG picture"},
    {"GIF8", 4, 0, "a GIF picture"},
    {"II*\0", 4, 0, "a TIFF picture"},
    {"MM\0*", 4, 0, "a TIFF picture"},
    {"BM", 2, 0, "a BMP picture"},
    {"WEBP", 4, 8, "a WebP picture"},
    {"ftypheic", 8, 4, "a HEIC picture"},
    {"\0\0\0\x0CjP  ", 8, 0, "a JPEG 2000 picture"},
    {"ftyp", 4, 4, "a video or sound recording"},
    {"RIFF", 4, 0, "a video or sound recording"},
    {"ID3", 3, 0, "a sound recording"},
    {"%!PS", 4, 0, "a PostScript document"},
    {"\x1F\x8B", 2, 0, "a gzip archive"},
    {"7z\xBC\xAF\x27\x1C", 6, 0, "a 7z archive"},
    {"Rar!\x1A\x07", 6, 0, "a RAR archive"},
    {"BZh", 3, 0, "a bzip2 archive"},
    {"\xFD"
     "7zXZ",
     5, 0, "an xz archive"},
    {"\x78\x9F\x3E\x22", 4, 0, "an Outlook attachment (winmail.dat)"},
    {"\xFFWPC", 4, 0, "a WordPerfect document"},
    {"\x7F"
     "ELF",
     4, 0, "a program"},
};

/* Names of members near the beginning of a zip file tell what it is. */
static const struct member {
    const char *name, *what;
} members[] = {
    {"word/", "a Word document (docx)"},
    {"xl/", "an Excel workbook (xlsx)"},
    {"ppt/", "a PowerPoint presentation (pptx)"},
    {"opendocument.text", "an OpenDocument text (odt)"},
    {"opendocument", "an OpenDocument file"},
    {"epub+zip", "an EPUB book"},
    {"[Content_Types].xml", "an Office document"},
};

static bool contains(const struct document *document, size_t within, const char *word) {
    size_t size = document->size < within ? document->size : within;
    return memmem(document->bytes, size, word, strlen(word)) != NULL;
}

/* Office encrypts a file with a password into the old container; its parts have names in UTF-16. */
static bool is_encrypted_office(const struct document *document) {
    static const char name[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g";
    return memmem(document->bytes, document->size, name, sizeof name) != NULL;
}

static const char *name_zip(const struct document *document) {
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (contains(document, ZIP_LOOK_BYTES, members[i].name)) return members[i].what;
    return "a ZIP archive";
}

static bool starts_with(const struct document *document, const char *bytes, size_t size,
                        size_t offset) {
    return document->size >= offset + size && memcmp(document->bytes + offset, bytes, size) == 0;
}

static const char *name_other(const struct document *document) {
    if (starts_with(document, "PK\3\4", 4, 0) || starts_with(document, "PK\5\6", 4, 0))
        return name_zip(document);
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const struct signature *signature = &signatures[i];
        if (!starts_with(document, signature->bytes, signature->size, signature->offset)) continue;
        bool locked = signature->bytes[0] == '\xD0' && is_encrypted_office(document);
        return locked ? "an Office document protected by a password" : signature->what;
    }
    return NULL;
}

/* Viewers accept a PDF's header anywhere within the first 1024 bytes, and mail programs do put
 * bytes before it. A text that mentions "%PDF-" has no objects behind. */
static bool is_pdf(const struct document *document) {
    size_t size = document->size < PDF_HEADER_WITHIN ? document->size : PDF_HEADER_WITHIN;
    const uint8_t *header = memmem(document->bytes, size, "%PDF-", 5);
    if (!header) return false;
    if (header == document->bytes) return true;
    return contains(document, document->size, "endobj");
}

static bool is_short_signature_in_text(const struct document *document) {
    return charset_guess(document->bytes, document->size) > CHARSET_UNKNOWN;
}

const struct format *detect_format(struct document *document, struct fault *fault) {
    if (document->size == 0) {
        fault_set(fault, EXTRACT_FILE_DAMAGED, "The file is empty.");
        return NULL;
    }
    if (is_pdf(document)) return &pdf_format;
    const char *what = name_other(document);
    /* "BM" or "ID3" may well begin a sentence; RTF and PostScript are text, but not to a reader. */
    bool spelled = document->bytes[0] != '{' && document->bytes[0] != '%';
    if (what && !(spelled && is_short_signature_in_text(document))) {
        fault_set(fault, EXTRACT_TYPE_UNSUPPORTED,
                  "This is %s. Only PDF and plain text can be read: save it as PDF and upload "
                  "that.",
                  what);
        return NULL;
    }
    document->charset = charset_guess(document->bytes, document->size);
    if (document->charset > CHARSET_UNKNOWN) return &plain_format;
    if (document->charset == CHARSET_UNKNOWN)
        fault_set(fault, EXTRACT_TYPE_UNSUPPORTED,
                  "This text is in an old encoding that cannot be told for certain: save it as "
                  "UTF-8 and upload that.");
    else
        fault_set(fault, EXTRACT_TYPE_UNSUPPORTED,
                  "This is neither a PDF nor plain text, and nothing else can be read: save it "
                  "as PDF and upload that.");
    return NULL;
}
