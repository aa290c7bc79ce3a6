/* SPDX-License-Identifier: MIT
 * scripts.c - the library's Lua scripts once more in C, found by their names. Each follows its script in
 * queue/scripts.c or progress/publish.c line by line; test_model.c runs both and compares.
 */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyspace.h"

struct call {
    struct store *store;
    const struct text *keys, *arguments; /* from 0, not from 1 as in Lua */
    int32_t key_count, count;
    int64_t now; /* milliseconds */
};

/* --- what the scripts share ----------------------------------------------------------------------------- */

static void lease(const struct call *call, int32_t at, struct text claim, struct text ms) {
    int64_t until = call->now + text_int(ms);
    do_zadd(call->store, call->keys[at], (double)until, claim);
    do_zadd(call->store, call->keys[at + 1], (double)((until + 999) / 1000), claim);
}

static bool release(const struct call *call, struct text claim) {
    (void)do_remove(call->store, call->keys[0], claim);
    (void)do_remove(call->store, call->keys[1], claim);
    return do_remove(call->store, call->keys[2], claim);
}

/* "<id> ..." */
static bool mark_is_of(struct text mark, struct text id) {
    return mark.size > id.size && memcmp(mark.data, id.data, id.size) == 0 &&
           mark.data[id.size] == ' ';
}

static void unmark(const struct call *call, struct text live, struct text key, struct text id) {
    struct text mark;
    if (!key.size || !do_hget(call->store, live, key, &mark)) return;
    if (mark_is_of(mark, id)) (void)do_remove(call->store, live, key);
}

static void mark(const struct call *call, struct text live, struct text key, struct text id) {
    do_hset(call->store, live, key, text_of(sim_format("%s %" PRId64, id.data, call->now)));
}

static struct text list_of(struct text queue, struct text claim) {
    char step =
        claim.size >= 2 && claim.data[claim.size - 2] == '/' ? claim.data[claim.size - 1] : '0';
    if (step != '3' && step != '6' && step != '9') return queue;
    return text_of(sim_format("%s\x06\x16%c", queue.data, step));
}

static struct text sha_of(struct text message) {
    unsigned char digest[SHA_DIGEST_LENGTH];
    (void)SHA1((const unsigned char *)message.data, message.size, digest);
    char *out = sim_alloc(2 * sizeof digest + 1);
    for (size_t i = 0; i < sizeof digest; i++) (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return (struct text){out, 2 * sizeof digest};
}

/* The same bytes are one entry, and each has a time and a reason in the hash beside. */
static void set_aside(const struct call *call, struct text list, struct text message,
                      struct text most, const char *reason) {
    struct text why = text_of(sim_format("lex:dead-why:%s", list.data + strlen("lex:dead:")));
    struct text sha = sha_of(message), old;
    if (do_hget(call->store, why, sha, &old)) do_take_out(call->store, list, message);
    do_push(call->store, list, message, true);
    if (do_length(call->store, list) == 1) (void)do_delete(call->store, why);
    do_hset(call->store, why, sha, text_of(sim_format("%" PRId64 " %s", call->now, reason)));
    while (do_length(call->store, list) > text_int(most) && do_pop(call->store, list, false, &old))
        (void)do_remove(call->store, why, sha_of(old));
}

/* A text without quotes that ends before `end`; false: it is none, or it does not begin behind `before`. */
static bool quoted(struct text text, size_t end, struct text *out, size_t *begin) {
    size_t at = end;
    while (at > 0 && text.data[at - 1] != '"') at--;
    if (at == 0) return false;
    *out = (struct text){sim_copy(text.data + at, end - at), end - at};
    *begin = at - 1;
    return true;
}

/* [message, "exchange", "queue"]: as the patterns take it apart. */
static bool unwrap(struct text kept, struct text *message, struct text *exchange,
                   struct text *queue) {
    size_t begin;
    if (kept.size < 2 || kept.data[0] != '[') return false;
    if (memcmp(kept.data + kept.size - 2, "\"]", 2) != 0) return false;
    if (!quoted(kept, kept.size - 2, queue, &begin)) return false;
    if (begin < 3 || memcmp(kept.data + begin - 3, "\", ", 3) != 0) return false;
    if (!quoted(kept, begin - 3, exchange, &begin)) return false;
    if (begin < 3 || memcmp(kept.data + begin - 2, ", ", 2) != 0) return false;
    *message = (struct text){sim_copy(kept.data + 1, begin - 3), begin - 3};
    return true;
}

static struct text message_of(struct text kept) {
    struct text message, exchange, queue;
    SIM_CHECK(unwrap(kept, &message, &exchange, &queue) && !exchange.size);
    return message;
}

/* --- the scripts, in their order ---------------------------------------------------------------------------- */

static struct reply *run_send(const struct call *call) {
    do_push(call->store, call->keys[0], call->arguments[0], true);
    mark(call, call->keys[1], call->arguments[1], call->arguments[2]);
    return reply_int(1);
}

static void claim_one(const struct call *call, struct reply *found, int32_t list, int32_t wanted,
                      struct text message, bool some_lost) {
    static const char *const steps[] = {"0", "3", "6", "9"};
    if (message.size > (size_t)text_int(call->arguments[1])) {
        set_aside(call, call->keys[8], message, call->arguments[2],
                  sim_format("%zu bytes, at most %s", message.size, call->arguments[1].data));
        found->items[found->count++] = reply_text(TEXT(""));
        found->items[found->count++] = reply_text(text_number((int64_t)message.size));
        found->items[found->count++] = reply_text(TEXT(""));
        return;
    }
    struct text claim = text_of(sim_format("%s/%s", call->arguments[wanted].data, steps[list]));
    if (sim_bug != BUG_CLAIM_UNLEASED) lease(call, 4, claim, call->arguments[0]);
    size_t size = 1 + message.size + call->arguments[3].size;
    char *wrapped = sim_alloc(size + 1);
    wrapped[0] = '[';
    memcpy(wrapped + 1, message.data, message.size);
    memcpy(wrapped + 1 + message.size, call->arguments[3].data, call->arguments[3].size);
    do_hset(call->store, call->keys[6], claim, (struct text){wrapped, size});
    struct text sha = TEXT(""), count;
    if (some_lost) sha = sha_of(message);
    if (some_lost && !do_hget(call->store, call->keys[7], sha, &count)) sha = TEXT("");
    found->items[found->count++] = reply_text(claim);
    found->items[found->count++] = reply_text(message);
    found->items[found->count++] = reply_text(sha);
}

static struct reply *run_claim(const struct call *call) {
    bool some_lost = value_find(call->store, call->keys[7]) != NULL;
    struct reply *found = reply_array((size_t)(call->count - 4) * 3);
    found->count = 0;
    int32_t list = 0, wanted = 4;
    while (wanted < call->count && list < 4) {
        struct text message;
        if (do_pop(call->store, call->keys[list], false, &message))
            claim_one(call, found, list, wanted++, message, some_lost);
        else
            list++;
    }
    return found;
}

static struct reply *run_renew(const struct call *call) {
    struct reply *lost = reply_array((size_t)call->count);
    lost->count = 0;
    for (int32_t i = 1; i < call->count; i++) {
        struct text kept;
        if (do_hget(call->store, call->keys[2], call->arguments[i], &kept)) {
            if (sim_bug != BUG_NO_RENEWAL) lease(call, 0, call->arguments[i], call->arguments[0]);
        } else {
            (void)do_remove(call->store, call->keys[0], call->arguments[i]);
            (void)do_remove(call->store, call->keys[1], call->arguments[i]);
            lost->items[lost->count++] = reply_int(i - 1);
        }
    }
    return lost;
}

static struct reply *run_mark(const struct call *call) {
    struct text old;
    bool found = do_hget(call->store, call->keys[0], call->arguments[0], &old);
    if (found && !mark_is_of(old, call->arguments[1])) return reply_int(0);
    mark(call, call->keys[0], call->arguments[0], call->arguments[1]);
    return reply_int(1);
}

static struct reply *run_finish(const struct call *call) {
    if (!release(call, call->arguments[0]) && sim_bug != BUG_ACK_UNCHECKED) return reply_int(0);
    unmark(call, call->keys[3], call->arguments[1], call->arguments[2]);
    if (call->arguments[3].size) (void)do_remove(call->store, call->keys[4], call->arguments[3]);
    return reply_int(1);
}

static struct reply *run_retry(const struct call *call) {
    if (!release(call, call->arguments[0])) return reply_int(0);
    do_push(call->store, call->keys[4], call->arguments[3], true);
    if (call->arguments[1].size) mark(call, call->keys[3], call->arguments[1], call->arguments[2]);
    return reply_int(1);
}

static struct reply *run_refuse(const struct call *call) {
    struct text kept = TEXT("");
    (void)do_hget(call->store, call->keys[2], call->arguments[0], &kept);
    if (!release(call, call->arguments[0])) return reply_int(0);
    set_aside(call, call->keys[4], message_of(kept), call->arguments[3], call->arguments[4].data);
    unmark(call, call->keys[3], call->arguments[1], call->arguments[2]);
    return reply_int(1);
}

static struct reply *run_hand_back(const struct call *call) {
    int64_t count = 0;
    for (int32_t i = 2; i < call->count; i++) {
        struct text kept = TEXT(""), claim = call->arguments[i];
        (void)do_hget(call->store, call->keys[2], claim, &kept);
        if (!release(call, claim)) continue;
        do_push(call->store, list_of(call->arguments[0], claim), message_of(kept),
                text_is(call->arguments[1], "LPUSH"));
        count++;
    }
    return reply_int(count);
}

/* --- sweep ---------------------------------------------------------------------------------------------------- */

static int64_t number_in(const struct call *call, struct text key, const char *field) {
    struct text text;
    return do_hget(call->store, key, text_of(field), &text) ? text_int(text) : 0;
}

/* Members of a sorted set up to a score, behind some, at most so many: copied, since they are taken out
 * meanwhile. */
static size_t members_until(const struct call *call, struct text key, double until, size_t behind,
                            struct text out[]) {
    const struct value *value = value_find(call->store, key);
    size_t most = (size_t)text_int(call->arguments[0]), count = 0;
    while (value && behind + count < value->count && count < most &&
           value->items[value->first + behind + count].score <= until) {
        out[count] = value->items[value->first + behind + count].name;
        count++;
    }
    return count;
}

/* By how many more than before; 0: it is only known. */
static int64_t note_lost(const struct call *call, struct text sha, int64_t more) {
    struct text old = TEXT("0");
    if (do_length(call->store, call->keys[3]) > 10000) (void)do_delete(call->store, call->keys[3]);
    (void)do_hget(call->store, call->keys[3], sha, &old);
    int64_t lost = text_int(old) + more;
    do_hset(call->store, call->keys[3], sha, text_number(lost));
    do_expire(call->store, call->keys[3], 86400);
    return lost;
}

static void take_over(const struct call *call, struct text claim, struct reply *result) {
    struct text kept = TEXT(""), message, exchange, queue;
    (void)do_hget(call->store, call->keys[2], claim, &kept);
    if (!release(call, claim)) return;
    SIM_CHECK(unwrap(kept, &message, &exchange, &queue));
    struct text sha = sha_of(message);
    int64_t lost = note_lost(call, sha, 1);
    if (lost >= text_int(call->arguments[1])) {
        (void)do_remove(call->store, call->keys[3], sha);
        set_aside(call, text_of(sim_format("lex:dead:%s", queue.data)), message, call->arguments[2],
                  sim_format("%" PRId64 " workers died while they had it", lost));
        result->items[result->count++] = reply_text(queue);
        result->items[result->count++] = reply_text(message);
    } else {
        do_push(call->store, list_of(queue, claim), message, false);
    }
    result->items[0]->integer++;
}

/* A text of JSON, without its quotes. */
static bool decode(struct text *text) {
    char *quoted_text = sim_format("\"%s\"", text->data);
    json_t *value = json_loads(quoted_text, JSON_DECODE_ANY, NULL);
    if (value) *text = text_of(sim_copy(json_string_value(value), json_string_length(value)));
    json_decref(value);
    return value != NULL;
}

/* Where kombu would put it: of an exchange's bindings the one with this routing key. */
static bool queue_of(const struct call *call, struct text exchange, struct text key,
                     struct text *queue) {
    if (!decode(&exchange) || !decode(&key)) return false;
    *queue = key;
    if (!exchange.size) return true;
    struct text table = text_of(sim_format("_kombu.binding.%s", exchange.data));
    const struct value *value = value_find(call->store, table);
    bool found = false;
    for (size_t i = 0; value && i < value->count; i++) {
        const char *member = value->items[value->first + i].name.data;
        const char *first = strstr(member, "\x06\x16");
        const char *last = first ? strstr(first + 2, "\x06\x16") : NULL;
        if (!last) continue;
        struct text bound = {member, (size_t)(first - member)};
        bool same = text_same(bound, key);
        if (same && found) return false;
        if (!same && strcspn(member, "*#") < bound.size) return false;
        if (same) *queue = text_of(last + 2);
        found |= same;
    }
    return found;
}

static int32_t step_of(struct text message) {
    json_t *parsed = json_loadb(message.data, message.size, JSON_DECODE_ANY, NULL);
    double priority =
        json_number_value(json_object_get(json_object_get(parsed, "properties"), "priority"));
    json_decref(parsed);
    if (priority < 0) priority = 0;
    if (priority > 9) priority = 9;
    return (int32_t)(priority / 3) * 3;
}

/* Whether it stays. */
static bool restore(const struct call *call, struct text claim, int64_t *restored) {
    struct text kept = TEXT(""), message, exchange, key, queue;
    (void)do_hget(call->store, call->keys[2], claim, &kept);
    bool wrapped = unwrap(kept, &message, &exchange, &key);
    if (wrapped && !queue_of(call, exchange, key, &queue)) return true;
    (void)release(call, claim);
    if (wrapped) {
        struct text step = text_of(sim_format("/%d", (int)step_of(message)));
        (void)note_lost(call, sha_of(message), 0);
        do_push(call->store, list_of(queue, step), message, false);
        ++*restored;
    } else if (kept.size) {
        set_aside(call, TEXT("lex:dead:unacked"), kept, call->arguments[1], "no message of kombu");
    }
    return false;
}

/* Their ends are not behind the longest lease that could be given now. */
static void shorten(const struct call *call, int64_t most_ms) {
    const struct value *leases = value_find(call->store, call->keys[0]);
    size_t count = leases ? leases->count : 0, late = 0;
    struct text *claims = sim_alloc((count + 1) * sizeof *claims);
    for (size_t i = 0; i < count; i++)
        if (leases->items[leases->first + i].score > (double)(call->now + most_ms))
            claims[late++] = leases->items[leases->first + i].name;
    for (size_t i = 0; i < late; i++) lease(call, 0, claims[i], text_number(most_ms));
}

static struct reply *run_sweep(const struct call *call) {
    int64_t now = call->now, gap = text_int(call->arguments[3]),
            pause = text_int(call->arguments[4]);
    int64_t last = number_in(call, call->keys[4], "last");
    do_hset(call->store, call->keys[4], TEXT("last"), text_number(now));
    if (now - last > gap || last > now)
        do_hset(call->store, call->keys[4], TEXT("grace"), text_number(now + pause));
    if (last > now) shorten(call, 2 * pause);
    int64_t grace = number_in(call, call->keys[4], "grace");
    if (now < grace && grace <= now + pause) return reply_array(0);
    size_t most = (size_t)text_int(call->arguments[0]);
    struct reply *result = reply_array(1 + 2 * most);
    result->count = 1;
    result->items[0] = reply_int(0);
    struct text *claims = sim_alloc((most + 1) * sizeof *claims);
    size_t count = members_until(call, call->keys[0], (double)now, 0, claims);
    while (count-- > 0) take_over(call, claims[count], result);
    return result;
}

static struct reply *run_restore(const struct call *call) {
    if (value_find(call->store, call->keys[5])) return reply_int(0);
    size_t most = (size_t)text_int(call->arguments[0]), stay = 0;
    size_t behind = (size_t)number_in(call, call->keys[4], "behind");
    struct text *claims = sim_alloc((most + 1) * sizeof *claims);
    double visibility_s = (double)text_int(call->arguments[2]);
    double until_s = strtod(sim_format("%.3f", (double)call->now / 1000 - visibility_s), NULL);
    size_t count = members_until(call, call->keys[1], until_s, behind, claims);
    bool full = count == most;
    int64_t restored = 0;
    while (count-- > 0) stay += restore(call, claims[count], &restored);
    do_hset(call->store, call->keys[4], TEXT("behind"),
            text_number(full ? (int64_t)(behind + stay) : 0));
    return reply_int(restored);
}

/* --- results, counts, progress ----------------------------------------------------------------------------------- */

static bool status_is(struct text meta, const char *word) {
    char *head = sim_format("{\"status\": \"%s\"", word);
    return meta.size >= strlen(head) && memcmp(meta.data, head, strlen(head)) == 0;
}

static struct reply *run_store(const struct call *call) {
    struct text old = TEXT("");
    (void)do_get(call->store, call->keys[0], &old);
    if (status_is(old, "SUCCESS")) return reply_int(0);
    if (text_is(call->arguments[2], "1") &&
        (status_is(old, "FAILURE") || status_is(old, "REVOKED")))
        return reply_int(0);
    do_set(call->store, call->keys[0], call->arguments[1], text_int(call->arguments[0]));
    if (call->store->publish) (void)call->store->publish(call->keys[0], call->arguments[1]);
    return reply_int(1);
}

static struct reply *run_stats(const struct call *call) {
    struct reply *reply = reply_array(3);
    int64_t waiting = 0;
    for (int32_t i = 0; i < 4; i++) waiting += do_length(call->store, call->keys[i]);
    reply->items[0] = reply_int(waiting);
    reply->items[1] = reply_int(do_length(call->store, call->keys[4]));
    reply->items[2] = reply_int(do_length(call->store, call->keys[5]));
    return reply;
}

static int64_t sent_ms(const struct call *call, struct text message) {
    json_t *parsed = json_loadb(message.data, message.size, 0, NULL);
    json_t *headers = json_object_get(parsed, "headers");
    const char *key = json_string_value(json_object_get(headers, "lex_key"));
    const char *id = json_string_value(json_object_get(headers, "id"));
    struct text mark = TEXT(""), id_text = text_of(sim_format("%s", id ? id : ""));
    (void)do_hget(call->store, call->keys[0], text_of(sim_format("%s", key ? key : "")), &mark);
    json_decref(parsed);
    return mark_is_of(mark, id_text) ? strtoll(mark.data + id_text.size + 1, NULL, 10) : 0;
}

static struct reply *run_oldest(const struct call *call) {
    int64_t oldest = INT64_MAX;
    for (int32_t i = 1; i < call->key_count; i++) {
        const struct value *list = value_find(call->store, call->keys[i]);
        if (!list) continue;
        int64_t ms = sent_ms(call, list->items[list->first + list->count - 1].name);
        if (ms < oldest) oldest = ms;
    }
    return reply_int(oldest == INT64_MAX ? -1 : oldest);
}

static struct reply *run_publish(const struct call *call) {
    struct text id =
        do_xadd(call->store, call->keys[0], text_int(call->arguments[1]), call->arguments[0]);
    do_expire(call->store, call->keys[0], text_int(call->arguments[2]));
    if (!call->store->publish) return reply_int(0);
    struct text message = text_of(sim_format(
        "%.*s,\"id\":\"%s\"}", (int)call->arguments[0].size - 1, call->arguments[0].data, id.data));
    return reply_int(call->store->publish(call->keys[1], message));
}

/* "<milliseconds>-<number>" */
static bool id_is_behind(struct text id, struct text other) {
    uint64_t ms = strtoull(id.data, NULL, 10), other_ms = strtoull(other.data, NULL, 10);
    if (ms != other_ms) return ms > other_ms;
    return strtoull(strchr(id.data, '-') + 1, NULL, 10) >
           strtoull(strchr(other.data, '-') + 1, NULL, 10);
}

static void add_entry(struct reply *result, const struct item *item) {
    result->items[result->count++] = reply_text(item->name);
    result->items[result->count++] = reply_text(item->value);
}

static struct reply *run_replay(const struct call *call) {
    const struct value *log = value_find(call->store, call->keys[0]);
    if (!log) return reply_array(0);
    struct reply *result = reply_array(3 + 2 * log->count);
    result->count = 1;
    result->items[0] = reply_text(TEXT("0"));
    const struct item *items = log->items + log->first;
    struct text from = call->arguments[0];
    add_entry(result, &items[log->count - 1]);
    size_t at = 0, most = (size_t)text_int(call->arguments[1]);
    if (!from.size) return result;
    while (at < log->count && id_is_behind(from, items[at].name)) at++;
    if (at == log->count || !text_same(items[at].name, from)) return result;
    result->items[0] = reply_text(TEXT("1"));
    for (size_t i = 1; i < most && at + i < log->count; i++) add_entry(result, &items[at + i]);
    return result;
}

static const struct {
    const char *name;
    struct reply *(*run)(const struct call *call);
} scripts[] = {
    {"send", run_send},     {"claim", run_claim},     {"renew", run_renew},
    {"mark", run_mark},     {"finish", run_finish},   {"retry", run_retry},
    {"refuse", run_refuse}, {"oldest", run_oldest},   {"restore", run_restore},
    {"sweep", run_sweep},   {"store", run_store},     {"hand_back", run_hand_back},
    {"stats", run_stats},   {"publish", run_publish}, {"replay", run_replay},
};

struct reply *script_run(struct store *store, const char *name, const struct text *keys,
                         int32_t key_count, const struct text *arguments, int32_t count) {
    const struct call call = {.store = store,
                              .keys = keys,
                              .arguments = arguments,
                              .key_count = key_count,
                              .count = count,
                              .now = store->now_us / US_PER_MS};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (strcmp(scripts[i].name, name) == 0) return scripts[i].run(&call);
    sim_fail("the model of Redis does not know the script %s", name);
}
