/* SPDX-License-Identifier: MIT
 * model.h - operations on Redis drawn at random, for model.c.
 */
#ifndef MODEL_H
#define MODEL_H

#include "keyspace.h"

enum { WORDS_MAX = 64 };

struct operation_drawn {
    const char *name; /* of the command or the script */
    bool is_script;
    int32_t key_count, count;
    struct text words[WORDS_MAX];
};
/* One that the present state makes worth while: claims that exist, messages of our form. */
struct operation_drawn operation_draw(struct store *model);
const struct script *model_script(const char *name);
/* How often each was drawn, and fails when one never was. */
void model_report(void);

#endif
