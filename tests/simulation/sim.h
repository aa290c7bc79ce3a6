/* SPDX-License-Identifier: MIT
 * sim.h - the ground of the simulation: memory of one run, virtual time, the seed's random numbers, what
 * happens next, and the trace. Nothing here reads a real clock, and no order depends on an address.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

/* --- memory: zeroed, and gone all together when the run is over ------------------------------------ */
void *sim_alloc(size_t size);
char *sim_copy(const char *data, size_t size); /* adds a NUL */
__attribute__((format(printf, 1, 2))) char *sim_format(const char *format, ...);

/* --- random numbers: one stream for the world, another for what the library draws -------------------- */
uint64_t sim_random(void);
int64_t sim_between(int64_t least, int64_t most); /* both included */
bool sim_chance(int32_t permille);

/* --- time and what happens at it ---------------------------------------------------------------------- */
struct event {
    int64_t at_us;
    uint64_t number; /* of those at the same time, the one that was asked for first */
    void (*run)(struct event *event);
    bool waits;
};
int64_t sim_now_us(void);
int64_t sim_wall_us(void); /* of a clock that nobody set */
void sim_at(struct event *event, int64_t at_us, void (*run)(struct event *event));
int64_t sim_next_us(void); /* INT64_MAX: nothing */
void sim_run_next(void);
void sim_advance(int64_t to_us);
/* Any of those that wait, NULL: none. */
const struct event *sim_any_event(void);

/* --- the trace: what two runs of one seed must have in common ----------------------------------------- */
extern bool sim_traces; /* print it too */
__attribute__((format(printf, 2, 3))) void sim_trace(const char *who, const char *format, ...);
uint64_t sim_trace_hash(void);

/* What does not hold: prints the seed, how to replay it, and ends the program. */
_Noreturn __attribute__((format(printf, 1, 2))) void sim_fail(const char *format, ...);
#define SIM_CHECK(condition)                                                                       \
    ((condition) ? (void)0 : sim_fail("%s:%d: %s", __FILE__, __LINE__, #condition))

extern const char *sim_replay; /* how to run it again, NULL: by its seed */
void sim_begin(uint64_t seed);
void sim_end(void);

/* --- the kernel's side: who runs now, and what has arrived for it ------------------------------------- */
struct process;
extern struct process *sim_running; /* NULL: nobody; its wall clock is the one that is read */
enum { FD_EPOLL = 100000, FD_TIMER, FD_SIGNAL, FD_NETWORK, FD_FILE };

/* Planted bugs: the simulation must find each. */
enum sim_bug {
    BUG_NONE,
    BUG_ACK_UNCHECKED,  /* a claim that is gone is acknowledged as if it were there */
    BUG_NO_RENEWAL,     /* renewals are answered, but leases are not extended */
    BUG_OUTBOX_EARLY,   /* rows of the outbox are deleted before Redis has the message */
    BUG_NO_FENCE,       /* writes of a run that was taken over are let through */
    BUG_CLAIM_UNLEASED, /* messages are taken without a lease */
    BUG_COUNT
};
extern enum sim_bug sim_bug;

#endif
