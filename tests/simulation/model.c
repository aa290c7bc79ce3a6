/* SPDX-License-Identifier: MIT
 * model.c - is the model of Redis right? Random operations, all our scripts and the plain commands we send, go to the
 * model and to a real server (TEST_REDIS_URL); answers and, batch by batch, all that is stored must be the same.
 * simulation-model [SEED [OPERATIONS [BUG]]]. Scripts are the library's own text; only the time they see is ours.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef REDIS_BLOCK /* a flag of hiredis, and a role of ours */
#include "model.h"
#include "world.h"

enum { OPERATIONS = 10000, BATCH = 50, FLUSH_EACH = 500 };

static redisContext *server;
static struct store model;

/* --- the server ------------------------------------------------------------------------------------------- */

static redisReply *ask(const struct text *words, int32_t count) {
    const char *data[80];
    size_t sizes[80];
    SIM_CHECK(count <= 80);
    for (int32_t i = 0; i < count; i++) {
        data[i] = words[i].data;
        sizes[i] = words[i].size;
    }
    redisReply *reply = redisCommandArgv(server, count, data, sizes);
    if (!reply) sim_fail("no answer of the server: %s", server->errstr);
    return reply;
}

static void tell(const char *name, struct text key, struct text value) {
    freeReplyObject(ask((const struct text[]){text_of(name), key, value}, 3));
}

static void connect_server(void) {
    const char *url = getenv("TEST_REDIS_URL");
    char password[64], host[64];
    int port;
    if (!url || sscanf(url, "redis://:%63[^@]@%63[^:]:%d", password, host, &port) != 3) {
        (void)fprintf(stderr,
                      "simulation-model: TEST_REDIS_URL is needed (tests/unit/with-servers)\n");
        exit(EXIT_FAILURE);
    }
    server = redisConnect(host, port);
    if (!server || server->err) sim_fail("no connection to %s", url);
    freeReplyObject(ask((const struct text[]){TEXT("AUTH"), text_of(password)}, 2));
    freeReplyObject(ask((const struct text[]){TEXT("FLUSHALL")}, 1));
}

/* --- comparing answers -------------------------------------------------------------------------------------- */

static const char *show(const struct reply *reply) {
    if (reply->type == REPLY_INTEGER) return sim_format("%" PRId64, reply->integer);
    if (reply->type == REPLY_ARRAY) return sim_format("a list of %zu", reply->count);
    return reply->type == REPLY_NULL ? "nothing" : reply->text;
}

static bool is_same(const struct reply *mine, const redisReply *real) {
    static const int types[] = {
        [REPLY_TEXT] = REDIS_REPLY_STRING, [REPLY_INTEGER] = REDIS_REPLY_INTEGER,
        [REPLY_NULL] = REDIS_REPLY_NIL,    [REPLY_STATUS] = REDIS_REPLY_STATUS,
        [REPLY_ERROR] = REDIS_REPLY_ERROR, [REPLY_ARRAY] = REDIS_REPLY_ARRAY};
    if (real->type != types[mine->type]) return false;
    if (mine->type == REPLY_INTEGER) return mine->integer == real->integer;
    if (mine->type == REPLY_NULL) return true;
    if (mine->type != REPLY_ARRAY)
        return mine->size == (size_t)real->len && memcmp(mine->text, real->str, mine->size) == 0;
    if (mine->count != real->elements) return false;
    for (size_t i = 0; i < mine->count; i++)
        if (!is_same(mine->items[i], real->element[i])) return false;
    return true;
}

static void compare(const struct operation_drawn *drawn, const struct reply *mine,
                    redisReply *real) {
    if (!is_same(mine, real))
        sim_fail("%s of %s: the model says %s, Redis %s (type %d, %lld, %zu elements)", drawn->name,
                 drawn->words[drawn->is_script ? 0 : 1].data, show(mine),
                 real->str ? real->str : "", real->type, real->integer, real->elements);
    freeReplyObject(real);
}

/* --- scripts: the library's text, but for the clock ----------------------------------------------------------- */

static const struct script *script_of(const char *name) {
    for (int32_t i = 0; i < world_script_count; i++)
        if (strcmp(world_scripts[i]->name, name) == 0) return world_scripts[i];
    return model_script(name);
}

static struct text replace(struct text text, const char *old, const char *new_text) {
    const char *at = strstr(text.data, old);
    if (!at) return text;
    char *out = sim_alloc(text.size + strlen(new_text) + 1);
    size_t before = (size_t)(at - text.data), size = before;
    memcpy(out, text.data, before);
    memcpy(out + size, new_text, strlen(new_text));
    size += strlen(new_text);
    memcpy(out + size, at + strlen(old), text.size - before - strlen(old));
    size += text.size - before - strlen(old);
    return (struct text){out, size};
}

static redisReply *run_real_script(const struct operation_drawn *drawn) {
    struct text text = text_of(script_of(drawn->name)->text);
    text = replace(text, "redis.call('TIME')",
                   "{redis.call('GET', 'sim:s'), redis.call('GET', 'sim:us')}");
    text = replace(text, "'*'", "redis.call('GET', 'sim:id')");
    struct text words[80] = {TEXT("EVAL"), text, text_number(drawn->key_count)};
    for (int32_t i = 0; i < drawn->count; i++) words[3 + i] = drawn->words[i];
    return ask(words, drawn->count + 3);
}

static void run_script(const struct operation_drawn *drawn) {
    const struct reply *mine =
        script_run(&model, drawn->name, drawn->words, drawn->key_count,
                   drawn->words + drawn->key_count, drawn->count - drawn->key_count);
    tell("SET", TEXT("sim:s"), text_number(model.now_us / US_PER_S));
    tell("SET", TEXT("sim:us"), text_number(model.now_us % US_PER_S));
    tell("SET", TEXT("sim:id"),
         text_of(sim_format("%" PRIu64 "-%" PRIu64, model.last_id_ms, model.last_id_number)));
    compare(drawn, mine, run_real_script(drawn));
}

static void run_command(const struct operation_drawn *drawn) {
    const struct reply *mine = command_run(&model, drawn->words, drawn->count);
    if (!mine) return; /* it would block */
    compare(drawn, mine, ask(drawn->words, drawn->count));
}

/* --- comparing all that is stored -------------------------------------------------------------------------------- */

static const struct {
    const char *type, *command, *from, *to;
    size_t step; /* elements of an item */
} forms[] = {
    [VALUE_STRING] = {"string", "GET", NULL, NULL, 1},
    [VALUE_LIST] = {"list", "LRANGE", "0", "-1", 1},
    [VALUE_HASH] = {"hash", "HGETALL", NULL, NULL, 2},
    [VALUE_SET] = {"set", "SMEMBERS", NULL, NULL, 1},
    [VALUE_SORTED] = {"zset", "ZRANGE", "0", "-1", 2},
    [VALUE_STREAM] = {"stream", "XRANGE", "-", "+", 1},
};

static bool item_is_same(const struct value *value, size_t at, const redisReply *real) {
    const struct item *item = &value->items[value->first + at];
    const redisReply *const *elements = (const redisReply *const *)real->element;
    size_t step = forms[value->type].step;
    const redisReply *first = elements[at * step];
    if (value->type == VALUE_STREAM)
        return text_is(item->name, first->element[0]->str) &&
               text_is(item->value, first->element[1]->element[1]->str);
    if (value->type == VALUE_SORTED)
        return text_is(item->name, first->str) &&
               item->score == strtod(elements[at * step + 1]->str, NULL); /* NOLINT: exactly */
    if (value->type == VALUE_LIST) return text_is(item->name, first->str);
    const struct item *found = value_item(value, text_of(first->str)); /* in any order */
    return found && (step == 1 || text_is(found->value, elements[at * step + 1]->str));
}

static void compare_value(const struct value *value) {
    redisReply *type = ask((const struct text[]){TEXT("TYPE"), value->key}, 2);
    if (strcmp(type->str, forms[value->type].type) != 0)
        sim_fail("%s is a %s for Redis", value->key.data, type->str);
    freeReplyObject(type);
    redisReply *ttl = ask((const struct text[]){TEXT("TTL"), value->key}, 2);
    if ((ttl->integer > 0) != (value->expires_ms > 0))
        sim_fail("%s: Redis keeps it for %lld s", value->key.data, ttl->integer);
    freeReplyObject(ttl);
    struct text words[5] = {text_of(forms[value->type].command), value->key};
    int32_t count = 2;
    if (forms[value->type].from) {
        words[count++] = text_of(forms[value->type].from);
        words[count++] = text_of(forms[value->type].to);
    }
    if (value->type == VALUE_SORTED) words[count++] = TEXT("WITHSCORES");
    redisReply *real = ask(words, count);
    if (value->type == VALUE_STRING) {
        SIM_CHECK(text_is(value->items[value->first].value, real->str));
    } else {
        SIM_CHECK(real->elements == value->count * forms[value->type].step);
        for (size_t i = 0; i < value->count; i++)
            if (!item_is_same(value, i, real))
                sim_fail("%s differs at element %zu", value->key.data, i);
    }
    freeReplyObject(real);
}

static void compare_all(void) {
    size_t count = 0;
    for (const struct value *value = model.values; value; value = value->next, count++)
        compare_value(value);
    freeReplyObject(
        ask((const struct text[]){TEXT("DEL"), TEXT("sim:s"), TEXT("sim:us"), TEXT("sim:id")}, 4));
    redisReply *size = ask((const struct text[]){TEXT("DBSIZE")}, 1);
    if (size->integer != (long long)count)
        sim_fail("the model has %zu keys, Redis %lld", count, size->integer);
    freeReplyObject(size);
}

int main(int count, char **words) {
    uint64_t seed = count > 1 ? strtoull(words[1], NULL, 10) : 1;
    int64_t operations = count > 2 ? strtoll(words[2], NULL, 10) : OPERATIONS;
    (void)world_run(seed); /* for the scripts that only progress/ knows */
    connect_server();
    sim_begin(seed);
    if (count > 3) sim_bug = (enum sim_bug)strtoul(words[3], NULL, 10);
    model = (struct store){.now_us = INT64_C(1795478400) * US_PER_S};
    for (int64_t i = 0; i < operations; i++) {
        model.now_us += sim_between(0, 20) ? sim_between(0, 4 * US_PER_S) : -US_PER_S;
        struct operation_drawn drawn = operation_draw(&model);
        sim_trace("model", "%s of %s", drawn.name, drawn.words[0].data);
        if (drawn.is_script)
            run_script(&drawn);
        else
            run_command(&drawn);
        if (i % FLUSH_EACH == FLUSH_EACH - 1) {
            const struct text flush = TEXT("FLUSHALL");
            (void)command_run(&model, &flush, 1);
            freeReplyObject(ask(&flush, 1));
        }
        if (i % BATCH == BATCH - 1) compare_all();
    }
    printf("%" PRId64 " operations from seed %" PRIu64 ": the model and Redis agree\n", operations,
           seed);
    model_report();
    redisFree(server);
    sim_end();
    world_finish();
    return EXIT_SUCCESS;
}
