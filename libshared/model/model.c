/* SPDX-License-Identifier: MIT
 * model.c - finds things in the made table. Knows no model by name.
 */
#include "model/model.h"

#include "base/text.h"

const struct model *model_find(int32_t number) {
    return number > 0 && number <= models_count ? &models[number - 1] : NULL;
}

const struct model *model_find_name(const char *name) {
    for (int32_t i = 0; i < models_count; i++)
        if (text_equal(models[i].name, name)) return &models[i];
    return NULL;
}

int32_t model_field_index(const struct model *model, int32_t field) {
    int32_t index = (field & 0xff) - 1;
    return field >> 8 == model->number && index >= 0 && index < model->count ? index : -1;
}

int32_t model_field_find(const struct model *model, const char *name) {
    for (int32_t i = 0; i < model->count; i++)
        if (text_equal(model->fields[i].name, name)) return i;
    return -1;
}

bool field_is_made(const struct field *field) {
    bool own_key = field->key && field->type == FIELD_TEXT && !field->reference;
    return own_key || field->server || field->preset;
}
