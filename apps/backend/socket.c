/* SPDX-License-Identifier: MIT
 * socket.c - the address that is listened on. Never one that other machines reach, unless told: there
 * is no login yet, so whoever reaches it may do everything.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "main.h"

enum { BACKLOG = 1024 };

static void log_failure(const char *what, const char *reason) {
    shared_log_with("backend", SHARED_ERROR, what, "error", reason);
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 in;
    memcpy(&in, address, sizeof in);
    const uint8_t *bytes = in.sin6_addr.s6_addr;
    return IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) && bytes[12] == 127);
}

static int open_socket(const struct addrinfo *address) {
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, BACKLOG)) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void log_address(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV], url[NI_MAXHOST + NI_MAXSERV + 16];
    if (getsockname(fd, (struct sockaddr *)&address, &size) ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    snprintf(url, sizeof url, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host, port);
    shared_log_with("backend", SHARED_INFO, "listening", "address", url);
}

int socket_listen(const struct settings *settings) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[8];
    char what[300];
    snprintf(port, sizeof port, "%d", (int)settings->port);
    snprintf(what, sizeof what, "BACKEND_HOST %.200s, BACKEND_PORT %s", settings->host, port);
    int error = getaddrinfo(settings->host, port, &hints, &found);
    if (error) {
        log_failure(what, gai_strerror(error));
        return -1;
    }
    int fd = -1;
    if (!is_loopback(found->ai_addr) && !settings->allow_remote) {
        log_failure(what, "other machines could reach this address, and there is no login: set "
                          "BACKEND_ALLOW_REMOTE=1 if something in front of it decides who may");
    } else if ((fd = open_socket(found)) < 0) {
        log_failure(what, strerror(errno));
    } else {
        log_address(fd);
    }
    freeaddrinfo(found);
    return fd;
}
