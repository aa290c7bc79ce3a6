/* SPDX-License-Identifier: MIT
 * draw.c - random operations for model.c: from few names, so that they meet, and from what is stored, so that most of
 * them find something. What real programs never do (a claim of ours with Celery's wrapper) is left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "queue/scripts.h"

#define TAIL ", \"\", \"q\"]"

static const char *const lists[] = {"q",
                                    "q\x06\x16"
                                    "3",
                                    "q\x06\x16"
                                    "6",
                                    "q\x06\x16"
                                    "9"};
static int32_t uuid_number;

static void add(struct operation_drawn *drawn, const char *word) {
    SIM_CHECK(drawn->count < WORDS_MAX);
    drawn->words[drawn->count++] = text_of(word);
}

static void add_all(struct operation_drawn *drawn, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) add(drawn, words[i]);
}

static const char *number(int64_t least, int64_t most) {
    return sim_format("%" PRId64, sim_between(least, most));
}

/* Few different ones, some hard to take apart. */
static const char *message(void) {
    static const char *const odd[] = {"{\"a\": \", \\\"\\\", \\\"z\\\"]\"}",
                                      "[]",
                                      "{",
                                      "",
                                      "{\"properties\": {\"priority\": 9}}",
                                      "{\"properties\": {\"priority\": -2.5}}",
                                      "null"};
    enum { ODD = sizeof odd / sizeof *odd };
    if (sim_chance(150)) return odd[sim_between(0, ODD - 1)];
    if (sim_chance(200))
        return sim_format("{\"headers\": {\"id\": \"t%d\", \"lex_key\": \"k%d\"}}",
                          (int)sim_between(0, 3), (int)sim_between(0, 3));
    return sim_format("{\"body\": \"%d\", \"properties\": {\"priority\": %d}}",
                      (int)sim_between(0, 9), (int)sim_between(0, 12));
}

static const char *key(void) {
    return sim_chance(200) ? "" : sim_format("k%d", (int)sim_between(0, 3));
}

static const char *task_id(void) {
    return sim_format("t%d", (int)sim_between(0, 3));
}

/* One that is held by ours, mostly. */
static const char *claim(struct store *model) {
    const struct value *held = value_find(model, TEXT(KEY_UNACKED));
    if (held && sim_chance(900)) {
        const struct item *item =
            &held->items[held->first + (size_t)sim_between(0, (int64_t)held->count - 1)];
        if (item->name.data[0] == 'u') return item->name.data;
    }
    return sim_format("u%d/%d", (int)sim_between(0, 500), (int)sim_between(0, 3) * 3);
}

static void add_claims(struct operation_drawn *drawn, struct store *model) {
    for (int64_t left = sim_between(1, 4); left > 0; left--) add(drawn, claim(model));
}

/* --- scripts -------------------------------------------------------------------------------------------------- */

static void draw_send(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){"q", "lex:live:q", message(), key(), task_id()}, 5);
}

static void draw_claim(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, lists, 4);
    add_all(drawn, (const char *const[]){KEY_LEASE, KEY_INDEX, KEY_UNACKED, KEY_LOST, "lex:dead:q"},
            5);
    add_all(drawn,
            (const char *const[]){number(0, 9000), sim_chance(100) ? "45" : "1000", "3", TAIL}, 4);
    for (int64_t left = sim_between(1, 4); left > 0; left--)
        add(drawn, sim_format("u%d", (int)uuid_number++));
}

static void add_places(struct operation_drawn *drawn) {
    add_all(drawn, (const char *const[]){KEY_LEASE, KEY_INDEX, KEY_UNACKED}, 3);
}

static void draw_renew(struct operation_drawn *drawn, struct store *model) {
    add_places(drawn);
    add(drawn, number(0, 9000));
    add_claims(drawn, model);
}

static void draw_mark(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){"lex:live:q", key(), task_id()}, 3);
}

/* Of a message whose lease was lost before. */
static const char *lost_sha(struct store *model) {
    const struct value *lost = value_find(model, TEXT(KEY_LOST));
    return lost && sim_chance(500) ? lost->items[lost->first].name.data : "";
}

static void draw_finish(struct operation_drawn *drawn, struct store *model) {
    add_places(drawn);
    add_all(drawn,
            (const char *const[]){"lex:live:q", KEY_LOST, claim(model), key(), task_id(),
                                  lost_sha(model)},
            6);
}

static void draw_retry(struct operation_drawn *drawn, struct store *model) {
    add_places(drawn);
    add_all(drawn,
            (const char *const[]){"lex:live:q", lists[sim_between(0, 3)], claim(model), key(),
                                  task_id(), message()},
            6);
}

static void draw_refuse(struct operation_drawn *drawn, struct store *model) {
    add_places(drawn);
    add_all(drawn,
            (const char *const[]){"lex:live:q", "lex:dead:q", claim(model), key(), task_id(),
                                  number(1, 4), sim_chance(500) ? "E: no reason" : ""},
            7);
}

static void draw_hand_back(struct operation_drawn *drawn, struct store *model) {
    add_places(drawn);
    add_all(drawn, (const char *const[]){"q", sim_chance(500) ? "RPUSH" : "LPUSH"}, 2);
    add_claims(drawn, model);
}

static void draw_sweep(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_places(drawn);
    add_all(drawn,
            (const char *const[]){KEY_LOST, KEY_SWEEP, number(1, 5), number(1, 3), number(1, 4),
                                  sim_chance(500) ? "100000" : "3000", number(0, 2000)},
            7);
}

static void draw_restore(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_places(drawn);
    add_all(drawn,
            (const char *const[]){KEY_LOST, KEY_SWEEP, KEY_MUTEX, number(1, 5), number(1, 4),
                                  number(1, 60)},
            6);
}

static void draw_store(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    static const char *const states[] = {"SUCCESS", "FAILURE", "REVOKED", "RETRY"};
    add_all(drawn,
            (const char *const[]){
                sim_format("celery-task-meta-%s", task_id()), sim_chance(500) ? "0" : "1000000",
                sim_format("{\"status\": \"%s\"}", states[sim_between(0, 3)]), number(0, 1)},
            4);
}

static void draw_stats(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, lists, 4);
    add_all(drawn, (const char *const[]){KEY_INDEX, "lex:dead:q"}, 2);
}

static void draw_oldest(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add(drawn, "lex:live:q");
    add_all(drawn, lists, 4);
}

static void draw_publish(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    const char *document = key();
    add_all(drawn,
            (const char *const[]){sim_format("progress-log:%s", document),
                                  sim_format("progress:%s", document), "{\"percent\":1}", "1000",
                                  "1000000"},
            5);
}

/* From an entry that is there, mostly. */
static void draw_replay(struct operation_drawn *drawn, struct store *model) {
    const char *log = sim_format("progress-log:%s", key());
    const struct value *value = value_find(model, text_of(log));
    const char *from = sim_chance(300) ? "" : "5-1";
    if (value && sim_chance(800))
        from = value->items[value->first + (size_t)sim_between(0, (int64_t)value->count - 1)]
                   .name.data;
    add_all(drawn, (const char *const[]){log, from, number(1, 5)}, 3);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void draw_push(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, lists[sim_between(0, 3)], message()}, 3);
}

static void draw_list(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, lists[sim_between(0, 3)]}, 2);
}

static void draw_move(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    const char *list = lists[sim_between(0, 3)];
    add_all(drawn, (const char *const[]){drawn->name, list, list, "RIGHT", "RIGHT", "1"}, 6);
}

/* Of the exchange "ex" the routing key "b" has two queues, and "top" has patterns. */
static void draw_binding(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    static const char *const bound[][2] = {{"ex", "a\x06\x16\x06\x16q"},
                                           {"ex", "b\x06\x16x\x06\x16q\x06\x16"
                                                  "3"},
                                           {"ex", "b\x06\x16\x06\x16q"},
                                           {"top", "a.#\x06\x16^a\\.\x06\x16q"},
                                           {"top", "a\x06\x16^a\x06\x16q"}};
    int64_t at = sim_between(0, sizeof bound / sizeof *bound - 1);
    const char *key = sim_format("_kombu.binding.%s", bound[at][0]);
    add_all(drawn, (const char *const[]){drawn->name, key, bound[at][1]}, 3);
}

static void draw_unmark(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, "lex:live:q", key()}, 3);
}

static void draw_marks(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, "lex:live:q", key(), key()}, 4);
}

static void draw_get(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, sim_format("celery-task-meta-%s", task_id())},
            2);
}

/* A claim of Celery's, as kombu writes it: first the hash, then the index. */
static void draw_foreign(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    static const char *const tails[] = {
        ", \"\", \"q\"]",     ", \"ex\", \"a\"]", ", \"ex\", \"b\"]",      ", \"top\", \"a\"]",
        ", \"none\", \"q\"]", ", \"\", q]",       ", \"\", \"q\\u00e9\"]", ", \"\", \"q\\x\"]"};
    add_all(
        drawn,
        (const char *const[]){drawn->name, KEY_UNACKED, sim_format("f%d", (int)sim_between(0, 9)),
                              sim_format("[%s%s", message(),
                                         tails[sim_between(0, sizeof tails / sizeof *tails - 1)])},
        4);
}

static void draw_index(struct operation_drawn *drawn, struct store *model) {
    add_all(
        drawn,
        (const char *const[]){
            drawn->name, KEY_INDEX,
            sim_format("%.3f", (double)(model->now_us / US_PER_MS - sim_between(0, 90000)) / 1000),
            sim_format("f%d", (int)sim_between(0, 9))},
        4);
}

static void draw_mutex(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    if (strcmp(drawn->name, "SETEX") == 0)
        add_all(drawn, (const char *const[]){drawn->name, KEY_MUTEX, "1000000", "x"}, 4);
    else
        add_all(drawn, (const char *const[]){drawn->name, KEY_MUTEX}, 2);
}

static void draw_expire(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add_all(drawn, (const char *const[]){drawn->name, KEY_LOST, sim_chance(500) ? "0" : "1000000"},
            3);
}

static void draw_alone(struct operation_drawn *drawn, struct store *model) {
    (void)model;
    add(drawn, drawn->name);
}

static struct {
    const char *name;
    const struct script *script; /* NULL and key_count: progress/ keeps it to itself */
    int32_t weight, key_count;   /* key_count 0: a command */
    void (*draw)(struct operation_drawn *drawn, struct store *model);
    int32_t drawn;
} kinds[] = {
    {"send", &script_send, 20, 2, draw_send, 0},
    {"claim", &script_claim, 20, 9, draw_claim, 0},
    {"renew", &script_renew, 10, 3, draw_renew, 0},
    {"mark", &script_mark, 5, 1, draw_mark, 0},
    {"finish", &script_finish, 10, 5, draw_finish, 0},
    {"retry", &script_retry, 5, 5, draw_retry, 0},
    {"refuse", &script_refuse, 4, 5, draw_refuse, 0},
    {"hand_back", &script_hand_back, 5, 3, draw_hand_back, 0},
    {"sweep", &script_sweep, 15, 5, draw_sweep, 0},
    {"restore", &script_restore, 15, 6, draw_restore, 0},
    {"store", &script_store, 8, 1, draw_store, 0},
    {"stats", &script_stats, 3, 6, draw_stats, 0},
    {"oldest", &script_oldest, 5, 5, draw_oldest, 0},
    {"publish", NULL, 5, 2, draw_publish, 0},
    {"replay", NULL, 5, 1, draw_replay, 0},
    {"LPUSH", NULL, 6, 0, draw_push, 0},
    {"RPUSH", NULL, 3, 0, draw_push, 0},
    {"RPOP", NULL, 1, 0, draw_list, 0},
    {"LPOP", NULL, 1, 0, draw_list, 0},
    {"LLEN", NULL, 1, 0, draw_list, 0},
    {"BLMOVE", NULL, 4, 0, draw_move, 0},
    {"SADD", NULL, 2, 0, draw_binding, 0},
    {"HDEL", NULL, 2, 0, draw_unmark, 0},
    {"HMGET", NULL, 4, 0, draw_marks, 0},
    {"GET", NULL, 3, 0, draw_get, 0},
    {"HSET", NULL, 6, 0, draw_foreign, 0},
    {"ZADD", NULL, 6, 0, draw_index, 0},
    {"SETEX", NULL, 1, 0, draw_mutex, 0},
    {"DEL", NULL, 3, 0, draw_mutex, 0},
    {"EXPIRE", NULL, 2, 0, draw_expire, 0},
    {"PING", NULL, 1, 0, draw_alone, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct operation_drawn operation_draw(struct store *model) {
    int32_t all = 0, at = 0;
    for (int32_t i = 0; i < KINDS; i++) all += kinds[i].weight;
    int64_t left = sim_between(0, all - 1);
    while (left >= kinds[at].weight) left -= kinds[at++].weight;
    kinds[at].drawn++;
    struct operation_drawn drawn = {.name = kinds[at].name,
                                    .is_script = kinds[at].key_count > 0,
                                    .key_count = kinds[at].key_count};
    kinds[at].draw(&drawn, model);
    return drawn;
}

const struct script *model_script(const char *name) {
    for (int32_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0 && kinds[i].script) return kinds[i].script;
    sim_fail("no run of the world used the script %s", name);
}

void model_report(void) {
    for (int32_t i = 0; i < KINDS; i++) {
        printf("%s%s %d", i ? ", " : "  ", kinds[i].name, (int)kinds[i].drawn);
        if (!kinds[i].drawn)
            sim_fail("%s was never drawn: more operations are needed", kinds[i].name);
    }
    printf("\n");
}
