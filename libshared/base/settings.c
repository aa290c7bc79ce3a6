/* SPDX-License-Identifier: MIT
 * settings.c - THE table of settings: name, kind, default, range, meaning. `lex-intel doctor` walks it,
 * docs/config.md is made from it (tests/abi/fresh). Reads no environment: config.c does.
 */
#include "base/settings.h"

#include <stddef.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define TIB (INT64_C(1) << 40)

/* One line for the frequent kind: a number with its default, range and unit. */
#define INT(name_, preset_, min_, max_, unit_, help_)                                              \
    {                                                                                              \
        .name = (name_), .kind = SETTING_INT, .preset = (preset_), .min = (min_), .max = (max_),   \
        .unit = (unit_), .help = (help_)                                                           \
    }

const struct setting settings[] = {
    /* Where the servers are. */
    {"DATABASE_URL", "", SETTING_URL,
     .help =
         "PostgreSQL: postgresql://, postgres://, postgresql+asyncpg:// or libpq's key=value form"},
    {"REDIS_URL", "", SETTING_URL,
     .help = "Redis, for progress: redis://, rediss:// (verified), valkey://, unix://"},
    {"CELERY_BROKER_URL", "", SETTING_URL, .derived_from = "REDIS_URL", .database = 0,
     .help = "Redis of the task queue; when absent REDIS_URL with database 0"},
    {"CELERY_RESULT_BACKEND", "", SETTING_URL, .derived_from = "REDIS_URL", .database = 1,
     .help = "Redis of the task results; when absent REDIS_URL with database 1"},
    INT("CONNECT_TIMEOUT_MS", "5000", 10, 600000, "ms", "Time a connection may take to be made"),
    INT("RECONNECT_MS_MAX", "2000", 10, 600000, "ms",
        "Longest pause between attempts to mend a connection"),
    INT("STARTUP_TIMEOUT_S", "60", 0, 86400, "s",
        "Time a program waits at its start for PostgreSQL and Redis"),

    /* PostgreSQL. */
    INT("DATABASE_TIMEOUT_MS", "30000", 10, 3600000, "ms", "Time a statement may take"),
    INT("POOL_SIZE", "10", 1, 1000, "connections",
        "Connections that belong to one session at a time, at most"),
    INT("POOL_SHARED", "2", 1, 100, "connections", "Connections shared by single reads"),
    INT("POOL_WAIT_MS", "10000", 1, 600000, "ms", "Time a session waits for a connection"),
    INT("POOL_IDLE_S", "300", 1, 86400, "s", "Time after which an idle connection is closed"),
    INT("POOL_LIFETIME_S", "3600", 0, 31536000, "s",
        "Age at which a connection is replaced once it is free, less up to a tenth; 0: never"),
    INT("STATEMENT_CACHE", "256", 0, 10000, "statements",
        "Prepared statements kept a connection; 0, as for PgBouncer's transaction pooling: none"),
    INT("SESSION_CHANGES_MAX", "100000", 1, 10000000, "changes",
        "Changes that wait in one session for its commit"),
    INT("COPY_BYTES_MAX", "8388608", 1024, GIB, "bytes",
        "Bytes of a COPY FROM STDIN that wait to be sent; the next are refused with SHARED_EBUSY"),
    INT("STREAM_ROWS_MAX", "10000", 1, 1000000, "rows", "Rows in one event of a stream, at most"),

    /* Redis. */
    INT("REDIS_TIMEOUT_MS", "5000", 10, 600000, "ms", "Time a Redis command may take"),
    INT("CLIENT_REQUESTS_MAX", "20000", 1, 10000000, "requests",
        "Requests under way in one client; the next is refused with SHARED_EBUSY"),

    /* Progress. */
    INT("PROGRESS_RATE", "20", 1, 1000, "messages a second",
        "Progress messages of one document, besides each step's first and the last one"),
    INT("PROGRESS_LOG_LENGTH", "1000", 1, 1000000, "messages",
        "Messages kept of one document, so that a viewer can resume"),
    INT("PROGRESS_LOG_TTL_S", "86400", 1, 31536000, "s", "Time they are kept after the last one"),

    /* The queue. */
    {"QUEUE_NAME", "celery", SETTING_QUEUE,
     .help = "Name of the task queue: 1 to 200 bytes without spaces, quotes and backslashes"},
    INT("LEASE_S", "20", 2, 3600, "s",
        "Time after which the task of a worker that fell silent is taken over"),
    INT("LEASE_RENEW_S", "5", 1, 1800, "s", "Time between two renewals of a lease"),
    INT("VISIBILITY_TIMEOUT_S", "3600", 1, 31536000, "s",
        "The same for tasks that Celery's Python workers hold; twice TASK_TIME_LIMIT at least"),
    INT("RESULT_TTL_S", "86400", 1, 31536000, "s", "Time a task's result is kept"),
    INT("RETRY_DELAY_S", "60", 1, 86400, "s",
        "Pause before a task's first retry; each further one is twice as long"),
    INT("RETRY_MAX", "4", 0, 100, "retries", "Retries of a task after a retryable failure"),
    INT("ETA_TASKS_MAX", "1000", 1, 1000000, "tasks",
        "Tasks for later that a worker holds until they are due"),
    INT("DEAD_LIST_LENGTH", "10000", 1, 10000000, "messages",
        "Messages that nobody can read, kept for a look"),
    INT("OUTBOX_SWEEP_S", "5", 1, 3600, "s",
        "Time between two looks for tasks that a crash left unsent"),

    /* The backend. */
    {"BACKEND_HOST", "127.0.0.1", SETTING_TEXT, .help = "Address that the backend listens on"},
    INT("BACKEND_PORT", "8000", 0, 65535, NULL, "Port that it listens on; 0 takes a free one"),
    INT("BACKEND_PROCESSES", "1", 1, 256, "processes", "Processes that share the port"),
    {"BACKEND_ALLOWED_HOSTS", "localhost 127.0.0.1 [::1]", SETTING_TEXT,
     .help = "Names that a request's Host may have, set apart by spaces or commas; * allows all"},
    {"BACKEND_ALLOWED_ORIGINS", "", SETTING_TEXT,
     .help = "Origins besides the backend's own whose pages may change things, set apart by spaces "
             "or commas"},
    {"BACKEND_ALLOW_REMOTE", "0", SETTING_BOOL,
     .help = "Allows BACKEND_HOST to be an address that other machines reach; there is no login"},
    INT("BACKEND_HEADER_TIMEOUT_MS", "10000", 10, 600000, "ms",
        "Time the head of a request may take to arrive"),
    INT("BACKEND_BODY_RATE_MIN", "1024", 0, GIB, "bytes/s",
        "Lowest speed of a request's body over 10 s, and of an answer over a minute; 0: any"),
    INT("BACKEND_CONNECTIONS_MAX", "10000", 1, 1000000, "connections",
        "Connections a process holds"),
    INT("BACKEND_CONNECTIONS_PER_ADDRESS", "0", 0, 1000000, "connections",
        "Connections from one address; 0: no limit, as behind a proxy"),
    INT("BACKEND_STREAMS_MAX", "5000", 1, 1000000, "streams",
        "Progress streams a process serves; the next one gets 503"),
    INT("STREAM_AGE_MAX_S", "600", 1, 86400, "s",
        "Time after which a stream ends and the browser resumes"),
    INT("STREAM_PING_S", "15", 1, 3600, "s", "Time between two signs of life on a quiet stream"),
    INT("MAX_UPLOAD_BYTES", "268435456", 1, TIB, "bytes", "Largest upload"),
    {"UPLOAD_DIR", "/var/lib/lex-intel/uploads", SETTING_PATH,
     .help = "Folder of the uploaded files"},

    /* The worker. What its helper takes (apps/extract/frame.h) bounds some: tests/unit/worker/test_limits.c. */
    INT("WORKER_CONCURRENCY", "2", 1, 256, "documents", "Documents a worker reads at a time"),
    INT("WORKER_PREFETCH_MULTIPLIER", "1", 1, 1000, NULL,
        "Tasks a worker claims for each document that it reads; 1000 in all, at most"),
    INT("WORKER_SHUTDOWN_S", "25", 0, 86400, "s",
        "Time a worker has to finish at SIGTERM; then it hands its tasks back"),
    INT("TASK_SOFT_TIME_LIMIT", "1500", 1, 604800, "s",
        "Time a document may take; then it fails for good, as total_timeout. Python workers: "
        "Celery's "
        "soft limit"),
    INT("TASK_TIME_LIMIT", "1800", 1, 604800, "s",
        "Time after which Celery kills a task of a Python worker"),
    INT("RECONCILE_S", "15", 1, 3600, "s",
        "Time between two comparisons of the documents with the queue"),
    INT("RECONCILE_AGE_S", "30", 1, 86400, "s",
        "Age from which a document without a task is queued again"),
    INT("PAGES_BATCH", "64", 1, 10000, "pages", "Pages stored by one statement"),
    INT("PAGES_MAX", "10000", 1, 100000, "pages", "Pages of a document"),
    INT("PAGE_TIMEOUT_S", "10", 1, 86400, "s", "Time a page may take to be read"),
    INT("PAGE_TEXT_BYTES_MAX", "4194304", 1024, 64 * MIB, "bytes", "Text of one page"),
    INT("DOCUMENT_TEXT_BYTES_MAX", "134217728", 1024, GIB, "bytes", "Text of one document"),
    INT("CHUNK_SIZE", "1800", 16, 1000000, "characters", "Size of a chunk, at most"),
    INT("CHUNK_OVERLAP", "200", 0, 500000, "characters",
        "Text that two neighbouring chunks share; a third of CHUNK_SIZE at most"),
    INT("EXTRACT_MEMORY_BYTES", "1073741824", 64 * MIB, TIB, "bytes",
        "Memory of the program that reads documents"),
    {"LEX_EXTRACT_PROGRAM", EXTRACT_PROGRAM, SETTING_PATH,
     .help = "The program that reads documents"},
    {"LEX_SANDBOX", "on", SETTING_WORD, .words = "on off",
     .help = "Whether it is locked in; off is for machines that cannot, at your risk"},

    /* All programs. */
    {"LEX_MIGRATIONS_DIR", MIGRATIONS_DIR, SETTING_PATH, .help = "Folder of the migrations"},
    {"LOG_LEVEL", "info", SETTING_WORD, .words = "debug info warning error",
     .help = "Least important messages that are written"},
    {"LOG_LEVELS", "", SETTING_LEVELS,
     .help =
         "The same by logger, for a name and all below it: shared=warning,shared.redis=debug; at "
         "most 32"},
    INT("LOG_CAPTURE_LINES", "1000", 1, 1000000, "lines",
        "Captured lines that wait for a client, and as many that wait in it"),
    {"LOG_FORMAT", "json", SETTING_WORD, .words = "json text", .help = "Form of a line of the log"},
};
const int32_t settings_count = sizeof settings / sizeof *settings;
_Static_assert(sizeof settings / sizeof *settings <= SETTINGS_MAX,
               "more settings than SETTINGS_MAX");

const struct setting_order setting_orders[] = {
    {"LEASE_RENEW_S", "LEASE_S", 0},
    {"CHUNK_OVERLAP", "CHUNK_SIZE", 0},
    {"TASK_SOFT_TIME_LIMIT", "TASK_TIME_LIMIT", 1},
    {"PAGE_TEXT_BYTES_MAX", "DOCUMENT_TEXT_BYTES_MAX", 1},
};
const int32_t setting_orders_count = sizeof setting_orders / sizeof *setting_orders;

const struct setting_group setting_groups[] = {
    {"DATABASE_URL", "Where the servers are"},
    {"DATABASE_TIMEOUT_MS", "PostgreSQL"},
    {"REDIS_TIMEOUT_MS", "Redis"},
    {"PROGRESS_RATE", "Progress"},
    {"QUEUE_NAME", "The queue"},
    {"BACKEND_HOST", "The backend"},
    {"WORKER_CONCURRENCY", "The worker"},
    {"LEX_MIGRATIONS_DIR", "All programs"},
};
const int32_t setting_groups_count = sizeof setting_groups / sizeof *setting_groups;
