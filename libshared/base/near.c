/* SPDX-License-Identifier: MIT
 * near.c - what was most likely meant by a word that is none. Keeps nothing and changes nothing: whoever
 * asks decides whether to say it.
 */
#include "base/near.h"

#include <string.h>
#include <strings.h>

#include "base/settings.h"
#include "base/text.h"

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* The usual table of distances between beginnings, of which three rows are kept: the third is for two
 * neighbours that changed places. */
int32_t near_distance(const char *a, size_t a_size, const char *b, size_t b_size) {
    if (a_size > NEAR_SIZE_MAX || b_size > NEAR_SIZE_MAX) return NEAR_FAR;
    int32_t rows[3][NEAR_SIZE_MAX + 1];
    for (size_t i = 0; i <= b_size; i++) rows[0][i] = (int32_t)i;
    for (size_t line = 1; line <= a_size; line++) {
        const int32_t *above = rows[(line - 1) % 3];
        const int32_t *over = rows[(line + 1) % 3]; /* two above */
        int32_t *row = rows[line % 3];
        row[0] = (int32_t)line;
        for (size_t i = 1; i <= b_size; i++) {
            bool same = lower(a[line - 1]) == lower(b[i - 1]);
            row[i] = least(above[i - 1] + !same, least(above[i], row[i - 1]) + 1);
            if (line > 1 && i > 1 && lower(a[line - 1]) == lower(b[i - 2]) &&
                lower(a[line - 2]) == lower(b[i - 1]))
                row[i] = least(row[i], over[i - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

int32_t near_limit(size_t size) {
    return size < 6 ? 1 : (int32_t)(size / 3);
}

const char *near_word(const char *words, const char *value, size_t *size) {
    const char *nearest = NULL;
    size_t value_size = strlen(value);
    int32_t best = near_limit(value_size) + 1;
    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " ");
        int32_t distance = near_distance(word, length, value, value_size);
        if (value_size > 1 && value_size < length && !strncasecmp(word, value, value_size))
            distance = 0;
        if (distance < best) {
            best = distance;
            nearest = word;
            *size = length;
        }
        word += length + strspn(word + length, " ");
    }
    return nearest;
}

static const char *nearest_setting(const char *name, int32_t *best) {
    const char *nearest = NULL;
    for (int32_t i = 0; i < settings_count; i++) {
        const char *other = settings[i].name;
        int32_t longer = (int32_t)strlen(name) - (int32_t)strlen(other);
        if (longer >= *best || -longer >= *best) continue; /* spares the table for most */
        int32_t distance = near_distance(name, strlen(name), other, strlen(other));
        if (distance >= *best) continue;
        *best = distance;
        nearest = other;
    }
    return nearest;
}

const char *near_setting(const char *name, int32_t distance_max) {
    int32_t best = distance_max + 1;
    const char *nearest = nearest_setting(name, &best);
    const char *bare = text_starts(name, "LEX_") ? nearest_setting(name + 4, &best) : NULL;
    return bare ? bare : nearest;
}
