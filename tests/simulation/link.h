/* SPDX-License-Identifier: MIT
 * link.h - connections of processes to the two servers: messages arrive and are answered in order and late;
 * a connection that breaks may still deliver some of what was sent. Knows no protocol.
 */
#ifndef LINK_H
#define LINK_H

#include "process.h"

struct link;

/* One request, and its answer on the way back; embed it. */
struct message {
    struct event event;
    struct mail mail;
    struct link *link;
    struct message *next; /* in the server's queue */
};

struct server {
    const char *name;
    bool up;
    int32_t slow; /* factor of all delays */
    struct link *links;
    /* Runs it, and leaves the answer in it. false: it has to wait; link_resume asks again. */
    bool (*execute)(struct message *message);
    /* The connection has ended, as the server sees it. */
    void (*closed)(struct link *link);
};

struct link_owner {
    void (*answered)(struct message *message);
    void (*broken)(struct link *link, const char *why);
};

struct link {
    struct link *next;
    struct server *server;
    struct process *process;
    const struct link_owner *methods;
    void *owner;   /* NULL: it has let go */
    void *session; /* the server's */
    bool broken, closed;
    int32_t in_flight, ghosts; /* requests on their way; of those, how many still arrive */
    struct message *first, *last;
    int64_t arrival_us, return_us;
    struct mail mail; /* that it broke */
    const char *why;
    struct event closing;
    char name[32];
};

struct link *link_new(struct server *server, struct process *process,
                      const struct link_owner *methods, void *owner, const char *what);
void link_send(struct link *link, struct message *message);
/* The owner hears nothing any more; what was sent may still arrive. */
void link_let_go(struct link *link);
/* From outside: both ends notice. */
void link_break(struct link *link, const char *why);
/* What waited may go on. */
void link_resume(struct link *link);
/* One that stands, drawn by the seed; NULL: none. */
struct link *link_any(struct server *server);
/* All its connections break and nothing of them arrives any more. */
void server_stop(struct server *server, const char *why);

#endif
