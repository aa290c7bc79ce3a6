/* SPDX-License-Identifier: MIT
 * mixed.c - mixed SECONDS: reads, commits with tasks, progress, listeners, sends and claims at once on one
 * client, while its servers come and go. Every accepted tag must end exactly once, with an error of the
 * right class or none, and memory stay flat. Prints a line a kind; restarting the servers is its caller's.
 */
#include <unistd.h>

#include "load.h"

enum kind { GET, COMMIT, PUBLISH, LISTEN, SEND, CONSUME, RELAY, ACK, KINDS };
enum { PAUSE_MS = 50, DRAIN_MS = 90000, PREFETCH = 16, HEARD_MAX = 20, DOCUMENTS = 8 };
enum { RSS_GROWTH_KIB_MAX = 4096 };

static const struct {
    const char *name;
    int slots;
} kinds[KINDS] = {
    [GET] = {"get", 40},       [COMMIT] = {"commit", 10}, [PUBLISH] = {"publish", 16},
    [LISTEN] = {"listen", 16}, [SEND] = {"send", 5},      [CONSUME] = {"consume", 1},
    [RELAY] = {"relay", 1},    [ACK] = {"ack", PREFETCH},
};

/* One request at a time, then a pause: a timer, which is a request too. */
struct slot {
    enum kind kind;
    uint64_t tag; /* under way; 0: none */
    bool pausing, cancelled;
    int heard;
    shared_session *session;
    shared_task *task;
};

enum { SLOTS = 40 + 10 + 16 + 16 + 5 + 1 + 1 + PREFETCH };
static struct slot slots[SLOTS];
static shared_client *client;
static bool stopping;
static uint64_t tag_turn;
static struct {
    uint64_t accepted, ended, well, failed, refused;
} counts[KINDS + 1]; /* the last: pauses */

/* A tag says whose it is. */
static uint64_t tag_new(const struct slot *slot) {
    return ++tag_turn * SLOTS + (uint64_t)(slot - slots);
}

static void took(struct slot *slot, shared_status status, uint64_t tag, int row) {
    if (status < 0) {
        counts[row].refused++;
        return;
    }
    counts[row].accepted++;
    slot->tag = tag;
}

static void pause_begin(struct slot *slot) {
    uint64_t tag = tag_new(slot);
    slot->pausing = true;
    took(slot, shared_client_timer(client, PAUSE_MS, tag), tag, KINDS);
    load_require(slot->tag != 0, "a pause");
}

static shared_status commit(struct slot *slot, uint64_t tag) {
    shared_record *record = NULL;
    (void)shared_session_rollback(slot->session, 0); /* what the last one may have left */
    shared_status status = shared_record_new(SHARED_DOCUMENT, &record);
    if (status >= 0) status = shared_record_set_text(record, SHARED_DOCUMENT_FILE_NAME, "f", 1);
    if (status >= 0) status = shared_session_add(slot->session, record);
    if (status >= 0) status = shared_session_enqueue(slot->session, "t", "[1]", "key");
    shared_record_unref(record);
    return status < 0 ? status : shared_session_commit(slot->session, tag);
}

static shared_status ask(struct slot *slot, uint64_t tag) {
    char document[16];
    (void)snprintf(document, sizeof document, "load-%d", (int)(slot - slots) % DOCUMENTS);
    slot->heard = 0;
    slot->cancelled = false;
    switch (slot->kind) {
    case GET: return shared_session_get(slot->session, SHARED_DOCUMENT, document, tag);
    case COMMIT: return commit(slot, tag);
    case PUBLISH:
        return shared_progress_publish(client, document, (int32_t)(tag_turn % 100), "extracting",
                                       "m", tag);
    case LISTEN: return shared_progress_subscribe(client, document, NULL, tag);
    case SEND: return shared_queue_send(client, NULL, "t", "[1]", NULL, tag);
    case CONSUME: return shared_queue_consume(client, NULL, PREFETCH, tag);
    default: return shared_queue_relay(client, tag);
    }
}

static void begin(struct slot *slot) {
    uint64_t tag = tag_new(slot);
    slot->pausing = false;
    took(slot, ask(slot, tag), tag, (int)slot->kind);
    if (!slot->tag) pause_begin(slot);
}

static void ack_begin(shared_task *task) {
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        if (slot->kind != ACK || slot->tag) continue;
        uint64_t tag = tag_new(slot);
        slot->task = shared_task_ref(task);
        took(slot, shared_task_succeed(task, "1", tag), tag, ACK);
        load_require(slot->tag != 0, "an ack was refused");
        return;
    }
    load_die("more tasks than asked for");
}

/* What may go wrong while servers come and go. */
static void judge(const struct slot *slot, const shared_error *error) {
    int32_t code = shared_error_code(error);
    bool fits = shared_error_class(error) == SHARED_RETRYABLE || code == SHARED_EUNKNOWN ||
                (code == SHARED_ECANCELLED && slot->cancelled) ||
                (code == SHARED_ECONFLICT && slot->kind == ACK); /* it was taken over */
    if (fits) return;
    fprintf(stderr, "load: a %s ended with %d, for good: %s\n", kinds[slot->kind].name, code,
            shared_error_message(error));
    exit(EXIT_FAILURE);
}

static void ended(struct slot *slot, const shared_event *event) {
    const shared_error *error = shared_event_error(event);
    int row = slot->pausing ? KINDS : (int)slot->kind;
    counts[row].ended++;
    if (error) judge(slot, error);
    if (error && !(slot->cancelled && shared_error_code(error) == SHARED_ECANCELLED))
        counts[row].failed++;
    else
        counts[row].well++;
    slot->tag = 0;
    shared_task_unref(slot->task);
    slot->task = NULL;
    if (slot->kind == ACK || stopping) return;
    if (slot->pausing)
        begin(slot);
    else
        pause_begin(slot);
}

static void take(const shared_event *event) {
    uint64_t tag = shared_event_tag(event);
    struct slot *slot = &slots[tag % SLOTS];
    load_require(slot->tag == tag, "an event of a tag that had ended");
    if (!shared_event_more(event)) {
        ended(slot, event);
        return;
    }
    if (slot->kind == CONSUME) ack_begin(shared_event_task(event));
    if (slot->kind != LISTEN || ++slot->heard != HEARD_MAX) return;
    slot->cancelled = true;
    (void)shared_client_cancel(client, tag);
}

static bool turn(void) {
    bool busy = false;
    load_require(shared_client_dispatch(client, 100) >= 0, "dispatch");
    for (const shared_event *event; (event = shared_client_next(client));) take(event);
    for (int i = 0; i < SLOTS; i++) busy |= slots[i].tag != 0;
    return busy;
}

static long rss_kib(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    load_require(file && fscanf(file, "%ld %ld", &pages, &resident) == 2, "/proc/self/statm");
    (void)fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void slots_make(void) {
    int at = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < kinds[kind].slots; i++) {
            struct slot *slot = &slots[at++];
            slot->kind = (enum kind)kind;
            if (kind == GET || kind == COMMIT) slot->session = load_session(client);
            if (kind != ACK) begin(slot);
        }
    load_require(at == SLOTS, "slots");
}

/* No new requests; those that go on for ever are cancelled, the others end by themselves. */
static void drain(void) {
    stopping = true;
    for (int i = 0; i < SLOTS; i++) {
        bool endless =
            slots[i].kind == LISTEN || slots[i].kind == CONSUME || slots[i].kind == RELAY;
        if (!endless || !slots[i].tag || slots[i].pausing) continue;
        slots[i].cancelled = true;
        (void)shared_client_cancel(client, slots[i].tag);
    }
    int64_t end_ms = load_now_ms() + DRAIN_MS;
    while (turn()) load_require(load_now_ms() < end_ms, "tags without an end");
}

static int report(long warm_kib, long last_kib) {
    uint64_t accepted = 0, all_ended = 0;
    for (int kind = 0; kind <= KINDS; kind++) {
        printf("%-8s accepted %" PRIu64 " ended %" PRIu64 " well %" PRIu64 " failed %" PRIu64
               " refused %" PRIu64 "\n",
               kind < KINDS ? kinds[kind].name : "pause", counts[kind].accepted, counts[kind].ended,
               counts[kind].well, counts[kind].failed, counts[kind].refused);
        accepted += counts[kind].accepted;
        all_ended += counts[kind].ended;
    }
    printf("all      accepted %" PRIu64 " ended %" PRIu64 "; resident %ld KiB warm, %ld KiB last\n",
           accepted, all_ended, warm_kib, last_kib);
    bool flat = last_kib - warm_kib <= RSS_GROWTH_KIB_MAX;
    if (!flat) fprintf(stderr, "load: it grew by %ld KiB\n", last_kib - warm_kib);
    return accepted == all_ended && flat ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **words) {
    long seconds = count == 2 ? strtol(words[1], NULL, 10) : 0, warm_kib = 0;
    load_require(seconds > 0, "usage: mixed SECONDS");
    client = load_client();
    slots_make();
    int64_t start_ms = load_now_ms(), warm_ms = seconds * 1000 / 2;
    if (warm_ms > 60000) warm_ms = 60000;
    while (load_now_ms() - start_ms < seconds * 1000) {
        (void)turn();
        if (!warm_kib && load_now_ms() - start_ms > warm_ms) warm_kib = rss_kib();
    }
    long last_kib = rss_kib();
    drain();
    for (int i = 0; i < SLOTS; i++) shared_session_free(slots[i].session);
    shared_client_free(client);
    return report(warm_kib, last_kib);
}
