/* A library for LD_PRELOAD in which the n-th call of a kind goes wrong, counted from the
 * beginning of main to its end.
 *
 *   FAULT_CALLS  kinds, by commas: write, sync, rename, create, remove, list, lock, alloc,
 *                open (of what is there), look (stat and its kin)
 *   FAULT_AT     which call, from 1; 0: none
 *   FAULT_KIND   error (default; FAULT_ERRNO, else EIO) | zero | short | kill
 *                | stop (until SIGCONT)
 *   FAULT_CUT    a part of a path: of the file that has it in its name, two thirds go as soon as
 *                it is mapped
 *   FAULT_ON     all later ones too, if it is set
 *   FAULT_COUNT  file that gets the number of calls
 *
 *   FAULT_LIBRARIES  parts of library names, by commas: then their calls count
 *
 * Else only calls of the program itself count, which has the project's library in it, not those
 * of other libraries. Built by the tests that use it: cc -shared -fPIC -D_GNU_SOURCE -ldl */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool is_on;
static atomic_long n_calls;
static long wanted_call;
static const char *calls, *kind, *count_path;
static bool goes_on;
static int reason = EIO;
enum { MOST_RANGES = 64 };
static struct {
    uintptr_t from, to;
} ranges[MOST_RANGES]; /* of the code whose calls count */
static size_t n_ranges;

static bool is_wanted(const char *call)
{
    const char *at = calls == NULL ? NULL : strstr(calls, call);
    return at != NULL && (at[strlen(call)] == ',' || at[strlen(call)] == '\0');
}

static bool is_kind(const char *name)
{
    return strcmp(kind, name) == 0;
}

static bool counts(const void *caller)
{
    for (size_t i = 0; i < n_ranges; i++) {
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to) {
            return true;
        }
    }
    return false;
}

/* Whether this call goes wrong; errno is set then. */
static bool fails(const char *call, const void *caller)
{
    if (!atomic_load(&is_on) || !is_wanted(call) || !counts(caller)) {
        return false;
    }
    const long n = atomic_fetch_add(&n_calls, 1) + 1;
    if (wanted_call == 0 || n < wanted_call || (n > wanted_call && !goes_on)) {
        return false;
    }
    if (is_kind("kill")) {
        kill(getpid(), SIGKILL);
    }
    if (is_kind("stop")) {
        kill(getpid(), SIGSTOP);
        return false;
    }
    errno = reason;
    return true;
}

#define FAILS(call) fails(call, __builtin_return_address(0))
#define REAL(name)                                                                             \
    static __typeof__(&name) real;                                                             \
    if (real == NULL) {                                                                        \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                     \
    }

/* ---- files ---- */

#define WRITES(number, ...)                                                                    \
    if (n > 0 && FAILS("write")) {                                                             \
        if (is_kind("error") || is_kind("zero")) {                                             \
            return is_kind("zero") ? 0 : -1;                                                   \
        }                                                                                      \
        n = 1;                                                                                 \
    }                                                                                          \
    return syscall(number, __VA_ARGS__)

ssize_t write(int fd, const void *data, size_t n)
{
    WRITES(SYS_write, fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
    WRITES(SYS_pwrite64, fd, data, n, offset);
}

int fsync(int fd)
{
    return FAILS("sync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return FAILS("rename") ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return FAILS("rename") ? -1 : (int)syscall(SYS_renameat, from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return FAILS("rename")
               ? -1
               : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    return FAILS("rename") ? -1
                           : (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

static mode_t mode_of(int flags, va_list list)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

#define OPENS(folder)                                                                          \
    va_list list;                                                                              \
    va_start(list, flags);                                                                     \
    const mode_t mode = mode_of(flags, list);                                                  \
    va_end(list);                                                                              \
    return FAILS((flags & O_CREAT) != 0 ? "create" : "open")                                   \
               ? -1                                                                            \
               : (int)syscall(SYS_openat, folder, path, flags, mode)

int open(const char *path, int flags, ...)
{
    OPENS(AT_FDCWD);
}

int openat(int folder, const char *path, int flags, ...)
{
    OPENS(folder);
}

int mkdir(const char *path, mode_t mode)
{
    return FAILS("create") ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    return FAILS("create") ? -1 : (int)syscall(SYS_mkdirat, folder, path, mode);
}

int symlink(const char *target, const char *path)
{
    return FAILS("create") ? -1 : (int)syscall(SYS_symlink, target, path);
}

int unlink(const char *path)
{
    return FAILS("remove") ? -1 : (int)syscall(SYS_unlink, path);
}

int unlinkat(int folder, const char *path, int flags)
{
    return FAILS("remove") ? -1 : (int)syscall(SYS_unlinkat, folder, path, flags);
}

int rmdir(const char *path)
{
    return FAILS("remove") ? -1 : (int)syscall(SYS_rmdir, path);
}

int stat(const char *path, struct stat *out)
{
    return FAILS("look") ? -1 : (int)syscall(SYS_stat, path, out);
}

int lstat(const char *path, struct stat *out)
{
    return FAILS("look") ? -1 : (int)syscall(SYS_lstat, path, out);
}

int fstat(int fd, struct stat *out)
{
    return FAILS("look") ? -1 : (int)syscall(SYS_fstat, fd, out);
}

int fstatat(int folder, const char *path, struct stat *out, int flags)
{
    return FAILS("look") ? -1 : (int)syscall(SYS_newfstatat, folder, path, out, flags);
}

struct dirent *readdir(DIR *folder)
{
    REAL(readdir)
    return FAILS("list") ? NULL : real(folder);
}

int flock(int fd, int how)
{
    return FAILS("lock") ? -1 : (int)syscall(SYS_flock, fd, how);
}

/* ---- files that are cut while they are read ---- */

static void cut_mapped(int fd)
{
    const char *wanted = getenv("FAULT_CUT");
    char link[64], path[PATH_MAX];
    struct stat facts;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = wanted == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        if (strstr(path, wanted) != NULL && syscall(SYS_stat, path, &facts) == 0) {
            syscall(SYS_truncate, path, facts.st_size / 3);
        }
    }
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    void *mapped = (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
    if (mapped != MAP_FAILED && fd >= 0 && atomic_load(&is_on)) {
        cut_mapped(fd);
    }
    return mapped;
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t),
    *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

void *malloc(size_t n)
{
    return FAILS("alloc") ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return FAILS("alloc") ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t n)
{
    return FAILS("alloc") ? NULL : __libc_realloc(block, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return FAILS("alloc") ? NULL : __libc_memalign(alignment, n);
}

/* ---- main ---- */

static bool is_listed(const char *name, const char *list)
{
    for (size_t n = 0; *list != '\0'; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (memmem(name, strlen(name), list, n) != NULL) {
            return true;
        }
    }
    return false;
}

static int note_code(struct dl_phdr_info *info, size_t size, void *libraries)
{
    (void)size;
    const bool is_noted = libraries == NULL || is_listed(info->dlpi_name, libraries);
    for (int i = 0; is_noted && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && n_ranges < MOST_RANGES) {
            ranges[n_ranges].from = info->dlpi_addr + part->p_vaddr;
            ranges[n_ranges].to = ranges[n_ranges].from + part->p_memsz;
            n_ranges++;
        }
    }
    return libraries == NULL ? 1 : 0; /* the first one is the program */
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : value;
}

static int (*real_main)(int, char **, char **);

static int main_with_faults(int n, char **words, char **environment)
{
    dl_iterate_phdr(note_code, getenv("FAULT_LIBRARIES"));
    calls = getenv("FAULT_CALLS");
    kind = setting("FAULT_KIND", "error");
    count_path = getenv("FAULT_COUNT");
    goes_on = getenv("FAULT_ON") != NULL;
    wanted_call = atol(setting("FAULT_AT", "0"));
    reason = atoi(setting("FAULT_ERRNO", "5"));
    atomic_store(&is_on, true);
    const int code = real_main(n, words, environment);
    atomic_store(&is_on, false);
    FILE *file = count_path == NULL ? NULL : fopen(count_path, "w");
    if (file != NULL) {
        fprintf(file, "%ld\n", atomic_load(&n_calls));
        fclose(file);
    }
    return code;
}

int __libc_start_main(int (*main)(int, char **, char **), int n, char **words,
                      void (*init)(void), void (*fini)(void), void (*end)(void), void *stack);

int __libc_start_main(int (*main)(int, char **, char **), int n, char **words,
                      void (*init)(void), void (*fini)(void), void (*end)(void), void *stack)
{
    __typeof__(&__libc_start_main) real =
        (__typeof__(&__libc_start_main))dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return real(main_with_faults, n, words, init, fini, end, stack);
}
