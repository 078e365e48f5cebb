/* A process number in a name is no owner: containers use the same numbers, and numbers are used
 * again. The lock is what tells a living writer from a dead one: the kernel drops it with the
 * last descriptor, however the process ended. */
#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { N_DIGITS = 16, MAX_TRIES = 100, MAX_EMPTY_WRITES = 2 };

const struct ss__temporary_kind ss__temporary_file = {".saescope-", ".tmp"};

/* ---- names ---- */

/* Where the system has no random bits yet, the clock stands in: O_EXCL tells names apart. */
static uint64_t random_bits(void)
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) {
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        bits =
            ((uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec) * 0x9E3779B97F4A7C15u;
    }
    return bits;
}

void ss__temporary_name(const struct ss__temporary_kind *kind,
                        char name[SS__TEMPORARY_NAME_BYTES])
{
    snprintf(name, SS__TEMPORARY_NAME_BYTES, "%s%016llx%s", kind->prefix,
             (unsigned long long)random_bits(), kind->suffix);
}

bool ss__temporary_is_name(const struct ss__temporary_kind *kind, const char *name)
{
    const size_t n_prefix = strlen(kind->prefix);
    return strncmp(name, kind->prefix, n_prefix) == 0 &&
           strspn(name + n_prefix, "0123456789abcdef") == N_DIGITS &&
           strcmp(name + n_prefix + N_DIGITS, kind->suffix) == 0;
}

/* ---- locks ---- */

ss__lock_state ss__lock_try(int descriptor)
{
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR) {
            return errno == EWOULDBLOCK ? SS__LOCK_TAKEN : SS__LOCK_UNKNOWN;
        }
    }
    return SS__LOCK_HELD;
}

/* Whether the file still has a name: between its creation and its lock, somebody who swept the
 * folder may have taken it for that of a dead process. */
static bool is_kept(int descriptor)
{
    struct stat facts;
    return ss__lock_try(descriptor) != SS__LOCK_TAKEN && fstat(descriptor, &facts) == 0 &&
           facts.st_nlink > 0;
}

ss_status ss__temporary_create(int folder, const char *path,
                               char name[SS__TEMPORARY_NAME_BYTES], int *descriptor,
                               ss_err *err)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int reason = EEXIST;
    for (int i = 0; i < MAX_TRIES; i++) {
        ss__temporary_name(&ss__temporary_file, name);
        *descriptor = openat(folder, name, flags, 0666);
        if (*descriptor >= 0 && is_kept(*descriptor)) {
            return SS_OK;
        }
        if (*descriptor >= 0) {
            unlinkat(folder, name, 0);
            close(*descriptor);
            *descriptor = -1;
        } else if (errno != EEXIST && errno != EINTR) {
            reason = errno;
            break;
        }
    }
    name[0] = '\0';
    return ss__fail_errno(err, path, "create", reason);
}

/* ---- what the dead leave ---- */

/* Locked before it is removed, so that a file whose writer lives is left alone. A name that
 * somebody gave to a folder, a link or a pipe is not ours. */
bool ss__temporary_remove(int folder, const char *name)
{
    struct stat facts;
    if (!ss__temporary_is_name(&ss__temporary_file, name)) {
        return false;
    }
    const int file = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    const bool is_gone = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) &&
                         ss__lock_try(file) == SS__LOCK_HELD && unlinkat(folder, name, 0) == 0;
    close(file);
    return is_gone;
}

size_t ss__temporary_remove_stale(int folder)
{
    size_t n = 0;
    /* listing moves a position that belongs to the descriptor */
    const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (listing == NULL) {
        if (again >= 0) {
            close(again);
        }
        return 0;
    }
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        n += ss__temporary_remove(folder, entry->d_name);
    }
    closedir(listing);
    return n;
}

/* ---- files without a name ---- */

ss_status ss__temporary_unnamed(int *descriptor, ss_err *err)
{
    const char *named = getenv("TMPDIR");
    const char *place = named == NULL || named[0] == '\0' ? "/tmp" : named;
    char name[SS__TEMPORARY_NAME_BYTES];
    *descriptor = open(place, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (*descriptor >= 0) {
        return SS_OK;
    }
    /* Not every file system has O_TMPFILE; an old kernel takes it for a folder to be written.
     */
    const int folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        const char *reason = strerrordesc_np(errno);
        return ss__fail(err, SS_E_IO,
                        "cannot keep data in a temporary file (%s); TMPDIR names the folder %s",
                        reason == NULL ? "unknown" : reason, place);
    }
    const ss_status status = ss__temporary_create(folder, place, name, descriptor, err);
    if (status == SS_OK) {
        unlinkat(folder, name, 0);
    }
    close(folder);
    return status;
}

/* ---- writing ---- */

/* What to do after a write that took nothing: again, or an error. Some file systems in user
 * space and on networks give 0 when they are full. */
static ss_status after_nothing(int descriptor, const char *path, ssize_t wrote, int *n_empty,
                               ss_err *err)
{
    if (wrote < 0 && errno == EAGAIN) { /* a pipe that somebody made non-blocking */
        struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
        return poll(&wait, 1, -1) >= 0 || errno == EINTR
                   ? SS_OK
                   : ss__fail_errno(err, path, "write", errno);
    }
    if (wrote < 0) {
        return errno == EINTR ? SS_OK : ss__fail_errno(err, path, "write", errno);
    }
    return ++*n_empty < MAX_EMPTY_WRITES
               ? SS_OK
               : ss__fail_file(err, path, SS_E_IO,
                               "cannot write: the file system takes no more bytes and does not "
                               "say why; it may be full");
}

static ss_status write_all(int descriptor, const char *path, const char *data, size_t n_bytes,
                           const uint64_t *offset, ss_err *err)
{
    int n_empty = 0;
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t wrote = offset == NULL ? write(descriptor, data + done, n_bytes - done)
                                             : pwrite(descriptor, data + done, n_bytes - done,
                                                      (off_t)(*offset + done));
        if (wrote > 0) {
            done += (size_t)wrote;
            n_empty = 0;
        } else {
            SS_RETURN_IF_ERROR(after_nothing(descriptor, path, wrote, &n_empty, err));
        }
    }
    return SS_OK;
}

ss_status ss__write_all(int descriptor, const char *path, const void *data, size_t n_bytes,
                        ss_err *err)
{
    return write_all(descriptor, path, data, n_bytes, NULL, err);
}

ss_status ss__write_all_at(int descriptor, const char *path, const void *data, size_t n_bytes,
                           uint64_t offset, ss_err *err)
{
    return write_all(descriptor, path, data, n_bytes, &offset, err);
}

ss_status ss__read_all_at(int descriptor, const char *path, void *out, size_t n_bytes,
                          uint64_t offset, ss_err *err)
{
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t n =
            pread(descriptor, (char *)out + done, n_bytes - done, (off_t)(offset + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            return ss__fail_file(err, path, SS_E_IO, "it was cut");
        } else if (errno != EINTR) {
            return ss__fail_errno(err, path, "read", errno);
        }
    }
    return SS_OK;
}
