/* SPDX-License-Identifier: MIT
 * text.h - the text of one page in normal form, built code point by code point.
 *
 * Normal form: valid UTF-8 (what is no character becomes U+FFFD); line ends are LF; no control
 * characters but tab and LF; no byte order mark, soft hyphen or bidirectional control; the
 * ligatures U+FB00-FB06 spelled out; NFC. Not NFKC: that would change the text of a law
 * (superscripts, fractions).
 */
#ifndef EXTRACT_TEXT_H
#define EXTRACT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum text_state { TEXT_OK, TEXT_TOO_LONG, TEXT_NO_MEMORY };

struct text {
    char *bytes;
    size_t size, capacity;
    size_t size_max;
    enum text_state state; /* once not OK, nothing more is added */
    bool after_return;     /* the last code point was CR: a LF belongs to it */
    bool may_compose;      /* holds what NFC might change */
};

void text_init(struct text *text, size_t size_max);
void text_finish(struct text *text);
/* Empties it; the memory stays for the next page. */
void text_clear(struct text *text);
void text_add(struct text *text, uint32_t code_point);
/* Unpaired surrogates become U+FFFD. */
void text_add_utf16(struct text *text, const uint16_t *units, size_t count);
/* After the last code point: composes. The state says whether bytes are the whole page. */
enum text_state text_close(struct text *text);

#endif
