/* SPDX-License-Identifier: MIT
 * keyspace.c - the values that Redis keeps. A value without elements is no value. Never knows a script.
 */
#include "keyspace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- texts ------------------------------------------------------------------------------------------- */

struct text text_of(const char *data) {
    return (struct text){data, strlen(data)};
}

struct text text_number(int64_t number) {
    return text_of(sim_format("%" PRId64, number));
}

bool text_same(struct text a, struct text b) {
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool text_is(struct text text, const char *word) {
    return text_same(text, text_of(word));
}

int64_t text_int(struct text text) {
    char *end;
    long long number = strtoll(text.data, &end, 10);
    SIM_CHECK(end == text.data + text.size && text.size > 0);
    return number;
}

/* --- values ------------------------------------------------------------------------------------------ */

static void value_drop(struct store *store, struct value *value) {
    for (struct value **at = &store->values; *at; at = &(*at)->next) {
        if (*at != value) continue;
        *at = value->next;
        return;
    }
}

struct value *value_find(struct store *store, struct text key) {
    struct value *value = store->values;
    while (value && !text_same(value->key, key)) value = value->next;
    if (!value || !value->expires_ms || value->expires_ms > store->now_us / US_PER_MS) return value;
    value_drop(store, value);
    return NULL;
}

static struct value *value_of(struct store *store, struct text key, enum value_type type) {
    struct value *value = value_find(store, key);
    if (!value) {
        value = sim_alloc(sizeof *value);
        *value = (struct value){
            .next = store->values, .key = {sim_copy(key.data, key.size), key.size}, .type = type};
        store->values = value;
    }
    SIM_CHECK(value->type == type);
    return value;
}

/* Found by whoever only looks. */
static struct value *value_look(struct store *store, struct text key, enum value_type type) {
    struct value *value = value_find(store, key);
    SIM_CHECK(!value || value->type == type);
    return value;
}

struct item *value_item(const struct value *value, struct text name) {
    for (size_t i = 0; value && i < value->count; i++)
        if (text_same(value->items[value->first + i].name, name))
            return &value->items[value->first + i];
    return NULL;
}

static struct text keep(struct text text) {
    return (struct text){sim_copy(text.data, text.size), text.size};
}

/* Room for one more at either end. */
static void value_grow(struct value *value) {
    if (value->first > 0 && value->first + value->count < value->capacity) return;
    size_t capacity = value->count * 2 + 8, first = capacity / 4 + 1;
    struct item *items = sim_alloc(capacity * sizeof *items);
    if (value->count)
        memcpy(items + first, value->items + value->first, value->count * sizeof *items);
    value->items = items;
    value->first = first;
    value->capacity = capacity;
}

static void value_insert(struct value *value, size_t at, struct item item) {
    value_grow(value);
    struct item *items = value->items;
    if (at == 0) {
        value->first--;
    } else {
        size_t place = value->first + at;
        memmove(items + place + 1, items + place, (value->count - at) * sizeof *items);
    }
    items[value->first + at] = item;
    value->count++;
}

static void value_take_out(struct store *store, struct value *value, size_t at) {
    struct item *items = value->items + value->first;
    if (at == 0)
        value->first++;
    else
        memmove(items + at, items + at + 1, (value->count - at - 1) * sizeof *items);
    if (--value->count == 0) value_drop(store, value);
}

void store_clear(struct store *store) {
    store->values = NULL;
}

void store_copy(struct store *target, const struct store *source) {
    struct value **end = &target->values;
    for (const struct value *value = source->values; value; value = value->next) {
        struct value *copy = sim_alloc(sizeof *copy);
        *copy = *value;
        copy->items = sim_alloc(value->capacity * sizeof *copy->items);
        if (value->count)
            memcpy(copy->items + copy->first, value->items + value->first,
                   value->count * sizeof *copy->items);
        *end = copy;
        end = &copy->next;
    }
    *end = NULL;
}

/* --- lists ------------------------------------------------------------------------------------------- */

void do_push(struct store *store, struct text key, struct text element, bool head) {
    struct value *value = value_of(store, key, VALUE_LIST);
    value_insert(value, head ? 0 : value->count, (struct item){.name = keep(element)});
    if (store->pushed) store->pushed(value->key);
}

bool do_pop(struct store *store, struct text key, bool head, struct text *out) {
    struct value *value = value_look(store, key, VALUE_LIST);
    if (!value) return false;
    size_t at = head ? 0 : value->count - 1;
    *out = value->items[value->first + at].name;
    value_take_out(store, value, at);
    return true;
}

void do_take_out(struct store *store, struct text key, struct text element) {
    struct value *value = value_look(store, key, VALUE_LIST);
    for (size_t at = value ? value->count : 0; at-- > 0;)
        if (text_same(value->items[value->first + at].name, element))
            value_take_out(store, value, at);
}

int64_t do_length(struct store *store, struct text key) {
    const struct value *value = value_find(store, key);
    return value ? (int64_t)value->count : 0;
}

/* --- hashes and sets --------------------------------------------------------------------------------- */

void do_hset(struct store *store, struct text key, struct text field, struct text text) {
    struct value *value = value_of(store, key, VALUE_HASH);
    struct item *item = value_item(value, field);
    if (item)
        item->value = keep(text);
    else
        value_insert(value, value->count, (struct item){.name = keep(field), .value = keep(text)});
}

bool do_hget(struct store *store, struct text key, struct text field, struct text *out) {
    const struct item *item = value_item(value_look(store, key, VALUE_HASH), field);
    if (item) *out = item->value;
    return item != NULL;
}

bool do_remove(struct store *store, struct text key, struct text name) {
    struct value *value = value_find(store, key);
    const struct item *item = value_item(value, name);
    if (item) value_take_out(store, value, (size_t)(item - value->items) - value->first);
    return item != NULL;
}

bool do_sadd(struct store *store, struct text key, struct text member) {
    struct value *value = value_of(store, key, VALUE_SET);
    if (value_item(value, member)) return false;
    value_insert(value, value->count, (struct item){.name = keep(member)});
    return true;
}

/* --- sorted sets: by score, then by bytes -------------------------------------------------------------- */

static bool is_behind(const struct item *item, double score, struct text member) {
    if (item->score != score) return item->score > score; /* NOLINT: exactly, as Redis does */
    size_t size = item->name.size < member.size ? item->name.size : member.size;
    int order = memcmp(item->name.data, member.data, size);
    return order ? order > 0 : item->name.size > member.size;
}

void do_zadd(struct store *store, struct text key, double score, struct text member) {
    struct text name = keep(member);
    struct value *value = value_find(store, key);
    const struct item *old = value_item(value, member);
    int64_t expires_ms = value ? value->expires_ms : 0;
    if (old) (void)do_remove(store, key, member);
    value = value_of(store, key, VALUE_SORTED);
    value->expires_ms = expires_ms;
    size_t at = 0;
    while (at < value->count && !is_behind(&value->items[value->first + at], score, name)) at++;
    value_insert(value, at, (struct item){.name = name, .score = score});
}

/* --- strings ----------------------------------------------------------------------------------------- */

void do_set(struct store *store, struct text key, struct text text, int64_t ttl_s) {
    (void)do_delete(store, key);
    struct value *value = value_of(store, key, VALUE_STRING);
    value_insert(value, 0, (struct item){.value = keep(text)});
    if (ttl_s) value->expires_ms = store->now_us / US_PER_MS + ttl_s * 1000;
}

bool do_get(struct store *store, struct text key, struct text *out) {
    const struct value *value = value_look(store, key, VALUE_STRING);
    if (value) *out = value->items[value->first].value;
    return value != NULL;
}

bool do_delete(struct store *store, struct text key) {
    struct value *value = value_find(store, key);
    if (value) value_drop(store, value);
    return value != NULL;
}

void do_expire(struct store *store, struct text key, int64_t ttl_s) {
    struct value *value = value_find(store, key);
    if (!value) return;
    if (ttl_s <= 0)
        value_drop(store, value);
    else
        value->expires_ms = store->now_us / US_PER_MS + ttl_s * 1000;
}

/* --- streams: the one field d -------------------------------------------------------------------------- */

struct text do_xadd(struct store *store, struct text key, int64_t most, struct text d) {
    uint64_t now_ms = (uint64_t)(store->now_us / US_PER_MS);
    if (now_ms > store->last_id_ms) {
        store->last_id_ms = now_ms;
        store->last_id_number = 0;
    } else {
        store->last_id_number++;
    }
    struct value *value = value_of(store, key, VALUE_STREAM);
    struct text id =
        text_of(sim_format("%" PRIu64 "-%" PRIu64, store->last_id_ms, store->last_id_number));
    value_insert(value, value->count, (struct item){.name = id, .value = keep(d)});
    /* "~": Redis trims whole nodes of a hundred entries; what is over stays for a while. */
    while ((int64_t)value->count > most + 100) value_take_out(store, value, 0);
    return id;
}
