/* SPDX-License-Identifier: MIT
 * replay.c - what a new listener is told first, decided from the log in Redis and the row in PostgreSQL.
 * The row is the truth about whether a run is over; the log knows the way there. Never sends live messages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress/watch.h"

/* keys: log; args: id or "", entries at most. Gives "1" when the id is in the log, its newest entry (id and
 * text), then the entries behind the id. Nothing: there is no log. */
static const struct script script_replay = {
    .name = "replay",
    .text =
        "local function text(entry)\n"
        "  for i = 1, #entry[2], 2 do if entry[2][i] == 'd' then return entry[2][i + 1] end end\n"
        "  return ''\n"
        "end\n"
        "local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)\n"
        "if #newest == 0 then return {} end\n"
        "local result = {'0', newest[1][1], text(newest[1])}\n"
        "if ARGV[1] == '' then return result end\n"
        "local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])\n"
        "if #entries == 0 or entries[1][1] ~= ARGV[1] then return result end\n"
        "result[1] = '1'\n"
        "for i = 2, #entries do\n"
        "  result[#result + 1] = entries[i][1]\n"
        "  result[#result + 1] = text(entries[i])\n"
        "end\n"
        "return result\n"};

/* --- reading ---------------------------------------------------------------------------------------------- */

struct log_reading {
    struct errand errand;
    struct watch *watch; /* NULL: gone */
};

static bool is_zero(struct stream_id id) {
    return id.ms == 0 && id.number == 0;
}

static struct message *read_entry(struct reply *const *items) {
    return message_read(items[1]->text, items[1]->size, items[0]->text, true);
}

static void take_log(struct watch *watch, const struct reply *reply) {
    if (reply->type != REPLY_ARRAY || reply->count < 3) return;
    watch->known = reply->items[0]->text[0] == '1';
    watch->newest = read_entry(reply->items + 1);
    size_t count = (reply->count - 3) / 2;
    if (count) watch->entries = calloc(count, sizeof *watch->entries);
    for (size_t i = 0; i < count && watch->entries; i++) {
        struct message *message = read_entry(reply->items + 3 + i * 2);
        if (message) watch->entries[watch->entry_count++] = message;
    }
}

static void check_log(struct errand *errand, const struct reply *reply,
                      const struct shared_error *error) {
    struct watch *watch = ((struct log_reading *)errand)->watch;
    if (watch) {
        watch->log_reading = NULL;
        watch->log_read = true;
        if (!error) take_log(watch, reply); /* without Redis the row speaks alone */
    }
    errand_free(errand);
    if (watch && watch->row_is_read) watch_decide(watch);
}

void watch_read_log(struct watch *watch) {
    struct progress *progress = watch->topic->progress;
    struct log_reading *reading = errand_new(&progress->errands, sizeof *reading, check_log);
    watch->state = WATCH_READING;
    watch->log_read = !reading;
    if (!reading) return;
    reading->watch = watch;
    watch->log_reading = &reading->errand;
    char log[sizeof PREFIX_LOG + DOCUMENT_ID_SIZE_MAX], from[STREAM_ID_SIZE] = "", count[24];
    snprintf(log, sizeof log, PREFIX_LOG "%s", watch->topic->document_id);
    if (!is_zero(watch->from))
        snprintf(from, sizeof from, "%llu-%llu", (unsigned long long)watch->from.ms,
                 (unsigned long long)watch->from.number);
    snprintf(count, sizeof count, "%lld",
             (long long)client_setting(progress->client, "PROGRESS_LOG_LENGTH") + LOG_SLACK);
    const char *words[] = {log, from, count};
    errand_run(&reading->errand, progress->redis, &script_replay, 1, 3, words, NULL);
}

void watch_drop_reading(struct watch *watch) {
    if (watch->log_reading) ((struct log_reading *)watch->log_reading)->watch = NULL;
    watch->log_reading = NULL;
    message_unref(watch->newest);
    watch->newest = NULL;
    for (size_t i = 0; i < watch->entry_count; i++) message_unref(watch->entries[i]);
    free(watch->entries);
    watch->entries = NULL;
    watch->entry_count = 0;
    watch->known = false;
}

/* --- decision ----------------------------------------------------------------------------------------------- */

/* The log's newest message belongs to the run that the row tells of. */
static bool log_agrees(const struct watch *watch) {
    const struct row *row = &watch->topic->row;
    const struct message *newest = watch->newest;
    if (!newest || newest->final != row_is_final(row)) return false;
    bool waits_since = row->status == ROW_PENDING && row->updated_us / 1000 > newest->id.ms;
    return !waits_since;
}

/* Behind the last message of an earlier run: told in the middle, it would end the listener's interest. */
static size_t first_of_run(const struct watch *watch) {
    size_t first = 0;
    for (size_t i = 0; i + 1 < watch->entry_count; i++)
        if (watch->entries[i]->final) first = i + 1;
    return first;
}

/* The whole present state in one message. false: the watch has ended. */
static bool tell_state(struct watch *watch, bool replayed) {
    struct message *message;
    if (!log_agrees(watch))
        message = row_message(&watch->topic->row, replayed);
    else if (replayed)
        return watch_tell(watch, watch->newest, true);
    else
        message = message_read(watch->newest->json, watch->newest->size, NULL, false);
    bool goes_on = !message || watch_tell(watch, message, true);
    message_unref(message);
    return goes_on;
}

/* false: the watch has ended. */
static bool tell_entries(struct watch *watch) {
    for (size_t i = first_of_run(watch); i < watch->entry_count; i++)
        if (!watch_tell(watch, watch->entries[i], true)) return false;
    return true;
}

/* Its last event is in the log. */
static bool tell_since(struct watch *watch) {
    if (!log_agrees(watch)) return tell_state(watch, true);
    if (!tell_entries(watch)) return false;
    if (!watch->newest->final) return true;
    /* One that was live has been told no end yet: while the database was away, the log's was not believed. */
    if (watch->resumes) return tell_state(watch, true);
    watch_end(watch, NULL); /* it knows the final one already */
    return false;
}

/* Its last event came from the row, which is still the same. */
static bool tell_since_row(struct watch *watch) {
    const struct row *row = &watch->topic->row;
    if (row_is_final(row)) {
        watch_end(watch, NULL);
        return false;
    }
    bool went_on = log_agrees(watch) && watch->newest->id.ms >= row->updated_us / 1000;
    return !went_on || tell_state(watch, false);
}

static bool tell_first(struct watch *watch) {
    const struct row *row = &watch->topic->row;
    bool of_row = watch->from.ms == 0 && watch->from.number > 0;
    if (watch->known) return tell_since(watch);
    if (of_row && watch->from.number == row->updated_us) return tell_since_row(watch);
    /* Its log is lost. What the row says of a run under way is less than what was heard. */
    if (watch->resumes && !watch->newest && !row_is_final(row)) return true;
    return tell_state(watch, !watch->has_from);
}

void watch_decide(struct watch *watch) {
    struct topic *topic = watch->topic;
    if (topic->row.status == ROW_ABSENT) {
        struct shared_error error;
        error_set(&error, SHARED_CALLER, SHARED_ENOTFOUND, "document %.255s: not found",
                  topic->document_id);
        watch_end(watch, &error);
        return;
    }
    /* The final message may have come between the two answers: the row must be the younger one. */
    bool log_is_final = watch->newest && watch->newest->final;
    if (log_is_final && !row_is_final(&topic->row) && !watch->row_is_fresh) {
        watch->row_is_fresh = !topic->row_reading;
        watch->row_is_read = false;
        row_read(topic);
        return;
    }
    struct stream_id newest = watch->newest ? watch->newest->id : (struct stream_id){0};
    if (!tell_first(watch)) return;
    watch_drop_reading(watch);
    if (stream_id_compare(newest, watch->told) > 0) watch->told = newest;
    watch_go_live(watch);
}
