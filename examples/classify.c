/* SPDX-License-Identifier: MIT
 * classify.c - whether it is worth trying again: of an SQLSTATE, the number of an errno, or what Redis said.
 *
 *     ./classify 40001 104 'LOADING Redis is loading the dataset in memory'
 */
#include <string.h>

#include "example.h"

static int32_t classify(const char *word) {
    char *end = NULL;
    long number = strtol(word, &end, 10);
    if (strlen(word) == 5 && !strchr(word, ' ')) return shared_classify_sqlstate(word);
    if (!*end) return shared_classify_errno((int32_t)number);
    return shared_classify_redis(word);
}

int main(int count, char **words) {
    if (count < 2) return fprintf(stderr, "usage: classify SQLSTATE|ERRNO|REPLY ...\n"), 64;
    for (int i = 1; i < count; i++)
        printf("%s: %s\n", words[i],
               classify(words[i]) == SHARED_RETRYABLE ? "retryable" : "permanent");
    return 0;
}
