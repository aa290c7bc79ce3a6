/* SPDX-License-Identifier: MIT
 * transport.c - sockets: opening, options, reading, writing. Never waits and never raises SIGPIPE.
 */
#include "net/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A peer that vanished without a word is found within these: bytes unanswered, or silence. */
enum { UNANSWERED_MS = 15000, QUIET_S = 10, PROBE_S = 2, PROBES = 3 };

static const struct {
    int level, name, value;
} tcp_options[] = {
    {IPPROTO_TCP, TCP_NODELAY, 1},        {SOL_SOCKET, SO_KEEPALIVE, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, QUIET_S}, {IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S},
    {IPPROTO_TCP, TCP_KEEPCNT, PROBES},   {IPPROTO_TCP, TCP_USER_TIMEOUT, UNANSWERED_MS},
};

/* Where to: a Unix socket's name or a numeric address. An errno, 0: it went well. */
static int target_make(const struct redis_url *url, const char *address,
                       struct sockaddr_storage *target, socklen_t *size) {
    if (url->path[0]) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", url->path);
        memcpy(target, &name, sizeof name);
        *size = sizeof name;
        return 0;
    }
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)url->port);
    /* With numeric host and port this looks nothing up; it knows IPv6's %scope, inet_pton does not. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(address, port, &hints, &found);
    if (status != 0) return status == EAI_MEMORY ? ENOMEM : EAFNOSUPPORT;
    memcpy(target, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int transport_open(struct transport *transport, const struct redis_url *url, const char *address) {
    struct sockaddr_storage target;
    socklen_t size = 0;
    int status = target_make(url, address, &target, &size);
    if (status != 0) return status;
    int fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    for (size_t i = 0; target.ss_family != AF_UNIX && i < sizeof tcp_options / sizeof *tcp_options;
         i++)
        (void)setsockopt(fd, tcp_options[i].level, tcp_options[i].name, &tcp_options[i].value,
                         sizeof tcp_options[i].value);
    status = connect(fd, (const struct sockaddr *)&target, size) == 0 ? 0 : errno;
    if (status == EINTR) status = EINPROGRESS;
    if (status != 0 && status != EINPROGRESS) {
        (void)close(fd);
        return status;
    }
    *transport = (struct transport){.fd = fd};
    return status;
}

int transport_status(const struct transport *transport) {
    int status = 0;
    socklen_t size = sizeof status;
    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &status, &size) < 0) return errno;
    return status;
}

void transport_close(struct transport *transport) {
    tls_finish(transport);
    if (transport->fd >= 0) (void)close(transport->fd);
    *transport = (struct transport){.fd = -1};
}

static ssize_t failed(int number, const char *what, struct shared_error *error) {
    if (number == EAGAIN || number == EINTR) return TRANSPORT_AGAIN; /* the socket stays ready */
    error_set_errno(error, number, what);
    error->domain = SHARED_REDIS;
    return TRANSPORT_FAILED;
}

ssize_t transport_read(struct transport *transport, void *data, size_t size, const char *what,
                       struct shared_error *error) {
    if (transport->ssl) return tls_read(transport, data, size, what, error);
    ssize_t count = recv(transport->fd, data, size, 0);
    if (count < 0) return failed(errno, what, error);
    if (count > 0) return count;
    error_set(error, SHARED_REDIS, SHARED_ECLOSED, "%s: the server closed the connection", what);
    return TRANSPORT_FAILED;
}

ssize_t transport_write(struct transport *transport, const void *data, size_t size,
                        const char *what, struct shared_error *error) {
    if (transport->ssl) return tls_write(transport, data, size, what, error);
    ssize_t count = send(transport->fd, data, size, MSG_NOSIGNAL);
    return count < 0 ? failed(errno, what, error) : count;
}

bool transport_holds(const struct transport *transport) {
    return transport->ssl && tls_holds(transport);
}
