/* SPDX-License-Identifier: MIT
 * error.h - what went wrong, and what to do about it.
 *
 * Every failure has a class. RETRYABLE: the same call may succeed later, unchanged (a server went
 * away, a deadlock, a full disk). PERMANENT: it will fail again until somebody changes something.
 * The class is decided in one table (libshared/base/error.c) from SQLSTATE, errno or Redis reply.
 *
 *     if (shared_session_commit(session, 1) < 0)
 *         fprintf(stderr, "%s\n", shared_error_message(shared_error_last()));
 */
#ifndef SHARED_ERROR_H
#define SHARED_ERROR_H

#include <shared/api.h>

SHARED_BEGIN

/** Result of a call that can fail: SHARED_OK or more is success, below zero a SHARED_E... code. */
typedef int32_t shared_status;
/** A failure. Borrowed from where it was got; never freed by the caller. */
typedef struct shared_error shared_error;

/** Class: what to do. */
enum { SHARED_PERMANENT = 1, SHARED_RETRYABLE = 2 };

/** Domain: where it arose. */
enum {
    SHARED_CALLER = 1, /**< the call itself was wrong */
    SHARED_SYSTEM,     /**< this machine: memory, descriptors, network */
    SHARED_POSTGRES,
    SHARED_REDIS,
    SHARED_SCHEMA, /**< a value breaks a rule of models.txt */
    SHARED_TASK    /**< a task of the queue */
};

/** Code: which failure. Numbers are never reused. */
enum {
    SHARED_OK = 0,
    SHARED_EINVALID = -1,  /**< an argument is not acceptable; the message names it */
    SHARED_ENOTFOUND = -2, /**< no such row, document or task */
    SHARED_ECONFLICT = -3, /**< unique, foreign key, or fence: somebody else was first */
    SHARED_EBUSY = -4,   /**< a bound is reached (requests in flight, pool); nothing was accepted */
    SHARED_ECLOSED = -5, /**< the connection ended before the answer; nothing was done */
    SHARED_ETIMEOUT = -6, /**< the deadline passed */
    SHARED_ENOMEM = -7,   /**< out of memory */
    SHARED_ESCHEMA = -8,  /**< a record or JSON text breaks a rule; the message names the field */
    SHARED_EREMOTE = -9,  /**< the server answered with an error of its own */
    SHARED_EFORKED = -10, /**< this client belongs to the parent process */
    SHARED_ECANCELLED = -11, /**< cancelled by shared_client_cancel or by freeing its owner */
    SHARED_EUNKNOWN = -12 /**< the answer to a COMMIT was lost: read again to learn the outcome */
};

/** This thread's last failure of a call. Never NULL; valid until this thread's next failing call.
 *  Added in 0.1.0. */
SHARED_API const shared_error *shared_error_last(void);

/** SHARED_PERMANENT or SHARED_RETRYABLE; 0 when error is NULL, as all below. Added in 0.1.0. */
SHARED_API int32_t shared_error_class(const shared_error *error);
/** SHARED_CALLER ... SHARED_TASK. Added in 0.1.0. */
SHARED_API int32_t shared_error_domain(const shared_error *error);
/** SHARED_E... Added in 0.1.0. */
SHARED_API int32_t shared_error_code(const shared_error *error);
/** Five characters from PostgreSQL, or "". Added in 0.1.0. */
SHARED_API const char *shared_error_sqlstate(const shared_error *error);
/** One sentence: what, which, limit. Never holds a password. "" when NULL. Added in 0.1.0. */
SHARED_API const char *shared_error_message(const shared_error *error);
/** PostgreSQL's detail; without one the constraint, and the table or column, it names; or "".
 *  Added in 0.1.0. */
SHARED_API const char *shared_error_detail(const shared_error *error);
/** What to do about it: PostgreSQL's hint, or ours ("raise max_connections or lower POOL_SIZE"); or "".
 *  Added in 0.1.0. */
SHARED_API const char *shared_error_hint(const shared_error *error);
/** The operation it belongs to: the name of the public function that failed, or of the one that made
 *  the request that ended so, as "shared_session_commit". "" when no call led to it. The names are
 *  those of these headers, and as stable. Added in 0.1.0. */
SHARED_API const char *shared_error_operation(const shared_error *error);

/** Class of an SQLSTATE: "40001" is SHARED_RETRYABLE. Any thread. Added in 0.1.0. */
SHARED_API int32_t shared_classify_sqlstate(const char *sqlstate);
/** Class of an errno: ECONNRESET is SHARED_RETRYABLE. Any thread. Added in 0.1.0. */
SHARED_API int32_t shared_classify_errno(int32_t number);
/** Class of a Redis error reply: "LOADING ..." is SHARED_RETRYABLE. Any thread. Added in 0.1.0. */
SHARED_API int32_t shared_classify_redis(const char *reply);

SHARED_END

#endif
