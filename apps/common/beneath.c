/* SPDX-License-Identifier: MIT
 * beneath.c - opens and removes files; goes folder after folder and follows no link, so no path leads out of
 * the one it began in. Not by openat2, which systemd takes away from each service with DynamicUser= or
 * RestrictSUIDSGID=.
 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPEN_FOLDER = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    OPEN_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* The part behind root/, or path itself. */
static const char *make_relative(const char *root, const char *path) {
    size_t size = strlen(root);
    while (size > 1 && root[size - 1] == '/') size--;
    if (!strncmp(path, root, size) && path[size] == '/') path += size + strspn(path + size, "/");
    return path;
}

/* Of one name in a path; that before the first slash of an absolute one is empty. */
static bool name_is_good(const char *text, size_t size) {
    bool is_above = size == 2 && !memcmp(text, "..", 2);
    return size && size <= NAME_MAX && !is_above;
}

static int open_name(int folder, const char *text, size_t size, int flags) {
    char name[NAME_MAX + 1];
    if (!name_is_good(text, size)) {
        errno = ENOENT;
        return -1;
    }
    memcpy(name, text, size);
    name[size] = 0;
    return openat(folder, name, flags);
}

static void close_keeping_errno(int fd) {
    int error = errno;
    close(fd);
    errno = error;
}

/* The folder of the path's last name, which *path then is; folder itself when there is no other. */
static int open_parent(int folder, const char **path) {
    int at = folder;
    size_t size = strcspn(*path, "/");
    for (; at >= 0 && (*path)[size]; size = strcspn(*path, "/")) {
        int next = open_name(at, *path, size, OPEN_FOLDER);
        if (at != folder) close_keeping_errno(at);
        at = next;
        *path += size + strspn(*path + size, "/");
    }
    return at;
}

static int open_path(int folder, const char *path) {
    int at = open_parent(folder, &path);
    int file = at < 0 ? -1 : open_name(at, path, strlen(path), OPEN_FILE);
    if (at >= 0 && at != folder) close_keeping_errno(at);
    return file;
}

int beneath_open(int folder, const char *root, const char *path, int64_t *size) {
    struct stat status;
    int file = open_path(folder, make_relative(root, path));
    if (file < 0) {
        bool is_other = errno == ELOOP || errno == ENOTDIR || errno == ENXIO; /* a link, a socket */
        if (is_other) errno = ENOENT;
        return -1;
    }
    if (fstat(file, &status) || !S_ISREG(status.st_mode)) {
        close(file);
        errno = ENOENT;
        return -1;
    }
    *size = status.st_size;
    return file;
}

int beneath_remove(int folder, const char *root, const char *path) {
    path = make_relative(root, path);
    int at = open_parent(folder, &path);
    int result = -1;
    if (at >= 0 && name_is_good(path, strlen(path)))
        result = unlinkat(at, path, 0);
    else if (at >= 0)
        errno = ENOENT;
    if (at >= 0 && at != folder) close_keeping_errno(at);
    return result;
}

char *beneath_name(const char *root, const char *path) {
    path = make_relative(root, path);
    char *name = malloc(strlen(path) + 1);
    bool has_memory = name != NULL;
    for (size_t used = 0; name;) {
        size_t size = strcspn(path, "/");
        bool is_last = !path[size];
        bool is_here = size == 1 && *path == '.';
        if (!name_is_good(path, size) || (is_here && is_last)) break;
        if (!is_here) {
            memcpy(name + used, path, size);
            used += size;
            name[used++] = is_last ? '\0' : '/';
        }
        if (is_last) return name;
        path += size + strspn(path + size, "/");
    }
    free(name);
    errno = has_memory ? ENOENT : ENOMEM;
    return NULL;
}
