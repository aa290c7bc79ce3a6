/* SPDX-License-Identifier: MIT
 * viewer.c - who looks at documents while they are read: one subscription each, taken up again with the last id that was
 * seen, until the final message. What a browser knows outlives the process.
 */
#include <string.h>

#include "database.h"
#include "world.h"

enum { TAG_WATCH = 1, TAG_AGAIN = 100, AGAIN_MS = 400, FORGETS_PERMILLE = 300 };

struct viewer {
    bool existed[DOCUMENTS_MAX]; /* when it asked */
};

static void watch(struct process *process, int32_t place) {
    struct viewer *viewer = process->state;
    struct original *original = &world.originals[place];
    const char *seen =
        *original->seen_id && !sim_chance(FORGETS_PERMILLE) ? original->seen_id : NULL;
    viewer->existed[place] = original->committed;
    SIM_CHECK(shared_progress_subscribe(process->client, original->id, seen,
                                        TAG_WATCH + (uint64_t)place) == SHARED_OK);
}

static void again(struct process *process, int32_t place) {
    SIM_CHECK(shared_client_timer(process->client, AGAIN_MS, TAG_AGAIN + (uint64_t)place) ==
              SHARED_OK);
}

static void start(struct process *process) {
    for (int32_t place = 0; place < world.original_count; place++)
        if (!world.originals[place].seen_end) again(process, place);
}

static void see(struct process *process, int32_t place, const shared_event *event) {
    struct original *original = &world.originals[place];
    const char *json = shared_event_json(event);
    const char *id = shared_event_id(event);
    memset(original->seen_id, 0, sizeof original->seen_id);
    strncpy(original->seen_id, id ? id : "", sizeof original->seen_id - 1);
    bool final = strstr(json, "\"final\":true") != NULL;
    sim_trace(process->name, "%s %s %.120s", original->id, original->seen_id, json);
    original->seen_final |= final;
    if (!final || !strstr(json, "\"step\":\"completed\"")) return;
    const char *status = database.documents[place].committed.status;
    if (strcmp(status, "completed") != 0)
        sim_fail("%s is shown as completed, and is %s", original->id, status);
}

static void ended(struct process *process, int32_t place, const shared_error *error) {
    struct viewer *viewer = process->state;
    struct original *original = &world.originals[place];
    if (error) {
        bool absent = shared_error_code(error) == SHARED_ENOTFOUND;
        SIM_CHECK(world.disturbed || absent);
        if (absent && viewer->existed[place])
            sim_fail("%s is there, and its viewer was told that there is none", original->id);
        again(process, place);
        return;
    }
    if (!original->seen_final) sim_fail("%s: the stream ended without an end", original->id);
    original->seen_end = true;
}

static void handle(struct process *process, const shared_event *event) {
    uint64_t tag = shared_event_tag(event);
    if (tag >= TAG_AGAIN)
        watch(process, (int32_t)(tag - TAG_AGAIN));
    else if (shared_event_more(event))
        see(process, (int32_t)(tag - TAG_WATCH), event);
    else
        ended(process, (int32_t)(tag - TAG_WATCH), shared_event_error(event));
}

const struct process_kind process_viewer = {.name = "viewer",
                                            .queue = "celery",
                                            .start = start,
                                            .handle = handle,
                                            .size = sizeof(struct viewer)};
