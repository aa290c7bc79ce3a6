/* SPDX-License-Identifier: MIT
 * test_beneath.c - no path leads out of its folder, and nothing stays open but what was asked for.
 */
#include "beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static char root[] = "/tmp/beneath-XXXXXX";
static int folder;

static const char *in_root(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    return path;
}

static void write_file(const char *name) {
    int file = open(in_root(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(file, "a will", 6), 6);
    ck_assert_int_eq(close(file), 0);
}

static void make_socket(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", in_root(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

/* root/df/will, root/deep/er/still/will, and what is not to be followed or read. */
static void make_tree(void) {
    static const char *const folders[] = {"/df", "/deep", "/deep/er", "/deep/er/still"};
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        ck_assert_int_eq(mkdir(in_root(folders[i]), 0700), 0);
    write_file("/will");
    write_file("/df/will");
    write_file("/deep/er/still/will");
    ck_assert_int_eq(symlink("/etc/passwd", in_root("/link")), 0);
    ck_assert_int_eq(symlink("will", in_root("/link-inside")), 0);
    ck_assert_int_eq(symlink("/etc", in_root("/link-folder")), 0);
    ck_assert_int_eq(symlink("df", in_root("/link-folder-inside")), 0);
    ck_assert_int_eq(mkfifo(in_root("/pipe"), 0600), 0);
    make_socket("/socket");
    folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
}

static void remove_tree(void) {
    static const char *const names[] = {
        "/will",
        "/df/will",
        "/deep/er/still/will",
        "/deep/er/still",
        "/deep/er",
        "/deep",
        "/df",
        "/link",
        "/link-inside",
        "/link-folder",
        "/link-folder-inside",
        "/pipe",
        "/socket",
        "",
    };
    close(folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) (void)remove(in_root(names[i]));
}

static int descriptors(void) {
    int count = 0;
    DIR *list = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(list);
    while (readdir(list)) count++;
    closedir(list);
    return count;
}

static const char *const there[] = {
    "will", "df/will", "df//will", "./df/./will", "deep/er/still/will",
};

START_TEST(a_file_of_the_folder_opens) {
    char text[8] = "";
    int64_t size = 0;
    int before = descriptors();
    int file = beneath_open(folder, root, there[_i], &size);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(descriptors(), before + 1);
    ck_assert_int_eq(size, 6);
    ck_assert_int_eq(read(file, text, sizeof text), 6);
    ck_assert_str_eq(text, "a will");
    ck_assert_int_eq(fcntl(file, F_GETFD), FD_CLOEXEC);
    close(file);
}
END_TEST

START_TEST(an_absolute_path_below_the_folder_opens) {
    int64_t size = 0;
    char slashes[64], path[128];
    (void)snprintf(slashes, sizeof slashes, "%s//", root);
    (void)snprintf(path, sizeof path, "%s//df/will", root);
    const char *const roots[] = {root, slashes};
    for (int i = 0; i < 2; i++) {
        int file = beneath_open(folder, roots[i], path, &size);
        ck_assert_int_ge(file, 0);
        close(file);
    }
}
END_TEST

static const char *const not_there[] = {
    "",
    ".",
    "..",
    "/",
    "none",
    "df",
    "df/",
    "df/will/",
    "will/will",
    "/will",
    "/etc/passwd",
    "../etc/passwd",
    "df/../will",
    "df/../../../../../../etc/passwd",
    "link",
    "link-inside",
    "link-folder/passwd",
    "link-folder-inside/will",
    "pipe",
    "socket",
};

START_TEST(all_else_is_not_there) {
    int64_t size = -7;
    int before = descriptors();
    errno = 0;
    ck_assert_int_eq(beneath_open(folder, root, not_there[_i], &size), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(size, -7);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

START_TEST(a_neighbour_whose_name_begins_alike_is_not_there) {
    char path[128];
    int64_t size;
    (void)snprintf(path, sizeof path, "%s-other/will", root);
    ck_assert_int_eq(beneath_open(folder, root, path, &size), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_name_longer_than_names_are_is_not_there) {
    char path[NAME_MAX + 16];
    int64_t size;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    ck_assert_int_eq(beneath_open(folder, root, path, &size), -1);
    ck_assert_int_eq(errno, ENOENT);
    memcpy(path + sizeof path - 7, "/will", 5);
    ck_assert_int_eq(beneath_open(folder, root, path, &size), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(what_opens_is_removed) {
    char absolute[128];
    (void)snprintf(absolute, sizeof absolute, "%s//df/will", root);
    const char *const paths[] = {"will", "./df//will", absolute, "deep/er/still/will", "df/a..b"};
    int before = descriptors();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int64_t size;
        write_file("/df/a..b");
        ck_assert_int_eq(beneath_remove(folder, root, paths[i]), 0);
        errno = 0;
        ck_assert_int_eq(beneath_open(folder, root, paths[i], &size), -1);
        ck_assert_int_eq(errno, ENOENT);
        write_file("/will"); /* as the next test wants it */
        write_file("/df/will");
        write_file("/deep/er/still/will");
    }
    ck_assert_int_eq(descriptors(), before);
    ck_assert_int_eq(access(in_root("/df/a..b"), F_OK), -1);
}
END_TEST

START_TEST(nothing_else_is_removed) {
    static const char *const paths[] = {"",         "..",         "df/",
                                        "df",       "df/../will", "/",
                                        "df/will/", "/etc/hosts", "link-folder-inside/will"};
    int before = descriptors();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        ck_assert_int_eq(beneath_remove(folder, root, paths[i]), -1);
    ck_assert_int_eq(descriptors(), before);
    ck_assert_int_eq(access(in_root("/will"), F_OK), 0);
    ck_assert_int_eq(access(in_root("/df/will"), F_OK), 0);
}
END_TEST

START_TEST(a_path_has_one_name) {
    char absolute[128];
    (void)snprintf(absolute, sizeof absolute, "%s//df/./will", root);
    const char *const paths[][2] = {
        {"will", "will"},
        {"df/will", "df/will"},
        {"./df//./will", "df/will"},
        {absolute, "df/will"},
        {"a..b", "a..b"},
        {"py/..c", "py/..c"},
        {".hidden", ".hidden"},
        {"", NULL},
        {".", NULL},
        {"df/.", NULL},
        {"df/", NULL},
        {"..", NULL},
        {"df/../will", NULL},
        {"/etc/hosts", NULL},
        {root, NULL},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        errno = 0;
        char *name = beneath_name(root, paths[i][0]);
        if (paths[i][1])
            ck_assert_str_eq(name, paths[i][1]);
        else
            ck_assert_ptr_null(name);
        ck_assert_int_eq(errno, paths[i][1] ? 0 : ENOENT);
        free(name);
    }
}
END_TEST

/* What may pass is told apart from what is gone. */
START_TEST(no_descriptor_left_is_said_as_such) {
    int64_t size;
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)folder + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(beneath_open(folder, root, "will", &size), -1);
    ck_assert_int_eq(errno, EMFILE);
    limit.rlim_cur = (rlim_t)folder + 2; /* room for the folder on the way alone */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(beneath_open(folder, root, "df/will", &size), -1);
    ck_assert_int_eq(errno, EMFILE);
    int file = beneath_open(folder, root, "will", &size); /* the folder was closed again */
    ck_assert_int_ge(file, 0);
    close(file);
}
END_TEST

int main(void) {
    enum { THERE = sizeof there / sizeof *there, NOT_THERE = sizeof not_there / sizeof *not_there };
    TCase *tests = tcase_create("beneath");
    tcase_add_unchecked_fixture(tests, make_tree, remove_tree);
    tcase_add_loop_test(tests, a_file_of_the_folder_opens, 0, THERE);
    tcase_add_test(tests, an_absolute_path_below_the_folder_opens);
    tcase_add_loop_test(tests, all_else_is_not_there, 0, NOT_THERE);
    tcase_add_test(tests, a_neighbour_whose_name_begins_alike_is_not_there);
    tcase_add_test(tests, a_name_longer_than_names_are_is_not_there);
    tcase_add_test(tests, what_opens_is_removed);
    tcase_add_test(tests, nothing_else_is_removed);
    tcase_add_test(tests, a_path_has_one_name);
    tcase_add_test(tests, no_descriptor_left_is_said_as_such);
    return unit_run_case("beneath", tests);
}
