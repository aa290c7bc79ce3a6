/* SPDX-License-Identifier: MIT
 * test_agreement.c - rows of every model and shape, with values near every limit: set field by field and read
 * from JSON they have one verdict, name the same fields, and make the same JSON. The seed is printed;
 * AGREEMENT_SEED repeats a run. That PostgreSQL agrees too is tests/integration/test_verdict.py's.
 */
#include <shared/record.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/check.h"
#include "model/json.h"
#include "unit.h"

enum { ROWS = 1500, LENGTH_MAX = 2100 };

/* --- drawing -------------------------------------------------------------------------------------- */

static uint64_t state;

/* splitmix64, below limit. */
static uint64_t draw(uint64_t limit) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

/* A limit, a number beside it, or any that is not far. */
static int64_t draw_near(const struct field *field, int64_t least, int64_t most) {
    int64_t low = field->has_min ? field->min : least, high = field->has_max ? field->max : most;
    int64_t number = draw(2) ? low : high;
    uint64_t step = draw(32), width = (uint64_t)high - (uint64_t)low;
    if (step == 0) return number > INT64_MIN ? number - 1 : number;
    if (step == 1) return number < INT64_MAX ? number + 1 : number;
    return step < 8 ? number : low + (int64_t)draw(width < 300 ? width + 1 : 300);
}

static void draw_text(struct buffer *out, const struct field *field) {
    static const char *const letters[] = {"a",
                                          " ",
                                          "\n",
                                          "\x01",
                                          "\\",
                                          "\"",
                                          "\x7f",
                                          "\xc3\xa4",
                                          "\xcc\x81",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x98\x80"};
    int64_t length = draw_near(field, 0, 200);
    if (length > LENGTH_MAX) length = (int64_t)draw(300);
    for (int64_t i = 0; i < length; i++)
        buffer_add_text(out, letters[draw(sizeof letters / sizeof *letters)]);
}

static void draw_word(struct buffer *out, const struct field *field) {
    int count = 0;
    while (field->words[count]) count++;
    buffer_add_text(out, field->words[draw((uint64_t)count)]);
    uint64_t damage = draw(32);
    if (damage == 0) buffer_add_char(out, ' ');
    if (damage == 1) buffer_clear(out);
    if (damage == 2 && out->size) out->data[0] = 'X';
}

static void draw_time(struct buffer *out) {
    static const char *const times[] = {"2026-11-24T10:00:00Z",
                                        "2026-11-24 10:00:00.123456+02",
                                        "0001-01-01T00:00:00Z",
                                        "9999-12-31T23:59:59.999999Z",
                                        "0001-01-01T00:00:00+00:01",
                                        "10000-01-01T00:00:00Z",
                                        "2026-02-29T00:00:00Z",
                                        "infinity",
                                        "",
                                        "2026-11-24"};
    buffer_add_text(out, times[draw(4) ? draw(4) : draw(sizeof times / sizeof *times)]);
}

static bool is_number(const struct field *field) {
    return field->type == FIELD_INT32 || field->type == FIELD_INT64;
}

static void draw_value(struct buffer *out, const struct field *field) {
    int64_t least = field->type == FIELD_INT32 ? INT32_MIN : INT64_MIN;
    int64_t most = field->type == FIELD_INT32 ? INT32_MAX : INT64_MAX;
    buffer_clear(out);
    buffer_add_text(out, "");
    switch (field->type) {
    case FIELD_TEXT: draw_text(out, field); break;
    case FIELD_ENUM: draw_word(out, field); break;
    case FIELD_TIME: draw_time(out); break;
    case FIELD_INT32:
    case FIELD_INT64: buffer_format(out, "%lld", (long long)draw_near(field, least, most)); break;
    }
}

/* --- one row both ways -------------------------------------------------------------------------------- */

struct row {
    struct buffer json;
    shared_record *record;
    uint32_t refused; /* bits of the fields that a setter refused */
};

/* The fields of this thread's list. */
static uint32_t failing_fields(const struct model *model) {
    uint32_t fields = 0;
    for (int32_t i = 0; i < shared_failure_count(); i++) {
        int32_t index = model_field_find(model, shared_failure_path(i));
        ck_assert_msg(index >= 0, "%s: %s", model->name, shared_failure_path(i));
        fields |= UINT32_C(1) << index;
    }
    return fields;
}

static void add_field(struct row *row, const struct model *model, int32_t index) {
    static struct buffer value;
    const struct field *field = &model->fields[index];
    int32_t number = model->number << 8 | (index + 1);
    bool null = field->null && !draw(10);
    buffer_format(&row->json, "%s\"%s\":", row->json.size > 1 ? "," : "", field->name);
    draw_value(&value, field);
    shared_status status =
        null ? shared_record_set_null(row->record, number)
             : shared_record_set_text(row->record, number, value.data, value.size);
    if (status < 0) row->refused |= UINT32_C(1) << index;
    if (null)
        buffer_add_text(&row->json, "null");
    else if (is_number(field))
        buffer_add(&row->json, value.data, value.size);
    else
        buffer_add_json(&row->json, value.data, value.size);
}

/* 1: both took it. */
static int compare(const struct model *model, struct row *row) {
    shared_record *read = NULL;
    shared_status checked = shared_record_check(row->record);
    uint32_t by_setters = row->refused | (checked < 0 ? failing_fields(model) : 0);
    shared_status status =
        shared_record_from_json(model->number, row->json.data, row->json.size, &read);
    uint32_t by_json = status < 0 ? failing_fields(model) : 0;
    ck_assert_msg(by_setters == by_json, "%s: %s: setters refuse %x, JSON %x: %s", model->name,
                  row->json.data, by_setters, by_json, shared_error_message(shared_error_last()));
    if (!by_json) ck_assert_str_eq(shared_record_json(row->record), shared_record_json(read));
    shared_record_unref(read);
    return !by_json;
}

static int one_row(const struct model *model) {
    struct row row = {.record = NULL};
    ck_assert_int_eq(shared_record_new(model->number, &row.record), SHARED_OK);
    buffer_add_char(&row.json, '{');
    for (int32_t i = 0; i < model->count; i++)
        if (draw(16)) add_field(&row, model, i);
    buffer_add_char(&row.json, '}');
    int taken = compare(model, &row);
    shared_record_unref(row.record);
    buffer_finish(&row.json);
    return taken;
}

START_TEST(setters_and_json_agree_on_every_model_and_shape) {
    const char *wanted = getenv("AGREEMENT_SEED");
    uint64_t seed = wanted ? strtoull(wanted, NULL, 10) : random_u64() % 1000000;
    printf("AGREEMENT_SEED=%llu\n", (unsigned long long)seed);
    state = seed;
    for (int32_t i = 0; i < models_count; i++) {
        int taken = 0;
        for (int number = 0; number < ROWS; number++) taken += one_row(&models[i]);
        printf("%s: %d of %d taken\n", models[i].name, taken, ROWS);
        ck_assert_int_gt(taken, ROWS / 10);
        ck_assert_int_lt(taken, ROWS);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {setters_and_json_agree_on_every_model_and_shape};
    return unit_run("agreement", tests, sizeof tests / sizeof *tests);
}
