/* SPDX-License-Identifier: MIT
 * orders.c - all orders in which workers, leases that end, and a user can meet over one document, by turns.h:
 * simulation-orders [--order NUMBER] [--trace] [--bug NUMBER], or --bugs: that the planted ones are found. No seed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "turns.h"
#include "world.h"

enum { EXIT_USAGE = 64, WORD_MAX = 16, KNOWN_MAX = 1 << 16 };

/* Every order of these letters, each sorted; workers come in in the order of their names, being alike. */
static const struct {
    const char *letters, *what;
} plans[] = {
    {"Paaaaabbbbb", "one worker takes over from another"},
    {"Paaaabbbbr", "and a user has the document read again"},
    {"Paaaabbbbd", "or deletes it"},
    {"Paaabbdr", "or both"},
    {"Aaaabbbpp", "a lease is renewed"},
    {"PPaaabbcc", "and a third worker takes over"},
};
enum { PLANS = sizeof plans / sizeof *plans };

struct totals {
    uint64_t count, deleted, completed, different, known[KNOWN_MAX];
    int64_t virtual_us;
};
static uint64_t order_wanted; /* 0: all */
static uint64_t order_number;
static struct totals totals;

/* The next of a word's orders, as sorted texts follow each other; false: that was the last. */
static bool next_order(char *word) {
    size_t size = strlen(word), pivot = size - 1, end = size - 1;
    while (pivot > 0 && word[pivot - 1] >= word[pivot]) pivot--;
    if (pivot == 0) return false;
    while (word[end] <= word[pivot - 1]) end--;
    char kept = word[end];
    word[end] = word[pivot - 1];
    word[pivot - 1] = kept;
    for (size_t low = pivot, high = size - 1; low < high; low++, high--) {
        kept = word[low];
        word[low] = word[high];
        word[high] = kept;
    }
    return true;
}

static bool is_named_in_turn(const char *word) {
    const char *a = strchr(word, 'a'), *b = strchr(word, 'b'), *c = strchr(word, 'c');
    return (!b || a < b) && (!c || b < c) && (!strchr(word, 'A') || a < strchr(word, 'A'));
}

/* Words that differ only in turns that came to nothing are one. */
static void remember(const char *effective) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *effective; effective++) hash = (hash ^ (unsigned char)*effective) * 0x100000001b3u;
    size_t at = hash % KNOWN_MAX;
    while (totals.known[at] && totals.known[at] != hash) at = (at + 1) % KNOWN_MAX;
    totals.different += !totals.known[at];
    totals.known[at] = hash;
}

static void run_order(const char *word) {
    static char replay[64];
    order_number++;
    if (order_wanted && order_wanted != order_number) return;
    (void)snprintf(replay, sizeof replay, "(%s) simulation-orders --order %" PRIu64, word,
                   order_number);
    sim_replay = replay;
    struct turns_result result = turns_run(word);
    if (order_wanted)
        printf("order %" PRIu64 ", %s: of effect was %s; %s\n", order_number, word,
               result.effective,
               result.deleted     ? "deleted"
               : result.completed ? "completed"
                                  : "failed");
    totals.count++;
    totals.deleted += result.deleted;
    totals.completed += result.completed;
    totals.virtual_us += result.end_us;
    remember(result.effective);
}

static void run_plans(void) {
    clock_t start = clock(); /* of this processor: virtual time is another */
    for (size_t i = 0; i < PLANS; i++) {
        uint64_t before = totals.count;
        char word[WORD_MAX];
        (void)snprintf(word, sizeof word, "%s", plans[i].letters);
        do {
            if (is_named_in_turn(word)) run_order(word);
        } while (next_order(word));
        if (!order_wanted)
            printf("%-12s %6" PRIu64 " orders: %s\n", plans[i].letters, totals.count - before,
                   plans[i].what);
    }
    printf("%" PRIu64 " orders, %" PRIu64 " of them different; %" PRIu64
           " documents completed, %" PRIu64 " deleted, %" PRIu64 " failed; %" PRId64
           " virtual hours, %.1f s of CPU\n",
           totals.count, totals.different, totals.completed, totals.deleted,
           totals.count - totals.completed - totals.deleted, totals.virtual_us / US_PER_S / 3600,
           (double)(clock() - start) / CLOCKS_PER_SEC);
}

static const struct {
    enum sim_bug bug;
    const char *what;
} bugs[] = {{BUG_NO_FENCE, "a run that was taken over may write"},
            {BUG_ACK_UNCHECKED, "a claim that is gone is acknowledged"},
            {BUG_NO_RENEWAL, "leases are not renewed"}};
enum { BUGS = sizeof bugs / sizeof *bugs };

/* In a process of its own, which says on stderr what it found. */
static bool is_found(size_t at) {
    printf("%s:\n", bugs[at].what);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        sim_bug = bugs[at].bug;
        run_plans();
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE;
}

static int find_bugs(void) {
    int missed = 0;
    for (size_t i = 0; i < BUGS; i++) missed += !is_found(i);
    printf("%d of %d planted bugs were found\n", BUGS - missed, BUGS);
    return missed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int count, char **words) {
    bool finds_bugs = false, good = true;
    for (int i = 1; i < count; i++) {
        bool has_value = i + 1 < count;
        if (strcmp(words[i], "--trace") == 0)
            sim_traces = true;
        else if (strcmp(words[i], "--bugs") == 0)
            finds_bugs = true;
        else if (strcmp(words[i], "--order") == 0 && has_value)
            good &= (order_wanted = strtoull(words[++i], NULL, 10)) > 0;
        else if (strcmp(words[i], "--bug") == 0 && has_value)
            sim_bug = (enum sim_bug)strtoul(words[++i], NULL, 10);
        else
            good = false;
    }
    if (!good || sim_bug >= BUG_COUNT) {
        (void)fprintf(stderr,
                      "simulation-orders [--order NUMBER] [--trace] [--bug 1-%d] | --bugs\n",
                      BUG_COUNT - 1);
        return EXIT_USAGE;
    }
    if (finds_bugs) return find_bugs();
    run_plans();
    world_finish();
    return totals.count ? EXIT_SUCCESS : EXIT_FAILURE;
}
