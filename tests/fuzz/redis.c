/* SPDX-License-Identifier: MIT
 * redis.c - fuzz target: any bytes as answers of Redis, through hiredis' reader into our replies. The first
 * byte says where they are cut; whole and cut they must read the same, within the bounds of an answer.
 */
#include "net/redis_private.h"

#include <hiredis/hiredis.h>

#include "fuzz.h"

struct reading {
    uint64_t digest;
    int32_t replies;
    bool broken;
};

static void digest(struct reading *reading, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) reading->digest = (reading->digest ^ at[i]) * 0x100000001B3u;
}

static void walk(struct reading *reading, const struct reply *reply) {
    require(reply && reply->text && reply->type >= REPLY_TEXT && reply->type <= REPLY_ARRAY);
    digest(reading, &reply->type, sizeof reply->type);
    digest(reading, &reply->integer, sizeof reply->integer);
    digest(reading, reply->text, reply->size);
    require(reply->text[reply->size] == '\0');
    require(reply->type == REPLY_ARRAY || !reply->count);
    require(reply->count <= (size_t)ELEMENTS_MAX);
    for (size_t i = 0; i < reply->count; i++) walk(reading, reply->items[i]);
}

static bool feed(struct redis *redis, struct reading *reading, const uint8_t *bytes, size_t size) {
    void *object = NULL;
    if (redisReaderFeed(redis->reader, (const char *)bytes, size) != REDIS_OK) return false;
    while (redisReaderGetReply(redis->reader, &object) == REDIS_OK) {
        if (!object) return true;
        walk(reading, object);
        require(redis->arena.total <= (size_t)REPLY_MAX);
        reading->replies++;
        arena_reset(&redis->arena);
    }
    return false;
}

static struct reading read_replies(const uint8_t *bytes, size_t size, size_t piece) {
    struct reading reading = {0};
    struct redis redis = {.reader = NULL};
    require(reader_start(&redis));
    for (size_t at = 0; at < size && !reading.broken; at += piece)
        reading.broken = !feed(&redis, &reading, bytes + at, size - at < piece ? size - at : piece);
    reader_stop(&redis);
    arena_finish(&redis.arena);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct reading whole = read_replies(data + 1, size - 1, size);
    struct reading cut = read_replies(data + 1, size - 1, (size_t)*data + 1);
    require(whole.replies == cut.replies && whole.digest == cut.digest);
    require(whole.broken == cut.broken);
    return 0;
}
