/* Stands in QEMU's place: answers QMP, and when it is told to let the firmware run, tries all that
   a confined QEMU must not be able to do. It prints a line for each attempt, as the firmware's
   output: a name, and the errno by which the kernel refused it, or what it got. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int qmp = -1, console = -1;

static int number_in(char **words, const char *start) {
    for (; *words; words++)
        if (!strncmp(*words, start, strlen(start))) return atoi(*words + strlen(start));
    return -1;
}

/* Says how a call ended, which returns -1 for an error. */
static void tell(const char *name, long result) {
    int number = errno;
    dprintf(console, "%s: %s\n", name, result == -1 ? strerrorname_np(number) : "DONE");
}

static void list(const char *name, const char *path) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    char line[4096] = "", link[512], full[512];
    while (directory && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(full, sizeof full, "%s/%s", path, entry->d_name);
        ssize_t size = readlink(full, link, sizeof link - 1);
        link[size < 0 ? 0 : size] = 0;
        strcat(line, " "), strcat(line, entry->d_name), strcat(line, "->"), strcat(line, link);
    }
    dprintf(console, "%s:%s\n", name, !directory ? " none" : *line ? line : " empty");
    if (directory) closedir(directory);
}

static void rights(void) {
    uid_t user[3];
    gid_t group[3];
    int bounds = 0, environment = 0, last = 0;
    getresuid(&user[0], &user[1], &user[2]), getresgid(&group[0], &group[1], &group[2]);
    unsigned head[2] = {0x20080522, 0}, caps[6] = {0};
    syscall(SYS_capget, head, caps);
    for (; prctl(PR_CAPBSET_READ, last) >= 0; last++) bounds += prctl(PR_CAPBSET_READ, last);
    while (environ[environment]) environment++;
    dprintf(console, "users: %u %u %u\ngroups: %u %u %u\n", user[0], user[1], user[2], group[0], group[1],
            group[2]);
    dprintf(console, "further groups: %d\n", getgroups(0, 0));
    dprintf(console, "capabilities: %u\n", caps[0] | caps[1] | caps[2] | caps[3] | caps[4] | caps[5]);
    dprintf(console, "bounding set: %d\n", bounds);
    dprintf(console, "no_new_privs: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    dprintf(console, "seccomp: %d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
    dprintf(console, "environment: %d\n", environment);
    dprintf(console, "parent: %d\n", getppid());
}

static void files(void) {
    tell("open the host's file", open(HOST_FILE, O_RDONLY));
    tell("open /etc/passwd", open("/etc/passwd", O_RDONLY));
    tell("climb out", chdir("../../../../../../..") | open("etc/passwd", O_RDONLY));
    tell("make a file", open("/new", O_CREAT | O_WRONLY, 0600));
    tell("make a directory", mkdir("/new", 0700));
    tell("make a device", mknod("/new", S_IFBLK | 0600, 0x800));
    tell("open /proc/self/mem", open("/proc/self/mem", O_RDWR));
    list("root", "/"), list("its files", "/files"), list("descriptors", "/proc/self/fd");
    struct rlimit size = {0};
    getrlimit(RLIMIT_FSIZE, &size);
    dprintf(console, "largest file: %lu\n", (unsigned long)size.rlim_cur);
}

static void others(void) {
    char byte;
    struct iovec here = {&byte, 1}, there = {&byte, 1};
    struct sockaddr_in address = {AF_INET, htons(PORT), {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un name = {AF_UNIX, "\0" ABSTRACT};
    tell("kill the host's process", kill(HOST_PID, 0));
    tell("trace the host's process", ptrace(PTRACE_ATTACH, HOST_PID, 0, 0));
    tell("read the host's process", process_vm_readv(HOST_PID, &here, 1, &there, 1, 0));
    tell("open a pid", syscall(SYS_pidfd_open, HOST_PID, 0));
    int inet = socket(AF_INET, SOCK_STREAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
    tell("connect by network", connect(inet, (void *)&address, sizeof address));
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(ABSTRACT);
    tell("connect to an abstract socket", connect(local, (void *)&name, size));
}

static void powers(void) {
    tell("setuid", setuid(0));
    tell("setgid", setgid(0));
    tell("setgroups", setgroups(0, 0));
    tell("mount", mount("tmpfs", "/proc", "tmpfs", 0, 0));
    tell("unmount", umount2("/proc/self/fd", MNT_DETACH));
    tell("chroot", chroot("/proc"));
    tell("user namespace", unshare(CLONE_NEWUSER));
    tell("mount namespace", unshare(CLONE_NEWNS));
    tell("keyring", syscall(SYS_keyctl, 0, -3, 1));
    tell("host name", sethostname("x", 1));
    tell("nice", setpriority(PRIO_PROCESS, 0, -5));
    tell("execute a shell", execl("/bin/sh", "sh", NULL));
    tell("execute itself", execl("/proc/self/exe", "again", NULL));
}

static void amounts(void) {
    int children = 0, opened = 0;
    pid_t child;
    while ((child = fork()) > 0 && children < 1000) children++;
    if (child == 0) pause();
    dprintf(console, "children: %s\n", children < 64 ? "FEW" : "MANY");
    while (dup(0) >= 0 && opened < 10000) opened++;
    dprintf(console, "files: %s\n", opened < 64 ? "FEW" : "MANY");
    void *memory = mmap(0, 16UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tell("16 GiB", memory == MAP_FAILED ? -1 : 0);
    struct rlimit core = {1, 1};
    getrlimit(RLIMIT_CORE, &core);
    dprintf(console, "core: %lu\n", (unsigned long)core.rlim_max);
}

int main(int count, char **words) {
    (void)count;
    qmp = number_in(words, "socket,id=qmp,fd="), console = number_in(words, "socket,id=con,fd=");
    fcntl(console, F_SETFL, 0);
    FILE *requests = fdopen(qmp, "r");
    char line[4096];
    dprintf(qmp, "{\"QMP\": {}}\n");
    while (fgets(line, sizeof line, requests)) {
        char *id = strstr(line, "\"id\": ");
        if (strstr(line, "\"cont\"")) {
#ifdef CRASH
            *(volatile int *)0 = 0;
#endif
            rights(), files(), others(), powers(), amounts();
            dprintf(console, "END\n");
        }
        dprintf(qmp, "{\"return\": {}, \"id\": %d}\n", id ? atoi(id + 6) : 0);
    }
    return 0;
}
