/* SPDX-License-Identifier: MIT
 * test_model.c - the made table: sound in every row, and found by number and by name.
 */
#include <string.h>

#include "base/text.h"
#include "model/model.h"
#include "unit.h"

START_TEST(each_model_is_found_by_number_and_name) {
    for (int32_t i = 0; i < models_count; i++) {
        ck_assert_int_eq(models[i].number, i + 1);
        ck_assert_ptr_eq(model_find(i + 1), &models[i]);
        ck_assert_ptr_eq(model_find_name(models[i].name), &models[i]);
    }
    ck_assert_ptr_null(model_find(0));
    ck_assert_ptr_null(model_find(-1));
    ck_assert_ptr_null(model_find(models_count + 1));
    ck_assert_ptr_null(model_find_name("cases"));
    ck_assert_ptr_null(model_find_name(NULL));
}
END_TEST

START_TEST(each_field_is_found_in_its_own_model_only) {
    for (int32_t i = 0; i < models_count; i++) {
        const struct model *model = &models[i];
        ck_assert_int_le(model->count, MODEL_FIELDS_MAX);
        for (int32_t field = 0; field < model->count; field++) {
            int32_t number = model->number << 8 | (field + 1);
            ck_assert_int_eq(model_field_index(model, number), field);
            ck_assert_int_eq(model_field_find(model, model->fields[field].name), field);
            ck_assert_int_eq(model_field_index(&models[(i + 1) % models_count], number), -1);
        }
        ck_assert_int_eq(model_field_index(model, model->number << 8), -1);
        ck_assert_int_eq(model_field_index(model, model->number << 8 | (model->count + 1)), -1);
        ck_assert_int_eq(model_field_index(model, -1), -1);
    }
}
END_TEST

START_TEST(each_row_of_the_table_is_sound) {
    for (int32_t i = 0; i < models_count; i++) {
        const struct model *model = &models[i];
        int32_t keys = 0;
        for (int32_t at = 0; at < model->count; at++) {
            const struct field *field = &model->fields[at];
            keys += field->key;
            ck_assert((field->type == FIELD_ENUM) == (field->words != NULL));
            ck_assert(!field->has_min || !field->has_max || field->min <= field->max);
            ck_assert(!field->key || !field->null);
            ck_assert(!field->reference || model_find(field->reference)->table);
            ck_assert_uint_gt(strlen(field->meaning), 4);
        }
        ck_assert_int_eq(keys, model->key_count);
        ck_assert((model->table != NULL) == (keys > 0));
        ck_assert((model->table != NULL) == (model->select != NULL));
    }
}
END_TEST

START_TEST(public_numbers_are_those_of_the_table) {
    ck_assert_str_eq(model_find(SHARED_DOCUMENT)->table, "documents");
    ck_assert_int_eq(SHARED_DOCUMENT_ID, 0x201);
    int32_t index = model_field_index(model_find(SHARED_DOCUMENT), SHARED_DOCUMENT_UPDATED_AT);
    ck_assert_str_eq(model_find(SHARED_DOCUMENT)->fields[index].name, "updated_at");
    ck_assert_str_eq(SHARED_EXTRACTION_STATUS_PENDING, "pending");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        each_model_is_found_by_number_and_name,
        each_field_is_found_in_its_own_model_only,
        each_row_of_the_table_is_sound,
        public_numbers_are_those_of_the_table,
    };
    return unit_run("model", tests, sizeof tests / sizeof *tests);
}
