/* SPDX-License-Identifier: MIT
 * chunk.c - greedy cutting in one pass: each window is read once, and its overlap once more. Knows
 * boundaries only by boundary.h; never looks at a database.
 */
#include "chunk.h"

#include <stdlib.h>

#include "boundary.h"

/* A place in the text, in both measures. */
struct place {
    size_t byte;
    int64_t character;
};

struct cutter {
    const char *text;
    size_t size;
    const struct page_mark *marks;
    size_t mark_count, mark; /* mark: the page that holds the current chunk's start */
    const struct chunk_rules *rules;
};

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

static void place_next(const struct cutter *cutter, struct place *place) {
    do place->byte++;
    while (place->byte < cutter->size && is_continuation(cutter->text[place->byte]));
    place->character++;
}

static void place_back(const struct cutter *cutter, struct place *place) {
    do place->byte--;
    while (place->byte && is_continuation(cutter->text[place->byte]));
    place->character--;
}

static struct place skip_blanks(const struct cutter *cutter, struct place place) {
    while (place.byte < cutter->size && boundary_is_blank(cutter->text[place.byte])) {
        place.byte++;
        place.character++;
    }
    return place;
}

static struct place trim_blanks(const struct cutter *cutter, struct place start, struct place end) {
    while (end.byte > start.byte && boundary_is_blank(cutter->text[end.byte - 1])) {
        end.byte--;
        end.character--;
    }
    return end;
}

/* U+0300-036F and U+200D: a cut before them would tear a letter from its accent. */
static bool is_combining(const char *at) {
    unsigned char first = (unsigned char)at[0];
    unsigned char second = first >= 0xc0 ? (unsigned char)at[1] : 0;
    if (first == 0xcc || (first == 0xcd && second <= 0xaf)) return true;
    return first == 0xe2 && second == 0x80 && (unsigned char)at[2] == 0x8d;
}

/* The best end for a chunk that starts at start; *level says how good it is. */
static struct place find_end(const struct cutter *cutter, struct place start,
                             enum boundary *level) {
    struct place best[BOUNDARY_LEVELS] = {0};
    struct place place = start;
    int64_t half = start.character + cutter->rules->size / 2;
    int64_t limit = start.character + cutter->rules->size;
    while (place.byte < cutter->size && place.character < limit) {
        place_next(cutter, &place);
        if (place.byte >= cutter->size) {
            *level = BOUNDARY_HEADING;
            return place;
        }
        if (place.character <= half) continue;
        enum boundary found = boundary_at(cutter->text, cutter->size, place.byte);
        if (found > BOUNDARY_NONE || !is_combining(cutter->text + place.byte)) best[found] = place;
    }
    for (int i = BOUNDARY_HEADING; i >= BOUNDARY_NONE; i--) {
        if (!best[i].byte) continue;
        *level = (enum boundary)i;
        return best[i];
    }
    *level = BOUNDARY_NONE; /* a run of combining marks longer than half a chunk: cut anywhere */
    return place;
}

/* Where the next chunk starts: at most overlap before end, at a sentence if one starts there. */
static struct place find_overlap(const struct cutter *cutter, struct place start,
                                 struct place end) {
    struct place word = end, place = end;
    /* A chunk has more than half its size: so the next one goes on by a sixth at least, and past this one. */
    int64_t most = cutter->rules->size / 3;
    int64_t first = end.character - (cutter->rules->overlap < most ? cutter->rules->overlap : most);
    struct place sentence = {0};
    while (place.character > first && place.byte > start.byte + 1) {
        place_back(cutter, &place);
        if (place.byte <= start.byte || place.character < first) break;
        enum boundary found = boundary_at(cutter->text, cutter->size, place.byte);
        if (found >= BOUNDARY_SENTENCE) sentence = place;
        if (found > BOUNDARY_NONE) word = place;
    }
    return sentence.byte ? sentence : word;
}

static int32_t page_of(const struct cutter *cutter, size_t byte, size_t *mark) {
    while (*mark + 1 < cutter->mark_count && cutter->marks[*mark + 1].start <= byte) (*mark)++;
    return cutter->mark_count ? cutter->marks[*mark].page : 1;
}

static bool append(struct chunk_list *list, const struct chunk *chunk) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct chunk *items = realloc(list->items, capacity * sizeof *items);
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *chunk;
    return true;
}

static bool append_span(struct cutter *cutter, struct place start, struct place end,
                        struct chunk_list *list) {
    int32_t page_from = page_of(cutter, start.byte, &cutter->mark);
    size_t last_mark = cutter->mark;
    return append(list, &(struct chunk){
                            .start = start.byte,
                            .size = end.byte - start.byte,
                            .char_start = start.character,
                            .char_end = end.character,
                            .page_from = page_from,
                            .page_to = page_of(cutter, end.byte - 1, &last_mark),
                        });
}

bool chunk_cut(const char *text, size_t size, const struct page_mark *marks, size_t mark_count,
               const struct chunk_rules *rules, struct chunk_list *list) {
    struct cutter cutter = {
        .text = text, .size = size, .marks = marks, .mark_count = mark_count, .rules = rules};
    struct place start = skip_blanks(&cutter, (struct place){0});
    while (start.byte < size) {
        enum boundary level = BOUNDARY_NONE;
        struct place end = find_end(&cutter, start, &level);
        struct place last = trim_blanks(&cutter, start, end);
        if (!append_span(&cutter, start, last, list)) return false;
        struct place next = skip_blanks(&cutter, end);
        if (next.byte >= size) break;
        start = level == BOUNDARY_HEADING ? next : find_overlap(&cutter, start, next);
    }
    return true;
}

void chunk_list_finish(struct chunk_list *list) {
    free(list->items);
    *list = (struct chunk_list){0};
}
