/* SPDX-License-Identifier: MIT
 * test_throttle.c - a publisher that says anything at any time, and one who hears all of it: what goes
 * out is what was promised. PROGRESS_SEED=... says the same again.
 */
#include <inttypes.h>

#include "base/text.h"
#include "world.h"

enum { DOCUMENTS = 3, SAID = 600, INTERVAL_MS = 50 /* PROGRESS_RATE is 20 */ };

static const char *const steps[] = {"starting", "extracting", "chunking",
                                    "storing",  "completed",  "failed"};

/* One call of shared_progress_publish; what must be heard of it, if it is heard. */
static struct said {
    int document;
    int32_t percent;
    int step;
    bool must_go; /* the first of its step, or final */
    bool heard;
    int64_t begin_ms, end_ms; /* of the call */
} said[SAID];

/* What is known of a document, as progress.h promises it. */
static struct story {
    int step; /* -1: none yet, or over */
    int32_t percent;
    int newest;
} stories[DOCUMENTS];

static uint64_t random_state;

static int draw(int below) {
    random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = random_state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (int)((mixed ^ (mixed >> 31)) % (uint64_t)below);
}

static int draw_step(int now) {
    int number = draw(100);
    if (number < 80 && now >= 0) return now;
    return number < 97 ? draw(4) : 4 + draw(2);
}

static void say(shared_client *client, int index) {
    char id[8], message[16];
    struct said *one = &said[index];
    one->document = draw(DOCUMENTS);
    struct story *story = &stories[one->document];
    one->step = draw_step(story->step);
    int32_t percent = draw(101);
    bool new_run = one->step == 0 && story->step != 0;
    one->percent = new_run || percent > story->percent ? percent : story->percent;
    bool final = one->step >= 4;
    one->must_go = final || one->step != story->step;
    *story = (struct story){
        .step = final ? -1 : one->step, .percent = final ? 0 : one->percent, .newest = index};
    snprintf(id, sizeof id, "d%d", one->document);
    snprintf(message, sizeof message, "%d", index);
    one->begin_ms = time_monotonic_ms();
    ck_assert_int_eq(shared_progress_publish(client, id, percent, steps[one->step], message,
                                             (uint64_t)index + 1),
                     SHARED_OK);
    one->end_ms = time_monotonic_ms();
}

/* What the next message that was heard is, by the number in its text. */
static int hear(redisContext *ear) {
    redisReply *reply = NULL;
    char step[16] = "";
    int percent = -1, index = -1;
    ck_assert_int_eq(redisGetReply(ear, (void **)&reply), REDIS_OK);
    ck_assert_uint_eq(reply->elements, 4);
    const char *text = reply->element[3]->str;
    int found = sscanf(text, "{\"progress\":%d,\"step\":\"%15[a-z]\",\"message\":\"%d\"", &percent,
                       step, &index);
    ck_assert_msg(found == 3 && index >= 0 && index < SAID, "%s", text);
    struct said *one = &said[index];
    ck_assert_int_eq(reply->element[2]->str[sizeof "progress:d" - 1] - '0', one->document);
    ck_assert_int_eq(percent, one->percent);
    ck_assert_str_eq(step, steps[one->step]);
    ck_assert(!one->heard);
    one->heard = true;
    freeReplyObject(reply);
    return index;
}

/* Those between two that had to go at once kept their distance from the first, and from each other. */
static void check_pace(int document, int64_t end_ms) {
    int64_t from_ms = 0;
    int between = 0;
    for (int i = 0; i <= SAID; i++) {
        const struct said *one = i < SAID ? &said[i] : NULL;
        if (one && one->document != document) continue;
        if (one && !one->must_go) {
            between += one->heard;
            continue;
        }
        int64_t until_ms = one ? one->end_ms : end_ms;
        ck_assert_msg(until_ms - from_ms >= (int64_t)between * INTERVAL_MS,
                      "document %d, before %d: %d messages in %" PRId64 " ms", document, i, between,
                      until_ms - from_ms);
        between = 0;
        if (one) from_ms = one->begin_ms;
    }
}

START_TEST(what_goes_out_is_what_was_promised) {
    const char *seed = getenv("PROGRESS_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : random_u64();
    printf("PROGRESS_SEED=%" PRIu64 "\n", random_state);
    fflush(stdout);
    world_begin();
    shared_client *client = world_client("PROGRESS_RATE", "20", NULL);
    redisContext *speaker = world_redis;
    world_connect();
    redisContext *ear = world_redis;
    world_redis = speaker;
    freeReplyObject(redisCommand(ear, "PSUBSCRIBE progress:*"));
    redisSetTimeout(ear, (struct timeval){.tv_sec = PATIENCE_MS / 1000});
    for (int i = 0; i < DOCUMENTS; i++) stories[i] = (struct story){.step = -1, .newest = -1};

    for (int i = 0; i < SAID; i++) {
        say(client, i);
        ck_assert_int_ge(shared_client_dispatch(client, draw(3) ? 0 : draw(30)), 0);
    }
    int reached = 0, last[DOCUMENTS] = {-1, -1, -1};
    int64_t counts[SAID];
    for (int i = 0; i < SAID; i++) {
        counts[i] = shared_event_count(world_done(client, (uint64_t)i + 1));
        reached += (int)counts[i];
    }
    int64_t end_ms = time_monotonic_ms();
    for (int i = 0; i < reached; i++) {
        int index = hear(ear), document = said[index].document;
        ck_assert_int_gt(index, last[document]); /* in their order */
        last[document] = index;
    }
    for (int i = 0; i < SAID; i++) {
        ck_assert_int_eq(counts[i], said[i].heard);
        ck_assert_msg(said[i].heard || !said[i].must_go, "%d is not heard", i);
    }
    for (int i = 0; i < DOCUMENTS; i++) {
        ck_assert_int_eq(last[i], stories[i].newest);
        check_pace(i, end_ms);
    }
    ck_assert_int_lt(reached, SAID); /* and some were superseded, or this has tested nothing */
    redisFree(ear);
    shared_client_free(client);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_goes_out_is_what_was_promised};
    return unit_run("throttle", tests, sizeof tests / sizeof *tests);
}
