/* SPDX-License-Identifier: MIT
 * document.c - fuzz target: any file as plain text, from what it is to the text of its pages. PDFs are left
 * out: they are PDFium's, which has fuzzers of its own. The worker refuses a page whose text is not valid,
 * so each one must be.
 */
#include "detect.h"
#include "fuzz.h"

enum { PAGES_MAX = 50, PAGE_SIZE_MAX = 100000 };

static void check_page(const struct format *format, struct document *document, uint32_t page,
                       struct text *text) {
    struct fault fault;
    text_clear(text);
    require(format->read_page(document, page, text, &fault));
    if (text_close(text) != TEXT_OK) return;
    require(text->size <= PAGE_SIZE_MAX);
    require(!text->size || frame_text_is_valid(text->bytes, text->size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct document document = {.bytes = data, .size = size, .pages_max = PAGES_MAX};
    struct fault fault = {.sentence = ""};
    struct text text;
    const struct format *format = detect_format(&document, &fault);
    require(format || frame_text_is_valid(fault.sentence, strlen(fault.sentence)));
    if (format != &plain_format) return 0;
    if (!format->open(&document, &fault)) {
        require(*fault.sentence);
        return 0;
    }
    require(document.page_count >= 1 && document.page_count <= PAGES_MAX);
    text_init(&text, PAGE_SIZE_MAX);
    for (uint32_t page = 1; page <= document.page_count; page++)
        check_page(format, &document, page, &text);
    text_finish(&text);
    return 0;
}
