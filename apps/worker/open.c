/* SPDX-License-Identifier: MIT
 * open.c - openat2: the kernel refuses "..", links and absolute paths, so no check of ours can be fooled.
 */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part behind upload_dir/, or path itself. */
static const char *make_relative(const char *upload_dir, const char *path) {
    size_t size = strlen(upload_dir);
    while (size > 1 && upload_dir[size - 1] == '/') size--;
    if (!strncmp(path, upload_dir, size) && path[size] == '/')
        path += size + strspn(path + size, "/");
    return path;
}

int open_upload(int folder, const char *upload_dir, const char *path, int64_t *size) {
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    struct stat status;
    int file = (int)syscall(SYS_openat2, folder, make_relative(upload_dir, path), &how, sizeof how);
    if (file < 0) return -1;
    if (fstat(file, &status) || !S_ISREG(status.st_mode)) {
        close(file);
        errno = ENOENT;
        return -1;
    }
    *size = status.st_size;
    return file;
}
