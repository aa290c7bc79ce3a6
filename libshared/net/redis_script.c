/* SPDX-License-Identifier: MIT
 * redis_script.c - Lua scripts: their text travels once a connection, then their SHA-1 stands for it.
 * Never changes a script: they are constants of the folders that own them.
 */
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "net/redis_private.h"

static void sha_make(const char *text, char out[41]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA_DIGEST_LENGTH];
    out[0] = '\0';
    if (!SHA1((const unsigned char *)text, strlen(text), digest)) {
        ERR_clear_error();
        return;
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[40] = '\0';
}

/* NULL: more scripts than we keep; such a one is always sent whole. */
static struct loaded_script *script_find(struct redis *redis, const struct script *script) {
    for (int32_t i = 0; i < redis->script_count; i++)
        if (redis->scripts[i].script == script) return &redis->scripts[i];
    if (redis->script_count == SCRIPTS_MAX) return NULL;
    struct loaded_script *loaded = &redis->scripts[redis->script_count++];
    *loaded = (struct loaded_script){.script = script};
    sha_make(script->text, loaded->sha);
    return loaded;
}

void scripts_forget(struct redis *redis) {
    for (int32_t i = 0; i < redis->script_count; i++) redis->scripts[i].sent = false;
}

/* Keys and arguments as they were sent, in a buffer that an earlier command has left. */
static bool again_keep(struct redis *redis, struct command *command, struct words count,
                       struct words words) {
    if (redis->spare_count > 0) command->again = redis->spares[--redis->spare_count];
    command->again_count = count.count + words.count;
    return words_format(&command->again, (struct words){0}, count) &&
           words_format(&command->again, (struct words){0}, words);
}

void script_done(struct redis *redis, struct command *command) {
    struct buffer *again = &command->again;
    if (redis->spare_count < SPARES_MAX && again->data && again->capacity <= (size_t)16 * 1024) {
        buffer_clear(again);
        redis->spares[redis->spare_count++] = *again;
    } else {
        buffer_finish(again);
    }
    *again = (struct buffer){0};
}

static struct words words_one(const char *const *word) {
    return (struct words){.count = 1, .words = word};
}

void redis_run(struct redis *redis, const struct script *script, struct command *command,
               int32_t keys, int32_t count, const char *const *words, const size_t *sizes) {
    char number[16];
    (void)snprintf(number, sizeof number, "%d", (int)keys);
    struct loaded_script *loaded = script_find(redis, script);
    struct words tail = {.count = count, .words = words, .sizes = sizes};
    const char *counted = number;
    command->script = script;
    command->again = (struct buffer){0};
    bool known = loaded && loaded->sent && loaded->sha[0];
    /* Without memory for a second try there is none: the error then says NOSCRIPT. */
    if (known && !again_keep(redis, command, words_one(&counted), tail)) command->again_count = 0;
    const char *head[] = {known ? "EVALSHA" : "EVAL", known ? loaded->sha : script->text, number};
    command_queue(redis, command, redis->timeout_ms, (struct words){.count = 3, .words = head},
                  tail);
    if (loaded && command->refused == SHARED_OK) loaded->sent = true;
}

bool script_again(struct redis *redis, struct command *command, const char *reply) {
    if (!command->script || command->again_count == 0) return false;
    if (strncmp(reply, "NOSCRIPT", 8) != 0) return false;
    const char *head[] = {"EVAL", command->script->text};
    struct words tail = {.count = command->again_count, .raw = &command->again};
    command->again_count = 0; /* once only */
    command_queue(redis, command, redis->timeout_ms, (struct words){.count = 2, .words = head},
                  tail);
    return true;
}
