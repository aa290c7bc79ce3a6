/* SPDX-License-Identifier: MIT
 * error.h - the error object and the one table of classes. Fixed size, so that making one cannot
 * fail. Never logs, never exits: that is for programs.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <shared/error.h>

enum { ERROR_MESSAGE_SIZE = 512, ERROR_DETAIL_SIZE = 256, ERROR_HINT_SIZE = 256 };

struct shared_error {
    int32_t class;
    int32_t domain;
    int32_t code;
    char sqlstate[6];
    char message[ERROR_MESSAGE_SIZE];
    char detail[ERROR_DETAIL_SIZE];
    char hint[ERROR_HINT_SIZE];
    const char *operation; /* name of a public function, for ever valid; NULL: not known yet */
};

/* Sets this thread's last error (domain CALLER, class PERMANENT; EBUSY, ENOMEM and ETIMEOUT are SYSTEM
 * and RETRYABLE) and returns code: `return fail(SHARED_EINVALID, "limit: %d, at most %d", a, b);` */
__attribute__((format(printf, 3, 4))) shared_status fail_in(const char *function, int32_t code,
                                                            const char *format, ...);
#define fail(...) fail_in(__func__, __VA_ARGS__)
/* Copies error to this thread's last and returns its code. */
shared_status fail_with(const struct shared_error *error);

/* The public function that this thread is in: what shared_error_operation answers for the failures and
 * requests that come of it. client_check begins it; a public function without a client whose helpers
 * fail begins it itself. Other names than public ones are left out. */
#define operation_begin() operation_begin_in(__func__)
void operation_begin_in(const char *function);
const char *operation_current(void);

/* Fill an error object. Messages are cut at the end, on a character boundary. */
__attribute__((format(printf, 4, 5))) void error_set(struct shared_error *error, int32_t domain,
                                                     int32_t code, const char *format, ...);
/* From an errno: code ECLOSED, ETIMEOUT, ENOMEM or EREMOTE, class by the table. */
void error_set_errno(struct shared_error *error, int number, const char *what);
/* From PostgreSQL: code by SQLSTATE (23505, 23503 -> ECONFLICT, LX001 (the fence) -> ECONFLICT, ...). */
void error_set_postgres(struct shared_error *error, const char *sqlstate, const char *message,
                        const char *detail);
/* What the server advises, and which rule of the schema it names; NULL or "": nothing. */
/* PostgreSQL's 57014, when it was we who asked for it. */
void error_set_ours(struct shared_error *error);
void error_add_hint(struct shared_error *error, const char *hint);
void error_add_names(struct shared_error *error, const char *constraint, const char *table,
                     const char *column);
/* From a Redis error reply. */
void error_set_redis(struct shared_error *error, const char *reply);

/* An invariant: stays on in release. Operating errors and foreign bytes never reach it. */
#define SHARED_CHECK(condition)                                                                    \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
