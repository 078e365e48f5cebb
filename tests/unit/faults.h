/* Faults of memory and files, one after the other, in what a test does.
 *
 * The linker puts the functions below in front of those of the system (tests/CMakeLists.txt),
 * for the library as for the test: base/mem.c is the only place that takes memory, and base has
 * what files are read and written with. faults_try runs a case once to count its calls, and
 * then again for each call that is to fail, once and from then on. What must hold each time:
 * the status and the message say so, or the result is the one without a fault; memory,
 * descriptors and the names in the folder are as before.
 *
 * Which calls fail: those with a stack that none before had, at most FAULTS_MOST of them,
 * spread evenly; SS_FAULTS=stacks: every such call; SS_FAULTS=all: all calls, which takes hours. With
 * SS_FAULTS set to anything a problem is shown with the stack of the call that failed. */
#ifndef FAULTS_H
#define FAULTS_H

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "saescope.h"
#include "saescope_tools.h"

#ifndef FAULTS_MOST
#define FAULTS_MOST 40
#endif
enum { FAULTS_MAX_CALLS = 400000, FAULTS_DEPTH = 10 };

typedef enum faults_kind { FAULTS_OFF, FAULTS_MEMORY, FAULTS_FILES } faults_kind;

/* A case: does something with the library and gives back all it got. `sum` becomes a number
 * made of the results, 0 on failure; outputs of failed calls must have been found empty.
 * `folder` is for files that it writes, which a case that succeeds removes. */
struct faults_case {
    const char *name;
    ss_status (*run)(const struct faults_case *self, const char *folder, uint64_t *sum,
                     ss_err *err);
    const char *path, *word;
};

static struct {
    atomic_int kind;
    atomic_long n_calls, n_live;
    atomic_long fail_at; /* from 1; 0: none */
    atomic_bool goes_on, has_fired, is_recording;
    uint64_t *stacks;          /* [n_calls] while recording */
    void *fired[FAULTS_DEPTH]; /* the stack of the first call that failed */
    int n_fired;
    int sites; /* where they are listed; -1: nowhere */
    size_t n_problems;
    /* Opens what cases share anew, so that scratch which it keeps is gone; nullable. */
    void (*settle)(void);
    long n_live_settled;
} faults;

static inline uint64_t faults_mix(uint64_t sum, const void *data, size_t n_bytes)
{
    const unsigned char *bytes = data;
    sum ^= 0xCBF29CE484222325U;
    for (size_t i = 0; i < n_bytes; i++) {
        sum = (sum ^ bytes[i]) * 0x100000001B3U;
    }
    return sum | 1;
}

/* ---- the calls ---- */

int __real_open(const char *path, int flags, ...);

/* With SS_FAULTS_SITES=FILE the stack of every allocation that failed is appended to FILE, each
 * once: scripts/figures.py tells which allocations of the library never did. */
static inline void faults_note_site(void)
{
    enum { MOST = 1 << 16 };
    static uint64_t seen[MOST];
    const uint64_t hash = faults_mix(1, faults.fired, (size_t)faults.n_fired * sizeof(void *));
    if (faults.sites < 0 || atomic_load(&faults.kind) != FAULTS_MEMORY ||
        seen[hash % MOST] == hash) {
        return;
    }
    seen[hash % MOST] = hash;
    backtrace_symbols_fd(faults.fired, faults.n_fired, faults.sites);
}

static inline bool faults_fails(faults_kind kind)
{
    if (atomic_load(&faults.kind) != (int)kind) {
        return false;
    }
    const long n = atomic_fetch_add(&faults.n_calls, 1) + 1;
    const long at = atomic_load(&faults.fail_at);
    if (atomic_load(&faults.is_recording) && n <= FAULTS_MAX_CALLS) {
        void *stack[FAULTS_DEPTH];
        const int depth = backtrace(stack, FAULTS_DEPTH);
        faults.stacks[n - 1] = faults_mix(1, stack, (size_t)depth * sizeof stack[0]);
    }
    if (at == 0 || n < at || (n > at && !atomic_load(&faults.goes_on))) {
        return false;
    }
    if (!atomic_exchange(&faults.has_fired, true)) {
        faults.n_fired = backtrace(faults.fired, FAULTS_DEPTH);
        faults_note_site();
    }
    return true;
}

#define FAULTS_IN_FRONT(result, name, ...)                                                     \
    result __real_##name(__VA_ARGS__);                                                         \
    result __wrap_##name(__VA_ARGS__);                                                         \
    result __wrap_##name(__VA_ARGS__)

#define FAULTS_MEMORY_CALL(call, is_new)                                                       \
    void *block = faults_fails(FAULTS_MEMORY) ? NULL : (call);                                 \
    faults.n_live += block != NULL && (is_new);                                                \
    return block

FAULTS_IN_FRONT(void *, malloc, size_t n)
{
    FAULTS_MEMORY_CALL(__real_malloc(n), true);
}

FAULTS_IN_FRONT(void *, calloc, size_t n, size_t size)
{
    FAULTS_MEMORY_CALL(__real_calloc(n, size), true);
}

FAULTS_IN_FRONT(void *, realloc, void *old, size_t n)
{
    const bool is_new = old == NULL;
    FAULTS_MEMORY_CALL(__real_realloc(old, n), is_new);
}

FAULTS_IN_FRONT(void *, aligned_alloc, size_t alignment, size_t n)
{
    FAULTS_MEMORY_CALL(__real_aligned_alloc(alignment, n), true);
}

FAULTS_IN_FRONT(int, posix_memalign, void **out, size_t alignment, size_t n)
{
    if (faults_fails(FAULTS_MEMORY) || __real_posix_memalign(out, alignment, n) != 0) {
        return ENOMEM;
    }
    faults.n_live++;
    return 0;
}

FAULTS_IN_FRONT(void, free, void *block)
{
    faults.n_live -= block != NULL;
    __real_free(block);
}

#define FAULTS_FILE_CALL(number, bad, call)                                                    \
    if (faults_fails(FAULTS_FILES)) {                                                          \
        errno = (number);                                                                      \
        return bad;                                                                            \
    }                                                                                          \
    return call

FAULTS_IN_FRONT(ssize_t, read, int fd, void *data, size_t n)
{
    FAULTS_FILE_CALL(EIO, -1, __real_read(fd, data, n));
}

FAULTS_IN_FRONT(ssize_t, pread, int fd, void *data, size_t n, off_t offset)
{
    FAULTS_FILE_CALL(EIO, -1, __real_pread(fd, data, n, offset));
}

FAULTS_IN_FRONT(ssize_t, __read_chk, int fd, void *data, size_t n, size_t n_room)
{
    FAULTS_FILE_CALL(EIO, -1, __real___read_chk(fd, data, n, n_room));
}

FAULTS_IN_FRONT(ssize_t, __pread_chk, int fd, void *data, size_t n, off_t offset, size_t n_room)
{
    FAULTS_FILE_CALL(EIO, -1, __real___pread_chk(fd, data, n, offset, n_room));
}

FAULTS_IN_FRONT(ssize_t, write, int fd, const void *data, size_t n)
{
    FAULTS_FILE_CALL(ENOSPC, -1, __real_write(fd, data, n));
}

FAULTS_IN_FRONT(ssize_t, pwrite, int fd, const void *data, size_t n, off_t offset)
{
    FAULTS_FILE_CALL(ENOSPC, -1, __real_pwrite(fd, data, n, offset));
}

FAULTS_IN_FRONT(int, fsync, int fd)
{
    FAULTS_FILE_CALL(EIO, -1, __real_fsync(fd));
}

FAULTS_IN_FRONT(int, rename, const char *from, const char *to)
{
    FAULTS_FILE_CALL(EIO, -1, __real_rename(from, to));
}

FAULTS_IN_FRONT(int, renameat, int from_folder, const char *from, int to_folder, const char *to)
{
    FAULTS_FILE_CALL(EIO, -1, __real_renameat(from_folder, from, to_folder, to));
}

FAULTS_IN_FRONT(int, renameat2, int from_folder, const char *from, int to_folder,
                const char *to, unsigned flags)
{
    FAULTS_FILE_CALL(EIO, -1, __real_renameat2(from_folder, from, to_folder, to, flags));
}

FAULTS_IN_FRONT(int, linkat, int from_folder, const char *from, int to_folder, const char *to,
                int flags)
{
    FAULTS_FILE_CALL(EIO, -1, __real_linkat(from_folder, from, to_folder, to, flags));
}

FAULTS_IN_FRONT(int, mkdirat, int folder, const char *path, mode_t mode)
{
    FAULTS_FILE_CALL(ENOSPC, -1, __real_mkdirat(folder, path, mode));
}

FAULTS_IN_FRONT(int, mkdir, const char *path, mode_t mode)
{
    FAULTS_FILE_CALL(ENOSPC, -1, __real_mkdir(path, mode));
}

FAULTS_IN_FRONT(void *, mmap, void *at, size_t n, int protection, int flags, int fd,
                off_t offset)
{
    FAULTS_FILE_CALL(ENOMEM, MAP_FAILED, __real_mmap(at, n, protection, flags, fd, offset));
}

FAULTS_IN_FRONT(int, fstat, int fd, struct stat *out)
{
    FAULTS_FILE_CALL(EIO, -1, __real_fstat(fd, out));
}

#define FAULTS_OPEN(name, pass, ...)                                                           \
    int __wrap_##name(__VA_ARGS__, int flags, ...);                                            \
    int __wrap_##name(__VA_ARGS__, int flags, ...)                                             \
    {                                                                                          \
        va_list list;                                                                          \
        va_start(list, flags);                                                                 \
        const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;   \
        va_end(list);                                                                          \
        FAULTS_FILE_CALL(EMFILE, -1, __real_##name(pass, flags, mode));                        \
    }
#define FAULTS_TWO folder, path
int __real_openat(int folder, const char *path, int flags, ...);
FAULTS_OPEN(open, path, const char *path)
FAULTS_OPEN(openat, FAULTS_TWO, int folder, const char *path)

/* ---- what must be as before ---- */

struct faults_state {
    long n_live;
    size_t n_descriptors;
    char names[4096]; /* in the folder, sorted */
};

static inline int faults_compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline size_t faults_list(const char *path, char (*names)[256], size_t most)
{
    DIR *folder = opendir(path);
    size_t n = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && n < most) {
            snprintf(names[n++], sizeof names[0], "%s", entry->d_name);
        }
    }
    closedir(folder);
    qsort(names, n, sizeof names[0], faults_compare_names);
    return n;
}

static inline struct faults_state faults_look(const char *folder)
{
    static char names[64][256];
    struct faults_state state = {.n_live = faults.n_live};
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        state.n_descriptors += fcntl(descriptor, F_GETFD) >= 0;
    }
    const size_t n = faults_list(folder, names, 64);
    for (size_t i = 0, at = 0; i < n && at < sizeof state.names; i++) {
        at += (size_t)snprintf(state.names + at, sizeof state.names - at, "%s ", names[i]);
    }
    return state;
}

/* ---- one case ---- */

struct faults_trial {
    const struct faults_case *c;
    const char *folder;
    faults_kind kind;
    uint64_t sum; /* without a fault */
};

static inline void faults_run(const struct faults_trial *trial, long at, bool goes_on)
{
    static const char *const kinds[] = {"", "allocation", "call of a file"};
    const struct faults_state before = faults_look(trial->folder);
    uint64_t sum = 0;
    ss_err err;
    memset(&err, 0x5A, sizeof err); /* a caller may leave it so */
    err.message[sizeof err.message - 1] = '\0';
    faults.n_calls = 0;
    faults.has_fired = false;
    faults.goes_on = goes_on;
    faults.fail_at = at;
    faults.kind = (int)trial->kind;
    const ss_status status = trial->c->run(trial->c, trial->folder, &sum, &err);
    faults.kind = FAULTS_OFF;
    faults.fail_at = 0;
    struct faults_state after = faults_look(trial->folder);
    if (after.n_live != before.n_live && faults.settle != NULL) {
        faults.settle();
        after.n_live = faults.n_live - faults.n_live_settled + before.n_live;
    }
    const bool is_same = after.n_live == before.n_live &&
                         after.n_descriptors == before.n_descriptors &&
                         strcmp(after.names, before.names) == 0;
    const bool has_message = status == SS_OK || (err.code == status && err.message[0] != 0x5A &&
                                                 err.message[0] != '\0');
    const bool is_told =
        status == SS_OK ? sum == trial->sum
        : trial->kind == FAULTS_MEMORY
            ? status == SS_E_NOMEM && strstr(err.message, "memory") != NULL
            : faults.has_fired && status != SS_E_INTERNAL && status != SS_E_EXISTS;
    if (!is_same || !has_message || !is_told) {
        faults.n_problems++;
        print_error("%s: %s %ld%s fails: status %d (%s), blocks %+ld, descriptors %zu to %zu, "
                    "names '%s' to '%s', result %s\n",
                    trial->c->name, kinds[trial->kind], at,
                    goes_on ? " and all later ones" : "", (int)status,
                    has_message ? status == SS_OK ? "" : err.message : "no message",
                    after.n_live - before.n_live, before.n_descriptors, after.n_descriptors,
                    before.names, after.names,
                    status != SS_OK     ? "none"
                    : sum == trial->sum ? "the same"
                                        : "another");
        if (getenv("SS_FAULTS") != NULL) { /* addr2line tells the lines */
            backtrace_symbols_fd(faults.fired, faults.n_fired, STDERR_FILENO);
        }
    }
}

/* The numbers of calls that are to fail, from those that were recorded. */
static inline size_t faults_choose(size_t n_calls, long *chosen)
{
    const char *setting = getenv("SS_FAULTS");
    const bool takes_all = setting != NULL && strcmp(setting, "all") == 0;
    size_t n = 0;
    for (size_t i = 0; i < n_calls; i++) {
        bool is_new = true;
        for (size_t before = 0; before < n && is_new && !takes_all; before++) {
            is_new = faults.stacks[i] != faults.stacks[chosen[before] - 1];
        }
        if (is_new) {
            chosen[n++] = (long)i + 1;
        }
    }
    const bool takes_stacks = setting != NULL && strcmp(setting, "stacks") == 0;
    const size_t n_kept = takes_all || takes_stacks || n < FAULTS_MOST ? n : FAULTS_MOST;
    for (size_t i = 0; i < n_kept; i++) {
        chosen[i] = chosen[i * n / n_kept];
    }
    return n_kept;
}

/* Run a case with every fault of a kind; false where it fails without one, and may. */
static inline bool faults_try_if(const struct faults_case *c, const char *folder,
                                 faults_kind kind, bool may_fail)
{
    struct faults_trial trial = {.c = c, .folder = folder, .kind = kind};
    ss_err err = {0};
    /* The first run makes what the process keeps, as fonts are. */
    for (int run = 0; run < 2; run++) {
        faults.n_calls = 0;
        faults.is_recording = run == 1;
        faults.kind = (int)kind;
        const ss_status status = c->run(c, folder, &trial.sum, &err);
        faults.kind = FAULTS_OFF;
        faults.is_recording = false;
        if (status != SS_OK && may_fail) {
            return false;
        }
        if (status != SS_OK) {
            fail_msg("%s: %s", c->name, err.message);
        }
    }
    const long n_calls = faults.n_calls;
    if (faults.settle != NULL) {
        faults.settle();
        faults.n_live_settled = faults.n_live;
    }
    assert_in_range(n_calls, 0, FAULTS_MAX_CALLS);
    long *chosen = __real_calloc((size_t)n_calls + 1, sizeof *chosen);
    assert_non_null(chosen);
    const size_t n = faults_choose((size_t)n_calls, chosen);
    for (size_t i = 0; i < n; i++) {
        faults_run(&trial, chosen[i], false);
        faults_run(&trial, chosen[i], true);
    }
    __real_free(chosen);
    if (getenv("SS_FAULTS") != NULL) {
        print_message("%s: %ld %s, %zu of them failed\n", c->name, n_calls,
                      kind == FAULTS_MEMORY ? "allocations" : "calls of files", n);
    }
    return true;
}

static inline void faults_try(const struct faults_case *c, const char *folder, faults_kind kind)
{
    (void)faults_try_if(c, folder, kind, false);
}

/* Every case of a table; faults.n_problems says what was found. */
static inline void faults_try_all(const struct faults_case *cases, size_t n, const char *folder,
                                  faults_kind kind)
{
    faults.n_problems = 0;
    for (size_t i = 0; i < n; i++) {
        faults_try(&cases[i], folder, kind);
    }
}

static inline int faults_set_up(void **state)
{
    static char folder[] = "/tmp/saescope-faults-XXXXXX";
    void *stack[1];
    (void)backtrace(stack, 1); /* loads what it needs */
    faults.stacks = __real_calloc(FAULTS_MAX_CALLS, sizeof *faults.stacks);
    faults.sites = -1;
    if (getenv("SS_FAULTS_SITES") != NULL) {
        faults.sites = __real_open(getenv("SS_FAULTS_SITES"),
                                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    *state = mkdtemp(folder);
    return faults.stacks == NULL || *state == NULL;
}

static inline int faults_tear_down(void **state)
{
    __real_free(faults.stacks);
    if (faults.sites >= 0) {
        close(faults.sites);
    }
    return rmdir(*state); /* fails where a test left a file */
}

#endif
