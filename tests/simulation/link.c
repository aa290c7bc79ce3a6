/* SPDX-License-Identifier: MIT
 * link.c - connections: delay, order, and what arrives of one that broke. Never looks into a message.
 */
#include "link.h"

#include <stdio.h>

#include "world.h"

enum { DELAY_US_MIN = 50, DELAY_US_MAX = 1500, LATE_PERMILLE = 4, LATE_US_MAX = 800 * US_PER_MS };

static int64_t delay_us(const struct server *server) {
    if (world.steady) return DELAY_US_MIN;
    if (sim_chance(LATE_PERMILLE)) return sim_between(DELAY_US_MAX, LATE_US_MAX);
    return sim_between(DELAY_US_MIN, DELAY_US_MAX) * server->slow;
}

struct link *link_new(struct server *server, struct process *process,
                      const struct link_owner *methods, void *owner, const char *what) {
    struct link *link = sim_alloc(sizeof *link);
    *link = (struct link){.next = server->links,
                          .server = server,
                          .process = process,
                          .methods = methods,
                          .owner = owner,
                          .arrival_us = sim_now_us() + delay_us(server)};
    (void)snprintf(link->name, sizeof link->name, "%s.%s", process->name, what);
    server->links = link;
    return link;
}

/* --- the server's end --------------------------------------------------------------------------------- */

static void close_now(struct event *event) {
    struct link *link = (struct link *)((char *)event - offsetof(struct link, closing));
    if (link->closed) return;
    link->closed = true;
    link->first = link->last = NULL;
    for (struct link **at = &link->server->links; *at; at = &(*at)->next) {
        if (*at != link) continue;
        *at = link->next;
        break;
    }
    link->server->closed(link);
}

static void close_soon(struct link *link) {
    if (!link->closing.waits && !link->closed) sim_at(&link->closing, sim_now_us(), close_now);
}

static void give_back(struct event *event) {
    struct message *message = (struct message *)((char *)event - offsetof(struct message, event));
    struct link *link = message->link;
    if (!link->broken && link->owner) process_post(link->process, &message->mail);
}

void link_resume(struct link *link) {
    while (link->first && !link->closed) {
        struct message *message = link->first;
        if (!link->server->execute(message)) return;
        link->first = message->next;
        if (!link->first) link->last = NULL;
        if (link->broken) continue;
        int64_t at_us = sim_now_us() + delay_us(link->server);
        link->return_us = at_us > link->return_us ? at_us : link->return_us + 1;
        sim_at(&message->event, link->return_us, give_back);
    }
}

static void arrive(struct event *event) {
    struct message *message = (struct message *)((char *)event - offsetof(struct message, event));
    struct link *link = message->link;
    link->in_flight--;
    if (link->closed) return;
    if (!link->server->up) {
        link_break(link, "refused");
        close_soon(link);
        return;
    }
    if (link->broken && link->ghosts-- <= 0) {
        close_soon(link);
        return;
    }
    message->next = NULL;
    *(link->last ? &link->last->next : &link->first) = message;
    link->last = message;
    if (link->first == message) link_resume(link);
    if (link->broken && link->ghosts <= 0) close_soon(link);
}

/* --- the process' end ------------------------------------------------------------------------------------ */

static void open_answer(struct mail *mail) {
    struct message *message = (struct message *)((char *)mail - offsetof(struct message, mail));
    if (message->link->owner) message->link->methods->answered(message);
}

static void open_broken(struct mail *mail) {
    struct link *link = (struct link *)((char *)mail - offsetof(struct link, mail));
    if (link->owner) link->methods->broken(link, link->why);
}

void link_send(struct link *link, struct message *message) {
    message->link = link;
    message->mail.open = open_answer;
    if (link->broken || link->process->dying) return;
    int64_t at_us = sim_now_us() + delay_us(link->server);
    link->arrival_us = at_us > link->arrival_us ? at_us : link->arrival_us + 1;
    link->in_flight++;
    sim_at(&message->event, link->arrival_us, arrive);
}

static void cut(struct link *link) {
    if (link->broken) return;
    link->broken = true;
    link->ghosts = link->in_flight ? (int32_t)sim_between(0, link->in_flight) : 0;
    if (!link->ghosts) close_soon(link);
}

void link_let_go(struct link *link) {
    link->owner = NULL;
    cut(link);
}

void link_break(struct link *link, const char *why) {
    if (link->broken) return;
    sim_trace(link->name, "connection breaks: %s", why);
    cut(link);
    link->why = why;
    link->mail.open = open_broken;
    if (link->owner) process_post(link->process, &link->mail);
}

struct link *link_any(struct server *server) {
    int32_t count = 0;
    for (struct link *link = server->links; link; link = link->next) count += !link->broken;
    int64_t wanted = count ? sim_between(1, count) : 0;
    for (struct link *link = server->links; link; link = link->next)
        if (!link->broken && --wanted == 0) return link;
    return NULL;
}

void server_stop(struct server *server, const char *why) {
    sim_trace(server->name, "%s", why);
    server->up = false;
    while (server->links) {
        struct link *link = server->links;
        link_break(link, why);
        link->ghosts = 0;
        close_now(&link->closing); /* takes it out of the list */
    }
}
