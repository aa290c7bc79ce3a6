/* SPDX-License-Identifier: MIT
 * fuzz.h - what each fuzz target gives: one function. libFuzzer calls it (meson option fuzz), or
 * runner.c does with the corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a parser must keep to, whatever it is given. */
#define require(promise) ((promise) ? (void)0 : require_failed(#promise, __FILE__, __LINE__))
_Noreturn static inline void require_failed(const char *promise, const char *file, int line) {
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
    abort();
}

/* As text that ends: what is given has no NUL behind it, so that reading on is seen. malloc. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    require(text != NULL);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
