/* SPDX-License-Identifier: MIT
 * near.h - what was most likely meant by a word that is none. Pure functions.
 */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>
#include <stdint.h>

enum { NEAR_SIZE_MAX = 40, NEAR_FAR = 1000 };

/* Letters to change, add, leave out, or swap with a neighbour, whatever their case; NEAR_FAR for a word
 * of more than NEAR_SIZE_MAX bytes. */
int32_t near_distance(const char *a, size_t a_size, const char *b, size_t b_size);
/* The distance up to which a word of so many bytes is taken for another: a third of it. */
int32_t near_limit(size_t size);
/* The nearest of words, set apart by spaces; one that begins with value is as near as can be. NULL: none
 * is near. *size gets its bytes. */
const char *near_word(const char *words, const char *value, size_t *size);
/* The nearest name of a setting, also for a name that has LEX_ before it; NULL: none is near. */
const char *near_setting(const char *name, int32_t distance_max);

#endif
