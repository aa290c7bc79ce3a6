/* SPDX-License-Identifier: MIT
 * attempts.c - the table of attempts.h. Each really does what it says when nothing stops it, and
 * undoes it only where it would hinder others.
 */
#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- files */

static bool open_file(struct target *target) {
    return syscall(SYS_openat, AT_FDCWD, target->file, O_RDONLY, 0) >= 0;
}

#ifdef SYS_open
static bool open_old_way(struct target *target) {
    return syscall(SYS_open, target->file, O_RDONLY, 0) >= 0;
}
#endif

static bool open_new_way(struct target *target) {
    uint64_t how[3] = {O_RDONLY};
    return syscall(SYS_openat2, AT_FDCWD, target->file, how, sizeof how) >= 0;
}

static bool open_passwords(struct target *target) {
    (void)target;
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool open_environment(struct target *target) {
    (void)target;
    return open("/proc/self/environ", O_RDONLY) >= 0;
}

static bool open_memory_of_victim(struct target *target) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)target->victim);
    return open(path, O_RDONLY) >= 0;
}

static bool create_file(struct target *target) {
    return open(target->other, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0;
}

static bool look_at_file(struct target *target) {
    struct stat state;
    return stat(target->file, &state) == 0;
}

static bool may_access(struct target *target) {
    return access(target->file, R_OK) == 0;
}

static bool list_folder(struct target *target) {
    char entries[1024];
    int folder = open(target->folder, O_RDONLY | O_DIRECTORY);
    return syscall(SYS_getdents64, folder, entries, sizeof entries) > 0;
}

static bool read_link(struct target *target) {
    (void)target;
    char path[200];
    return readlink("/proc/self/exe", path, sizeof path) > 0;
}

static bool remove_file(struct target *target) {
    return unlink(target->file) == 0;
}

static bool rename_file(struct target *target) {
    return rename(target->file, target->other) == 0;
}

static bool link_file(struct target *target) {
    return link(target->file, target->other) == 0;
}

static bool make_symlink(struct target *target) {
    return symlink("/etc/passwd", target->other) == 0;
}

static bool make_folder(struct target *target) {
    return mkdir(target->other, 0700) == 0;
}

static bool make_pipe_file(struct target *target) {
    return mknod(target->other, S_IFIFO | 0600, 0) == 0;
}

static bool change_mode(struct target *target) {
    return chmod(target->file, 0777) == 0;
}

static bool cut_file(struct target *target) {
    return truncate(target->file, 0) == 0;
}

static bool touch_file(struct target *target) {
    return utimensat(AT_FDCWD, target->file, NULL, 0) == 0;
}

static bool change_folder(struct target *target) {
    return chdir(target->folder) == 0;
}

static bool watch_folder(struct target *target) {
    (void)target;
    return inotify_init1(0) >= 0;
}

/* ---- network and descriptors */

static bool socket_inet(struct target *target) {
    (void)target;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool socket_udp6(struct target *target) {
    (void)target;
    return socket(AF_INET6, SOCK_DGRAM, 0) >= 0;
}

static bool socket_unix(struct target *target) {
    (void)target;
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool socket_netlink(struct target *target) {
    (void)target;
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool socket_pair(struct target *target) {
    (void)target;
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}

static bool connect_data_socket(struct target *target) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
    return connect(target->socket, (struct sockaddr *)&address, sizeof address) == 0 ||
           errno == EISCONN || errno == ECONNREFUSED; /* asked for, at least */
}

static bool pass_descriptor(struct target *target) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &target->socket, sizeof(int));
    char byte = 'x';
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    return sendmsg(target->socket, &message, 0) == 1;
}

static bool take_descriptor(struct target *target) {
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    return recvmsg(target->socket, &message, MSG_DONTWAIT) >= 0 || errno == EAGAIN;
}

static bool duplicate(struct target *target) {
    return dup(target->socket) >= 0;
}

static bool control_descriptor(struct target *target) {
    return fcntl(target->socket, F_SETFL, O_NONBLOCK) == 0;
}

static bool control_device(struct target *target) {
    int waiting;
    return ioctl(target->socket, FIONREAD, &waiting) == 0;
}

static bool make_pipe(struct target *target) {
    (void)target;
    int pair[2];
    return pipe(pair) == 0;
}

static bool make_memory_file(struct target *target) {
    (void)target;
    return memfd_create("m", 0) >= 0;
}

static bool make_event(struct target *target) {
    (void)target;
    return eventfd(0, 0) >= 0;
}

static bool make_timer(struct target *target) {
    (void)target;
    return timerfd_create(CLOCK_MONOTONIC, 0) >= 0;
}

/* ---- processes */

static bool fork_process(struct target *target) {
    (void)target;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool fork_new_way(struct target *target) {
    (void)target;
    uint64_t how[8] = {[4] = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, how, sizeof how);
    if (pid == 0) _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool run_program(struct target *target) {
    (void)target;
    static char name[] = "true";
    char *arguments[] = {name, NULL}, *environment[] = {NULL};
    execve("/bin/true", arguments, environment); /* exits with 0, which is success here */
    return false;
}

static bool run_descriptor(struct target *target) {
    (void)target;
    static char name[] = "true";
    char *arguments[] = {name, NULL}, *environment[] = {NULL};
    syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, environment, 0);
    return false;
}

static bool kill_victim(struct target *target) {
    return kill(target->victim, SIGCONT) == 0;
}

static bool kill_thread_of_victim(struct target *target) {
    return syscall(SYS_tgkill, target->victim, target->victim, SIGCONT) == 0;
}

static bool hold_victim(struct target *target) {
    return syscall(SYS_pidfd_open, target->victim, 0) >= 0;
}

static bool trace_victim(struct target *target) {
    return ptrace(PTRACE_SEIZE, target->victim, NULL, NULL) == 0;
}

static bool read_victim(struct target *target) {
    char copy[8];
    struct iovec local = {.iov_base = copy, .iov_len = sizeof copy};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)target->secret, .iov_len = sizeof copy};
    return process_vm_readv(target->victim, &local, 1, &remote, 1, 0) == sizeof copy;
}

static bool limit_victim(struct target *target) {
    struct rlimit value;
    return prlimit(target->victim, RLIMIT_CORE, NULL, &value) == 0;
}

static bool raise_own_limit(struct target *target) {
    (void)target;
    struct rlimit value = {.rlim_cur = 0, .rlim_max = 0};
    return setrlimit(RLIMIT_CORE, &value) == 0;
}

static bool rename_self(struct target *target) {
    (void)target;
    return prctl(PR_SET_NAME, "worker") == 0;
}

static bool choose_processor(struct target *target) {
    (void)target;
    cpu_set_t all;
    return sched_getaffinity(0, sizeof all, &all) == 0 &&
           sched_setaffinity(0, sizeof all, &all) == 0;
}

static bool new_session(struct target *target) {
    (void)target;
    return setsid() >= 0 || errno == EPERM;
}

static bool become_user(struct target *target) {
    (void)target;
    return setuid(getuid()) == 0;
}

static bool name_machine(struct target *target) {
    (void)target;
    struct utsname name;
    return uname(&name) == 0;
}

static bool handle_signals(struct target *target) {
    (void)target;
    return signal(SIGPROF, SIG_IGN) != SIG_ERR;
}

static bool block_signals(struct target *target) {
    (void)target;
    sigset_t all;
    sigfillset(&all);
    return sigprocmask(SIG_BLOCK, &all, NULL) == 0;
}

static bool shut_own_filter(struct target *target) {
    (void)target;
    return prctl(PR_GET_SECCOMP) >= 0;
}

/* ---- memory */

static bool map_code(struct target *target) {
    (void)target;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool turn_into_code(struct target *target) {
    (void)target;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool take_two_gibibytes(struct target *target) {
    (void)target;
    return mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool share_memory(struct target *target) {
    (void)target;
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    return id >= 0 && shmctl(id, IPC_RMID, NULL) == 0;
}

static bool lock_memory(struct target *target) {
    (void)target;
    static char page[4096];
    /* Not mlock, which AddressSanitizer replaces by nothing. */
    return syscall(SYS_mlock, page, sizeof page) == 0 || errno == ENOMEM;
}

/* ---- what widens a kernel's surface */

static bool ring(struct target *target) {
    (void)target;
    struct io_uring_params parameters = {0};
    return syscall(SYS_io_uring_setup, 1, &parameters) >= 0;
}

static bool kernel_program(struct target *target) {
    (void)target;
    uint32_t attributes[16] = {2 /* array */, 4, 4, 1};
    return syscall(SYS_bpf, 0, attributes, sizeof attributes) >= 0;
}

static bool fault_handler(struct target *target) {
    (void)target;
    return syscall(SYS_userfaultfd, O_CLOEXEC | 1) >= 0;
}

static bool kernel_key(struct target *target) {
    (void)target;
    return syscall(SYS_add_key, "user", "k", "v", 1, -1) >= 0;
}

static bool count_events(struct target *target) {
    (void)target;
    uint32_t attributes[32] = {1 /* software */, sizeof attributes};
    return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0) >= 0;
}

static bool new_user(struct target *target) {
    (void)target;
    return unshare(CLONE_NEWUSER) == 0;
}

static bool mount_files(struct target *target) {
    return mount("none", target->folder, "tmpfs", 0, NULL) == 0 && umount(target->folder) == 0;
}

const struct attempt attempts[] = {
    {"open a file", open_file, FATE_TOLD_NO, false},
#ifdef SYS_open
    {"open a file by open", open_old_way, FATE_TOLD_NO, false},
#endif
    {"open a file by openat2", open_new_way, FATE_KILLED, false},
    {"open /etc/passwd", open_passwords, FATE_TOLD_NO, false},
    {"open its environment", open_environment, FATE_TOLD_NO, false},
    {"open another process's memory", open_memory_of_victim, FATE_TOLD_NO, false},
    {"create a file", create_file, FATE_TOLD_NO, false},
    {"stat a file", look_at_file, FATE_TOLD_NO, false},
    {"access a file", may_access, FATE_TOLD_NO, false},
    {"list a folder", list_folder, FATE_TOLD_NO, false},
    {"read a link", read_link, FATE_TOLD_NO, false},
    {"remove a file", remove_file, FATE_KILLED, false},
    {"rename a file", rename_file, FATE_KILLED, false},
    {"link a file", link_file, FATE_KILLED, false},
    {"make a symbolic link", make_symlink, FATE_KILLED, false},
    {"make a folder", make_folder, FATE_KILLED, false},
    {"make a named pipe", make_pipe_file, FATE_KILLED, false},
    {"change a file's mode", change_mode, FATE_KILLED, false},
    {"truncate a file", cut_file, FATE_KILLED, false},
    {"touch a file", touch_file, FATE_KILLED, false},
    {"change folder", change_folder, FATE_KILLED, false},
    {"watch files", watch_folder, FATE_KILLED, false},
    {"TCP socket", socket_inet, FATE_KILLED, false},
    {"UDP socket", socket_udp6, FATE_KILLED, false},
    {"unix socket", socket_unix, FATE_KILLED, false},
    {"netlink socket", socket_netlink, FATE_KILLED, false},
    {"socket pair", socket_pair, FATE_KILLED, false},
    {"connect its socket elsewhere", connect_data_socket, FATE_KILLED, false},
    {"pass a descriptor", pass_descriptor, FATE_KILLED, false},
    {"take a descriptor", take_descriptor, FATE_KILLED, false},
    {"duplicate a descriptor", duplicate, FATE_KILLED, false},
    {"fcntl", control_descriptor, FATE_KILLED, false},
    {"ioctl", control_device, FATE_KILLED, false},
    {"pipe", make_pipe, FATE_KILLED, false},
    {"memory file", make_memory_file, FATE_KILLED, false},
    {"eventfd", make_event, FATE_KILLED, false},
    {"timerfd", make_timer, FATE_KILLED, false},
    {"fork", fork_process, FATE_KILLED, false},
    {"fork by clone3", fork_new_way, FATE_KILLED, false},
    {"run a program", run_program, FATE_KILLED, false},
    {"run a program by execveat", run_descriptor, FATE_KILLED, false},
    {"signal a process", kill_victim, FATE_KILLED, false},
    {"signal a thread", kill_thread_of_victim, FATE_KILLED, false},
    {"hold a process", hold_victim, FATE_KILLED, false},
    {"trace a process", trace_victim, FATE_KILLED, true},
    {"read a process's memory", read_victim, FATE_KILLED, true},
    {"read a process's limits", limit_victim, FATE_KILLED, false},
    {"set a limit", raise_own_limit, FATE_KILLED, false},
    {"take another name", rename_self, FATE_KILLED, false},
    {"choose a processor", choose_processor, FATE_KILLED, false},
    {"new session", new_session, FATE_KILLED, false},
    {"setuid", become_user, FATE_KILLED, false},
    {"uname", name_machine, FATE_KILLED, false},
    {"ignore the timer's signal", handle_signals, FATE_KILLED, false},
    {"block signals", block_signals, FATE_KILLED, false},
    {"prctl", shut_own_filter, FATE_KILLED, false},
    {"map writable code", map_code, FATE_KILLED, false},
    {"turn data into code", turn_into_code, FATE_KILLED, false},
    {"take 2 GiB", take_two_gibibytes, FATE_NO_MEMORY, false},
    {"shared memory", share_memory, FATE_KILLED, false},
    {"lock memory", lock_memory, FATE_KILLED, false},
    {"io_uring", ring, FATE_KILLED, true},
    {"bpf", kernel_program, FATE_KILLED, true},
    {"userfaultfd", fault_handler, FATE_KILLED, true},
    {"kernel keyring", kernel_key, FATE_KILLED, true},
    {"perf events", count_events, FATE_KILLED, true},
    {"new user namespace", new_user, FATE_KILLED, true},
    {"mount", mount_files, FATE_KILLED, true},
};
const size_t attempt_count = sizeof attempts / sizeof *attempts;
