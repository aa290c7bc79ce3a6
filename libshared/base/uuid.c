/* SPDX-License-Identifier: MIT
 * uuid.c - identifiers and the random numbers they are made of. Keeps no pool of random bytes, so a
 * fork repeats none.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"

static void random_fill(void *out, size_t size) {
    ssize_t got;
    do got = getrandom(out, size, 0);
    while (got < 0 && errno == EINTR);
    /* Up to 256 bytes come whole or not at all; without them ids would not be unique. */
    SHARED_CHECK(got == (ssize_t)size);
}

uint64_t random_u64(void) {
    uint64_t number;
    random_fill(&number, sizeof number);
    return number;
}

/* version in the upper bits of the third group, variant in those of the fourth. */
static void uuid_write(uint64_t high, uint64_t low, unsigned version, char out[UUID_TEXT_SIZE]) {
    high = (high & ~UINT64_C(0xf000)) | (uint64_t)version << 12;
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    (void)snprintf(out, UUID_TEXT_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                   (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
                   (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
}

void uuid_make_v4(char out[UUID_TEXT_SIZE]) {
    uint64_t random[2];
    random_fill(random, sizeof random);
    uuid_write(random[0], random[1], 4, out);
}

void uuid_make_v7(char out[UUID_TEXT_SIZE]) {
    static _Atomic uint64_t last; /* milliseconds << 12 | counter of the newest id */
    uint64_t random = random_u64();
    /* The counter starts each millisecond in its lower half, so that 2048 more fit before it borrows
     * from the next millisecond (RFC 9562, 6.2 method 1). */
    uint64_t wanted = (uint64_t)time_wall_us() / 1000 << 12 | (random & 0x7ff);
    uint64_t seen = atomic_load(&last);
    uint64_t next;
    do next = wanted > seen ? wanted : seen + 1;
    while (!atomic_compare_exchange_weak(&last, &seen, next));
    uuid_write(next >> 12 << 16 | (next & 0xfff), random_u64(), 7, out);
}
