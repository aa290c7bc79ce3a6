/* SPDX-License-Identifier: MIT
 * postgres_connect.c - from a connection text to a connection in pipeline mode. Names are looked up by a
 * helper thread, since libpq would block for them; then one address after the other is tried, each with
 * its share of CONNECT_TIMEOUT_MS, so that a silent one hides no other. Never tries twice: pool.c decides when.
 */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "net/postgres_private.h"

enum { ATTEMPT_MS_MIN = 1000, KEYWORDS_MAX = 20 };

static void connect_next(struct postgres *postgres);

/* --- the connection text -------------------------------------------------------------------------- */

/* Value of a keyword in the text; NULL when it says nothing. */
static const char *option(const PQconninfoOption *options, const char *keyword) {
    for (; options && options->keyword; options++)
        if (!strcmp(options->keyword, keyword))
            return options->val && *options->val ? options->val : NULL;
    return NULL;
}

/* Cuts "a,b,c" in place; how many parts. More than HOSTS_MAX are left out, and libpq is not asked. */
static int32_t list_cut(char *list, char *parts[HOSTS_MAX]) {
    int32_t count = 0;
    while (list && count < HOSTS_MAX) {
        parts[count++] = list;
        list = strchr(list, ',');
        if (list) *list++ = '\0';
    }
    return count;
}

/* The lists of the text behind one another; the memory of all parts. */
static char *lists_copy(const char *const lists[3], char *copies[3]) {
    size_t size = 0, sizes[3];
    for (int32_t i = 0; i < 3; i++) size += sizes[i] = lists[i] ? strlen(lists[i]) + 1 : 0;
    char *memory = malloc(size ? size : 1), *at = memory;
    for (int32_t i = 0; memory && i < 3; at += sizes[i++]) {
        copies[i] = lists[i] ? memcpy(at, lists[i], sizes[i]) : NULL;
    }
    return memory;
}

/* What libpq takes when nobody says anything. */
static const char *compiled(const PQconninfoOption *options, const char *keyword) {
    for (; options && options->keyword; options++)
        if (!strcmp(options->keyword, keyword)) return options->compiled;
    return NULL;
}

/* libpq's rules: hostaddr and host go side by side, one port may stand for all, an empty one of a list is the
 * compiled one; what a service file says comes before the environment, and is libpq's. */
static bool hosts_read(struct attempt *attempt) {
    const char *lists[3] = {option(attempt->options, "host"), option(attempt->options, "hostaddr"),
                            option(attempt->options, "port")};
    bool of_service = option(attempt->options, "service");
    if (!lists[0] && !lists[1] && !of_service) lists[0] = option(attempt->defaults, "host");
    if (!lists[2] && !of_service) lists[2] = option(attempt->defaults, "port");
    char *copies[3], *hosts[HOSTS_MAX] = {NULL}, *numbers[HOSTS_MAX] = {NULL};
    char *ports[HOSTS_MAX] = {NULL};
    attempt->lists = lists_copy(lists, copies);
    if (!attempt->lists) return false;
    int32_t host_count = list_cut(copies[0], hosts), number_count = list_cut(copies[1], numbers);
    int32_t port_count = list_cut(copies[2], ports);
    attempt->host_count = host_count > number_count ? host_count : number_count;
    if (!attempt->host_count) attempt->host_count = 1;
    if (host_count && number_count && host_count != number_count) return false;
    if (port_count > 1 && port_count != attempt->host_count) return false;
    for (int32_t i = 0; i < attempt->host_count; i++) {
        struct address *host = &attempt->hosts[i];
        const char *number = numbers[i] ? numbers[i] : "";
        if (strlen(number) >= sizeof host->number) return false;
        memcpy(host->number, number, strlen(number) + 1);
        host->host = hosts[i];
        host->port = port_count == 1 ? ports[0] : ports[i];
        if (host->port && !*host->port) host->port = compiled(attempt->defaults, "port");
    }
    return true;
}

/* --- names ---------------------------------------------------------------------------------------- */

static void address_add(struct attempt *attempt, const struct address *host,
                        const char number[RESOLVER_ADDRESS_SIZE]) {
    if (attempt->address_count == ADDRESSES_MAX) return;
    struct address *address = &attempt->addresses[attempt->address_count++];
    *address = *host;
    memmove(address->number, number, sizeof address->number);
}

static bool needs_lookup(const struct address *host) {
    return !host->number[0] && host->host && host->host[0] && host->host[0] != '/' &&
           host->host[0] != '@' && !lookup_is_numeric(host->host);
}

static void resolve_next(struct postgres *postgres);

static void resolved(struct lookup *lookup) {
    struct postgres *postgres = lookup->owner;
    if (postgres) {
        struct attempt *attempt = postgres->attempt;
        attempt->lookup = NULL;
        for (int32_t i = 0; i < lookup->count; i++)
            address_add(attempt, &attempt->hosts[attempt->host_index], lookup->addresses[i]);
        if (!lookup->count)
            error_set(&attempt->error, SHARED_POSTGRES, SHARED_ECLOSED,
                      "DATABASE_URL: host \"%s\" is not found: %s", lookup->host,
                      gai_strerror(lookup->status));
        attempt->host_index++;
        postgres_enter(postgres);
        resolve_next(postgres);
        postgres_leave(postgres);
    }
    free(lookup);
}

static bool lookup_begin(struct postgres *postgres, const char *host) {
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) return false;
    *lookup = (struct lookup){.finish = resolved, .owner = postgres};
    if (lookup_start(postgres->client, lookup, host) < 0) {
        free(lookup);
        return false;
    }
    postgres->attempt->lookup = lookup;
    return true;
}

/* Goes on with the next host that needs a look-up, or connects. */
static void resolve_next(struct postgres *postgres) {
    struct attempt *attempt = postgres->attempt;
    for (; attempt->host_index < attempt->host_count; attempt->host_index++) {
        const struct address *host = &attempt->hosts[attempt->host_index];
        if (!needs_lookup(host)) {
            address_add(attempt, host, host->number);
        } else if (lookup_begin(postgres, host->host)) {
            return;
        } else {
            attempt->error = *shared_error_last();
        }
    }
    connect_next(postgres);
}

/* --- one attempt ---------------------------------------------------------------------------------- */

struct keywords {
    int32_t count;
    const char *names[KEYWORDS_MAX], *values[KEYWORDS_MAX];
};

static void keyword_add(struct keywords *keywords, const char *name, const char *value) {
    if (!value || keywords->count == KEYWORDS_MAX - 1) return;
    keywords->names[keywords->count] = name;
    keywords->values[keywords->count++] = value;
}

/* What the text does not say: an end to connections whose other side has gone, and no look around for
 * Kerberos tickets, which costs milliseconds a connection. */
static void presets_add(struct keywords *keywords, const struct attempt *attempt) {
    static const char *const presets[][2] = {
        {"fallback_application_name", "lex-intel"},
        {"gssencmode", "disable"},
        {"keepalives_idle", "30"},
        {"keepalives_interval", "10"},
        {"keepalives_count", "3"},
    };
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        bool said = option(attempt->options, presets[i][0]) ||
                    (!strcmp(presets[i][0], "gssencmode") && getenv("PGGSSENCMODE"));
        if (!said) keyword_add(keywords, presets[i][0], presets[i][1]);
    }
}

/* The text without where it leads, as key='value'. An empty value says that the environment's is not wanted. */
static void rest_add(struct buffer *out, const PQconninfoOption *options) {
    for (; options->keyword; options++) {
        bool leads = !strcmp(options->keyword, "host") || !strcmp(options->keyword, "hostaddr") ||
                     !strcmp(options->keyword, "port");
        if (leads || !options->val) continue;
        buffer_format(out, "%s='", options->keyword);
        for (const char *at = options->val; *at; at++) {
            if (*at == '\'' || *at == '\\') buffer_add_char(out, '\\');
            buffer_add_char(out, *at);
        }
        buffer_add_text(out, "' ");
    }
}

/* --- which of several servers --------------------------------------------------------------------- */

static bool prefers_standby(const struct attempt *attempt) {
    const char *wanted = option(attempt->options, "target_session_attrs");
    if (!wanted) wanted = option(attempt->defaults, "target_session_attrs");
    return wanted && !strcmp(wanted, "prefer-standby");
}

/* libpq looks at each server by itself, and of one server alone it takes any: so the first pass over the
 * addresses is for standbys only. NULL: as the text has it. */
static const char *attributes(const struct attempt *attempt) {
    if (!prefers_standby(attempt)) return NULL;
    return attempt->takes_any ? "any" : "standby";
}

/* What a server said tells more than that another one cannot be reached. */
static void attempt_tell(struct attempt *attempt, const struct shared_error *error) {
    if (!*attempt->error.sqlstate || *error->sqlstate) attempt->error = *error;
}

/* --- the text for libpq --------------------------------------------------------------------------- */

/* Text results are the same everywhere; and a server whose client has died in the middle of a statement
 * notices within two seconds, instead of holding its locks to the end (PostgreSQL 14 or later). */
static const char session_settings[] = "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601"
                                       " -c client_connection_check_interval=2000";

/* Keywords that come after dbname, the text, win over what it says; empty ones are none. */
static PGconn *connect_start(const struct attempt *attempt, const struct address *address) {
    struct keywords keywords = {0};
    struct buffer rest = {0}, settings = {0};
    const char *theirs = option(attempt->options, "options");
    rest_add(&rest, attempt->options);
    keyword_add(&keywords, "dbname", rest.data);
    presets_add(&keywords, attempt);
    keyword_add(&keywords, "client_encoding", "UTF8");
    buffer_format(&settings, "%s%s%s", theirs ? theirs : "", theirs ? " " : "", session_settings);
    keyword_add(&keywords, "options", settings.data);
    keyword_add(&keywords, "host", address->host);
    keyword_add(&keywords, "hostaddr", address->number);
    keyword_add(&keywords, "port", address->port);
    keyword_add(&keywords, "target_session_attrs", attributes(attempt));
    bool complete = !settings.failed && !rest.failed;
    PGconn *connection = complete ? PQconnectStartParams(keywords.names, keywords.values, 1) : NULL;
    buffer_finish(&rest);
    buffer_finish(&settings);
    return connection;
}

/* Whether libpq refuses what the text says of anything but the server: then it does not come to look at an
 * address, and its words, in whatever language, do not show the one it would have refused. */
static bool is_misconfigured(const struct attempt *attempt, const struct address *address) {
    struct address none = {.port = address->port, .number = "no address"};
    errno = 0;
    PGconn *connection = connect_start(attempt, &none);
    bool scarce = !connection || errno == ENOMEM;
    bool refused = !scarce && !strstr(PQerrorMessage(connection), none.number);
    PQfinish(connection);
    return refused;
}

static void attempt_close(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->timer);
    source_remove(postgres->client, &postgres->source);
    PQfinish(postgres->connection);
    postgres->connection = NULL;
}

/* This address did not work: the next one. */
static void attempt_failed(struct postgres *postgres, const char *what) {
    struct shared_error error;
    error_from_connection(&error, postgres->connection, what);
    attempt_tell(postgres->attempt, &error);
    attempt_close(postgres);
    connect_next(postgres);
}

static void attempt_overdue(struct timer *timer) {
    struct postgres *postgres =
        (struct postgres *)((char *)timer - offsetof(struct postgres, timer));
    struct attempt *attempt = postgres->attempt;
    const struct address *address = &attempt->addresses[attempt->address_index - 1];
    const char *port = PQport(postgres->connection);
    struct shared_error error;
    error_set(&error, SHARED_POSTGRES, SHARED_ETIMEOUT,
              "DATABASE_URL: host \"%s\" (%s) port %s: no connection within CONNECT_TIMEOUT_MS",
              address->host ? address->host : "", address->number, port ? port : "");
    attempt_tell(attempt, &error);
    postgres_enter(postgres);
    attempt_close(postgres);
    connect_next(postgres);
    postgres_leave(postgres);
}

static void connected(struct postgres *postgres) {
    timer_stop(postgres->client, &postgres->timer);
    if (PQsetnonblocking(postgres->connection, 1) != 0 ||
        !PQenterPipelineMode(postgres->connection) ||
        source_change(postgres->client, &postgres->source, EPOLLIN) < 0) {
        attempt_failed(postgres, "pipeline mode");
        return;
    }
    postgres->source.ready = postgres_ready;
    postgres_connect_end(postgres);
    postgres->state = POSTGRES_READY;
    postgres->tell_ready = true;
    postgres_wake(postgres);
}

static void connect_poll(struct postgres *postgres);

static void connect_ready(struct source *source, uint32_t events) {
    (void)events;
    struct postgres *postgres =
        (struct postgres *)((char *)source - offsetof(struct postgres, source));
    postgres_enter(postgres);
    connect_poll(postgres);
    postgres_leave(postgres);
}

/* libpq may have closed its socket and opened another one, also with the same number: so the descriptor
 * is taken up anew at each step. */
static bool connect_watch(struct postgres *postgres, uint32_t events) {
    source_remove(postgres->client, &postgres->source);
    if (source_add_lent(postgres->client, &postgres->source, PQsocket(postgres->connection), events,
                        connect_ready) >= 0)
        return true;
    attempt_failed(postgres, shared_error_message(shared_error_last()));
    return false;
}

static void connect_poll(struct postgres *postgres) {
    switch (PQconnectPoll(postgres->connection)) {
    case PGRES_POLLING_READING: (void)connect_watch(postgres, EPOLLIN); return;
    case PGRES_POLLING_WRITING: (void)connect_watch(postgres, EPOLLOUT); return;
    case PGRES_POLLING_OK:
        if (connect_watch(postgres, EPOLLIN)) connected(postgres);
        return;
    default: attempt_failed(postgres, "connect"); return;
    }
}

/* Time for one address: an equal share of what is asked, but enough for a TLS handshake. */
static int64_t attempt_ms(const struct postgres *postgres) {
    int64_t whole_ms = client_setting(postgres->client, "CONNECT_TIMEOUT_MS");
    int64_t passes = prefers_standby(postgres->attempt) ? 2 : 1;
    int64_t share_ms = whole_ms / postgres->attempt->address_count / passes;
    int64_t least_ms = whole_ms < ATTEMPT_MS_MIN ? whole_ms : ATTEMPT_MS_MIN;
    return share_ms > least_ms ? share_ms : least_ms;
}

static void connect_refused(struct postgres *postgres) {
    struct shared_error error;
    const struct attempt *attempt = postgres->attempt;
    if (!is_misconfigured(attempt, &attempt->addresses[attempt->address_index - 1])) {
        attempt_failed(postgres, "connect");
        return;
    }
    error_set(&error, SHARED_CALLER, SHARED_EINVALID, "DATABASE_URL: %s",
              PQerrorMessage(postgres->connection));
    postgres_break(postgres, &error);
}

static void connect_next(struct postgres *postgres) {
    struct attempt *attempt = postgres->attempt;
    struct shared_error error;
    if (attempt->address_index == attempt->address_count && !attempt->takes_any &&
        prefers_standby(attempt)) {
        attempt->takes_any = true;
        attempt->address_index = 0;
    }
    if (attempt->address_index == attempt->address_count) {
        error = attempt->error;
        postgres_break(postgres, &error);
        return;
    }
    postgres->connection = connect_start(attempt, &attempt->addresses[attempt->address_index++]);
    if (!postgres->connection) {
        error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "connection: out of memory");
        postgres_break(postgres, &error);
        return;
    }
    if (PQstatus(postgres->connection) == CONNECTION_BAD) {
        connect_refused(postgres);
        return;
    }
    PQsetErrorVerbosity(postgres->connection,
                        PQERRORS_VERBOSE); /* shows the SQLSTATE of a refusal */
    PQsetNoticeReceiver(postgres->connection, postgres_notice, postgres);
    timer_start(postgres->client, &postgres->timer, attempt_ms(postgres), attempt_overdue);
    (void)connect_watch(postgres, EPOLLOUT);
}

/* --- all of it ------------------------------------------------------------------------------------ */

void postgres_connect(struct postgres *postgres) {
    struct attempt *attempt = postgres->attempt = calloc(1, sizeof *attempt);
    struct shared_error error;
    error_set(&error, SHARED_SYSTEM, SHARED_ENOMEM, "connection: out of memory");
    if (!attempt) {
        postgres_break(postgres, &error);
        return;
    }
    attempt->error = error;
    char *complaint = NULL;
    errno = 0;
    attempt->options = PQconninfoParse(postgres->conninfo, &complaint);
    bool scarce = !attempt->options && errno == ENOMEM;
    attempt->defaults = PQconndefaults();
    PQfreemem(complaint); /* may show the password */
    bool read = attempt->options && hosts_read(attempt);
    if (!read && !scarce && (!attempt->options || attempt->lists)) /* else memory was missing */
        error_set(&error, SHARED_CALLER, SHARED_EINVALID,
                  "DATABASE_URL: not a connection text that libpq takes");
    if (!read) {
        postgres_break(postgres, &error);
        return;
    }
    resolve_next(postgres);
}

void postgres_connect_end(struct postgres *postgres) {
    struct attempt *attempt = postgres->attempt;
    if (!attempt) return;
    if (attempt->lookup) attempt->lookup->owner = NULL;
    PQconninfoFree(attempt->options);
    PQconninfoFree(attempt->defaults);
    free(attempt->lists);
    free(attempt);
    postgres->attempt = NULL;
}
